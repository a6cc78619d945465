"""The stage of the universe: what it reads, and that nights, gaps and restatements come to the same rows as a build at once."""

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, NAME, SESSION, SOURCE, SUSPECT, SYMBOL, VALUE
from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.market_data.flags import JUMP_FLAG
from stock_pipeline.market_data.reading import judged_jumps
from stock_pipeline.market_data.tables import (
    BAR_FLAGS,
    CONFIRMED_BY,
    DAILY_BARS,
    FIRST,
    FLAG,
    FLAGGED_ON,
    INSTRUMENT,
    INSTRUMENTS,
    LAST,
    SYMBOL_HISTORY,
    UNIVERSE_MEMBERS,
)
from stock_pipeline.orchestration.execution import StageResult, facts_of
from stock_pipeline.orchestration.progress import Progressed, listening
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline.universe.checks import BLOCKING, LOOKAHEAD, STORED, TELLING, judge_universe
from stock_pipeline.universe.reading import ENOUGH, note_on_few_stocks, note_on_universe, of_universe, universe_stocks, with_universe
from stock_pipeline.universe.tables import DAILY_UNIVERSE, EXCLUDED_KIND, INSIDE, NOT_MEMBER, SHORT_HISTORY, STATUS, SUSPECT_BAR, TOO_FEW
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import INGESTION, empty_stores, put
from stock_pipeline_tests.factories.stored_bars import put_bars
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import execute, make, stage_of

COUNT = 45
DAYS = sessions(COUNT)
SYMBOLS = [f"S{number:02d}" for number in range(8)]


@dataclass
class Market:
    """Stores with bars of eight stocks, and what the tests put beside them."""

    stores: Stores

    def put(self, schema: Any, rows: list[dict[str, Any]]) -> None:
        known = pl.DataFrame(rows, schema=schema.dtypes)
        put(self.stores, schema, known, DAYS[-1], INGESTION)

    def doubt(self, symbol: str, place: int, value: float, on: int = 0, confirmed_by: str | None = None) -> None:
        """A standing flag on a bar."""
        flag = {SYMBOL: symbol, SESSION: DAYS[place], FLAG: JUMP_FLAG, VALUE: value, FLAGGED_ON: DAYS[on], CONFIRMED_BY: confirmed_by}
        self.put(BAR_FLAGS, [flag])

    def settings(self, **universe: Any) -> Settings:
        return plain_settings(self.stores.home, universe={"minimum_stocks": 2} | universe)

    def made(self, as_of: int = COUNT - 1, **universe: Any) -> pl.DataFrame:
        make(DAILY_UNIVERSE, self.stores, self.settings(**universe), DAYS[as_of])
        return self.stores.read(DAILY_UNIVERSE)

    def judged(self, **universe: Any) -> StageResult:
        settings = self.settings(**universe)
        return execute(stage_of(DAILY_UNIVERSE, settings), self.stores, settings)


@pytest.fixture
def market(tmp_path: Path) -> Market:
    stores = empty_stores(tmp_path)
    put_bars(stores, COUNT, len(SYMBOLS))
    return Market(stores)


def outside(rows: pl.DataFrame) -> dict[str, set[str]]:
    """Of each status but the last the stocks that have it on some session."""
    return {
        status: set(part[SYMBOL]) for (status,), part in rows.filter(pl.col(STATUS) != INSIDE).partition_by(STATUS, as_dict=True).items()
    }


def test_every_stored_bar_has_its_row_and_ordinary_stocks_are_inside(market: Market) -> None:
    rows = market.made()
    assert rows.select(SYMBOL, SESSION).equals(market.stores.read(DAILY_BARS).select(SYMBOL, SESSION))
    assert outside(rows) == {}


