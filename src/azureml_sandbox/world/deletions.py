"""Jobs that were deleted, and those that are about to be. They survive a restart, as the service's own do."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from azureml_sandbox.world.database import Database, dumps, loads
from azureml_sandbox.world.runs import Runs


class Stage(Enum):
    """How far a deletion is."""

    NONE = "none"
    UNDER_WAY = "under way"
    DONE = "done"


class Deletions:
    """The deletions of every workspace, by the name of the job."""

    def __init__(self, database: Database, runs: Runs) -> None:
        self._database, self._runs = database, runs
        self._waiting = database.one("select 1 from deletion where done = 0") is not None

    def add(self, workspace: str, name: str, due: int, runs: Sequence[str]) -> None:
        """Let this job be gone from tick `due` on, and these runs with it."""
        self._database.run(
            "insert into deletion (workspace, name, due, done, runs) values (?, ?, ?, 0, ?)",
            workspace,
            name,
            due,
            dumps({"runs": list(runs)}),
        )
        self._waiting = True

    def stage(self, workspace: str, name: str) -> Stage:
        """How far the deletion of this job is."""
        row = self._database.one("select done from deletion where workspace = ? and name = ?", workspace, name)
        if row is None:
            return Stage.NONE
        return Stage.DONE if row["done"] else Stage.UNDER_WAY

    def forget(self, workspace: str, name: str) -> None:
        """Let the name be free for another job."""
        self._database.run("delete from deletion where workspace = ? and name = ? and done", workspace, name)

    def settle(self, at: int) -> None:
        """Carry out every deletion that is due at this tick."""
        if not self._waiting:
            return
        with self._database.transaction():
            for row in self._database.all("select * from deletion where done = 0 and due <= ?", at):
                workspace, name = row["workspace"], row["name"]
                self._database.run("update deletion set done = 1 where workspace = ? and name = ?", workspace, name)
                self._database.run("delete from job where workspace = ? and name = ?", workspace, name)
                for run_id in loads(row["runs"])["runs"]:
                    self._runs.delete(workspace, run_id)
        self._waiting = self._database.one("select 1 from deletion where done = 0") is not None
