"""A jobs.json without an archive beside it, read like the workspace that it describes: `extract` makes the archive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TypeVar

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.imports import Imported
from azureml_replay.errors import NotFound, UserError
from azureml_replay.extraction.extract import Extracted, ExtractOptions, extract
from azureml_replay.formats.jobs_json import parse
from azureml_replay.formats.jobs_json.entry import Record
from azureml_replay.formats.jobs_json.index import JobsIndex
from azureml_replay.formats.jobs_json.scan import entry_at
from azureml_replay.model import (
    Artifact,
    CodeReference,
    Experiment,
    Job,
    Location,
    Omission,
    Points,
    Row,
    Run,
    RunDetails,
    RunId,
    Series,
    StoredFile,
)
from azureml_replay.progress import SILENT, Progress
from azureml_replay.selection import Selection
from azureml_replay.workspace.limits import RUNS_PER_REQUEST
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.put_files import SecretUrl
from azureml_replay.workspace.source import Shelf, Source, StoredFiles

Item = TypeVar("Item")
ENTRIES_HELD = 128
"""Entries in memory: a batch of runs and those that are worked on, so that each is parsed once, as a rule."""


class JobsFile:
    """A Source over a jobs.json. `workspace`, where given, is asked for the files that the entries do not list."""

    def __init__(
        self,
        index: JobsIndex,
        ref: Place,
        workspace: Source | None,
    ) -> None:
        """With a workspace its files are read there."""
        self.ref = ref
        self.studio = workspace.studio if workspace else None
        self._index, self._workspace = index, workspace
        self._record = lru_cache(maxsize=ENTRIES_HELD)(self._read)

    def _read(self, name: RunId) -> Record:
        return entry_at(self._index.path, *self._index.places[name])

    def _run(self, name: RunId) -> Run:
        parent = self._index.parents.get(name)
        step = self._index.types.get(parent or "") == "pipeline"
        return parse.run_of(self._record(name), parent=parent, experiment=self._index.experiment(name), step=step)

    async def experiments(self) -> AsyncIterator[Sequence[Experiment]]:
        """The experiments that the jobs name."""
        yield [Experiment(id=name, name=name) for name in self._index.by_experiment]

    async def experiment(self, name: str) -> Experiment | None:
        """The experiment of a name; None where no job names it."""
        return Experiment(id=name, name=name) if name in self._index.by_experiment else None

    async def runs(self, experiment: Experiment) -> AsyncIterator[Sequence[Run]]:
        """The runs of an experiment, in the file's order."""
        for page in _pages(self._index.by_experiment.get(experiment.name, ())):
            yield [self._run(name) for name in page]

    async def run(self, run: RunId) -> Run | None:
        """The run of a job; None where the file has no such job."""
        return self._run(run) if run in self._index.places else None

    async def children(self, run: RunId) -> AsyncIterator[Sequence[Run]]:
        """Direct children."""
        for page in _pages(name for name in self._index.places if self._index.parents.get(name) == run):
            yield [self._run(name) for name in page]

    async def jobs(self) -> AsyncIterator[Sequence[Job]]:
        """The jobs of all entries that say their type, steps too."""
        for page in _pages(self._index.places):
            yield [job for name in page if (job := parse.job_of(self._record(name)))]

    async def details(self, runs: Sequence[RunId]) -> Mapping[RunId, RunDetails]:
        """Run -> details without definitions, whose values a jobs.json has in fields of their own."""
        return {name: RunDetails(run=self._run(name)) for name in runs if name in self._index.places}

    @property
    def named_by_mlflow(self) -> bool:
        """Always False: a file names every series that it holds."""
        return False

    async def series(self, run: RunId) -> Sequence[Series]:
        """The series of the run's entry."""
        return [series for series, _ in parse.series_of(self._record(run))]

    def gaps(self, run: RunId) -> Sequence[Omission]:
        """What the run's entry lacks."""
        return list(parse.gaps(self._record(run), files_from_source=self._workspace is not None))

    async def points(self, run: RunId, series: Series) -> AsyncIterator[Points]:
        """The rows of one name."""
        for found, rows in parse.series_of(self._record(run)):
            if found == series:
                for points in parse.points_of(found, rows):
                    yield points

    async def last_values(self, experiments: Sequence[Experiment]) -> AsyncIterator[Mapping[RunId, Sequence[Points]]]:
        """Run -> last rows, for every run of the experiments."""
        for experiment in experiments:
            for page in _pages(self._index.by_experiment.get(experiment.name, ())):
                yield {name: [_last(*found) for found in parse.series_of(self._record(name))] for name in page}

    async def artifacts(self, run: Run) -> AsyncIterator[Sequence[Artifact]]:
        """The files of our own entries; for the original's those of the workspace, where it can be asked."""
        record = self._record(run.id)
        if parse.is_ours(record):
            yield [artifact for artifact in parse.artifacts_of(record) if artifact.indexed]
        elif self._workspace is not None:
            async for page in self._workspace.artifacts(run):
                yield page

    async def stored(self, run: RunId) -> AsyncIterator[Sequence[Artifact]]:
        """The files of `artifacts` that have bytes, at whatever place."""
        if self._workspace is not None and not self._index.ours:
            async for page in self._workspace.stored(run):
                yield page
        elif run in self._index.places:
            yield [replace(one, indexed=False) for one in parse.artifacts_of(self._record(run)) if one.stored]

    async def stored_files(self, wanted: int, total: int, shelf: Shelf, listed: Callable[[int], None]) -> StoredFiles:
        """The files of the original's workspace, where it can be asked; else those of the entries."""
        if self._workspace is not None and not self._index.ours:
            return await self._workspace.stored_files(wanted, total, shelf, listed)
        return _FilesOfEntries(self)

    def place(self, run: RunId, path: str) -> Location:
        """The workspace's place of a file, where it can be asked; else a place that no storage has."""
        return self._workspace.place(run, path) if self._workspace else Location("", f"{run}/{path}")

    async def stored_file(self, location: Location) -> StoredFile | None:
        """A file of the original's workspace, where it can be asked; files of our own entries came with `stored`."""
        if self._workspace is not None and not self._index.ours:
            return await self._workspace.stored_file(location)
        return None

    async def read(
        self,
        location: Location,
        *,
        start: int = 0,  # noqa: ARG002 - the seam's
        stop: int | None = None,  # noqa: ARG002
        etag: str | None = None,  # noqa: ARG002
    ) -> AsyncIterator[bytes]:
        """Raises NotFound: the file holds no bytes."""
        raise NotFound(f"{self._index.path} holds no files: {location.path}")
        yield b""  # what makes this a generator

    async def code(self, reference: CodeReference) -> AsyncIterator[tuple[str, bytes]]:
        """Raises NotFound: the file holds no code."""
        raise NotFound(f"{self._index.path} holds no code: {reference.key}")
        yield "", b""  # what makes this a generator

    async def readable_url(self, location: Location) -> SecretUrl:
        """Raises NotFound: the file holds no bytes."""
        raise NotFound(f"{self._index.path} holds no files: {location.path}")


