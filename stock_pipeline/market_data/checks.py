"""Blocking checks on bars: when one fails, nothing downstream is made of them."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from stock_pipeline.core.columns import CLOSE, HIGH, KNOWN_FROM, KNOWN_TO, LOW, OPEN, SESSION, SYMBOL, VOLUME
from stock_pipeline.market_data.tables import DAILY_BARS
from stock_pipeline.orchestration.metadata import table
from stock_pipeline.orchestration.resources import StoreResource
from stock_pipeline.settings import Settings
from stock_pipeline.storage import open_stores
from stock_pipeline.storage.reading import Selection

BARS = dg.AssetKey((DAILY_BARS.stage, DAILY_BARS.name))
CHECKS = {
    "prices_sound": "Every bar in force has positive prices, a high that is not below its low, and no negative volume.",
    "one_version_in_force": "No symbol has two versions of one session in force at once.",
    "coverage": "The last session has bars for enough of the symbols that traded in the sessions before it.",
}
SESSIONS_BEFORE = 20


def unsound_bars(bars: pl.DataFrame) -> pl.DataFrame:
    """The bars that no quality rule should have let through."""
    return bars.filter((pl.min_horizontal(OPEN, HIGH, LOW, CLOSE) <= 0) | (pl.col(HIGH) < pl.col(LOW)) | (pl.col(VOLUME) < 0))


def doubly_in_force(bars: pl.DataFrame) -> pl.DataFrame:
    """The symbols and sessions with more than one version in force."""
    return bars.group_by(SYMBOL, SESSION).len().filter(pl.col("len") > 1)


def coverage(bars: pl.DataFrame) -> tuple[date | None, float]:
    """The last session, and its number of bars as a share of the median of the sessions before it."""
    per_session = bars.group_by(SESSION).len().sort(SESSION).tail(SESSIONS_BEFORE + 1)
    if per_session.is_empty():
        return None, 0.0
    before = per_session["len"].head(per_session.height - 1).median()
    last = per_session.row(-1, named=True)
    return last[SESSION], 1.0 if not isinstance(before, float) else last["len"] / before


def bar_checks(settings: Settings) -> Sequence[dg.AssetChecksDefinition]:
    """The checks as one step, which reads the bars once."""

    @dg.multi_asset_check(
        name="market_data__bar_checks",
        specs=[dg.AssetCheckSpec(name, asset=BARS, blocking=True, description=text) for name, text in CHECKS.items()],
    )
    def check_bars(market: StoreResource) -> Iterator[dg.AssetCheckResult]:
        stores = open_stores(settings.home, market.wait_seconds)
        columns = (SYMBOL, SESSION, OPEN, HIGH, LOW, CLOSE, VOLUME, KNOWN_FROM, KNOWN_TO)
        bars = stores.read(DAILY_BARS, Selection(columns=columns)).filter(pl.col(KNOWN_TO).is_null())
        for name, found in (("prices_sound", unsound_bars(bars)), ("one_version_in_force", doubly_in_force(bars))):
            shown: dict[str, Any] = {"offending": found.height, "examples": table(found.head(5)), "bars": bars.height}
            yield dg.AssetCheckResult(check_name=name, asset_key=BARS, passed=found.is_empty(), metadata=shown)
        session, share = coverage(bars)
        yield dg.AssetCheckResult(
            check_name="coverage",
            asset_key=BARS,
            passed=share >= settings.quality.minimum_coverage,
            metadata={"session": str(session), "share": share, "required": settings.quality.minimum_coverage},
        )

    return [check_bars]
