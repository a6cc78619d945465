"""Checks on the features. When one fails nothing downstream is made of them."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.lookahead import Violation, as_table, lookahead_violations, sampled
from stock_pipeline.features.catalogue import COMBINED, FeatureSet
from stock_pipeline.features.compute import compute_features, session_span
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.reading import chosen_set, read_bars_for, read_features
from stock_pipeline.features.tables import DAILY_FEATURES_ASSET, FUNDAMENTAL_RATIOS
from stock_pipeline.market_data.reading import sessions_of
from stock_pipeline.market_data.tables import INSTRUMENTS
from stock_pipeline.orchestration.context import CheckOutcome, StageContext
from stock_pipeline.orchestration.stage import CheckSpec, StageCheck
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection

EVERY_FEATURE: Final = COMBINED.features
SAMPLE: Final = 12  # symbols, others every night
EXAMPLES: Final = 5
# Cuts lie so many sessions before the last one. A leak shows only where the cut falls between a value and what it saw.
CUTS: Final = (1, 7)

DESCRIPTIONS: Final = {
    "no_lookahead": "No feature of any set changes at or before a session when what came after it is cut off or altered.",
    "stored_as_computed": "The last session's stored values are, to the last bit, those that its window of bars gives now.",
}


def judge_features(context: StageContext, features: Sequence[Feature] = EVERY_FEATURE) -> dict[str, CheckOutcome]:
    """The verdicts on the stored features; look-ahead of ``features`` is sought in a sample of symbols that changes from night to night."""
    reached = context.stores.watermark("ml", DAILY_FEATURES_ASSET)
    if reached is None:
        return dict.fromkeys(DESCRIPTIONS, CheckOutcome(False, {"problem": "there are no features yet; materialise them first"}))
    panel = last_sessions(context.stores, context.settings, reached.session, session_span(features) + max(CUTS))
    sample = sampled(panel, SAMPLE, seed=reached.session.toordinal())
    violations = lookahead_of(features, sample, reached.session)
    chosen = chosen_set(context.settings)
    different = unlike_stored(context.stores, chosen, panel, reached.session)
    shown: dict[str, Any] = {"set": chosen.name, "session": str(reached.session), "rows_that_differ": different.height}
    return {
        "no_lookahead": CheckOutcome(not violations, _tried(sample, len(features)) | {"violations": as_table(violations)}),
        "stored_as_computed": CheckOutcome(different.is_empty(), shown | {"examples": different.head(EXAMPLES)}),
    }


FEATURE_CHECKS = StageCheck(
    specs=tuple(CheckSpec(name, text, blocking=True) for name, text in DESCRIPTIONS.items()),
    judge=judge_features,
    reads=(FUNDAMENTAL_RATIOS, INSTRUMENTS),  # the proof tries every feature of every set
    of_rows=True,
)


def last_sessions(stores: Stores, settings: Settings, as_of: date, sessions: int) -> pl.DataFrame:
    """The bars of the last sessions, with whatever any feature needs.

    Args:
        stores: the stores.
        settings: for the limits beyond which a bar jumps and beyond which it is suspect.
        as_of: the last session.
        sessions: how many sessions, at least 1.
    """
    with stores.shared_reader("market"):
        first = sessions_of(stores, as_of)[-sessions:][0]
        return read_bars_for(stores, COMBINED, settings, as_of, first)


def lookahead_of(features: Sequence[Feature], panel: pl.DataFrame, as_of: date) -> list[Violation]:
    """The features that change when later sessions are cut off or altered, which shows look-ahead."""
    sessions = panel[SESSION].unique().sort()
    cuts = [sessions[-1 - before] for before in CUTS if before < len(sessions)]
    return lookahead_violations(lambda bars: compute_features(bars, features), panel, cuts, seed=as_of.toordinal())


def unlike_stored(stores: Stores, chosen: FeatureSet, panel: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """The rows of the last session whose stored features differ from those computed again: symbol, session and the features.

    Args:
        stores: the stores.
        chosen: the feature set.
        panel: the bars of the last sessions, as many as the set's span.
        as_of: the last session.
    """
    made = compute_features(panel, chosen.made, first=as_of)
    stored = read_features(stores, chosen, Selection(first=as_of, last=as_of))
    return pl.concat(
        [made.join(stored, on=made.columns, how="anti", nulls_equal=True), stored.join(made, on=[SYMBOL, SESSION], how="anti")]
    )


def _tried(panel: pl.DataFrame, features: int) -> dict[str, Any]:
    symbols = panel[SYMBOL].unique().sort()
    return {"features": features, "symbols": ", ".join(symbols), "sessions": panel[SESSION].n_unique()}
