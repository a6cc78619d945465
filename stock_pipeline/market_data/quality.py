"""Quality rules over bars as a source gave them. Nothing is dropped silently: a refused bar goes to quarantine with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from stock_pipeline.core.columns import CLOSE, HIGH, LOW, OPEN, PRICES, SESSION, SYMBOL, VOLUME
from stock_pipeline.core.ordering import strictly_ordered
from stock_pipeline.market_data.tables import CAPTURED, CURRENCY, REASON

DUPLICATE = "duplicate"
WIDEST_RANGE = 3.0  # a high of three times the low within one session is a misprint


@dataclass(frozen=True)
class BarRules:
    """What a bar must satisfy.

    Attributes:
        sessions: every exchange session that a bar may belong to, up to the last one that has ended.
        price_tolerance: by which share prices may contradict each other (sources round).
        currency: the one that prices must be in, where the source reports it; null passes.
    """

    sessions: Sequence[date]
    price_tolerance: float
    currency: str


def refusals(rules: BarRules) -> list[tuple[str, pl.Expr]]:
    """The rules in the order in which they are tried: pairs of a reason and an expression that is true on a bad bar."""
    price_tolerance = rules.price_tolerance
    body_top, body_bottom = pl.max_horizontal(OPEN, CLOSE), pl.min_horizontal(OPEN, CLOSE)
    return [
        ("missing_key", pl.col(SYMBOL).is_null() | (pl.col(SYMBOL) == "") | pl.col(SESSION).is_null()),
        ("missing_value", pl.any_horizontal(pl.col(name).is_null() for name in (*PRICES, VOLUME))),
        ("non_finite", pl.any_horizontal(~pl.col(name).is_finite() for name in (*PRICES, VOLUME))),
        ("non_positive_price", pl.min_horizontal(PRICES) <= 0),
        ("negative_volume", pl.col(VOLUME) < 0),
        ("wrong_currency", pl.col(CURRENCY) != rules.currency),
        ("high_below_low", pl.col(HIGH) < pl.col(LOW) * (1 - price_tolerance)),
        (
            "outside_high_low",
            (body_top > pl.col(HIGH) * (1 + price_tolerance)) | (body_bottom < pl.col(LOW) * (1 - price_tolerance)),
        ),
        ("implausible_range", pl.col(HIGH) > WIDEST_RANGE * pl.col(LOW)),
        ("future_session", pl.col(SESSION) > (rules.sessions[-1] if rules.sessions else date.min)),
        ("not_a_session", ~pl.col(SESSION).is_in(list(rules.sessions))),
    ]


def screen(bars: pl.DataFrame, rules: BarRules) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split bars into sound ones and refused ones; the latter carry the ``reason``, the first rule that they break.

    Of bars that break none, the first of its symbol, session and capture stays; the others are duplicates.
    """
    reason = pl.lit(None, pl.String)
    for text, broken in reversed(refusals(rules)):
        reason = pl.when(broken.fill_null(False)).then(pl.lit(text)).otherwise(reason)
    judged = bars.with_columns(reason.alias(REASON))
    if not strictly_ordered(bars, (SYMBOL, SESSION)):
        # Among the sound alone, so that a bar without a price does not push out the one that has it.
        again = pl.col(REASON).is_null() & ~pl.struct(SYMBOL, SESSION, CAPTURED, REASON).is_first_distinct()
        judged = judged.with_columns(pl.when(again).then(pl.lit(DUPLICATE)).otherwise(REASON).alias(REASON))
    return judged.filter(pl.col(REASON).is_null()).drop(REASON), judged.filter(pl.col(REASON).is_not_null())
