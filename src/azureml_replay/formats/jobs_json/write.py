"""Writes an archive as jobs.json: streamed, one job a line, and in its place only once it is whole."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.reading import FILES_LEFT_OUT
from azureml_replay.disk.outputs import new_text
from azureml_replay.formats.jobs_json.entry import head
from azureml_replay.instants import Instant
from azureml_replay.json_text import strict
from azureml_replay.model import Artifact, Job, Json, Listed, Points, Run, RunDetails, RunId, Series, Value
from azureml_replay.planning.budget import LOG_FOLDERS
from azureml_replay.workspace.place import Place


@dataclass(slots=True)
class Written:
    """How much a jobs.json holds."""

    jobs: int = 0
    """Entries: roots and all below them."""
    points: int = 0
    files: int = 0
    left_out: int = 0
    """Jobs whose files were not listed."""
    without_files: int = 0
    """Jobs that have no files in the source."""
    without_logs: int = 0
    """Jobs that have files, but no log among them."""


def write_jobs(archive: Archive, path: Path, roots: Collection[RunId] | None = None) -> Written:
    """Write every extracted run of these units, or of all. `path` is replaced at the end, or not at all.

    Raises UserError where the place cannot be written, IntegrityError where the archive is damaged.
    """
    entries = _Entries(archive, frozenset(o.run for o in archive.omissions() if o.reason == FILES_LEFT_OUT))
    with new_text(path, encoding="ascii") as file:
        separator = "[\n"
        for root, children in _units(archive.listing(), roots):
            for run in archive.unit(root):
                file.write(separator)
                file.writelines(entries.entry(run, root, children.get(run.id, ())))
                separator = ",\n"
        file.write("\n]\n" if entries.written.jobs else "[]\n")
    return entries.written


def entries_of(archive: Archive, roots: Collection[RunId]) -> Iterator[tuple[RunId, str]]:
    """Name and entry of every extracted run of these units, as `write_jobs` writes it."""
    entries = _Entries(archive, frozenset(o.run for o in archive.omissions() if o.reason == FILES_LEFT_OUT))
    for root, children in _units(archive.listing(), roots):
        for run in archive.unit(root):
            yield run.id, "".join(entries.entry(run, root, children.get(run.id, ())))


def _units(
    listing: Iterable[Listed], roots: Collection[RunId] | None
) -> Iterator[tuple[RunId, Mapping[RunId, Sequence[RunId]]]]:
    """Root of each chosen unit, and run -> children within it; the ids of one unit are in memory at a time."""
    for root, rows in groupby(listing, key=lambda row: row.unit):
        if roots is None or root in roots:
            children: dict[RunId, list[RunId]] = {}
            for row in rows:
                if row.extracted and row.parent:
                    children.setdefault(row.parent, []).append(row.id)
            yield root, children


@dataclass(slots=True)
class _Entries:
    archive: Archive
    left_out: frozenset[RunId]
    written: Written = field(default_factory=Written)

    def entry(self, run: Run, root: RunId, children: Sequence[RunId]) -> Iterator[str]:
        """The pieces of one JSON object, in one line."""
        details = self.archive.details(run.id) or RunDetails(run=run)
        yield from self._head(details, self.archive.job(run.id), self.archive.source, root, children)
        yield from self._files(run)
        yield from self._metrics(run)
        yield "}"
        self.written.jobs += 1

    def _head(
        self, details: RunDetails, job: Job | None, source: Place, root: RunId, children: Sequence[RunId]
    ) -> Iterator[str]:
        fields = head(details, job, source=source, root=root, children=children)
        streamed = ("mlflow_metrics", "mlflow_artifact_paths")
        yield strict({name: value for name, value in fields.items() if name not in streamed}).removesuffix("}")

    def _files(self, run: Run) -> Iterator[str]:
        """The fields with the run's files; null where they were not listed, which is not the same as none."""
        if run.id in self.left_out:
            self.written.left_out += 1
            yield ', "mlflow_artifact_paths": null, "artifacts": null'
            return
        yield ', "mlflow_artifact_paths": '
        yield from _list(strict(path) for path in self._counted(one.path for one in self._artifacts(_shown(run))))
        yield ', "artifacts": '
        yield from _list(strict(_file(artifact)) for artifact in self._artifacts(run.id))

    def _artifacts(self, run: RunId) -> Iterator[Artifact]:
        return self.archive.artifacts(run)

    def _counted(self, paths: Iterable[str]) -> Iterator[str]:
        files, logs = 0, False
        for path in paths:
            files, logs = files + 1, logs or path.startswith(LOG_FOLDERS)
            yield path
        self.written.files += files
        self.written.without_files += not files
        self.written.without_logs += bool(files) and not logs

    def _metrics(self, run: Run) -> Iterator[str]:
        """The fields with every row, then with the last value of each name, as MLflow's run shows it."""
        last: dict[str, tuple[tuple[int, int], Value]] = {}
        yield ', "metric_history": '
        yield from _list(self._series(run.id, last), separator="")
        if run.lender:  # MLflow shows those of the run whose files this one shows; its rows are that run's
            for _, pieces in self.archive.chunks(run.lender):
                for points in pieces:
                    _keep_all(last, points)
        yield f', "mlflow_metrics": {strict({name: value for name, (_, value) in last.items()})}'

    def _series(self, run: RunId, last: dict[str, tuple[tuple[int, int], Value]]) -> Iterator[str]:
        separator = ""
        pieces = (piece for _, chunk in self.archive.chunks(run) for piece in chunk)
        for series, parts in groupby(pieces, key=lambda piece: piece.series):
            yield separator + strict(_described(series)).removesuffix("}") + ', "rows": ['
            yield from self._rows(parts, last)
            yield "]}"
            separator = ", "
        for series, rows in self.archive.series(run):
            if not rows:
                yield separator + strict({**_described(series), "rows": []})
                separator = ", "

    def _rows(self, parts: Iterable[Points], last: dict[str, tuple[tuple[int, int], Value]]) -> Iterator[str]:
        separator = ""
        for part in parts:
            for step, time, values in part.rows():
                stamp = None if time is None else str(Instant(time))
                yield separator + strict([step, stamp, *values])
                separator = ", "
            _keep_all(last, part)
            self.written.points += len(part)


