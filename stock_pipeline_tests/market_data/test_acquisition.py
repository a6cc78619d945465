from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.acquisition import NOTHING_HELD, chosen_sources, gather, refuse_mixing, reported_members
from stock_pipeline.market_data.ingestion import Ingested
from stock_pipeline.market_data.sensors import missing_session
from stock_pipeline.market_data.sources.sample import SampleSource
from stock_pipeline.market_data.sources.source import Source
from stock_pipeline.market_data.sources.yahoo import YahooSource
from stock_pipeline.market_data.tables import INGESTION_REPORTS
from stock_pipeline.settings import Settings, YahooSettings
from stock_pipeline.storage import Author, Stores, open_stores, upsert
from stock_pipeline_tests.factories.market_rows import DAYS, bar, bars, series
from stock_pipeline_tests.harness.plain_settings import plain_settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "bars.parquet"
    bars(*series("A", [10.0, 11.0, 12.0]), *series("B", [20.0, 21.0, 22.0]), bar("C", DAYS[0], 10.0, open=10.07)).rename(
        {SESSION: "date"}
    ).write_parquet(file)
    return file


def hold(stores: Stores, *sources: str) -> None:
    """Reports of ingestions from those sources."""
    for source in sources:
        row = {name: 1 for name, dtype in INGESTION_REPORTS.dtypes.items() if dtype in (pl.Int32, pl.Int64)}
        report = pl.DataFrame(
            [row | {"as_of": DAYS[0], "source": source, "first_session": DAYS[0], "seconds": 0.1}], schema=INGESTION_REPORTS.dtypes
        )
        stores.write("market", Author.of_asset("a", "1", "run", datetime(2012, 1, 3)), [upsert(INGESTION_REPORTS, report)], DAYS[0])


MOMENT = datetime(2012, 6, 1, tzinfo=UTC)


def names(sources: tuple[Source, ...]) -> list[str]:
    return [source.name for source in sources]


def gathered(settings: Settings, path: Path | None, as_of: date | None = None) -> Ingested:
    found = gather(chosen_sources(settings, "files", str(path)), settings, NOTHING_HELD, as_of, MOMENT)
    assert found is not None
    return found


def test_the_sources_of_the_run_win_over_those_of_the_settings(tmp_path: Path) -> None:
    settings = plain_settings(tmp_path, source={"name": "ibkr", "fallbacks": ["yahoo", "files"], "path": "mine.csv"})
    assert names(chosen_sources(settings, None, None)) == ["ibkr", "yahoo", "files"]
    assert names(chosen_sources(settings, "sample", None)) == ["sample"]
    assert names(chosen_sources(settings, "yahoo, ibkr,yahoo", None)) == ["yahoo", "ibkr"]
    assert names(chosen_sources(plain_settings(tmp_path), None, None)) == ["sample"]
    with pytest.raises(InputError, match="source sample cannot be combined with other sources; give it alone"):
        chosen_sources(settings, "sample,yahoo", None)
    with pytest.raises(InputError, match="source 'nowhere' is not known; choose one of sample, sample-long, files, ibkr, yahoo"):
        chosen_sources(settings, "yahoo,nowhere", None)


