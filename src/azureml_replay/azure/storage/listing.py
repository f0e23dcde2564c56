"""The files in the storage of many runs: one listing of everything, or one a run, whichever takes fewer requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Self

from azureml_replay.azure.storage.storage import Storage
from azureml_replay.azure.wire.places import (
    ARTIFACT_STORE,
    RUN_FILES,
    container_in,
    container_of,
    place_of,
    stored_artifact,
)
from azureml_replay.errors import Rejected, UserError
from azureml_replay.model import Artifact, RunId, StoredFile
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.source import Shelf

RUNS_PER_PAGE = 125
"""Runs in a page of the whole listing: 5,000 blobs are 250 runs of 20 files; half of that, as pages may be shorter."""


class StoredListing:
    """`source.StoredFiles` for Azure ML. A whole listing, too long for memory, is kept on the shelf, by container."""

    def __init__(self, storage: Storage, ref: Place, shelf: Shelf, *, whole: bool) -> None:
        """Asks nothing yet."""
        self.whole = whole
        self._storage, self._ref, self._shelf = storage, ref, shelf

    @classmethod
    async def begun(
        cls,
        storage: Storage,
        ref: Place,
        shelf: Shelf,
        *,
        wanted: int,
        total: int,
        listed: Callable[[int], None],
    ) -> Self:
        """A listing for `wanted` of `total` runs; `listed` gets the number of files of each page. Raises UserError."""
        shelf.clear_stored()
        listing = cls(storage, ref, shelf, whole=wanted > total / RUNS_PER_PAGE)
        if listing.whole:
            async for page in listing._pages(f"{RUN_FILES}/"):
                for container, files in _by_container(page).items():
                    shelf.put_stored(container, files)
                listed(len(page))
        return listing

    def shelved(self, run: RunId) -> str:
        """The name of its container."""
        return container_of(run)

    async def of(self, run: RunId) -> AsyncIterator[Artifact]:
        """The files in a run's own container. Raises UserError where it may not be listed."""
        if self.whole:
            for file in self._shelf.stored(container_of(run)):
                yield stored_artifact(run, file)
            return
        async for page in self._pages(place_of(run, "").path):
            for file in page:
                yield stored_artifact(run, file)

    async def _pages(self, prefix: str) -> AsyncIterator[Sequence[StoredFile]]:
        try:
            async for page in self._storage.listed(ARTIFACT_STORE, prefix):
                yield page
        except Rejected as error:
            remedy = error.remedy
            todo = f"{remedy.said}, or leave files out" if remedy else "leave files out, or mend its datastore"
            raise UserError(f"the storage of {self._ref} can't be listed ({error}): {todo}") from error


def _by_container(files: Sequence[StoredFile]) -> dict[str, list[StoredFile]]:
    grouped: dict[str, list[StoredFile]] = {}
    for file in files:
        grouped.setdefault(container_in(file.location), []).append(file)
    return grouped
