"""The stages and tables that there are by default."""

from pathlib import Path

from stock_pipeline.stages import all_stages
from stock_pipeline_tests.harness.plain_settings import plain_settings

STAGES = all_stages(plain_settings(Path("nowhere")))
KEYS = [key for stage in STAGES for key in stage.keys]
TABLES = tuple(dict.fromkeys(table for stage in STAGES for table in stage.tables))
