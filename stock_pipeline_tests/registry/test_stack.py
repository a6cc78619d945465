"""The stack as it follows the active versions, through the stages of the registry, on trainings that are made up."""

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.charts import alternative_text
from stock_pipeline.core.columns import ALL_PERIODS, AS_OF, FOLD, METRIC, MODEL, PERIOD, TRAINING_ID, VALUE, VERSION
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.tables import WALK_FORWARD_SPLITS
from stock_pipeline.features.catalogue import feature_set, hash_features
from stock_pipeline.market_data.tables import INSTRUMENTS
from stock_pipeline.models.artefacts import Artefact
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.models.checks import PLAUSIBLE_IC
from stock_pipeline.models.metrics import ALL_FOLDS, OBSERVATIONS, PART, TEST
from stock_pipeline.models.reading import load_stack
from stock_pipeline.models.stacking import stack_weights, widen
from stock_pipeline.models.tables import MODEL_METRICS, OUT_OF_FOLD_PREDICTIONS, TRAININGS
from stock_pipeline.orchestration.execution import StageResult
from stock_pipeline.orchestration.reporting import metadata_of
from stock_pipeline.registry.manual import promote_version, roll_back_version, set_enabled
from stock_pipeline.registry.reading import active_versions
from stock_pipeline.registry.tables import ACTIVE, DECISIONS, MEMBERS, MODEL_VERSIONS, REJECTED, RETIRED, STACK_ASSET, STATUS
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection
from stock_pipeline_tests.factories.artefacts import put_training
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import INGESTION, ingested, out_of_fold_row, put
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import MOMENT, make

DAYS = sessions(30)
NIGHT = DAYS[-1]
RIDGE, FOREST = "spline_ridge", "random_forest"
SYMBOLS = [f"S{i}" for i in range(12)]
TARGETS = np.random.default_rng(1).uniform(-0.5, 0.5, (len(DAYS), len(SYMBOLS)))
CORE = hash_features(feature_set("core").names)


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    """A first training of two models, both active, and weighed by a stack."""
    stores = with_folds(tmp_path)
    train(stores, RIDGE, 1)
    train(stores, FOREST, 1)
    night(stores)
    return stores


def with_folds(home: Path) -> Stores:
    """Two folds of a night."""
    stores = ingested(home, NIGHT)
    common = {
        AS_OF: NIGHT,
        "window": "expanding",
        "train_from": DAYS[0],
        "train_sessions": 5,
        "test_sessions": 10,
        "purge": 1,
        "embargo": 0,
    }
    folds = [
        common | {FOLD: fold, "train_to": DAYS[first - 2], "test_from": DAYS[first], "test_to": DAYS[last]}
        for fold, first, last in ((1, 6, 17), (2, 18, 29))
    ]
    put(stores, WALK_FORWARD_SPLITS, folds, NIGHT)
    return stores


def train(stores: Stores, model: str, number: int, knows: float = 0.1, features: str = CORE) -> Artefact:
    """A training whose scores are partly their targets, and otherwise the same noise as in every training of the model."""
    name = f"{model}_{number}"
    artefact = put_training(stores, model, name, NIGHT, number=number, features_hash=features)
    noise = np.random.default_rng([ord(model[0]), 7]).normal(size=TARGETS.shape)
    own = np.random.default_rng([ord(model[0]), number]).normal(size=TARGETS.shape)
    scores = knows * TARGETS + 0.1 * noise + 0.02 * own
    rows = [
        out_of_fold_row(model, name, day, symbol, scores[i, j]) | {"target": TARGETS[i, j], "forward_return": TARGETS[i, j] / 100}
        for i, day in enumerate(DAYS)
        if i >= 6
        for j, symbol in enumerate(SYMBOLS)
    ]
    put(stores, OUT_OF_FOLD_PREDICTIONS, rows, NIGHT)
    put_metrics(stores, model, name, 0.01)
    return artefact


