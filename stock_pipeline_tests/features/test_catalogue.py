import dataclasses
from typing import get_args

import polars as pl
import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.features.bars import FILL_SESSIONS
from stock_pipeline.features.catalogue import ALPHA158, COMBINED, CORE, EXPOSURES, EXTENDED, FEATURE_SETS, FeatureSet, feature_set
from stock_pipeline.features.feature import Family, Feature, Series, dependency_levels
from stock_pipeline.settings import FeatureSettings

FIRST, SECOND = CORE.features[:2]
OF_EXTENDED = {"momentum", "volatility", "volume", "cross_section", "fundamentals", "regime", "sector", "factor", "seasonality"}
OF_ALPHA158 = {"candle", "price_window", "volume_window"}


def of(*features: Feature) -> FeatureSet:
    return FeatureSet("made_up", "for the test", features, features[0].name)


@pytest.mark.parametrize(
    ("chosen", "families"),
    [
        (CORE, {"momentum", "volatility", "volume", "cross_section"}),
        (EXTENDED, OF_EXTENDED),
        (ALPHA158, OF_ALPHA158),
        (COMBINED, OF_EXTENDED | OF_ALPHA158),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_sets(chosen: FeatureSet, families: set[str]) -> None:
    assert {feature.family for feature in chosen.features} == families
    assert families <= set(get_args(Family))


@pytest.mark.parametrize("chosen", FEATURE_SETS, ids=lambda chosen: chosen.name)
def test_pictures_are_ordered_by_a_feature_of_the_set(chosen: FeatureSet) -> None:
    assert chosen.display_feature in chosen.names


def test_extended_begins_with_core_and_combined_is_extended_and_alpha158() -> None:
    assert EXTENDED.features[: len(CORE.features)] == CORE.features
    assert COMBINED.features == (*EXTENDED.features, *ALPHA158.features)


@pytest.mark.parametrize("chosen", FEATURE_SETS, ids=lambda chosen: chosen.name)
def test_every_set_stores_the_exposures_and_models_learn_from_its_own_features_alone(chosen: FeatureSet) -> None:
    stored = [feature.name for feature in chosen.made]
    assert set(EXPOSURES) <= set(stored)
    assert stored[: len(chosen.features)] == list(chosen.names)
    assert set(stored) - set(chosen.names) == (set(EXPOSURES) if chosen is ALPHA158 else set())
    assert chosen.made == (*chosen.features, *chosen.auxiliary)


def test_what_lies_aside_is_computed_as_in_core() -> None:
    assert set(ALPHA158.auxiliary) == {feature for feature in CORE.features if feature.name in EXPOSURES}


def test_what_lies_aside_counts_for_span_names_and_hash() -> None:
    long = max(CORE.features, key=lambda feature: feature.look_back)
    plain, wider = of(FIRST), dataclasses.replace(of(FIRST), auxiliary=(long,))
    assert (plain.names, plain.span < wider.span, plain.hash != wider.hash) == (wider.names, True, True)
    with pytest.raises(ValueError, match="names return_1 more than once"):
        dataclasses.replace(of(FIRST), auxiliary=(FIRST,))


def test_settings_know_the_sets() -> None:
    assert get_args(FeatureSettings.model_fields["set"].annotation) == tuple(chosen.name for chosen in FEATURE_SETS)
    assert FeatureSettings().set == CORE.name
    assert [feature_set(chosen.name) for chosen in FEATURE_SETS] == list(FEATURE_SETS)


def test_an_unknown_set_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="feature set 'alpha360' is not known; choose one of core, extended, alpha158, combined"):
        feature_set("alpha360")


@pytest.mark.parametrize("chosen", FEATURE_SETS, ids=lambda chosen: chosen.name)
def test_names_are_unique_and_fit_for_columns_in_any_case(chosen: FeatureSet) -> None:
    assert len({name.lower() for name in chosen.names}) == len(chosen.names)
    assert all(name.isidentifier() for name in chosen.names)


def test_a_repeated_name_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="names return_1 more than once"):
        of(*CORE.features, FIRST)


