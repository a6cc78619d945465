"""The asset of the versions over stored trainings of two feature sets."""

from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.columns import AS_OF, FOLD, METRIC, MODEL, PERIOD, TRAINING_ID, VALUE, VERSION, WHOLE
from stock_pipeline.core.errors import RefusedWriteError
from stock_pipeline.features.catalogue import feature_set, hash_features
from stock_pipeline.models.scores import ALL_FOLDS, OBSERVATIONS, PART, TEST, TRAIN
from stock_pipeline.models.tables import MODEL_SCORES, OUT_OF_FOLD_PREDICTIONS, TRAININGS
from stock_pipeline.orchestration.night import Night
from stock_pipeline.registry.assets import register_versions
from stock_pipeline.registry.tables import (
    ACTIVE,
    MODEL_VERSIONS,
    PROMOTIONS,
    REJECTED,
    RETIRED,
    RETRAINING_JOBS,
    SHADOW,
    SHADOW_RESULTS,
    STATUS,
)
from stock_pipeline.storage import Author, Stores
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import MOMENT, ingested, out_of_fold_row, put, training_row, version_row
from stock_pipeline_tests.harness.plain_settings import plain_settings

DAYS = sessions(3)
DAY = DAYS[-1]


@pytest.fixture
def damaged(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The trainings whose artefacts are taken for damaged; none is there in truth."""
    found: dict[str, str] = {}
    monkeypatch.setattr("stock_pipeline.registry.assets.damaged_trainings", lambda _stores: found)
    return found


@pytest.fixture
def stores(tmp_path: Path, damaged: dict[str, str]) -> Stores:
    assert damaged == {}
    return ingested(tmp_path, DAY)


def train(stores: Stores, name: str, number: int, chosen: str, error: float, rank_ic: float = 0.01, target: str = "return") -> None:
    features = hash_features(feature_set(chosen).names)
    put(stores, TRAININGS, [training_row("ridge", name, DAY, number=number, features_hash=features, target=target)], DAY)
    measures = {"mae": error, "zero_mae": 0.5, "rank_ic": rank_ic, "rank_ic_t": 100 * rank_ic}
    row = {TRAINING_ID: name, MODEL: "ridge", AS_OF: DAY, PART: TEST, FOLD: ALL_FOLDS, PERIOD: WHOLE, OBSERVATIONS: 10}
    scores = [row | {METRIC: metric, VALUE: value} for metric, value in measures.items()]
    # Those of single folds and years, and of what was learnt from, are not what versions are compared by.
    others = [{**held, **part, VALUE: 0.001} for held in scores for part in ({PART: TRAIN}, {FOLD: 1}, {PERIOD: "2012"})]
    put(stores, MODEL_SCORES, [*scores, *others], DAY)
    # Everyone's target is 0.5, and the error the same for every stock, so that on common sessions it is the one above.
    said = [out_of_fold_row("ridge", name, day, symbol, 0.5 - error) | {"target": 0.5} for day in DAYS for symbol in "ABC"]
    put(stores, OUT_OF_FOLD_PREDICTIONS, said, DAY)


def registered(stores: Stores, chosen: str, **promotion: object) -> list[tuple[int, str, str]]:
    settings = plain_settings(stores.home, features={"set": chosen}, registry={"promotion": promotion})
    product = register_versions(Night("registry/model_versions", "ml", stores, settings, None, None, DAY))
    assert product is not None
    stores.write("ml", Author.of_asset("registry/model_versions", "1", "a-run", MOMENT), product.writes, DAY)
    return stores.read(MODEL_VERSIONS).sort(VERSION).select(VERSION, TRAINING_ID, STATUS).rows()


def test_another_set_s_model_takes_over_however_good_the_old_one_was_and_gives_way_again(stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.20)
    assert registered(stores, "core") == [(1, "t1", ACTIVE)]
    train(stores, "t2", 2, "alpha158", 0.30)
    assert registered(stores, "alpha158") == [(1, "t1", RETIRED), (2, "t2", ACTIVE)]
    train(stores, "t3", 3, "core", 0.40)
    assert registered(stores, "core") == [(1, "t1", RETIRED), (2, "t2", RETIRED), (3, "t3", ACTIVE)]


def test_a_training_on_features_that_are_not_made_now_becomes_no_version(stores: Stores) -> None:
    train(stores, "t1", 1, "alpha158", 0.20)
    train(stores, "t2", 2, "core", 0.25)
    assert registered(stores, "core") == [(1, "t2", ACTIVE)]
    assert stores.read(TRAININGS).filter(pl.col(TRAINING_ID) == "t1").height == 1


def test_a_version_bears_its_scores_over_all_test_sessions_and_is_judged_on_those_that_it_shares(stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.20)
    train(stores, "t2", 2, "core", 0.30)
    assert registered(stores, "core") == [(1, "t1", ACTIVE), (2, "t2", REJECTED)]
    assert stores.read(MODEL_VERSIONS).sort(VERSION).select("error", "zero_error").rows() == [(0.20, 0.5), (0.30, 0.5)]
    first, second = stores.read(PROMOTIONS).iter_rows(named=True)
    assert (first["decision"], first["ground"], second["decision"], second["ground"]) == ("promoted", "first", "refused", "holdout")
    compared = [second[name] for name in ("sessions", "predictions", "error", "rival_error", "zero_error")]
    assert compared == pytest.approx([3, 9, 0.3, 0.2, 0.5])


def test_a_version_in_shadow_is_decided_on_by_the_outcomes_of_nights(stores: Stores) -> None:
    rule = {"mode": "shadow", "shadow_sessions": 2, "shadow_predictions": 6}
    train(stores, "t1", 1, "core", 0.20)
    train(stores, "t2", 2, "core", 0.30)
    assert registered(stores, "core", **rule) == [(1, "t1", ACTIVE), (2, "t2", SHADOW)]
    for training, version, error in (("t1", 1, 0.20), ("t2", 2, 0.19)):
        known = {"model": "ridge", VERSION: version, TRAINING_ID: training, "predictions": 3, "zero_error": 0.5, "rank_ic": 0.1}
        put(stores, SHADOW_RESULTS, [known | {"session": day, "error": error} for day in DAYS[:2]], DAY)
    assert registered(stores, "core", **rule) == [(1, "t1", RETIRED), (2, "t2", ACTIVE)]
    last = stores.read(PROMOTIONS).row(-1, named=True)
    assert (last["decision"], last["ground"], last["sessions"], last["predictions"]) == ("promoted", "shadow", 2, 6)


def test_a_damaged_version_gives_way_to_a_worse_one(stores: Stores, damaged: dict[str, str]) -> None:
    train(stores, "t1", 1, "core", 0.20)
    assert registered(stores, "core") == [(1, "t1", ACTIVE)]
    damaged["t1"] = "model.txt is missing"
    train(stores, "t2", 2, "core", 0.40)
    assert registered(stores, "core") == [(1, "t1", RETIRED), (2, "t2", ACTIVE)]
    assert stores.read(PROMOTIONS)["reason"][1] == "version 1 cannot serve: model.txt is missing"


def test_trainings_that_no_job_made_are_told_as_one(stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.20)
    registered(stores, "core")
    train(stores, "t2", 2, "core", 0.19)
    registered(stores, "core")
    jobs = stores.read(RETRAINING_JOBS)
    assert jobs.select("job", "reason", "models", "state").rows() == [
        (1, "missing", '["ridge"]', "COMPLETED"),
        (2, "schedule", '["ridge"]', "COMPLETED"),
    ]


def test_what_a_hand_decided_in_the_meantime_is_not_lost(stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.20)
    night = Night("registry/model_versions", "ml", stores, plain_settings(stores.home), None, None, DAY)
    product = register_versions(night)
    assert product is not None
    put(stores, MODEL_VERSIONS, [version_row("ridge", 1, "t1", DAY)], DAY)
    with pytest.raises(RefusedWriteError, match=r"registry\.model_versions was changed by another while this was being worked out"):
        stores.write("ml", Author.of_asset("registry/model_versions", "1", "a-run", MOMENT), product.writes, DAY)
    assert stores.count(PROMOTIONS) == 0


def test_a_training_too_good_to_be_true_becomes_no_version_when_a_later_one_is_registered(stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.10, rank_ic=0.6)
    train(stores, "t2", 2, "core", 0.25)
    assert registered(stores, "core") == [(1, "t2", ACTIVE)]


def test_a_volatility_may_be_foretold_that_well(stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.10, rank_ic=0.6, target="volatility")
    assert registered(stores, "core") == [(1, "t1", ACTIVE)]