def test_members_are_judged_by_their_instrument_and_kinds_by_symbol_or_name(market: Market) -> None:
    market.put(
        UNIVERSE_MEMBERS,
        [
            *({SYMBOL: symbol, FIRST: DAYS[0], LAST: None} for symbol in SYMBOLS[:6]),
            {SYMBOL: "LATER", FIRST: DAYS[10], LAST: DAYS[20]},  # which S06 will be called
            {SYMBOL: "S07", FIRST: date(2030, 1, 1), LAST: None},
        ],
    )
    names = dict.fromkeys(SYMBOLS, "Acme") | {"S02": "Acme Warrants"}
    market.put(INSTRUMENTS, [{INSTRUMENT: symbol, SYMBOL: symbol, NAME: name, SOURCE: "tests"} for symbol, name in names.items()])
    tenures = [{SYMBOL: symbol, FIRST: DAYS[0], LAST: None, INSTRUMENT: symbol} for symbol in SYMBOLS]
    tenures[6][LAST] = date(2030, 1, 1)
    market.put(SYMBOL_HISTORY, [*tenures, {SYMBOL: "LATER", FIRST: date(2030, 1, 2), LAST: None, INSTRUMENT: "S06"}])
    rows = market.made()
    assert outside(rows) == {NOT_MEMBER: {"S06", "S07"}, EXCLUDED_KIND: {"S02"}}
    inside = rows.filter((pl.col(SYMBOL) == "S06") & (pl.col(STATUS) == INSIDE))[SESSION]
    assert set(inside) == set(DAYS[10:21]) & set(rows.filter(pl.col(SYMBOL) == "S06")[SESSION])
    assert outside(market.made(excluded_kinds=()))[NOT_MEMBER] == {"S06", "S07"}
    assert EXCLUDED_KIND not in outside(market.stores.read(DAILY_UNIVERSE))


def test_a_suspect_bar_is_out_until_it_is_confirmed_and_what_was_known_then_counts(market: Market) -> None:
    market.doubt("S01", 30, 0.19)
    market.doubt("S02", 30, 4.9)  # within the limit
    market.doubt("S03", 30, 5.1, confirmed_by="hand")
    market.doubt("S04", 30, 5.1, on=40)  # known ten nights later
    judged = {place: judged_jumps(market.stores, DAYS[place], 5.0) for place in (39, 40)}
    known = {place: jumps.filter(SUSPECT)[SYMBOL].to_list() for place, jumps in judged.items()}
    assert known == {39: ["S01"], 40: ["S01", "S04"]}
    rows = market.made()
    assert outside(rows) == {SUSPECT_BAR: {"S01", "S04"}, SHORT_HISTORY: {"S01", "S04"}}
    assert rows.filter(pl.col(STATUS) == SUSPECT_BAR)[SESSION].unique().to_list() == [DAYS[30]]
    market.doubt("S01", 30, 0.19, confirmed_by="yahoo")
    assert outside(market.made())[SUSPECT_BAR] == {"S04"}


def test_nights_gaps_and_news_come_to_the_rows_of_a_build_at_once(market: Market, tmp_path: Path) -> None:
    stepwise = {place: market.made(place) for place in (20, 21, 30)}
    market.doubt("S05", 26, 7.0, on=35)
    market.put(UNIVERSE_MEMBERS, [{SYMBOL: symbol, FIRST: DAYS[5], LAST: None} for symbol in SYMBOLS[:7]])
    nightly = [market.made(place) for place in (35, COUNT - 1)][-1]
    at_once = Market(empty_stores(tmp_path / "at_once"))
    put_bars(at_once.stores, COUNT, len(SYMBOLS))
    at_once.doubt("S05", 26, 7.0, on=35)
    at_once.put(UNIVERSE_MEMBERS, [{SYMBOL: symbol, FIRST: DAYS[5], LAST: None} for symbol in SYMBOLS[:7]])
    assert nightly.equals(at_once.made())
    assert stepwise[21].filter(pl.col(SESSION) <= DAYS[20]).equals(stepwise[20])
    assert outside(nightly)[SUSPECT_BAR] == {"S05"} and outside(stepwise[30]) == {}


def test_one_reading_tells_the_other_rooms(market: Market) -> None:
    rows = pl.DataFrame({SYMBOL: ["S01", "S00", "NEW", "S00"], SESSION: [DAYS[3], DAYS[1], DAYS[1], DAYS[2]], "x": [1, 2, 3, 4]})
    with pytest.raises(StockPipelineError, match="the universe has not been made yet; materialise universe/daily_universe first"):
        of_universe(market.stores, rows)
    put(
        market.stores,
        DAILY_UNIVERSE,
        [
            {SYMBOL: "S00", SESSION: DAYS[1], STATUS: INSIDE},
            {SYMBOL: "S00", SESSION: DAYS[2], STATUS: NOT_MEMBER},
            {SYMBOL: "S01", SESSION: DAYS[3], STATUS: INSIDE},
            {SYMBOL: "S01", SESSION: DAYS[4], STATUS: INSIDE},
        ],
        DAYS[4],
        "universe/daily_universe",
    )
    assert of_universe(market.stores, rows)["x"].to_list() == [1, 2]
    assert with_universe(market.stores, rows)["in_universe"].to_list() == [True, True, False, False]
    assert universe_stocks(market.stores, DAYS[2], DAYS[3]).rows() == [("S01", DAYS[3])]
    assert of_universe(market.stores, rows.clear()).is_empty()


