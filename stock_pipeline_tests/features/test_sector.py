import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, SECTOR, SESSION, SYMBOL
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.cross_section import SECTOR_FEATURES
from stock_pipeline.features.feature import Feature
from stock_pipeline_tests.factories.feature_bars import BY_NAME, with_companies
from stock_pipeline_tests.factories.panels import adjusted_panel

SECTORS = {"S00": "Energy", "S01": "Energy", "S02": "Energy", "S03": "Utilities", "S04": "Utilities", "S05": None, "S06": None}
PANEL = with_companies(adjusted_panel(symbols=7, count=80)).with_columns(
    pl.col(SYMBOL).replace_strict(SECTORS, return_dtype=pl.String).alias(SECTOR)
)


@pytest.mark.parametrize("feature", SECTOR_FEATURES, ids=lambda feature: feature.name)
def test_stocks_are_ranked_among_those_of_their_sector_and_the_unknown_among_each_other(feature: Feature) -> None:
    name = feature.name
    plain = BY_NAME[name.removesuffix("_sector_rank")]
    made = compute_features(PANEL, [plain, BY_NAME[name]]).with_columns(
        pl.col(SYMBOL).replace_strict(SECTORS, return_dtype=pl.String).alias(SECTOR)
    )
    seen = 0
    for _, rows in made.group_by(SESSION, SECTOR):
        there = rows.drop_nulls(plain.name).sort(plain.name)
        assert there[name].to_list() == pytest.approx([(place + 0.5) / there.height for place in range(there.height)])
        assert rows[name].null_count() == rows[plain.name].null_count()
        seen += there.height
    assert seen > 80


def test_what_the_whole_sector_does_changes_nothing() -> None:
    days = PANEL[SESSION].unique().sort()
    boom = pl.when((pl.col(SECTOR) == "Energy") & (pl.col(SESSION) == days[-1])).then(1.3).otherwise(1.0)
    boomed = PANEL.with_columns(pl.col(CLOSE) * boom)
    names = ["return_5_sector_rank", "return_20_sector_rank", "return_20_rank"]
    before, after = (
        compute_features(panel, [BY_NAME[name] for name in names]).filter(pl.col(SESSION) == days[-1]) for panel in (PANEL, boomed)
    )
    assert before.select(names[:2]).equals(after.select(names[:2]))
    assert not before.select(names[2]).equals(after.select(names[2]))
