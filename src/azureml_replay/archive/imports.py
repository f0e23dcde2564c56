"""Whether an archive was made from a jobs.json, and from which: what such a file lacks, its archive lacks too."""

from __future__ import annotations

from dataclasses import dataclass

from azureml_replay.archive.database import Database, now


@dataclass(frozen=True, slots=True)
class Imported:
    """The file that an archive was filled from."""

    file: str
    """As it was named then."""
    digest: bytes
    """Of its bytes: a changed file is read again."""
    files: bool
    """The lists of files that it lacks were asked of the source."""


class Imports(Database):
    """The part of an archive that says where it came from, if not from a workspace."""

    def imported(self) -> Imported | None:
        """None where the archive was extracted from its workspace."""
        row = self._one("select file, digest, files from imported")
        return row and Imported(row[0], row[1], bool(row[2]))

    def mark_imported(self, imported: Imported) -> None:
        """Takes the place of what was marked before. Repeatable."""
        with self._transaction():
            row = (imported.file, imported.digest, imported.files, str(now()))
            self._execute("insert or replace into imported values (1, ?, ?, ?, ?)", row)
