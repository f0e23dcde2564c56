"""Steps whose result may be taken again: what they computed from, and which run did."""

from __future__ import annotations

from azureml_sandbox.world.database import Database


class RepeatableSteps:
    """The last completed run of each step that is told apart by its digest."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, workspace: str, digest: str, run_id: str) -> None:
        """Remember the run that computed this; an earlier one is forgotten."""
        self._database.run(
            "insert into repeatable (workspace, digest, run_id) values (?, ?, ?)"
            " on conflict (workspace, digest) do update set run_id = excluded.run_id",
            workspace,
            digest,
            run_id,
        )

    def get(self, workspace: str, digest: str) -> str | None:
        """The id of the run that computed this; None where none did."""
        row = self._database.one("select run_id from repeatable where workspace = ? and digest = ?", workspace, digest)
        return str(row["run_id"]) if row is not None else None
