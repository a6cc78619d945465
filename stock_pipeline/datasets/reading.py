"""Reading what models learn from: features as models see them, and beside them what came of each row."""

from collections.abc import Callable, Collection, Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.columns import FORWARD_RETURN, FORWARD_VOLATILITY, PAST_VOLATILITY, SESSION, SYMBOL, TARGET
from stock_pipeline.datasets.catalogue import RETURN_KIND, TargetKind
from stock_pipeline.datasets.past_volatility import SPAN, past_volatility
from stock_pipeline.datasets.splits import Split, splits_from_table
from stock_pipeline.datasets.tables import WALK_FORWARD_SPLITS
from stock_pipeline.datasets.training_panel import model_inputs, training_panel
from stock_pipeline.features.catalogue import EXPOSURES, FeatureSet
from stock_pipeline.features.reading import chosen_set, read_features
from stock_pipeline.labels.reading import read_forward_volatility, read_outcomes
from stock_pipeline.market_data.reading import sessions_of, stepped_bars
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection


def read_training_panel(stores: Stores, settings: Settings, as_of: date, kind: TargetKind = RETURN_KIND) -> pl.DataFrame:
    """Everything known on the night of ``as_of``: ``training_panel`` with the target of a kind.

    Where ``datasets.sessions`` is set, only so many of the last sessions with features are there.
    """
    chosen = chosen_set(settings)
    outcomes = read_outcomes(stores, as_of, settings.labels.horizons[0])
    sessions = outcomes[SESSION].unique().sort().to_list()
    first = sessions[-settings.datasets.sessions :][0] if settings.datasets.sessions and sessions else None
    inputs = read_inputs(stores, settings, Selection(first=first, last=as_of))
    made_of = _with_outcomes_of(kind, stores, as_of, outcomes, lambda _known: read_past_volatility(stores, settings, as_of))
    return kind.with_target(training_panel(inputs, made_of, input_names(chosen)))


def _with_outcomes_of(
    kind: TargetKind, stores: Stores, as_of: date, outcomes: pl.DataFrame, past: Callable[[pl.DataFrame], pl.DataFrame]
) -> pl.DataFrame:
    """The outcomes with what the target of a kind is made of besides returns; ``past`` makes past_volatility of the rows that are left."""
    key = [SYMBOL, SESSION]
    if FORWARD_VOLATILITY in kind.outcomes:
        outcomes = outcomes.join(read_forward_volatility(stores, as_of), on=key, how="inner")
    return outcomes.join(past(outcomes), on=key, how="left") if PAST_VOLATILITY in kind.outcomes else outcomes


def read_inputs(stores: Stores, settings: Settings, selection: Selection) -> pl.DataFrame:
    """symbol, session, the features of the chosen set as models see them (see ``model_inputs``), and the exposures likewise."""
    chosen = chosen_set(settings)
    return model_inputs(read_features(stores, chosen, selection), input_names(chosen), chosen.bounds)


def input_names(chosen: FeatureSet) -> tuple[str, ...]:
    """The features of the set to learn from, and the exposures that are not among them."""
    return (*chosen.names, *(name for name in EXPOSURES if name not in chosen.names))


def read_past_volatility(stores: Stores, settings: Settings, as_of: date, only_last: bool = False) -> pl.DataFrame:
    """``past_volatility`` of every session known on the night of ``as_of``, or right for the last of them alone."""
    first = sessions_of(stores, as_of)[-SPAN:][0] if only_last else None
    bars = stepped_bars(stores, as_of, settings.quality.jump_ratio, first)
    return past_volatility(bars)


def read_targets(
    stores: Stores, settings: Settings, as_of: date, first: date, outcomes: pl.DataFrame, kinds: Collection[TargetKind]
) -> dict[str, pl.DataFrame]:
    """The targets of the sessions from ``first`` on, as they were known on the night of ``as_of``.

    Of the feature set only the exposures are read. ``outcomes`` are what ``labels.reading.read_outcomes`` returns for that night.

    Returns:
        For each kind, by its name, session, symbol, forward_return and target, both null where they are not known; sorted by session
        and symbol.
    """
    chosen = chosen_set(settings)
    exposures = read_features(stores, chosen, Selection(columns=(SYMBOL, SESSION, *EXPOSURES), first=first, last=as_of))
    inputs = model_inputs(exposures, EXPOSURES, chosen.bounds)
    known = outcomes.filter(pl.col(SESSION) >= first)

    def past(rows: pl.DataFrame) -> pl.DataFrame:
        return read_past_volatility_of(stores, settings, as_of, rows[SESSION].unique().sort().to_list())

    made = {}
    for kind in kinds:
        panel = training_panel(inputs, _with_outcomes_of(kind, stores, as_of, known, past), EXPOSURES)
        made[kind.name] = kind.with_target(panel).select(SESSION, SYMBOL, FORWARD_RETURN, TARGET)
    return made


def read_past_volatility_of(stores: Stores, settings: Settings, as_of: date, wanted: Sequence[date]) -> pl.DataFrame:
    """``past_volatility`` of some sessions, each from the bars up to itself that a prediction on its night rests on.

    So a value is the same to the last bit whichever other sessions are wanted: a rolling deviation that began earlier would differ
    by rounding, and results would be written again every night.

    Args:
        as_of: the night whose knowledge of the bars counts.
        wanted: sessions in order.
    """
    sessions = sessions_of(stores, as_of)
    spans = {day: sessions[max(0, place + 1 - SPAN)] for place, day in enumerate(sessions)}
    days = [day for day in wanted if day in spans]
    empty = pl.DataFrame(schema={SYMBOL: pl.String, SESSION: pl.Date, PAST_VOLATILITY: pl.Float64})
    if not days:
        return empty
    bars = stepped_bars(stores, as_of, settings.quality.jump_ratio, spans[days[0]])
    seen = pl.col(SESSION).is_between
    parts = [past_volatility(bars.filter(seen(spans[day], day))).filter(pl.col(SESSION) == day) for day in days]
    return pl.concat([empty, *parts])


def read_splits(stores: Stores, as_of: date) -> list[Split]:
    """The last walk-forward splits made up to the night of ``as_of``, in the order of their folds; none where there are none."""
    return splits_from_table(stores.read(WALK_FORWARD_SPLITS, Selection(last=as_of, latest=True)))
