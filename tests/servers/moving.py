"""Histories on their way to a real MLflow server, by the library as the command line calls it."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from azureml_replay.archive.archive import Archive
from azureml_replay.connection import config_named, connect
from azureml_replay.direct.options import Replayed, ReplayOptions
from azureml_replay.direct.replay import replay
from azureml_replay.extraction.extract import ExtractOptions, extract
from azureml_replay.mlflow.config import ServerConfig
from azureml_replay.mlflow.target import MlflowTarget
from azureml_replay.mlflow.target import connect as connect_server
from azureml_replay.model import Finding, Omission
from azureml_replay.selection import Selection
from azureml_replay.sending.transport import open_transport
from azureml_replay.target.undone import Undone
from azureml_replay.undoing import undo
from azureml_replay.verbs import verify
from azureml_replay.verification.verdict import Verdict
from azureml_sandbox.server.sandbox import WorkspaceFile
from e2e.library import DiesAt, FastClock
from mlflow_servers import MlflowServer

ALL = Selection(include_active=True)


@dataclass(frozen=True)
class Sent:
    """One replay and one look."""

    replayed: Replayed
    verdict: Verdict

    @property
    def figures(self) -> tuple[int, int, int]:
        """What went."""
        return self.replayed.runs, self.replayed.points, self.replayed.files


def named(server: MlflowServer, folder: Path, **more: Any) -> Path:
    """The file that names a server, with a prefix before the experiments of one test alone."""
    path = folder / "server.json"
    path.write_text(json.dumps({"mlflow": server.url, "experiment_prefix": f"{uuid4().hex[:8]}-", **more}))
    return path


def prefix_of(target: Path) -> str:
    """What stands before its experiments."""
    return str(json.loads(target.read_text())["experiment_prefix"])


async def kept(source: WorkspaceFile, folder: Path) -> Path:
    """An archive that needs its source no more; brought up to date where it is there."""
    async with connect(str(source.path)) as reading:
        with Archive.create(folder, reading.ref) as archive:
            done = await extract(reading, archive, ALL, options=ExtractOptions(download=True, code=True), width=8)
    assert done.failed == ()
    return folder


def copied(archive: Path, folder: Path) -> Path:
    """The same archive, of which nothing was sent."""
    shutil.copytree(archive, folder)
    return folder


@asynccontextmanager
async def opened(target: Path, cut: DiesAt | None = None) -> AsyncIterator[MlflowTarget]:
    """The server, spoken to through `cut`."""
    config = config_named(str(target))
    assert isinstance(config, ServerConfig)
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(open_transport())
        through = cut.over(wire) if cut else wire
        opening = connect_server(config, transport=through, clock=FastClock())  # type: ignore[arg-type]
        yield await stack.enter_async_context(opening)  # type: ignore[misc]


async def sent(
    folder: Path, target: Path, *, cut: DiesAt | None = None, options: ReplayOptions = ReplayOptions()
) -> Sent:
    """Replay an archive, and compare every byte."""
    async with opened(target, cut) as server:
        with Archive.open(folder) as archive:
            replayed = await replay(archive, None, server, ALL, options=options, width=8)
            return Sent(replayed, await verify(archive, server, ALL, deep=True, width=8))


async def taken_back(folder: Path, target: Path) -> Undone:
    """One `undo`."""
    async with opened(target) as server:
        with Archive.open(folder) as archive:
            return await undo(archive, server, width=8)


def findings(folder: Path, target: Path) -> list[Finding]:
    """As the archive keeps them."""
    with Archive.open(folder, write=False) as archive:
        return list(archive.ledger(config_named(str(target)).ref).findings())


def omissions(folder: Path, target: Path) -> list[Omission]:
    """As planned for the server."""
    with Archive.open(folder, write=False) as archive:
        return list(archive.ledger(config_named(str(target)).ref).planned_omissions())


def bindings(folder: Path, target: Path) -> dict[str, str]:
    """Run of the source -> run of the server."""
    with Archive.open(folder, write=False) as archive:
        return dict(archive.ledger(config_named(str(target)).ref).bindings())


def sent_now(folder: Path, target: Path, *, cut: DiesAt | None = None) -> Sent:
    """`sent`, for tests that have no loop of their own."""
    return asyncio.run(sent(folder, target, cut=cut))


def sent_again(folder: Path, target: Path) -> Replayed:
    """One more replay."""

    async def again() -> Replayed:
        async with opened(target) as server:
            with Archive.open(folder) as archive:
                return await replay(archive, None, server, ALL, width=8)

    return asyncio.run(again())
