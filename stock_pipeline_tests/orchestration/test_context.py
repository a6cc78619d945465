from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.errors import InputError, StockPipelineError
from stock_pipeline.market_data.tables import DAILY_BARS
from stock_pipeline.orchestration.context import StageContext
from stock_pipeline.orchestration.options import RunOptions
from stock_pipeline.storage import open_stores
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.harness.plain_settings import plain_settings

DAYS = sessions(10)
SETTINGS = plain_settings(Path("nowhere"))
UPSTREAM = (DAILY_BARS,)
some_day = st.none() | st.sampled_from(DAYS)


def night(
    watermark: date | None = None,
    market: date | None = DAYS[-1],
    requested: date | None = None,
    changed: date | None = None,
    full_refresh: bool = False,
) -> StageContext:
    stores, options = open_stores(Path("a_home")), RunOptions(as_of=requested)
    return StageContext("a/b", "ml", UPSTREAM, stores, SETTINGS, options, watermark, market, changed, full_refresh, datetime(2024, 1, 2))


def test_a_night_works_as_of_what_was_ingested_unless_told_otherwise() -> None:
    assert night().as_of == DAYS[-1]
    assert night(requested=DAYS[4]).as_of == DAYS[4]


@pytest.mark.parametrize("full_refresh", [True, False])
def test_what_has_changed_is_made_again_as_far_as_it_had_come(full_refresh: bool) -> None:
    assert night(DAYS[6], requested=DAYS[4], full_refresh=full_refresh).as_of == DAYS[6]
    assert night(DAYS[6], requested=DAYS[8], full_refresh=full_refresh).as_of == DAYS[8]
    assert night(None, requested=DAYS[4], full_refresh=full_refresh).as_of == DAYS[4]


def test_a_run_that_says_itself_what_to_make_goes_back() -> None:
    remade = night(DAYS[6], requested=DAYS[4], full_refresh=True)
    for asked in (RunOptions(as_of=DAYS[4], folds=2), RunOptions(as_of=DAYS[4], full_refresh=True)):
        assert replace(remade, options=asked).as_of == DAYS[4]


def test_a_night_beyond_what_was_ingested_is_refused() -> None:
    with pytest.raises(InputError, match=f"as-of {DAYS[7]} lies beyond the last session ingested, {DAYS[6]}"):
        _ = night(market=DAYS[6], requested=DAYS[7]).as_of


def test_without_bars_there_is_no_night() -> None:
    with pytest.raises(StockPipelineError, match="no bars yet"):
        _ = night(market=None).as_of


def test_artefacts_lie_under_the_data_directory() -> None:
    assert night().models_root == Path("a_home/models")


@pytest.mark.parametrize(
    ("watermark", "changed", "full_refresh", "first"),
    [
        (None, None, False, 0),
        (None, 5, False, 0),
        (9, None, False, None),
        (6, None, False, 7),
        (6, 3, False, 3),
        (6, 8, False, 7),
        (9, 9, False, 9),
        (9, 2, False, 2),
        (9, None, True, 0),
        (6, 8, True, 0),
    ],
)
def test_the_first_session_to_make(watermark: int | None, changed: int | None, full_refresh: bool, first: int | None) -> None:
    held, since = (None if place is None else DAYS[place] for place in (watermark, changed))
    found = night(held, changed=since, full_refresh=full_refresh).first_to_make(DAYS)
    assert found == (None if first is None else DAYS[first])


def test_a_change_on_a_day_that_has_no_bars_any_more_reaches_the_sessions_after_it() -> None:
    without = [day for day in DAYS if day != DAYS[3]]
    assert night(DAYS[9], changed=DAYS[3]).first_to_make(without) == DAYS[4]


def test_where_there_is_no_session_there_is_nothing_to_make() -> None:
    assert night().first_to_make([]) is None
    assert night(DAYS[3]).first_to_make([]) is None


@given(some_day, some_day, st.booleans(), st.lists(st.sampled_from(DAYS), unique=True).map(sorted))
def test_everything_new_or_changed_is_made_and_nothing_before_it(
    watermark: date | None, changed: date | None, full_refresh: bool, there: list[date]
) -> None:
    first = night(watermark, changed=changed, full_refresh=full_refresh).first_to_make(there)
    all_of_it = full_refresh or watermark is None
    due = [day for day in there if all_of_it or (watermark is not None and day > watermark) or (changed is not None and day >= changed)]
    assert first == min(due, default=None)
    assert due == [day for day in there if first is not None and day >= first]


@pytest.mark.parametrize(
    ("watermark", "requested", "full_refresh", "up_to_date"),
    [
        (None, None, False, False),
        (9, None, False, True),
        (8, None, False, False),
        (8, 8, False, True),
        (9, 4, False, True),
        (9, None, True, False),
    ],
)
def test_an_asset_is_up_to_date_once_it_has_reached_the_night(
    watermark: int | None, requested: int | None, full_refresh: bool, up_to_date: bool
) -> None:
    held, asked = (None if place is None else DAYS[place] for place in (watermark, requested))
    one = night(held, requested=asked, full_refresh=full_refresh)
    assert one.is_up_to_date is up_to_date
    assert one.has_news() is not up_to_date


def test_a_run_that_chooses_how_to_train_or_only_tries_finds_nothing_up_to_date() -> None:
    reached = night(DAYS[9])
    assert reached.is_up_to_date
    assert not replace(reached, options=RunOptions(folds=2)).is_up_to_date
    assert not replace(reached, options=RunOptions(dry_run=True)).is_up_to_date


def test_a_change_upstream_is_news_to_an_asset_that_is_up_to_date() -> None:
    assert night(DAYS[9], changed=DAYS[2]).has_news()
