"""The one seam for reading and writing a workspace. `azure/workspace.py` implements it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Protocol

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
)
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.put_files import SecretUrl


class Shelf(Protocol):
    """Room on a disk for a listing that is too long for memory."""

    def clear_stored(self) -> None:
        """Drops all that lies there."""
        ...

    def put_stored(self, container: str, files: Sequence[StoredFile]) -> None:
        """Some files, by any name that they belong together under. Repeatable."""
        ...

    def stored(self, container: str) -> Iterator[StoredFile]:
        """What was put under a name."""
        ...


class StoredFiles(Protocol):
    """What a storage holds of runs, while many of them are asked about."""

    whole: bool
    """All of it was listed at once; else it is asked run by run."""

    def of(self, run: RunId) -> AsyncIterator[Artifact]:
        """A run's own files, as `Source.stored`. Raises UserError, with what to do, where they may not be listed."""
        ...


class Source(Protocol):
    """A workspace that can be read. Nothing here changes it.

    Every method raises Unavailable (try later), Rejected (role, unknown name) or UserError (login).
    """

    ref: Place
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
        """What the index lists of the files that a run shows, by pages; `stored` is None throughout."""
        ...

    def stored(self, run: RunId) -> AsyncIterator[Sequence[Artifact]]:
        """What the storage holds with a run, by pages in name order; `indexed` is False throughout."""
        ...

    async def stored_files(self, wanted: int, total: int, shelf: Shelf, listed: Callable[[int], None]) -> StoredFiles:
        """For the files of `wanted` of the workspace's `total` runs, with as few requests as that takes.

        `shelf` is theirs from now on; `listed` hears how many files came. Raises UserError where storage refuses.
        """
        ...

    def place(self, run: RunId, path: str) -> Location:
        """Where the storage keeps a file of a run's own; with an empty path, the folder of them all. Asks nothing."""
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
