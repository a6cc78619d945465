"""The asset of the labels: what it makes of a store, and what it makes again."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.columns import KNOWN_FROM, KNOWN_TO, OPEN, SESSION, SYMBOL
from stock_pipeline.labels.assets import stages
from stock_pipeline.labels.catalogue import predicted_horizon
from stock_pipeline.labels.compute import compute_labels
from stock_pipeline.labels.tables import DAILY_LABELS, daily_labels
from stock_pipeline.market_data.tables import DAILY_BARS
from stock_pipeline.orchestration.execution import StageResult
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import INGESTION, empty_stores, put
from stock_pipeline_tests.factories.stored_bars import put_bars
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import make, rows_of

DAYS = sessions(60)


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return empty_stores(tmp_path)


def chosen(stores: Stores, *horizons: int, volatility: int = 3) -> Settings:
    return plain_settings(stores.home, labels={"horizons": horizons, "volatility_horizon": volatility})


def label(stores: Stores, settings: Settings, as_of: date) -> StageResult:
    return make(DAILY_LABELS, stores, settings, as_of)


def sessions_made(outcome: StageResult) -> Sequence[date]:
    days: list[date] = rows_of(outcome, DAILY_LABELS)[SESSION].unique().sort().to_list()
    return days


@pytest.mark.parametrize("nights", [(39,), (20, 39), (20, 21, 22, 39), (3, 30, 39)])
def test_labels_brought_up_night_by_night_are_those_made_at_once(stores: Stores, nights: tuple[int, ...]) -> None:
    bars = put_bars(stores, 40)
    for night in nights:
        label(stores, chosen(stores, 1, 4), DAYS[night])
    held = stores.read(daily_labels((1, 4)))
    assert held.equals(compute_labels(bars, DAYS, DAYS[39], (1, 4), 3))
    assert set(held["label_status_4"]) == {"known", "pending", "no_bar"}


def test_a_night_makes_again_only_what_its_session_reaches(stores: Stores) -> None:
    put_bars(stores, 40, symbols=8)
    label(stores, chosen(stores, 1, 4), DAYS[30])
    assert sessions_made(label(stores, chosen(stores, 1, 4), DAYS[31])) == DAYS[26:32]
    again = label(stores, chosen(stores, 1, 4), DAYS[31])
    assert (again.output, again.state) == (None, "up_to_date")


def test_a_restated_bar_reaches_every_label_that_it_enters(stores: Stores) -> None:
    bars = put_bars(stores, 40, symbols=8)
    label(stores, chosen(stores, 1, 4), DAYS[39])
    told = stores.read(DAILY_BARS, Selection(first=DAYS[20], last=DAYS[20])).head(1)
    ended = told.with_columns(pl.lit(DAYS[39]).alias(KNOWN_TO))
    versions = pl.concat([ended, told.with_columns(pl.col(OPEN) * 1.1, pl.lit(DAYS[39]).alias(KNOWN_FROM))])
    put(stores, DAILY_BARS, versions, DAYS[39], INGESTION)
    assert sessions_made(label(stores, chosen(stores, 1, 4), DAYS[39])) == DAYS[15:40]
    is_it = (pl.col(SYMBOL) == told[SYMBOL][0]) & (pl.col(SESSION) == DAYS[20])
    restated = bars.with_columns(pl.when(is_it).then(pl.col(OPEN) * 1.1).otherwise(OPEN).alias(OPEN))
    assert stores.read(daily_labels((1, 4))).equals(compute_labels(restated, DAYS, DAYS[39], (1, 4), 3))
    assert not restated.equals(bars)


def test_other_horizons_are_made_for_every_session(stores: Stores) -> None:
    bars = put_bars(stores, 40)
    label(stores, chosen(stores, 1, 4), DAYS[39])
    label(stores, chosen(stores, 2, 4, volatility=5), DAYS[39])
    assert stores.read(daily_labels((2, 4))).equals(compute_labels(bars, DAYS, DAYS[39], (2, 4), 5))
    label(stores, chosen(stores, 1), DAYS[39])
    assert stores.read(daily_labels((1,))).equals(compute_labels(bars, DAYS, DAYS[39], (1,), 3))


@pytest.mark.parametrize("setting", ["horizons", "volatility_horizon"])
def test_it_is_told_which_setting_had_every_session_made_again(stores: Stores, setting: str) -> None:
    put_bars(stores, 40)
    label(stores, chosen(stores, 1, 4), DAYS[39])
    again = label(stores, chosen(stores, 1, 5) if setting == "horizons" else chosen(stores, 1, 4, volatility=5), DAYS[39])
    assert again.remade is not None
    assert again.remade.startswith(f"labels.{setting} is ")
    assert sessions_made(again) == DAYS[:40]


def test_the_columns_follow_the_horizons(stores: Stores) -> None:
    (stage,) = stages(chosen(stores, 1, 4))
    assert stage.tables == (daily_labels((1, 4)),)
    assert stages(plain_settings(stores.home))[0].tables == (DAILY_LABELS,) == (daily_labels((1, 5)),)


@pytest.mark.parametrize(("horizons", "labelled"), [((4, 1), (4, 1)), ((4,), (4, 1)), ((4, 2), (4, 2, 1))])
def test_the_return_that_marks_books_is_labelled_whatever_the_settings_name(
    horizons: tuple[int, ...], labelled: tuple[int, ...], stores: Stores
) -> None:
    bars = put_bars(stores, 40)
    settings = chosen(stores, *horizons)
    made = rows_of(label(stores, settings, DAYS[39]), daily_labels(labelled))
    assert made.columns == list(daily_labels(labelled).column_names)
    assert stores.read(daily_labels((1,))).equals(compute_labels(bars, DAYS, DAYS[39], (1,), 3))
    assert predicted_horizon(settings.labels) == 4


def test_the_rows_without_a_label_are_counted_by_reason(stores: Stores) -> None:
    put_bars(stores, 40)
    outcome = label(stores, chosen(stores, 1, 4), DAYS[39])
    product, made = outcome.output, rows_of(outcome, DAILY_LABELS)
    assert product is not None
    last = [made.filter(pl.col(SESSION) > DAYS[39 - reach]).height for reach in (2, 5, 3)]
    names = ("label_status_1_pending", "label_status_4_pending", "label_status_volatility_pending")
    assert [product.facts[name] for name in names] == last
    assert product.facts["label_status_1_no_bar"] == made.filter(pl.col("label_status_1") == "no_bar").height > 0
    assert product.facts["label_status_1_jump"] == 0
    assert product.tables["label_statuses"]["rows"].sum() == 3 * made.height
    assert made[SYMBOL].n_unique() == 3


def test_a_horizon_without_a_return_yet_has_no_picture(stores: Stores) -> None:
    put_bars(stores, 40)
    early, later = (label(stores, chosen(stores, 1, 4), DAYS[night]).output for night in (3, 20))
    assert early is not None
    assert later is not None
    assert set(early.charts()) == {"forward_return_1"}
    assert set(later.charts()) == {"forward_return_1", "forward_return_4"}
