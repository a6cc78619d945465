import inspect
import re
from multiprocessing.reduction import ForkingPickler

import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.catalogue import RETURN_KIND
from stock_pipeline.models.catalogue import CATALOGUE, STACK, model_entry, parse_models, ranking_models, stacked_models
from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline_tests.factories.stub_estimators import Stub, entry_of

EIGHT = ("spline_ridge", "lightgbm", "xgboost", "catboost", "random_forest", "mlp", "n_hits", "patch_tst")


def test_names_are_unique_and_safe_and_every_model_is_described() -> None:
    names = [entry.name for entry in CATALOGUE]
    assert len(set(names)) == len(names) and STACK not in names
    for entry in CATALOGUE:
        assert re.fullmatch("[a-z0-9_]+", entry.name)
        assert entry.description.endswith(".")
        assert entry.make(Conditions(1, 1)).parameters() == entry.make(Conditions(2, 1)).parameters()


def test_every_parameter_of_a_space_is_one_of_the_class_and_has_a_default() -> None:
    for entry in CATALOGUE:
        defaults = {name: parameter.default for name, parameter in inspect.signature(entry.make).parameters.items()}
        assert set(entry.space) <= set(defaults)
        assert all(value is not inspect.Parameter.empty for name, value in defaults.items() if name != "conditions")


def test_every_entry_can_be_sent_to_the_process_that_trains_it() -> None:
    for entry in (*CATALOGUE, entry_of(Stub)):
        assert ForkingPickler.loads(ForkingPickler.dumps(entry)) == entry
    assert entry_of(Stub).gpu_obstacle() == "it has no code for one"


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="'lightgmb' is not known; choose one of spline_ridge, lightgbm"):
        model_entry("lightgmb")


def test_a_choice_is_in_the_order_of_the_catalogue_and_none_means_all() -> None:
    assert [entry.name for entry in parse_models(["lightgbm", "spline_ridge", "lightgbm"])] == ["spline_ridge", "lightgbm"]
    assert [entry.name for entry in parse_models(["lightgbm"])] == ["lightgbm"]
    assert parse_models([]) == CATALOGUE


def test_the_stack_weighs_the_models_of_the_return_among_those_that_are_trained() -> None:
    of_the_return = tuple(entry.name for entry in CATALOGUE if entry.target == RETURN_KIND)
    assert stacked_models(None) == stacked_models(()) == of_the_return
    assert of_the_return[:8] == EIGHT
    assert stacked_models(["risk", "mlp", "direction", "spline_ridge"]) == ("spline_ridge", "mlp")
    assert stacked_models(["risk"]) == ()


def test_all_but_the_models_of_the_volatility_rank_stocks() -> None:
    assert set(ranking_models()) == {*(entry.name for entry in CATALOGUE), STACK} - {"risk"}
    assert ranking_models()[-1] == STACK
