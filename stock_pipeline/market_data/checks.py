"""Checks on bars. When a blocking one fails nothing downstream is made; the others count what is doubtful and show examples."""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from stock_pipeline.core.columns import AS_OF, CLOSE, HIGH, KNOWN_FROM, KNOWN_TO, LOW, OPEN, SESSION, SOURCE, SYMBOL, VOLUME
from stock_pipeline.market_data.coverage import Coverage, coverage_of
from stock_pipeline.market_data.flags import FLAGS, REVERSAL
from stock_pipeline.market_data.tables import BAR_FLAGS, DAILY_BARS, FLAG, INGESTION_FAILURES, QUARANTINED_BARS, REASON, WITHDRAWN_ON
from stock_pipeline.orchestration.metadata import table
from stock_pipeline.orchestration.resources import StoreResource
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline.storage.reading import Selection

BARS = dg.AssetKey((DAILY_BARS.stage, DAILY_BARS.name))
BLOCKING = {
    "prices_sound": "Every bar in force has positive prices, a high that is not below its low, and no negative volume.",
    "one_version_in_force": "No symbol has two versions of one session in force at once.",
    "coverage": "The last session has bars for enough of the symbols that are expected to trade.",
}
QUARANTINE = "quarantine"
EXAMPLES = 5


def check_name(flag: str) -> str:
    """The name of the check that counts a flag, in the letters that Dagster allows."""
    return "_".join(re.findall(r"[a-z0-9]+", flag))


WARNING = {QUARANTINE: "No bar of the last session was refused."} | {
    check_name(flag): f"No bar of the last session is doubtful because of: {flag} ({text})." for flag, text in FLAGS.items()
}


def unsound_bars(bars: pl.DataFrame, price_tolerance: float) -> pl.DataFrame:
    """The bars that no quality rule should have let through."""
    figures = (OPEN, HIGH, LOW, CLOSE, VOLUME)
    unreal = pl.any_horizontal(~pl.col(name).is_finite() for name in figures)
    upside_down = pl.col(HIGH) < pl.col(LOW) * (1 - price_tolerance)
    return bars.filter(unreal | (pl.min_horizontal(OPEN, HIGH, LOW, CLOSE) <= 0) | upside_down | (pl.col(VOLUME) < 0))


def doubly_in_force(bars: pl.DataFrame) -> pl.DataFrame:
    """The symbols and sessions with more than one version in force."""
    return bars.group_by(SYMBOL, SESSION).len().filter(pl.col("len") > 1)


def bar_checks(settings: Settings) -> Sequence[dg.AssetChecksDefinition]:
    """The checks as one step, which reads the bars once."""

    @dg.multi_asset_check(
        name="market_data__bar_checks",
        specs=[
            *(dg.AssetCheckSpec(name, asset=BARS, blocking=True, description=text) for name, text in BLOCKING.items()),
            *(dg.AssetCheckSpec(name, asset=BARS, description=text) for name, text in WARNING.items()),
        ],
    )
    def check_bars(market: StoreResource) -> Iterator[dg.AssetCheckResult]:
        stores = open_stores(settings.home, market.wait_seconds)
        columns = (SYMBOL, SESSION, OPEN, HIGH, LOW, CLOSE, VOLUME, KNOWN_FROM, KNOWN_TO)
        bars = stores.read(DAILY_BARS, Selection(columns=columns)).filter(pl.col(KNOWN_TO).is_null())
        unsound = unsound_bars(bars, settings.quality.price_tolerance)
        for name, found in (("prices_sound", unsound), ("one_version_in_force", doubly_in_force(bars))):
            yield _result(name, found, {"bars": bars.height})
        covered = coverage_of(stores, settings, bars)
        yield _covered(covered, settings.quality.minimum_coverage, reasons_of(stores, covered))
        yield from _warnings(stores, bars[SESSION].unique().sort(descending=True).head(2).to_list())

    return [check_bars]


def _result(name: str, found: pl.DataFrame, shown: dict[str, Any]) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {"offending": found.height, "examples": table(found.head(EXAMPLES))} | shown
    severity = dg.AssetCheckSeverity.WARN if name in WARNING else dg.AssetCheckSeverity.ERROR
    return dg.AssetCheckResult(check_name=name, asset_key=BARS, passed=found.is_empty(), metadata=metadata, severity=severity)


def reasons_of(stores: Stores, covered: Coverage) -> str:
    """What the sources said of the missing symbols on that session: source, reason and how many, the most frequent first."""
    said = stores.read(INGESTION_FAILURES).filter((pl.col(AS_OF) == covered.session) & pl.col(SYMBOL).is_in(list(covered.missing)))
    counted = said.group_by(SOURCE, REASON).agg(pl.col(SYMBOL).n_unique().alias("symbols"))
    rows = counted.sort("symbols", SOURCE, REASON, descending=[True, False, False]).iter_rows()
    return "; ".join(f"{source}: {reason} ({symbols} symbols)" for source, reason, symbols in rows) or "none told"


def _covered(covered: Coverage, required: float, reasons: str) -> dg.AssetCheckResult:
    missing = pl.DataFrame({SYMBOL: covered.missing[:EXAMPLES]}, schema={SYMBOL: pl.String})
    return dg.AssetCheckResult(
        check_name="coverage",
        asset_key=BARS,
        passed=covered.share >= required,
        metadata={
            "session": str(covered.session),
            "share": covered.share,
            "required": required,
            "expected": covered.expected,
            "missing": len(covered.missing),
            "reasons": reasons,
            "examples": table(missing),
        },
    )


def _warnings(stores: Stores, latest: Sequence[date]) -> Iterator[dg.AssetCheckResult]:
    """One result per rule that refuses or doubts bars without stopping anything: what it found of the last session, and in all.

    ``latest`` are the last session and the one before it, which only the last one shows to have had a jump that reverses.
    """
    last, before = pl.col(SESSION).is_in(latest[:1]), pl.col(SESSION).is_in(latest[1:2])
    refused = stores.read(QUARANTINED_BARS)
    yield _result(QUARANTINE, refused.filter(pl.col(AS_OF).is_in(latest[:1]) & last), {"in_all": refused.height})
    standing = stores.read(BAR_FLAGS).filter(pl.col(WITHDRAWN_ON).is_null())
    for flag in FLAGS:
        doubted = standing.filter(pl.col(FLAG) == flag)
        yield _result(check_name(flag), doubted.filter(before if flag == REVERSAL else last), {"in_all": doubted.height})
