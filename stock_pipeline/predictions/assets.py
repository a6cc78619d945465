"""The assets of the predictions and of the signals made from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import (
    CONTRIBUTION,
    FEATURE,
    HORIZON,
    MODEL,
    PREDICTED_EXCESS_RETURN,
    RANK,
    SCORE,
    SESSION,
    SYMBOL,
    TRAINING_ID,
    VALUE,
    VERSION,
)
from stock_pipeline.core.errors import ArtefactError
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.datasets.reading import read_inputs, read_past_volatility
from stock_pipeline.features.reading import read_local_volatility
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.labels.catalogue import predicted_horizon
from stock_pipeline.market_data.reading import JUDGED_BAR_TABLES
from stock_pipeline.models.catalogue import STACK, stacked_models
from stock_pipeline.models.tables import RETURN_CALIBRATIONS, TRAININGS
from stock_pipeline.orchestration.context import StageContext, StageOutput
from stock_pipeline.orchestration.stage import Stage, key_of, via
from stock_pipeline.predictions.charts import prediction_bars
from stock_pipeline.predictions.expected_returns import expected_returns
from stock_pipeline.predictions.inference import LoadedVersion, explanations, load_version, predict
from stock_pipeline.predictions.signals import signals
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, EXPECTATION, EXPECTED_RETURNS, EXPLANATIONS, SIGNAL, SIGNALS
from stock_pipeline.registry.reading import all_versions, disabled_models, eligible_versions, in_shadow_on, serving_predictions
from stock_pipeline.registry.tables import MODEL_ENABLEMENT, MODEL_VERSIONS
from stock_pipeline.storage import replace_groups, replace_sessions
from stock_pipeline.storage.reading import Selection
from stock_pipeline.universe.tables import DAILY_UNIVERSE

REASONS = 5  # features reported for each prediction
# One line of the web UI for each stock.
BEST_SHOWN = (RANK, SYMBOL, SCORE, PREDICTED_EXCESS_RETURN)
EXPECTED_SHOWN = (RANK, SYMBOL, *EXPECTATION)
REASONS_SHOWN = (MODEL, SYMBOL, FEATURE, CONTRIBUTION, VALUE)


def make_predictions(context: StageContext) -> StageOutput | None:
    """Predict the last session that has features, and before it those of missed nights.

    A prediction once made stands; the last session is predicted again when another version has become active. Shadow versions
    predict beside the active ones. The registry is read once, so that a promotion in the meantime cannot mix two states of it.
    """
    lineup = Lineup(all_versions(context.stores), _recorded(context), disabled_models(context.stores))
    sessions = context.read(DAILY_FEATURES, Selection(columns=(SESSION,), last=context.as_of, distinct=True))[SESSION]
    done = _last_session(context, DAILY_PREDICTIONS)
    missed = sessions.filter(sessions > done) if done is not None else sessions.clear()
    # The first time there is no past to catch up with: no version was active then.
    wanted = (missed if missed.len() else sessions.tail(1)).to_list()
    made = [part for session in wanted for part in _predictions(context, lineup, session, is_last=session == wanted[-1])]
    if not made:
        return None if context.is_up_to_date else StageOutput(writes=(), watermark=context.as_of)
    predictions, explained = (pl.concat(parts) for parts in zip(*made, strict=True))
    heard = serving_predictions(lineup.versions, predictions)
    last = _best_model(heard.filter(pl.col(SESSION) == heard[SESSION].max()))
    expected = _expected_returns(context, predictions)
    reasons = explained.filter((pl.col(SESSION) == pl.col(SESSION).max()) & (pl.col(RANK) == 1))
    cost = context.settings.trading.cost_bps_per_side
    return StageOutput(
        writes=(
            replace_groups(DAILY_PREDICTIONS, predictions, (SESSION, TRAINING_ID)),
            replace_groups(EXPLANATIONS, explained, (SESSION, TRAINING_ID), may_be_empty=True),
            replace_groups(EXPECTED_RETURNS, expected, (SESSION, TRAINING_ID), may_be_empty=True),
        ),
        watermark=context.as_of,
        charts=lambda: {"predictions": prediction_bars(last, cost)} if last.height else {},
        tables={
            "best": last.sort(RANK).select(BEST_SHOWN).head(20),
            "expected": _beside_costs(last, expected, predicted_horizon(context.settings.labels)).head(20),
            "strongest_feature": reasons.select(REASONS_SHOWN),
        },
        facts={"sessions_predicted": predictions[SESSION].n_unique(), "models": predictions[MODEL].n_unique()},
    )


def _beside_costs(predictions: pl.DataFrame, expected: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """What the predictions mean over the horizon, beside interval, odds and cost, one line a stock, best first."""
    key = [SESSION, TRAINING_ID, SYMBOL]
    of_horizon = expected.filter(pl.col(HORIZON) == horizon)
    return predictions.select(*key, RANK).join(of_horizon, on=key, how="inner").sort(RANK, SYMBOL).select(EXPECTED_SHOWN)


def _expected_returns(context: StageContext, predictions: pl.DataFrame) -> pl.DataFrame:
    """Rows of EXPECTED_RETURNS for those of the predictions whose training has been calibrated."""
    trainings = predictions[TRAINING_ID].unique().sort().to_list()
    calibrations = context.read(RETURN_CALIBRATIONS, Selection(equals={TRAINING_ID: trainings}))
    sessions = predictions[SESSION]
    volatility = read_local_volatility(context.stores, context.settings, sessions.min(), sessions.max())  # type: ignore[arg-type]
    return expected_returns(predictions, calibrations, volatility, context.settings.trading.round_trip_cost)


def make_signals(context: StageContext) -> StageOutput | None:
    """Turn the stack's predictions into signals for the next open; without a stack, those of the first model there is."""
    if not context.has_news():
        return None
    since = _last_session(context, SIGNALS)
    off = disabled_models(context.stores)
    predictions = context.read(DAILY_PREDICTIONS, Selection(first=since, last=context.as_of)).filter(~pl.col(MODEL).is_in(off))
    latest = _best_model(serving_predictions(context.read(MODEL_VERSIONS), predictions))
    if latest.is_empty():
        return StageOutput(writes=(), watermark=context.as_of)
    last = latest[SESSION].max()
    calendar = trading_calendar(context.settings.exchange)
    parts = []
    for (session,), rows in latest.group_by(SESSION, maintain_order=True):
        # Even where nothing was predicted since: old scores are no signal for a later open.
        parts.append(signals(rows, calendar.next_session(session)))
    made, cost = pl.concat(parts), context.settings.trading.cost_bps_per_side
    return StageOutput(
        writes=(replace_sessions(SIGNALS, made),),
        watermark=context.as_of,
        charts=lambda: {"best_and_worst": prediction_bars(made.filter(pl.col(SESSION) == last), cost)},
        tables={"signals": made.group_by(SESSION, SIGNAL).len().sort(SESSION, SIGNAL, descending=[True, False])},
    )


