"""Changes of runs that were accepted and do not show yet. They survive a restart, as the service's own do."""

from __future__ import annotations

from azureml_sandbox.world.database import Database, Document, dumps, loads
from azureml_sandbox.world.runs import Runs


class LateChanges:
    """The accepted changes that do not show yet, in the order in which they were sent."""

    def __init__(self, database: Database, runs: Runs) -> None:
        self._database, self._runs = database, runs
        self._waiting = database.one("select 1 from late") is not None

    def add(self, workspace: str, run_id: str, change: Document, due: int) -> None:
        """Let the run show these keys from tick `due` on."""
        self._database.run(
            "insert into late (workspace, run_id, due, change) values (?, ?, ?, ?)",
            workspace,
            run_id,
            due,
            dumps(change),
        )
        self._waiting = True

    def ahead(self, workspace: str, run: Document) -> Document:
        """The run with every change that does not show yet."""
        if not self._waiting:
            return run
        found = self._database.all(
            "select change from late where workspace = ? and run_id = ? order by id", workspace, run["runId"]
        )
        for row in found:
            run = run | loads(row["change"])
        return run

    def settle(self, at: int) -> None:
        """Apply every change that is due at this tick."""
        if not self._waiting:
            return
        with self._database.transaction():
            for row in self._database.all("select * from late where due <= ? order by id", at):
                run = self._runs.get(row["workspace"], row["run_id"])
                if run is not None:
                    self._runs.put(row["workspace"], run | loads(row["change"]))
                self._database.run("delete from late where id = ?", row["id"])
        self._waiting = self._database.one("select 1 from late") is not None
