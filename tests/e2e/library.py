"""The product as a library, called as its command line calls it."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import WorkspaceConfig, workspace_config
from azureml_replay.azure.examined import examined as subject
from azureml_replay.azure.workspace import connect
from azureml_replay.selection import Selection
from azureml_replay.sending.transport import open_transport
from azureml_replay.target.diagnosis.doctor import Diagnosis, diagnosed
from azureml_replay.verbs import Migrated, MigrateOptions, migrate
from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile


class FastClock:
    """The wall's, but waits pass in a fiftieth of their time: nobody else uses this sandbox."""

    def now(self) -> datetime:
        """The present moment."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """A short while."""
        await asyncio.sleep(seconds / 50)


Transport = AsyncHttpTransport[HttpRequest, AsyncHttpResponse]


class PowerCut(BaseException):
    """The process is gone: nothing of ours may catch it."""


class DiesAt:
    """A transport that counts requests and cuts the power at one of them, before or after it was delivered."""

    def __init__(self, left: int, *, delivered: bool, where: str = "") -> None:
        """`left` 0 never cuts: `count` then tells how many there are. Only URLs that `where` matches count."""
        self.left, self.delivered, self.count, self.where = left, delivered, 0, where
        self.inner: Transport | None = None

    def over(self, inner: Transport) -> DiesAt:
        """The same counter over another connection."""
        self.inner = inner
        return self

    async def send(self, request: HttpRequest, **options: object) -> AsyncHttpResponse:
        """As the inner transport, until the cut."""
        assert self.inner is not None
        if self.count >= self.left > 0:
            raise PowerCut
        if not re.search(self.where, request.url):
            return await self.inner.send(request, **options)
        self.count += 1
        if self.count == self.left and not self.delivered:
            raise PowerCut
        response = await self.inner.send(request, **options)
        if self.count == self.left:
            raise PowerCut
        return response

    async def __aenter__(self) -> DiesAt:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Whoever opened the inner one closes it."""

    async def open(self) -> None:
        """Open already."""

    async def close(self) -> None:
        """Not ours to close."""

    async def sleep(self, duration: float) -> None:
        """As the inner one."""
        assert self.inner is not None
        await self.inner.sleep(duration)


def sampled(sandbox: Sandbox, shape: Wanted, *, hostile: bool = False) -> WorkspaceFile:
    """A workspace with a sample of runs, and with every oddity where it is to be hostile."""
    made = sandbox.add_workspace()
    sample(sandbox.folder, made.workspace_name, shape, hostile=hostile)
    return made


async def migrated(
    source: WorkspaceFile,
    target: WorkspaceFile,
    folder: Path,
    *,
    cut: DiesAt | None = None,
    selection: Selection = Selection(),
    options: MigrateOptions = MigrateOptions(deep=True),
    width: int = 8,
) -> Migrated:
    """One `migrate`; with `cut`, both workspaces are spoken to through it."""
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(open_transport()) for _ in range(2)]
        through = [cut.over(wire) if cut else wire for wire in wires]
        configs = [workspace_config(str(one.path)) for one in (source, target)]
        ends = [
            await stack.enter_async_context(connect(config, transport=wire, parallel=width, clock=FastClock()))  # type: ignore[arg-type]
            for config, wire in zip(configs, through, strict=True)
        ]
        archive = stack.enter_context(Archive.create(folder, configs[0].ref))
        return await migrate(ends[0], ends[1], archive, selection, options=options, width=width)


def cut_and_continue(
    source: WorkspaceFile, target: WorkspaceFile, folder: Path, cut: DiesAt, size: tuple[int, int]
) -> bool:
    """Dies once, then runs undisturbed and must end equal, byte for byte, with so many runs and points.

    Says whether it came to die.
    """
    was_cut = False
    try:
        asyncio.run(migrated(source, target, folder, cut=cut))
    except PowerCut:
        was_cut = True

    done = asyncio.run(migrated(source, target, folder))

    assert (done.verdict.findings, done.replayed.failed) == (0, ()), (cut.left, cut.delivered)
    assert (done.verdict.runs, done.verdict.points) == size, (cut.left, cut.delivered)
    return was_cut


async def examined(source: WorkspaceFile | None, target: WorkspaceFile | None, folder: Path | None = None) -> Diagnosis:
    """One `doctor`; with a folder, kept in its archive."""
    async with AsyncExitStack() as stack:
        subjects = [
            None if one is None else await stack.enter_async_context(subject(configured(one), clock=FastClock()))
            for one in (source, target)
        ]
        kept = None
        if folder is not None:
            assert source is not None, "a new archive is of a source"
            kept = stack.enter_context(Archive.create(folder, configured(source).ref))
        return await diagnosed(subjects[0], subjects[1], kept)


def configured(workspace: WorkspaceFile) -> WorkspaceConfig:
    """As the command line reads its file."""
    return workspace_config(str(workspace.path))
