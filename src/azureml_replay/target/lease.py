"""Nobody else writes meanwhile: a target whose first write takes its lease, and which keeps it until the end.

What is read before the lease is held may be old by then: `hold` first, where a write depends on what was read.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from azureml_replay.errors import LeaseTaken, ServiceError, UserError
from azureml_replay.instants import Instant
from azureml_replay.progress import SILENT, Progress
from azureml_replay.target.holder import alive, is_dead, lives_on
from azureml_replay.workers import beside
from azureml_replay.workspace.lease import (
    PACE,
    ClockReading,
    InTheWay,
    Leasable,
    LeaseHolder,
    LeaseSeen,
    OwnTerm,
    Term,
    first_term,
    last_term,
    lease_name,
    next_term,
)
from azureml_replay.workspace.place import Place

CHECKED = frozenset(
    {"append_points", "append_settled", "append_with_values", "make_run", "put_job", "log", "put_asset"}
)
"""Writes that may not be repeated: they ask once more when their bytes are about to leave."""
OF_TARGET = (
    "put_experiment put_runs update_runs hide_runs remove_tags put_files attach_file remove_files finish_runs end_runs"
)
OF_ASSETS = (
    "put_asset_container put_linked_model put_asset_file put_container remove_asset remove_container remove_asset_file"
)
OF_SUBMITTER = "register stage unstage delete_job"
HELD = frozenset(f"{OF_TARGET} {OF_ASSETS} {OF_SUBMITTER}".split())
"""The other writes."""
TRIES = 5
PAUSE_S = 3.0
"""Between them, where somebody else was first or the service does not answer."""
GIVING_BACK_S = 10.0
"""A lease that cannot be given back runs out."""
LATER = "run the same command again once that has ended; --take-over ends it"

Guarded = TypeVar("Guarded")
Answer = TypeVar("Answer")

logger = logging.getLogger("azureml_replay")


@asynccontextmanager
async def leased(
    target: Guarded,
    source: Place,
    *,
    take_over: bool = False,
    progress: Progress = SILENT,
    holder: LeaseHolder | None = None,
) -> AsyncIterator[Guarded]:
    """The same target, guarded: what comes from `source` is written by one call at a time. Given back at the end.

    One that is guarded already, or keeps no leases, stays as it is. A write raises LeaseTaken where another call holds
    the lease, or has held it meanwhile; with `take_over` its term is waited out. `holder`: one that is alive already.
    """
    if isinstance(target, Guard) or not isinstance(target, Leasable):
        yield target
        return
    with nullcontext(holder) if holder is not None else alive() as whose:
        lease = Lease(target, source, whose, take_over=take_over, progress=progress)
        try:
            async with beside(lease.keep):
                yield cast("Guarded", Guard(target, lease))
        finally:
            await lease.give_back()


async def hold(target: object) -> None:
    """Takes the target's lease unless it is held. Raises LeaseTaken, Unavailable."""
    if isinstance(target, Guard):
        await target.lease.hold()


async def held_for(target: object) -> float:
    """As `hold`; for how many seconds from now nobody else writes, which is for ever where nobody keeps leases."""
    if not isinstance(target, Guard):
        return math.inf
    await target.lease.hold()
    return target.lease.left_s


def is_held(target: object) -> bool:
    """Whether nobody else writes now; of a target without a guard nobody can tell."""
    return not isinstance(target, Guard) or target.lease.was_taken


async def again_once_held(target: object, work: Callable[[], Awaitable[None]]) -> None:
    """`work`, and once more from its beginning where its first write took the lease: what it read may be old by then.

    Nothing of the first time was written. So a call that finds nothing to write takes no lease.
    """
    if not isinstance(target, Guard) or target.lease.was_taken:
        await work()
        return
    target.lease.begins_anew = True
    try:
        await work()
    except _Begun:
        target.lease.begins_anew = False
        await work()
    finally:
        target.lease.begins_anew = False


