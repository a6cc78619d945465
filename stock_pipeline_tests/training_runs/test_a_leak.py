"""A feature that knows the future: the model that learns from it is too good to be true, and nothing is made of it."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.command_line.errors import FAILED
from stock_pipeline.core.columns import FORWARD_RETURN, MODEL
from stock_pipeline.core.cross_section import session_rank
from stock_pipeline.datasets.catalogue import RETURN_KIND, TargetKind
from stock_pipeline.datasets.reading import read_training_panel
from stock_pipeline.models import assets
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS
from stock_pipeline.registry.tables import MODEL_VERSIONS
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline_tests.harness.own_files import OwnFiles

FEATURE = "return_1"


def leaky_panel(stores: Stores, settings: Settings, as_of: date, kind: TargetKind = RETURN_KIND) -> pl.DataFrame:
    """The training panel with the return that followed in place of one that went before."""
    panel = read_training_panel(stores, settings, as_of, kind)
    leak = session_rank(FORWARD_RETURN).fill_null(0.0).cast(pl.Float32).alias(FEATURE)
    return panel.with_columns(leak)


def test_a_model_that_has_learnt_from_the_future_is_not_put_to_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = OwnFiles(tmp_path)
    files.make()
    with monkeypatch.context() as patched:
        patched.setattr(assets, "read_training_panel", leaky_panel)
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
