"""A limit on the bytes of files that go through this machine, in both directions together."""

from __future__ import annotations

import asyncio

from azureml_replay.sending.clock import WALL_CLOCK, Clock

BYTES_OF_A_MEGABIT = 125_000
EACH_BYTES_PER_S = 1_000_000
"""The least rate of one transfer: with less, a block of 4 MiB takes minutes, and servers close the connection."""


class Cap:
    """A limit for everything that is sent with it, whichever workspace it goes to.

    aiolimiter, the token bucket that is kept best, refuses an amount beyond a second's worth, and knows the event
    loop's clock only.
    """

    def __init__(self, megabits_per_s: float, clock: Clock = WALL_CLOCK) -> None:
        """Few transfers go at once under a low limit, so that none of them starves."""
        self.bytes_per_s = megabits_per_s * BYTES_OF_A_MEGABIT
        self.turns = asyncio.Semaphore(max(1, int(self.bytes_per_s // EACH_BYTES_PER_S)))
        self._clock, self._owed_s, self._last = clock, 0.0, clock.now()

    async def take(self, count: int) -> None:
        """Return when the bytes that were taken before have had their time; these then have theirs."""
        now = self._clock.now()
        passed_s = max(0.0, (now - self._last).total_seconds())  # a clock that is set back passes no time
        wait_s, self._last = max(0.0, self._owed_s - passed_s), now
        self._owed_s = wait_s + count / self.bytes_per_s
        if wait_s:
            await self._clock.sleep(wait_s)
