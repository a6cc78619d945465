"""The table of the drift room: one row per session judged, feature and statistic."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import AS_OF, FEATURE, VALUE
from stock_pipeline.core.table_schema import Column, TableSchema, View
from stock_pipeline.drift.severity import SEVERITIES

STATISTIC: Final = "statistic"
P_VALUE: Final = "p_value"
SEVERITY: Final = "severity"

FEATURE_DRIFT = TableSchema(
    store="ml",
    room="drift",
    name="feature_drift",
    description="How far each feature's cross-section in the last sessions has moved from that of the sessions before.",
    columns=(
        Column(AS_OF, pl.Date, "session after whose close drift was judged"),
        Column(FEATURE, pl.String, "feature of the catalogue"),
        Column(STATISTIC, pl.String, "statistic of the drift catalogue"),
        Column(VALUE, pl.Float64, "the statistic, 0 without drift; null where there were too few rows", nullable=True, minimum=0),
        Column(
            P_VALUE,
            pl.Float64,
            "p-value as if rows were independent, where the statistic has one",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
        Column(SEVERITY, pl.String, "grade of the value by the statistic's thresholds", allowed=SEVERITIES),
        Column("reference_from", pl.Date, "first session of the reference", nullable=True),
        Column("reference_to", pl.Date, "last session of the reference", nullable=True),
        Column("current_from", pl.Date, "first session of the current window", nullable=True),
        Column("current_to", pl.Date, "last session of the current window", nullable=True),
        Column("reference_rows", pl.Int64, "values of the feature compared on the reference's side", minimum=0),
        Column("current_rows", pl.Int64, "values of the feature compared on the current side", minimum=0),
    ),
    key=(AS_OF, FEATURE, STATISTIC),
    session_column=AS_OF,
)

RECENT_DRIFT_EVENTS: Final = View(
    store="ml",
    room="drift",
    name="recent_drift_events",
    sql="""
SELECT * FROM drift.feature_drift
WHERE severity IN ('HIGH', 'CRITICAL') AND as_of IN (SELECT DISTINCT as_of FROM drift.feature_drift ORDER BY as_of DESC LIMIT 30)
ORDER BY as_of DESC, feature, statistic
""",
    reads=(FEATURE_DRIFT,),
)
