"""Files on their way to a server that serves artifacts: one PUT each, and a path holds what was put last."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field

from azureml_replay.errors import NotFound, Rejected, ServiceError, Uncertain
from azureml_replay.mlflow.rest import Rest
from azureml_replay.mlflow.wire import answers
from azureml_replay.model import RunId
from azureml_replay.workers import map_bounded
from azureml_replay.workspace.put_files import CopyFile, FileWritten, HeldFile, NewFile, PutFile
from azureml_replay.workspace.target import Outcome, Refused

FILES_AT_ONCE = 4
PIECE_BYTES = 4 << 20
ROOTS_KNOWN = 4_000
"""Runs are made up to 1,000 ahead of their files."""
NOT_SERVED = "this server serves no artifacts (--no-serve-artifacts): only its storage's own clients write there"
NOT_REMOVED = "this server removes no files"


class Putting:
    """Writes files of runs of one server."""

    def __init__(self, rest: Rest) -> None:
        """Nothing is asked yet."""
        self._rest = rest
        self._roots: OrderedDict[RunId, str | None] = OrderedDict()
        """Run -> where its files lie; None where the server does not serve them."""
        self._asking = asyncio.Lock()

    def note(self, run: RunId, root: str | None) -> None:
        """Remember where the files of a run lie; None where the server does not serve them."""
        self._roots[run] = root
        while len(self._roots) > ROOTS_KNOWN:
            self._roots.popitem(last=False)

    async def put(self, run: RunId, files: Sequence[PutFile]) -> Mapping[str, Outcome]:
        """Write files. Repeatable."""

        async def one(file: PutFile) -> Outcome:
            return await self._outcome(self._put(run, file))

        return dict(zip((file.path for file in files), await map_bounded(files, one, FILES_AT_ONCE), strict=True))

    async def content(self, run: RunId, path: str) -> bytes | None:
        """A small file as MLflow's clients get it; None where they cannot, however often they ask."""
        place = await self._place(run, path)
        try:
            return await self._rest.served_file(place) if place else None
        except (Rejected, Uncertain):
            return None

    async def remove(self, run: RunId, paths: Sequence[str]) -> Mapping[str, Outcome]:
        """Remove files. Repeatable: one that is gone is no error."""

        async def one(path: str) -> Outcome:
            return await self._outcome(self._remove(run, path))

        return dict(zip(paths, await map_bounded(paths, one, FILES_AT_ONCE), strict=True))

    async def _outcome(self, sending: Awaitable[Outcome]) -> Outcome:
        try:
            return await sending
        except Rejected as error:
            if error.status in (401, 403):
                raise
            return Refused.of(error)
        except ServiceError as error:
            return error

    async def _put(self, run: RunId, file: PutFile) -> Outcome:
        place = await self._place(run, file.path)
        if place is None:
            return Refused(NOT_SERVED, 503)
        sending = _Bytes(file)
        try:
            await self._rest.put_file(place, sending)
        except ServiceError as error:
            if sending.broke is not None:  # not the server's fault: a file that changed is begun anew
                raise sending.broke from error
            raise
        if isinstance(file, CopyFile):
            file.on_written(FileWritten(md5=sending.md5()))
        return None

    async def _remove(self, run: RunId, path: str) -> Outcome:
        """Old servers fail at it, and a file that is gone is removed again: so the list tells."""
        place = await self._place(run, path)
        if place is None:
            return Refused(NOT_SERVED, 503)
        try:
            await self._rest.remove_file(place)
        except Uncertain:
            folder = path.rpartition("/")[0]
            listed = [one.path async for page in self._rest.files(run, folder) for one in page]
            return Refused(NOT_REMOVED, 501) if path in listed else None
        except NotFound:
            return None
        return None

    async def _place(self, run: RunId, path: str) -> str | None:
        root = self._roots[run] if run in self._roots else await self._root(run)
        return None if root is None else f"{root}/{path}"

    async def _root(self, run: RunId) -> str | None:
        """As the server tells it of a run that an earlier call made; asked once for all its files."""
        async with self._asking:
            if run not in self._roots:
                document = await self._rest.run_document(run)
                self.note(run, answers.served_root(document) if document else None)
            return self._roots[run]


@dataclass(slots=True)
class _Bytes:
    """The bytes of a file, piece by piece; from the beginning each time that somebody asks, as an attempt does."""

    file: PutFile
    digest: hashlib._Hash = field(default_factory=lambda: hashlib.md5(usedforsecurity=False))
    """Of what the last attempt has sent so far."""
    broke: Rejected | None = None
    """Why the other workspace gives no more of it: to the server it looks like a connection that broke."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces()

    def __len__(self) -> int:
        return len(self.file.data) if isinstance(self.file, NewFile) else self.file.stored.size_bytes

    async def _pieces(self) -> AsyncIterator[bytes]:
        file = self.file
        if isinstance(file, NewFile):
            yield file.data
        elif isinstance(file, HeldFile):
            for piece in file.pieces(PIECE_BYTES):
                yield piece
        else:
            if self.broke is not None:
                raise self.broke
            self.digest = hashlib.md5(usedforsecurity=False)
            try:
                async for piece in _read(file):
                    self.digest.update(piece)
                    yield piece
            except Rejected as error:
                self.broke = error
                raise

    def md5(self) -> bytes:
        """Of what was sent, once it was, of a file that comes from another workspace."""
        return self.digest.digest()


async def _read(file: CopyFile) -> AsyncIterator[bytes]:
    """The bytes of another workspace's file, through this machine. Raises Rejected (412) where it is different now."""
    assert file.read is not None  # noqa: S101 - whoever copies between kinds of workspaces can read
    size = file.stored.size_bytes
    for start in range(0, size, PIECE_BYTES):
        yield await file.read(start, min(start + PIECE_BYTES, size))
