"""Gives the bytes of a source's files: from the archive where it holds them, else from the source's storage.

Where a file changed since it was listed, that is written into the archive, so that planning and verifying agree.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import partial

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.database import now
from azureml_replay.archive.objects import PIECE_BYTES
from azureml_replay.errors import NotFound, Rejected, UserError
from azureml_replay.model import Artifact, Location, StoredFile
from azureml_replay.workspace.put_files import CopyFile, HeldFile
from azureml_replay.workspace.source import LendsFiles, Source
from azureml_replay.workspace.target import Refused

TAKEN_AGAIN = 5
"""How often a file that changes while it is copied is begun in one call."""


@dataclass(slots=True)
class Supply:
    """Gives the files of runs, and looks at a file again where a storage refused it."""

    archive: Archive
    source: Source | None
    """None: every byte that is needed must be in the archive."""
    sound: set[bytes] = field(default_factory=set)
    """Objects of the archive that were read and are sound, by SHA-256, files of ours by MD5: runs share them."""

    async def file(self, artifact: Artifact, path: str) -> CopyFile | HeldFile:
        """The file to put at `path` of a target. Raises UserError without a source, NotFound where it has no bytes."""
        stored = artifact.stored
        if stored is None:
            raise NotFound(f"file {artifact.path}: its bytes are gone from the source")
        held = self.archive.held(stored)
        if held is not None:
            described = self.archive.described(stored)
            return HeldFile(path=path, stored=described, pieces=held.pieces, apart=True)
        source = self._reached(artifact)
        url = await source.readable_url(artifact.location) if isinstance(source, LendsFiles) else None
        return CopyFile(path=path, source=url, stored=stored, read=partial(read_piece, source, stored))

    async def md5(self, artifact: Artifact) -> bytes:
        """The MD5 of a file: of the bytes in the archive, else as the storage told it, else by reading them there.

        Raises IntegrityError for an object that is damaged or gone.
        """
        stored = artifact.stored
        held = self.archive.held(stored) if stored else None
        if held:
            if held.sha256 not in self.sound:
                held.verify()
                self.sound.add(held.sha256)
            return held.md5
        if stored is not None and stored.md5 is not None:
            return stored.md5
        return await md5_of(self._reached(artifact), artifact.location)

    def tells(self, artifact: Artifact) -> bool:
        """True where `md5` can tell one: without a source not of a file whose bytes and checksum nobody kept."""
        stored = artifact.stored
        return self.source is not None or bool(stored and (stored.md5 is not None or self.archive.held(stored)))

    def check(self, made: HeldFile) -> None:
        """Read a file that the archive holds and no storage described. Raises IntegrityError where it is damaged."""
        digest = made.stored.md5 or b""
        if digest not in self.sound:
            for _ in made.pieces(PIECE_BYTES):
                pass
            self.sound.add(digest)

    async def look_again(self, artifact: Artifact, refused: Refused) -> bool:
        """After a refusal: True where the source's file is gone or different now, which the archive is then told.

        Raises Unavailable, Rejected.
        """
        if self.source is None or refused.status not in (404, 412):
            return False
        found = await self.source.stored_file(artifact.location)
        if found is not None and artifact.stored is not None and found.etag == artifact.stored.etag:
            return False
        self.archive.retake(artifact.location, found, None if found else gone_now())
        return True

    def _reached(self, artifact: Artifact) -> Source:
        if self.source is None:
            raise UserError(f"the bytes of file {artifact.path} are not in the archive: name its --source")
        return self.source


def gone_now() -> str:
    """The reason why a file has no bytes, where storage was asked for it now."""
    return f"404 from storage at {str(now())[:19]}Z; listed, not stored"


async def md5_of(workspace: Source, location: Location) -> bytes:
    """The MD5 of a file's bytes, read now."""
    digest = hashlib.md5(usedforsecurity=False)
    async for data in workspace.read(location):
        digest.update(data)
    return digest.digest()


async def read_piece(source: Source, stored: StoredFile, start: int, stop: int) -> bytes:
    """The bytes `start` to `stop` of a file as it was listed. Raises Rejected (412) where it is different now."""
    pieces = [piece async for piece in source.read(stored.location, start=start, stop=stop, etag=stored.etag)]
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    if len(data) != stop - start:
        raise Rejected(f"{stored.location.path} ended early: {len(data)} bytes of {stop - start}", status=412)
    return data
