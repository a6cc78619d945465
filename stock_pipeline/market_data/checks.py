"""Checks on bars. When a blocking one fails nothing downstream is made; the others count what is suspect and show examples."""

from collections.abc import Iterator, Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.columns import AS_OF, CLOSE, HIGH, KNOWN_FROM, KNOWN_TO, LOW, OPEN, SESSION, SOURCE, SYMBOL, VOLUME
from stock_pipeline.market_data.coverage import Coverage, coverage_of
from stock_pipeline.market_data.flags import FLAGS, REVERSAL
from stock_pipeline.market_data.tables import BAR_FLAGS, CLEARED_ON, DAILY_BARS, FLAG, INGESTION_FAILURES, QUARANTINED_BARS, REASON
from stock_pipeline.orchestration.context import CheckOutcome, Facts, StageContext
from stock_pipeline.orchestration.stage import CheckSpec, StageCheck
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection

BLOCKING = {
    "prices_sound": "Every bar in force has positive prices, a high that is not below its low, and no negative volume.",
    "one_version_in_force": "No symbol has two versions of one session in force at once.",
    "coverage": "The last session has bars for enough of the symbols that are expected to trade.",
}
QUARANTINE = "quarantine"
EXAMPLES = 5
WARNING = {QUARANTINE: "No bar of the last session was refused."} | {
    flag: f"No bar of the last session is suspect because of: {flag} ({text})." for flag, text in FLAGS.items()
}


def unsound_bars(bars: pl.DataFrame, price_tolerance: float) -> pl.DataFrame:
    """The bars that a quality rule should have refused."""
    figures = (OPEN, HIGH, LOW, CLOSE, VOLUME)
    unreal = pl.any_horizontal(~pl.col(name).is_finite() for name in figures)
    upside_down = pl.col(HIGH) < pl.col(LOW) * (1 - price_tolerance)
    return bars.filter(unreal | (pl.min_horizontal(OPEN, HIGH, LOW, CLOSE) <= 0) | upside_down | (pl.col(VOLUME) < 0))


def doubly_in_force(bars: pl.DataFrame) -> pl.DataFrame:
    """The symbols and sessions with more than one version in force."""
    return bars.group_by(SYMBOL, SESSION).len().filter(pl.col("len") > 1)


def judge_bars(context: StageContext) -> dict[str, CheckOutcome]:
    """The verdicts on the bars in force, which are read once."""
    stores, quality = context.stores, context.settings.quality
    columns = (SYMBOL, SESSION, OPEN, HIGH, LOW, CLOSE, VOLUME, KNOWN_FROM, KNOWN_TO)
    bars = stores.read(DAILY_BARS, Selection(columns=columns)).filter(pl.col(KNOWN_TO).is_null())
    unsound = unsound_bars(bars, quality.price_tolerance)
    covered = coverage_of(stores, context.settings, bars)
    blocking = {
        "prices_sound": _found(unsound, bars=bars.height),
        "one_version_in_force": _found(doubly_in_force(bars), bars=bars.height),
        "coverage": _covered(covered, quality.minimum_coverage, reasons_of(stores, covered)),
    }
    return blocking | dict(_warnings(stores, bars[SESSION].unique().sort(descending=True).head(2).to_list()))


BAR_CHECKS = StageCheck(
    specs=(
        *(CheckSpec(name, text, blocking=True) for name, text in BLOCKING.items()),
        *(CheckSpec(name, text, warns=True) for name, text in WARNING.items()),
    ),
    judge=judge_bars,
)


def _found(found: pl.DataFrame, **facts: float) -> CheckOutcome:
    return CheckOutcome(found.is_empty(), {"offending": found.height, "examples": found.head(EXAMPLES), **facts})


def reasons_of(stores: Stores, covered: Coverage) -> str:
    """The reasons that the sources gave for the missing symbols on that session, with counts, the most frequent first."""
    said = stores.read(INGESTION_FAILURES).filter((pl.col(AS_OF) == covered.session) & pl.col(SYMBOL).is_in(list(covered.missing)))
    counted = said.group_by(SOURCE, REASON).agg(pl.col(SYMBOL).n_unique().alias("symbols"))
    rows = counted.sort("symbols", SOURCE, REASON, descending=[True, False, False]).iter_rows()
    return "; ".join(f"{source}: {reason} ({symbols} symbols)" for source, reason, symbols in rows) or "none reported"


def _covered(covered: Coverage, required: float, reasons: str) -> CheckOutcome:
    facts: Facts = {
        "session": str(covered.session),
        "share": covered.share,
        "required": required,
        "expected": covered.expected,
        "missing": len(covered.missing),
        "reasons": reasons,
        "examples": pl.DataFrame({SYMBOL: covered.missing[:EXAMPLES]}, schema={SYMBOL: pl.String}),
    }
    return CheckOutcome(covered.share >= required, facts)


def _warnings(stores: Stores, latest: Sequence[date]) -> Iterator[tuple[str, CheckOutcome]]:
    """One verdict per rule that refuses or flags bars without blocking: what it found on the last session, and in all.

    ``latest`` are the last session and the one before it: a jump on that one can only be seen to reverse on the last.
    """
    last, before = pl.col(SESSION).is_in(latest[:1]), pl.col(SESSION).is_in(latest[1:2])
    refused = stores.read(QUARANTINED_BARS)
    yield QUARANTINE, _found(refused.filter(pl.col(AS_OF).is_in(latest[:1]) & last), in_all=refused.height)
    standing = stores.read(BAR_FLAGS).filter(pl.col(CLEARED_ON).is_null())
    for flag in FLAGS:
        flagged = standing.filter(pl.col(FLAG) == flag)
        yield flag, _found(flagged.filter(before if flag == REVERSAL else last), in_all=flagged.height)
