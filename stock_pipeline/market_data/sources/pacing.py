"""Pacing of requests for bars to Interactive Brokers. Times are seconds on the caller's own clock."""

import math
from collections import deque
from collections.abc import Awaitable, Callable, Hashable

LONG_SECONDS = 600.0  # so many requests in this time as the settings allow
IDENTICAL_SECONDS = 15.0  # between two identical requests
BURST_SECONDS = 2.0
BURST = 5  # requests for one contract in that time; the sixth is one too many

Asked = tuple[float, Hashable, Hashable]  # when, for which contract, and what exactly


class Pace:
    """Delays requests so that they keep within the limits.

    The limits: at most ``per_ten_minutes`` requests in any 10 minutes, at most 5 for one contract in any 2 seconds, and 15 seconds
    between identical ones. Not for several threads at once; tasks of one event loop may share it.
    """

    def __init__(self, per_ten_minutes: int, clock: Callable[[], float], wait: Callable[[float], Awaitable[None]]) -> None:
        self._per_ten_minutes = per_ten_minutes
        self._clock = clock
        self._wait = wait
        self._asked: deque[Asked] = deque()

    async def turn(self, contract: Hashable, what: Hashable, latest: float) -> bool:
        """Whether ``what`` may be asked about ``contract`` by ``latest``: true as soon as it may, and it counts as asked from then on.

        False at once where the wait would last longer, without any wait.
        """
        while (delay := self.delay(contract, what)) > 0:
            if self._clock() + delay > latest:
                return False
            # Another task may take the place while this one waits, so it looks again afterwards.
            await self._wait(delay)
        self._asked.append((self._clock(), contract, what))
        return True

    def delay(self, contract: Hashable, what: Hashable) -> float:
        """Seconds until ``what`` may be asked about ``contract``, 0 where it may be asked at once."""
        now = self._clock()
        while self._asked and self._asked[0][0] + LONG_SECONDS <= now:
            self._asked.popleft()
        about_it = [asked for asked in self._asked if asked[1] == contract]
        identical = [asked for asked in about_it if asked[2] == what]
        allowed = (
            _allowed_from(self._asked, self._per_ten_minutes, LONG_SECONDS),
            _allowed_from(about_it, BURST, BURST_SECONDS),
            _allowed_from(identical, 1, IDENTICAL_SECONDS),
        )
        return max(0.0, max(allowed) - now)


def _allowed_from(asked: deque[Asked] | list[Asked], most: int, seconds: float) -> float:
    """When one more request leaves no more than ``most`` in any ``seconds``."""
    return asked[-most][0] + seconds if len(asked) >= most else -math.inf