def _last_session(context: StageContext, schema: TableSchema) -> date | None:
    last = context.read(schema, Selection(columns=(SESSION,), last=context.as_of, latest=True, distinct=True))[SESSION].to_list()
    return last[0] if last else None


@dataclass(frozen=True)
class Lineup:
    """The registry's state for predictions."""

    versions: pl.DataFrame  # every version with the columns of its training
    recorded: Mapping[str, str]  # the hash of the manifest of every training, by its training_id
    off: frozenset[str]  # the models that are disabled


def _recorded(context: StageContext) -> dict[str, str]:
    """The hash of the manifest of every training, by its training_id."""
    return dict(context.read(TRAININGS, Selection(columns=(TRAINING_ID, "sha256"))).iter_rows())


def _predictions(context: StageContext, lineup: Lineup, session: date, is_last: bool) -> list[tuple[pl.DataFrame, pl.DataFrame]]:
    """The predictions of one session, explained, by the versions that were to make some on its night and have made none yet."""
    there = context.read(DAILY_PREDICTIONS, Selection(columns=(TRAINING_ID,), first=session, last=session))[TRAINING_ID].unique()
    done = frozenset() if context.full_refresh else frozenset(there)
    every = _versions_to_predict(context, lineup, context.as_of if is_last else session, done)
    if not every:
        return []
    sessions = context.read(DAILY_FEATURES, Selection(columns=(SESSION,), last=session, distinct=True))[SESSION].sort()
    first = sessions.tail(max(loaded.predictor.window for loaded in every))[0]
    inputs = read_inputs(context.stores, context.settings, Selection(first=first, last=session))
    if inputs.filter(pl.col(SESSION) == session).is_empty():
        return []  # the universe of the session is empty
    past = read_past_volatility(context.stores, context.settings, session, only_last=True)
    parts = []
    for loaded in every:
        context.report_progress(f"{loaded.predictor.model} on {session}")
        parts.append((predict(loaded, inputs, session, past), explanations(loaded, inputs, session, REASONS)))
    return parts


