import pytest

from stock_pipeline.models.plausibility import is_plausible


@pytest.mark.parametrize(
    ("rank_ic", "t_value", "plausible"),
    [
        (0.03, 8.0, True),
        (0.1, 50.0, True),  # the limit itself is none above it
        (0.11, 50.0, False),
        (0.11, 3.1, False),
        (0.3, 3.0, True),  # so few sessions can be luck
        (0.3, 1.2, True),
        (-0.3, -20.0, True),  # no one profits from it
        (None, None, True),
        (0.3, None, True),
    ],
)
def test_only_what_is_too_good_by_no_luck_is_implausible(rank_ic: float | None, t_value: float | None, plausible: bool) -> None:
    assert is_plausible({"rank_ic": rank_ic, "rank_ic_t": t_value, "mae": 0.2}, 0.1) is plausible


def test_the_limit_is_the_one_given_and_measures_may_be_missing() -> None:
    assert is_plausible({"rank_ic": 0.15, "rank_ic_t": 9.0}, 0.2)
    assert not is_plausible({"rank_ic": 0.15, "rank_ic_t": 9.0}, 0.12)
    assert is_plausible({}, 0.1)
