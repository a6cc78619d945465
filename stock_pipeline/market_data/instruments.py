"""The instruments behind the symbols: updating the symbol history and the particulars with a night's news."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from stock_pipeline.core.columns import AS_OF, INDUSTRY, NAME, SECTOR, SESSION, SOURCE, SYMBOL
from stock_pipeline.market_data.sources.errors import ReportedDelistedError
from stock_pipeline.market_data.symbol_history import follow_symbols, renames_by_contract
from stock_pipeline.market_data.tables import CONTRACT, CURRENCY, DELISTED_ON, EXCHANGE, FIRST, INSTRUMENT, INSTRUMENTS, LAST, REASON

PARTICULARS = (NAME, EXCHANGE, CURRENCY, SECTOR, INDUSTRY, CONTRACT)


@dataclass(frozen=True)
class Identities:
    """Rows for the tables symbol_history and instruments."""

    history: pl.DataFrame
    instruments: pl.DataFrame


@dataclass(frozen=True)
class ListingNews:
    """A night's news of listings.

    Attributes:
        night: the session on whose night it is known.
        bars: symbol, session of the new bars.
        particulars: symbol, particulars and source as the sources have them now.
        renames: old, new, session.
        delisted: symbols found to be delisted, with their last session.
    """

    night: date
    bars: pl.DataFrame
    particulars: pl.DataFrame
    renames: pl.DataFrame
    delisted: Mapping[str, date]


def identify(held: Identities, last_held: Mapping[str, date], news: ListingNews) -> Identities:
    """Both tables updated with a night's bars and particulars; ``last_held`` is the last stored session of each symbol."""
    contracts = dict(held.instruments.select(CONTRACT, SYMBOL).drop_nulls().iter_rows())
    moved = renames_by_contract(contracts, news.particulars.select(SYMBOL, CONTRACT), news.bars, last_held)
    renames = pl.concat([news.renames.filter(pl.col(SESSION) <= news.night), moved])
    followed = follow_symbols(held.history, last_held, news.bars, renames, news.delisted)
    return Identities(followed, _particulars(followed, held.instruments, news))


def _particulars(history: pl.DataFrame, held: pl.DataFrame, news: ListingNews) -> pl.DataFrame:
    latest = history.sort(FIRST).group_by(INSTRUMENT, maintain_order=True).last().select(INSTRUMENT, SYMBOL, LAST)
    holders = history.sort(FIRST).group_by(SYMBOL, maintain_order=True).last().select(INSTRUMENT)
    # Particulars of a symbol belong to the instrument that bears it now.
    now = latest.join(holders, on=INSTRUMENT, how="semi").join(news.particulars, on=SYMBOL, how="inner").drop(SYMBOL, LAST)
    joined = latest.join(now, on=INSTRUMENT, how="left").join(held.drop(SYMBOL), on=INSTRUMENT, how="left", suffix="_held")
    ended = pl.col(LAST).is_not_null()
    of_now = pl.col(INSTRUMENT).is_in(holders[INSTRUMENT].implode())
    just_found = of_now & pl.col(SYMBOL).is_in(list(news.delisted)) & pl.col(DELISTED_ON).is_null()
    columns = [pl.coalesce(name, f"{name}_held").alias(name) for name in (*PARTICULARS, SOURCE)]
    return (
        joined.with_columns(*columns, pl.when(ended & just_found).then(pl.lit(news.night)).when(ended).then(DELISTED_ON).alias(DELISTED_ON))
        .drop_nulls(SOURCE)
        .select(INSTRUMENTS.column_names)
        .sort(INSTRUMENT)
    )


def found_delisted(failures: pl.DataFrame, earlier: pl.DataFrame, bars: pl.DataFrame, last_held: Mapping[str, date]) -> dict[str, date]:
    """Symbols reported as delisted tonight and on an earlier night too, with their last session.

    One such answer is not believed: the service gives it for healthy symbols on its bad days.

    Args:
        failures: symbol, reason of tonight.
        earlier: as_of, symbol, reason of earlier nights.
        bars: tonight's bars; a symbol that has traded since is not delisted.
        last_held: the last stored session of each symbol.
    """
    said = pl.col(REASON) == ReportedDelistedError.word
    reached = pl.col(SYMBOL).replace_strict(last_held, default=None, return_dtype=pl.Date)
    traded = bars.filter(pl.col(SESSION) > reached)
    # A report of a night whose bar came after all does not count.
    before = earlier.filter(said & (pl.col(AS_OF) > reached))
    again = failures.filter(said).join(before, on=SYMBOL, how="semi").join(traded, on=SYMBOL, how="anti")
    return {symbol: last_held[symbol] for symbol in again[SYMBOL].unique().sort() if symbol in last_held}
