"""A feature that knows the future: the model that learns from it is too good to be true, and nothing is made of it."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from stock_pipeline.command_line.errors import FAILED
from stock_pipeline.core.columns import FORWARD_RETURN, MODEL
from stock_pipeline.core.cross_section import session_rank
from stock_pipeline.datasets.catalogue import TargetKind
from stock_pipeline.datasets.panel import FEATURES_FILE, Panel
from stock_pipeline.datasets.reading import write_training_panel
from stock_pipeline.features.reading import chosen_set
from stock_pipeline.models import assets
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS
from stock_pipeline.registry.tables import MODEL_VERSIONS
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline_tests.harness.own_files import OwnFiles

FEATURE = "return_1"


def write_leaky_panel(stores: Stores, settings: Settings, as_of: date, kind: TargetKind, folder: Path) -> None:
    """Write the training panel with the return that followed in place of one that went before."""
    write_training_panel(stores, settings, as_of, kind, folder)
    panel = Panel.open(folder, chosen_set(settings).names)
    leak = panel.rows.select(session_rank(FORWARD_RETURN).fill_null(0.0).cast(pl.Float32)).to_series()
    values = np.array(panel.samples.x)
    values[:, panel.samples.names.index(FEATURE)] = leak
    np.save(folder / FEATURES_FILE, values)


def test_a_model_that_has_learnt_from_the_future_is_not_put_to_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = OwnFiles(tmp_path)
    files.make()
    with monkeypatch.context() as patched:
        patched.setattr(assets, "write_training_panel", write_leaky_panel)
        ended = files.run("spline_ridge")
    told = " ".join(ended.output.split())
    assert ended.exit_code == FAILED
    assert "check plausible_ic of models/spline_ridge failed" in told
    assert "look for a feature or label that knows the future" in told
    assert files.stores.read(TRAININGS)[MODEL].to_list() == ["spline_ridge"]
    assert (files.stores.count(MODEL_VERSIONS), files.stores.count(DAILY_PREDICTIONS)) == (0, 0)
    # The check follows from what is stored, so the model stays barred although nothing of it is made anew.
    again = files.run("spline_ridge")
    assert again.exit_code == FAILED
    assert "check plausible_ic of models/spline_ridge failed" in " ".join(again.output.split())
    assert files.stores.count(MODEL_VERSIONS) == 0
