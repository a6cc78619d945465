from datetime import date
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import ADJ_CLOSE, CLOSE, HIGH, INDUSTRY, LOW, NAME, OPEN, SECTOR, SESSION, SYMBOL, VOLUME
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.catalogue import CATALOGUE, open_source
from stock_pipeline.market_data.sources.packaged import packaged_file
from stock_pipeline.market_data.sources.sample import PACKAGE, SampleSource
from stock_pipeline.market_data.sources.sample_long import SampleLongSource
from stock_pipeline.market_data.sources.source import BARS, INSTRUMENTS, MarketData, Request, Source
from stock_pipeline.market_data.tables import BASIS, CAPTURED, CONTRACT, CURRENCY, EXCHANGE
from stock_pipeline.settings import SourceSettings


@pytest.fixture(scope="module")
def sample() -> MarketData:
    (answer,) = SampleSource().fetch(None)
    return answer.data


@pytest.fixture(scope="module")
def sample_long() -> MarketData:
    (answer,) = SampleLongSource().fetch(None)
    return answer.data


def test_the_sample_has_524_symbols_over_245_sessions(sample: MarketData) -> None:
    bars = sample.bars
    assert bars.schema == pl.Schema(BARS)
    assert (bars.height, bars[SYMBOL].n_unique(), bars[SESSION].n_unique()) == (122_574, 524, 245)
    assert (bars[SESSION].min(), bars[SESSION].max()) == (date(2009, 8, 21), date(2010, 8, 20))
    calendar = trading_calendar("XNYS")
    assert all(calendar.is_session(day) for day in bars[SESSION].unique())
    assert bars[ADJ_CLOSE].null_count() == bars[CAPTURED].null_count() == bars.height
    assert sample.actions.is_empty()


def test_the_sample_is_read_in_place_with_volumes_in_shares(sample: MarketData) -> None:
    path = packaged_file(PACKAGE, "data", "SP500_ind.csv")
    assert PACKAGE in path.parts
    symbol_column, date_column = "Symbol", "Date"
    raw = pl.read_csv(path).select(
        pl.col(symbol_column).alias(SYMBOL),
        pl.col(date_column).cast(pl.String).str.to_date("%Y%m%d").alias(SESSION),
        *(pl.col(name.capitalize()).alias(f"raw_{name}") for name in (OPEN, HIGH, LOW, CLOSE, VOLUME)),
    )
    both = sample.bars.unique([SYMBOL, SESSION]).join(raw.unique([SYMBOL, SESSION]), on=[SYMBOL, SESSION])
    assert both.height == sample.bars.select(SYMBOL, SESSION).n_unique()
    assert both.filter(pl.col(VOLUME) != pl.col("raw_volume") * 100).is_empty()
    assert both.filter(pl.any_horizontal(pl.col(name) != pl.col(f"raw_{name}") for name in (OPEN, HIGH, LOW, CLOSE))).is_empty()


def test_apple_s_session_after_the_flash_crash_is_in_the_sample_as_it_was_traded(sample: MarketData) -> None:
    apple = sample.bars.filter((pl.col(SYMBOL) == "AAPL") & (pl.col(SESSION) == date(2010, 5, 7))).row(0, named=True)
    assert 224 < apple[LOW] < apple[HIGH] < 260
    assert apple[CLOSE] == pytest.approx(235.86, abs=0.05)
    assert 30e6 < apple[VOLUME] < 80e6


def test_the_sample_s_instruments_have_names_and_sectors(sample: MarketData) -> None:
    instruments = sample.instruments
    assert instruments.schema == pl.Schema(INSTRUMENTS)
    assert instruments[SYMBOL].is_unique().all()
    apple = instruments.filter(pl.col(SYMBOL) == "AAPL").row(0, named=True)
    assert apple[NAME].startswith("Apple")
    assert apple[SECTOR]
    assert apple[INDUSTRY]


