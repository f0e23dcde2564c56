"""Studio's address for each workspace, as the workspace itself named it."""

from __future__ import annotations

from azureml_replay.archive.database import Database
from azureml_replay.workspace.place import Place


class Studio(Database):
    """The part of an archive that keeps Studio's addresses."""

    def put_studio(self, workspace: Place, address: str | None) -> None:
        """Keep the address of a workspace in place of a former one; None leaves it as it is. Repeatable."""
        if address is None:
            return
        with self._transaction():
            self._execute("insert or replace into studio (place, address) values (?, ?)", (workspace.key, address))

    def studio(self, workspace: Place) -> str | None:
        """The address of a workspace; None where the workspace was never reached, or named none."""
        row = self._one("select address from studio where place = ?", (workspace.key,))
        return row and str(row[0])
