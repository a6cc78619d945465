"""The assets of the stage, night by night."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from stock_pipeline.core.columns import MAE, MODEL, SCORE, SESSION, SYMBOL, TARGET, TRAINING_ID, VERSION
from stock_pipeline.datasets.catalogue import target_kind
from stock_pipeline.labels.reading import read_outcomes
from stock_pipeline.labels.tables import daily_labels
from stock_pipeline.performance.log import performance_log, top_decile_by_session
from stock_pipeline.performance.tables import DAILY_PERFORMANCE, PERFORMANCE_LOG
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS
from stock_pipeline.registry.tables import LIVE_RESULTS
from stock_pipeline_tests.factories.rows import ingested
from stock_pipeline_tests.factories.training_panels import written_panel
from stock_pipeline_tests.harness.performance_nights import CAST, CHANGE, COUNT, DAYS, FIRST, LOG, MEASURE, Nights, said_on
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import rows_of

LAST = COUNT - 1


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """No labels, no predictions."""
    return Nights.begun(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def waiting(first_night: Nights, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """All labels and all predictions, and nothing measured yet."""
    nights = first_night.copied(tmp_path_factory.mktemp("waiting"))
    nights.brought(FIRST, LAST)
    return nights


@pytest.fixture
def nights(waiting: Nights, tmp_path: Path) -> Nights:
    """The same for one test, which may write."""
    return waiting.copied(tmp_path)


@pytest.fixture(scope="module")
def last_night(waiting: Nights, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """Everything joined and logged at once on the last night."""
    nights = waiting.copied(tmp_path_factory.mktemp("last"))
    nights.run(MEASURE, LAST)
    nights.run(LOG, LAST)
    return nights


def results(nights: Nights) -> pl.DataFrame:
    return nights.stores.read(LIVE_RESULTS)


def test_every_version_has_results_in_service_or_not_by_the_target_that_it_learnt(last_night: Nights) -> None:
    found = results(last_night)
    expected = []
    for model, version, kind, active_from, active_to in CAST:
        known = written_panel(last_night.stores, last_night.settings, DAYS[LAST], target_kind(kind)).drop_nulls(TARGET)
        reach = 5 if kind == "volatility" else 2
        days = [
            day for day in DAYS[FIRST : COUNT - reach] if active_from is None or (active_from <= day and (active_to or DAYS[COUNT]) > day)
        ]
        said = last_night.stores.read(DAILY_PREDICTIONS).filter((pl.col(MODEL) == model) & (pl.col(VERSION) == version))
        for day in days:
            pairs = said.filter(pl.col(SESSION) == day).join(known, on=[SESSION, SYMBOL])
            error = sum(abs(score - target) for score, target in pairs.select(SCORE, TARGET).iter_rows()) / pairs.height
            expected.append((model, version, f"{model}_{version}", day, pairs.height, pytest.approx(error)))
    columns = (MODEL, VERSION, TRAINING_ID, SESSION, "predictions", MAE)
    assert found.select(columns).rows() == sorted(expected, key=lambda row: row[:4])
    assert {len(DAYS[FIRST:COUNT]) - 5, len(DAYS[FIRST:COUNT]) - 2} <= set(found.group_by(MODEL, VERSION).len()["len"])


def test_night_by_night_comes_to_the_same_as_at_once_and_makes_only_what_is_new(
    first_night: Nights, last_night: Nights, tmp_path: Path
) -> None:
    nights = first_night.copied(tmp_path)
    made = []
    for first, last in ((44, 45), (46, 46), (47, 57), (58, 58), (59, LAST)):
        nights.brought(first, last)
        made.append(rows_of(nights.run(MEASURE, last), LIVE_RESULTS)[SESSION])
    assert_frame_equal(results(nights), results(last_night), check_exact=True)
    assert made[0].is_empty() and made[-1].max() == DAYS[LAST - 2]
    # The longest outcome takes five sessions, and labels that change every night reach six back.
    assert made[-1].min() == DAYS[LAST - 6 - 5]


def test_a_second_run_changes_nothing(last_night: Nights) -> None:
    tables = (LIVE_RESULTS, DAILY_PERFORMANCE, PERFORMANCE_LOG)
    before = [last_night.stores.content_hash(table) for table in tables]
    for stage in (MEASURE, LOG):
        again, anew = (last_night.run(stage, LAST, full_refresh=every) for every in (False, True))
        assert (again.output, again.state) == (None, "up_to_date")
        assert anew.output is not None and not any(report.changed for report in anew.reports)
    assert [last_night.stores.content_hash(table) for table in tables] == before


def test_a_night_left_out_is_made_up_for(nights: Nights, last_night: Nights) -> None:
    # The labels are already further on when the stage first works, so that nothing in them changes afterwards.
    for place in (54, 56, LAST):
        nights.run(MEASURE, place)
        known = results(nights)
        assert known.filter(pl.col(MODEL) == "risk")[SESSION].max() == DAYS[place - 5]
        assert known.filter(pl.col(MODEL) == "stack")[SESSION].max() == DAYS[place - 2]
    assert_frame_equal(results(nights), results(last_night), check_exact=True)


def test_a_restated_outcome_is_joined_again(nights: Nights) -> None:
    nights.run(MEASURE, LAST)
    before = results(nights)
    schema = daily_labels((1, 5))
    labels = nights.stores.read(schema)
    moved = (pl.col(SESSION) == DAYS[52]) & (pl.col("label_status_1") == "known") & (pl.col(SYMBOL) < "S12")
    nights.write(
        schema,
        labels.with_columns(pl.when(moved).then(-pl.col("forward_return_1")).otherwise("forward_return_1").alias("forward_return_1")),
    )
    nights.run(MEASURE, LAST)
    changed = results(nights).join(before, on=before.columns, how="anti", nulls_equal=True)
    assert changed[SESSION].unique().to_list() == [DAYS[52]]
    assert {"stack", "lightgbm"} <= set(changed[MODEL]) and results(nights).height == before.height


def test_sessions_beyond_retention_are_not_made(waiting: Nights, tmp_path: Path) -> None:
    nights = waiting.copied(tmp_path, retention={"live_results_days": 10})
    nights.run(MEASURE, LAST)
    kept = [day for day in DAYS[:COUNT] if (DAYS[LAST] - day).days <= 10]
    assert results(nights)[SESSION].min() == kept[0] > DAYS[FIRST]


def test_the_log_is_of_the_version_that_spoke(last_night: Nights) -> None:
    stores = last_night.stores
    said = stores.read(DAILY_PREDICTIONS).filter(pl.col(MODEL) != "risk")
    spoke = {("lightgbm", day): 1 if day < DAYS[CHANGE] else 2 for day in DAYS}
    numbers = [spoke.get(key, 1) for key in said.select(MODEL, SESSION).iter_rows()]
    heard = said.filter(pl.col(VERSION) == pl.Series(numbers, dtype=pl.Int32))
    outcomes = read_outcomes(stores, DAYS[LAST], 1)
    expected = performance_log(top_decile_by_session(heard, outcomes, outcomes, 10.0), DAYS[LAST])
    log = stores.read(PERFORMANCE_LOG)
    assert_frame_equal(log, expected, check_exact=True)
    assert log.select(MODEL, "period", "sessions").rows() == [(model, "all", 14) for model in ("direction", "lightgbm", "stack")]
    # With the shadow version it would be another.
    assert not performance_log(top_decile_by_session(said, outcomes, outcomes, 10.0), DAYS[LAST]).equals(expected)


def test_the_costs_are_those_of_the_settings(waiting: Nights, last_night: Nights, tmp_path: Path) -> None:
    nights = waiting.copied(tmp_path, trading={"cost_bps_per_side": 30.0})
    nights.run(LOG, LAST)
    dearer = last_night.stores.read(PERFORMANCE_LOG)["mean_return"] - nights.stores.read(PERFORMANCE_LOG)["mean_return"]
    assert dearer.to_list() == pytest.approx([2 * 0.002] * 3)


def test_each_night_s_log_stays_and_that_of_a_missed_night_is_made_up_for(nights: Nights, waiting: Nights, tmp_path: Path) -> None:
    every_night = waiting.copied(tmp_path / "on")
    for place in range(55, LAST + 1):
        every_night.run(LOG, place)
    for place in (55, LAST):
        nights.run(LOG, place)
    log = nights.stores.read(PERFORMANCE_LOG)
    last = log.group_by("as_of").agg(pl.col("last_session").max()).sort("as_of")
    assert last.rows() == [(DAYS[place], DAYS[place - 2]) for place in range(55, LAST + 1)]
    assert log.equals(every_night.stores.read(PERFORMANCE_LOG))


def test_people_see_the_pictures_and_the_figures(last_night: Nights) -> None:
    measured, logged = (last_night.run(stage, LAST, full_refresh=True).output for stage in (MEASURE, LOG))
    assert measured is not None and logged is not None
    assert measured.facts == {"sessions_joined": 14} and logged.facts == {"models": 3}
    assert (set(measured.charts()), set(logged.charts())) == ({"rank_ic"}, {"top_decile"})
    assert set(logged.tables["figures"]["period"]) == {"all"}


def test_the_record_of_the_models_leaves_versions_in_shadow_out(last_night: Nights) -> None:
    measured = last_night.stores.read(DAILY_PERFORMANCE)
    assert set(measured[TRAINING_ID]) == {"direction_1", "lightgbm_1", "lightgbm_2", "stack_1"}
    assert not measured.select(MODEL, SESSION).is_duplicated().any()


def test_predictions_without_outcomes_yet_are_left_for_later(first_night: Nights, tmp_path: Path) -> None:
    nights = first_night.copied(tmp_path)
    nights.write(DAILY_PREDICTIONS, said_on(FIRST))
    for stage in (MEASURE, LOG):
        assert nights.run(stage, FIRST).output is not None
    assert [nights.stores.count(table) for table in (LIVE_RESULTS, DAILY_PERFORMANCE, PERFORMANCE_LOG)] == [0, 0, 0]


def test_where_no_model_has_spoken_there_is_nothing_to_measure(tmp_path: Path) -> None:
    nights = Nights(ingested(tmp_path, DAYS[FIRST]), plain_settings(tmp_path))
    for stage in (MEASURE, LOG):
        product = nights.run(stage, FIRST).output
        assert product is not None and all(write.frame.is_empty() for write in product.writes) and not product.charts()


def test_a_prediction_of_an_unknown_training_has_no_result(nights: Nights) -> None:
    strange = (
        said_on(52)
        .filter(pl.col(MODEL) == "stack")
        .with_columns(pl.lit("of no one").alias(TRAINING_ID), pl.lit(9, pl.Int32).alias(VERSION))
    )
    nights.write(DAILY_PREDICTIONS, strange)
    nights.run(MEASURE, LAST)
    assert set(results(nights)[TRAINING_ID]) == {f"{model}_{version}" for model, version, *_ in CAST}
