"""Computing features from bars: for every session of a panel or only the last ones, with identical values either way."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import polars as pl

from stock_pipeline.core.columns import IN_UNIVERSE, PRICES, SECTOR, SESSION, SYMBOL, VOLUME
from stock_pipeline.core.errors import InputError
from stock_pipeline.features.bars import FILL_SESSIONS, PLACE, usable_bars
from stock_pipeline.features.factors import factor_values
from stock_pipeline.features.feature import Feature, dependency_levels
from stock_pipeline.features.grid import AGE, on_grid
from stock_pipeline.features.market import market_series
from stock_pipeline.features.segments import TARGET, segments

# Rows that are worked on at once: the columns of so many stay in the processor's cache, and memory does not grow with the panel.
BLOCK_ROWS: Final = 100_000
# What the market and the ranks are made of shows in no expression. Raise this whenever it changes: it is part of the hash of every set,
# which makes what is stored be rebuilt.
METHOD: Final = 3


def session_span(features: Sequence[Feature]) -> int:
    """How many sessions, the current one included, a value may depend on.

    The longest look-back, and the sessions by which the price at its far end may have been carried forward.
    """
    return max((feature.look_back for feature in features), default=1) + FILL_SESSIONS


def compute_features(panel: pl.DataFrame, features: Sequence[Feature], first: date | None = None) -> pl.DataFrame:
    """The features of every bar, or of those from session ``first`` on.

    The values of a session depend on its own window alone: the ``session_span`` sessions of the panel that end with it.

    Args:
        panel: bars in any order: symbol (String), session (Date), open, high, low, close, volume (Float64); price_factor and
            volume_factor where they are not adjusted yet (see ``adjustments.with_factors``); in_universe (Boolean) where not every
            stock is in it; sector and the ratios of fundamental_ratios where a feature needs them.
        features: which features, each a column of the result.
        first: the first session to make; None makes all. Earlier sessions are read only as far as windows reach.

    Returns:
        Symbol, session and one Float32 column per feature, a row for each bar whose prices are positive numbers, in the order of
        symbol and session. Where the history is too short or the formula divides by zero the value is null, never NaN or
        infinite. The market, ranks and common factors are of the stocks in the universe of the session: a stock outside has its own
        features, also against that market, and no rank or feature of
        the common factors.

    Raises:
        InputError: a symbol has two bars in one session, or the panel lacks a column that a feature needs.
    """
    _refuse_missing(panel, features)
    bars = usable_bars(panel)
    wanted = bars if first is None else bars.filter(pl.col(SESSION) >= first)
    if wanted.is_empty():
        return pl.DataFrame(schema={SYMBOL: pl.String, SESSION: pl.Date} | {feature.name: pl.Float32 for feature in features})
    by_place = {where: [feature for feature in features if feature.on == where] for where in ("grid", "bar", "market", "factors")}
    market = market_series(bars)
    first_place = int(wanted[PLACE].min())  # type: ignore[arg-type]
    blocks = segments(bars, first_place, session_span(by_place["grid"]), BLOCK_ROWS)
    windowed = pl.concat(_of_block(block, market, by_place["grid"]) for block in blocks)
    auxiliary = [IN_UNIVERSE, *([SECTOR] if SECTOR in wanted.columns else [])]
    simple = _simple(wanted, by_place["bar"])
    common = _of_factors(bars, first_place, by_place["factors"])
    joined = pl.concat([wanted.select(SYMBOL, SESSION, *auxiliary), windowed, simple, common], how="horizontal")
    if by_place["market"]:
        regime = pl.concat([market.select(SESSION), _simple(market, by_place["market"])], how="horizontal")
        joined = joined.join(regime, on=SESSION, how="left", maintain_order="left")
    return joined.select(SYMBOL, SESSION, *map(_ranked, features))


def _refuse_missing(panel: pl.DataFrame, features: Sequence[Feature]) -> None:
    wanted = {SYMBOL, SESSION, *PRICES, VOLUME}
    for feature in features:
        wanted |= set(feature.expression.meta.root_names()) if feature.on == "bar" else set()
        wanted |= {SECTOR} if feature.ranked == "sector" else set()
    missing = sorted(wanted - set(panel.columns))
    if missing:
        raise InputError(f"the panel of the features has no column {', '.join(missing)}; join it to the bars first")


def _of_block(block: pl.DataFrame, market: pl.DataFrame, features: Sequence[Feature]) -> pl.DataFrame:
    """The features that are made on the grid, of the targets of a block of segments in their order."""
    price_there = pl.col(AGE).is_between(0, FILL_SESSIONS)
    full = {span: price_there.shift(span - 1).alias(f"full_{span}") for span in {feature.look_back for feature in features}}
    grid = on_grid(block, market)
    for layer in dependency_levels(series for feature in features for series in feature.inputs):
        grid = grid.with_columns(**layer)
    values = grid.select(TARGET, AGE, *full.values(), *map(_value, features))
    return values.filter(TARGET & (pl.col(AGE) == 0)).select(map(_sound, features))


def _simple(frame: pl.DataFrame, features: Sequence[Feature]) -> pl.DataFrame:
    """The features that are made on a frame without empty rows; their windows are full from the row that has so many before it."""
    full = {span: (pl.int_range(pl.len()) >= span - 1).alias(f"full_{span}") for span in {feature.look_back for feature in features}}
    return frame.select(*full.values(), *map(_value, features)).select(map(_sound, features))


def _of_factors(bars: pl.DataFrame, first_place: int, features: Sequence[Feature]) -> pl.DataFrame:
    """The features that are made of all stocks of a session, of the bars from ``first_place`` on."""
    if not features:
        return pl.DataFrame()
    values = factor_values(bars, first_place).select(map(_value, features))
    return values.select(pl.when(pl.col(feature.name).is_finite()).then(feature.name).alias(feature.name) for feature in features)


def _value(feature: Feature) -> pl.Expr:
    return feature.expression.cast(pl.Float32).alias(feature.name)


def _sound(feature: Feature) -> pl.Expr:
    """A computed feature, null where it is not finite or its window not full."""
    return pl.when(pl.col(feature.name).is_finite() & pl.col(f"full_{feature.look_back}")).then(feature.name).alias(feature.name)


def _ranked(feature: Feature) -> pl.Expr:
    # Of the values as rounded to Float32: stocks that differ only by how their prices were scaled stay tied.
    value = pl.col(feature.name)
    if feature.ranked is None:
        return value
    among = [SESSION] if feature.ranked == "session" else [SESSION, SECTOR]
    counted = pl.when(IN_UNIVERSE).then(value)
    return ((counted.rank("average") - 0.5) / counted.count()).over(among).cast(pl.Float32).alias(feature.name)
