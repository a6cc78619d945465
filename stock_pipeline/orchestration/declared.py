"""Stores and settings that limit a body to what its stage declares, so that tests find undeclared reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import polars as pl
from pydantic import BaseModel

from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.orchestration.stage import Stage, is_declared
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection
from stock_pipeline.storage.stores import VersionedRows

ALWAYS_READ = ("home", "lock_wait_seconds")  # where the stores are


class UndeclaredReadError(StockPipelineError):
    """A body read a table or a setting that its stage does not declare."""


def declared_stores(stores: Stores, stage: Stage) -> Stores:
    """The stores, limited to reads of the tables that the stage makes or declares."""
    return _DeclaredStores(stores.home, stores.market, stores.ml, stage.name, stage.readable)


def declared_settings(settings: Settings, stage: Stage) -> Settings:
    """The settings, limited to those that the stage declares."""
    return cast(Settings, _DeclaredSection(settings, "", (*stage.settings, *stage.settings_ahead, *ALWAYS_READ), stage.name))


@dataclass(frozen=True)
class _DeclaredStores(Stores):
    stage: str
    readable: frozenset[str]

    def read(self, schema: TableSchema, selection: Selection | None = None) -> pl.DataFrame:
        self._require(schema)
        return super().read(schema, selection)

    def count(self, schema: TableSchema) -> int:
        self._require(schema)
        return super().count(schema)

    def rows_ever(self, schema: TableSchema) -> int:
        self._require(schema)
        return super().rows_ever(schema)

    def revision(self, schema: TableSchema) -> str:
        self._require(schema)
        return super().revision(schema)

    def read_versioned(self, schema: TableSchema) -> VersionedRows:
        self._require(schema)
        return super().read_versioned(schema)

    def _require(self, schema: TableSchema) -> None:
        if schema.qualified_name not in self.readable:
            raise UndeclaredReadError(f"{self.stage} read {schema.qualified_name}, which is not among its reads")


@dataclass(frozen=True)
class _DeclaredSection:
    section: BaseModel
    prefix: str
    declared: Sequence[str]
    stage: str

    def __getattr__(self, name: str) -> Any:
        value, path = getattr(self.section, name), f"{self.prefix}{name}"
        if name not in type(self.section).model_fields or is_declared(path, self.declared):
            return value
        if isinstance(value, BaseModel):
            return _DeclaredSection(value, f"{path}.", self.declared, self.stage)
        raise UndeclaredReadError(f"{self.stage} read setting {path}, which is not among its settings")
