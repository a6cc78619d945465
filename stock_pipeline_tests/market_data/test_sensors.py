from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

import dagster as dg
import polars as pl
import pytest

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import KNOWN_FROM, KNOWN_TO, SESSION, SOURCE, SYMBOL
from stock_pipeline.market_data import sensors
from stock_pipeline.market_data.sensors import WATCHDOG, is_incomplete, missing_session, watchdog
from stock_pipeline.market_data.sources.source import Source
from stock_pipeline.market_data.tables import DAILY_BARS, FIRST, INSTRUMENT, LAST, SYMBOL_HISTORY, UNIVERSE_MEMBERS
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline_tests.factories.market_rows import DAYS
from stock_pipeline_tests.factories.rows import put
from stock_pipeline_tests.factories.scripted_source import ScriptedSource
from stock_pipeline_tests.harness.plain_settings import plain_settings

ASSET = "market_data/daily_bars"
LIVE, ARCHIVE = ScriptedSource({}, "ibkr"), ScriptedSource({}, "files", is_archive=True)
WEDNESDAY, THURSDAY = date(2012, 1, 11), date(2012, 1, 12)
NUMBERS = [name for name, dtype in DAILY_BARS.dtypes.items() if dtype == pl.Float64]
BEFORE_THE_CLOSE, AT_THE_CLOSE = datetime(2012, 1, 12, 20, 59, tzinfo=UTC), datetime(2012, 1, 12, 21, 0, tzinfo=UTC)
SUNDAY = datetime(2012, 1, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sources", "reached", "moment", "missing"),
    [
        pytest.param([LIVE], None, AT_THE_CLOSE, THURSDAY, id="live-none"),
        pytest.param([LIVE], WEDNESDAY, BEFORE_THE_CLOSE, None, id="live-before-the-close"),
        pytest.param([LIVE], WEDNESDAY, AT_THE_CLOSE, THURSDAY, id="live-at-the-close"),
        pytest.param([LIVE], THURSDAY, AT_THE_CLOSE, None, id="live-reached"),
        pytest.param([LIVE], DAYS[0], SUNDAY, date(2012, 1, 13), id="live-weekend"),
        pytest.param([LIVE], date(2012, 1, 17), SUNDAY, None, id="live-beyond"),
        pytest.param([ARCHIVE, LIVE], WEDNESDAY, AT_THE_CLOSE, THURSDAY, id="archive-and-live"),
        pytest.param([ARCHIVE], None, AT_THE_CLOSE, THURSDAY, id="archive-none"),
        pytest.param([ARCHIVE], date(2010, 8, 20), AT_THE_CLOSE, None, id="archive-held"),
    ],
)
def test_the_session_that_is_missing(sources: Sequence[Source], reached: date | None, moment: datetime, missing: date | None) -> None:
    assert missing_session(sources, reached, trading_calendar("XNYS"), moment) == missing


Hold = Callable[..., None]


@pytest.fixture
def hold(stores: Stores) -> Hold:
    """Bars of the symbols on sessions by their place among DAYS; the last session is then the one reached."""

    def held(symbols: str, *places: int, known_to: date | None = None) -> None:
        sound = dict.fromkeys(NUMBERS, 1.0) | {"basis": "raw", "actions_known": True, SOURCE: "yahoo", KNOWN_TO: known_to}
        rows = [sound | {SYMBOL: symbol, SESSION: DAYS[i], KNOWN_FROM: DAYS[i]} for symbol in symbols for i in places]
        put(stores, DAILY_BARS, rows, DAYS[max(places)], ASSET)

    return held


def settings_of(stores: Stores, symbols: str | None = None, minimum: float = 0.8, **sections: object) -> Settings:
    source: dict[str, object] = {"name": "yahoo"} if symbols is None else {"name": "yahoo", "symbols": list(symbols)}
    return plain_settings(stores.home, source=source, quality={"minimum_coverage": minimum}, **sections)


def test_a_night_is_incomplete_below_the_minimum_coverage_and_not_at_it(stores: Stores, hold: Hold) -> None:
    hold("ABCDE", 0, 1)
    hold("ABCD", 2)
    settings = settings_of(stores, "ABCDE")
    assert not is_incomplete(stores, settings, [LIVE])
    assert is_incomplete(stores, settings_of(stores, "ABCDE", 0.81), [LIVE])
    assert is_incomplete(stores, settings_of(stores, "ABCDEF"), [LIVE])
    assert not is_incomplete(stores, settings_of(stores), [LIVE])  # expected are those that traded before
    assert is_incomplete(stores, settings_of(stores, minimum=0.81), [ARCHIVE, LIVE])
    assert not is_incomplete(stores, settings_of(stores, "ABCDEF"), [ARCHIVE])


