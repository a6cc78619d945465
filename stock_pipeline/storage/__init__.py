"""The two DuckDB stores: connections, tables and views, transactional writes, backup. The only importer of duckdb.

What does not belong here: what the tables mean (each stage's ``tables.py``), when they are written (orchestration/).
"""

from stock_pipeline.storage.audit import Author, WriteReport
from stock_pipeline.storage.modes import Write, append, replace_all, replace_groups, replace_sessions, upsert
from stock_pipeline.storage.stores import Stores, open_stores

__all__ = [
    "Author",
    "Stores",
    "Write",
    "WriteReport",
    "append",
    "open_stores",
    "replace_all",
    "replace_groups",
    "replace_sessions",
    "upsert",
]
