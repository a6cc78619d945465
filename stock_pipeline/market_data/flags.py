"""Rules that flag a bar as suspect without refusing it. Flags are for people, and for later stages that want clean bars only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from stock_pipeline.core.columns import CLOSE, SESSION, SOURCE, SYMBOL, VALUE, VOLUME
from stock_pipeline.core.ordering import in_order
from stock_pipeline.market_data.adjustments import with_action_steps
from stock_pipeline.market_data.tables import BASIS, CLEARED_ON, CONFIRMED_BY, FLAG, FLAGGED_ON

GAP = "missing_sessions"
EQUAL_CLOSES = "stale_price"
ZERO_VOLUME = "zero_volume"
JUMP_FLAG = "unexplained_jump"
REVERSAL = "reversed_jump"
SCALE = "price_scale_error"
VOLUME_SCALE = "volume_scale_error"
DISAGREEMENT = "source_disagreement"

FLAGS = {
    GAP: "bars of earlier sessions exist, and those of the sessions just before are missing",
    EQUAL_CLOSES: "the close is the same for the fifth session or longer",
    ZERO_VOLUME: "the bar has prices and nothing was traded",
    JUMP_FLAG: "the close moved by more than quality.jump_ratio and no split or dividend explains it",
    REVERSAL: "a jump that the next session takes back within 20 %",
    SCALE: "the close is 10 or 100 times the one before, or a tenth or hundredth, within 5 %",
    VOLUME_SCALE: "volume is 60 to 170 times the median of the 20 sessions before, or as small a part of it",
    DISAGREEMENT: "a second source's close differs by more than quality.source_tolerance",
}

EQUAL_RUN = 5
SCALES = (10.0, 100.0)
SCALE_TOLERANCE = 0.05
REVERSAL_TOLERANCE = 0.2
VOLUME_SPAN = 20  # sessions whose median says what volume is usual
LEAST_VOLUMES = 5
VOLUME_SCALES = (60.0, 170.0)  # a hundredfold, give or take what volume does from session to session
SERIES = "series"
CONTEXT = VOLUME_SPAN + 2  # sessions that must precede a bar for every rule to judge it


@dataclass(frozen=True)
class FlagRules:
    """Thresholds: ``jump_ratio`` as for prices; ``source_tolerance`` is the share by which two sources' closes may differ."""

    jump_ratio: float
    source_tolerance: float


def flags(bars: pl.DataFrame, actions: pl.DataFrame, sessions: Sequence[date], rules: FlagRules) -> pl.DataFrame:
    """The flags of the suspect bars.

    Args:
        bars: symbol, session, close, volume, basis; one row per symbol and session.
        actions: symbol, session (ex-session), kind, value.
        sessions: every session of the exchange between the first bar and the last.
        rules: thresholds.

    Returns:
        symbol, session, flag and value (what the rule measured): one row per bar and rule that flags it.
    """
    places = pl.DataFrame({SESSION: sessions, "place": range(len(sessions))}, schema={SESSION: pl.Date, "place": pl.Int32})
    placed = with_action_steps(in_order(bars, (SYMBOL, SESSION)), actions).join(places, on=SESSION, how="left", maintain_order="left")
    # Windows over numbers in order take a third of the time of windows over the symbols that they stand for.
    measured = placed.with_columns(pl.col(SYMBOL).rle_id().set_sorted().alias(SERIES)).with_columns(_measures())
    tried = _rules(rules)
    broken = measured.with_columns(broken.alias(name) for name, broken, _ in tried).filter(pl.any_horizontal(name for name, *_ in tried))
    found = [
        broken.filter(name).select(SYMBOL, SESSION, pl.lit(name).alias(FLAG), value.cast(pl.Float64).alias(VALUE))
        for name, _, value in tried
    ]
    return pl.concat(found)


def _measures() -> list[pl.Expr]:
    expected = pl.col(CLOSE).shift(1).over(SERIES) / pl.col("split") - pl.col("dividend")
    shares = pl.col(VOLUME) / pl.col("split").cum_prod().over(SERIES)  # all in those of the first bar
    usual = shares.rolling_median(VOLUME_SPAN, min_samples=LEAST_VOLUMES).shift(1).over(SERIES)
    run = [pl.col(CLOSE) == pl.col(CLOSE).shift(back).over(SERIES) for back in range(1, EQUAL_RUN)]
    return [
        (pl.col("place") - pl.col("place").shift(1).over(SERIES) - 1).alias("missing"),
        pl.when(expected > 0).then(pl.col(CLOSE) / expected).alias("move"),
        pl.when(usual > 0).then(shares / usual).alias("volume_ratio"),
        pl.all_horizontal(run).alias("equal"),
    ]


