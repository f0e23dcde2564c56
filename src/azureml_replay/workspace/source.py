"""The one seam for reading and writing a workspace. `azure/workspace.py` implements it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from azureml_replay.errors import ServiceError
from azureml_replay.model import (
    Artifact,
    CodeReference,
    Experiment,
    Job,
    Location,
    Points,
    Run,
    RunDetails,
    RunId,
    Series,
    StoredFile,
    WorkspaceRef,
)


class Source(Protocol):
    """A workspace that can be read. Nothing here changes it.

    Every method raises Unavailable (try later), Rejected (role, unknown name) or UserError (login).
    """

    ref: WorkspaceRef
    studio: str | None
    """Where people look at its runs, as its discovery names it; None where it names no such place."""

    def experiments(self) -> AsyncIterator[Sequence[Experiment]]:
        """All experiments, archived ones too, by pages."""
        ...

    async def experiment(self, name: str) -> Experiment | None:
        """One experiment by its name, archived or not; None where there is none."""
        ...

    def runs(self, experiment: Experiment) -> AsyncIterator[Sequence[Run]]:
        """All runs of an experiment, children and hidden ones too, by pages; without inputs and outputs."""
        ...

    async def run(self, run: RunId) -> Run | None:
        """One run, None where the workspace has none of that id."""
        ...

    def children(self, run: RunId) -> AsyncIterator[Sequence[Run]]:
        """Direct children, by pages."""
        ...

    def jobs(self) -> AsyncIterator[Sequence[Job]]:
        """ARM's job documents, archived ones too, by pages. ARM lists root jobs only."""
        ...

    async def details(self, runs: Sequence[RunId]) -> Mapping[RunId, RunDetails]:
        """Inputs, outputs and definitions in bulk, at most `RUNS_PER_REQUEST`. A run that is gone is left out."""
        ...

    async def series(self, run: RunId) -> Sequence[Series]:
        """What a run logged, without the rows. `schema_id` is None here: only the rows' answer has it."""
        ...

    @property
    def named_by_mlflow(self) -> bool:
        """True once `series` had only MLflow to ask: what MLflow does not show of a run is then not named."""
        ...

    def points(self, run: RunId, series: Series) -> AsyncIterator[Points]:
        """The rows of one series, in the service's order; each Points carries the full Series. NotFound: none."""
        ...

    def last_values(self, experiments: Sequence[Experiment]) -> AsyncIterator[Mapping[RunId, Sequence[Points]]]:
        """The last row of each metric that MLflow shows, in milliseconds, for all runs of the experiments, by pages."""
        ...

    def artifacts(self, run: Run) -> AsyncIterator[Sequence[Artifact]]:
        """What the artifact index lists for a run's container, by pages; `stored` is None throughout."""
        ...

    def stored(self, container: str | None = None) -> AsyncIterator[Sequence[StoredFile]]:
        """Blobs of the artifact store under `ExperimentRun/{container}/`, or of all containers, in name order."""
        ...

    async def stored_file(self, location: Location) -> StoredFile | None:
        """One blob's properties, None where it is gone. Raises Rejected where the datastore can't be read."""
        ...

    def read(
        self, location: Location, *, start: int = 0, stop: int | None = None, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        """A blob's bytes from `start` up to, not including, `stop`: 4 MiB at most at a time; none of an empty one.

        Raises NotFound; Rejected (412) where it is another than `etag` names, or changes meanwhile.
        """
        ...

    def code(self, reference: CodeReference) -> AsyncIterator[tuple[str, bytes]]:
        """Path and bytes of each file of a code snapshot, 4 MiB at most at a time, path by path. Raises Rejected."""
        ...

    async def readable_url(self, location: Location) -> SecretUrl:
        """A URL that lets a storage service read the blob for some hours."""
        ...


class SecretUrl(str):
    """A signed URL. Its repr and its format are `***`; only the sender uses its value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFile:
    """A file to bring from another workspace's storage, server to server."""

    path: str
    """In the run, as FIDELITY maps it."""
    source: SecretUrl
    stored: StoredFile
    """Pins the source: a changed ETag is refused."""
    read: Callable[[int, int], Awaitable[bytes]] | None = None
    """From a first byte up to, not including, a last one: the way through us, where storage cannot reach storage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFile:
    """A file whose bytes are here: they go through us, a piece at a time."""

    path: str
    stored: StoredFile
    """Size, MD5, content type and metadata that it is to have."""
    pieces: Callable[[int], Iterator[bytes]]
    """All bytes in order, so many at a time. Raises IntegrityError at their end where they are damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file that we make ourselves: `replay/job.json`, `replay/overflow.json`."""

    path: str
    data: bytes
    content_type: str = "application/json"


PutFile: TypeAlias = CopyFile | HeldFile | NewFile


@dataclass(frozen=True, slots=True)
class Refused:
    """The service said no to one item of a request; the others went through."""

    reason: str
    status: int = 0


Outcome = Refused | ServiceError | None
"""None: it is there. Refused: never. A ServiceError: unknown or later."""


class Target(Source, Protocol):
    """A workspace that can be written. It can be read too: that is how it is verified."""

    async def put_experiment(self, experiment: Experiment) -> None:
        """Name, description, tags, archived. Repeatable."""
        ...

    async def put_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Create or bring up to date, at most `RUNS_PER_REQUEST`, parents must be there. Repeatable: ids are ours.

        Writes what `Run` carries up to `output_datasets`, status as Running until `finish_runs`; nothing that
        acts on a source (FIDELITY: never sent).
        """
        ...

    async def update_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """What `put_runs` writes, but no state, of runs that are there. Repeatable. What is not named stays as it is.

        At most `RUNS_PER_REQUEST`.
        """
        ...

    async def hide_runs(self, experiment: str, runs: Sequence[RunId], *, hidden: bool) -> Mapping[RunId, Outcome]:
        """Archives runs, in Studio's word, or shows them again; at most `RUNS_PER_REQUEST`. Repeatable."""
        ...

    async def append_points(self, run: RunId, batch: Sequence[Points]) -> Mapping[int, Refused]:
        """One request: at most 1,000 rows, 250 of a series. NOT repeatable: a batch sent twice is logged twice.

        Answers which items of `batch` (by position) were refused. Raises Uncertain where the answer was lost.
        """
        ...

    async def settle(self, run: RunId) -> None:
        """Returns once what was appended to the run can be read. Repeatable."""
        ...

    async def put_files(self, experiment: str, run: RunId, files: Sequence[PutFile]) -> Mapping[str, Outcome]:
        """Index entries and bytes, at most `FILES_PER_REQUEST`. Repeatable: a path holds what was put last."""
        ...

    async def attach_file(self, run: RunId, path: str, place: Location) -> bool:
        """An index entry that leads to where a file lies already; False where the path is taken. Repeatable."""
        ...

    async def remove_files(self, run: RunId, paths: Sequence[str]) -> Mapping[str, Outcome]:
        """Index entries and bytes below the run's own container, at most `FILES_PER_REQUEST`. Repeatable.

        One that is gone is gone.
        """
        ...

    async def finish_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Start, error and end by events with the run's own times, then `hidden`. Repeatable."""
        ...

    async def without_end(self, runs: Sequence[Run]) -> Sequence[RunId]:
        """Waits until the runs show the status they were given; those that still do not. Writes nothing."""
        ...
