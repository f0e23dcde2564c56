"""The cluster of a sandbox: a few nodes for all workspaces, and a task for each run, which can be cancelled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from azureml_sandbox.compute import NODES
from azureml_sandbox.compute.record import Record, failure
from azureml_sandbox.compute.site import Drive, Site
from azureml_sandbox.protocol.login import Login
from azureml_sandbox.storage.storage import Storage
from azureml_sandbox.world import Workspace, World

_LOST = "The node was lost while the job ran: the sandbox was stopped."

log = logging.getLogger(__name__)


class Cluster:
    """The runs of one sandbox that are being computed."""

    def __init__(
        self,
        folder: Path,
        surroundings: Mapping[str, str],
        *,
        world: World,
        storage: Storage,
        login: Login,
        nodes: int = NODES,
    ) -> None:
        self._folder, self._surroundings = folder, surroundings
        self._world, self._storage, self._login = world, storage, login
        self._nodes = asyncio.Semaphore(nodes)
        self._tasks: dict[tuple[str, str], asyncio.Task[str]] = {}
        self._stopping = False

    def site(self, workspace: Workspace) -> Site:
        """What the runs of this workspace may use."""
        return Site(
            workspace=workspace,
            world=self._world,
            storage=self._storage,
            login=self._login,
            nodes=self._nodes,
            folder=self._folder / workspace.guid,
            surroundings=self._surroundings,
            launch=self._launch,
        )

    def cancel(self, workspace: str, run_id: str) -> bool:
        """Ask a run to end; False where it is not being computed here."""
        task = self._tasks.get((workspace, run_id))
        if task is None:
            return False
        Record(self._world, workspace, run_id).move("CancelRequested")
        if not task.cancelling():  # a second cancel would interrupt the first one's clean end
            task.cancel()
        return True

    def recover(self) -> None:
        """End the runs that were being computed when the last server died, as Failed. To be called at the start."""
        for left in self._folder.glob("*/*"):
            workspace, run_id = left.parent.name, left.name
            if self._world.runs.get(workspace, run_id) is not None:
                Record(self._world, workspace, run_id).end("Failed", failure(_LOST, "ServiceError"))
            for each in self._world.workspaces():
                if each.guid == workspace:
                    self.site(each).leave(run_id)

    async def stop(self) -> None:
        """End all runs; return when their processes have ended."""
        self._stopping = True
        tasks = list(self._tasks.values())
        for task in tasks:
            if not task.cancelling():
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _launch(self, site: Site, run_id: str, drive: Drive) -> asyncio.Task[str]:
        key = site.workspace.guid, run_id
        task = asyncio.create_task(self._conduct(site, site.record(run_id), drive), name=run_id)
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key))
        return task

    async def _conduct(self, site: Site, record: Record, drive: Drive) -> str:
        try:
            return await drive(site, record)
        except asyncio.CancelledError:
            lost = failure(_LOST, "ServiceError")
            record.end(*(("Failed", lost) if self._stopping else ("Canceled", None)))
            raise
        except Exception:  # a bug of the sandbox is this job's failure, not the server's
            log.exception("%s", record.run_id)
            record.end("Failed", failure("The sandbox failed: see serve.log.", "ServiceError"))
            return "Failed"
        finally:
            site.leave(record.run_id)
