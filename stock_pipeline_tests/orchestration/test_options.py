from datetime import date
from pathlib import Path

import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.orchestration.options import RunOptions, parse_session
from stock_pipeline_tests.harness.plain_settings import plain_settings


@pytest.mark.parametrize(("text", "session"), [(None, None), ("2010-08-20", date(2010, 8, 20))])
def test_the_session_that_a_text_names(text: str | None, session: date | None) -> None:
    assert parse_session(text, "--as-of") == session


def test_a_text_that_is_no_date_is_refused_by_the_name_that_the_user_knows() -> None:
    with pytest.raises(InputError, match="--as-of 'tonight' is not a date; write it as 2010-08-20"):
        parse_session("tonight", "--as-of")


def test_a_run_that_says_nothing_of_its_training_leaves_the_settings_as_they_are(tmp_path: Path) -> None:
    settings = plain_settings(tmp_path, datasets={"sessions": 200, "folds": 4}, models={"tuning_trials": 6})
    assert not RunOptions().choose_training
    assert RunOptions().applied_to(settings) == settings


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (RunOptions(sessions=90), (90, 4, 6)),
        (RunOptions(folds=2), (200, 2, 6)),
        (RunOptions(trials=9), (200, 4, 9)),
        (RunOptions(sessions=1, folds=1, trials=1), (1, 1, 1)),
    ],
)
def test_what_a_run_says_of_its_training_takes_the_place_of_the_settings(
    options: RunOptions, chosen: tuple[int, int, int], tmp_path: Path
) -> None:
    settings = plain_settings(tmp_path, datasets={"sessions": 200, "folds": 4, "embargo": 8}, models={"tuning_trials": 6, "seed": 11})
    applied = options.applied_to(settings)
    assert options.choose_training
    assert (applied.datasets.sessions, applied.datasets.folds, applied.models.tuning_trials) == chosen
    assert (applied.datasets.embargo, applied.models.seed, applied.home) == (8, 11, tmp_path)
    assert (settings.datasets.sessions, settings.datasets.folds, settings.models.tuning_trials) == (200, 4, 6)


@pytest.mark.parametrize("name", ["sessions", "folds", "trials"])
@pytest.mark.parametrize("value", [0, -3])
def test_a_number_below_one_is_refused_by_its_name(name: str, value: int) -> None:
    with pytest.raises(InputError, match=f"the run was asked for {name} {value}; give 1 or more"):
        RunOptions(**{name: value})  # type: ignore[arg-type]