def put_metrics(stores: Stores, model: str, training: str, rank_ic: float) -> None:
    row = {TRAINING_ID: training, MODEL: model, AS_OF: NIGHT, PART: TEST, FOLD: ALL_FOLDS, PERIOD: ALL_PERIODS, OBSERVATIONS: 10}
    figures = {"mae": 0.25, "baseline_mae": 0.25, "rank_ic": rank_ic, "rank_ic_t": 100 * rank_ic}
    put(stores, MODEL_METRICS, [row | {METRIC: metric, VALUE: value} for metric, value in figures.items()], NIGHT)


def night(stores: Stores, names: tuple[str, ...] | None = None, **asked: Any) -> StageResult:
    """The registry's decisions and then the stack, as in every run; returns what became of the stack."""
    settings = plain_settings(stores.home, models={"names": names, "suspicious_rank_ic": 0.99})
    make(MODEL_VERSIONS, stores, settings, **asked)
    return make(STACK_ASSET, stores, settings, **asked)


def members(stores: Stores) -> dict[str, str]:
    """What the active stack weighs, as its row tells, which is what its artefact holds."""
    row = active_versions(stores).filter(pl.col(MODEL) == STACK).row(0, named=True)
    told: dict[str, str] = json.loads(row["parameters"])["members"]
    stack = load_stack(stores.home / "models" / row["artefact"], row["sha256"])
    said = stores.read(OUT_OF_FOLD_PREDICTIONS, Selection(equals={TRAINING_ID: list(told.values())}))
    wide = widen(said.filter(pl.col(MODEL) == model) for model in told)
    assert stack.members == told and stack.weights == pytest.approx(stack_weights(wide, list(told)))
    return told


def statuses(stores: Stores, model: str) -> list[str]:
    return stores.read(MODEL_VERSIONS).filter(pl.col(MODEL) == model).sort(VERSION)[STATUS].to_list()


def last_reason(stores: Stores) -> str:
    row = stores.read(DECISIONS).filter(pl.col(MODEL) == STACK).row(-1, named=True)
    assert (row["decision"], row["decision_basis"]) == ("promoted", MEMBERS)
    reason: str = row["reason"]
    return reason


def test_the_first_stack_weighs_the_first_versions_and_is_active_at_once(stores: Stores) -> None:
    assert members(stores) == {RIDGE: f"{RIDGE}_1", FOREST: f"{FOREST}_1"}
    assert statuses(stores, STACK) == [ACTIVE]
    assert last_reason(stores) == "it follows the active versions: with spline_ridge 1, random_forest 1"


def test_scores_of_a_rejected_training_do_not_enter_the_stack(stores: Stores) -> None:
    train(stores, RIDGE, 2, knows=-0.3)
    outcome = night(stores)
    assert statuses(stores, RIDGE) == [ACTIVE, REJECTED]
    assert outcome.state == "up_to_date" and members(stores)[RIDGE] == f"{RIDGE}_1"
    assert stores.read(TRAININGS).filter(pl.col(MODEL) == STACK).height == 1


def test_a_promotion_a_rollback_and_a_promotion_by_force_change_the_stack_the_same_night(stores: Stores) -> None:
    train(stores, RIDGE, 2, knows=0.3)
    train(stores, RIDGE, 3, knows=-0.3)
    night(stores)
    assert statuses(stores, RIDGE) == [RETIRED, ACTIVE, REJECTED]
    assert members(stores) == {RIDGE: f"{RIDGE}_2", FOREST: f"{FOREST}_1"}
    assert last_reason(stores) == "it follows the active versions: spline_ridge 2 in place of spline_ridge 1"
    roll_back_version(stores, RIDGE, None, "it errs", MOMENT)
    night(stores)
    assert members(stores) == {RIDGE: f"{RIDGE}_1", FOREST: f"{FOREST}_1"}
    promote_version(stores, plain_settings(stores.home), RIDGE, 3, "I know better", MOMENT)
    night(stores)
    assert members(stores)[RIDGE] == f"{RIDGE}_3"
    # The same members on the same night are another version all the same, so that every prediction names what it was made with.
    assert statuses(stores, STACK) == [RETIRED, RETIRED, RETIRED, ACTIVE]
    assert stores.read(TRAININGS).filter(pl.col(MODEL) == STACK)[TRAINING_ID].n_unique() == 4


