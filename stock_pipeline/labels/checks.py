"""The check on the labels. When it fails nothing downstream is made of them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Final

import polars as pl

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import DIRECTION, FORWARD_RETURN, FORWARD_VOLATILITY, KNOWN_ON, LABEL_STATUS, SESSION, SYMBOL
from stock_pipeline.core.lookahead import Violation, as_table, lookahead_violations, sampled
from stock_pipeline.labels.catalogue import labelled_horizons, purge_span, return_reach
from stock_pipeline.labels.compute import compute_labels
from stock_pipeline.labels.reading import judged_bars
from stock_pipeline.labels.tables import DAILY_LABELS, VOLATILITY, column_of
from stock_pipeline.market_data.reading import sessions_of
from stock_pipeline.orchestration.context import CheckOutcome, StageContext
from stock_pipeline.orchestration.stage import CheckSpec, StageCheck
from stock_pipeline.settings import LabelSettings, Settings

ASSET: Final = f"{DAILY_LABELS.room}/{DAILY_LABELS.name}"
NAME: Final = "no_lookahead"
SAMPLE: Final = 12  # symbols, others every night
SESSIONS_TRIED: Final = 30  # besides those that the labels reach over
LAST_CUTS: Final = (1, 4)  # sessions before the last one; a leak shows only where the cut falls between a label and what it saw

Compute = Callable[[pl.DataFrame], pl.DataFrame]


def judge_labels(context: StageContext, compute: Compute | None = None) -> dict[str, CheckOutcome]:
    """The verdict on the labels, from a sample of symbols that changes from night to night.

    ``compute`` makes labels of bars; the stage's own when left out.
    """
    stores, settings = context.stores, context.settings
    reached = stores.watermark("ml", ASSET)
    if reached is None:
        return {NAME: CheckOutcome(False, {"problem": "there are no labels yet; materialise them first"})}
    chosen, as_of = settings.labels, reached.session
    tried = SESSIONS_TRIED + purge_span(labelled_horizons(chosen), chosen.volatility_horizon)
    first = sessions_of(stores, as_of)[-tried:][0]
    panel = sampled(judged_bars(stores, settings, as_of, first), SAMPLE, seed=as_of.toordinal())
    violations = lookahead_of(compute or of_settings(settings, first), panel, as_of, reaches(chosen))
    symbols = ", ".join(panel[SYMBOL].unique().sort())
    return {
        NAME: CheckOutcome(not violations, {"symbols": symbols, "sessions": panel[SESSION].n_unique(), "violations": as_table(violations)})
    }


LABEL_CHECK = StageCheck(
    (CheckSpec(NAME, "No label changes when what came after the session on which it is known is cut off or altered.", blocking=True),),
    judge_labels,
    of_rows=True,
)


def reaches(chosen: LabelSettings) -> dict[tuple[str, ...], int]:
    """The columns of each label, and on how many sessions after its own they may depend."""
    of_returns = {
        tuple(column_of(name, horizon) for name in (FORWARD_RETURN, DIRECTION, LABEL_STATUS, KNOWN_ON)): return_reach(horizon)
        for horizon in labelled_horizons(chosen)
    }
    of_volatility = (FORWARD_VOLATILITY, *(column_of(name, VOLATILITY) for name in (LABEL_STATUS, KNOWN_ON)))
    return of_returns | {of_volatility: chosen.volatility_horizon}


def of_settings(settings: Settings, first: date) -> Compute:
    """A function that makes the labels of these settings from bars, as of their last session."""
    chosen = settings.labels
    sessions = trading_calendar(settings.exchange).sessions_between(first, date.max)

    def compute(bars: pl.DataFrame) -> pl.DataFrame:
        last: date = bars[SESSION].max()  # type: ignore[assignment]
        return compute_labels(bars, sessions, last, labelled_horizons(chosen), chosen.volatility_horizon)

    return compute


def lookahead_of(compute: Compute, panel: pl.DataFrame, as_of: date, known_after: Mapping[tuple[str, ...], int]) -> list[Violation]:
    """The labels that change when sessions beyond their reach are cut off or altered, which shows look-ahead.

    Args:
        compute: makes labels of bars.
        panel: bars, as ``compute`` takes them.
        as_of: the last session; seeds what is altered.
        known_after: for the columns of each label, on how many sessions after its own they may depend.
    """
    sessions = panel[SESSION].unique().sort()
    cuts = [sessions[-1 - before] for before in LAST_CUTS if before < len(sessions)]
    found: list[Violation] = []
    for columns, reach in known_after.items():
        judged = partial(_of_columns, compute, columns)
        found += lookahead_violations(judged, panel, cuts, seed=as_of.toordinal(), reach=reach)
    return found


def _of_columns(compute: Compute, columns: Sequence[str], bars: pl.DataFrame) -> pl.DataFrame:
    return compute(bars).select(SYMBOL, SESSION, *columns)
