from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.catalogue import open_source
from stock_pipeline.market_data.gathering import chosen_source, gather, refuse_mixing
from stock_pipeline.market_data.sensors import missing_session
from stock_pipeline.market_data.tables import INGESTION_REPORTS
from stock_pipeline.storage import Author, Stores, Write, open_stores
from stock_pipeline_tests.market_data.made_up import DAYS, bar, bars, series
from stock_pipeline_tests.plain_settings import plain_settings


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
        report = pl.DataFrame([row | {"as_of": DAYS[0], "source": source, "first_session": DAYS[0]}], schema=INGESTION_REPORTS.dtypes)
        stores.write("market", Author("a", "1", "run", datetime(2012, 1, 3)), [Write(INGESTION_REPORTS, report)], DAYS[0])


def test_the_source_of_the_run_wins_over_that_of_the_settings(tmp_path: Path) -> None:
    settings = plain_settings(tmp_path, source={"name": "files", "path": "mine.csv"})
    assert chosen_source(settings, "sample", None).name == "sample"
    assert vars(chosen_source(settings, None, None)) == {"path": "mine.csv"}
    assert vars(chosen_source(settings, None, "other.csv")) == {"path": "other.csv"}
    assert chosen_source(plain_settings(tmp_path), None, None).name == "sample"


def test_the_path_of_the_settings_is_not_taken_for_a_source_that_the_run_names(tmp_path: Path) -> None:
    settings = plain_settings(tmp_path, source={"name": "files", "path": "mine.csv"})
    with pytest.raises(InputError, match="needs to know where they are"):
        chosen_source(settings, "files", None)


def test_gathering_follows_the_settings_and_writes_nothing(tmp_path: Path, path: Path) -> None:
    home = tmp_path / "data"
    source = open_source("files", str(path))
    found = gather(source, plain_settings(home), DAYS[1])
    assert (found.as_of, found.bars.height, found.quarantined.height) == (DAYS[1], 4, 1)
    lenient = gather(source, plain_settings(home, quality={"price_tolerance": 0.01}), None)
    assert (lenient.as_of, lenient.bars.height, lenient.quarantined.height) == (DAYS[2], 7, 0)
    assert not home.exists()
    with pytest.raises(InputError, match="exchange 'XNOWHERE'"):
        gather(source, plain_settings(home, exchange="XNOWHERE"), None)


def test_only_the_symbols_of_the_settings_are_taken_and_each_must_be_there(tmp_path: Path, path: Path) -> None:
    source = open_source("files", str(path))
    found = gather(source, plain_settings(tmp_path, source={"symbols": ["B"]}), None)
    assert found.bars[SYMBOL].unique().to_list() == found.instruments[SYMBOL].to_list() == ["B"]
    assert found.quarantined.is_empty()
    with pytest.raises(InputError, match=r"setting source\.symbols names 'Z', of which source files has no bar; correct it or leave it"):
        gather(source, plain_settings(tmp_path, source={"symbols": ["B", "Z"]}), None)


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
    opened = open_source(source, "any")
    if stranger is None:
        refuse_mixing(stores, opened)
        assert set(stores.read(INGESTION_REPORTS)["source"]) == set(held)
        return
    with pytest.raises(InputError) as caught:
        refuse_mixing(stores, opened)
    assert str(caught.value) == (
        f"data directory {stores.home} holds bars of source {stranger}, which cannot be mixed with {source}; "
        "choose another directory with STOCK_PIPELINE_HOME"
    )


def test_an_empty_data_directory_takes_any_source(tmp_path: Path) -> None:
    refuse_mixing(open_stores(tmp_path / "new"), open_source("sample"))
    assert not (tmp_path / "new").exists()


class Live:
    """A source that goes on to the last completed session."""

    name, is_archive, is_closed = "live", False, False


NIGHT = datetime(2012, 10, 30, 22, 45, tzinfo=ZoneInfo("America/New_York"))  # the exchange is closed for hurricane Sandy


@pytest.mark.parametrize(
    ("reached", "missing"),
    [(None, date(2012, 10, 26)), (date(2012, 10, 25), date(2012, 10, 26)), (date(2012, 10, 26), None), (date(2012, 10, 31), None)],
)
def test_a_live_source_should_have_reached_the_last_completed_session(reached: date | None, missing: date | None) -> None:
    assert missing_session(Live(), reached, trading_calendar("XNYS"), NIGHT) == missing  # type: ignore[arg-type]


def test_an_archive_is_missing_only_when_nothing_of_it_is_there() -> None:
    calendar = trading_calendar("XNYS")
    assert missing_session(open_source("sample"), date(2010, 8, 20), calendar, NIGHT) is None
    assert missing_session(open_source("sample"), None, calendar, NIGHT) == date(2012, 10, 26)
