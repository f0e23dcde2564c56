"""Writes files into a target: the index entry first, then the bytes, from storage to storage."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from azureml_replay.azure.services.artifacts import ArtifactIndex
from azureml_replay.azure.services.halves import outcome_of
from azureml_replay.azure.storage.blocks import Blocks, block_bytes
from azureml_replay.azure.storage.reach import Reach
from azureml_replay.azure.storage.storage import Door, Storage
from azureml_replay.azure.wire import decode_storage, encode
from azureml_replay.azure.wire.places import place_of
from azureml_replay.errors import Rejected, ServiceError, Unavailable
from azureml_replay.model import Location, RunId
from azureml_replay.sending.sender import NOT_SPOKEN
from azureml_replay.workers import map_bounded
from azureml_replay.workspace.put_files import CopyFile, FileWritten, HeldFile, NewFile, PutFile
from azureml_replay.workspace.target import Outcome, Refused

WHOLE_COPY_BYTES = 256 * 1024 * 1024
"""Bytes that storage copies in one synchronous request at most."""
FILES_AT_ONCE = 16

NO_BACKSLASH = Refused("storage takes a backslash in a file's name for a slash", 400)
"""Such names come from MLflow servers. Asked, the local storage said that the signature does not fit (403)."""


class Files:
    """Writes files of runs. All methods are repeatable: a path holds what was put last."""

    def __init__(self, artifacts: ArtifactIndex, storage: Storage) -> None:
        """Entries go through `artifacts`, bytes through `storage`."""
        self.artifacts = artifacts
        self.storage = storage
        self._blocks = Blocks(storage)
        self._reach = Reach()

    async def put(self, experiment: str, run: RunId, files: Sequence[PutFile]) -> Mapping[str, Outcome]:
        """Write files; path -> what became of each."""
        impossible = {file.path: NO_BACKSLASH for file in files if "\\" in file.path}
        possible = [file for file in files if file.path not in impossible]
        urls, problems = await self._entries(experiment, run, [file.path for file in possible])

        async def one(file: PutFile) -> Outcome:
            return problems[file.path] if file.path in problems else await self._put_one(run, file, urls.get(file.path))

        outcomes = await map_bounded(possible, one, FILES_AT_ONCE)
        return impossible | dict(zip((file.path for file in possible), outcomes, strict=True))

    async def _entries(
        self, experiment: str, run: RunId, paths: Sequence[str]
    ) -> tuple[dict[str, str], dict[str, Outcome]]:
        """URLs and refusals by path; a request that is refused whole for a path is halved down to it."""
        if not paths:
            return {}, {}
        try:
            urls, problems = await self.artifacts.entries(experiment, run, paths)
        except Rejected as error:
            refused = Refused.of(error)
            if not refused.of_item:
                raise
            if len(paths) == 1:
                return {}, {paths[0]: refused}
            middle = len(paths) // 2
            halves = [await self._entries(experiment, run, some) for some in (paths[:middle], paths[middle:])]
            return {**halves[0][0], **halves[1][0]}, {**halves[0][1], **halves[1][1]}
        return dict(urls), {path: outcome_of(one) for path, one in problems.items() if not one.taken}

    async def _put_one(self, run: RunId, file: PutFile, url: str | None) -> Outcome:
        at = place_of(run, file.path)
        try:
            if url is not None and await self._written(self.storage.door(url), file, at):
                return None
            again = await self._door_to_existing(run, file.path, at)
            if again is None or not await self._written(again, file, at):
                await self.overwrite(file, at)
        except Rejected as error:
            return replace(Refused.of(error), taken=_is_taken(file, error))
        except ServiceError as error:
            return error
        return None

    async def _written(self, door: Door, file: PutFile, at: Location) -> bool:
        """False where this URL may not write: no overwriting is allowed, or the account takes no keys."""
        try:
            await self.write(door, file, at)
        except Rejected as error:
            if _will_not_overwrite(error) and not _is_taken(file, error):
                return False
            raise
        return True

    async def overwrite(self, file: PutFile, at: Location) -> None:
        """Write a blob with the datastore's own credentials. Repeatable. Raises as `write`.

        A blob keeps its type: one of another type is removed first.
        """
        try:
            await self.write(await self.storage.writable(at), file, at)
        except Rejected as error:
            if error.code != decode_storage.OTHER_TYPE or _is_taken(file, error):
                raise
            await self.storage.remove(at)
            await self.write(await self.storage.writable(at), file, at)

    async def _door_to_existing(self, run: RunId, path: str, at: Location) -> Door | None:
        """A URL for a file that is there already: its entry hands out no new one, and the first one may only create.

        Raises Rejected where the entry leads elsewhere: a file that was attached may be the source's own.
        """
        try:
            url = await self.artifacts.write_url(run, path)
        except Rejected:
            return None
        if not unquote(urlsplit(url).path).endswith(f"/{at.path}"):
            raise Rejected("its index entry leads to another place, which is left alone")
        return self.storage.door(url)

    async def remove(self, run: RunId, paths: Sequence[str]) -> Mapping[str, Outcome]:
        """Remove files; path -> what became of each. Bytes go first: an entry without bytes can still be found."""

        async def one(path: str) -> Outcome:
            try:
                await self.storage.remove(place_of(run, path))
            except Rejected as error:
                return Refused.of(error)
            except ServiceError as error:
                return error
            return None

        outcomes = dict(zip(paths, await map_bounded(paths, one, FILES_AT_ONCE), strict=True))
        return outcomes | await self._remove_entries(run, [path for path in paths if outcomes[path] is None])

    async def _remove_entries(self, run: RunId, paths: Sequence[str]) -> dict[str, Outcome]:
        """Remove entries; a refused request is halved, so that an entry that is gone already keeps no other."""
        if not paths:
            return {}
        try:
            await self.artifacts.remove(run, paths)
        except Rejected as error:
            if error.status in NOT_SPOKEN and not error.code:
                return dict.fromkeys(paths, Refused("this service removes no index entries", error.status))
            if len(paths) == 1:
                return {paths[0]: None if error.status == 404 else Refused.of(error)}
            middle = len(paths) // 2
            first = await self._remove_entries(run, paths[:middle])
            return first | await self._remove_entries(run, paths[middle:])
        return dict.fromkeys(paths)

    async def write(self, door: Door, file: PutFile, at: Location) -> None:
        """Write a blob to `at`, in blocks if it is large. Repeatable. Raises Rejected, Unavailable, IntegrityError."""
        if isinstance(file, NewFile):
            headers = encode.put_headers(file.content_type, _md5(file.data))
            await self.storage.ask(door, "PUT", headers=headers, data=file.data)
        elif isinstance(file, HeldFile):
            await self._upload(door, file, at)
        elif file.read is None or (file.source is not None and self._reach.worth_asking(_host(file))):
            await self._copy_or_relay(door, file, at)
        else:
            await self._relay(door, file, at)

    async def _copy_or_relay(self, door: Door, file: CopyFile, at: Location) -> None:
        """Let storage fetch the file; if it can neither whole nor in blocks, send the bytes through us."""
        try:
            await self._copy(door, file, at)
        except ServiceError as error:
            if file.read is None or not _cannot_fetch(error):
                raise
            await self._relay(door, file, at)
            self._reach.refused(_host(file))
        else:
            self._reach.fetched(_host(file))

    async def _copy(self, door: Door, file: CopyFile, at: Location) -> None:
        """Whole where that is allowed: Copy Blob From URL takes block blobs of up to 256 MiB and no others."""
        if file.stored.blob_type or file.stored.size_bytes > WHOLE_COPY_BYTES:
            await self._blocks.copy(door, file, at)
            return
        try:
            await self._copy_whole(door, file)
        except Rejected as error:
            if error.status != 409 or not _cannot_fetch(error):
                raise
            await self._blocks.copy(door, file, at)  # 409 is about the blob: an append blob of which nobody said so

    async def _copy_whole(self, door: Door, file: CopyFile) -> None:
        answer = await self.storage.ask(door, "PUT", headers=encode.copy_headers(file) | encode.condition(file))
        if answer.headers.get("x-ms-copy-status", "success") != "success":
            raise Unavailable(f"the copy of {file.path} did not end", method="PUT", url=answer.url)
        file.on_written(FileWritten(decode_storage.etag_of(answer.headers)))

    async def _relay(self, door: Door, file: CopyFile, at: Location) -> None:
        if file.stored.size_bytes > block_bytes(file.stored):
            await self._blocks.relay(door, file, at)
        elif file.read is not None:
            async with self._blocks.handful.of(file.stored.size_bytes):
                data = await file.read(0, file.stored.size_bytes)
                file.on_written(FileWritten(await self._put_whole(door, file, data), _md5(data)))

    async def _upload(self, door: Door, file: HeldFile, at: Location) -> None:
        size = block_bytes(file.stored)
        if file.stored.size_bytes > size:
            await self._blocks.upload(door, file, at)
            return
        async with self._blocks.handful.of(file.stored.size_bytes):
            await self._put_whole(door, file, b"".join(file.pieces(size)))

    async def _put_whole(self, door: Door, file: CopyFile | HeldFile, data: bytes) -> str | None:
        """The ETag that it has now."""
        headers = encode.whole_headers(file.stored, _md5(data)) | encode.condition(file)
        answer = await self.storage.ask(door, "PUT", headers=headers, data=data)
        return decode_storage.etag_of(answer.headers)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _host(file: CopyFile) -> str:
    return urlsplit(str.__str__(file.source or "")).netloc


def _cannot_fetch(error: ServiceError) -> bool:
    """True where storage cannot read the source: a private endpoint, a firewall, an append blob in one call."""
    return "Copy" in error.code


def _is_taken(file: PutFile, error: Rejected) -> bool:
    """True where a file that is to be written where nothing lies met another one."""
    return not isinstance(file, NewFile) and file.new and error.code in decode_storage.TAKEN


def _will_not_overwrite(error: Rejected) -> bool:
    """True for 409, and for a signature for creating only; false where the storage service cannot read the source."""
    return error.status in (403, 409) and not _cannot_fetch(error)
