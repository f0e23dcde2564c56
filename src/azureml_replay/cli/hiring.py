"""Workers for a command, as `--workers` and its kin say."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from azureml_replay.archive.archive import Archive
from azureml_replay.cli.speed import EngineOption, Speed
from azureml_replay.connection import Config, without_secrets
from azureml_replay.crew.driver import Crew
from azureml_replay.crew.engine import Engine
from azureml_replay.crew.messages import Setup
from azureml_replay.crew.processes import Processes
from azureml_replay.crew.ray import Ray, imported
from azureml_replay.crew.seeds import bring_leftovers
from azureml_replay.errors import UserError
from azureml_replay.progress import Progress
from azureml_replay.target.holder import alive
from azureml_replay.target.lease import leased
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.traffic import Load, ServiceTraffic, settled_below

if TYPE_CHECKING:
    from azureml_replay.workspace.opened import OpenedWorkspace


@dataclass(frozen=True, slots=True)
class End:
    """A workspace that a command reached, with the requests of its workers."""

    opened: OpenedWorkspace
    side: str
    crew: Crew | None

    @property
    def ref(self) -> Place:
        """Which it is."""
        return self.opened.ref

    def traffic(self) -> Mapping[str, ServiceTraffic]:
        """The requests so far, by service."""
        own = self.opened.traffic()
        return own if self.crew is None else self.crew.traffic_of(self.side, own)


@dataclass(frozen=True, slots=True)
class Hired:
    """What a command works with."""

    crew: Crew | None
    writing: OpenedWorkspace | None
    """The target; where it is written with workers, nobody else writes from its first write on, until these ended."""
    ends: Mapping[str, End]

    @property
    def target(self) -> OpenedWorkspace:
        """Where the command writes, or looks."""
        if self.writing is None:
            raise LookupError("this command has no target")
        return self.writing

    def tell_limits(self, progress: Progress, speed: Speed) -> None:
        """Say where a service took fewer requests than might have been sent."""
        for end in self.ends.values():
            for line in settled_below(end.traffic(), speed.width):
                progress.say(f"{end.ref}: {line}")


@asynccontextmanager
async def hired(
    archive: Archive,
    speed: Speed,
    progress: Progress,
    *,
    source: tuple[Config, OpenedWorkspace | None] | None = None,
    target: tuple[Config, OpenedWorkspace] | None = None,
    take_over: bool | None = None,
    download: bool = False,
) -> AsyncIterator[Hired]:
    """The workers of a command, and its workspaces as they are used with them; without `--workers` as they are.

    `take_over`: None where nothing is written. `download`: bytes of files come into the archive. What workers of a
    command that was killed left is folded in first. Raises UserError, LeaseTaken.
    """
    bring_leftovers(archive, progress)
    opened = {"source": source and source[1], "target": target and target[1]}
    writing = target[1] if target is not None else None
    async with AsyncExitStack() as stack:
        crew: Crew | None = None
        if speed.workers is not None:
            engine = engine_of(archive, speed, download=download)
            holder = stack.enter_context(alive(elsewhere=not engine.shares_disk))
            if writing is not None and take_over is not None:
                guard = leased(writing, archive.source, take_over=take_over, progress=progress, holder=holder)
                writing = await stack.enter_async_context(guard)
            configs = [one[0] if one is not None and one[1] is not None else None for one in (source, target)]
            told = configs if engine.shares_disk else [one and without_secrets(one) for one in configs]
            setup = Setup(
                source=told[0],
                target=told[1],
                width=speed.width,
                mbps=None if speed.mbps is None else speed.mbps / speed.workers,
                log_level=logging.getLogger("azureml_replay").getEffectiveLevel(),
                holder=holder,
            )
            crew = Crew(archive, engine, setup, speed.workers, progress, target=target[1].ref if target else None)
            await stack.enter_async_context(crew.at_work())
        ends = {side: End(one, side, crew) for side, one in opened.items() if one is not None}
        for side, end in ends.items() if crew is not None else ():
            progress.watch(side, partial(_loads, end))
        yield Hired(crew, writing, ends)


def _loads(end: End) -> Mapping[str, Load]:
    own = end.opened.loads()
    return own if end.crew is None else end.crew.loads_of(end.side, own)


def engine_of(archive: Archive, speed: Speed, *, download: bool) -> Engine:
    """What runs them. Raises UserError where it is not installed, or cannot do what is asked."""
    if speed.engine is EngineOption.PROCESSES:
        return Processes()
    if download or archive.keeps_bytes:
        raise UserError(
            "--engine ray moves no bytes between an archive and its workers: "
            "use --workers without --engine where the archive keeps the bytes of files"
        )
    imported(local=speed.ray_address is None)
    return Ray(speed.ray_address, speed.workers or 1)