class Fence(Protocol):
    """What says whether something may leave now."""

    begins_anew: bool
    """Whoever works would begin anew after the first write: so nothing is written now."""

    @property
    def was_taken(self) -> bool:
        """From the first term on; whether one still runs is asked when something leaves."""
        ...

    @property
    def left_s(self) -> float:
        """Seconds until the own term ends; 0 where none runs."""
        ...

    def check(self) -> None:
        """Raises TermOver where nothing may leave now."""
        ...

    async def hold(self) -> None:
        """Returns while a term runs. Raises LeaseTaken, Unavailable."""
        ...


class Guard:
    """A target, or its submitter, whose writes wait for the lease. What it reads is the other's own."""

    def __init__(self, inner: object, lease: Fence) -> None:
        """Nothing is asked yet."""
        self._inner, self.lease = inner, lease

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 as the target's own
        found = getattr(self._inner, name)
        if name in CHECKED:
            return partial(self._checked, found)
        if name in HELD:
            return partial(self._when_held, found)
        return Guard(found, self.lease) if name == "submitter" else found

    async def _when_held(self, write: Callable[..., Awaitable[Answer]], *given: object, **named: object) -> Answer:
        await self._held()
        return await write(*given, **named)

    async def _checked(self, write: Callable[..., Awaitable[Answer]], *given: object, **named: object) -> Answer:
        """Again where the term ran out on the way: nothing had left."""
        while True:
            await self._held()
            with suppress(TermOver):
                return await write(*given, **named, check=self.lease.check)

    async def _held(self) -> None:
        await self.lease.hold()
        if self.lease.begins_anew:
            raise _Begun


class TermOver(Exception):
    """The own term has ended, or was lost, when something was about to leave."""


class _Begun(Exception):
    """The lease was taken just now: what the work goes by was read before."""


