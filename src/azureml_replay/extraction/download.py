"""Bytes of files -> archive (`--artifacts download`). After a kill it continues, within a large file too."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
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
        files, _ = self.archive.lacks_bytes()
        self.progress.expect("files kept", files)
        await for_each(self.archive.lacking_bytes(), self._bring_one, min(width, FILES_AT_ONCE))

    async def bring_assets(self, width: int) -> None:
        """Bring what lacks of the files of assets, as `bring` does; once these are listed."""
        lacking = self.archive.lacking_asset_files()
        self.progress.expect("files kept", len(lacking))
        await for_each(
            ((RunId(""), Artifact.alone(one)) for one in lacking), self._bring_one, min(width, FILES_AT_ONCE)
        )

    async def _bring_one(self, lacking: tuple[RunId, Artifact]) -> None:
        """Bring one file; an error fails this file only. A file that two runs have is brought once."""
        run, artifact = lacking
        turn = self._turns.setdefault(artifact.location, asyncio.Lock())
        try:
            async with turn:
                await self._bring(artifact)
        except ServiceError as error:
            what = f"file {artifact.path} of {f'run {run}' if run else 'an asset'}"
            why = noted(error, what)
            self.failed.append((run, f"file {artifact.path}: {why}"))
            self.remedies.append(error.remedy)
            self.progress.say(f"{what} not kept: {why}")
        else:
            self.progress.done("files kept")

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
        with self.archive.incoming(stored) as incoming:
            begun = incoming.size_bytes
            if begun < stored.size_bytes:
                async for data in self.source.read(stored.location, start=begun, etag=stored.etag):
                    incoming.add(data)
                    self.archive.note(incoming)
            self.archive.keep(incoming)
        self.bytes += stored.size_bytes - begun
