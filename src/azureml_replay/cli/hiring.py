"""Workers for a command, as `--workers` and its kin say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from azureml_replay.archive.archive import Archive
from azureml_replay.cli.speed import Speed
from azureml_replay.connection import Config
from azureml_replay.crew.seeds import bring_leftovers
from azureml_replay.progress import Progress
from azureml_replay.target.holder import alive
from azureml_replay.target.lease import leased
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.traffic import Load, ServiceTraffic, settled_below

if TYPE_CHECKING:
    from azureml_replay.crew.driver import Crew
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
            from azureml_replay.cli import engines  # 35 ms, for those alone who have workers

            engine = engines.engine_of(archive, speed, download=download)
            holder = stack.enter_context(alive(elsewhere=not engine.shares_disk))
            if writing is not None and take_over is not None:
                guard = leased(writing, archive.source, take_over=take_over, progress=progress, holder=holder)
                writing = await stack.enter_async_context(guard)
            configs = [one[0] if one is not None and one[1] is not None else None for one in (source, target)]
            there = target[1].ref if target else None
            crew = engines.crew_of(archive, engine, speed, progress, configs=configs, holder=holder, target=there)
            await stack.enter_async_context(crew.at_work())
        ends = {side: End(one, side, crew) for side, one in opened.items() if one is not None}
        for side, end in ends.items() if crew is not None else ():
            progress.watch(side, partial(_loads, end))
        yield Hired(crew, writing, ends)


def _loads(end: End) -> Mapping[str, Load]:
    own = end.opened.loads()
    return own if end.crew is None else end.crew.loads_of(end.side, own)
