import polars as pl
from polars.testing import assert_series_equal

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.fundamental_ratios import DEBT_TO_EQUITY, NET_MARGIN, OPERATING_MARGIN, PB, PE, REVENUE_GROWTH, ROE
from stock_pipeline.features.fundamentals import FUNDAMENTAL_FEATURES
from stock_pipeline_tests.factories.feature_bars import with_companies
from stock_pipeline_tests.factories.panels import adjusted_panel

PANEL = with_companies(adjusted_panel(symbols=3, count=30))
SAME_AS = {
    "return_on_equity": ROE,
    "operating_profitability": OPERATING_MARGIN,
    "profit_margin": NET_MARGIN,
    "sales_growth": REVENUE_GROWTH,
    "leverage": DEBT_TO_EQUITY,
}


def test_yields_are_the_multiples_turned_over_and_the_rest_is_as_it_was_told() -> None:
    made = compute_features(PANEL, FUNDAMENTAL_FEATURES).join(PANEL, on=[SYMBOL, SESSION])
    expected = {"earnings_yield": 1 / made[PE], "book_to_price": 1 / made[PB]} | {name: made[ratio] for name, ratio in SAME_AS.items()}
    assert set(expected) == {feature.name for feature in FUNDAMENTAL_FEATURES}
    for name, values in expected.items():
        assert values.null_count() > 0
        assert_series_equal(made[name].cast(pl.Float64), values, check_names=False, rel_tol=1e-6)


def test_a_stock_that_has_reported_nothing_has_none() -> None:
    silent = PANEL.with_columns(pl.lit(None, pl.Float64).alias(name) for name in (PE, PB, *SAME_AS.values()))
    made = compute_features(silent, FUNDAMENTAL_FEATURES)
    assert made.height == PANEL.height
    assert made.drop(SYMBOL, SESSION).null_count().sum_horizontal()[0] == PANEL.height * len(FUNDAMENTAL_FEATURES)
