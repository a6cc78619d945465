import asyncio
import itertools
import threading

import pytest

from stock_pipeline.market_data.sources.streaming import Give, streamed


async def three(give: Give[int]) -> None:
    for number in (1, 2, 3):
        give(number)
        await asyncio.sleep(0)


def threads_of_a_source() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "market data source"]


def test_what_is_given_comes_in_its_order_whether_or_not_a_loop_runs_here() -> None:
    async def within_a_loop() -> list[int]:
        return list(streamed(three))

    assert list(streamed(three)) == asyncio.run(within_a_loop()) == [1, 2, 3]
    assert threads_of_a_source() == []


def test_what_goes_wrong_is_raised_here_after_what_came_before() -> None:
    async def failing(give: Give[int]) -> None:
        give(1)
        raise LookupError("gone")

    stream = streamed(failing)
    assert next(stream) == 1
    with pytest.raises(LookupError, match="gone"):
        next(stream)
    assert threads_of_a_source() == []


def test_an_end_before_the_end_calls_the_work_off_and_lets_it_clean_up() -> None:
    left = []

    async def endless(give: Give[int]) -> None:
        tasks = [asyncio.create_task(asyncio.Event().wait()) for _ in range(2)]
        try:
            for number in itertools.count():
                give(number)
                await (asyncio.sleep(0) if number < 5 else asyncio.gather(*tasks))
        finally:
            await asyncio.sleep(0)
            left.append("cleaned up")

    stream = streamed(endless)
    assert next(stream) == 0
    assert len(threads_of_a_source()) == 1
    stream.close()
    assert left == ["cleaned up"]
    assert threads_of_a_source() == []


def test_a_consumer_slower_than_the_work_may_close_it_after_its_end() -> None:
    async def quick(give: Give[int]) -> None:
        give(1)
        give(2)

    stream = streamed(quick)
    assert next(stream) == 1
    for thread in threads_of_a_source():
        thread.join()
    stream.close()
    assert threads_of_a_source() == []