def test_the_long_sample_has_five_symbols_from_2000_to_2013(sample_long: MarketData) -> None:
    bars = sample_long.bars
    assert bars.schema == pl.Schema(BARS)
    assert bars[SYMBOL].unique().sort().to_list() == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    assert (bars[SESSION].min(), bars[SESSION].max()) == (date(2000, 3, 1), date(2013, 3, 1))
    assert bars.select(SYMBOL, SESSION).is_unique().all()
    assert bars[ADJ_CLOSE].null_count() == 0
    before_its_split = bars.filter((pl.col(SYMBOL) == "AAPL") & (pl.col(SESSION) == date(2000, 6, 20))).row(0, named=True)
    assert before_its_split[CLOSE] == 101.25  # as traded
    assert sample_long.instruments.filter(pl.col(SYMBOL) == "IBM")[NAME].to_list() == ["International Business Machines"]
    assert sample_long.instruments.schema == pl.Schema(INSTRUMENTS)
    assert sample_long.instruments[NAME].null_count() == 0


@pytest.mark.parametrize("source", ["sample", "sample-long"])
def test_a_sample_is_an_archive_that_shares_its_directory_with_no_other(source: str) -> None:
    opened = open_source(source, SourceSettings())
    assert (opened.name, opened.is_archive, opened.is_closed) == (source, True, True)


def test_a_sample_gives_the_same_every_time(sample_long: MarketData) -> None:
    (answer,) = SampleLongSource().fetch(None)
    assert answer.data.bars.equals(sample_long.bars)


@pytest.mark.parametrize("name", ["sample", "sample_long"])
def test_a_sample_s_prices_are_raw_and_in_dollars(request: pytest.FixtureRequest, name: str) -> None:
    data: MarketData = request.getfixturevalue(name)
    assert data.bars.select(BASIS, CURRENCY).unique().rows() == [("raw", "USD")]
    assert data.instruments.select(EXCHANGE, CURRENCY, CONTRACT).unique().rows() == [(None, "USD", None)]


@pytest.mark.parametrize("source", [SampleSource(), SampleLongSource()])
def test_a_sample_offers_bars_and_instruments_and_answers_what_is_asked(source: Source) -> None:
    first, last = date(2010, 5, 3), date(2010, 5, 7)
    (answer,) = source.fetch([Request("IBM", first, last, about=True), Request("GOOG", first, last), Request("NOBODY", first, last)])
    assert source.offers == {"bars", "instruments"}
    sessions = answer.data.bars.group_by(SYMBOL, maintain_order=True).agg(pl.len(), first=pl.col(SESSION).min(), last=pl.col(SESSION).max())
    assert sorted(sessions.rows()) == [("GOOG", 5, first, last), ("IBM", 5, first, last)]
    assert answer.data.instruments[SYMBOL].to_list() == ["IBM"]
    assert list(answer.failures) == ["NOBODY"]


def test_an_unknown_source_is_the_user_s_mistake() -> None:
    with pytest.raises(InputError, match="source 'yahooo' is not known; choose one of sample, sample-long, files"):
        open_source("yahooo", SourceSettings())


def test_every_source_is_found_by_its_name_and_described(tmp_path: Path) -> None:
    assert [open_source(entry.name, SourceSettings(path=str(tmp_path))).name for entry in CATALOGUE] == [entry.name for entry in CATALOGUE]
    assert all(entry.description for entry in CATALOGUE)


def test_a_package_that_is_not_there_or_lacks_the_file_is_named_with_the_remedy() -> None:
    with pytest.raises(InputError, match="package no_such_package holds the embedded sample and is not installed; install it with"):
        packaged_file("no_such_package", "data.csv")
    with pytest.raises(InputError, match=r"package polars has no file data/none\.csv; install the version named in constraints\.txt"):
        packaged_file("polars", "data", "none.csv")
    with pytest.raises(InputError, match="package bisect holds the embedded sample and is not installed"):
        packaged_file("bisect", "data.csv")  # a module, which has no folder
