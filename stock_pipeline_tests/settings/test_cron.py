from datetime import datetime

import pytest
from dagster._utils.schedules import cron_string_iterator, is_valid_cron_schedule
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.settings import load_settings
from stock_pipeline.settings.cron import FIELDS, sound_cron
from stock_pipeline_tests.harness.given_settings import Given, refusal
from stock_pipeline_tests.harness.laws import law

VARIABLE = "AUTOMATION__TRAINING_CRON"
START = datetime(2024, 3, 1).timestamp()


@pytest.mark.parametrize(
    "cron",
    [
        "30 4 * * 6",
        "0 0 1 1 0",
        "*/5 1-3,7 * jan-mar SAT",
        "59 23 31 12 7",
        "0 0 29 2 *",
        "0 0 31 2,3 *",
        "0 0 30-1 2 *",
        "0 0 31 nov-jan *",
        "0 0 */31 2 *",
    ],
)
def test_a_cron_line_may_be_any_of_five_sound_fields(given: Given, cron: str) -> None:
    given(**{VARIABLE: cron})
    assert load_settings().automation.training_cron == cron


@pytest.mark.parametrize(
    "cron", ["whenever", "", "30 4 * *", "30 4 * * 6 2026", "60 4 * * 6", "0 24 * * 6", "0 4 0 * *", "0 4 * 13 *", "*/0 4 * * *"]
)
def test_a_cron_line_that_cannot_be_is_refused(given: Given, cron: str) -> None:
    given(**{VARIABLE: cron})
    assert refusal() == (
        f"variable STOCK_PIPELINE_{VARIABLE}: field automation.training_cron is {cron!r}, "
        "but it should be minute, hour, day, month and weekday, as in 30 4 * * 6"
    )


@pytest.mark.parametrize(
    ("cron", "day"), [("0 0 31 2 *", 31), ("0 0 30,31 feb *", 30), ("0 0 31 4-6/2,9,11 *", 31), ("0 0 31/1 2 *", 31), ("0 0 31 2 1", 31)]
)
def test_a_cron_line_that_never_comes_true_is_refused(given: Given, cron: str, day: int) -> None:
    given(f"automation: {{training_cron: '{cron}'}}")
    told = refusal()
    assert told.startswith(f"file stock_pipeline.yaml: field automation.training_cron is {cron!r}, but it never matches")
    assert f"no month in it has a day {day};" in told


def fields(lowest: int, highest: int, names: str) -> st.SearchStrategy[str]:
    ends = st.integers(lowest, highest).map(str)
    if names:
        ends |= st.sampled_from(names.split())
    wholes = st.one_of(st.just("*"), ends, st.tuples(ends, ends).map("-".join))
    parts = st.one_of(wholes, st.tuples(wholes, st.integers(1, 40).map(str)).map("/".join))
    return st.lists(parts, min_size=1, max_size=3).map(",".join)


# Days at the end of months that may be too short for them, so that lines of both kinds come up.
LATE = st.sampled_from(["29", "30", "31", "30-31", "31-31", "30/1", "31,30", "31-1", "29-31/2", "29-31/3"])
SHORT = st.sampled_from(["2", "feb", "2,4", "apr,jun", "4-6/2", "9/2", "2-12/20", "11-2/3", "11-4", "2-3"])


@law(300)
@given(st.tuples(*(fields(*rule) for rule in FIELDS)) | st.tuples(st.just("0"), st.just("4"), LATE, SHORT, fields(*FIELDS[4])))
def test_dagster_goes_by_every_line_that_is_taken_and_by_none_that_never_comes_true(parts: tuple[str, ...]) -> None:
    cron = " ".join(parts)
    try:
        sound_cron(cron)
    except ValueError:
        with pytest.raises(Exception, match="failed to find"):
            next(cron_string_iterator(START, cron, "America/New_York"))
    else:
        assert is_valid_cron_schedule(cron)
        next(cron_string_iterator(START, cron, "America/New_York"))
