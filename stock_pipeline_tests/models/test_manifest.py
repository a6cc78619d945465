"""What a training is called follows from all that it depends on."""

from dataclasses import replace
from datetime import date

from stock_pipeline.features.catalogue import hash_features
from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline.models.manifest import TrainingInputs
from stock_pipeline_tests.factories.training_panels import FEATURES

AS_OF = date(2020, 5, 4)
INPUTS = TrainingInputs("lightgbm", AS_OF, FEATURES, "bb", {"trees": 3, "rate": 0.1}, Conditions(seed=1, threads=1), "1")


def test_a_training_made_again_has_its_name_unless_others_came_in_between() -> None:
    first = INPUTS.training_id()
    assert INPUTS.training_id([first]) == first
    again = INPUTS.training_id([first, "another"])
    assert again not in (first, "another")
    assert INPUTS.training_id([first, "another", again]) == again
    third = INPUTS.training_id([first, "another", again, "yet another"])
    assert len({first, again, third}) == 3


def test_the_training_id_follows_from_each_of_its_inputs() -> None:
    others = [
        replace(INPUTS, model="stack"),
        replace(INPUTS, as_of=date(2020, 5, 5)),
        replace(INPUTS, features=FEATURES[::-1]),
        replace(INPUTS, data_hash="bc"),
        replace(INPUTS, parameters={"trees": 4, "rate": 0.1}),
        replace(INPUTS, conditions=Conditions(seed=2, threads=1)),
        replace(INPUTS, code_version="2"),
        # Trained elsewhere or with other threads the last digits may differ, so it is another training.
        replace(INPUTS, conditions=Conditions(seed=1, threads=2)),
        replace(INPUTS, conditions=Conditions(seed=1, threads=1, device="cuda")),
    ]
    plain = INPUTS.training_id()
    assert len({plain, *(other.training_id() for other in others)}) == 10
    assert plain == replace(INPUTS, parameters={"rate": 0.1, "trees": 3}).training_id()
    assert len(plain) == 16
    assert hash_features(["a", "b"]) != hash_features(["b", "a"])
