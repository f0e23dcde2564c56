"""The files of a run: what the index lists and what the storage holds, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
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
    """A run's files by path, as each side has them: where the two are to be held against each other."""

    stored: Mapping[str, StoredFile]
    """What lies in the storage with the run."""
    indexed: Mapping[str, Location]
    """Where the index says that a file lies."""


@dataclass(slots=True)
class RunFiles:
    """Files of a workspace's runs, run by run; between `begin`, which says how many will be asked for, and `end`."""

    workspace: Source
    archive: Archive
    """Where a listing of the whole storage lies meanwhile."""
    progress: Progress
    gone: str = field(default_factory=gone_now)
    """Why a file has no bytes: one moment for all, so that they are counted together."""
    listing: StoredFiles | None = None

    async def begin(self, wanted: int, total: int) -> None:
        """`wanted` of the workspace's `total` runs will be asked for. Raises UserError where storage refuses.

        Called again, it looks anew, unless the whole storage was listed.
        """
        if self.listing is None or not self.listing.whole:
            told = partial(self.progress.done, "files listed")
            self.listing = await self.workspace.stored_files(wanted, total, self.archive, told)

    def end(self) -> None:
        """Drops what was listed."""
        self.listing = None
        self.archive.clear_stored()

    async def stored(self, run: RunId) -> AsyncIterator[Artifact]:
        """What the storage holds of a run's own files, in no need of the index."""
        if self.listing is None:
            raise LookupError("begin was not called")
        async for file in self.listing.of(run):
            yield file

    async def indexed(self, run: Run) -> AsyncIterator[Sequence[Artifact]]:
        """What the index lists for a run, by pages; `stored` is None throughout."""
        try:
            async for page in self.workspace.artifacts(run):
                yield page
        except NotFound:
            return  # a run that never wrote a file is unknown to the index

    async def together(self, run: Run) -> AsyncIterator[Sequence[Artifact]]:
        """Every file of a run, by pages: as the index lists them, with their bytes; then those that only lie there.

        A file that lies elsewhere than with its run is asked for on its own; where it has no bytes, `gone` says why.
        """
        left = {file.location: file async for file in self.stored(run.lender or run.id)}
        async for page in self.indexed(run):
            yield [await self._with_bytes(artifact, left) for artifact in page]
        yield list(left.values())

    async def _with_bytes(self, artifact: Artifact, left: dict[Location, Artifact]) -> Artifact:
        """Takes the file out of `left`. A source that is no storage says itself why a file has none."""
        beside = left.pop(artifact.location, None)
        found = beside.stored if beside else await self.workspace.stored_file(artifact.location)
        return replace(artifact, stored=found, gone=None if found else artifact.gone or self.gone)

    async def two_sides(self, run: Run) -> TwoSides:
        """Every file of a run as storage and index have it, each for itself; nothing is asked for file by file."""
        stored = {file.path: file.stored async for file in self.stored(run.lender or run.id) if file.stored}
        indexed = {artifact.path: artifact.location async for page in self.indexed(run) for artifact in page}
        return TwoSides(stored, indexed)
