"""The asset of the suggested stocks."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.columns import (
    HORIZON,
    INDUSTRY,
    MODEL,
    NAME,
    PREDICTED_EXCESS_RETURN,
    PROFILE,
    RANK,
    SCORE,
    SECTOR,
    SESSION,
    SYMBOL,
    TRAINING_ID,
)
from stock_pipeline.labels.catalogue import predicted_horizon
from stock_pipeline.market_data.reading import JUDGED_BAR_TABLES, adjusted_bars, particulars, sessions_of
from stock_pipeline.market_data.tables import INSTRUMENTS
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.orchestration.context import StageContext, StageOutput
from stock_pipeline.orchestration.stage import Stage, key_of
from stock_pipeline.portfolio.charts import suggestion_bars
from stock_pipeline.portfolio.profiles import PROFILES
from stock_pipeline.portfolio.risk import VOLATILITY, WINDOW, risk_figures
from stock_pipeline.portfolio.suggest import TOTAL_SCORE, WEIGHT, suggest_stocks
from stock_pipeline.portfolio.tables import SUGGESTED_STOCKS
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, EXPECTATION, EXPECTED_RETURNS
from stock_pipeline.registry.reading import disabled_models, serving_predictions
from stock_pipeline.registry.tables import MODEL_ENABLEMENT, MODEL_VERSIONS
from stock_pipeline.storage import replace_sessions
from stock_pipeline.storage.reading import Selection
from stock_pipeline.universe.reading import universe_stocks
from stock_pipeline.universe.tables import DAILY_UNIVERSE

# One line of the web UI for each stock; the table has the rest, and the reason in words.
SHOWN = (RANK, SYMBOL, WEIGHT, VOLATILITY, TOTAL_SCORE, NAME, SECTOR, PREDICTED_EXCESS_RETURN)
EXPECTED_SHOWN = (RANK, SYMBOL, *EXPECTATION)


def suggest(context: StageContext) -> StageOutput | None:
    """Suggest stocks for every profile: of the session of the run, or of each night missed since the last."""
    sessions = sessions_of(context.stores, context.as_of)
    if not context.has_news():
        return None
    wanted = [day for day in sessions if context.watermark is not None and day > context.watermark] or sessions[-1:]
    made = pl.concat(_suggestions(context, sessions, day, context.as_of if day == sessions[-1] else day) for day in wanted)
    of_last = made.filter(pl.col(SESSION) == wanted[-1])
    of_first = of_last.filter(pl.col(PROFILE) == PROFILES[0].name).sort(RANK)
    return StageOutput(
        writes=(replace_sessions(SUGGESTED_STOCKS, made, least_share=0.0, may_be_empty=True),),
        watermark=context.as_of,
        charts=lambda: {profile.name: suggestion_bars(of_last, profile.name) for profile in PROFILES},
        tables={"suggested": of_first.select(SHOWN), "expected": of_first.select(EXPECTED_SHOWN)},
    )


def _suggestions(context: StageContext, sessions: Sequence[date], session: date, known_on: date) -> pl.DataFrame:
    window_start = sessions[max(0, sessions.index(session) - WINDOW)]
    bars = adjusted_bars(context.stores, known_on, context.settings.quality, window_start)
    inside = universe_stocks(context.stores, session, session)
    instruments = particulars(context.stores, known_on).drop(INDUSTRY)
    candidates = (
        risk_figures(bars.join(inside, on=SYMBOL, how="semi", maintain_order="left"), session)
        .join(instruments, on=SYMBOL, how="left", maintain_order="left")
        .join(_scores(context, session), on=SYMBOL, how="left", maintain_order="left")
    )
    chosen = pl.concat(suggest_stocks(candidates, profile) for profile in PROFILES)
    return chosen.select(pl.lit(session).alias(SESSION), pl.all()).select(SUGGESTED_STOCKS.column_names)


def _scores(context: StageContext, session: date) -> pl.DataFrame:
    """The stack's scores of the session, and what they mean over the first horizon.

    There is none where there is no stack or it is off, and then the stocks are judged without models.
    """
    of_stack: dict[str, list[str] | list[int]] = {MODEL: [STACK]}
    rows = context.read(DAILY_PREDICTIONS, Selection(first=session, last=session, equals=of_stack))
    served = serving_predictions(context.read(MODEL_VERSIONS), rows).filter(~pl.col(MODEL).is_in(disabled_models(context.stores)))
    of_horizon = of_stack | {HORIZON: [predicted_horizon(context.settings.labels)]}
    expected = context.read(EXPECTED_RETURNS, Selection(first=session, last=session, equals=of_horizon))
    meant = expected.select(TRAINING_ID, SYMBOL, *EXPECTATION)
    return served.select(TRAINING_ID, SYMBOL, SCORE).join(meant, on=[TRAINING_ID, SYMBOL], how="left").drop(TRAINING_ID)


STAGES: Sequence[Stage] = (
    Stage(
        keys=(key_of(SUGGESTED_STOCKS),),
        description="Stocks to look at, for each risk profile.",
        tables=(SUGGESTED_STOCKS,),
        reads=(DAILY_PREDICTIONS, DAILY_UNIVERSE, EXPECTED_RETURNS, MODEL_VERSIONS, MODEL_ENABLEMENT, *JUDGED_BAR_TABLES, INSTRUMENTS),
        body=suggest,
        settings_ahead=("labels.horizons", "quality.jump_ratio", "quality.suspect_ratio", "universe"),
        code_version="4",
    ),
)