def test_a_model_that_is_disabled_leaves_the_stack_until_it_is_enabled(stores: Stores) -> None:
    set_enabled(stores, RIDGE, False, "it errs", MOMENT)
    night(stores)
    assert members(stores) == {FOREST: f"{FOREST}_1"} and last_reason(stores).endswith("without spline_ridge 1")
    set_enabled(stores, FOREST, False, "it errs, too", MOMENT)
    assert night(stores).output is None  # predictions leave out what is disabled, and there is nothing to weigh instead
    for model in (RIDGE, FOREST):
        set_enabled(stores, model, True, "mended", MOMENT)
    night(stores)
    assert set(members(stores)) == {RIDGE, FOREST}


def test_models_that_the_settings_leave_out_are_not_weighed(stores: Stores) -> None:
    night(stores, names=(FOREST,))
    assert set(members(stores)) == {FOREST}


def test_without_a_change_nothing_is_written_and_a_new_session_is_reached(stores: Stores) -> None:
    before = {table: stores.content_hash(table) for table in (TRAININGS, MODEL_VERSIONS, DECISIONS)}
    make(MODEL_VERSIONS, stores, plain_settings(stores.home))  # the registry looks at the stack's training, and decides nothing
    again = make(MODEL_VERSIONS, stores, plain_settings(stores.home))
    assert again.output is None and night(stores).output is None
    job = night(stores, full_refresh=True)  # as in a training job, which rebuilds the models that it is for
    assert job.reports == () and {table: stores.content_hash(table) for table in before} == before
    later = date(2012, 12, 31)
    put(stores, INSTRUMENTS, [{"instrument": "BBB", "symbol": "BBB", "source": "tests"}], later, INGESTION)
    assert night(stores).reached == later
    assert statuses(stores, STACK) == [ACTIVE]


def told(result: StageResult) -> tuple[set[tuple[str, int]], set[str]]:
    """The versions that the tables of a stage show, and the models that its picture of times in service names with theirs."""
    assert result.output is not None
    shown = result.output.tables
    named = {MODEL: shown["decisions"].select(MODEL, VERSION).rows(), "all": shown["every_version"].select(MODEL, VERSION).rows()}
    assert set(named[MODEL]) == set(named["all"])
    picture = alternative_text(result.output.charts()["active_periods"])
    return set(named["all"]), set(picture.rpartition("In service now: ")[2].split(", "))


def test_base_models_are_shown_by_the_registry_and_the_stack_by_itself_never_a_version_behind(tmp_path: Path) -> None:
    stores = with_folds(tmp_path)
    settings = plain_settings(stores.home, models={"suspicious_rank_ic": 0.99})
    for model in (RIDGE, FOREST):
        train(stores, model, 1)
    first, of_first = make(MODEL_VERSIONS, stores, settings), make(STACK_ASSET, stores, settings)
    assert told(first) == ({(RIDGE, 1), (FOREST, 1)}, {f"{RIDGE} version 1", f"{FOREST} version 1"})
    assert told(of_first) == ({(STACK, 1)}, {f"{STACK} version 1"})
    train(stores, RIDGE, 2, knows=0.3)
    second, of_second = make(MODEL_VERSIONS, stores, settings), make(STACK_ASSET, stores, settings)
    assert told(second) == ({(RIDGE, 1), (RIDGE, 2), (FOREST, 1)}, {f"{RIDGE} version 2", f"{FOREST} version 1"})
    assert told(of_second) == ({(STACK, 1), (STACK, 2)}, {f"{STACK} version 2"})
    put(stores, INSTRUMENTS, [{"instrument": "BBB", "symbol": "BBB", "source": "tests"}], date(2012, 12, 31), INGESTION)
    later = make(STACK_ASSET, stores, settings)
    assert told(later) == told(of_second) and later.output is not None and later.output.facts["note"] == "version 2 stays active"


