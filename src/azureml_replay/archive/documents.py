"""Documents and what was redacted from them: written together, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from operator import is_
from typing import Any, cast

from azureml_replay import redact
from azureml_replay.archive.database import Database
from azureml_replay.archive.records import details_record, optional, pack
from azureml_replay.model import (
    NUMBERS,
    Artifact,
    Json,
    Location,
    Omission,
    Points,
    RunDetails,
    RunId,
    Series,
    SeriesKey,
    StoredFile,
)
from azureml_replay.redact import Rules

REDACTED = "redacted: secret"
KEPT = "no target takes it; kept in the archive"
_WITHOUT_TEXT = NUMBERS | {"Bool"}
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
        path = self._rules.path(artifact.path)
        if path == artifact.path:
            return artifact
        place = self._clean_place(artifact.location, artifact.path)
        stored = artifact.stored and replace(artifact.stored, location=place)
        return replace(artifact, path=path, location=place, stored=stored)

    def _clean_place(self, place: Location, path: str) -> Location:
        """Of a file of this path. The folder of its run keeps its name: by that it is found."""
        folder = place.path.removesuffix(path)
        if folder == place.path and path:
            return Location(place.datastore, self._rules.path(place.path))
        return Location(place.datastore, folder + self._rules.path(path))

    def _clean_series(self, series: Series) -> Series:
        """With names, of its columns too, that hold no secret."""
        namespace = series.key.namespace
        key = SeriesKey(self._rules.name(series.key.name), namespace and self._rules.name(namespace))
        columns = tuple((self._rules.name(name), kind) for name, kind in series.columns)
        return series if (key, columns) == (series.key, series.columns) else replace(series, key=key, columns=columns)

    def _clean_points(self, points: Points) -> Points:
        """Rows of which neither a name nor a text holds a secret. The link to a file goes on to lead there."""
        series, values = self._clean_series(points.series), list(points.values)
        for at, (_, kind) in enumerate(series.columns):
            if kind not in _WITHOUT_TEXT and self._rules.version > 1:
                clean = self._rules.path if kind == "Artifact" else self._rules.text
                cells = [clean(cell) if isinstance(cell, str) else cell for cell in values[at]]
                values[at] = values[at] if cells == list(values[at]) else cells
        if series is points.series and all(map(is_, values, points.values)):
            return points
        return Points(series, points.steps, points.times, tuple(values))

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
        self._omit(origin, generation, (Omission(RunId(run), what, REDACTED) for what in whats))

    def _omit(self, origin: str, generation: int, omissions: Iterable[Omission]) -> None:
        rows = ((o.run, origin, generation, redact.text(o.what), redact.text(o.reason)) for o in omissions)
        self._executemany("insert or ignore into omission values (?, ?, ?, ?, ?)", rows)

    def _keep(
        self, run: RunId, generation: int, whose: str, more: Mapping[str, Json], unknown: Sequence[str]
    ) -> Mapping[str, Json]:
        """Other keys of a metric or a file, without secrets; notes each of their values as an omission."""
        cleaned, paths = self._rules.document(more)
        unread = [name for name in unknown if name.rpartition(" ")[2] not in more]
        self._omit("extract", generation, (Omission(run, f"{whose}: {name}", KEPT) for name in more))
        self._omit("extract", generation, (Omission(run, f"{whose}: {name}", UNREAD) for name in unread))
        self._omit("extract", generation, (Omission(run, f"value at {whose}: {path}", REDACTED) for path in paths))
        return cast("dict[str, Json]", cleaned)

    def _clean_file(self, file: StoredFile | None) -> tuple[StoredFile | None, list[str]]:
        """The file with its metadata redacted, and the names of what was, now or when the storage was listed."""
        if file is None or not (file.metadata or file.content_type):
            return file, []
        cleaned = cast("dict[str, str]", self._rules.document(file.metadata)[0])
        redacted = [name for name, value in cleaned.items() if redact.STARS in value]
        kind = file.content_type and self._rules.text(file.content_type)
        return replace(file, metadata=cleaned, content_type=kind), redacted
