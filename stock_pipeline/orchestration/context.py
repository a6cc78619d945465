"""The input and the output of a stage's body."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

from stock_pipeline.core.errors import InputError, StockPipelineError
from stock_pipeline.core.table_schema import StoreName, TableSchema
from stock_pipeline.orchestration.options import RunOptions
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores, Write, replace_all, replace_sessions
from stock_pipeline.storage.reading import Selection


@dataclass(frozen=True)
class StageContext:
    """One execution of a stage: its session, its watermark, its stores and its settings."""

    asset: str  # name of the stage
    store: StoreName  # which it writes to
    news: tuple[TableSchema, ...]  # the tables whose changes make the stage due
    stores: Stores
    settings: Settings  # with what the run has chosen for its training
    options: RunOptions  # what the run was asked to do
    watermark: date | None  # the session that the stage itself has reached; None: it has made nothing yet
    market_watermark: date | None  # the session that ingestion has reached
    changed: date | None  # the earliest session whose rows in ``news`` have changed since the stage last looked; None: none has
    full_refresh: bool  # whether everything is to be rebuilt: asked for, or as the code or a setting has changed
    moment: datetime  # when the execution began, UTC; for the audit trail and for ingestion, never for data
    report_progress: Callable[[str], None] = field(default=lambda _note: None)  # receives notes on what is being done

    @property
    def as_of(self) -> date:
        """The last session whose data the stage works with.

        Where the watermark lies beyond the session asked for, this is the watermark: later sessions would otherwise keep outdated rows and
        count as made. Only a full refresh or a run with its own choice of training goes back.

        Raises:
            InputError: the session asked for lies beyond what has been ingested.
            StockPipelineError: nothing has been ingested yet.
        """
        if self.market_watermark is None:
            raise StockPipelineError("there are no bars yet; materialise market_data/daily_bars first")
        requested = self.options.as_of
        if requested is not None and requested > self.market_watermark:
            raise InputError(f"as-of {requested} lies beyond the last session ingested, {self.market_watermark}")
        goes_back = self.options.full_refresh or self.options.choose_training
        if requested is not None and self.watermark is not None and not goes_back:
            return max(requested, self.watermark)
        return requested or self.market_watermark

    @property
    def is_up_to_date(self) -> bool:
        """Whether the stage has already reached the session, so that nothing is to be done."""
        if self.full_refresh or self.options.choose_training or self.options.dry_run:
            return False
        return self.watermark is not None and self.watermark >= self.as_of

    def first_to_make(self, sessions: Sequence[date], of: Sequence[TableSchema] | None = None) -> date | None:
        """The first of ``sessions`` to be made: it lies beyond the watermark, or has changed upstream since; None where there is none.

        So a restatement reaches all rows that depend on it. ``of`` are the tables whose changes count; None: all tables of ``news``.
        """
        if self.full_refresh or self.watermark is None:
            return sessions[0] if sessions else None
        watermark = self.watermark
        changed = self.changed if of is None else self.stores.changed_from(of, self.store, self.asset)
        wanted = [day for day in sessions if day > watermark or (changed is not None and day >= changed)]
        return wanted[0] if wanted else None

    def has_news(self) -> bool:
        """Whether anything is to be done: a session to reach, or upstream rows that have changed since."""
        return not self.is_up_to_date or self.changed is not None

    def nights_to_make(self, schema: TableSchema, sessions: Iterable[date]) -> list[date]:
        """The nights of a log, a table with rows for each night, to be made, in order.

        They are this one, those missed since the watermark, and in a full refresh all stored ones before. So a machine that was off comes
        to the same table as one that never was. Rows once made stand.

        Args:
            schema: of the log.
            sessions: those that the log's input has; each of them had a night.
        """
        session, watermark = schema.session_column, self.watermark
        nights = {self.as_of}
        if watermark is not None:
            nights.update(day for day in sessions if watermark < day < self.as_of)
        if self.full_refresh and session is not None:
            nights.update(self.read(schema, Selection(columns=(session,), last=self.as_of, distinct=True))[session])
        return sorted(nights)

    def rows_of_nights(self, schema: TableSchema, frame: pl.DataFrame, least_share: float = 0.0, may_be_empty: bool = False) -> Write:
        """The write of a log: the nights in ``frame`` replace the same stored nights, or in a full refresh all but later ones.

        Args:
            schema: of the log.
            frame: its new rows.
            least_share: of a night's stored rows, 0 to 1; a payload with fewer is refused.
            may_be_empty: whether a payload without rows is valid.
        """
        if self.full_refresh:
            later = self.read(schema, Selection(first=self.as_of + timedelta(days=1)))
            return replace_all(schema, pl.concat([frame, later.select(frame.columns)], how="vertical_relaxed"), may_be_empty=may_be_empty)
        return replace_sessions(schema, frame, least_share=least_share, may_be_empty=may_be_empty)

    @property
    def models_root(self) -> Path:
        """The folder of the model artefacts."""
        return self.stores.layout.models

    def read(self, schema: TableSchema, selection: Selection | None = None) -> pl.DataFrame:
        """Rows of a table, ordered by its key."""
        return self.stores.read(schema, selection)


Facts = Mapping[str, float | int | str | pl.DataFrame]


@dataclass(frozen=True)
class CheckOutcome:
    """Whether a check passed, and the facts shown with it; a frame is shown as a table."""

    passed: bool
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class StageOutput:
    """The output of a body: rows to write, the session that they reach, and what the web UI shows."""

    writes: tuple[Write, ...]
    watermark: date
    charts: Callable[[], Mapping[str, bytes]] = dict  # draws PNG files, by name, when they are shown
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)  # small frames
    facts: Mapping[str, float | int | str | None] = field(default_factory=dict)  # single figures that the web UI plots over time
