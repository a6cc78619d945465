import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.market_data.sources.pacing import BURST, BURST_SECONDS, IDENTICAL_SECONDS, LONG_SECONDS, Pace
from stock_pipeline_tests.standins.fake_time import FakeTime

ASKED = st.lists(
    st.tuples(st.sampled_from("AB"), st.sampled_from("xyz"), st.sampled_from([0.0, 0.1, 0.7, 3.0, 14.9, 200.0])), min_size=1, max_size=60
)


def paced(per_ten_minutes: int, asked: list[tuple[str, str, float]]) -> tuple[list[tuple[float, str, str]], FakeTime]:
    """When each request was let through; the third of each request is the time that passes before it is made."""
    time = FakeTime()
    pace = Pace(per_ten_minutes, time.clock, time.wait)
    passed = []

    async def ask_all() -> None:
        for contract, what, pause in asked:
            time.now += pause
            assert await pace.turn(contract, what, math.inf)
            passed.append((time.now, contract, what))

    asyncio.run(ask_all())
    return passed, time


def too_close(moments: list[float], most: int, seconds: float) -> bool:
    """Whether more than ``most`` of the moments lie within ``seconds``."""
    return any(later < earlier + seconds for earlier, later in zip(moments, moments[most:], strict=False))


@given(asked=ASKED, per_ten_minutes=st.integers(1, 8))
def test_no_sequence_of_requests_breaks_the_law(asked: list[tuple[str, str, float]], per_ten_minutes: int) -> None:
    passed, _time = paced(per_ten_minutes, asked)
    assert [(contract, what) for _moment, contract, what in passed] == [(contract, what) for contract, what, _pause in asked]
    assert not too_close([moment for moment, _contract, _what in passed], per_ten_minutes, LONG_SECONDS)
    for contract in "AB":
        about_it = [(moment, what) for moment, of, what in passed if of == contract]
        assert not too_close([moment for moment, _what in about_it], BURST, BURST_SECONDS)
        for what in "xyz":
            assert not too_close([moment for moment, of in about_it if of == what], 1, IDENTICAL_SECONDS)


@given(asked=ASKED)
def test_nobody_waits_longer_than_the_law_demands(asked: list[tuple[str, str, float]]) -> None:
    _passed, time = paced(len(asked), asked)
    assert max(time.waits, default=0.0) <= IDENTICAL_SECONDS


@pytest.mark.parametrize(
    ("asked", "moments"),
    [
        pytest.param([("A", 1), ("A", 1)], [0, 15], id="identical"),
        pytest.param([("A", number) for number in range(6)], [0, 0, 0, 0, 0, 2], id="sixth-for-one-contract"),
        pytest.param([("ABCDEFGH"[number], 1) for number in range(8)], [0, 0, 0, 0, 0, 0, 0, 600], id="eighth-of-seven"),
        pytest.param([("A", 1), ("B", 1)], [0, 0], id="the-same-of-two-contracts"),
    ],
)
def test_a_request_waits_exactly_as_long_as_it_must(asked: list[tuple[str, int]], moments: list[float]) -> None:
    passed, _time = paced(7, [(contract, str(what), 0.0) for contract, what in asked])
    assert [moment - 1000.0 for moment, _contract, _what in passed] == moments


def test_tasks_that_wait_for_the_same_place_take_turns() -> None:
    time = FakeTime()
    pace = Pace(1, time.clock, time.wait)
    passed = []

    async def ask(contract: str) -> None:
        assert await pace.turn(contract, "bars", math.inf)
        passed.append(time.now - 1000.0)

    async def ask_all() -> None:
        await asyncio.gather(*map(ask, "ABC"))

    asyncio.run(ask_all())
    assert passed == [0, 600, 1200]


def test_who_would_come_too_late_does_not_wait_and_takes_no_place() -> None:
    time = FakeTime()
    pace = Pace(2, time.clock, time.wait)

    async def ask_all() -> list[bool]:
        soon = time.now + IDENTICAL_SECONDS
        return [await pace.turn("A", what, latest) for what, latest in [("x", soon), ("x", soon - 0.1), ("y", soon), ("z", soon)]]

    assert asyncio.run(ask_all()) == [True, False, True, False]
    assert time.waits == []
    assert pace.delay("A", "z") == LONG_SECONDS
