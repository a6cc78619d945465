"""The description of a table, from which its DDL, its documentation and its checks all come, and of a view of tables.

What does not belong here: how SQL is made of it (storage/), the tables themselves (each stage's ``tables.py``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import polars as pl

from stock_pipeline.core.columns import KNOWN_FROM, SESSION
from stock_pipeline.core.errors import SchemaError
from stock_pipeline.core.ordering import strictly_ordered

StoreName = Literal["market", "ml"]
DataType = type[pl.DataType] | pl.DataType


@dataclass(frozen=True)
class Column:
    """One column: its Polars type, what it means, and what its values must satisfy. NaN and infinities are always refused."""

    name: str
    dtype: DataType
    description: str
    nullable: bool = False  # otherwise null is refused
    minimum: float | None = None  # inclusive
    maximum: float | None = None  # inclusive
    allowed: tuple[str, ...] | None = None  # the only values that a text column may hold

    def violations(self) -> list[tuple[str, pl.Expr]]:
        """The rules of the column: pairs of a phrase for the violation and an expression that is true on the offending rows."""
        column = pl.col(self.name)
        found: list[tuple[str, pl.Expr]] = []
        if not self.nullable:
            found.append(("null", column.is_null()))
        if self.dtype in (pl.Float32, pl.Float64):
            found.append(("not finite", ~column.is_finite()))
        if self.minimum is not None:
            found.append((f"below {self.minimum:g}", column < self.minimum))
        if self.maximum is not None:
            found.append((f"above {self.maximum:g}", column > self.maximum))
        if self.allowed is not None:
            found.append((f"not one of {', '.join(self.allowed)}", ~column.is_in(self.allowed)))
        return found


@dataclass(frozen=True)
class TableSchema:
    """A table: where it lives, what its columns are, which columns make a row unique."""

    store: StoreName
    room: str  # the schema inside the store and the first part of the asset key
    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]  # of a versioned table it names the thing, not the version
    session_column: str | None = SESSION  # the column that the watermark follows; None for tables that no session dates
    versioned: bool = False  # whether every version of a row is kept, between ``known_from`` and ``known_to``

    def __post_init__(self) -> None:
        names = self.column_names
        missing = [name for name in (*self.key, self.session_column) if name is not None and name not in names]
        if missing or len(set(names)) != len(names):
            raise SchemaError(f"{self.qualified_name}: key or session column {missing} not among the columns, or one is named twice")

    def __repr__(self) -> str:
        return f"TableSchema({self.store}: {self.qualified_name})"

    @property
    def qualified_name(self) -> str:
        """Stage and name: what the table is called inside its store."""
        return f"{self.room}.{self.name}"

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """The columns in their order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def dtypes(self) -> dict[str, DataType]:
        """The Polars type of each column, in the order of the columns."""
        return {column.name: column.dtype for column in self.columns}

    @property
    def row_key(self) -> tuple[str, ...]:
        """The columns that make a row unique: the key, and in a versioned table the night from which the version was known."""
        return (*self.key, KNOWN_FROM) if self.versioned else self.key

    def empty(self) -> pl.DataFrame:
        """A frame of no rows with this table's columns."""
        return pl.DataFrame(schema=self.dtypes)

    def with_row(self, frame: pl.DataFrame, row: Mapping[str, object]) -> pl.DataFrame:
        """The rows with ``row`` added, in place of a row of the same key if there is one; sorted by the key."""
        same_key = pl.all_horizontal(pl.col(name) == row[name] for name in self.key)
        return pl.concat([frame.filter(~same_key), pl.DataFrame([row], schema=self.dtypes)]).sort(self.key)

    def require(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names, after a check that each is a column: the allow-list for identifiers.

        Raises:
            SchemaError: a name is not a column of this table.
        """
        wanted = tuple(names)
        unknown = [name for name in wanted if name not in self.dtypes]
        if unknown:
            raise SchemaError(f"{self.qualified_name} has no column {', '.join(map(repr, unknown))}")
        return wanted

    def validate(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame in this table's column order and types, after a check of every rule.

        Raises:
            SchemaError: columns are missing or unknown, a type does not fit, a value breaks its column's rule, or the key
                is not unique; the message names column, rule, number of rows and one example.
        """
        missing = [name for name in self.column_names if name not in frame.columns]
        unknown = [name for name in frame.columns if name not in self.dtypes]
        if missing or unknown:
            raise SchemaError(f"{self.qualified_name}: missing columns {missing}, unknown columns {unknown}")
        unfit = [
            f"{name} is {frame.schema[name]}, not {dtype}" for name, dtype in self.dtypes.items() if not _fits(frame.schema[name], dtype)
        ]
        if unfit:
            raise SchemaError(f"{self.qualified_name}: a column has the wrong type: {', '.join(unfit)}")
        try:
            typed = frame.select(pl.col(column.name).cast(column.dtype) for column in self.columns)
        except pl.exceptions.PolarsError as error:
            raise SchemaError(f"{self.qualified_name}: a column has the wrong type: {str(error).splitlines()[0]}") from error
        self._check_values(typed)
        self._check_key(typed)
        return typed

    def _check_values(self, frame: pl.DataFrame) -> None:
        rules = [(column.name, phrase, expr) for column in self.columns for phrase, expr in column.violations()]
        counts = frame.select(expr.fill_null(False).sum().alias(str(i)) for i, (_, _, expr) in enumerate(rules)).row(0)
        broken = [(name, phrase, expr, count) for (name, phrase, expr), count in zip(rules, counts, strict=True) if count]
        if broken:
            name, phrase, expr, count = broken[0]
            example = frame.filter(expr).row(0, named=True)
            raise SchemaError(f"{self.qualified_name}: column {name} is {phrase} in {count} of {frame.height} rows, for example {example}")

    def _check_key(self, frame: pl.DataFrame) -> None:
        key = self.row_key
        if strictly_ordered(frame, key):
            return
        repeated = frame.height - frame.select(key).n_unique()
        if repeated:
            example = frame.filter(pl.struct(key).is_duplicated()).select(key).row(0)
            raise SchemaError(
                f"{self.qualified_name}: key ({', '.join(key)}) is not unique, {repeated} rows too many, for example {example}"
            )


@dataclass(frozen=True)
class View:
    """A query that the store keeps under a name, for people who use SQL."""

    store: StoreName  # where it lies, as do the tables that it reads
    room: str  # the schema inside the store
    name: str
    sql: str
    reads: tuple[TableSchema, ...]  # the tables that must be there before it
    # names in ``sql`` for which the reader gives values, as in ``FROM stage.name(value)``
    parameters: tuple[str, ...] = ()

    @property
    def qualified_name(self) -> str:
        """Stage and name: what the view is called inside its store."""
        return f"{self.room}.{self.name}"


def _fits(given: pl.DataType, wanted: DataType) -> bool:
    """Whether a cast keeps the meaning of values; a fraction would lose it in an integer, as would a number in a date."""
    if given == pl.Null or given == wanted:
        return True
    target = wanted() if isinstance(wanted, type) else wanted
    if target.is_integer():
        return given.is_integer()
    if target.is_float():
        return given.is_numeric()
    if target == pl.String:
        return given in (pl.Categorical, pl.Enum)
    return given == pl.Datetime and target == pl.Datetime
