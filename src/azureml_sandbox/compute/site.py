"""What the jobs of one workspace may use while they are computed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from azureml_sandbox.assets.places import Place, place
from azureml_sandbox.compute.record import Record
from azureml_sandbox.protocol.login import Login
from azureml_sandbox.storage.storage import Storage
from azureml_sandbox.world import ARTIFACT_STORE, RUN_ORIGIN, Workspace, World

Drive = Callable[["Site", Record], Awaitable[str]]
"""Computes a run from its first status to its last and returns the last; when cancelled, it cleans up and raises."""


@dataclass(frozen=True, slots=True)
class Site:
    """One workspace, its storage, and the nodes that all workspaces share."""

    workspace: Workspace
    world: World
    storage: Storage
    login: Login
    nodes: asyncio.Semaphore
    folder: Path
    """The folder of all its jobs. A job's own folder is made before its run and removed after the run's end: a folder
    that is left when a server starts belongs to an interrupted job."""
    surroundings: Mapping[str, str]
    """The variables that lead a process to the sandbox: proxy, certificates."""
    launch: Callable[[Site, str, Drive], asyncio.Task[str]]
    """Starts to compute a run; its folder and its document must exist."""

    def record(self, run_id: str) -> Record:
        """The run's entry in run history."""
        return Record(self.world, self.workspace.guid, run_id)

    def home(self, run_id: str) -> Path:
        """The job's folder, made now if there is none."""
        home = self.folder / run_id
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return home

    def leave(self, run_id: str) -> None:
        """Remove the folder of a job that has ended."""
        shutil.rmtree(self.folder / run_id, ignore_errors=True)  # a process may have taken rights away

    def place(self, uri: str) -> Place:
        """The place of a URI. Raises places.Unreadable where it has none."""
        return place(self.world, self.workspace, uri)

    def artifact_place(self, container: str, path: str) -> Place:
        """The place of a file in a run's container."""
        blob = f"{RUN_ORIGIN}/{container}/{path}"
        return Place(self.workspace.account, self.workspace.containers[ARTIFACT_STORE], blob)
