"""What a job of one workspace may touch while it computes."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from azureml_sandbox.compute.places import Place, place
from azureml_sandbox.compute.record import Record
from azureml_sandbox.protocol.login import Login
from azureml_sandbox.storage.storage import Storage
from azureml_sandbox.world import ARTIFACT_STORE, RUN_ORIGIN, Workspace, World

Drive = Callable[["Site", Record], Awaitable[str]]
"""Brings a run from its first state to its last, and returns that; cancelled, it cleans up and raises."""


@dataclass(frozen=True, slots=True)
class Site:
    """One workspace, its storage, and the nodes that all workspaces share."""

    workspace: Workspace
    world: World
    storage: Storage
    login: Login
    nodes: asyncio.Semaphore
    folder: Path
    """Of all its jobs. A job's own folder is made before its run and goes after the run's end: what is left at a
    server's start was interrupted."""
    surroundings: Mapping[str, str]
    """What leads a process to the sandbox: proxy, certificates."""
    launch: Callable[[Site, str, Drive], asyncio.Task[str]]
    """Let a run compute; its folder and its document must be there."""

    def record(self, run_id: str) -> Record:
        """The run as it is written."""
        return Record(self.world, self.workspace.guid, run_id)

    def home(self, run_id: str) -> Path:
        """The job's folder, made now if there is none."""
        home = self.folder / run_id
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return home

    def leave(self, run_id: str) -> None:
        """The job has ended."""
        shutil.rmtree(self.folder / run_id, ignore_errors=True)  # a process may have taken rights away

    def place(self, uri: str) -> Place:
        """Where a URI points. places.Unreadable where it points nowhere."""
        return place(self.world, self.workspace, uri)

    def artifact_place(self, container: str, path: str) -> Place:
        """Where a file of a run's container lies."""
        blob = f"{RUN_ORIGIN}/{container}/{path}"
        return Place(self.workspace.account, self.workspace.containers[ARTIFACT_STORE], blob)

    def asset_id(self, name: str) -> str:
        """The data asset that stands for a run's input or output (form recorded)."""
        return f"azureml://locations/{self.workspace.region}/workspaces/{self.workspace.guid}/data/{name}/versions/1"
