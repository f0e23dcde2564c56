"""Code snapshots, kept as objects: one zip for equal content, however many runs were submitted with it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from azureml_replay import redact
from azureml_replay.archive.objects import Held, Objects
from azureml_replay.disk.outputs import NO_LINK, private_folder, private_opener
from azureml_replay.model import CodeReference, Location, StoredFile


class Codes(Objects):
    """The part of an archive that holds code."""

    def code(self, reference: CodeReference) -> Held | str | None:
        """The zip of a snapshot; a text says why it could not be had; None where no extraction asked for it."""
        row = self._one("select sha256, reason from code where reference = ?", (reference.key,))
        if row is None:
            return None
        if row[0] is None:
            return str(row[1])
        found = self._one("select sha256, size_bytes, md5 from object where sha256 = ?", (row[0],))
        return found and self._object(*found)

    def _codes(self, references: Sequence[CodeReference]) -> dict[str, bool | str]:
        """Key -> True where the zip is here, or why it is not; snapshots that no extraction asked for are left out."""
        rows = self._among(
            "select reference, reason, o.sha256 is not null from code c left join object o on o.sha256 = c.sha256 "
            "where reference in",
            [reference.key for reference in references],
        )
        return {key: reason or bool(here) for key, reason, here in rows}

    def code_file(self, reference: CodeReference) -> Path:
        """The file that the zip is to be written to before `keep_code`."""
        file = self._partial(Location("code", reference.key), "")
        private_folder(file.parent)
        file.unlink(missing_ok=True)
        os.close(private_opener(file, os.O_RDWR | os.O_CREAT | NO_LINK))
        return file

    def keep_code(self, reference: CodeReference, file: Path) -> None:
        """Give the written zip its final name, then note that it is here. Repeatable."""
        stored = StoredFile(location=Location("code", reference.key), size_bytes=file.stat().st_size)
        with self.taken(stored, file) as incoming:
            self.keep(incoming, lambda held: self._put_code(reference, held.sha256, None))

    def lack_code(self, reference: CodeReference, reason: str) -> None:
        """Note that a snapshot cannot be had. Repeatable: a later call may say otherwise."""
        with self._transaction():
            self._put_code(reference, None, redact.text(reason))

    def _put_code(self, reference: CodeReference, sha256: bytes | None, reason: str | None) -> None:
        self._execute("insert or replace into code values (?, ?, ?)", (reference.key, sha256, reason))
