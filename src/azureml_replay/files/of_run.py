"""The files of a run: the list of the index and that of the storage, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from azureml_replay.archive.archive import Archive
from azureml_replay.errors import NotFound
from azureml_replay.files.bytes import gone_now
from azureml_replay.model import Artifact, Location, Run, RunId, StoredFile
from azureml_replay.progress import Progress
from azureml_replay.workspace.source import Source, StoredFiles


@dataclass(frozen=True, slots=True)
class TwoSides:
    """A run's files by path, in storage and in the index, to be compared with each other."""

    stored: Mapping[str, StoredFile]
    """Path -> file in the run's own storage."""
    indexed: Mapping[str, Location]
    """Path -> place of the file that the index names."""


@dataclass(frozen=True, slots=True)
class _Filled:
    """The shelf of an archive, as it was filled before: nothing is put there, or dropped."""

    archive: Archive

    def clear_stored(self) -> None:
        """Nothing."""

    def put_stored(self, container: str, files: Sequence[StoredFile]) -> None:
        """Nothing."""

    def stored(self, container: str) -> Iterator[StoredFile]:
        """What lies there."""
        return self.archive.stored(container)


@dataclass(slots=True)
class RunFiles:
    """The files of a workspace's runs, asked for run by run between `begin`, which says of how many, and `end`."""

    workspace: Source
    archive: Archive
    """Keeps a listing of the whole storage meanwhile."""
    progress: Progress
    gone: str = field(default_factory=gone_now)
    """The reason why a file has no bytes: one moment for all, so that they are counted together."""
    listing: StoredFiles | None = None

    async def begin(self, wanted: int, total: int) -> None:
        """Begin: `wanted` of the workspace's `total` runs will be asked for. Raises UserError where storage refuses.

        Called again, it lists anew, unless the whole storage was listed.
        """
        if self.listing is None or not self.listing.whole:
            told = partial(self.progress.done, "storage entries read")
            self.listing = await self.workspace.stored_files(wanted, total, self.archive, told)

    async def begin_on_shelf(self, *, whole: bool) -> None:
        """Begin where whoever handed the archive's runs out has listed the storage on its shelf, or not at all."""
        told = partial(self.progress.done, "storage entries read")
        self.listing = await self.workspace.stored_files(0, 1, _Filled(self.archive), told)
        self.listing.whole = whole

    @property
    def whole(self) -> bool:
        """True where the whole storage is on the archive's shelf."""
        return self.listing is not None and self.listing.whole

    def shelved(self, runs: Iterable[RunId]) -> list[str]:
        """The names under which files of these runs are on the shelf; none where it holds nothing."""
        listing = self.listing
        return [listing.shelved(run) for run in runs] if listing is not None and listing.whole else []

    def end(self) -> None:
        """Drop what was listed."""
        self.listing = None
        self.archive.clear_stored()

    async def stored(self, run: RunId) -> AsyncIterator[Artifact]:
        """The run's own files in the storage, without the index."""
        if self.listing is None:
            raise LookupError("begin was not called")
        async for file in self.listing.of(run):
            yield self.archive.clean_artifact(file)

    async def indexed(self, run: Run) -> AsyncIterator[Sequence[Artifact]]:
        """The files that the index lists for a run, by pages; `stored` is None throughout."""
        try:
            async for page in self.workspace.artifacts(run):
                yield page
        except NotFound:
            return  # a run that never wrote a file is unknown to the index

    async def together(self, run: Run) -> AsyncIterator[Sequence[Artifact]]:
        """Every file of a run, by pages: those of the index with their bytes, then those that only the storage has.

        A file at another place than its run's is asked for by itself; where it has no bytes, `gone` says why.
        """
        left = {file.location: file async for file in self.stored(run.lender or run.id)}
        async for page in self.indexed(run):
            yield [await self._with_bytes(artifact, left) for artifact in page]
        yield list(left.values())

    async def _with_bytes(self, artifact: Artifact, left: dict[Location, Artifact]) -> Artifact:
        """The file with its bytes, taken out of `left`, or the reason why it has none."""
        beside = left.pop(self.archive.clean_artifact(artifact).location, None)
        found = beside.stored if beside else await self.workspace.stored_file(artifact.location)
        gone = None if found else artifact.gone or self.gone
        return self.archive.clean_artifact(replace(artifact, stored=found, gone=gone))

    async def two_sides(self, run: Run) -> TwoSides:
        """Every file of a run as storage and index have it, each by itself; nothing is asked for file by file."""
        stored = {file.path: file.stored async for file in self.stored(run.lender or run.id) if file.stored}
        pages = self.indexed(run)
        listed = [self.archive.clean_artifact(artifact) async for page in pages for artifact in page]
        indexed = {artifact.path: artifact.location for artifact in listed}
        return TwoSides(stored, indexed)
