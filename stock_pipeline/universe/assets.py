"""The asset of the universe."""

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from stock_pipeline.core.columns import SESSION
from stock_pipeline.market_data.reading import JUDGED_BAR_TABLES, sessions_of
from stock_pipeline.market_data.tables import INSTRUMENTS, UNIVERSE_MEMBERS
from stock_pipeline.orchestration.context import StageContext, StageOutput
from stock_pipeline.orchestration.stage import Stage, key_of
from stock_pipeline.storage import replace_sessions
from stock_pipeline.storage.reading import Selection
from stock_pipeline.universe.charts import stocks_by_session
from stock_pipeline.universe.checks import UNIVERSE_CHECKS
from stock_pipeline.universe.compute import UniverseRules, compute_universe
from stock_pipeline.universe.panel import read_panel
from stock_pipeline.universe.reading import note_on_few_stocks, shortage, told_by_status
from stock_pipeline.universe.tables import DAILY_UNIVERSE, INSIDE, STATUS, STATUSES


def make_universe(context: StageContext) -> StageOutput | None:
    """Bring the universe up to the session, from the first that is missing or has changed upstream."""
    rules = UniverseRules.of(context.settings.universe)
    with context.stores.shared_reader("market"):
        sessions = sessions_of(context.stores, context.as_of)
        first = context.first_to_make(sessions)
        if first is None:
            return None
        if context.stores.changed_from([UNIVERSE_MEMBERS], context.store, context.asset) is not None:
            first = sessions[0]  # where a membership is given, nobody was a member before its first day
        window_start = sessions[max(0, sessions.index(first) - rules.span + 1)]
        panel = read_panel(context.stores, context.settings, context.as_of, window_start)
    made = compute_universe(panel, rules, first)
    of_last, minimum = made.filter(pl.col(SESSION) == sessions[-1]), rules.minimum_stocks
    inside = of_last.filter(pl.col(STATUS) == INSIDE).height
    used = made.filter(pl.col(STATUS) == INSIDE)[SESSION].n_unique() + _used_before(context, first)
    told = told_on(of_last, used, len(sessions), minimum)
    context.report_progress(told)
    few = None if of_last.is_empty() else shortage(of_last, minimum)
    return StageOutput(
        writes=(replace_sessions(DAILY_UNIVERSE, made, least_share=0.5),),
        watermark=context.as_of,
        charts=lambda: {"stocks": stocks_by_session(made)},
        tables={"last_session": _counted(of_last)},
        facts={
            "stocks_in_universe": inside,
            "sessions_used": used,
            "left_out": told,
            "note": few or note_on_few_stocks(inside) or "enough stocks to rank",
        },
    )


def _used_before(context: StageContext, first: date) -> int:
    """The number of stored sessions before ``first`` that have a stock in the universe."""
    inside = Selection(columns=(SESSION,), last=first - timedelta(days=1), equals={STATUS: [INSIDE]}, distinct=True)
    return context.read(DAILY_UNIVERSE, inside).height


def told_on(of_last: pl.DataFrame, used: int, sessions: int, minimum: int) -> str:
    """Who is left out of the last session and why, and how many sessions have too few stocks, in one sentence.

    Args:
        of_last: rows of DAILY_UNIVERSE, those of the last session.
        used: the number of sessions that have a stock in the universe.
        sessions: the number of all.
        minimum: ``universe.minimum_stocks``.
    """
    out = of_last.filter(pl.col(STATUS) != INSIDE)
    why = f" ({told_by_status(out)})" if out.height else ""
    few = f", the other {sessions - used:,} have fewer stocks than universe.minimum_stocks, {minimum}" if used < sessions else ""
    return f"{out.height or 'none'} of {of_last.height} stocks with a bar left out{why}; {used:,} of {sessions:,} sessions are used{few}"


def _counted(rows: pl.DataFrame) -> pl.DataFrame:
    """The number of stocks by status, with 0 where no stock has it."""
    every = pl.DataFrame({STATUS: list(STATUSES), "meaning": list(STATUSES.values())})
    return every.join(rows.group_by(STATUS).len("stocks"), on=STATUS, how="left", maintain_order="left").with_columns(
        pl.col("stocks").fill_null(0)
    )


STAGES: Sequence[Stage] = (
    Stage(
        keys=(key_of(DAILY_UNIVERSE),),
        description="Which stocks are ranked, learned from and traded, and why the others are not.",
        tables=(DAILY_UNIVERSE,),
        reads=(*JUDGED_BAR_TABLES, UNIVERSE_MEMBERS, INSTRUMENTS),
        body=make_universe,
        settings=("exchange", "quality.suspect_ratio", "universe"),
        checks=(UNIVERSE_CHECKS,),
        code_version="2",
    ),
)