def _versions_to_predict(context: StageContext, lineup: Lineup, session: date, done: frozenset[str]) -> list[LoadedVersion]:
    """The versions that are to predict a session and have not, loaded: the active one of each model, and its shadows."""
    heard = lineup.versions.filter(~pl.col(MODEL).is_in(lineup.off))
    claims = [eligible_versions(heard, model, session) for model in heard[MODEL].unique().sort()]
    claims += [shadow.select(MODEL, VERSION) for shadow in in_shadow_on(heard, session).iter_slices(1)]
    found = [_first_sound(context, lineup, claim, done) for claim in claims]
    return [loaded for loaded in found if loaded is not None]


def _first_sound(context: StageContext, lineup: Lineup, claim: pl.DataFrame, done: frozenset[str]) -> LoadedVersion | None:
    """The first version whose artefact is intact, None if it has predicted already: a damaged one gives way to the last good one."""
    for row in claim.join(lineup.versions, on=[MODEL, VERSION], how="inner", maintain_order="left").iter_rows(named=True):
        if row[TRAINING_ID] in done:
            return None
        try:
            return load_version(context.models_root, row, lineup.recorded, lineup.off, context.report_progress)
        except ArtefactError as error:
            context.report_progress(f"version {row[VERSION]} of {row[MODEL]} cannot be used: {error}")
    return None


def _best_model(predictions: pl.DataFrame) -> pl.DataFrame:
    """The predictions of the leading model of each session, as on its night."""
    of_return = predictions.filter(pl.col(MODEL).is_in([*stacked_models(None), STACK]))
    is_stack = pl.col(MODEL) == STACK
    leads = pl.when(is_stack.any().over(SESSION)).then(is_stack).otherwise(pl.col(MODEL) == pl.col(MODEL).min().over(SESSION))
    return of_return.filter(leads)


STAGES: Sequence[Stage] = (
    Stage(
        keys=(key_of(DAILY_PREDICTIONS),),
        description="Predictions of every stock of the universe by the active and shadow versions.",
        tables=(DAILY_PREDICTIONS, EXPLANATIONS, EXPECTED_RETURNS),
        reads=(
            DAILY_FEATURES,
            DAILY_UNIVERSE,
            MODEL_VERSIONS,
            MODEL_ENABLEMENT,
            *via((key_of(MODEL_VERSIONS),), TRAININGS, RETURN_CALIBRATIONS),
            *JUDGED_BAR_TABLES,
        ),
        body=make_predictions,
        settings_ahead=(
            "features.set",
            "labels.horizons",
            "quality.jump_ratio",
            "quality.suspect_ratio",
            "trading",
            "universe",
        ),  # horizon and costs are shown beside the predictions
        code_version="4",
    ),
    Stage(
        keys=(key_of(SIGNALS),),
        description="Signals to buy, hold or sell at the next open.",
        tables=(SIGNALS,),
        reads=(DAILY_PREDICTIONS, MODEL_VERSIONS, MODEL_ENABLEMENT),
        body=make_signals,
        settings_ahead=("exchange", "trading"),
    ),
)
