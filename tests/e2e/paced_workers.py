"""`azureml-replay` with short terms, for its workers too; with UNREAPED set, silent workers are not killed.

They are then as those of another machine: nobody can tell whether they live, and they may go on later.
"""

from __future__ import annotations

import asyncio
import os

from azureml_replay.cli import hiring, main
from azureml_replay.crew import driver
from azureml_replay.crew.engine import WorkerLost
from azureml_replay.crew.processes import PipeChannel, Processes
from azureml_replay.target import lease
from azureml_replay.workspace.lease import LeasePace


class Unreaped(Processes):
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


if __name__ == "__main__":
    lease.PACE = LeasePace(term_s=15, renewed_after_s=6, margin_s=3)
    driver.TERM_S, driver.GIVEN_AGAIN_AFTER_S = 5.0, 1.0
    if "UNREAPED" in os.environ:
        hiring.Processes = Unreaped  # type: ignore[misc]
    main()
