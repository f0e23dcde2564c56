"""The protocol of a workspace that can be read; `azure/workspace.py` implements it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from azureml_replay.model import (
    Artifact,
    CodeReference,
    Experiment,
    Job,
    Location,
    Omission,
    Points,
    Run,
    RunDetails,
    RunId,
    Series,
    StoredFile,
)
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.put_files import SecretUrl


class Shelf(Protocol):
    """A place on the disk for a listing that is too long for memory."""

    def clear_stored(self) -> None:
        """Drop everything. Repeatable."""
        ...

    def put_stored(self, container: str, files: Sequence[StoredFile]) -> None:
        """Put files under the name of their container. Repeatable."""
        ...

    def stored(self, container: str) -> Iterator[StoredFile]:
        """The files that were put under a name."""
        ...


class StoredFiles(Protocol):
    """The files in a storage, for many runs that are asked about one by one."""

    whole: bool
    """True where the whole storage was listed at once; else it is asked run by run."""

    def shelved(self, run: RunId) -> str:
        """The name under which a run's files are on the shelf, where the whole storage was listed."""
        ...

    def of(self, run: RunId) -> AsyncIterator[Artifact]:
        """A run's own files, as `Source.stored`. Raises UserError, with what to do, where they may not be listed."""
        ...


class Source(Protocol):
    """A workspace that can be read. Nothing here changes it.

    Every method raises Unavailable (try later), Rejected (role, unknown name) or UserError (login).
    """

    ref: Place
    studio: str | None
    """The address of Studio, as the workspace's discovery names it; None where it names none."""

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
        """The series of a run, without rows. `schema_id` is None: only the answer with the rows has it."""
        ...

    @property
    def named_by_mlflow(self) -> bool:
        """True once `series` had only MLflow to ask: series that MLflow does not show are then left out."""
        ...

    def points(self, run: RunId, series: Series) -> AsyncIterator[Points]:
        """The rows of one series, in the service's order; each Points has the full Series. Raises NotFound."""
        ...

    def last_values(self, experiments: Sequence[Experiment]) -> AsyncIterator[Mapping[RunId, Sequence[Points]]]:
        """The last row of each metric that MLflow shows, in milliseconds, for all runs of the experiments, by pages."""
        ...

    def artifacts(self, run: Run) -> AsyncIterator[Sequence[Artifact]]:
        """The files that the index lists for a run, by pages; `stored` is None throughout."""
        ...

    def stored(self, run: RunId) -> AsyncIterator[Sequence[Artifact]]:
        """The files in a run's own storage, by pages in name order; `indexed` is False throughout."""
        ...

    async def stored_files(self, wanted: int, total: int, shelf: Shelf, listed: Callable[[int], None]) -> StoredFiles:
        """The files in the storage of `wanted` of the workspace's `total` runs, with as few requests as possible.

        `shelf` is used by them alone; `listed` gets the numbers of files. Raises UserError where storage refuses.
        """
        ...

    def place(self, run: RunId, path: str) -> Location:
        """The place of a run's own file in the storage; for an empty path, of the folder of them all. Asks nothing."""
        ...

    async def stored_file(self, location: Location) -> StoredFile | None:
        """The properties of a blob, None where it is gone. Raises Rejected where the datastore can't be read."""
        ...

    def read(
        self, location: Location, *, start: int = 0, stop: int | None = None, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        """A blob's bytes from `start` up to, not including, `stop`, at most 4 MiB at a time; none for an empty blob.

        Raises NotFound; Rejected (412) where its ETag is not `etag`, or it changes meanwhile.
        """
        ...

    def code(self, reference: CodeReference) -> AsyncIterator[tuple[str, bytes]]:
        """Path and bytes of each file of a code snapshot, 4 MiB at most at a time, path by path. Raises Rejected."""
        ...


# What not every kind of workspace can, asked for by `isinstance`.


@runtime_checkable
class KnowsGaps(Protocol):
    """A source that has less of a run than was there."""

    def gaps(self, run: RunId) -> Sequence[Omission]:
        """What it lacks of a run's metrics, files and values."""
        ...


@runtime_checkable
class LendsFiles(Protocol):
    """A source whose files another storage can fetch by itself; from others every byte goes through this machine."""

    async def readable_url(self, location: Location) -> SecretUrl:
        """A URL that lets a storage service read the blob for some hours."""
        ...
