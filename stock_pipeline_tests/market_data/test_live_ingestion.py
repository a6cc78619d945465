"""Whole nights with the real clients of both live sources, which talk to stand-ins on loopback."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.columns import AS_OF, CLOSE, KNOWN_FROM, KNOWN_TO, NAME, SESSION, SOURCE, SYMBOL, VALUE
from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.market_data import catalogue
from stock_pipeline.market_data.assets import TABLES
from stock_pipeline.market_data.catalogue import SourceEntry
from stock_pipeline.market_data.reading import adjusted_bars
from stock_pipeline.market_data.sources.ibkr import IbkrSource
from stock_pipeline.market_data.sources.yahoo import YahooSource
from stock_pipeline.market_data.tables import (
    ACTIONS_KNOWN,
    BASIS,
    CORPORATE_ACTIONS,
    DAILY_BARS,
    DELISTED_ON,
    INGESTION_FAILURES,
    INGESTION_REPORTS,
    INSTRUMENT,
    INSTRUMENTS,
    REASON,
    SYMBOL_HISTORY,
)
from stock_pipeline.settings import QualitySettings, Settings
from stock_pipeline.storage import Stores
from stock_pipeline_tests.harness.ingest_helpers import INGEST
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import KilledError, dying, execute, unchecked
from stock_pipeline_tests.standins import ibkr as broker
from stock_pipeline_tests.standins import yahoo as web

DAYS = [date(2026, 1, day) for day in (2, 5, 6, 7, 8, 9)]
SYMBOLS = ("A", "B", "C", "D")
FIRST_NIGHT = 2  # a Tuesday, so that the two nights after it are in the same week
DIVIDEND = 0.25


def closes(start: float) -> list[float]:
    return [start + n for n in range(len(DAYS))]


def at_yahoo(symbol: str, prices: list[float], **others: Any) -> web.Listing:
    """Bars as they were traded."""
    bars = tuple(web.TradedBar(day, close, close + 1, close - 1, close, 1000.0) for day, close in zip(DAYS, prices, strict=True))
    return web.Listing(bars, profile={"name": f"{symbol} Inc"}, **others)


def at_ibkr(contract: int, prices: list[float], split_at: int = 0) -> broker.Listing:
    """Bars of regular hours; those before ``split_at`` adjusted for a split of 2 for 1."""
    ratios = [2.0 if n < split_at else 1.0 for n in range(len(DAYS))]
    rows = zip(DAYS, prices, ratios, strict=True)
    return broker.Listing(
        [(day, close / r, (close + 1) / r, (close - 1) / r, close / r, 1000.0 * r) for day, close, r in rows], contracts=(contract,)
    )


@dataclass
class World:
    """Both services, and a store that one night after the other is ingested into."""

    stores: Stores
    gateway: broker.IbkrStandIn
    yahoo: web.YahooStandIn
    source: dict[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        known = {"name": "ibkr", "fallbacks": ["yahoo"], "symbols": SYMBOLS, "history_from": DAYS[0], "refetch_sessions": 1}
        ibkr = {"port": self.gateway.port, "requests_at_once": 1, "connect_seconds": 5}
        return plain_settings(self.stores.home, source=known | {"ibkr": ibkr} | self.source)

    def ingest(self, night: int, as_of: date | None = None, dies: bool = False) -> bool:
        """Ingest on the evening of a session, by its place among DAYS; whether anything has changed. Earlier questions are forgotten."""
        self.gateway.received.clear()
        self.yahoo.paths.clear()
        stores = dying(self.stores, "before it writes") if dies else self.stores
        return execute(unchecked(INGEST), stores, self.settings, as_of, datetime.combine(DAYS[night], time(23))).state == "succeeded"

    def hashes(self) -> dict[str, str]:
        return {table.name: self.stores.content_hash(table) for table in TABLES}

    def bars(self, symbol: str) -> list[tuple[Any, ...]]:
        """Session, close, source and the nights from and to which it was known."""
        history = self.stores.read(DAILY_BARS).filter(pl.col(SYMBOL) == symbol)
        return history.select(SESSION, CLOSE, SOURCE, KNOWN_FROM, KNOWN_TO).rows()

    def reports(self, night: int) -> list[tuple[Any, ...]]:
        """Source, symbols asked, succeeded, failed, and bars accepted."""
        columns = (SOURCE, "symbols_asked", "symbols_succeeded", "symbols_failed", "bars_accepted")
        return self.stores.read(INGESTION_REPORTS).filter(pl.col(AS_OF) == DAYS[night]).select(columns).rows()

    def failures(self, night: int) -> list[tuple[Any, ...]]:
        """Symbol, source and reason."""
        found = self.stores.read(INGESTION_FAILURES).filter(pl.col(AS_OF) == DAYS[night])
        return found.select(SYMBOL, SOURCE, REASON).sort(SYMBOL, SOURCE).rows()

    def change_a(self, prices: list[float], split_at: int = 0) -> None:
        """Have IBKR tell other bars of A."""
        self.gateway.listings = dict(self.gateway.listings) | {"A": at_ibkr(11, prices, split_at)}


@pytest.fixture
def world(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """IBKR has A and B. Yahoo has all four, but A and B at half the price, so that nobody takes one source for the other."""
    listings = {"A": at_ibkr(11, closes(100.0)), "B": at_ibkr(12, closes(200.0))}
    at_web = {symbol: at_yahoo(symbol, closes(start)) for symbol, start in (("A", 50.0), ("B", 100.0), ("C", 300.0), ("D", 400.0))}
    at_web["A"] = replace(at_web["A"], dividends={DAYS[1]: DIVIDEND})
    with broker.IbkrStandIn(listings) as gateway, web.YahooStandIn(at_web) as yahoo:
        entries = (  # the real sources, pointed at the stand-ins
            SourceEntry("ibkr", "", lambda settings: IbkrSource(settings.ibkr, wait=_no_wait)),
            SourceEntry("yahoo", "", lambda settings: YahooSource(settings.yahoo, yahoo.session(), wait=_no_wait)),
        )
        monkeypatch.setattr(catalogue, "CATALOGUE", entries)
        yield World(stores, gateway, yahoo)


def _no_wait(seconds: float) -> Any:
    raise AssertionError(f"waited {seconds} s")


def close_the_gateway(world: World) -> None:
    with broker.IbkrStandIn({}) as gone:
        pass
    world.gateway = gone


def test_each_half_comes_from_its_source_and_the_report_says_so(world: World) -> None:
    assert world.ingest(FIRST_NIGHT)
    bars = world.stores.read(DAILY_BARS)
    assert bars.select(SYMBOL, SESSION, CLOSE, SOURCE).rows() == [
        (symbol, DAYS[n], start + n, source)
        for symbol, start, source in (("A", 100.0, "ibkr"), ("B", 200.0, "ibkr"), ("C", 300.0, "yahoo"), ("D", 400.0, "yahoo"))
        for n in range(FIRST_NIGHT + 1)
    ]
    assert bars[ACTIONS_KNOWN].all()
    assert set(bars[BASIS]) == {"raw"}
    assert bars.select((pl.col(KNOWN_FROM) == pl.col(SESSION)).all(), pl.col(KNOWN_TO).is_null().all()).row(0) == (True, True)
    assert world.reports(FIRST_NIGHT) == [("ibkr", 4, 2, 2, 6), ("yahoo", 4, 2, 0, 6)]
    assert world.failures(FIRST_NIGHT) == [("C", "ibkr", "unknown symbol"), ("D", "ibkr", "unknown symbol")]
    assert world.stores.read(CORPORATE_ACTIONS).select(SYMBOL, SESSION, VALUE, SOURCE).rows() == [("A", DAYS[1], DIVIDEND, "yahoo")]
    instruments = world.stores.read(INSTRUMENTS).select(INSTRUMENT, NAME, "contract", SOURCE).rows()
    assert instruments == [
        *((symbol, "Some Company Inc", contract, "ibkr") for symbol, contract in (("A", "11"), ("B", "12"))),
        *((symbol, f"{symbol} Inc", None, "yahoo") for symbol in "CD"),
    ]


def test_the_next_night_asks_for_the_increment_alone(world: World) -> None:
    world.ingest(FIRST_NIGHT)
    assert [fields[17] for fields in world.gateway.asked(broker.BARS)] == ["5 D", "5 D"]
    assert len(world.yahoo.asked(web.SUMMARY)) == 4
    assert world.ingest(FIRST_NIGHT + 1)
    assert [fields[17] for fields in world.gateway.asked(broker.BARS)] == ["3 D", "3 D"]  # from the session before the last one held
    assert (sorted(world.yahoo.asked(web.CHART)), world.yahoo.asked(web.SUMMARY)) == (list(SYMBOLS), [])
    assert world.reports(FIRST_NIGHT + 1) == [("ibkr", 4, 2, 2, 6), ("yahoo", 4, 2, 0, 6)]
    bars = world.stores.read(DAILY_BARS)
    assert bars.height == 4 * (FIRST_NIGHT + 2)
    assert bars.filter(pl.col(SESSION) == DAYS[3])[SOURCE].to_list() == ["ibkr", "ibkr", "yahoo", "yahoo"]


def test_with_the_gateway_down_everything_comes_from_yahoo(world: World) -> None:
    close_the_gateway(world)
    assert world.ingest(FIRST_NIGHT)
    assert set(world.stores.read(DAILY_BARS)[SOURCE]) == {"yahoo"}
    assert world.reports(FIRST_NIGHT) == [("ibkr", 4, 0, 4, 0), ("yahoo", 4, 4, 0, 12)]
    assert world.failures(FIRST_NIGHT) == [(symbol, "ibkr", "source down") for symbol in SYMBOLS]


def test_with_both_down_the_night_fails_and_nothing_is_written(world: World) -> None:
    world.ingest(FIRST_NIGHT)
    before, held = world.hashes(), world.stores.market_session()
    close_the_gateway(world)
    for symbol in SYMBOLS:
        world.yahoo.change(symbol, fault="gateway")
    with pytest.raises(StockPipelineError) as caught:
        world.ingest(FIRST_NIGHT + 1)
    told = (
        str(DAYS[3]),
        "nothing was written",
        "ibkr: source down (4 symbols)",
        "start TWS or IB Gateway",
        "yahoo: source down (4 symbols)",
    )
    assert [fact for fact in told if fact not in str(caught.value)] == []
    assert world.stores.last_executions()[INGEST.name].state == "failed"
    assert (world.hashes(), world.stores.market_session()) == (before, held)


def test_a_second_run_of_the_same_night_asks_nobody_and_changes_nothing(world: World) -> None:
    world.ingest(FIRST_NIGHT)
    before = world.hashes()
    assert not world.ingest(FIRST_NIGHT)
    assert (world.gateway.received, world.yahoo.paths) == ([], [])
    assert world.hashes() == before


@pytest.mark.parametrize(("night", "is_up_to_date"), [(FIRST_NIGHT, True), (FIRST_NIGHT + 1, False)])
def test_up_to_date_is_what_the_calendar_asks_for_and_not_what_the_sources_had(
    night: int, is_up_to_date: bool, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ingest(FIRST_NIGHT)
    monkeypatch.setattr("stock_pipeline.market_data.assets.gather", lambda *_given: None)  # the sources have nothing new
    result = execute(unchecked(INGEST), world.stores, world.settings, None, datetime.combine(DAYS[night], time(23)))
    assert (result.reached, result.wanted, result.up_to_date) == (DAYS[FIRST_NIGHT], DAYS[night], is_up_to_date)


def test_a_run_that_ended_before_it_wrote_is_gone_on_with_without_asking_again(world: World) -> None:
    with pytest.raises(KilledError):
        world.ingest(FIRST_NIGHT, dies=True)
    assert world.stores.count(DAILY_BARS) == 0
    assert world.ingest(FIRST_NIGHT)
    # The gateway failed for C and D, so that it is tried again; whatever was answered is there.
    assert (world.gateway.asked(broker.BARS), world.yahoo.asked(web.CHART)) == ([], [])
    assert world.reports(FIRST_NIGHT) == [("ibkr", 4, 2, 2, 6), ("yahoo", 4, 2, 0, 6)]
    world.ingest(FIRST_NIGHT + 1)
    assert [folder.name for folder in (world.stores.home / "landing").iterdir()] == [DAYS[3].isoformat()]


def tenure(world: World, symbol: str) -> tuple[Any, ...]:
    """The last session of a symbol that was borne once, and the night that found it delisted."""
    (borne,) = world.stores.read(SYMBOL_HISTORY).filter(pl.col(SYMBOL) == symbol).iter_rows(named=True)
    (instrument,) = world.stores.read(INSTRUMENTS).filter(pl.col(SYMBOL) == symbol).iter_rows(named=True)
    return borne["last_session"], instrument[DELISTED_ON]


def test_a_symbol_said_to_be_delisted_stays_after_one_night_and_is_ended_after_two(world: World) -> None:
    world.ingest(FIRST_NIGHT)
    world.yahoo.change("D", fault="delisted")
    for fault in ("garbage", None):  # for the sake of C the night is run twice, and D is said to be delisted twice
        world.yahoo.change("C", fault=fault)
        assert world.ingest(FIRST_NIGHT + 1)
        assert ("D", "yahoo", "said to be delisted") in world.failures(FIRST_NIGHT + 1)
        assert tenure(world, "D") == (None, None)
    world.ingest(FIRST_NIGHT + 2)
    assert tenure(world, "D") == (DAYS[FIRST_NIGHT], DAYS[FIRST_NIGHT + 2])
    world.ingest(FIRST_NIGHT + 3)
    assert sorted(world.yahoo.asked(web.CHART)) == ["A", "B", "C"]
    assert (len(world.bars("C")), len(world.bars("D"))) == (FIRST_NIGHT + 4, FIRST_NIGHT + 1)


def test_a_symbol_that_the_other_source_serves_is_not_delisted_whatever_is_said_of_it(world: World) -> None:
    world.yahoo.change("A", fault="delisted")
    for night in (FIRST_NIGHT, FIRST_NIGHT + 1, FIRST_NIGHT + 2):
        world.ingest(night)
        assert ("A", "yahoo", "said to be delisted") in world.failures(night)
    assert tenure(world, "A") == (None, None)
    assert len(world.bars("A")) == FIRST_NIGHT + 3


@pytest.mark.parametrize(("symbol", "start", "source"), [("A", 100.0, "ibkr"), ("C", 300.0, "yahoo")])
def test_a_bar_told_otherwise_within_the_overlap_has_a_second_version(world: World, symbol: str, start: float, source: str) -> None:
    world.ingest(FIRST_NIGHT)
    prices = closes(start)
    changed = [prices[0] + 0.5, prices[1] + 0.5, prices[2] * (1 + 1e-6), *prices[3:]]
    world.change_a(changed)
    world.yahoo.listings["C"] = at_yahoo("C", changed)
    world.ingest(FIRST_NIGHT + 1)
    assert world.bars(symbol) == [
        (DAYS[0], prices[0], source, DAYS[0], None),  # lies before the overlap
        (DAYS[1], prices[1], source, DAYS[1], DAYS[3]),
        (DAYS[1], prices[1] + 0.5, source, DAYS[3], None),
        (DAYS[2], prices[2], source, DAYS[2], None),  # differs in its last digits alone
        (DAYS[3], prices[3], source, DAYS[3], None),
    ]


def test_a_split_that_one_source_adjusts_for_and_the_other_tells_restates_nothing(world: World) -> None:
    world.ingest(FIRST_NIGHT)
    after = [100.0, 101.0, 102.0, 51.5, 52.0, 52.5]
    world.change_a(after, split_at=3)
    world.yahoo.listings["A"] = at_yahoo("A", after, splits={DAYS[3]: 2.0}, dividends={DAYS[1]: DIVIDEND})
    world.ingest(FIRST_NIGHT + 1)
    assert world.bars("A") == [(day, close, "ibkr", day, None) for day, close in zip(DAYS[:4], after, strict=False)]
    told = world.stores.read(CORPORATE_ACTIONS).filter(pl.col("kind") == "split")
    assert told.select(SYMBOL, SESSION, VALUE, SOURCE, KNOWN_FROM).rows() == [("A", DAYS[3], 2.0, "yahoo", DAYS[3])]
    shown = adjusted_bars(world.stores, DAYS[3], QualitySettings()).filter(pl.col(SYMBOL) == "A")[CLOSE]
    assert shown.to_list() == pytest.approx([50.0 * (1 - DIVIDEND / 100.0), 50.5, 51.0, 51.5])


def test_a_bar_of_the_other_source_is_no_restatement(world: World) -> None:
    world.ingest(FIRST_NIGHT)
    close_the_gateway(world)
    world.ingest(FIRST_NIGHT + 1)
    assert [row[1:3] for row in world.bars("A")] == [(100.0, "ibkr"), (101.0, "ibkr"), (102.0, "ibkr"), (53.0, "yahoo")]


def test_a_renamed_symbol_goes_on_as_the_same_instrument(world: World, tmp_path: Path) -> None:
    world.ingest(FIRST_NIGHT)
    (tmp_path / "renames.csv").write_text(f"old,new,session\nC,NEW,{DAYS[3]}\n")
    world.source = {"symbols": ("A", "B", "NEW", "D"), "renames_path": str(tmp_path / "renames.csv")}
    world.yahoo.listings["NEW"] = world.yahoo.listings.pop("C")
    world.ingest(FIRST_NIGHT + 1)
    history = world.stores.read(SYMBOL_HISTORY).filter(pl.col(INSTRUMENT) == "C")
    assert sorted(history.rows()) == [("C", DAYS[0], date(2026, 1, 6), "C"), ("NEW", DAYS[3], None, "C")]
    assert world.stores.read(INSTRUMENTS).filter(pl.col(INSTRUMENT) == "C").select(SYMBOL, NAME).rows() == [("NEW", "C Inc")]
    shown = adjusted_bars(world.stores, DAYS[3], QualitySettings())
    assert shown.filter(pl.col(SYMBOL) == "NEW").select(SESSION, CLOSE).rows() == [(DAYS[n], 300.0 + n) for n in range(4)]
    assert set(shown[SYMBOL]) == {"A", "B", "D", "NEW"}
    world.ingest(FIRST_NIGHT + 2)
    assert sorted(world.yahoo.asked(web.CHART)) == ["A", "B", "D", "NEW"]


def test_a_second_run_that_is_told_nothing_more_changes_nothing(world: World) -> None:
    world.yahoo.change("D", fault="delisted")
    world.ingest(FIRST_NIGHT)
    before = world.hashes()
    assert not world.ingest(FIRST_NIGHT)
    assert set(world.yahoo.asked(web.CHART)) == {"D"}
    assert world.hashes() == before


def test_a_second_run_of_a_night_has_a_report_of_its_own(world: World) -> None:
    world.yahoo.change("D", fault="gateway")
    world.ingest(FIRST_NIGHT)
    world.yahoo.change("D", fault=None)
    world.ingest(FIRST_NIGHT)
    assert world.reports(FIRST_NIGHT) == [("ibkr", 4, 2, 2, 6), ("ibkr", 1, 0, 1, 0), ("yahoo", 4, 1, 1, 3), ("yahoo", 1, 1, 0, 3)]


def test_a_night_without_word_of_splits_restates_no_bar(world: World) -> None:
    world.ingest(FIRST_NIGHT)
    for symbol in SYMBOLS:
        world.yahoo.change(symbol, fault="gateway")
    world.ingest(FIRST_NIGHT + 1)
    assert [row[4] for row in world.bars("A")] == [None] * 4
    for symbol in SYMBOLS:
        world.yahoo.change(symbol, fault=None)
    world.ingest(FIRST_NIGHT + 2)
    last = world.stores.read(DAILY_BARS).filter((pl.col(SYMBOL) == "A") & pl.col(KNOWN_TO).is_null())
    assert last.select(CLOSE, BASIS).rows() == [(100.0 + n, "raw") for n in range(5)]


def test_bars_brought_as_of_a_night_before_a_split_are_as_they_were_traded(world: World) -> None:
    after = [100.0, 101.0, 102.0, 51.5, 52.0, 52.5]
    world.change_a(after, split_at=3)
    world.yahoo.listings["A"] = at_yahoo("A", after, splits={DAYS[3]: 2.0})
    world.ingest(5, as_of=DAYS[FIRST_NIGHT])
    assert [row[:3] for row in world.bars("A")] == [(DAYS[n], 100.0 + n, "ibkr") for n in range(3)]
