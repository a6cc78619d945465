"""Benchmarks: how long the pipeline takes and how much memory it needs, measured in cold processes."""
