"""Bringing files into a target: index entry first, then the bytes, from storage to storage."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence

from azureml_replay.azure import decode, encode
from azureml_replay.azure.artifacts import Artifacts
from azureml_replay.azure.storage import Door, Storage
from azureml_replay.errors import Rejected, ServiceError, Unavailable
from azureml_replay.model import ARTIFACT_STORE, Location, RunId
from azureml_replay.workers import map_bounded
from azureml_replay.workspace import CopyFile, NewFile, Outcome, Refused

WHOLE_COPY_BYTES = 256 * 1024 * 1024
"""The most that storage copies in one synchronous request."""
BLOCK_BYTES = 100 * 1024 * 1024
"""Of larger files: 50,000 blocks are allowed, so 4.8 TB."""
BLOCKS_AT_ONCE = 4
FILES_AT_ONCE = 16


class Files:
    """Writes files of runs. Repeatable throughout: a path holds what was put last."""

    def __init__(self, artifacts: Artifacts, storage: Storage) -> None:
        """Entries through `artifacts`, bytes through `storage`."""
        self._artifacts = artifacts
        self._storage = storage

    async def put(self, experiment: str, run: RunId, files: Sequence[CopyFile | NewFile]) -> Mapping[str, Outcome]:
        """By path: what became of each."""
        urls, problems = await self._artifacts.entries(experiment, run, [file.path for file in files])

        async def one(file: CopyFile | NewFile) -> Outcome:
            problem = problems.get(file.path)
            if problem and not problem.taken:
                return _refusal(problem)
            return await self._put_one(run, file, urls.get(file.path))

        outcomes = await map_bounded(files, one, FILES_AT_ONCE)
        return dict(zip((file.path for file in files), outcomes, strict=True))

    async def _put_one(self, run: RunId, file: CopyFile | NewFile, url: str | None) -> Outcome:
        try:
            if url is not None and await self._written(self._storage.door(url), file):
                return None
            again = await self._door_to_existing(run, file.path)
            if again is None or not await self._written(again, file):
                location = Location(ARTIFACT_STORE, f"{decode.RUN_FILES}/dcid.{run}/{file.path}")
                await self.write(await self._storage.writable(location), file)
        except Rejected as error:
            return Refused(str(error.args[0]), error.status)
        except ServiceError as error:
            return error
        return None

    async def _written(self, door: Door, file: CopyFile | NewFile) -> bool:
        """False where this door may not write: what is there may not be overwritten, or the account takes no keys."""
        try:
            await self.write(door, file)
        except Rejected as error:
            if _will_not_overwrite(error):
                return False
            raise
        return True

    async def _door_to_existing(self, run: RunId, path: str) -> Door | None:
        """To a file that is there already: its entry hands out no new URL, and the first one may only create."""
        try:
            return self._storage.door(await self._artifacts.write_url(run, path))
        except Rejected:
            return None

    async def write(self, door: Door, file: CopyFile | NewFile) -> None:
        """One blob, in blocks where it is large. Repeatable. Raises Rejected, Unavailable."""
        if isinstance(file, NewFile):
            md5 = hashlib.md5(file.data, usedforsecurity=False).digest()
            headers = encode.put_headers(file.content_type, md5)
            await self._storage.ask(door, "PUT", headers=headers, data=file.data)
        elif file.stored.size_bytes <= WHOLE_COPY_BYTES:
            answer = await self._storage.ask(door, "PUT", headers=encode.copy_headers(file))
            if answer.headers.get("x-ms-copy-status", "success") != "success":
                raise Unavailable(f"the copy of {file.path} did not end", method="PUT", url=answer.url)
        else:
            await self._copy_blocks(door, file)

    async def _copy_blocks(self, door: Door, file: CopyFile) -> None:
        starts = range(0, file.stored.size_bytes, BLOCK_BYTES)

        async def stage(start: int) -> str:
            block = base64.b64encode(f"{start:020d}".encode()).decode()
            headers = encode.block_headers(file, start, min(start + BLOCK_BYTES, file.stored.size_bytes))
            await self._storage.ask(door, "PUT", query=f"comp=block&blockid={encode.quoted(block)}", headers=headers)
            return block

        blocks = await map_bounded(starts, stage, BLOCKS_AT_ONCE)
        headers = encode.block_list_headers(file.stored)
        await self._storage.ask(door, "PUT", query="comp=blocklist", headers=headers, data=encode.block_list(blocks))


def _will_not_overwrite(error: Rejected) -> bool:
    """409, or a signature for creating only; not a source that the storage service cannot read."""
    return error.status == 409 or (error.status == 403 and "CopySource" not in error.code)


def _refusal(problem: decode.Problem) -> Outcome:
    return Unavailable(problem.message, code=problem.code) if problem.passing else Refused(problem.message)
