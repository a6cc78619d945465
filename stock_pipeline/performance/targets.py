"""The targets of the last sessions: what ``datasets.reading.read_training_panel`` has for them, without its features."""

from collections.abc import Collection, Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.columns import FORWARD_RETURN, PAST_VOLATILITY, SESSION, SYMBOL, TARGET
from stock_pipeline.datasets.catalogue import TargetKind
from stock_pipeline.datasets.past_volatility import SPAN, past_volatility
from stock_pipeline.datasets.reading import with_outcomes_of
from stock_pipeline.datasets.training_panel import model_inputs, training_panel
from stock_pipeline.features.catalogue import EXPOSURES
from stock_pipeline.features.reading import chosen_set, read_features
from stock_pipeline.market_data.reading import sessions_of, stepped_bars
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection


def read_targets(
    stores: Stores, settings: Settings, as_of: date, first: date, outcomes: pl.DataFrame, kinds: Collection[TargetKind]
) -> dict[str, pl.DataFrame]:
    """The targets of the sessions from ``first`` on, as they were known on the night of ``as_of``.

    Args:
        stores: both stores.
        settings: for the feature set, of which only the exposures are read, and the ratio from which on a move is a jump.
        as_of: the night.
        first: the first session wanted.
        outcomes: what ``labels.reading.read_outcomes`` returns for that night.
        kinds: of the targets.

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
        panel = training_panel(inputs, with_outcomes_of(kind, stores, as_of, known, past), EXPOSURES)
        made[kind.name] = kind.with_target(panel).select(SESSION, SYMBOL, FORWARD_RETURN, TARGET)
    return made


def read_past_volatility_of(stores: Stores, settings: Settings, as_of: date, wanted: Sequence[date]) -> pl.DataFrame:
    """``past_volatility`` of some sessions, each from the bars up to itself that a prediction on its night rests on.

    So a value is the same to the last bit whichever other sessions are wanted: a rolling deviation that began earlier would differ
    by rounding, and results would be written again every night.

    Args:
        stores: both stores.
        settings: for the ratio from which on a move is a jump.
        as_of: the night whose knowledge of the bars counts.
        wanted: sessions in order.

    Returns:
        symbol, session and past_volatility.
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
