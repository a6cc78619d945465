import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.errors import InputError, RefusedWriteError
from stock_pipeline.registry.ledger import ATTEMPTS, change_jobs, living_jobs, session_reached, training_lock
from stock_pipeline.registry.tables import COMPLETED, FAILED, JOB, PENDING, REASON, REQUESTED_AT, RUNNING, STATE, TRAINING_JOBS
from stock_pipeline.registry.training_jobs import (
    CHOICES,
    DIED,
    TIME_TO_BEGIN,
    TrainingOfRun,
    TrainingRequest,
    as_json_row,
    close_dead_jobs,
    job_of,
    job_of_run,
    page_of_jobs,
    sentence_of,
    unfinished_job,
    with_finished_job,
    with_new_job,
    with_started_job,
    without_job,
)
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline_tests.factories.rows import empty_stores, ingested, put

NOW = datetime(2024, 5, 3, 22, 45, 10)
LATER = NOW + timedelta(minutes=9)
SESSION = date(2024, 5, 3)
NONE = TRAINING_JOBS.empty()
ASKED = TrainingRequest(("mlp", "lightgbm"), "drift", 500, folds=3, trials=9, dry_run=True)


def waiting(asked: TrainingRequest = ASKED, jobs: pl.DataFrame = NONE) -> pl.DataFrame:
    return with_new_job(jobs, asked, NOW)


def at_work() -> pl.DataFrame:
    return with_started_job(waiting(), 1, NOW)


def trained(*models: str, failed: dict[str, str] | None = None) -> TrainingOfRun:
    return TrainingOfRun(models, failed or {}, "schedule", NOW, LATER)


def done(*reasons: str) -> pl.DataFrame:
    """A job of each reason, one after another, every one of which trained its model."""
    jobs = NONE
    for number, reason in enumerate(reasons, 1):
        jobs = with_finished_job(with_new_job(jobs, TrainingRequest(("mlp",), reason), NOW), number, LATER, ["mlp"], {})
    return jobs


def test_a_job_goes_from_its_request_to_its_end() -> None:
    row = job_of(waiting(), 1)
    assert (row[STATE], row["requested_at"], row["started_at"], row["finished_at"]) == (PENDING, NOW, None, None)
    assert (row[REASON], json.loads(row["models"]), row["dry_run"]) == ("drift", ["mlp", "lightgbm"], True)
    assert [row[name] for name in ("sessions", "folds", "trials")] == [500, 3, 9]
    jobs = with_started_job(waiting(), 1, LATER)
    assert (job_of(jobs, 1)[STATE], job_of(jobs, 1)["started_at"]) == (RUNNING, LATER)
    row = as_json_row(job_of(with_finished_job(jobs, 1, LATER, ["mlp", "stack"], {"lightgbm": "no memory"}), 1))
    assert (row[STATE], row["error"], row["succeeded"], row["failed"]) == (COMPLETED, None, ["mlp", "stack"], {"lightgbm": "no memory"})
    assert (row["requested_at"], row["started_at"], row["finished_at"]) == (
        "2024-05-03T22:45:10Z",
        "2024-05-03T22:54:10Z",
        "2024-05-03T22:54:10Z",
    )


@pytest.mark.parametrize(
    ("succeeded", "error", "state", "told"),
    [
        (["mlp"], None, COMPLETED, None),
        (["stack"], None, FAILED, "no model could be trained"),  # the stack follows whatever becomes of what was asked for
        ([], None, FAILED, "no model could be trained"),
        (["mlp"], "the registry failed", FAILED, "the registry failed"),
        ([], "the disk is full", FAILED, "the disk is full"),
    ],
)
def test_a_job_has_failed_where_nothing_came_of_it(succeeded: list[str], error: str | None, state: str, told: str | None) -> None:
    row = job_of(with_finished_job(at_work(), 1, LATER, succeeded, {"lightgbm": "why"}, error), 1)
    assert (row[STATE], row["error"]) == (state, told)


def test_a_job_for_the_stack_alone_that_leaves_it_as_it_was_has_not_failed() -> None:
    jobs = with_started_job(waiting(TrainingRequest(("stack",))), 1, NOW)
    assert job_of(with_finished_job(jobs, 1, LATER, [], {}), 1)[STATE] == COMPLETED
    assert job_of(with_finished_job(jobs, 1, LATER, [], {"stack": "it is damaged"}), 1)[STATE] == FAILED


