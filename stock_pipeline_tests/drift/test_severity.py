import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.drift.severity import SEVERITIES, Thresholds, at_least, severity

THRESHOLDS = Thresholds(low=0.1, medium=0.2, high=0.3, critical=0.5)


@pytest.mark.parametrize(
    ("value", "grade"),
    [
        (None, "NONE"),
        (0.0, "NONE"),
        (0.0999, "NONE"),
        (0.1, "LOW"),
        (0.2, "MEDIUM"),
        (0.3, "HIGH"),
        (0.49, "HIGH"),
        (0.5, "CRITICAL"),
        (9, "CRITICAL"),
    ],
)
def test_grades(value: float | None, grade: str) -> None:
    assert severity(value, THRESHOLDS) == grade


def test_thresholds_must_rise() -> None:
    with pytest.raises(InputError, match="must be above 0 and rise"):
        Thresholds(low=0.1, medium=0.1, high=0.3, critical=0.5)
    for values in ((0.0, 0.1, 0.3, 0.5), (0.1, 0.3, 0.3, 0.5), (0.1, 0.2, 0.5, 0.5)):
        with pytest.raises(InputError, match="must be above 0 and rise"):
            Thresholds(*values)


def test_order_of_grades() -> None:
    assert [at_least(grade, "HIGH") for grade in SEVERITIES] == [False, False, False, True, True]
