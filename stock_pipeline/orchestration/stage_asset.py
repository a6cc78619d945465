"""The declaration of an asset: plain data and a body, from which the factory builds what Dagster knows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from stock_pipeline.core.table_schema import StoreName, TableSchema
from stock_pipeline.orchestration.night import Night, Product, Verdict

Key = tuple[str, str]  # (stage, name)
Rhythm = Literal["ingestion", "nightly", "training"]


@dataclass(frozen=True)
class StageCheck:
    """A check of an asset that follows from what is stored, judged after every execution of the asset.

    Attributes:
        name: of the check, in the web UI.
        description: what holds where it passes.
        judge: reads what is stored and says whether it holds.
        blocking: whether nothing is made downstream of an asset that fails it.
    """

    name: str
    description: str
    judge: Callable[[Night], Verdict]
    blocking: bool = False


@dataclass(frozen=True)
class StageAsset:
    """One asset, or several that are made together.

    Attributes:
        keys: asset keys (stage, name); the first names the whole and carries the pictures.
        tables: tables that the body writes; the one that bears a key's name is shown with that asset.
        depends_on: keys of the assets whose tables the body reads.
        body: receives a Night and returns a Product, or None where there is nothing to do.
        rhythm: ``ingestion`` runs by schedule, ``nightly`` when something upstream has changed, ``training`` when missing or due.
        store: the store that is written to; one writer at a time has it.
        code_version: to be raised when the same input gives other rows.
        checks: judged after every execution; they carry the first key.
        failure_is_shown: a failure (after the last retry) is a failed check of the asset rather than the end of the run, so that what
            lies downstream goes on with what there is.
    """

    keys: tuple[Key, ...]
    description: str
    tables: tuple[TableSchema, ...]
    depends_on: tuple[Key, ...]
    body: Callable[[Night], Product | None]
    kinds: tuple[str, ...] = ("polars", "duckdb")
    rhythm: Rhythm = "nightly"
    store: StoreName = "ml"
    code_version: str = "1"
    checks: tuple[StageCheck, ...] = ()
    failure_is_shown: bool = False

    @property
    def name(self) -> str:
        """``stage/name`` of the first key: how the audit trail and the watermarks call the asset."""
        return "/".join(self.keys[0])

    def table_of(self, key: Key) -> TableSchema | None:
        """The table shown with the asset of that key."""
        return next((table for table in self.tables if (table.stage, table.name) == key), None)


def key_of(schema: TableSchema) -> Key:
    """The asset key of a table."""
    return schema.stage, schema.name
