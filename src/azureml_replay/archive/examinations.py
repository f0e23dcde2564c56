"""What `doctor` saw of a workspace."""

from __future__ import annotations

from azureml_replay import redact
from azureml_replay.archive.database import Database, now
from azureml_replay.archive.records import dumps, loads
from azureml_replay.model import Json
from azureml_replay.workspace.place import Place


class Examinations(Database):
    """The part of an archive that `doctor` writes."""

    def put_examination(self, workspace: Place, side: str, rows: Json) -> None:
        """Keep what `doctor` saw of a workspace, in place of what it saw before. Repeatable."""
        with self._transaction():
            clean = dumps(redact.redact(rows)[0]).decode()
            row = (workspace.key, side, str(now()), clean)
            self._execute("insert or replace into examination values (?, ?, ?, ?)", row)

    def examination(self, workspace: Place, side: str) -> Json | None:
        """The rows of `put_examination`, None where there are none."""
        sql = "select rows from examination where place = ? and side = ?"
        row = self._one(sql, (workspace.key, side))
        seen: Json = loads(row[0]) if row else None
        return seen
