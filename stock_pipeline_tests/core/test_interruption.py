import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from stock_pipeline.core.interruption import Terminated, interruptible, raise_if_asked, uninterrupted

SIGNALS = [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number, _ in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def swallowed(number: signal.Signals) -> bool:
    """Whether a signal raises something, which is then lost."""
    try:
        os.kill(os.getpid(), number)
    except KeyboardInterrupt:
        return True
    return False


@pytest.mark.parametrize(("number", "kind"), SIGNALS)
def test_a_signal_whose_exception_was_lost_is_raised_again_when_asked(number: signal.Signals, kind: type[KeyboardInterrupt]) -> None:
    with interruptible():
        raise_if_asked()
        with interruptible():
            assert swallowed(number)
        for _ in range(2):
            with pytest.raises(kind) as caught:
                raise_if_asked()
            assert caught.type is kind
    raise_if_asked()  # the next command begins anew


def test_within_an_uninterrupted_block_a_signal_waits_for_its_end() -> None:
    steps: list[str] = []
    with interruptible(), pytest.raises(KeyboardInterrupt), uninterrupted():
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            steps.append("inner")
        steps.append("outer")
    assert steps == ["inner", "outer"]


def test_the_error_of_an_uninterrupted_block_is_its_own() -> None:
    with interruptible(), pytest.raises(ValueError, match="mine"), uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        raise ValueError("mine")


def test_the_handlers_of_before_are_there_again() -> None:
    def own(_number: int, _frame: FrameType | None) -> None:
        """A handler of somebody else."""

    signal.signal(signal.SIGTERM, own)
    with interruptible():
        assert signal.getsignal(signal.SIGTERM) is not own
    assert signal.getsignal(signal.SIGTERM) is own


def test_an_interrupt_that_was_ignored_from_the_start_stays_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruptible():
        assert not swallowed(signal.SIGINT)
        raise_if_asked()
