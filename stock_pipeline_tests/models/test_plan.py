"""What a plan hands down to the estimators that it makes."""

import pytest

from stock_pipeline.datasets.splits import chosen_splits
from stock_pipeline.models.catalogue import CATALOGUE, model_entry
from stock_pipeline.models.plan import Plan
from stock_pipeline.settings import DatasetSettings, LabelSettings
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.training_panels import ONE_THREAD

DAYS = sessions(400)


def plan(name: str, horizons: tuple[int, ...], embargo: int, volatility_horizon: int = 5) -> Plan:
    labels = LabelSettings(horizons=horizons, volatility_horizon=volatility_horizon)
    splits = chosen_splits(DAYS[:300], DatasetSettings(embargo=embargo), labels)
    return Plan(model_entry(name), tuple(splits), dict(zip(DAYS[:370], DAYS[30:], strict=True)), ONE_THREAD)


@pytest.mark.parametrize(
    ("horizons", "volatility_horizon", "embargo", "gap"), [((1, 5), 5, 3, 9), ((20, 1), 5, 2, 23), ((1,), 30, 0, 30), ((1,), 2, 0, 2)]
)
def test_a_fit_that_holds_sessions_back_leaves_out_as_many_as_the_longest_label_asks_for_and_the_embargo(
    horizons: tuple[int, ...], volatility_horizon: int, embargo: int, gap: int
) -> None:
    made = plan("direction", horizons, embargo, volatility_horizon).make({"trees": 3})
    assert {name: made.parameters()[name] for name in ("gap_sessions", "trees")} == {"gap_sessions": gap, "trees": 3}


def test_every_model_is_made_by_its_plan_and_those_that_hold_nothing_back_are_told_of_no_gap() -> None:
    for entry in CATALOGUE:
        made = plan(entry.name, (20,), 3).make({})
        assert isinstance(made, entry.make if isinstance(entry.make, type) else object)
        assert made.parameters().get("gap_sessions") == (24 if entry.holds_sessions_back else None)
