"""`azureml-replay`, with terms as short as a storage allows, and with trouble in the middle where it is told.

With UNREAPED set, silent workers are not killed: they are then as those of another machine, of which nobody can tell
whether they live, and they may go on later. TROUBLE lists what befalls a process at one of its requests or steps.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import runpy
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.merging.beside import BesideFold, BytesFold
from azureml_replay.archive.merging.ledgers import LedgerFold
from azureml_replay.archive.merging.runs import RunFold
from azureml_replay.azure import workspace
from azureml_replay.cli import engines, main
from azureml_replay.crew import driver
from azureml_replay.crew import worker as crew_worker
from azureml_replay.crew.engine import WorkerLost
from azureml_replay.crew.processes import PipeChannel, Processes
from azureml_replay.crew.seeds import Seeds
from azureml_replay.target import lease
from azureml_replay.workspace.lease import LeasePace

WORKER = "worker"
STEPS: tuple[tuple[type, str], ...] = (
    (Seeds, "make"),
    (Archive, "take_part"),
    (Seeds, "home"),
    (BytesFold, "copy"),
    (BesideFold, "fold_contents"),  # at its end nothing of the transaction is written yet
    (Archive, "take_home"),
    (RunFold, "fold_runs"),
    (LedgerFold, "fold_ledgers"),
    (BesideFold, "fold_notes"),
    (Archive, "fold"),
)
"""What a driver does with parts of its archive; the last four with those that an earlier one left."""


@dataclass(kw_only=True, slots=True)
class Trouble:
    """What befalls the first process that comes so far: one of all, since it leaves a file that says so."""

    befell: str
    """That file."""
    who: str
    """`worker`, or `driver`."""
    signal: int
    at: int
    """Which of its requests, or steps."""
    after: bool = False
    """Once it was delivered, or done."""
    steps: bool = False
    where: str = ""
    """Only URLs, or names of steps, that this matches count."""
    count: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """The request at which it was paused is over."""
    paused: bool = False

    def now(self) -> bool:
        """Counts one more; true for the one at which it happens, by whichever process comes first."""
        self.count += 1
        if self.count != self.at:
            return False
        with suppress(FileExistsError):
            os.close(os.open(self.befell, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            Path(self.befell).write_text(str(os.getpid()))
            return True
        return False

    def happen(self) -> None:
        """The process is gone, or stands still until somebody lets it go on."""
        self.paused = True
        os.kill(os.getpid(), self.signal)


@dataclass(frozen=True, slots=True)
class Wire:
    """A transport over another one, with trouble."""

    inner: Any
    trouble: Trouble

    async def send(self, request: Any, **options: Any) -> Any:
        """As the inner one, but at one of them."""
        trouble = self.trouble
        if not re.search(trouble.where, request.url) or not trouble.now():
            return await self.inner.send(request, **options)
        if not trouble.after:
            trouble.happen()
        try:
            answer = await self.inner.send(request, **options)
        finally:
            trouble.over.set()
        if trouble.after:
            trouble.happen()
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def __aenter__(self) -> Wire:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Whoever opened the inner one closes it."""


def wired(trouble: Trouble, really: Callable[[], AbstractAsyncContextManager[Any]]) -> Any:
    """Opens transports with trouble."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[Any]:
        async with really() as inner:
            yield Wire(inner, trouble)

    return opening


def stepped(trouble: Trouble, whose: type, name: str) -> None:
    """Lets it happen before or after a call."""
    really = getattr(whose, name)

    def call(*given: Any, **named: Any) -> Any:
        happens = trouble.now()
        if happens and not trouble.after:
            trouble.happen()
        done = really(*given, **named)
        if happens:
            trouble.happen()
        return done

    setattr(whose, name, call)


def renewed_later(trouble: Trouble) -> None:
    """The renewal of a paused process's term comes after the request at which it was paused, as it may.

    Which of them is first when both go on is a matter of a millisecond: it would hide that the request asks nobody.
    """
    of_worker, of_lease = crew_worker._Worker._alive, lease.Lease._renew

    async def alive(self: Any, *given: Any, **named: Any) -> Any:
        if trouble.paused:
            await trouble.over.wait()
        return await of_worker(self, *given, **named)

    async def renew(self: Any, *given: Any) -> None:
        if trouble.paused:
            await trouble.over.wait()
        await of_lease(self, *given)

    crew_worker._Worker._alive = alive  # type: ignore[method-assign]
    lease.Lease._renew = renew  # type: ignore[method-assign]


class Paced(Processes):
    """Its workers are of this program."""

    program = (__file__, WORKER)


class Unreaped(Paced):
    """Its processes are left alone where they are lost."""

    def channel_to(self, process: asyncio.subprocess.Process) -> PipeChannel:
        """One that never ends it."""
        return LeftAlone(process)


class LeftAlone(PipeChannel):
    """To a process of which nobody can tell."""

    async def lost(self, why: str) -> WorkerLost:
        """As it may be."""
        return WorkerLost(why, reaped=False)

    async def end(self) -> None:
        """Leave it alone; its pipe stays open."""


def expect_trouble(who: str) -> None:
    """Of what is told, that which is of this process."""
    for told in json.loads(os.environ.get("TROUBLE", "[]")):
        trouble = Trouble(**told)
        if who == WORKER:
            Path(f"{trouble.befell}.{os.getpid()}").touch()
        if trouble.who == who:
            prepare(trouble)


def prepare(trouble: Trouble) -> None:
    """Lets it happen, once it is time."""
    if trouble.signal == signal.SIGSTOP:
        renewed_later(trouble)
    if not trouble.steps:
        workspace.open_transport = wired(trouble, workspace.open_transport)
    for whose, name in STEPS if trouble.steps else ():
        if re.fullmatch(trouble.where or ".*", name):
            stepped(trouble, whose, name)


if __name__ == "__main__":
    expect_trouble(WORKER if sys.argv[1:] == [WORKER] else "driver")
    if sys.argv[1:] == [WORKER]:
        runpy.run_module("azureml_replay.crew.processes", run_name="__main__")
    lease.PACE = LeasePace(term_s=15, renewed_after_s=6, margin_s=3)
    driver.TERM_S, driver.GIVEN_AGAIN_AFTER_S = 5.0, 1.0
    engines.Processes = Unreaped if "UNREAPED" in os.environ else Paced  # type: ignore[misc]
    main()