def test_where_there_is_nothing_to_weigh_it_is_said_and_a_job_brings_nothing_up_to_date(tmp_path: Path) -> None:
    stores = with_folds(tmp_path)
    first = make(STACK_ASSET, stores, plain_settings(stores.home))
    assert first.output is not None
    assert first.output.facts["note"] == "there is none: no model of the return has an active version" and not first.output.charts()
    assert metadata_of(first, STACK_ASSET)["result"] == "nothing to make for this session"
    again = make(STACK_ASSET, stores, plain_settings(stores.home), full_refresh=True)
    assert (again.output, again.state, again.materialised) == (None, "up_to_date", False)


def test_a_damaged_stack_is_made_again_and_a_damaged_member_left_out_until_it_is_mended(stores: Stores) -> None:
    row = active_versions(stores).filter(pl.col(MODEL) == STACK).row(0, named=True)
    shutil.rmtree(stores.home / "models" / row["artefact"])
    night(stores)
    assert set(members(stores)) == {RIDGE, FOREST} and statuses(stores, STACK) == [ACTIVE]  # the same training, made again
    artefact = stores.home / "models" / FOREST / f"{FOREST}_1"
    shutil.move(artefact, stores.home / "elsewhere")
    night(stores)
    assert set(members(stores)) == {RIDGE}
    shutil.move(stores.home / "elsewhere", artefact)
    night(stores)
    assert set(members(stores)) == {RIDGE, FOREST}


def test_a_version_on_other_features_is_not_weighed(stores: Stores) -> None:
    train(stores, FOREST, 2, features="11")
    of_forest = stores.read(MODEL_VERSIONS).filter(pl.col(MODEL) == FOREST)
    put(stores, MODEL_VERSIONS, of_forest.with_columns(pl.lit(f"{FOREST}_2").alias(TRAINING_ID)), NIGHT)
    make(STACK_ASSET, stores, plain_settings(stores.home, models={"suspicious_rank_ic": 0.99}))
    assert set(members(stores)) == {RIDGE}


def test_a_stack_too_good_to_be_true_becomes_no_version_and_stops_the_night(stores: Stores) -> None:
    train(stores, RIDGE, 2, knows=5.0)
    settings = plain_settings(stores.home, models={"suspicious_rank_ic": 0.3})
    make(MODEL_VERSIONS, stores, settings)
    outcome = make(STACK_ASSET, stores, settings)
    assert set(outcome.blocked) == {PLAUSIBLE_IC} and outcome.checks[PLAUSIBLE_IC].facts["rank_ic"] > 0.3  # type: ignore[operator]
    assert statuses(stores, RIDGE) == [RETIRED, ACTIVE] and statuses(stores, STACK) == [ACTIVE]


def test_a_dry_run_shows_what_the_active_versions_would_weigh_and_keeps_nothing(stores: Stores) -> None:
    outcome = night(stores, dry_run=True, full_refresh=True)
    assert outcome.output is not None and outcome.output.tables["weights"].height == 2
    assert outcome.reports == () and len(list((stores.home / "models" / STACK).iterdir())) == 1


def test_no_version_of_the_stack_is_chosen_by_a_person(stores: Stores) -> None:
    for act in (
        lambda: promote_version(stores, plain_settings(stores.home), STACK, 1, "so", MOMENT),
        lambda: roll_back_version(stores, STACK, None, "so", MOMENT),
    ):
        with pytest.raises(InputError, match="the stack follows the active versions of its models"):
            act()
