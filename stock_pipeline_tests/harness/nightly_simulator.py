"""A machine whose market data arrive night by night, and that may be off or be killed while it makes its features."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Literal

import polars as pl

from stock_pipeline.core.columns import ADJ_CLOSE, CLOSE, HIGH, KNOWN_FROM, KNOWN_TO, OPEN, SECTOR, SESSION, SOURCE, SYMBOL, VALUE
from stock_pipeline.core.reports import EQUITY, NET_INCOME, SHARES, YEAR
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.features.assets import stages
from stock_pipeline.features.catalogue import feature_set
from stock_pipeline.features.tables import daily_features
from stock_pipeline.market_data.flags import JUMP_FLAG
from stock_pipeline.market_data.tables import (
    ACTIONS_KNOWN,
    BAR_FLAGS,
    BASIS,
    CORPORATE_ACTIONS,
    CURRENCY,
    DAILY_BARS,
    DIVIDEND,
    FIRST,
    FLAG,
    FLAGGED_ON,
    FUNDAMENTALS,
    INSTRUMENT,
    INSTRUMENTS,
    ITEM,
    KIND,
    LAST,
    PERIOD,
    PERIOD_END,
    RAW,
    SPLIT,
    SYMBOL_HISTORY,
)
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection
from stock_pipeline.universe.assets import STAGES as UNIVERSE
from stock_pipeline_tests.factories.panels import adjusted_panel
from stock_pipeline_tests.factories.rows import INGESTION, put
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import Death, KilledError, dying, execute, unchecked

Fate = Literal["runs", "is off", "is killed before it writes", "is killed after it has written"]
DEATHS: dict[Fate, Death] = {"is killed before it writes": "before it writes", "is killed after it has written": "after it has written"}
News = Literal["a bar restated", "a split told late", "a dividend told late", "a bar doubted"]

HISTORY, NIGHTS = 106, 6
SYMBOLS = tuple(f"S{number:02d}" for number in range(9))  # enough for a common factor
LATE = "S09"  # its history arrives all at once
LISTED = 2  # the night on which it does
PANEL = adjusted_panel(10, HISTORY + NIGHTS, missing_share=0.04)
DAYS: list[date] = PANEL[SESSION].unique().sort().to_list()
TONIGHT = DAYS[HISTORY:]


@dataclass(frozen=True)
class Arrival:
    """What a night brings besides its own bars: news of a session so many before it."""

    night: int
    back: int
    symbol: str
    news: News


@dataclass
class Machine:
    """Stores, and the stages of the features over them.

    Attributes:
        stores: empty at first.
        chosen: name of the feature set.
        arrivals: what the nights bring besides their own bars.
    """

    stores: Stores
    chosen: str
    arrivals: Sequence[Arrival]

    @property
    def settings(self) -> Settings:
        """The defaults with the chosen set."""
        return plain_settings(self.stores.home, features={"set": self.chosen})

    def bring(self, number: int) -> None:
        """The market data of a night; the first one brings all of the history."""
        tonight = TONIGHT[number]
        if number == 0:
            self._bring_companies(tonight)
        self._bring_bars(SYMBOLS, tonight, whole=number == 0)
        if number >= LISTED:
            self._bring_bars((LATE,), tonight, whole=number == LISTED)
        for arrival in self.arrivals:
            if arrival.night == number:
                self._arrive(arrival, tonight)

    def make_features(self, number: int, fate: Fate = "runs") -> None:
        """The universe and both stages, as of a night. A kill takes each of them in its turn."""
        if fate == "is off":
            return
        stores = dying(self.stores, DEATHS[fate]) if fate in DEATHS else self.stores
        for stage in (*UNIVERSE, *stages(self.settings)):
            with suppress(KilledError):
                execute(unchecked(stage), stores, self.settings, TONIGHT[number])

    def features(self) -> pl.DataFrame:
        """What is stored."""
        return self.stores.read(daily_features(feature_set(self.chosen)))

    def _bring_bars(self, symbols: Sequence[str], tonight: date, whole: bool) -> None:
        wanted = pl.col(SYMBOL).is_in(symbols) & (pl.col(SESSION) <= tonight if whole else pl.col(SESSION) == tonight)
        self._put(DAILY_BARS, _as_told(PANEL.filter(wanted), pl.col(SESSION)), tonight)

    def _bring_companies(self, tonight: date) -> None:
        symbols = pl.Series(SYMBOL, [*SYMBOLS, LATE])
        sectors = pl.Series(SECTOR, ["Energy"] * 5 + ["Utilities"] * 4 + [None])
        told = pl.DataFrame([symbols, symbols.alias(INSTRUMENT), sectors]).with_columns(pl.lit("tests").alias(SOURCE))
        self._put(INSTRUMENTS, told, tonight)
        self._put(SYMBOL_HISTORY, told.select(SYMBOL, INSTRUMENT, pl.lit(DAYS[0]).alias(FIRST), pl.lit(None, pl.Date).alias(LAST)), tonight)
        figures = [
            (symbol, item, value * (1 + place), known)
            for place, symbol in enumerate(symbols)
            for item, value, known in ((SHARES, 100.0, DAYS[40]), (EQUITY, 500.0, DAYS[40]), (NET_INCOME, 50.0, DAYS[HISTORY + 3]))
        ]
        reports = pl.DataFrame(figures, schema=[SYMBOL, ITEM, VALUE, KNOWN_FROM], orient="row").with_columns(
            pl.lit(date(2011, 12, 31)).alias(PERIOD_END), pl.lit(YEAR).alias(PERIOD), pl.lit("USD").alias(CURRENCY)
        )
        self._put(FUNDAMENTALS, reports, tonight)

    def _arrive(self, arrival: Arrival, tonight: date) -> None:
        session = DAYS[HISTORY + arrival.night - arrival.back]
        if arrival.news == "a bar restated":
            self._restate(arrival.symbol, session, tonight)
            return
        if arrival.news == "a bar doubted":
            flag = {SYMBOL: arrival.symbol, SESSION: session, FLAG: JUMP_FLAG, VALUE: 50.0, FLAGGED_ON: tonight}
            self._put(BAR_FLAGS, pl.DataFrame([flag]), tonight)
            return
        split = arrival.news == "a split told late"
        row = {SYMBOL: arrival.symbol, SESSION: session, KIND: SPLIT if split else DIVIDEND, VALUE: 2.0 if split else 0.7}
        self._put(CORPORATE_ACTIONS, pl.DataFrame([row | {KNOWN_FROM: tonight}]), tonight)

    def _restate(self, symbol: str, session: date, tonight: date) -> None:
        told = self.stores.read(DAILY_BARS, Selection(first=session, last=session, equals={SYMBOL: [symbol]}))
        in_force = pl.col(KNOWN_TO).is_null()
        # Told twice in one night, the later word counts.
        before = told.filter(pl.col(KNOWN_FROM) < tonight)
        closed = before.with_columns(pl.when(in_force).then(pl.lit(tonight)).otherwise(KNOWN_TO).alias(KNOWN_TO))
        anew = told.filter(in_force).with_columns(pl.col(CLOSE, HIGH, OPEN) * 1.03, pl.lit(tonight).alias(KNOWN_FROM))
        if anew.height:
            self._put(DAILY_BARS, pl.concat([closed, anew]), tonight)

    def _put(self, schema: TableSchema, rows: pl.DataFrame, tonight: date) -> None:
        known = {SOURCE: pl.lit("tests"), KNOWN_TO: pl.lit(None, pl.Date)}
        missing = [known.get(name, pl.lit(None, dtype)).alias(name) for name, dtype in schema.dtypes.items() if name not in rows.columns]
        frame = rows.with_columns(missing).select(schema.column_names)
        put(self.stores, schema, frame, tonight, INGESTION)


def _as_told(bars: pl.DataFrame, known_from: pl.Expr) -> pl.DataFrame:
    """Rows of DAILY_BARS."""
    kinds = [pl.lit(RAW).alias(BASIS), pl.lit(True).alias(ACTIONS_KNOWN), pl.col(CLOSE).alias(ADJ_CLOSE)]
    return bars.drop("jump").with_columns(*kinds, known_from.alias(KNOWN_FROM))