def test_files_need_a_path_from_the_run_or_the_settings(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs to know where they are"):
        chosen_sources(plain_settings(tmp_path), "files", None)


def test_gathering_follows_the_settings_and_writes_nothing(tmp_path: Path, path: Path) -> None:
    home = tmp_path / "data"
    found = gathered(plain_settings(home), path, DAYS[1])
    assert (found.as_of, found.bars.height, found.quarantined.height) == (DAYS[1], 4, 1)
    lenient = gathered(plain_settings(home, quality={"price_tolerance": 0.01}), path)
    assert (lenient.as_of, lenient.bars.height, lenient.quarantined.height) == (DAYS[2], 7, 0)
    assert not home.exists()


def test_bars_of_sessions_that_have_not_ended_are_refused(tmp_path: Path, path: Path) -> None:
    settings = plain_settings(tmp_path)
    sources = chosen_sources(settings, "files", str(path))
    before_the_close = datetime(2012, 1, 5, 20, 59, tzinfo=UTC)
    found = gather(sources, settings, NOTHING_HELD, None, before_the_close)
    assert found is not None
    assert found.as_of == DAYS[1]
    assert found.quarantined.filter(pl.col("reason") == "future_session")[SESSION].to_list() == [DAYS[2]] * 2


def test_only_the_symbols_of_the_settings_are_taken_and_each_must_be_there(tmp_path: Path, path: Path) -> None:
    found = gathered(plain_settings(tmp_path, source={"symbols": ["B"]}), path)
    assert found.bars[SYMBOL].unique().to_list() == found.instruments[SYMBOL].to_list() == ["B"]
    assert found.quarantined.is_empty()
    with pytest.raises(InputError, match=r"setting source\.symbols names 'Z', of which source files has no bar; correct it or leave it"):
        gathered(plain_settings(tmp_path, source={"symbols": ["B", "Z"]}), path)


@pytest.mark.parametrize(
    ("held", "source", "stranger"),
    [
        ((), "sample", None),
        (("sample",), "sample", None),
        (("files",), "files", None),
        (("sample",), "sample-long", "sample"),
        (("sample",), "files", "sample"),
        (("files",), "sample", "files"),
        (("files", "sample-long"), "files", "sample-long"),
    ],
)
def test_a_closed_source_shares_a_data_directory_with_no_other(
    stores: Stores, held: tuple[str, ...], source: str, stranger: str | None
) -> None:
    hold(stores, *held)
    settings = plain_settings(stores.home)
    opened = chosen_sources(settings, source, "any")
    if stranger is None:
        refuse_mixing(stores, opened, settings)
        assert set(stores.read(INGESTION_REPORTS)["source"]) == set(held)
        return
    with pytest.raises(InputError) as caught:
        refuse_mixing(stores, opened, settings)
    assert str(caught.value) == (
        f"data directory {stores.home} holds bars of source {stranger}, which cannot be mixed with {source}; "
        "choose another directory with STOCK_PIPELINE_HOME"
    )


def test_an_empty_data_directory_takes_any_source(tmp_path: Path) -> None:
    settings = plain_settings(tmp_path)
    refuse_mixing(open_stores(tmp_path / "new"), chosen_sources(settings, "sample", None), settings)
    assert not (tmp_path / "new").exists()


NIGHT = datetime(2012, 10, 30, 22, 45, tzinfo=ZoneInfo("America/New_York"))  # the exchange is closed for hurricane Sandy


@pytest.mark.parametrize(
    ("reached", "missing"),
    [(None, date(2012, 10, 26)), (date(2012, 10, 25), date(2012, 10, 26)), (date(2012, 10, 26), None), (date(2012, 10, 31), None)],
)
def test_a_live_source_should_have_reached_the_last_completed_session(reached: date | None, missing: date | None) -> None:
    assert missing_session([YahooSource(YahooSettings()), SampleSource()], reached, trading_calendar("XNYS"), NIGHT) == missing


def test_an_archive_is_missing_only_when_nothing_of_it_is_there() -> None:
    calendar = trading_calendar("XNYS")
    assert missing_session([SampleSource()], date(2010, 8, 20), calendar, NIGHT) is None
    assert missing_session([SampleSource()], None, calendar, NIGHT) == date(2012, 10, 26)


def test_a_file_that_lists_no_member_is_named_with_its_setting_and_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "members.csv"
    file.write_text("symbol,first,last\n")
    with pytest.raises(InputError) as caught:
        reported_members(plain_settings(tmp_path, source={"universe_path": str(file)}))
    told = f"setting source.universe_path {str(file)!r} lists no member: there is a header and no row; give a row per member, or leave the "
    assert str(caught.value) == told + "setting out, so that every stock is one"