class Lease:
    """One holder's, of what one source has in one target: taken at its first write, then kept alive."""

    def __init__(
        self, keeper: Leasable, source: Place, holder: LeaseHolder, *, take_over: bool, progress: Progress
    ) -> None:
        """Nothing is asked yet."""
        self._keeper, self._name, self._source = keeper, lease_name(source), source
        self._holder, self._take_over, self._progress = holder, take_over, progress
        self._pace = PACE
        self._own: OwnTerm | None = None
        self._clock: ClockReading | None = None
        self._lost: LeaseTaken | None = None
        self._not_before_s = 0.0
        """When the term that is taken over ends."""
        self.begins_anew = False
        """Whoever works would begin anew after the first write: so nothing is written now."""
        self._turn = asyncio.Lock()
        self._taken = asyncio.Event()

    @property
    def was_taken(self) -> bool:
        """From the first term on; whether one still runs is asked when something leaves."""
        return self._taken.is_set()

    @property
    def left_s(self) -> float:
        """Seconds until the own term ends; 0 where none runs."""
        return max(0.0, self._own.ends_s - now_s()) if self._own is not None and self._runs() else 0.0

    def check(self) -> None:
        """Raises where nothing may leave now."""
        if not self._runs():
            raise TermOver

    async def hold(self) -> None:
        """Returns while the own term runs. Raises LeaseTaken, Unavailable."""
        if self._runs():
            return
        async with self._turn:
            while not self._runs():
                await self._go_on()

    async def keep(self) -> None:
        """Renews it for as long as nobody cancels. Raises LeaseTaken where somebody else holds it."""
        await self._taken.wait()
        while self._own is not None:
            await asyncio.sleep(max(0.0, self._own.asked_s + self._pace.renewed_after_s - now_s()))
            try:
                async with self._turn:
                    await self._go_on()
            except ServiceError as error:
                logger.debug("the lease is not renewed yet: %s", error)
                await asyncio.sleep(PAUSE_S)

    async def give_back(self) -> None:
        """Where it is held. It runs out where that fails."""
        if self._own is None or self._lost:
            return
        with suppress(ServiceError, UserError, TimeoutError):
            async with asyncio.timeout(GIVING_BACK_S):
                await self._keeper.give_back(self._name, last_term(self._own.term))

    def _runs(self) -> bool:
        return self._own is not None and self._lost is None and self._own.runs(now_s())

    async def _go_on(self) -> None:
        """One term more."""
        if self._lost is not None:
            raise self._lost
        if self._own is None or self._clock is None:
            await self._take()
        else:
            await self._renew(self._own.term, self._clock)

    async def _take(self) -> None:
        for _ in range(TRIES):
            seen, clock = await self._read()
            last = seen.last
            dead = last is not None and last.runs(clock.now) and is_dead(last.holder)
            asked = first_term(
                self._holder,
                last,
                clock,
                now_s(),
                self._pace,
                dead=dead,
                take_over=self._take_over,
                not_before_s=self._not_before_s,
            )
            if isinstance(asked, InTheWay):
                raise LeaseTaken(f"{self._at_work(asked.term)}: {LATER}")
            if await self._begin(asked, seen):
                self._own = asked
                self._taken.set()
                return
            await asyncio.sleep(PAUSE_S)
        raise LeaseTaken(f"another replay of {self._source} into this target has just begun: {LATER}")

    async def _begin(self, asked: OwnTerm, seen: LeaseSeen) -> bool:
        """False where somebody else was first. What was written is read back: a service might not refuse it.

        Raises LeaseTaken where another one followed meanwhile: of two that take over, the later one does.
        """
        if seen.last is not None and asked.begins_s > now_s():
            self._not_before_s = asked.begins_s
            if not await self._claim(asked.term, 0):
                return False
            wait_s = max(0.0, asked.begins_s - now_s())
            self._progress.say(f"{self._at_work(seen.last)}: waiting {wait_s:.0f} s until its term is over")
            await asyncio.sleep(wait_s)
        others = [holder for holder in seen.holders if holder != self._holder]
        if not await self._claim(asked.term, self._pace.term_s, others):
            return False
        found, clock = await self._read()
        last = found.last
        if last is not None and last.number > asked.term.number and last.runs(clock.now):
            raise LeaseTaken(f"{self._at_work(last)}: {LATER}")
        return last == asked.term

    async def _renew(self, held: Term, clock: ClockReading) -> None:
        """From the last own term that the workspace shows, where an answer was lost."""
        while True:
            asked = next_term(held, clock, now_s(), self._pace)
            if await self._claim(asked.term, self._pace.term_s):
                self._own = asked
                lives_on(self._holder)
                return
            seen, clock = await self._read()
            last = seen.last
            if last is None or last.holder != self._holder or last.number <= held.number or last.over:
                break
            held = last
        whose = f"{last.holder} since {_shown(last.since)}" if last else "another replay"
        self._lost = LeaseTaken(
            f"this replay of {self._source} was stopped for so long that its lease ended, and it was taken over "
            f"({whose}): nothing was sent since; {LATER}"
        )
        raise self._lost

    async def _read(self) -> tuple[LeaseSeen, ClockReading]:
        asked_s = now_s()
        seen = await self._keeper.read_lease(self._name)
        self._clock = ClockReading(seen.now, asked_s, now_s())
        return seen, self._clock

    async def _claim(self, term: Term, seconds: int, instead_of: Sequence[LeaseHolder] = ()) -> bool:
        asked_s = now_s()
        now = await self._keeper.claim_term(self._name, term, seconds, instead_of=instead_of)
        if now is not None:
            self._clock = ClockReading(now, asked_s, now_s())
        return now is not None

    def _at_work(self, term: Term) -> str:
        return (
            f"another replay of {self._source} into this target is at work: {term.holder} since {_shown(term.since)}, "
            f"its lease runs until {_shown(term.until)}"
        )


def now_s() -> float:
    """Of a clock that nobody sets, and that goes on while the machine sleeps, where there is one."""
    if sys.platform != "win32" and hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def _shown(moment: Instant) -> str:
    return f"{str(moment)[:19].replace('T', ' ')} UTC"
