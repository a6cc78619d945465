"""What features compare a stock with is the universe of the session: who is outside moves nobody's, and still has its own."""

from pathlib import Path

import polars as pl

from stock_pipeline.core.columns import CLOSE, IN_UNIVERSE, PRICES, SESSION, SYMBOL
from stock_pipeline.features.catalogue import EXTENDED
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.reading import read_bars_for
from stock_pipeline.universe.tables import DAILY_UNIVERSE, NOT_MEMBER, STATUS
from stock_pipeline_tests.factories.feature_bars import EVERY_FEATURE, with_companies
from stock_pipeline_tests.factories.panels import adjusted_panel, sessions
from stock_pipeline_tests.factories.rows import empty_stores, everyone_in, put
from stock_pipeline_tests.factories.stored_bars import put_bars
from stock_pipeline_tests.harness.plain_settings import plain_settings

COUNT = 125
DAYS = sessions(COUNT)
PANEL = with_companies(adjusted_panel(symbols=12, count=COUNT))
OUTSIDERS = ("S03", "S07")
OUTSIDE = pl.col(SYMBOL).is_in(OUTSIDERS)
RANKED = [feature.name for feature in EVERY_FEATURE if feature.ranked or feature.on == "factors"]


def with_absurd_outsiders(member_until: int = 0) -> pl.DataFrame:
    """The panel, in which two stocks double every other session and are in the universe on the first sessions alone."""
    absurd = pl.when(OUTSIDE & (pl.col(SESSION).rank("dense") % 2 == 0)).then(2.0).otherwise(1.0)
    inside = ~OUTSIDE | (pl.col(SESSION) < DAYS[member_until])
    return PANEL.with_columns(*(pl.col(price) * absurd for price in PRICES), inside.alias(IN_UNIVERSE))


def own(features: tuple[Feature, ...]) -> list[str]:
    """The features of the stock alone: what it gets when no other is there."""
    alone = compute_features(PANEL.filter(pl.col(SYMBOL) == "S00"), features)
    whole = compute_features(PANEL, features).filter(pl.col(SYMBOL) == "S00")
    return [feature.name for feature in features if alone[feature.name].equals(whole[feature.name]) and alone[feature.name].count()]


def test_who_is_outside_moves_nobody_s_feature() -> None:
    among = compute_features(with_absurd_outsiders(), EVERY_FEATURE).filter(~OUTSIDE)
    assert among.equals(compute_features(PANEL.filter(~OUTSIDE), EVERY_FEATURE))
    inside = compute_features(with_absurd_outsiders().drop(IN_UNIVERSE), EVERY_FEATURE).filter(~OUTSIDE)
    moved = {name for name in among.columns if not among[name].equals(inside[name])}
    assert {*RANKED, "beta_60", "residual_return_20", "market_trend_20", "return_dispersion_5_60"} <= moved


def test_who_is_outside_has_its_own_features_and_no_rank() -> None:
    panel = with_absurd_outsiders()
    outside = compute_features(panel, EVERY_FEATURE).filter(OUTSIDE)
    mine = own(EVERY_FEATURE)
    assert outside.select(mine).equals(compute_features(panel.drop(IN_UNIVERSE), EVERY_FEATURE).filter(OUTSIDE).select(mine))
    assert len(mine) > 150
    assert outside.select(pl.col(RANKED).count()).row(0) == (0,) * len(RANKED)
    against_market = outside.filter(pl.col(SESSION) == DAYS[-1]).select("beta_60", "residual_return_20")
    assert against_market.height == len(OUTSIDERS) and not any(column.null_count() for column in against_market)


def test_a_stock_counts_on_the_sessions_on_which_it_is_inside() -> None:
    made = compute_features(with_absurd_outsiders(member_until=100), EVERY_FEATURE)
    before, after = pl.col(SESSION) < DAYS[100], pl.col(SESSION) >= DAYS[100]
    everyone = compute_features(with_absurd_outsiders().drop(IN_UNIVERSE), EVERY_FEATURE)
    assert made.filter(before).equals(everyone.filter(before))
    # A rank of a session is among those of that session, whoever was inside before.
    ranks = [feature.name for feature in EVERY_FEATURE if feature.ranked == "session"]
    nobody = compute_features(with_absurd_outsiders(), EVERY_FEATURE)
    assert made.filter(after).select(ranks).equals(nobody.filter(after).select(ranks))


def test_the_bars_of_a_night_are_read_with_the_universe(tmp_path: Path) -> None:
    stores = empty_stores(tmp_path)
    bars = put_bars(stores, 30, 6)
    everyone_in(stores, bars, DAYS[29])
    put(stores, DAILY_UNIVERSE, [{SYMBOL: "S02", SESSION: DAYS[25], STATUS: NOT_MEMBER}], DAYS[29])
    panel = read_bars_for(stores, EXTENDED, plain_settings(tmp_path), DAYS[29], DAYS[20])
    assert panel.filter(~pl.col(IN_UNIVERSE)).select(SYMBOL, SESSION).rows() == [("S02", DAYS[25])]
    assert panel[CLOSE].len() == bars.filter(pl.col(SESSION) >= DAYS[20]).height
