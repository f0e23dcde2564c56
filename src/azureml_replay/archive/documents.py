"""Documents and what was redacted from them: written together, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, cast

from azureml_replay.archive import redact
from azureml_replay.archive.database import Database
from azureml_replay.archive.records import details_record, optional, pack
from azureml_replay.model import Omission, RunDetails, RunId, StoredFile

REDACTED = "redacted: secret"


class Documents(Database):
    """What the parts of an archive that write share."""

    @cached_property
    def _globs(self) -> tuple[str, ...]:
        return tuple(row[0] for row in self._all("select glob from redact_glob order by glob"))

    def _write_version(self, details: RunDetails, generation: int) -> dict[str, Any]:
        run = details.run
        record, paths = details_record(details, self._globs)
        self._execute(
            "insert or replace into run_version values (?, ?, ?, ?, ?)",
            (run.id, generation, optional(run.unknown), *pack(record)),
        )
        self._note("document", run.id, generation, [f"value at {path}" for path in paths])
        return record

    def _note(self, origin: str, run: str, generation: int, whats: Sequence[str]) -> None:
        """Replaces the omissions that redaction made in one document."""
        self._execute("delete from omission where run = ? and origin = ? and generation = ?", (run, origin, generation))
        self._omit(origin, generation, (Omission(RunId(run), what, REDACTED) for what in whats))

    def _omit(self, origin: str, generation: int, omissions: Iterable[Omission]) -> None:
        rows = ((o.run, origin, generation, redact.text(o.what), redact.text(o.reason)) for o in omissions)
        self._executemany("insert or ignore into omission values (?, ?, ?, ?, ?)", rows)

    def _clean_file(self, file: StoredFile | None) -> tuple[StoredFile | None, list[str]]:
        """A file with its metadata redacted, now or when the storage was listed, and the names of what was."""
        if file is None or not file.metadata:
            return file, []
        cleaned = cast("dict[str, str]", redact.redact(file.metadata, self._globs)[0])
        redacted = [name for name, value in cleaned.items() if redact.STARS in value]
        return replace(file, metadata=cleaned), redacted
