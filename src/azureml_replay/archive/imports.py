"""The jobs.json that an archive was made from, if any: what such a file lacks, its archive lacks too."""

from __future__ import annotations

from dataclasses import dataclass

from azureml_replay.archive.database import Database, now, storable


@dataclass(frozen=True, slots=True)
class Imported:
    """The file that an archive was filled from."""

    file: str
    """The file's name as it was given."""
    digest: bytes
    """SHA-256 of the file's bytes: a changed file is read again."""
    files: bool
    """True where the lists of files, which the original's entries lack, were asked of the source."""


class Imports(Database):
    """The part of an archive that names the jobs.json it was made from."""

    def imported(self) -> Imported | None:
        """The imported file; None where the archive was extracted from its workspace."""
        row = self._one("select file, digest, files from imported")
        return row and Imported(row[0], row[1], bool(row[2]))

    def mark_imported(self, imported: Imported) -> None:
        """Note the imported file, in place of a former one. Repeatable."""
        with self._transaction():
            row = (storable(imported.file), imported.digest, imported.files, str(now()))
            self._execute("insert or replace into imported values (1, ?, ?, ?, ?)", row)
