"""What the storage holds, by run: one listing of everything, or one a run, whichever is cheaper."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from azureml_replay.archive.archive import Archive
from azureml_replay.errors import Rejected, UserError
from azureml_replay.model import RUN_FOLDER, StoredFile
from azureml_replay.progress import Progress
from azureml_replay.workspace.source import Source

RUNS_PER_PAGE = 125
"""A page holds 5,000 blobs, about 250 runs of 20 files; half of that, as pages may come shorter."""


@dataclass(slots=True)
class StorageListing:
    """Files of the artifact store, container by container. A whole listing is staged in the archive."""

    workspace: Source
    archive: Archive
    progress: Progress
    whole: bool = False

    async def begin(self, wanted: int, total: int) -> None:
        """`wanted` of the workspace's `total` runs will be asked for. Raises UserError where storage refuses."""
        self.archive.clear_stored()
        self.whole = wanted > total / RUNS_PER_PAGE
        if not self.whole:
            return
        async for page in self._pages(None):
            for container, files in _by_container(page).items():
                self.archive.put_stored(container, files)
            self.progress.done("files listed", len(page))

    async def files(self, container: str) -> AsyncIterator[StoredFile]:
        """One run's blobs."""
        if self.whole:
            for file in self.archive.stored(container):
                yield file
            return
        async for page in self._pages(container):
            for file in page:
                yield file

    def end(self) -> None:
        """Drops what was staged."""
        self.archive.clear_stored()

    async def _pages(self, container: str | None) -> AsyncIterator[Sequence[StoredFile]]:
        try:
            async for page in self.workspace.stored(container):
                yield page
        except Rejected as error:
            remedy = error.remedy
            todo = f"{remedy.said}, or leave files out" if remedy else "leave files out, or mend its datastore"
            raise UserError(f"the storage of {self.workspace.ref} can't be listed ({error}): {todo}") from error


def path_in_run(file: StoredFile, container: str) -> str:
    """As the run shows it: `outputs/model.pkl`."""
    return file.location.path.removeprefix(f"{RUN_FOLDER}{container}/")


def _by_container(files: Sequence[StoredFile]) -> dict[str, list[StoredFile]]:
    grouped: dict[str, list[StoredFile]] = {}
    for file in files:
        _, _, rest = file.location.path.partition(RUN_FOLDER)
        grouped.setdefault(rest.partition("/")[0], []).append(file)
    return grouped
