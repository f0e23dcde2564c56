"""Enforces the width and the pace of one service, which `limit.Limit` decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from azureml_replay.counting import counted
from azureml_replay.sending.clock import Clock
from azureml_replay.sending.limit import Limit, Sent
from azureml_replay.workspace.traffic import Load, ServiceTraffic

CLOCK_TICK_S = 1e-6
"""The least wait: what a datetime can tell apart. Waits for less never end on a clock that only waiting moves."""


_DATE = 29
"""Characters of HTTP's date, always in GMT. What serves a server may add one of its own: then there are two."""


class Gate:
    """Lets as many requests through as the limit says, none while a stated wait lasts. First come, first served."""

    def __init__(self, service: str, limit: Limit, clock: Clock, on_throttle: Callable[[str], None]) -> None:
        """`on_throttle` gets one line for each cut."""
        self.service = service
        self.limit = limit
        self._clock = clock
        self._on_throttle = on_throttle
        self._in_flight = 0
        self._began_s = self._now_s()
        self.traffic = ServiceTraffic()
        self.traffic.width(0, limit.width(self._began_s))
        self._retries = 0
        self._next_s = 0.0
        """When a paced service may be asked again, in seconds on the clock."""
        self.told: datetime | None = None
        """The latest time that the service's answers bore; None before one bore any."""
        self._date = ""
        self._turn = asyncio.Lock()
        """Lets only the first in line wait for the clock and for places."""
        self._room = asyncio.Event()

    async def enter(self) -> Sent:
        """Wait for a place; returns what has to be given to `leave`."""
        async with self._turn:
            while True:
                now_s = self._now_s()
                early_s = max(self.limit.paused_until_s, self._next_s) - now_s
                if early_s >= CLOCK_TICK_S:
                    await self._clock.sleep(early_s)
                elif self._in_flight >= self.limit.width(now_s):
                    self._room.clear()
                    await self._room.wait()
                else:
                    return self._let_through(now_s)

    def leave(self, sent: Sent, *, throttled: bool, wait_s: float | None = None) -> None:
        """Give the place back and say how it went; `wait_s` where the service asked for a wait."""
        self._in_flight -= 1
        now_s = self._now_s()
        self.traffic.answered(throttled=throttled)
        if throttled:
            self._learn(self.limit.after_refusal(sent, self._in_flight, now_s, wait_s=wait_s), now_s)
        else:
            self._learn(self.limit.after_answer(sent, self._in_flight, now_s), now_s)

    def give_back(self) -> None:
        """Give the place back without a verdict: nothing was answered."""
        self._in_flight -= 1
        now_s = self._now_s()
        self._learn(self.limit.counted(self._in_flight, now_s), now_s)

    def hear(self, date: str | None) -> None:
        """What an answer says about when it was made."""
        if date is None or date == self._date:
            return
        self._date = date
        with suppress(ValueError):
            said = parsedate_to_datetime(date[:_DATE]).replace(tzinfo=UTC)
            self.told = max(said, self.told or said)

    def again(self) -> None:
        """Count an attempt that has to be made again."""
        self._retries += 1

    def load(self) -> Load:
        """The load now. What another thread sees may be a moment old."""
        limit, now_s = self.limit, self._now_s()
        return Load(
            in_flight=self._in_flight,
            width=limit.width(now_s),
            ceiling=limit.ceiling,
            per_s=limit.per_s(now_s),
            wait_s=max(0.0, limit.paused_until_s - now_s),
            retries=self._retries,
        )

    def _learn(self, limit: Limit, now_s: float) -> None:
        before, self.limit = self.limit, limit
        self._room.set()
        self.traffic.width(round((now_s - self._began_s) * 1_000), limit.width(now_s))
        if limit.paused_until_s > before.paused_until_s:
            self._next_s = 0.0
            wait_s = limit.paused_until_s - now_s
            self._on_throttle(f"{self.service} is throttling: waiting {wait_s:.0f} s as it asks")
        elif limit.cuts > before.cuts:
            self._on_throttle(f"{self.service} is throttling: {counted(limit.width(now_s), 'request')} at a time")

    def _let_through(self, now_s: float) -> Sent:
        self.limit, sent = self.limit.sending(self._in_flight, now_s)
        self._in_flight += 1
        if per_s := self.limit.per_s(now_s):
            self._next_s = max(now_s, self._next_s) + 1 / per_s
        return sent

    def _now_s(self) -> float:
        return self._clock.now().timestamp()
