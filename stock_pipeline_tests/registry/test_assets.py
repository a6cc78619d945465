"""The asset of the versions over stored trainings of two feature sets."""

from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.columns import AS_OF, FOLD, METRIC, MODEL, TRAINING_ID, VALUE, VERSION
from stock_pipeline.features.catalogue import feature_set
from stock_pipeline.models.artefacts import hash_features
from stock_pipeline.models.scores import ALL_FOLDS, OBSERVATIONS, PART, PERIOD, TEST, TRAIN, WHOLE
from stock_pipeline.models.tables import MODEL_SCORES, TRAININGS
from stock_pipeline.orchestration.night import Night
from stock_pipeline.registry.assets import register_versions
from stock_pipeline.registry.tables import ACTIVE, MODEL_VERSIONS, REJECTED, RETIRED, STATUS
from stock_pipeline.storage import Author, Stores
from stock_pipeline_tests.panels import sessions
from stock_pipeline_tests.plain_settings import plain_settings
from stock_pipeline_tests.stored import MOMENT, ingested, put, training_row

(DAY,) = sessions(1)


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return ingested(tmp_path, DAY)


def train(stores: Stores, name: str, number: int, chosen: str, error: float, rank_ic: float = 0.01, target: str = "return") -> None:
    features = hash_features(feature_set(chosen).names)
    put(stores, TRAININGS, [training_row("ridge", name, DAY, number=number, features_hash=features, target=target)], DAY)
    measures = {"mae": error, "rank_ic": rank_ic, "rank_ic_t": 100 * rank_ic}
    row = {TRAINING_ID: name, MODEL: "ridge", AS_OF: DAY, PART: TEST, FOLD: ALL_FOLDS, PERIOD: WHOLE, OBSERVATIONS: 10}
    scores = [row | {METRIC: metric, VALUE: value} for metric, value in measures.items()]
    # Those of single folds and years, and of what was learnt from, are not what versions are compared by.
    others = [{**held, **part, VALUE: 0.001} for held in scores for part in ({PART: TRAIN}, {FOLD: 1}, {PERIOD: "2012"})]
    put(stores, MODEL_SCORES, [*scores, *others], DAY)


def registered(stores: Stores, chosen: str) -> list[tuple[int, str, str]]:
    settings = plain_settings(stores.home, features={"set": chosen})
    product = register_versions(Night("registry/model_versions", "ml", stores, settings, None, None, DAY))
    assert product is not None
    stores.write("ml", Author("registry/model_versions", "1", "a-run", MOMENT), product.writes, DAY)
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


def test_a_version_is_judged_by_its_scores_over_all_test_sessions(stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.20)
    train(stores, "t2", 2, "core", 0.30)
    assert registered(stores, "core") == [(1, "t1", ACTIVE), (2, "t2", REJECTED)]
    assert stores.read(MODEL_VERSIONS).sort(VERSION)["error"].to_list() == [0.20, 0.30]


def test_a_training_too_good_to_be_true_becomes_no_version_when_a_later_one_is_registered(stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.10, rank_ic=0.6)
    train(stores, "t2", 2, "core", 0.25)
    assert registered(stores, "core") == [(1, "t2", ACTIVE)]


def test_a_volatility_may_be_foretold_that_well(stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.10, rank_ic=0.6, target="volatility")
    assert registered(stores, "core") == [(1, "t1", ACTIVE)]
