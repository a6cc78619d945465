"""Iterating over the results of an asynchronous client from synchronous code."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Generator
from queue import SimpleQueue
from typing import Any, TypeVar

Item = TypeVar("Item")
Give = Callable[[Item], None]


def streamed(work: Callable[[Give[Item]], Coroutine[Any, Any, None]]) -> Generator[Item, None, None]:
    """What ``work`` gives to the function that it receives, as it comes.

    ``work`` runs in an event loop of its own thread: the caller's thread may have a running loop or none. What it raises is raised
    here. When the iteration ends, be it early, ``work`` is cancelled, cleans up after itself, and the thread is gone.
    """
    loop = asyncio.new_event_loop()
    given: SimpleQueue[tuple[Item] | BaseException | None] = SimpleQueue()
    thread = threading.Thread(target=_run, args=(loop, work, given), name="market data source", daemon=True)
    thread.start()
    try:
        while (got := given.get()) is not None:
            if isinstance(got, BaseException):
                raise got
            yield got[0]
    finally:
        with contextlib.suppress(RuntimeError):  # the loop has come to its end by itself
            loop.call_soon_threadsafe(_cancel_all, loop)
        thread.join()


def _run(
    loop: asyncio.AbstractEventLoop,
    work: Callable[[Give[Item]], Coroutine[Any, Any, None]],
    given: "SimpleQueue[tuple[Item] | BaseException | None]",
) -> None:
    end: BaseException | None = None
    asyncio.set_event_loop(loop)
    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(work(lambda item: given.put((item,))))
    except BaseException as error:  # nothing may be lost between the threads, a cancellation included
        end = error
    given.put(end)


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