def _shown(run: Run) -> RunId:
    """The run whose files MLflow shows for a run: a reused step's are its owner's."""
    return run.lender or run.id


def _keep_all(last: dict[str, tuple[tuple[int, int], Value]], points: Points) -> None:
    """Keep the last value of a piece of one name; MLflow shows numbers alone."""
    for step, time, values in points.rows():
        if len(values) == 1 and isinstance(values[0], int | float):
            _keep_last(last, points.series.key.name, (step or 0, time or 0), values[0])


def _keep_last(last: dict[str, tuple[tuple[int, int], Value]], name: str, age: tuple[int, int], value: Value) -> None:
    """Keep the last value of a name: by step, then by time, then the one logged later."""
    if name not in last or age >= last[name][0]:
        last[name] = age, value


def _list(items: Iterable[str], separator: str = ", ") -> Iterator[str]:
    yield "["
    between = ""
    for item in items:
        yield between + item
        between = separator
    yield "]"


def _described(series: Series) -> dict[str, Json]:
    return {
        "name": series.key.name,
        "namespace": series.key.namespace,
        "columns": [list(column) for column in series.columns],
        "ux_type": series.ux_type,
        "schema_id": series.schema_id,
    }


def _file(artifact: Artifact) -> dict[str, Json]:
    stored, place = artifact.stored, artifact.location
    known: dict[str, Json] = {"path": artifact.path, "datastore": place.datastore, "location": place.path}
    known["indexed"] = artifact.indexed
    if artifact.gone is not None:
        known["gone"] = artifact.gone
    if stored is not None:
        known["size_bytes"] = stored.size_bytes
        known["md5"] = stored.md5.hex() if stored.md5 is not None else None
        known |= {"etag": stored.etag, "content_type": stored.content_type, "metadata": dict(stored.metadata)}
        if stored.blob_type:
            known["blob_type"] = stored.blob_type
    return known
