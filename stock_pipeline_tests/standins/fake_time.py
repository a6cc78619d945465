"""A clock that stands still but for the waits."""

import asyncio


class FakeTime:
    """Seconds since some moment. ``waits`` are those that were asked for, in their order."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def clock(self) -> float:
        return self.now

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        until = self.now + seconds
        await asyncio.sleep(0)  # others that wait at the same time start before this one wakes
        self.now = max(self.now, until)
