"""Files of runs: one level of folders a request, and the bytes of each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence

from azureml_replay.errors import NotFound
from azureml_replay.mlflow.rest import Rest
from azureml_replay.mlflow.wire import decode
from azureml_replay.mlflow.wire.decode import ListedFile
from azureml_replay.model import Artifact, Location, RunId, StoredFile
from azureml_replay.redact import NEWEST, has_replacement

STORE = "artifacts"
"""The one store that a server has, as archives name it."""
WALKS_KEPT = 256
"""Runs whose files were listed and not asked for a second time."""


class ServerFiles:
    """The files of one server's runs; the server's list is index and storage at once."""

    def __init__(self, rest: Rest) -> None:
        """Nothing is asked yet."""
        self._rest = rest
        self._walks: OrderedDict[RunId, list[Artifact]] = OrderedDict()

    async def stored(self, run: RunId) -> AsyncIterator[Sequence[Artifact]]:
        """A run's files with their sizes, by path."""
        found = [_artifact(run, file) async for file in self._walk(run)]
        self._walks[run] = found = sorted(found, key=lambda one: one.path)
        while len(self._walks) > WALKS_KEPT:
            self._walks.popitem(last=False)
        yield [one for one in found if one.stored]

    async def indexed(self, run: RunId) -> AsyncIterator[Sequence[Artifact]]:
        """The same files as the index has them; those that the server lists and does not give say why."""
        found = self._walks.pop(run, None)
        if found is None:
            found = [_artifact(run, file) async for file in self._walk(run)]
        yield [
            Artifact(path=one.path, location=one.location, indexed=True, stored=None, gone=one.gone) for one in found
        ]

    async def stored_file(self, location: Location) -> StoredFile | None:
        """One file, as the list of its folder has it; None where it is gone, or cannot be had."""
        at = await self._true_place(location)
        run, path = split(at)
        folder = path.rpartition("/")[0]
        async for page in self._rest.files(run, folder):
            for file in page:
                if file.path == path and not file.is_folder:
                    return _artifact(run, file).stored
        return None

    async def below(self, place: Location) -> AsyncIterator[Sequence[StoredFile]]:
        """The file at a place, or those below it, by pages."""
        run, path = split(place)
        folder = path.rstrip("/")
        found = [_artifact(run, file).stored async for file in self._walk(run, folder)]
        if not found and folder:  # it may be a file
            found = [await self.stored_file(location_of(run, folder))]
        yield [one for one in found if one is not None]

    async def read(self, location: Location, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """The bytes of a file. Raises NotFound where the server gives none of that name."""
        run, path = split(await self._true_place(location))
        if why := decode.why_unreadable(path):
            raise NotFound(f"file {path} of run {run}: {why}", status=404)
        async for piece in self._rest.read(run, path, start, stop):
            yield piece

    async def _true_place(self, location: Location) -> Location:
        """The place that a location means in which a secret was replaced: of that only the digest is known."""
        if not has_replacement(location.path):
            return location
        run, _ = split(location)
        async for file in self._walk(run):
            at = location_of(run, file.path)
            if NEWEST.path(at.path) == location.path:
                return at
        return location

    async def _walk(self, run: RunId, folder: str = "") -> AsyncIterator[ListedFile]:
        ahead, seen = [folder], {folder}
        while ahead:
            async for page in self._rest.files(run, ahead.pop()):
                for file in page:
                    if not file.is_folder:
                        yield file
                    elif file.path not in seen and decode.why_unreadable(file.path) is None:
                        seen.add(file.path)
                        ahead.append(file.path)
                    elif file.path not in seen:
                        yield file


def location_of(run: RunId, path: str) -> Location:
    """The place of a run's file; for an empty path, of the folder of them all."""
    return Location(STORE, f"{run}/{path}")


def split(location: Location) -> tuple[RunId, str]:
    """The run and the path in it of a place."""
    run, _, path = location.path.partition("/")
    return RunId(run), path


def _artifact(run: RunId, file: ListedFile) -> Artifact:
    """A file as it is listed. A folder stands here only where no request for what is in it can be made."""
    at, why = location_of(run, file.path), decode.why_unreadable(file.path)
    stored = None if why else StoredFile(location=at, size_bytes=file.size_bytes)
    return Artifact(path=file.path, location=at, indexed=False, stored=stored, gone=why)
