"""Checks on the features. When one fails nothing downstream is made of them."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

import dagster as dg
import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.lookahead import Violation, as_table, lookahead_violations, sampled
from stock_pipeline.features.catalogue import COMBINED, FeatureSet
from stock_pipeline.features.compute import compute_features, session_span
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.reading import chosen_set, read_bars_for, read_features
from stock_pipeline.features.tables import DAILY_FEATURES, DAILY_FEATURES_ASSET
from stock_pipeline.market_data.reading import sessions_of
from stock_pipeline.orchestration.automation import check_condition
from stock_pipeline.orchestration.metadata import table
from stock_pipeline.orchestration.resources import StoreResource
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline.storage.reading import Selection

FEATURES: Final = dg.AssetKey((DAILY_FEATURES.stage, DAILY_FEATURES.name))
EVERY_FEATURE: Final = COMBINED.features
SAMPLE: Final = 12  # symbols, others every night
EXAMPLES: Final = 5
# Cuts lie so many sessions before the last one. A leak shows only where the cut falls between a value and what it saw.
CUTS: Final = (1, 7)

DESCRIPTIONS: Final = {
    "no_lookahead": "No feature of any set changes at or before a session when what came after it is cut off or altered.",
    "stored_as_computed": "The last session's stored values are, to the last bit, those that its window of bars gives now.",
}


def feature_checks(settings: Settings, features: Sequence[Feature] = EVERY_FEATURE) -> Sequence[dg.AssetChecksDefinition]:
    """The checks as one step; look-ahead is sought in a sample of symbols that changes from night to night.

    Args:
        settings: for the set that is stored, and the sources' rules.
        features: those to be tried for look-ahead.
    """

    @dg.multi_asset_check(
        name="features__proofs",
        specs=[
            dg.AssetCheckSpec(name, asset=FEATURES, blocking=True, description=text, automation_condition=check_condition())
            for name, text in DESCRIPTIONS.items()
        ],
    )
    def check_features(ml: StoreResource) -> Iterator[dg.AssetCheckResult]:
        stores = open_stores(settings.home, ml.wait_seconds)
        reached = stores.watermark("ml", DAILY_FEATURES_ASSET)
        if reached is None:
            yield from (_result(name, False, {"problem": "there are no features yet; materialise them first"}) for name in DESCRIPTIONS)
            return
        panel = last_sessions(stores, settings, reached.session, session_span(features) + max(CUTS))
        sample = sampled(panel, SAMPLE, seed=reached.session.toordinal())
        violations = lookahead_of(features, sample, reached.session)
        yield _result("no_lookahead", not violations, _tried(sample, len(features)) | {"violations": table(as_table(violations))})
        chosen = chosen_set(settings)
        different = unlike_stored(stores, chosen, panel, reached.session)
        shown = {"set": chosen.name, "session": str(reached.session), "rows_that_differ": different.height}
        yield _result("stored_as_computed", different.is_empty(), shown | {"examples": table(different.head(EXAMPLES))})

    return [check_features]


def last_sessions(stores: Stores, settings: Settings, as_of: date, sessions: int) -> pl.DataFrame:
    """The bars of the last ``sessions`` sessions, with whatever any feature needs."""
    with stores.kept_open("market"):
        first = sessions_of(stores, as_of)[-sessions:][0]
        return read_bars_for(stores, COMBINED, settings, as_of, first)


def lookahead_of(features: Sequence[Feature], panel: pl.DataFrame, as_of: date) -> list[Violation]:
    """What the features knew of later sessions."""
    sessions = panel[SESSION].unique().sort()
    cuts = [sessions[-1 - before] for before in CUTS if before < len(sessions)]
    return lookahead_violations(lambda bars: compute_features(bars, features), panel, cuts, seed=as_of.toordinal())


def unlike_stored(stores: Stores, chosen: FeatureSet, panel: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """The rows of the last session that are not stored as the bars give them: symbol, session and the features."""
    made = compute_features(panel, chosen.made, first=as_of)
    stored = read_features(stores, chosen, Selection(first=as_of, last=as_of))
    return pl.concat(
        [made.join(stored, on=made.columns, how="anti", nulls_equal=True), stored.join(made, on=[SYMBOL, SESSION], how="anti")]
    )


def _tried(panel: pl.DataFrame, features: int) -> dict[str, Any]:
    symbols = panel[SYMBOL].unique().sort()
    return {"features": features, "symbols": ", ".join(symbols), "sessions": panel[SESSION].n_unique()}


def _result(name: str, passed: bool, shown: dict[str, Any]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(check_name=name, asset_key=FEATURES, passed=passed, severity=dg.AssetCheckSeverity.ERROR, metadata=shown)
