"""Dagster resources: the two stores, and the options of one run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import dagster as dg
from dagster_duckdb import DuckDBResource
from pydantic import Field

from stock_pipeline.core.layout import Layout
from stock_pipeline.orchestration.options import RunOptions, parse_session
from stock_pipeline.settings import Settings
from stock_pipeline.storage.database import Database

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class StoreResource(DuckDBResource):
    """One of the stores. As a DuckDBResource it gives read-only connections, which are always closed; ``open`` gives the whole store."""

    store: Literal["market", "ml"]
    wait_seconds: float = 120.0

    def open(self) -> Database:
        """The store itself, with bounded waiting for its lock."""
        return Database(Path(self.database), self.store, self.wait_seconds)

    @contextmanager
    def get_connection(self) -> Iterator["DuckDBPyConnection"]:
        """A read-only connection that is closed whatever happens."""
        with self.open().reader() as connection:
            yield connection


class MarketStore(StoreResource):
    """The market store, market.duckdb: bars, corporate actions, instruments and fundamentals. Ingestion alone writes it."""

    store: Literal["market", "ml"] = "market"


class MlStore(StoreResource):
    """The ML store, ml.duckdb: everything that is made of market data, from features to backtests."""

    store: Literal["market", "ml"] = "ml"


class RunScope(dg.ConfigurableResource[None]):
    """The options of one run. In the launchpad: ``resources: scope: config: as_of: "2010-08-20"``.

    A run of assets has no dry run, as Dagster expects the materialisations and checks that it planned; the job ``training`` has one.
    """

    as_of: str | None = Field(default=None, description="session to work as of, YYYY-MM-DD; by default the last one")
    full_refresh: bool = Field(default=False, description="rebuild from the first session instead of bringing tables up to date")
    source: str | None = Field(default=None, description="source of market data, in place of the one in the settings")
    path: str | None = Field(default=None, description="file or glob for the source files")
    sessions: int | None = Field(default=None, description="number of the last sessions to train on, in place of datasets.sessions")
    folds: int | None = Field(default=None, description="walk-forward folds, in place of datasets.folds")
    trials: int | None = Field(default=None, description="sets of parameters to try per model, in place of models.tuning_trials")

    @property
    def options(self) -> RunOptions:
        """The options, validated.

        Raises:
            InputError: ``as_of`` is not a date, or a number is less than 1.
        """
        return RunOptions(**self.model_dump() | {"as_of": parse_session(self.as_of, "as-of")})


def resources(settings: Settings) -> dict[str, dg.ConfigurableResource[None]]:
    """The resources of the code location under their keys."""
    wait, layout = float(settings.lock_wait_seconds), Layout(settings.home)
    return {
        "market": MarketStore(database=str(layout.market_store), wait_seconds=wait),
        "ml": MlStore(database=str(layout.ml_store), wait_seconds=wait),
        "scope": RunScope(),
    }