def test_a_version_that_no_longer_holds_covers_nothing(stores: Stores, hold: Hold) -> None:
    hold("ABCD", 0, 1)
    hold("AB", 2)
    hold("CD", 2, known_to=DAYS[3])
    assert is_incomplete(stores, settings_of(stores, "ABCD"), [LIVE])
    assert not is_incomplete(stores, settings_of(stores, "ABCD", 0.5), [LIVE])


def test_members_are_expected_and_symbols_that_ended_are_not(stores: Stores, hold: Hold) -> None:
    hold("ABC", 0, 1)
    hold("A", 2)
    assert is_incomplete(stores, settings_of(stores), [LIVE])
    put(stores, SYMBOL_HISTORY, [{SYMBOL: "B", FIRST: DAYS[0], LAST: DAYS[1], INSTRUMENT: "B"}], DAYS[2])
    assert is_incomplete(stores, settings_of(stores), [LIVE])
    members = {"A": None, "B": None, "C": DAYS[1]}
    put(stores, UNIVERSE_MEMBERS, [{SYMBOL: symbol, FIRST: DAYS[0], LAST: last} for symbol, last in members.items()], DAYS[2])
    assert not is_incomplete(stores, settings_of(stores), [LIVE])
    put(stores, UNIVERSE_MEMBERS, [{SYMBOL: "D", FIRST: DAYS[2], LAST: DAYS[2]}], DAYS[2])
    assert is_incomplete(stores, settings_of(stores), [LIVE])


def test_without_stores_there_is_no_night_to_be_incomplete_and_without_bars_all_of_it_is(stores: Stores) -> None:
    assert not is_incomplete(open_stores(stores.home.parent / "none"), settings_of(stores, "A"), [LIVE])
    assert is_incomplete(stores, settings_of(stores, "A"), [LIVE])


def look(settings: Settings) -> dg.RunRequest | dg.SkipReason:
    """What the sensor answers."""
    answer = watchdog(settings)()
    assert isinstance(answer, dg.RunRequest | dg.SkipReason)
    return answer


def test_the_watchdog_has_ingestion_run_once_an_hour_for_as_long_as_something_is_missing(
    stores: Stores, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = [datetime(2012, 1, 4, 23, 5), datetime(2012, 1, 4, 23, 55), datetime(2012, 1, 5, 0, 5), datetime(2012, 1, 6, 0, 5)]
    monkeypatch.setattr(sensors, "utc_now", lambda: moments[0])
    hold("AB", 0)
    settings = settings_of(stores, "AB")
    keys = [answer.run_key for answer in (look(settings),) if isinstance(answer, dg.RunRequest)]
    assert keys == [f"{WATCHDOG}-yahoo-{DAYS[1]}-2012010423"]
    hold("A", 1)  # a part of it came
    for moment in moments[1:]:
        monkeypatch.setattr(sensors, "utc_now", lambda moment=moment: moment)
        answer = look(settings)
        assert isinstance(answer, dg.RunRequest)
        keys.append(answer.run_key)
    hours = [(DAYS[1], 2012010423), (DAYS[1], 2012010500), (DAYS[2], 2012010600)]
    assert keys[1:] == [f"{WATCHDOG}-yahoo-{day}-{hour}" for day, hour in hours]
    hold("AB", 1, 2)
    assert look(settings) == dg.SkipReason(f"source yahoo is in the store up to {DAYS[2]}")


def test_the_watchdog_says_what_is_wrong_with_the_sources_and_runs_where_there_are_no_stores(stores: Stores) -> None:
    wrong = plain_settings(stores.home, source={"name": "nowhere"})
    assert "source 'nowhere' is not known" in str(look(wrong))
    answer = look(plain_settings(stores.home.parent / "none", source={"name": "sample"}))
    assert isinstance(answer, dg.RunRequest)


@pytest.mark.parametrize(("enabled", "status"), [(True, dg.DefaultSensorStatus.RUNNING), (False, dg.DefaultSensorStatus.STOPPED)])
def test_the_watchdog_is_on_where_the_schedule_is(stores: Stores, enabled: bool, status: dg.DefaultSensorStatus) -> None:
    assert watchdog(settings_of(stores, schedule={"enabled": enabled})).default_status is status
