"""The numbers of training jobs: none is given twice, whatever was deleted, and whoever opens a job."""

import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.orchestration.execution import Run
from stock_pipeline.registry.jobs import open_job
from stock_pipeline.registry.ledger import change_jobs
from stock_pipeline.registry.tables import JOB, TRAINING_JOBS
from stock_pipeline.registry.training_jobs import (
    TrainingOfRun,
    TrainingRequest,
    close_dead_jobs,
    job_of_run,
    with_finished_job,
    with_new_job,
    with_started_job,
    without_job,
)
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.rows import ingested
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.store_processes import PROJECT, heard, tell

NOW = datetime(2024, 5, 3, 22, 45, 10)
LATER = NOW + timedelta(minutes=9)
NONE = TRAINING_JOBS.empty()
ASKED = TrainingRequest(("mlp",), "drift")


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return ingested(tmp_path / "data", date(2024, 5, 3))


def open_one(stores: Stores) -> int:
    return open_job(Run(stores, plain_settings(stores.home), clock=lambda: NOW), ASKED)


def end(stores: Stores, number: int) -> None:
    change_jobs(stores, lambda held: with_finished_job(with_started_job(held, number, NOW), number, LATER, ["mlp"], {}), LATER)


def delete(stores: Stores, number: int) -> None:
    change_jobs(stores, lambda held: without_job(held, number), LATER)


def test_the_number_of_a_deleted_job_is_not_given_again(stores: Stores) -> None:
    for number in (1, 2, 3):
        assert open_one(stores) == number
        end(stores, number)
    for number in (3, 1):  # the highest and another
        delete(stores, number)
    assert open_one(stores) == 4
    end(stores, 4)
    for number in (2, 4):  # all that are left
        delete(stores, number)
    assert stores.count(TRAINING_JOBS) == 0
    assert open_one(stores) == 5


def test_a_job_that_died_was_one_all_the_same(stores: Stores) -> None:
    assert open_one(stores) == 1
    change_jobs(stores, lambda held: close_dead_jobs(with_started_job(held, 1, NOW), LATER), LATER)
    delete(stores, 1)
    assert open_one(stores) == 2


def test_a_training_that_no_job_asked_for_gets_a_number_that_none_has_had() -> None:
    training = TrainingOfRun(("mlp",), {}, "schedule", NOW, LATER)
    assert job_of_run(NONE, training, 7)[JOB].to_list() == [8]
    assert job_of_run(job_of_run(NONE, training), training)[JOB].to_list() == [1, 2]


def test_a_job_that_another_opens_and_deletes_meanwhile_keeps_its_number(stores: Stores) -> None:
    tried: list[int] = []

    def change(held: pl.DataFrame) -> pl.DataFrame:
        tried.append(held.height)
        if len(tried) == 1:
            number = open_one(stores)
            end(stores, number)
            delete(stores, number)
        return with_new_job(held, ASKED, NOW, stores.rows_ever(TRAINING_JOBS))

    assert change_jobs(stores, change, LATER)[JOB].to_list() == [2]
    assert tried == [0, 0]


OPENING = """
import sys
from pathlib import Path
from stock_pipeline.core.errors import InputError
from stock_pipeline.orchestration.execution import Run
from stock_pipeline.registry.jobs import open_job
from stock_pipeline.registry.ledger import training_lock
from stock_pipeline.storage import open_stores
from stock_pipeline_tests.registry.test_job_numbers import delete, end, open_one

stores = open_stores(Path(sys.argv[1]), 60)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(6):
    with training_lock(stores, wait_seconds=60):
        number = open_one(stores)
        end(stores, number)
        delete(stores, number)
    print(number, flush=True)
"""


def test_two_processes_never_give_the_same_number(stores: Stores) -> None:
    command = [sys.executable, "-c", OPENING, str(stores.home)]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT) for _ in range(2)]
    assert [heard(process) for process in both] == ["ready"] * 2
    for process in both:
        tell(process)
    told = [process.communicate()[0] for process in both]
    assert sorted(int(number) for text in told for number in text.split()) == list(range(1, 13))
