"""The source of docs/add-a-source.md, as it stands there, in the catalogue: its bars land in the store."""

from pathlib import Path
from typing import Any, cast

import pytest

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.market_data import catalogue
from stock_pipeline.market_data.catalogue import CATALOGUE, SourceEntry
from stock_pipeline.market_data.tables import DAILY_BARS
from stock_pipeline.storage import open_stores
from stock_pipeline_tests.harness.pages import blocks_of, run_block
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import make


def test_the_source_of_the_page_is_ingested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = run_block("add-a-source.md")
    entry = eval(blocks_of("add-a-source.md")[1], {"SourceEntry": SourceEntry, **source})  # noqa: S307
    monkeypatch.setattr(catalogue, "CATALOGUE", (*CATALOGUE, entry))
    stores = open_stores(tmp_path)
    outcome = make(DAILY_BARS, stores, plain_settings(tmp_path, source={"name": "random-walk"}))
    assert not outcome.blocked
    bars = stores.read(DAILY_BARS)
    assert (bars[SYMBOL].n_unique(), bars[SESSION].n_unique(), bars.height) == (10, 253, 2530)
    told = cast(Any, source["RandomWalkSource"])()
    (answer,) = told.fetch(None)
    assert bars.height == answer.data.bars.height
