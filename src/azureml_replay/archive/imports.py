"""The jobs.json that lies beside an archive: the one it was made from, if any, or the one that was written from it."""

from __future__ import annotations

from dataclasses import dataclass

from azureml_replay.archive.database import Database, now, storable

_VIEW = -1
"""In place of `Imported.files`: the row is about a file that was written, not read."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The file that an archive was filled from: what it lacks, the archive lacks too."""

    file: str
    """The file's name as it was given."""
    digest: bytes
    """SHA-256 of the file's bytes: a changed file is read again."""
    files: bool
    """True where the lists of files, which the original's entries lack, were asked of the source."""


class Imports(Database):
    """The part of an archive that knows the jobs.json beside it."""

    def imported(self) -> Imported | None:
        """The imported file; None where the archive was extracted from its workspace."""
        row = self._one("select file, digest, files from imported where files <> ?", (_VIEW,))
        return row and Imported(row[0], row[1], bool(row[2]))

    def mark_imported(self, imported: Imported) -> None:
        """Note the imported file, in place of a former one. Repeatable."""
        self._mark(imported.file, imported.digest, imported.files)

    def view(self) -> bytes | None:
        """SHA-256 of the jobs.json that was written last; None where an older version wrote it, or nobody."""
        row = self._one("select digest from imported where files = ?", (_VIEW,))
        return row and bytes(row[0])

    def mark_view(self, file: str, digest: bytes) -> None:
        """Note the jobs.json that was written from this archive. Repeatable."""
        self._mark(file, digest, _VIEW)

    def _mark(self, file: str, digest: bytes, files: int) -> None:
        with self._transaction():
            row = (storable(file), digest, files, str(now()))
            self._execute("insert or replace into imported values (1, ?, ?, ?, ?)", row)
