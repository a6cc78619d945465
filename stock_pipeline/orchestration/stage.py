"""The declaration of a stage: plain data and a body. Only this declares what it reads and which settings its rows depend on."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from stock_pipeline.core.table_schema import StoreName, TableSchema, View
from stock_pipeline.orchestration.context import CheckOutcome, StageContext, StageOutput

Key = tuple[str, str]  # (stage, name)
Cadence = Literal["ingestion", "nightly", "training"]


@dataclass(frozen=True)
class CheckSpec:
    """A check as the web UI names it."""

    name: str
    description: str  # the statement that is true where it passes
    blocking: bool = False  # whether nothing is made downstream of an asset that fails it
    warns: bool = False  # whether a failure is a warning rather than an error


@dataclass(frozen=True)
class StageCheck:
    """Checks that are judged together, after an execution of the stage, from what is stored."""

    specs: tuple[CheckSpec, ...]
    # reads what is stored and returns the outcome of each check, by name
    judge: Callable[[StageContext], Mapping[str, CheckOutcome]]
    reads: tuple[TableSchema, ...] = ()  # tables that only the checks read, not the body
    # whether they follow from what the stage and they read, and from code: once passed, they are not judged again before that has changed
    of_rows: bool = False


@dataclass(frozen=True)
class Via:
    """A table of which a stage reads only the rows that these assets made or admitted."""

    table: TableSchema
    keys: tuple[Key, ...]


@dataclass(frozen=True)
class Stage:
    """One asset, or several that are made together."""

    keys: tuple[Key, ...]  # asset keys (stage, name); the first names the whole and carries the charts
    description: str
    tables: tuple[TableSchema, ...]  # tables that the body writes; the one that bears a key's name is shown with that asset
    # tables that the body reads; they determine the assets that the stage depends on, and whether it has news
    reads: tuple[TableSchema | Via, ...]
    # returns None where nothing is to be done
    body: Callable[[StageContext], StageOutput | None]
    # tables that the body reads although they are made after it: feedback of earlier nights. Changes in them are news, but they are no
    # dependency; as feedback comes with a new night, such a stage depends on ingestion.
    reads_back: tuple[TableSchema, ...] = ()
    amends: tuple[TableSchema, ...] = ()  # tables of other stages that the body changes once the night has read them
    views: tuple[View, ...] = ()  # views that the store keeps for people who use SQL, made before the body runs
    # settings that the rows depend on, as sections or as dotted names: where one has changed, the rows are rebuilt
    settings: tuple[str, ...] = ()
    # settings that count only for new rows: a decision once taken stands, a bar once stored is kept
    settings_ahead: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("polars", "duckdb")
    # returns the session that the stage should have reached; where it is None or returns None, an ingestion should have reached what
    # its source has, and every other stage the session of its run
    expected: Callable[["StageContext"], date | None] | None = None
    # ``ingestion`` runs by schedule, ``nightly`` when something upstream has changed, ``training`` when missing or due
    cadence: Cadence = "nightly"
    dry_runs: bool = False  # whether a dry run executes it; it does so with all of cadence ``training``
    store: StoreName = "ml"  # the store that is written to; one writer at a time has it
    code_version: str = "1"  # to be incremented when the same input gives other rows
    checks: tuple[StageCheck, ...] = ()  # judged after every execution; they carry the first key
    # whether a failure, after the last retry, is a failed check of the asset instead of the end of the run; downstream assets then use
    # what is stored
    tolerates_failure: bool = False

    def __repr__(self) -> str:
        return f"Stage({self.name})"

    @property
    def name(self) -> str:
        """``stage/name`` of the first key: the asset's name in the audit trail and in the watermarks."""
        return "/".join(self.keys[0])

    @property
    def news(self) -> tuple[TableSchema, ...]:
        """The tables whose changes make the stage due."""
        return (*(read.table if isinstance(read, Via) else read for read in self.reads), *self.reads_back)

    @property
    def readable(self) -> frozenset[str]:
        """The qualified names of the tables that the body and the checks may read."""
        checked = (table for check in self.checks for table in check.reads)
        return frozenset(table.qualified_name for table in (*self.tables, *self.amends, *self.news, *checked))

    def table_of(self, key: Key) -> TableSchema | None:
        """The table shown with the asset of that key."""
        return next((table for table in self.tables if (table.room, table.name) == key), None)


def key_of(schema: TableSchema) -> Key:
    """The asset key of a table."""
    return schema.room, schema.name


def via(keys: tuple[Key, ...], *tables: TableSchema) -> tuple[Via, ...]:
    """Tables of which a stage reads only the rows that the assets of these keys made or admitted."""
    return tuple(Via(table, keys) for table in tables)


def dependencies(stage: Stage, stages: Sequence[Stage]) -> tuple[Key, ...]:
    """The keys of the assets that make what a stage reads, in the order of its reads, without its own."""
    found: dict[Key, None] = {}
    for read in stage.reads:
        found |= dict.fromkeys(read.keys if isinstance(read, Via) else _makers(read, stages))
    if stage.reads_back:
        found |= {other.keys[0]: None for other in stages if other.cadence == "ingestion"}
    return tuple(key for key in found if key not in stage.keys)


def _makers(table: TableSchema, stages: Iterable[Stage]) -> list[Key]:
    name, key = table.qualified_name, key_of(table)
    makers = [stage for stage in stages if name in (made.qualified_name for made in stage.tables)]
    return [key if key in stage.keys else stage.keys[0] for stage in makers]


def effects_of_settings(stages: Iterable[Stage], names: Iterable[str]) -> dict[str, str]:
    """The effect of a change of each setting that a stage reads: the rooms that rebuild their rows, or use it from then on."""
    every = tuple(stages)
    found = {}
    for name in names:
        again = dict.fromkeys(stage.keys[0][0] for stage in every if is_declared(name, stage.settings))
        ahead = dict.fromkeys(stage.keys[0][0] for stage in every if is_declared(name, stage.settings_ahead))
        effects = [f"rebuilt: {', '.join(again)}"] if again else []
        effects += [f"from then on: {', '.join(later)}"] if (later := [room for room in ahead if room not in again]) else []
        if effects:
            found[name] = "; ".join(effects)
    return found


def is_declared(name: str, declared: Iterable[str]) -> bool:
    """Whether a setting, or a section that holds it, is declared."""
    return any(name == known or name.startswith(f"{known}.") for known in declared)
