"""The base of every room: names of columns, the table schema, the trading calendar, errors.

Imports nothing of ours. No Dagster, no DuckDB, no clock.
"""
