"""Comparing incoming rows with those in the store: which of them are new or restated, and from which night each is known."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from stock_pipeline.core.columns import KNOWN_FROM, KNOWN_TO, SESSION, SOURCE, SYMBOL
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.market_data.tables import ACTIONS_KNOWN, BASIS, CAPTURED, FIRST, SPLIT_ADJUSTED
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection
from stock_pipeline.storage.versions import merge_versions, notice_restatements

RIDERS = (SOURCE, ACTIONS_KNOWN, KNOWN_FROM, KNOWN_TO)  # columns that make no restatement by themselves
# Live services round adjusted prices, so the same bar differs in its last digits when it comes again.
LIVE_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Vintage:
    """When rows came, and from what kind of source.

    Attributes:
        night: the session on whose night they have come.
        live: whether a live source gave some of them.
        held_from: symbol and first stored session of each symbol.
        reached: the session that the store has reached. A bar of a held symbol up to there that only comes now was not known on
            its own night.
    """

    night: date
    live: bool
    held_from: pl.DataFrame | None = None
    reached: date | None = None


def with_history(stores: Stores, schema: TableSchema, incoming: pl.DataFrame, vintage: Vintage) -> pl.DataFrame:
    """The full history of every row that is new or restated.

    A row that the store has from another source stays as it is: two sources never agree to the last digit, and to swap them would
    look like a restatement.

    Args:
        stores: as they are before the night.
        schema: a versioned table of the market store.
        incoming: rows of that table, with ``captured`` (null where the source does not report it).
        vintage: when the rows came, and from what kind of source.
    """
    values = [name for name in schema.column_names if name not in (*schema.key, *RIDERS)]
    first = incoming[schema.session_column].min() if schema.session_column == SESSION else None
    history = stores.read(schema, Selection(first=first if isinstance(first, date) else None))
    if vintage.live:
        already_covered = _held_already(history, incoming, schema)
        incoming = incoming.join(already_covered, on=list(schema.key), how="anti", maintain_order="left")
    # A row with a date of capture says when it was known, so it restates nothing when it comes again, or late.
    was_captured = pl.col(CAPTURED).is_not_null()
    tolerance = LIVE_TOLERANCE if vintage.live else 0.0
    noticed = notice_restatements(history, incoming.filter(~was_captured), schema.key, values, vintage.night, tolerance)
    if vintage.held_from is not None and vintage.reached is not None:
        noticed = _known_late(noticed, vintage.held_from, vintage.reached, vintage.night)
    return merge_versions(history, pl.concat([noticed, incoming.filter(was_captured)]), schema.key, values)


def _held_already(history: pl.DataFrame, incoming: pl.DataFrame, schema: TableSchema) -> pl.DataFrame:
    """The keys of incoming rows that the store has in force from another source, or as traded where they come adjusted for splits.

    Bars come adjusted on a night on which no source reports splits; bars as traded, from a better night, then stay. Bars as traded
    replace adjusted ones, whatever their source: which splits those are adjusted for is not known any more.
    """
    key = list(schema.key)
    both = incoming.join(history.filter(pl.col(KNOWN_TO).is_null()), on=key, how="inner", suffix="_held")
    another = pl.col(SOURCE) != pl.col(f"{SOURCE}_held")
    if BASIS not in schema.dtypes:
        return both.filter(another).select(key)
    comes_adjusted, is_adjusted = pl.col(BASIS) == SPLIT_ADJUSTED, pl.col(f"{BASIS}_held") == SPLIT_ADJUSTED
    return both.filter(pl.when(comes_adjusted == is_adjusted).then(another).otherwise(comes_adjusted)).select(key)


def _known_late(noticed: pl.DataFrame, held_from: pl.DataFrame, reached: date, night: date) -> pl.DataFrame:
    between = (pl.col(SESSION) > pl.col(FIRST)) & (pl.col(SESSION) <= reached)
    late = pl.max_horizontal(KNOWN_FROM, pl.lit(night))
    joined = noticed.join(held_from, on=SYMBOL, how="left", maintain_order="left")
    return joined.with_columns(pl.when(between).then(late).otherwise(KNOWN_FROM).alias(KNOWN_FROM)).select(noticed.columns)
