"""The targets of the last sessions: what ``datasets.reading.read_training_panel`` has for them, without its features."""

from collections.abc import Collection, Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.columns import FORWARD_RETURN, SESSION, SYMBOL
from stock_pipeline.datasets.past_volatility import SPAN, past_volatility
from stock_pipeline.datasets.targets import PAST_VOLATILITY, TARGET, Kind, with_target
from stock_pipeline.datasets.training_panel import model_inputs, training_panel
from stock_pipeline.features.catalogue import EXPOSURES
from stock_pipeline.features.reading import chosen_set, read_features
from stock_pipeline.labels.reading import read_forward_volatility
from stock_pipeline.market_data.reading import sessions_of, stepped_bars
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection


def read_targets(
    stores: Stores, settings: Settings, as_of: date, first: date, outcomes: pl.DataFrame, kinds: Collection[Kind]
) -> dict[Kind, pl.DataFrame]:
    """The targets of the sessions from ``first`` on, as they were known on the night of ``as_of``.

    Args:
        stores: both stores.
        settings: for the feature set, of which only the exposures are read, and the ratio from which on a move is a jump.
        as_of: the night.
        first: the first session wanted.
        outcomes: what ``labels.reading.read_outcomes`` returns for that night.
        kinds: of the targets.

    Returns:
        For each kind session, symbol, forward_return and target, both null where they are not known; sorted by session and symbol.
    """
    chosen = chosen_set(settings)
    exposures = read_features(stores, chosen, Selection(columns=(SYMBOL, SESSION, *EXPOSURES), first=first, last=as_of))
    inputs = model_inputs(exposures, EXPOSURES, chosen.bounds)
    known = outcomes.filter(pl.col(SESSION) >= first)
    made: dict[Kind, pl.DataFrame] = {}
    for kind in kinds:
        of_kind = _with_volatility(stores, settings, as_of, known) if kind == "volatility" else known
        panel = with_target(training_panel(inputs, of_kind, EXPOSURES), kind, EXPOSURES)
        made[kind] = panel.select(SESSION, SYMBOL, FORWARD_RETURN, TARGET)
    return made


def _with_volatility(stores: Stores, settings: Settings, as_of: date, outcomes: pl.DataFrame) -> pl.DataFrame:
    """The outcomes of which the volatility ahead is known too, with that and the past one."""
    known = outcomes.join(read_forward_volatility(stores, as_of), on=[SYMBOL, SESSION], how="inner")
    past = read_past_volatility_of(stores, settings, as_of, known[SESSION].unique().sort().to_list())
    return known.join(past, on=[SYMBOL, SESSION], how="left")


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
