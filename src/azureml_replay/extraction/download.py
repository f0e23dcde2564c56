"""Bytes of files -> archive (`--artifacts download`). After a kill it continues, within a large file too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from weakref import WeakValueDictionary

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.objects import PIECE_BYTES
from azureml_replay.errors import Rejected, Remedy, ServiceError, Unavailable, noted
from azureml_replay.files.bytes import TAKEN_AGAIN, gone_now
from azureml_replay.model import Artifact, Location, RunId, StoredFile
from azureml_replay.progress import Progress
from azureml_replay.workers import Handful, for_each
from azureml_replay.workspace.source import Source

FILES_AT_ONCE = 32
HANDFUL_BYTES = 16 * 1024 * 1024
"""Bytes of files on their way at once; each counts its size, at most the 4 MiB that storage is asked for."""


@dataclass(slots=True)
class Download:
    """Brings the bytes of files that the archive lists and lacks."""

    source: Source
    archive: Archive
    progress: Progress
    again: bool = False
    """Bytes that are here are read again, of files that storage tells by their size alone."""
    files: int = 0
    bytes: int = 0
    """Bytes received; equal content that is here already is not received again."""
    failed: list[tuple[RunId, str]] = field(default_factory=list)
    remedies: list[Remedy | None] = field(default_factory=list)
    _handful: Handful = field(default_factory=lambda: Handful(HANDFUL_BYTES))
    _turns: WeakValueDictionary[Location, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def bring(self, width: int) -> None:
        """Bring all lacking files. One that fails is recorded and left to the next call. Raises OSError (disk full)."""
        self.archive.sweep()
        if self.again:
            await for_each(self.archive.kept_untold(), self._renew_one, min(width, FILES_AT_ONCE))
        files, _ = self.archive.lacks_bytes()
        self.progress.expect("files kept", files)
        await for_each(self.archive.lacking_bytes(), self._bring_one, min(width, FILES_AT_ONCE))

    async def bring_assets(self, width: int) -> None:
        """Bring what lacks of the files of assets, as `bring` does; once these are listed."""
        if self.again:
            untold = map(_of_asset, self.archive.untold_asset_files())
            await for_each(untold, self._renew_one, min(width, FILES_AT_ONCE))
        lacking = self.archive.lacking_asset_files()
        self.progress.expect("files kept", len(lacking))
        await for_each(map(_of_asset, lacking), self._bring_one, min(width, FILES_AT_ONCE))

    async def _bring_one(self, lacking: tuple[RunId, Artifact]) -> None:
        """Bring one file; an error fails this file only. A file that two runs have is brought once."""
        if await self._alone(*lacking, self._bring):
            self.progress.done("files kept")

    async def _renew_one(self, held: tuple[RunId, Artifact]) -> None:
        """The same of a file that is read again."""
        await self._alone(*held, self._renew)

    async def _alone(self, run: RunId, artifact: Artifact, bring: Callable[[Artifact], Awaitable[None]]) -> bool:
        """The boundary of one file; False where it failed."""
        turn = self._turns.setdefault(artifact.location, asyncio.Lock())
        try:
            async with turn:
                await bring(artifact)
        except ServiceError as error:
            what = f"file {artifact.path} of {f'run {run}' if run else 'an asset'}"
            why = noted(error, what)
            self.failed.append((run, f"file {artifact.path}: {why}"))
            self.remedies.append(error.remedy)
            self.progress.say(f"{what} not kept: {why}")
            return False
        return True

    async def _renew(self, artifact: Artifact) -> None:
        """Read a file again; one that is listed with another size is lacking, and comes as such.

        What is here stays until the whole file came. Raises Unavailable, Rejected.
        """
        stored = artifact.stored and replace(artifact.stored, md5=None)  # its MD5 is of what is here
        if stored is None or self.archive.held(stored) is None:
            return
        async with self._handful.of(min(stored.size_bytes, PIECE_BYTES)):
            with self.archive.incoming(stored) as incoming:
                async for data in self.source.read(stored.location):
                    incoming.add(data)
                if self.archive.renew(incoming):
                    self.files += 1
        self.bytes += stored.size_bytes

    async def _bring(self, artifact: Artifact) -> None:
        """Bring a file, anew where it changes meanwhile. Raises Unavailable where it changes every time."""
        stored = artifact.stored
        for _ in range(TAKEN_AGAIN):
            if stored is None or self.archive.held(stored):
                return
            try:
                await self._fetch(stored)
            except Rejected as error:
                if error.status not in (404, 412):
                    raise
                stored = await self._as_it_is_now(stored)
            else:
                self.files += 1
                return
        raise Unavailable(f"{artifact.path} changes all the time")

    async def _as_it_is_now(self, before: StoredFile) -> StoredFile | None:
        """The file as it is now, written into the archive for every run that lists it; None where it is gone."""
        now = await self.source.stored_file(before.location)
        self.archive.retake(before.location, now, None if now else gone_now())
        return now

    async def _fetch(self, stored: StoredFile) -> None:
        alike = self.archive.alike(stored)
        if alike is not None:
            self.archive.reuse(stored, alike)
            return
        async with self._handful.of(min(stored.size_bytes, PIECE_BYTES)):
            await self._receive(stored)

    async def _receive(self, stored: StoredFile) -> None:
        read_before = stored.etag is None and stored.md5 is not None
        stored = replace(stored, md5=None) if read_before else stored
        with self.archive.incoming(stored) as incoming:
            begun = incoming.size_bytes
            if begun < stored.size_bytes:
                async for data in self.source.read(stored.location, start=begun, etag=stored.etag):
                    incoming.add(data)
                    self.archive.note(incoming)
            if read_before:
                self.archive.renew(incoming)
            else:
                self.archive.keep(incoming)
        self.bytes += stored.size_bytes - begun


def _of_asset(file: StoredFile) -> tuple[RunId, Artifact]:
    return RunId(""), Artifact.alone(file)
