"""What an asset's body receives, and what it gives back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from stock_pipeline.core.errors import InputError, StockPipelineError
from stock_pipeline.core.table_schema import StoreName, TableSchema
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores, Write
from stock_pipeline.storage.reading import Selection


@dataclass(frozen=True)
class Night:
    """One execution of an asset: as of which session it works, how far it has come, and where it reads.

    ``watermark`` is the session that the asset itself has reached, ``market_watermark`` the one that ingestion has. ``chosen`` says that
    the run has chosen how to train, so that ``settings`` are its own; a ``dry_run`` writes nothing.
    """

    asset: str
    store: StoreName
    stores: Stores
    settings: Settings
    requested: date | None
    watermark: date | None
    market_watermark: date | None
    full_refresh: bool = False
    source: str | None = None
    path: str | None = None
    chosen: bool = False
    dry_run: bool = False
    say: Callable[[str], None] = field(default=lambda _note: None)

    @property
    def as_of(self) -> date:
        """The session whose night's knowledge the asset works with.

        Raises:
            InputError: the session asked for lies beyond what has been ingested.
            StockPipelineError: nothing has been ingested yet.
        """
        if self.market_watermark is None:
            raise StockPipelineError("there are no bars yet; materialise market_data/daily_bars first")
        if self.requested is not None and self.requested > self.market_watermark:
            raise InputError(f"as-of {self.requested} lies beyond the last session ingested, {self.market_watermark}")
        return self.requested or self.market_watermark

    @property
    def is_up_to_date(self) -> bool:
        """Whether the asset has already reached the session, so that there is nothing to do."""
        return not (self.full_refresh or self.chosen or self.dry_run) and self.watermark is not None and self.watermark >= self.as_of

    def first_to_make(self, upstream: Sequence[TableSchema], sessions: Sequence[date]) -> date | None:
        """The first of ``sessions`` that is to be made: beyond the watermark, or changed upstream since; None where there is none.

        So that a restatement reaches everything made of it, whatever it finds already there.
        """
        if self.full_refresh or self.watermark is None:
            return sessions[0] if sessions else None
        watermark = self.watermark
        changed = self.stores.changed_from(upstream, self.store, self.asset)
        wanted = [day for day in sessions if day > watermark or (changed is not None and day >= changed)]
        return wanted[0] if wanted else None

    def has_news(self, upstream: Sequence[TableSchema]) -> bool:
        """Whether there is anything to do: a session to reach, or rows upstream that have changed since."""
        return not self.is_up_to_date or self.stores.changed_from(upstream, self.store, self.asset) is not None

    @property
    def models_root(self) -> Path:
        """The folder of the model artefacts."""
        return self.stores.home / "models"

    def read(self, schema: TableSchema, selection: Selection | None = None) -> pl.DataFrame:
        """Rows of a table, ordered by its key."""
        return self.stores.read(schema, selection)


@dataclass(frozen=True)
class Verdict:
    """Whether a check holds, and what people are to see of it."""

    passed: bool
    facts: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Product:
    """What a body made: rows to write, the session that they reach, and what people look at in the web UI.

    ``pictures`` are PNG files, ``tables`` small frames, ``facts`` single figures that the UI plots over time.
    """

    writes: tuple[Write, ...]
    watermark: date
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    facts: Mapping[str, float | int | str | None] = field(default_factory=dict)
