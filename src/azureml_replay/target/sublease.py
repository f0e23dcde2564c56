"""A term of a lease that somebody else holds, for one part of the work: renewed by asking him, never the target.

He gives the part to another one only once this term is over, and a request that left within it has ended. Whoever was
stopped for longer, and goes on, sends nothing: it asks again first, and hears that the part is another one's.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

from azureml_replay.target.lease import TermOver, now_s

TERM_S = 60.0
"""The longest: as long as the term of the lease itself."""
GIVEN_AGAIN_AFTER_S = 150.0
"""Seconds from the end of a term until its part may be another one's: a request connects within 20 and is answered
within 120 after it left, or has failed."""

Ask = Callable[[], Awaitable[float]]
"""Asks for a term; its seconds. Raises LeaseTaken where the part is somebody else's."""


class SubLease:
    """The right to write one part of what a lease is about."""

    def __init__(self, ask: Ask) -> None:
        """Nothing is asked yet."""
        self._ask = ask
        self._ends_s = -math.inf
        self._turn = asyncio.Lock()
        self.was_taken = False
        self.begins_anew = False

    @property
    def left_s(self) -> float:
        """Seconds until the term ends; 0 where none runs."""
        return max(0.0, self._ends_s - now_s())

    def check(self) -> None:
        """Raises TermOver where nothing may leave now."""
        if self.left_s <= 0:
            raise TermOver

    async def hold(self) -> None:
        """Returns while a term runs. Raises LeaseTaken where the part was given to another one."""
        async with self._turn:
            while self.left_s <= 0:
                asked_s = now_s()
                self.extend(asked_s, await self._ask())

    def extend(self, asked_s: float, seconds: float) -> None:
        """A term of so many seconds from the moment of asking: the answer may have been long on its way."""
        self._ends_s = max(self._ends_s, asked_s + min(seconds, TERM_S))
        self.was_taken = self.was_taken or seconds > 0
