import dataclasses

import pytest

from stock_pipeline.features.catalogue import (
    CATALOGUE,
    FEATURE_SET,
    as_markdown,
    catalogue_hash,
    checked,
    feature_names,
    look_back,
)
from stock_pipeline.features.grid import FILL_SESSIONS


def test_the_core_set_has_forty_features_of_four_families() -> None:
    assert FEATURE_SET == "core"
    assert len(CATALOGUE) == 40
    assert {feature.family for feature in CATALOGUE} == {"momentum", "volatility", "volume", "cross_section"}


def test_names_are_unique_and_fit_for_columns() -> None:
    names = feature_names()
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and name == name.lower() for name in names)


def test_a_repeated_name_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="names return_1 more than once"):
        checked([*CATALOGUE, CATALOGUE[0]])


def test_the_look_back_is_the_longest_with_room_for_carried_prices() -> None:
    assert look_back() == 61 + FILL_SESSIONS
    assert look_back(CATALOGUE[:2]) == 6 + FILL_SESSIONS


def test_the_hash_follows_names_formulas_and_order_and_nothing_else() -> None:
    first = CATALOGUE[0]
    assert catalogue_hash() == catalogue_hash(list(CATALOGUE))
    assert catalogue_hash([dataclasses.replace(first, source="elsewhere")]) == catalogue_hash([first])
    others = [
        [dataclasses.replace(first, name="other")],
        [dataclasses.replace(first, formula="other")],
        [CATALOGUE[1], first],
        [first, CATALOGUE[1]],
    ]
    assert len({catalogue_hash(features) for features in [[first], *others]}) == 5


def test_another_expression_under_the_same_words_is_noticed() -> None:
    first = CATALOGUE[0]
    assert catalogue_hash([dataclasses.replace(first, expression=first.expression * 2)]) != catalogue_hash([first])
    assert catalogue_hash([dataclasses.replace(first, ranked=True)]) != catalogue_hash([first])


def test_the_table_has_a_row_for_each_feature() -> None:
    lines = as_markdown().splitlines()
    assert len(lines) == 2 + len(CATALOGUE)
    assert lines[2] == "| return_1 | momentum | close over close 1 session ago, less 1 | 2 | Jegadeesh (1990) |"
    assert all(line.count("|") == 6 for line in lines)