def test_a_second_job_is_refused_until_the_first_has_ended() -> None:
    with pytest.raises(
        InputError,
        match=r"training job 1 \(drift\) .* waiting to begin since 2024-05-03 22:45 UTC; .*`stock-pipeline training-jobs show 1`",
    ):
        waiting(jobs=waiting())
    with pytest.raises(
        InputError, match=r"training job 1 \(drift\) .* at work since 2024-05-03 22:45 UTC; .*`stock-pipeline training-jobs show 1`"
    ):
        waiting(jobs=at_work())
    assert waiting(jobs=with_finished_job(at_work(), 1, LATER, [], {}))[JOB].to_list() == [1, 2]


def test_only_a_job_that_waits_can_begin() -> None:
    with pytest.raises(InputError, match="job 1 is RUNNING, so it cannot start"):
        with_started_job(at_work(), 1, NOW)
    with pytest.raises(InputError, match="there is no training job 2"):
        with_started_job(waiting(), 2, NOW)


@pytest.mark.parametrize(
    ("jobs", "age", "state"),
    [
        (at_work, timedelta(0), FAILED),
        (waiting, TIME_TO_BEGIN, PENDING),
        (waiting, TIME_TO_BEGIN + timedelta(seconds=1), FAILED),
        (lambda: done("manual"), timedelta(days=9), COMPLETED),
    ],
)
def test_a_job_whose_process_is_gone_is_closed_and_one_that_waits_has_time(
    jobs: Callable[[], pl.DataFrame], age: timedelta, state: str
) -> None:
    row = job_of(close_dead_jobs(jobs(), NOW + age), 1)
    assert row[STATE] == state
    assert (row["error"], row["finished_at"]) == ((DIED, NOW + age) if state == FAILED else (None, LATER if state == COMPLETED else None))


def test_only_a_job_that_has_ended_can_be_deleted() -> None:
    assert without_job(done("manual", "drift", "manual"), 2)[JOB].to_list() == [1, 3]
    for jobs in (waiting(), at_work()):
        with pytest.raises(InputError, match="so its row stays"):
            without_job(jobs, 1)
    with pytest.raises(InputError, match="there is no training job 7; see `stock-pipeline training-jobs list`"):
        without_job(done("manual"), 7)


def test_jobs_are_listed_by_page_state_and_reason_latest_first() -> None:
    jobs = with_new_job(done("manual", "drift", "manual", "schedule", "manual"), ASKED, NOW)

    def numbers(page: int, per_page: int, state: str | None = None, reason: str | None = None) -> tuple[list[int], int]:
        found, count = page_of_jobs(jobs, state, reason, page, per_page)
        return found[JOB].to_list(), count

    assert numbers(1, 20) == ([6, 5, 4, 3, 2, 1], 6)
    assert numbers(2, 4) == ([2, 1], 6)
    assert numbers(1, 2, reason="manual") == ([5, 3], 3)
    assert numbers(1, 20, "pending") == ([6], 1)
    assert numbers(1, 20, COMPLETED, "drift") == ([2], 1)
    assert numbers(1, 20, FAILED) == ([], 0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("DONE", None, 1), "state 'DONE' is not known; choose one of PENDING, RUNNING, COMPLETED, FAILED"),
        ((None, "boredom", 1), "reason 'boredom' is not known; choose one of schedule, drift, missing, manual"),
        ((None, None, 3), "there is no page 3; the last is 2"),
        ((FAILED, None, 2), "there is no page 2; the last is 1"),
    ],
)
def test_what_cannot_be_listed_is_said(given: tuple[str | None, str | None, int], told: str) -> None:
    with pytest.raises(InputError, match=f"^{told}$"):
        page_of_jobs(done("manual", "manual", "manual"), *given, per_page=2)


def test_an_unknown_reason_opens_no_job() -> None:
    with pytest.raises(InputError, match="reason 'boredom' is not known"):
        waiting(TrainingRequest(("mlp",), "boredom"))


@pytest.mark.parametrize("name", CHOICES)
def test_a_training_on_less_than_one_is_not_asked_for(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} 0; give 1 or more"):
        TrainingRequest(("mlp",), **{name: 0})  # type: ignore[arg-type]


