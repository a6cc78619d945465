import re

import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.models.catalogue import CATALOGUE, STACK, model_entry, parse_models


def test_names_are_unique_safe_and_the_estimators_own() -> None:
    names = [entry.name for entry in CATALOGUE]
    assert len(set(names)) == len(names) and STACK not in names
    for entry in CATALOGUE:
        assert re.fullmatch("[a-z0-9_]+", entry.name)
        assert entry.make(1, 1).name == entry.name
        assert entry.description.endswith(".")


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="'lightgmb' is not known; choose one of spline_ridge, lightgbm"):
        model_entry("lightgmb")


def test_a_choice_is_in_the_order_of_the_catalogue_and_none_means_all() -> None:
    assert [entry.name for entry in parse_models(["lightgbm", "spline_ridge", "lightgbm"])] == ["spline_ridge", "lightgbm"]
    assert [entry.name for entry in parse_models(["lightgbm"])] == ["lightgbm"]
    assert parse_models([]) == CATALOGUE
