"""Documents and what was redacted from them: written together, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, cast

from azureml_replay import redact
from azureml_replay.archive.database import Database
from azureml_replay.archive.records import details_record, optional, pack
from azureml_replay.json_text import DEEPEST
from azureml_replay.model import (
    Artifact,
    Json,
    Location,
    Omission,
    RunDetails,
    RunId,
    StoredFile,
)
from azureml_replay.redact import Rules

REDACTED = "redacted: secret"
NESTED = f"nested more than {DEEPEST} levels deep: no more of it is read"
KEPT = "no target takes it; kept in the archive"
UNREAD = "a key that this version does not know; its values were not read"


class Documents(Database):
    """What the writing parts of an archive share."""

    @cached_property
    def _rules(self) -> Rules:
        """What this archive takes out: by the version of the table that it began with, and by its own globs."""
        globs = tuple(row[0] for row in self._all("select glob from redact_glob order by glob"))
        return Rules(globs, self._one("select redaction from archive")[0])

    def clean_name(self, name: str) -> str:
        """The name of a metric as this archive has it: without secrets, and the same every time."""
        return self._rules.name(name)

    def clean_artifact(self, artifact: Artifact) -> Artifact:
        """A file of a run as this archive has it: its path and its place without secrets, the same every time."""
        path, place = self._rules.path(artifact.path), artifact.location
        held = Location(place.datastore, self._rules.path(place.path))
        if (path, held) == (artifact.path, place):
            return artifact
        stored = artifact.stored and replace(artifact.stored, location=held)
        return replace(artifact, path=path, location=held, stored=stored)

    def _write_version(self, details: RunDetails, generation: int) -> dict[str, Any]:
        run = details.run
        record, paths = details_record(details, self._rules)
        self._execute(
            "insert or replace into run_version values (?, ?, ?, ?, ?)",
            (run.id, generation, optional(run.unknown), *pack(record)),
        )
        self._note("document", run.id, generation, [f"value at {path}" for path in paths])
        return record

    def _note(self, origin: str, run: str, generation: int, whats: Sequence[str]) -> None:
        """Replace the omissions that redaction made in one document."""
        self._execute("delete from omission where run = ? and origin = ? and generation = ?", (run, origin, generation))
        self._omit(origin, generation, (Omission(RunId(run), what, _why(what)) for what in whats))

    def _omit(self, origin: str, generation: int, omissions: Iterable[Omission]) -> None:
        rows = [(o.run, origin, generation, redact.text(o.what), redact.text(o.reason)) for o in omissions]
        if rows:
            self._executemany("insert or ignore into omission values (?, ?, ?, ?, ?)", rows)

    def _keep(
        self, run: RunId, generation: int, whose: str, more: Mapping[str, Json], unknown: Sequence[str]
    ) -> Mapping[str, Json]:
        """Other keys of a metric or a file, without secrets; notes each of their values as an omission."""
        cleaned, paths = self._rules.document(more)
        unread = [name for name in unknown if name.rpartition(" ")[2] not in more]
        self._omit("extract", generation, (Omission(run, f"{whose}: {name}", KEPT) for name in more))
        self._omit("extract", generation, (Omission(run, f"{whose}: {name}", UNREAD) for name in unread))
        whats = [f"value at {whose}: {path}" for path in paths]
        self._omit("extract", generation, (Omission(run, what, _why(what)) for what in whats))
        return cast("dict[str, Json]", cleaned)

    def _clean_file(self, file: StoredFile | None) -> tuple[StoredFile | None, list[str]]:
        """The file with its metadata redacted, and the names of what was, now or when the storage was listed."""
        if file is None or not (file.metadata or file.content_type):
            return file, []
        cleaned = cast("dict[str, str]", self._rules.document(file.metadata)[0])
        redacted = [name for name, value in cleaned.items() if redact.STARS in value]
        kind = file.content_type and self._rules.text(file.content_type)
        return replace(file, metadata=cleaned, content_type=kind), redacted


def _why(what: str) -> str:
    """The reason why a value is not in a document that the archive has."""
    return NESTED if what.endswith(redact.CUT_OFF) else REDACTED