def _rules(rules: FlagRules) -> list[tuple[str, pl.Expr, pl.Expr]]:
    """Name, expression that is true on a suspect bar, and what is measured."""
    move, after = pl.col("move"), pl.col("move").shift(-1).over(SERIES)
    jumped = _beyond(move, rules.jump_ratio)
    back = jumped & _beyond(after, rules.jump_ratio) & ((move * after - 1).abs() < REVERSAL_TOLERANCE)
    ratio = pl.max_horizontal(pl.col("volume_ratio"), 1 / pl.col("volume_ratio"))
    return [
        (GAP, pl.col("missing") > 0, pl.col("missing")),
        (EQUAL_CLOSES, pl.col("equal"), pl.col(CLOSE)),
        (ZERO_VOLUME, pl.col(VOLUME) == 0, pl.col(VOLUME)),
        (JUMP_FLAG, jumped, move),
        (REVERSAL, back, move),
        (SCALE, pl.any_horizontal((_larger(move) / scale - 1).abs() < SCALE_TOLERANCE for scale in SCALES), move),
        (VOLUME_SCALE, (pl.col(VOLUME) > 0) & ratio.is_between(*VOLUME_SCALES), pl.col("volume_ratio")),
    ]


def _beyond(move: pl.Expr, ratio: float) -> pl.Expr:
    return (move > ratio) | (move < 1 / ratio)


def _larger(move: pl.Expr) -> pl.Expr:
    """The move or its reciprocal, whichever is above one."""
    return pl.max_horizontal(move, 1 / move)


def disagreements(bars: pl.DataFrame, others: pl.DataFrame, tolerance: float) -> pl.DataFrame:
    """Flags of the bars whose close differs from another source's by more than the share ``tolerance``; value is the ratio of the two.

    Both frames have symbol, session, close and basis; bars of different basis are not compared.
    """
    return (
        _beside(bars, others)
        .filter((pl.col(VALUE) - 1).abs() > tolerance)
        .select(SYMBOL, SESSION, pl.lit(DISAGREEMENT).alias(FLAG), VALUE)
        .unique([SYMBOL, SESSION, FLAG], keep="first", maintain_order=True)
    )


def agreements(bars: pl.DataFrame, others: pl.DataFrame, tolerance: float) -> pl.DataFrame:
    """The bars whose close another source confirms, within the share ``tolerance``: symbol, session and confirmed_by, the source.

    ``bars`` and ``others`` are as for ``disagreements``; ``others`` has source too.
    """
    return (
        _beside(bars, others)
        .filter((pl.col(VALUE) - 1).abs() <= tolerance)
        .select(SYMBOL, SESSION, pl.col(SOURCE).alias(CONFIRMED_BY))
        .unique([SYMBOL, SESSION], keep="first", maintain_order=True)
    )


def _beside(bars: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Each other source's row of a bar, with the ratio of the two closes as ``value``."""
    key = [SYMBOL, SESSION, BASIS]
    both = bars.select(*key, CLOSE).join(others.rename({CLOSE: "other"}), on=key, how="inner", maintain_order="right")
    return both.with_columns((pl.col(CLOSE) / pl.col("other")).alias(VALUE))


def follow_up(held: pl.DataFrame, found: pl.DataFrame, night: date) -> pl.DataFrame:
    """The rows of the flags table after ``night``: new flags raised, old ones withdrawn where the rule no longer finds them.

    Args:
        held: stored rows of the sessions judged again, with flagged_on, cleared_on and confirmed_by.
        found: symbol, session, flag, value as the rules find them now, for the same sessions.
        night: the session on whose night it is judged.

    Returns:
        The rows to write; those that stay as they are stored are among them. Who has confirmed a bar has not confirmed another value.
    """
    key = [SYMBOL, SESSION, FLAG]
    standing = held.filter(pl.col(CLEARED_ON).is_null())
    raised = found.join(standing.select(*key, FLAGGED_ON, CONFIRMED_BY, pl.col(VALUE).alias("before")), on=key, how="left").select(
        *key,
        VALUE,
        pl.col(FLAGGED_ON).fill_null(pl.lit(night)),
        pl.lit(None, pl.Date).alias(CLEARED_ON),
        pl.when(pl.col(VALUE) == pl.col("before")).then(CONFIRMED_BY).alias(CONFIRMED_BY),
    )
    gone = held.join(found, on=key, how="anti").with_columns(pl.col(CLEARED_ON).fill_null(pl.lit(night)))
    return pl.concat([raised, gone.select(raised.columns)]).sort(SESSION, SYMBOL, FLAG)


def confirmed(rows: pl.DataFrame, by: pl.DataFrame) -> pl.DataFrame:
    """Rows of the flags table, those of unexplained jumps that ``by`` (symbol, session, confirmed_by) confirms marked by whom."""
    doubted = (pl.col(FLAG) == JUMP_FLAG) & pl.col(CLEARED_ON).is_null()
    told = rows.join(by.rename({CONFIRMED_BY: "now"}), on=[SYMBOL, SESSION], how="left", maintain_order="left")
    return told.with_columns(pl.when(doubted).then(pl.coalesce(CONFIRMED_BY, "now")).otherwise(CONFIRMED_BY).alias(CONFIRMED_BY)).drop(
        "now"
    )