def test_a_training_that_no_job_asked_for_gets_one() -> None:
    row = as_json_row(job_of(job_of_run(done("drift"), trained("mlp", "risk", failed={"n_hits": "no memory"})), 2))
    assert (row[STATE], row[REASON], row["models"]) == (COMPLETED, "schedule", ["mlp", "risk", "n_hits"])
    assert (row["succeeded"], row["failed"]) == (["mlp", "risk"], {"n_hits": "no memory"})
    assert (row["dry_run"], [row[name] for name in CHOICES]) == (False, [None] * 3)
    assert row[REQUESTED_AT] == row["started_at"] < row["finished_at"]


def test_the_trainings_of_a_job_at_work_are_its_own() -> None:
    assert job_of_run(at_work(), trained("mlp")).equals(at_work())
    assert job_of_run(NONE, trained()).is_empty()


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return ingested(tmp_path / "data", SESSION)


def keep(stores: Stores, jobs: pl.DataFrame) -> None:
    put(stores, TRAINING_JOBS, jobs, SESSION)


def test_what_is_changed_is_stored_and_what_is_deleted_is_gone(stores: Stores) -> None:
    keep(stores, done("manual", "drift"))
    assert change_jobs(stores, lambda held: without_job(held, 1), LATER)[JOB].to_list() == [2]
    assert stores.read(TRAINING_JOBS).equals(done("manual", "drift").filter(pl.col(JOB) == 2))
    change_jobs(stores, lambda held: without_job(held, 2), LATER)
    assert stores.count(TRAINING_JOBS) == 0
    change_jobs(stores, lambda held: with_new_job(held, ASKED, NOW), LATER)
    assert stores.read(TRAINING_JOBS).equals(waiting())


def test_a_row_that_another_writes_meanwhile_is_not_lost(stores: Stores) -> None:
    tried: list[int] = []

    def change(held: pl.DataFrame) -> pl.DataFrame:
        tried.append(held.height)
        if len(tried) == 1:
            keep(stores, done("schedule"))
        return with_new_job(held, ASKED, NOW)

    assert change_jobs(stores, change, LATER)[REASON].to_list() == ["schedule", "drift"]
    assert tried == [0, 1]


def test_a_table_that_never_comes_to_rest_is_given_up(stores: Stores) -> None:
    def change(held: pl.DataFrame) -> pl.DataFrame:
        keep(stores, done(*["manual"] * (held.height + 1)))
        return with_new_job(held, ASKED, NOW)

    with pytest.raises(RefusedWriteError, match="was changed by another"):
        change_jobs(stores, change, LATER)
    assert stores.count(TRAINING_JOBS) == ATTEMPTS


def test_whoever_finds_a_dead_job_closes_it_but_not_one_whose_process_has_the_lock(stores: Stores) -> None:
    keep(stores, at_work())
    with training_lock(stores):
        assert living_jobs(stores, LATER).equals(at_work())
    assert job_of(living_jobs(stores, LATER), 1)["error"] == DIED
    assert job_of(stores.read(TRAINING_JOBS), 1)[STATE] == FAILED


def test_the_lock_is_refused_with_the_job_that_has_it(stores: Stores) -> None:
    keep(stores, at_work())
    row = unfinished_job(at_work())
    assert row is not None
    with training_lock(stores):
        with pytest.raises(InputError) as refused, training_lock(stores, 0):
            pass
        assert all(fact in str(refused.value) for fact in (sentence_of(row), "`stock-pipeline training-jobs list`"))
    with training_lock(stores, 0):
        keep(stores, close_dead_jobs(at_work(), LATER))
        with pytest.raises(InputError, match=f"another training is at work in {stores.home}"), training_lock(stores, 0):
            pass


def test_without_bars_there_is_nothing_to_train_on_and_no_job(tmp_path: Path) -> None:
    for home in (tmp_path / "none", empty_stores(tmp_path / "empty").home):
        with pytest.raises(InputError, match="there are no bars in"):
            session_reached(open_stores(home))
    assert living_jobs(open_stores(tmp_path / "none"), NOW).is_empty()
    assert not (tmp_path / "none").exists()
