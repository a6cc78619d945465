from pathlib import Path
from typing import Any, cast

import dagster as dg
import polars as pl
import pytest

from stock_pipeline.core.columns import OPEN, SESSION, SYMBOL
from stock_pipeline.labels.checks import LABELS, Compute, label_checks, of_settings, reaches
from stock_pipeline.labels.tables import daily_labels
from stock_pipeline.orchestration.resources import StoreResource
from stock_pipeline.settings import LabelSettings
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import empty_stores
from stock_pipeline_tests.factories.stored_bars import label, put_bars
from stock_pipeline_tests.harness.plain_settings import plain_settings

DAYS = sessions(60)
CHOSEN = {"horizons": (1, 4), "volatility_horizon": 3}


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    stores = empty_stores(tmp_path)
    put_bars(stores, 40, symbols=6)
    return stores


def checked(stores: Stores, compute: Compute | None = None) -> dg.AssetCheckResult:
    (definition,) = label_checks(plain_settings(stores.home, labels=CHOSEN), compute)
    result = definition(ml=StoreResource(database=str(stores.ml.path), store="ml", wait_seconds=5))
    return cast("dg.AssetCheckResult", result)


def violations(result: dg.AssetCheckResult) -> list[dict[str, Any]]:
    value = cast("dg.TableMetadataValue", (result.metadata or {})["violations"])
    return [dict(row.data) for row in value.records]


def test_it_blocks_what_lies_downstream(stores: Stores) -> None:
    (definition,) = label_checks(plain_settings(stores.home))
    (spec,) = definition.check_specs
    assert spec.blocking
    assert spec.asset_key == LABELS


def test_every_column_is_tried_at_its_own_reach() -> None:
    chosen = LabelSettings(**CHOSEN)
    tried = reaches(chosen)
    assert sorted(tried.values()) == [2, 3, 5]
    columns = [name for names in tried for name in names]
    assert sorted([SYMBOL, SESSION, *columns]) == sorted(daily_labels(chosen.horizons).column_names)


def test_honest_labels_pass(stores: Stores) -> None:
    label(stores, plain_settings(stores.home, labels=CHOSEN), DAYS[39])
    result = checked(stores)
    assert result.passed
    assert (result.metadata or {})["sessions"] == dg.MetadataValue.int(30 + 5)


def test_a_label_that_reaches_too_far_fails_and_is_named(stores: Stores) -> None:
    settings = plain_settings(stores.home, labels=CHOSEN)
    label(stores, settings, DAYS[39])
    honest = of_settings(settings, DAYS[0])

    def one_session_further(bars: pl.DataFrame) -> pl.DataFrame:
        made = honest(bars)
        further = bars.select(SYMBOL, SESSION, (pl.col(OPEN).shift(-3) / pl.col(OPEN).shift(-1) - 1).over(SYMBOL, order_by=SESSION))
        return made.drop("forward_return_1").join(further.rename({OPEN: "forward_return_1"}), on=[SYMBOL, SESSION])

    result = checked(stores, one_session_further)
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.ERROR
    assert {row["column"] for row in violations(result)} == {"forward_return_1"}
    assert {row["kind"] for row in violations(result)} == {"cut", "altered"}


def test_before_anything_is_made_it_fails_with_the_remedy(tmp_path: Path) -> None:
    result = checked(empty_stores(tmp_path / "nothing"))
    assert not result.passed
    assert (result.metadata or {})["problem"] == dg.MetadataValue.text("there are no labels yet; materialise them first")
