"""The width of one service, enforced: it only obeys `limit.Limit`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from azureml_replay.azure.clock import Clock
from azureml_replay.azure.limit import Limit


class Gate:
    """Lets as many requests through as the limit says, none while a stated wait lasts."""

    def __init__(self, service: str, limit: Limit, clock: Clock, on_throttle: Callable[[str], None]) -> None:
        """`on_throttle` hears one line per cut."""
        self.service = service
        self.limit = limit
        self._clock = clock
        self._on_throttle = on_throttle
        self._in_flight = 0
        self._paused_until: datetime | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> int:
        """Waits for a place; returns the number of cuts so far, which `leave` wants back."""
        while True:
            if (pause_s := self._pause_s()) > 0:
                await self._clock.sleep(pause_s)
            elif self._in_flight >= self.limit.width:
                await self._wait()
            else:
                self._in_flight += 1
                return self.limit.cuts

    def leave(self, sent_at_cut: int, *, throttled: bool, wait_s: float | None = None) -> None:
        """Gives the place back, says how it went, and pauses everybody where the service asked for a wait."""
        self._in_flight -= 1
        before, self.limit = self.limit, self.limit.after(throttled=throttled, sent_at_cut=sent_at_cut)
        if wait_s:
            until = self._clock.now() + timedelta(seconds=wait_s)
            self._paused_until = max(until, self._paused_until or until)
        if self.limit.cuts > before.cuts:
            pause = f", waiting {wait_s:g} s as it asks" if wait_s else ""
            self._on_throttle(f"{self.service} is throttling: {self.limit.width} requests at a time{pause}")
        self._wake()

    def give_back(self) -> None:
        """Gives the place back without a verdict: nothing was answered."""
        self._in_flight -= 1
        self._wake()

    def _pause_s(self) -> float:
        return (self._paused_until - self._clock.now()).total_seconds() if self._paused_until else 0.0

    async def _wait(self) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._wake()  # called, but leaving: the next in line is called instead
            raise

    def _wake(self) -> None:
        free = self.limit.width - self._in_flight
        while free > 0 and self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1