@pytest.mark.parametrize("chosen", FEATURE_SETS, ids=lambda chosen: chosen.name)
def test_every_entry_says_what_it_is_and_where_it_is_from(chosen: FeatureSet) -> None:
    for feature in chosen.features:
        assert len(feature.formula) > 10, feature.name
        assert any(letter.isdigit() for letter in feature.source), feature.name  # the year
        assert feature.look_back >= 1, feature.name
        assert "|" not in feature.formula + feature.source, feature.name


def test_the_span_is_the_longest_look_back_with_room_for_carried_prices() -> None:
    assert CORE.span == ALPHA158.span == 61 + FILL_SESSIONS
    assert EXTENDED.span == COMBINED.span == 101 + FILL_SESSIONS
    assert of(FIRST, SECOND).span == 6 + FILL_SESSIONS


def test_what_a_set_needs_besides_bars() -> None:
    assert (CORE.needs_sectors, CORE.needs_reports) == (False, False)
    assert (ALPHA158.needs_sectors, ALPHA158.needs_reports) == (False, False)
    assert (EXTENDED.needs_sectors, EXTENDED.needs_reports) == (True, True)
    assert (COMBINED.needs_sectors, COMBINED.needs_reports) == (True, True)


def test_bounds_are_those_of_the_market_s_features() -> None:
    assert CORE.bounds == ALPHA158.bounds == {}
    assert COMBINED.bounds == EXTENDED.bounds
    assert set(EXTENDED.bounds) == {feature.name for feature in EXTENDED.features if feature.family == "regime"}
    assert EXTENDED.bounds["market_trend_20"] == (-1, 1)


def test_a_feature_of_the_market_without_bounds_is_refused_and_so_are_bounds_without_the_market() -> None:
    with pytest.raises(ValueError, match="feature 'return_1': bounds belong to features of the market"):
        dataclasses.replace(FIRST, on="market")
    with pytest.raises(ValueError, match="feature 'return_1': bounds belong to features of the market"):
        dataclasses.replace(FIRST, bounds=(0, 1))


def test_the_hash_follows_what_values_follow_from_and_nothing_else() -> None:
    assert of(FIRST).hash == of(dataclasses.replace(FIRST, source="elsewhere", family="volume")).hash
    others = [
        (dataclasses.replace(FIRST, name="other"),),
        (dataclasses.replace(FIRST, formula="other"),),
        (dataclasses.replace(FIRST, look_back=3),),
        (dataclasses.replace(FIRST, ranked="session"),),
        (dataclasses.replace(FIRST, ranked="sector"),),
        (dataclasses.replace(FIRST, on="bar"),),
        (dataclasses.replace(FIRST, on="factors"),),
        (dataclasses.replace(FIRST, expression=FIRST.expression * 2),),
        (SECOND, FIRST),
        (FIRST, SECOND),
    ]
    assert len({of(*features).hash for features in [(FIRST,), *others]}) == 11


def test_windows_of_another_length_make_another_hash() -> None:
    short, long = (dataclasses.replace(FIRST, expression=pl.col("close").rolling_mean(window)) for window in (5, 6))
    assert of(short).hash != of(long).hash


def test_series_are_computed_after_those_that_they_are_made_of_and_once() -> None:
    first = Series("first", pl.col("close"))
    second = Series("second", first.column * 2, (first,))
    third = Series("third", second.column + first.column, (second, first))
    assert [list(layer) for layer in dependency_levels([third, second, first])] == [["first"], ["second"], ["third"]]


def test_two_different_series_of_one_name_are_refused() -> None:
    features = [dataclasses.replace(FIRST, inputs=(Series("shared", pl.col(name)),), name=name) for name in ("close", "high")]
    with pytest.raises(ValueError, match="two different series 'shared'"):
        of(*features)


def test_the_hash_follows_what_a_feature_is_made_of() -> None:
    made = [dataclasses.replace(FIRST, inputs=(Series("shared", pl.col(name)),)) for name in ("close", "high")]
    assert len({of(FIRST).hash, *(of(feature).hash for feature in made)}) == 3