def test_the_checks_pass_on_honest_rows_and_tell_how_little_few_stocks_can_tell(market: Market) -> None:
    result = market.judged()
    assert {name: verdict.passed for name, verdict in result.checks.items()} == {**dict.fromkeys(BLOCKING, True), TELLING: False}
    assert not result.blocked
    # Of the last session, five have a bar: 1 / sqrt(4) by hand, and (1.96 / 0.02) ** 2 / 4 sessions.
    note = result.checks[TELLING].facts["note"]
    assert note == note_on_few_stocks(5)
    assert "only 5 stocks" in str(note) and "off by 0.50" in str(note) and "2,401 sessions, 10 years" in str(note)
    assert note_on_few_stocks(20) is None
    assert note_on_few_stocks(2) == "only 2 stocks are in the universe: a rank IC needs 3, so that no model can be told from luck"


def test_too_few_stocks_block_what_lies_downstream_and_say_why(market: Market) -> None:
    result = market.judged(minimum_stocks=9, minimum_dollar_volume=0)
    assert set(result.blocked) == {ENOUGH}
    there = market.stores.read(DAILY_UNIVERSE).filter(pl.col(SESSION) == DAYS[-1])
    assert set(there[STATUS]) == {TOO_FEW}
    problem = (
        f"{there.height} of {there.height} stocks with a bar of {DAYS[-1]} pass, and universe.minimum_stocks asks for 9 (too_few_stocks "
        f"{there.height}), so that nothing is trained or predicted; bring more stocks, or change the settings of the universe"
    )
    assert facts_of(result.blocked[ENOUGH]) == problem
    assert result.checks[TELLING].facts["note"] == problem == note_on_universe(market.stores, 9)
    assert result.output is not None and result.output.facts["note"] == problem


def test_who_is_left_out_and_how_many_sessions_are_used_is_told_whatever_is_made_anew(market: Market) -> None:
    def told(as_of: int, **universe: Any) -> str:
        with listening(heard.append):
            market.made(as_of, **universe)
        return next(event.note for event in heard[::-1] if isinstance(event, Progressed))

    heard = list[object]()
    bars = market.stores.read(DAILY_BARS)
    enough = bars.group_by(SESSION).len().filter(pl.col("len") >= 6)[SESSION]
    on = {place: bars.filter(pl.col(SESSION) == DAYS[place]).height for place in (COUNT - 2, COUNT - 1)}
    for place in (COUNT - 2, COUNT - 1):  # all at once, and then the last session alone
        used, out = sum(day <= DAYS[place] for day in enough), 0 if on[place] >= 6 else on[place]
        why = f" (too_few_stocks {out})" if out else ""
        assert told(place, minimum_stocks=6) == (
            f"{out or 'none'} of {on[place]} stocks with a bar left out{why}; {used} of {place + 1} sessions are used, the other "
            f"{place + 1 - used} have fewer stocks than universe.minimum_stocks, 6"
        )


def test_fewest_stocks_are_two(market: Market) -> None:
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        market.settings(minimum_stocks=1)


def test_rows_that_are_not_those_of_the_window_and_a_leak_fail_by_name(market: Market) -> None:
    market.made()
    settings = market.settings()
    stage, seen = stage_of(DAILY_UNIVERSE, settings), dict[str, Any]()

    def judge(context: Any) -> dict[str, Any]:
        seen["honest"] = judge_universe(context)
        tomorrow = pl.col(CLOSE).shift(-1).over(SYMBOL, order_by=SESSION) > pl.col(CLOSE)
        leak = pl.when(tomorrow).then(pl.lit(INSIDE)).otherwise(pl.lit(NOT_MEMBER)).alias(STATUS)
        seen["leaking"] = judge_universe(context, lambda panel: panel.sort(SYMBOL, SESSION).select(SYMBOL, SESSION, leak))
        return seen["honest"]  # type: ignore[no-any-return]

    put(market.stores, DAILY_UNIVERSE, [{SYMBOL: "S03", SESSION: DAYS[-1], STATUS: NOT_MEMBER}], DAYS[-1])
    execute(replace(stage, checks=(replace(stage.checks[0], judge=judge, of_rows=False),)), market.stores, settings)
    assert not seen["honest"][STORED].passed and seen["honest"][LOOKAHEAD].passed
    assert not seen["leaking"][LOOKAHEAD].passed
    assert set(seen["leaking"][LOOKAHEAD].facts["violations"]["column"]) == {STATUS}