class _FilesOfEntries:
    """`source.StoredFiles` for the entries of a file."""

    whole = False

    def __init__(self, file: JobsFile) -> None:
        """Reads nothing yet."""
        self._file = file

    def shelved(self, run: RunId) -> str:
        """Nothing is listed as a whole."""
        return run

    async def of(self, run: RunId) -> AsyncIterator[Artifact]:
        """The files in the run's entry."""
        async for page in self._file.stored(run):
            for artifact in page:
                yield artifact


def _last(series: Series, rows: tuple[Row, ...]) -> Points:
    return Points.of(series, rows[-1:])


async def import_jobs(
    index: JobsIndex,
    archive: Archive,
    workspace: Source | None,
    *,
    artifacts: bool = True,
    width: int = 32,
    progress: Progress = SILENT,
) -> Extracted | None:
    """Fill an archive from a jobs.json; None where it was filled from this file, unchanged, before. Repeatable."""
    mark = Imported(str(index.path), digest_of(index.path), files=workspace is not None)
    before = archive.imported()
    if before and before.digest == mark.digest and before.files >= mark.files:
        return None
    if before:
        archive.expect_again()
    try:
        return await _imported(index, archive, workspace, mark, artifacts=artifacts, width=width, progress=progress)
    except parse.Unreadable as error:
        raise UserError(f"{index.path}: {error}") from None


async def _imported(
    index: JobsIndex,
    archive: Archive,
    workspace: Source | None,
    mark: Imported,
    *,
    artifacts: bool,
    width: int,
    progress: Progress,
) -> Extracted:
    archive.mark_imported(replace(mark, digest=UNFINISHED))
    source = JobsFile(index, archive.source, workspace)
    done = await extract(
        source,
        archive,
        Selection(include_active=True),
        options=ExtractOptions(artifacts=artifacts),
        width=width,
        progress=progress,
    )
    archive.mark_imported(mark)
    return done


UNFINISHED = b""
"""The digest that marks an import which has begun and not ended."""


def digest_of(path: Path) -> bytes:
    """The SHA-256 of a file's bytes."""
    whole = sha256()
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            whole.update(data)
    return whole.digest()


def _pages(names: Iterable[Item]) -> Iterator[Sequence[Item]]:
    rest = iter(names)
    while page := list(islice(rest, RUNS_PER_REQUEST)):
        yield page
