"""The ways of writing: one function for each, which says what a payload does to the stored rows."""

from dataclasses import dataclass

import polars as pl

from stock_pipeline.core.errors import SchemaError
from stock_pipeline.core.table_schema import TableSchema

SOUND_SHARE = 0.9


@dataclass(frozen=True)
class Write:
    """Rows for one table, as one of the functions of this module makes it."""

    schema: TableSchema
    frame: pl.DataFrame
    # columns of the key; stored rows that agree in them with a row of the payload are deleted, unless the payload has them too
    replaces: tuple[str, ...]
    keeps_stored: bool = False  # stored rows stay as they are, and the payload's rows with their keys are ignored
    # a payload that would leave a group, the rows that agree in the scope, with less than this share of its rows is refused, because a
    # source that broke looks just like that
    least_share: float = 0.0
    may_be_empty: bool = False  # whether a payload without rows is valid; otherwise it is refused for the same reason
    quarantined: int = 0  # how many rows were left out as unsound, for the audit trail
    # the table's version (``Stores.read_versioned``) from before its rows were read to make the payload. Where another has written to it
    # since, the write is refused, lest that be lost.
    expected_version: int | None = None


def upsert(
    schema: TableSchema, frame: pl.DataFrame, *, may_be_empty: bool = False, quarantined: int = 0, expected_version: int | None = None
) -> Write:
    """Replace the stored rows with the payload's keys (in a versioned table all their versions) and add the others; the rest stays.

    Args:
        schema: of the table.
        frame: the payload.
        may_be_empty: whether a payload without rows is valid.
        quarantined: rows that were left out as unsound, for the audit trail.
        expected_version: of the table when it was read; None: whatever it is.
    """
    return Write(schema, frame, schema.key, may_be_empty=may_be_empty, quarantined=quarantined, expected_version=expected_version)


def append(schema: TableSchema, frame: pl.DataFrame, *, may_be_empty: bool = False, expected_version: int | None = None) -> Write:
    """Add the rows whose key is not stored yet; stored rows stay as they are.

    Args:
        schema: of the table.
        frame: the payload.
        may_be_empty: whether a payload without rows is valid.
        expected_version: of the table when it was read; None: whatever it is.
    """
    return Write(schema, frame, schema.key, keeps_stored=True, may_be_empty=may_be_empty, expected_version=expected_version)


def replace_sessions(schema: TableSchema, frame: pl.DataFrame, *, least_share: float = SOUND_SHARE, may_be_empty: bool = False) -> Write:
    """Replace the sessions that the payload has, by the table's session column; the other sessions stay.

    Args:
        schema: of the table.
        frame: the payload.
        least_share: of a session's stored rows, 0 to 1; a payload with fewer is refused.
        may_be_empty: whether a payload without rows is valid.

    Raises:
        SchemaError: no session is part of the table's key.
    """
    if schema.session_column is None:
        raise SchemaError(f"{schema.qualified_name} has no session column to replace by")
    return replace_groups(schema, frame, (schema.session_column,), least_share=least_share, may_be_empty=may_be_empty)


def replace_groups(
    schema: TableSchema, frame: pl.DataFrame, by: tuple[str, ...], *, least_share: float = SOUND_SHARE, may_be_empty: bool = False
) -> Write:
    """Replace the groups that the payload has, a group being the rows with the same values of ``by``; the other groups stay.

    Args:
        schema: of the table.
        frame: the payload.
        by: columns of the key.
        least_share: of a group's stored rows, 0 to 1; a payload with fewer is refused.
        may_be_empty: whether a payload without rows is valid.

    Raises:
        SchemaError: a column of ``by`` is not part of the table's key.
    """
    # A row that changed its group would be found stored under its key, and the payload's row would be lost.
    outside = [name for name in by if name not in schema.key]
    if outside:
        raise SchemaError(f"{schema.qualified_name}: {', '.join(map(repr, outside))} is not part of the key to replace by")
    return Write(schema, frame, by, least_share=least_share, may_be_empty=may_be_empty)


def replace_all(schema: TableSchema, frame: pl.DataFrame, *, may_be_empty: bool = False, expected_version: int | None = None) -> Write:
    """Replace the whole table: stored rows that the payload lacks are deleted.

    Args:
        schema: of the table.
        frame: the payload.
        may_be_empty: whether a payload without rows is valid.
        expected_version: of the table when it was read; None: whatever it is.
    """
    return Write(schema, frame, (), may_be_empty=may_be_empty, expected_version=expected_version)
