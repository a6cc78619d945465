"""Many sessions at once: each as it is alone."""

from dataclasses import dataclass
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from stock_pipeline.core.columns import CLOSE, KNOWN_FROM, KNOWN_TO, SESSION, SYMBOL, VALUE
from stock_pipeline.core.reports import EQUITY, NET_INCOME, QUARTER, REVENUE, SHARES, YEAR
from stock_pipeline.features.fundamental_ratios import RATIOS, ratios_of_sessions
from stock_pipeline.market_data.sources.source import DataTypes
from stock_pipeline.market_data.tables import CURRENCY, DIVIDEND, INSTRUMENT, ITEM, KIND, PERIOD, PERIOD_END, SPLIT
from stock_pipeline_tests.factories.company_reports import COMPANY, ENDS, NIGHT, known, splits
from stock_pipeline_tests.harness.laws import law
from stock_pipeline_tests.harness.ratios_of_a_night import fundamental_ratios, restate_shares


@dataclass(frozen=True)
class World:
    """What two companies reported and traded at, and how they split; every version, as ``ratios_of_sessions`` takes it."""

    reports: pl.DataFrame
    actions: pl.DataFrame
    closes: pl.DataFrame


SESSIONS = [date(2015, 1, 5), *(date(year, month, 17) for year in (2015, 2016, 2017) for month in range(2, 13, 2)), date(2018, 6, 29)]
QUARTER_ENDS = [date(year, month, day) for year in (2013, 2014, 2015, 2016) for month, day in ((3, 31), (6, 30), (9, 30), (12, 31))]
NIGHTS = st.dates(date(2014, 6, 1), date(2018, 6, 1))
VALUES = st.sampled_from([-5.0, 10.0, 40.0, 70.0])
CURRENCIES = st.sampled_from(["USD", "USD", "EUR", None])


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Mostly whole series of quarters or years of an item, the versions of each figure known from nights of their own."""
    reports = []
    series_told = st.tuples(st.sampled_from("AB"), st.sampled_from([QUARTER, YEAR]), st.sampled_from([REVENUE, NET_INCOME, EQUITY, SHARES]))
    for company, period, item in draw(st.lists(series_told, unique=True, min_size=2, max_size=6)):
        lag, currency = draw(st.integers(-40, 200)), draw(CURRENCIES)
        for end in QUARTER_ENDS if period == QUARTER else QUARTER_ENDS[3::4]:
            told = [date.fromordinal(end.toordinal() + lag)] if draw(st.integers(0, 7)) else draw(st.lists(NIGHTS, unique=True, max_size=3))
            for known_from, known_to in follow(told):
                reports.append((company, end, period, item, draw(VALUES), currency, known_from, known_to))
    actions = []
    ex_sessions = st.tuples(st.sampled_from("AB"), st.sampled_from(SESSIONS) | NIGHTS)
    for company, ex_session in draw(st.lists(ex_sessions, unique=True, max_size=3)):
        kind, ratio = draw(st.sampled_from([SPLIT, SPLIT, DIVIDEND])), draw(st.sampled_from([2.0, 0.5, 3.0]))
        nights = draw(st.just([ex_session]) | st.lists(NIGHTS, unique=True, max_size=2))
        actions += [(company, ex_session, kind, ratio + place, *held) for place, held in enumerate(follow(nights))]
    traded = draw(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from(SESSIONS)), unique=True, min_size=8))
    closes = [(company.lower(), company, session, draw(st.sampled_from([None, 1.0, 12.5]))) for company, session in traded]
    held: DataTypes = {KNOWN_FROM: pl.Date, KNOWN_TO: pl.Date}
    figure: DataTypes = {
        INSTRUMENT: pl.String,
        PERIOD_END: pl.Date,
        PERIOD: pl.String,
        ITEM: pl.String,
        VALUE: pl.Float64,
        CURRENCY: pl.String,
    }
    action: DataTypes = {INSTRUMENT: pl.String, SESSION: pl.Date, KIND: pl.String, VALUE: pl.Float64}
    return World(
        pl.DataFrame(reports, schema=figure | held, orient="row"),
        pl.DataFrame(actions, schema=action | held, orient="row"),
        pl.DataFrame(closes, schema={SYMBOL: pl.String, INSTRUMENT: pl.String, SESSION: pl.Date, CLOSE: pl.Float64}, orient="row"),
    )


def follow(nights: list[date]) -> list[tuple[date, date | None]]:
    """Versions that are known from those nights, the last one for good."""
    ordered = sorted(nights)
    return list(zip(ordered, [*ordered[1:], None][: len(ordered)], strict=True))


def known_on(frame: pl.DataFrame, night: date) -> pl.DataFrame:
    held = (pl.col(KNOWN_FROM) <= night) & (pl.col(KNOWN_TO).is_null() | (pl.col(KNOWN_TO) > night))
    return frame.filter(held).with_columns(pl.col(INSTRUMENT).str.to_lowercase().alias(SYMBOL))


def each_alone(world: World) -> pl.DataFrame:
    """What ``ratios_of_sessions`` is to make, one session after the other."""
    alone = []
    for night in world.closes[SESSION].unique().sort():
        closes = world.closes.filter(pl.col(SESSION) == night)
        counted = restate_shares(known_on(world.reports, night), known_on(world.actions, night), night)
        found = fundamental_ratios(counted, closes, night, "USD").join(closes, on=SYMBOL, how="semi")
        alone.append(found.select(SYMBOL, pl.lit(night).alias(SESSION), *RATIOS))
    return pl.concat(alone).sort(SESSION, SYMBOL)


def at_once(world: World) -> pl.DataFrame:
    return ratios_of_sessions(world.reports, world.actions, world.closes, "USD")


@law(30)
@given(world=worlds())
def test_of_many_sessions_at_once_each_is_as_it_is_alone(world: World) -> None:
    assert_frame_equal(at_once(world), each_alone(world), check_exact=True)


CHANGE = date(2017, 4, 1)
LONG_BEFORE, BEFORE, AFTER = date(2017, 2, 1), date(2017, 3, 31), date(2017, 4, 2)
Dates = tuple[date, date, date | None]


@pytest.mark.parametrize(
    ("report", "split", "changed"),
    [
        pytest.param((LONG_BEFORE, CHANGE, None), None, (None, 1000.0), id="a report becomes known"),
        pytest.param((LONG_BEFORE, LONG_BEFORE, CHANGE), None, (1000.0, None), id="a report is taken back"),
        pytest.param((CHANGE, LONG_BEFORE, None), None, (None, 1000.0), id="a period ends that was reported before"),
        pytest.param((date(2015, 12, 31), LONG_BEFORE, None), None, (1000.0, None), id="a report is older than 15 months"),
        pytest.param((LONG_BEFORE, LONG_BEFORE, None), (CHANGE, LONG_BEFORE, None), (1000.0, 2000.0), id="a split announced takes effect"),
        pytest.param((LONG_BEFORE, LONG_BEFORE, None), (BEFORE, CHANGE, None), (1000.0, 2000.0), id="a split is told late"),
        pytest.param((LONG_BEFORE, LONG_BEFORE, None), (BEFORE, BEFORE, CHANGE), (2000.0, 1000.0), id="a split is taken back"),
    ],
)
def test_what_changes_the_ratios_changes_them_on_its_own_session(
    report: Dates, split: Dates | None, changed: tuple[float | None, float | None]
) -> None:
    held: DataTypes = {KNOWN_FROM: pl.Date, KNOWN_TO: pl.Date}
    end, *told = report
    actions = [] if split is None else [("A", split[0], SPLIT, 2.0, *split[1:])]
    closes = [("a", "A", day, 10.0) for day in (date(2017, 3, 30), BEFORE, CHANGE, AFTER)]
    world = World(
        known([("A", end, QUARTER, SHARES, 100.0)])
        .rename({SYMBOL: INSTRUMENT})
        .with_columns(pl.lit(day, pl.Date).alias(name) for name, day in zip(held, told, strict=True)),
        pl.DataFrame(actions, schema={INSTRUMENT: pl.String, SESSION: pl.Date, KIND: pl.String, VALUE: pl.Float64, **held}, orient="row"),
        pl.DataFrame(closes, schema=[SYMBOL, INSTRUMENT, SESSION, CLOSE], orient="row"),
    )
    found = at_once(world)
    assert_frame_equal(found, each_alone(world), check_exact=True)
    assert found.filter(pl.col(SESSION).is_in([BEFORE, CHANGE, AFTER]))["market_value"].to_list() == [changed[0], changed[1], changed[1]]


def test_of_no_close_there_is_nothing() -> None:
    dated = [pl.lit(ENDS[-1]).alias(KNOWN_FROM), pl.lit(None, pl.Date).alias(KNOWN_TO)]
    reports = known(COMPANY).rename({SYMBOL: INSTRUMENT}).with_columns(dated)
    actions = splits((NIGHT, SPLIT, 2.0)).rename({SYMBOL: INSTRUMENT}).with_columns(dated)
    closes = pl.DataFrame({SYMBOL: ["A"], INSTRUMENT: ["A"], SESSION: [NIGHT], CLOSE: [10.0]})
    assert ratios_of_sessions(reports, actions, closes, "USD").height == 1
    none = ratios_of_sessions(reports, actions, closes.clear(), "USD")
    assert none.schema == pl.Schema({SYMBOL: pl.String, SESSION: pl.Date} | dict.fromkeys(RATIOS, pl.Float64))
    assert none.is_empty()
