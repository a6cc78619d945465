"""The tables of the features, and of the ratios of what companies report."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.table_schema import Column, TableSchema
from stock_pipeline.features.catalogue import CORE, FeatureSet
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.fundamental_ratios import RATIOS


def daily_features(chosen: FeatureSet) -> TableSchema:
    """The table of a set's features: one column per feature. Columns of a set that was chosen before are null."""
    return TableSchema(
        store="ml",
        room="features",
        name="daily_features",
        description=f"Features of each stock, known at the close of a session; set {chosen.name}: {chosen.description}",
        columns=(
            Column(SYMBOL, pl.String, "ticker"),
            Column(SESSION, pl.Date, "the session at whose close the features are known"),
            *(Column(feature.name, pl.Float32, described(feature), nullable=True) for feature in chosen.made),
        ),
        key=(SYMBOL, SESSION),
    )


def described(feature: Feature) -> str:
    """The description of a feature's column, as the web UI shows it."""
    return f"{feature.formula}; {feature.family}, {feature.look_back} sessions; {feature.source}"


DAILY_FEATURES: Final = daily_features(CORE)
DAILY_FEATURES_ASSET: Final = f"{DAILY_FEATURES.room}/{DAILY_FEATURES.name}"  # by which name its watermark is kept

FUNDAMENTAL_RATIOS: Final = TableSchema(
    store="ml",
    room="features",
    name="fundamental_ratios",
    description="Ratios of each company at a session's close, from the reports known on that night",
    columns=(
        Column(SYMBOL, pl.String, "ticker"),
        Column(SESSION, pl.Date, "the session at whose close the ratios are known"),
        *(Column(name, pl.Float64, meaning, nullable=True) for name, meaning in RATIOS.items()),
    ),
    key=(SYMBOL, SESSION),
)
