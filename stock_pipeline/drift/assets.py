"""The asset of the drift report."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from stock_pipeline.core.columns import SESSION
from stock_pipeline.drift.catalogue import STATISTICS
from stock_pipeline.drift.feature_drift import feature_drift, windows
from stock_pipeline.drift.pictures import psi_bars
from stock_pipeline.drift.report import html_report
from stock_pipeline.drift.severity import SEVERITIES
from stock_pipeline.drift.tables import FEATURE_DRIFT, SEVERITY
from stock_pipeline.features.reading import chosen_set, read_features
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.orchestration.night import Night, Product
from stock_pipeline.orchestration.stage_asset import StageAsset, key_of
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS
from stock_pipeline.storage import replace_sessions
from stock_pipeline.storage.reading import Selection


def report_drift(night: Night) -> Product | None:
    """Compare the features of the last sessions with those before, and write the report as a page."""
    if not night.has_news((DAILY_FEATURES,)):
        return None
    chosen = chosen_set(night.settings)
    features = read_features(night.stores, chosen, Selection(last=night.as_of))
    reference, current = windows(features[SESSION].unique().to_list(), night.settings.drift.current_sessions)
    parts = [features.filter(pl.col(SESSION).is_in(days)) for days in (reference, current)]
    made = feature_drift(parts[0], parts[1], chosen.names, night.as_of, STATISTICS)
    bars = psi_bars(made)
    path = night.stores.home / "reports" / f"drift-{night.as_of}.html"
    _write_page(path, html_report(made, {"Population stability by feature": bars}))
    worst = made.filter(pl.col(SEVERITY) != SEVERITIES[0]).sort("value", descending=True)
    return Product(
        # Another feature set may be a smaller one.
        writes=(replace_sessions(FEATURE_DRIFT, made, least_share=0.0),),
        watermark=night.as_of,
        pictures={"psi": bars},
        tables={"drifted": worst},
        facts={"report": str(path), **dict(made.group_by(SEVERITY).len().sort(SEVERITY).iter_rows())},
    )


def _write_page(path: Path, text: str) -> None:
    """Write the page beside its place and rename it into it, so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


ASSETS: Sequence[StageAsset] = (
    StageAsset(
        keys=(key_of(FEATURE_DRIFT),),
        description="How far the features of the last sessions have moved from those before.",
        tables=(FEATURE_DRIFT,),
        depends_on=(key_of(DAILY_FEATURES), key_of(DAILY_PREDICTIONS)),
        body=report_drift,
    ),
)
