"""Checks on the universe. When a blocking one fails nothing downstream is made of it."""

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Final

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.lookahead import as_table, lookahead_violations, sampled
from stock_pipeline.market_data.reading import sessions_of
from stock_pipeline.orchestration.context import CheckOutcome, StageContext
from stock_pipeline.orchestration.stage import CheckSpec, StageCheck
from stock_pipeline.storage.reading import Selection
from stock_pipeline.universe.compute import UniverseRules, compute_universe
from stock_pipeline.universe.panel import read_panel
from stock_pipeline.universe.reading import ENOUGH, TELLING_STOCKS, note_on_few_stocks, shortage
from stock_pipeline.universe.tables import DAILY_UNIVERSE, DAILY_UNIVERSE_ASSET, INSIDE, STATUS

SAMPLE: Final = 12  # symbols, others every night
EXAMPLES: Final = 5
CUTS: Final = (1, 7)  # sessions before the last one; a leak shows only where the cut falls between a row and what it saw

LOOKAHEAD, STORED, TELLING = "no_lookahead", "stored_as_computed", "ranks_can_tell"
BLOCKING: Final = {
    LOOKAHEAD: "Whether a stock is in the universe does not change when what came after the session is cut off or altered.",
    STORED: "The last session's stored rows are those that its window of bars gives now.",
    ENOUGH: "The universe of the last session has as many stocks as universe.minimum_stocks asks for.",
}
WARNING: Final = {TELLING: f"The universe of the last session has the {TELLING_STOCKS} stocks without which ranks tell little."}

Compute = Callable[[pl.DataFrame], pl.DataFrame]


def judge_universe(context: StageContext, compute: Compute | None = None) -> dict[str, CheckOutcome]:
    """The verdicts on the stored universe; ``compute`` makes it of a panel, the stage's own when left out."""
    reached = context.stores.watermark("ml", DAILY_UNIVERSE_ASSET)
    if reached is None:
        nothing = {"problem": "there is no universe yet; materialise it first"}
        return dict.fromkeys({**BLOCKING, **WARNING}, CheckOutcome(passed=False, facts=nothing))
    rules, as_of = UniverseRules.of(context.settings.universe), reached.session
    with context.stores.shared_reader("market"):
        first = sessions_of(context.stores, as_of)[-rules.span - max(CUTS) :][0]
        panel = read_panel(context.stores, context.settings, as_of, first)
    made = (compute or partial(compute_universe, rules=rules))(panel)
    stored = context.read(DAILY_UNIVERSE, Selection(first=as_of, last=as_of))
    of_last = made.filter(pl.col(SESSION) == as_of)
    different = pl.concat([of_last.join(stored, on=made.columns, how="anti"), stored.join(of_last, on=made.columns, how="anti")])
    sample = sampled(panel, SAMPLE, seed=as_of.toordinal())
    violations = lookahead_violations(compute or partial(compute_universe, rules=rules), sample, _cuts(sample), seed=as_of.toordinal())
    return {
        LOOKAHEAD: CheckOutcome(not violations, {"symbols": ", ".join(sample[SYMBOL].unique().sort()), "violations": as_table(violations)}),
        STORED: CheckOutcome(different.is_empty(), {"rows_that_differ": different.height, "examples": different.head(EXAMPLES)}),
        **_counted(stored, as_of, rules.minimum_stocks),
    }


def _cuts(panel: pl.DataFrame) -> list[date]:
    sessions = panel[SESSION].unique().sort()
    return [sessions[-1 - before] for before in CUTS if before < len(sessions)]


def _counted(stored: pl.DataFrame, as_of: date, minimum: int) -> dict[str, CheckOutcome]:
    """The verdicts on the number of stocks of the last session."""
    inside = int((stored[STATUS] == INSIDE).sum())
    told = f"no stock has a bar of {as_of}" if stored.is_empty() else shortage(stored, minimum)
    few = told or note_on_few_stocks(inside)
    return {
        ENOUGH: CheckOutcome(told is None, {"stocks": inside, "required": minimum} | ({} if told is None else {"problem": told})),
        TELLING: CheckOutcome(few is None, {"stocks": inside} | ({} if few is None else {"note": few})),
    }


UNIVERSE_CHECKS = StageCheck(
    specs=(
        *(CheckSpec(name, text, blocking=True) for name, text in BLOCKING.items()),
        *(CheckSpec(name, text, warns=True) for name, text in WARNING.items()),
    ),
    judge=judge_universe,
    of_rows=True,
)
