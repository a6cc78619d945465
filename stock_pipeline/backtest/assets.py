"""The assets of the backtest: its daily returns, and the figures that sum them up."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

import polars as pl

from stock_pipeline.backtest.charts import equity_curve
from stock_pipeline.backtest.checks import RETURN_CHECKS
from stock_pipeline.backtest.engine import daily_returns, sessions_left_out
from stock_pipeline.backtest.metrics import summarise
from stock_pipeline.backtest.tables import DAILY_RETURNS, METRICS
from stock_pipeline.core.columns import AS_OF, FORWARD_RETURN, METRIC, MODEL, SCORE, SESSION, SYMBOL, TRAINING_ID, VALUE
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.labels.catalogue import ONE_SESSION
from stock_pipeline.labels.reading import read_first_known, read_outcomes, read_sessions
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.orchestration.context import StageContext, StageOutput
from stock_pipeline.orchestration.stage import Stage, Via, key_of, via
from stock_pipeline.performance.reading import ADMITTED_TABLES, RECORD_TABLES, predictions_on_record
from stock_pipeline.performance.tables import LIVE, ORIGIN
from stock_pipeline.registry.reading import active_versions
from stock_pipeline.registry.tables import MODEL_VERSIONS
from stock_pipeline.storage import replace_all, replace_groups

# What a backtest follows from.
RECORD: tuple[TableSchema | Via, ...] = (*RECORD_TABLES, *via((key_of(MODEL_VERSIONS),), *ADMITTED_TABLES), DAILY_LABELS)

LEFT_OUT: Final = "sessions without scores or returns are left out, and those on either side of them count as neighbours"


def run_backtest(context: StageContext) -> StageOutput | None:
    """Backtest each model's predictions: out of fold first, live where a version has been active."""
    if not context.has_news():
        return None
    parts = list(_backtests(context, None))
    if not parts:
        return StageOutput(writes=(), watermark=context.as_of)
    made = pl.concat(parts)
    left_out = sessions_left_out(made, read_sessions(context.stores, context.as_of))
    of_models = replace_groups(DAILY_RETURNS, made, (MODEL,), least_share=0.0)
    written = replace_all(DAILY_RETURNS, made) if context.full_refresh else of_models
    return StageOutput(
        writes=(written,),
        watermark=context.as_of,
        charts=lambda: {"equity": equity_curve(made)},
        tables={"sessions_left_out": left_out} if left_out.height else {},
        facts={
            "sessions": made[SESSION].n_unique(),
            "fill": "next_open",
            "cost_bps_per_side": context.settings.trading.cost_bps_per_side,
            **({"note": LEFT_OUT} if left_out.height else {}),
        },
    )


def measure_backtest(context: StageContext) -> StageOutput | None:
    """Sum up the daily returns of every model, as they stand and as they stood on the nights missed since the last."""
    if not context.has_news():
        return None
    nights = context.nights_to_make(METRICS, read_sessions(context.stores, context.as_of))
    made = pl.concat(_figures(daily, night) for night, daily in _daily_returns_on(context, nights))
    tonight = made.filter(pl.col(AS_OF) == context.as_of)
    return StageOutput(
        writes=(context.rows_of_nights(METRICS, made, may_be_empty=True),),
        watermark=context.as_of,
        tables={"figures": tonight.pivot(on=MODEL, index=METRIC, values=VALUE)} if tonight.height else {},
    )


def _backtests(context: StageContext, night: date | None) -> Iterator[pl.DataFrame]:
    """The backtest of each model's record as it was on a night, or is now where it is None: rows of DAILY_RETURNS."""
    returns = read_outcomes(context.stores, night or context.as_of, ONE_SESSION)
    top_share, cost_bps_per_side = context.settings.backtest.top_share, context.settings.trading.cost_bps_per_side
    for predictions in predictions_on_record(context.stores, night):
        model = predictions[MODEL][0]
        context.report_progress(model)
        rows = _one_score_each(predictions).join(returns, on=[SESSION, SYMBOL], how="left")
        daily = daily_returns(rows.select(SESSION, SYMBOL, SCORE, FORWARD_RETURN), top_share, cost_bps_per_side)
        yield daily.with_columns(pl.lit(model).alias(MODEL), pl.lit(context.as_of).alias(AS_OF)).select(DAILY_RETURNS.column_names)


def _daily_returns_on(context: StageContext, nights: Sequence[date]) -> Iterator[tuple[date, pl.DataFrame]]:
    """Each night, the last of which is tonight, with the daily returns as they stood on it.

    Nights on which the same versions were active share one backtest: each saw those of its sessions whose returns were known by then.
    """
    known = read_first_known(context.stores, context.as_of, ONE_SESSION)
    active = {night: tuple(active_versions(context.stores, night)[TRAINING_ID].sort()) for night in nights}
    made = {active[nights[-1]]: context.read(DAILY_RETURNS)}
    for night in reversed(nights):
        if active[night] not in made:
            made[active[night]] = pl.concat([DAILY_RETURNS.empty(), *_backtests(context, night)])
        yield night, made[active[night]].filter(pl.col(SESSION).is_in([session for session, first in known.items() if first <= night]))


def _figures(daily: pl.DataFrame, night: date) -> pl.DataFrame:
    """The figures of each model's daily returns as of a night: rows of METRICS."""
    rows = [
        {AS_OF: night, MODEL: model, METRIC: metric, VALUE: value}
        for (model,), part in daily.sort(SESSION).group_by(MODEL, maintain_order=True)
        for metric, value in summarise(part)
    ]
    return pl.DataFrame(rows, schema=METRICS.dtypes)


def _one_score_each(predictions: pl.DataFrame) -> pl.DataFrame:
    """One score for each model, session and stock: the live one where there is one, as that is what would have been traded."""
    ranked = predictions.sort(MODEL, SESSION, SYMBOL, pl.col(ORIGIN) != LIVE)
    return ranked.unique([MODEL, SESSION, SYMBOL], keep="first", maintain_order=True)


STAGES: Sequence[Stage] = (
    Stage(
        keys=(key_of(DAILY_RETURNS),),
        description="Returns of trading on the scores, session by session, after costs.",
        tables=(DAILY_RETURNS,),
        reads=RECORD,
        body=run_backtest,
        settings=("backtest", "exchange", "labels", "quality.jump_ratio", "quality.suspect_ratio", "trading"),
        code_version="2",
        checks=(RETURN_CHECKS,),
    ),
    Stage(
        keys=(key_of(METRICS),),
        description="Figures that sum up the backtest.",
        tables=(METRICS,),
        reads=(DAILY_RETURNS, *RECORD),
        body=measure_backtest,
        settings=("backtest", "exchange", "labels", "quality.jump_ratio", "quality.suspect_ratio", "trading"),
        code_version="2",
    ),
)
