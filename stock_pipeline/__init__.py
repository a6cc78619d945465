"""Daily stock data to ranked stocks: a Dagster project over DuckDB, Polars and LightGBM."""

__version__ = "0.1.0"
