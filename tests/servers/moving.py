"""Histories on their way to a real MLflow server, by the library as the command line calls it."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

from azureml_replay.archive.archive import Archive
from azureml_replay.connection import config_named, connect
from azureml_replay.mlflow.config import ServerConfig
from azureml_replay.mlflow.target import connect as connect_server
from azureml_replay.selection import Selection
from azureml_replay.sending.transport import open_transport
from azureml_replay.verbs import Migrated, MigrateOptions, migrate
from azureml_sandbox.server.sandbox import WorkspaceFile
from e2e.library import DiesAt, FastClock
from mlflow_servers import MlflowServer


def named(server: MlflowServer, folder: Path, **more: Any) -> Path:
    """The file that names a server, with a prefix before the experiments of one test alone."""
    path = folder / "server.json"
    path.write_text(json.dumps({"mlflow": server.url, "experiment_prefix": f"{uuid4().hex[:8]} ", **more}))
    return path


async def moved(
    source: WorkspaceFile | Path | str,
    target: Path,
    folder: Path,
    *,
    cut: DiesAt | None = None,
    selection: Selection = Selection(),
    options: MigrateOptions = MigrateOptions(deep=True),
    width: int = 8,
) -> Migrated:
    """One `migrate`; with `cut`, the server is spoken to through it."""
    config = config_named(str(target))
    assert isinstance(config, ServerConfig)
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(open_transport())
        through = cut.over(wire) if cut else wire
        server = await stack.enter_async_context(
            connect_server(config, transport=through, parallel=width, clock=FastClock())  # type: ignore[arg-type]
        )
        reading = await stack.enter_async_context(
            connect(str(source.path) if isinstance(source, WorkspaceFile) else str(source), width=width)
        )
        archive = stack.enter_context(Archive.create(folder, reading.ref))
        return await migrate(reading, server, archive, selection, options=options, width=width)
