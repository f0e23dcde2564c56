"""Bytes of files, kept by their SHA-256: equal content once. A row says that a file is here only once it is.

A file grows as `artifacts/partial/…`, is synced, renamed to `artifacts/<sha256[:2]>/<sha256>`, and only then recorded:
one transaction notes which object holds the bytes of a place at an ETag, and brings its artifact's row up to date.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from azureml_replay.archive.digesting import Digesting
from azureml_replay.archive.documents import Documents
from azureml_replay.archive.records import ARTIFACT_COLUMNS, artifact_of, stored_row
from azureml_replay.disk.outputs import NO_LINK, private_folder, private_opener
from azureml_replay.errors import IntegrityError, Unavailable
from azureml_replay.model import Artifact, Location, RunId, StoredFile

PIECE_BYTES = 4 * 1024 * 1024
BELOW = len("artifacts/00/") + 64
"""Characters of the longest path of a file in an archive's folder."""
SYNC_BYTES = 64 * 1024 * 1024
"""Bytes after which a file on its way is synced and noted: a kill costs at most this much of it."""

_COLUMNS = ", ".join(f"a.{column}" for column in ARTIFACT_COLUMNS.split(", "))
_LACKING = """
    from artifact a join run on run.id = a.run and run.generation = a.generation
    left join content c on c.datastore = a.datastore and c.path = a.location and c.etag = ifnull(a.etag, '')
    left join object o on o.sha256 = c.sha256 and o.size_bytes = a.size_bytes
    where selected and a.size_bytes is not null and o.sha256 is null
"""
_UNTOLD = """
    from artifact a join run on run.id = a.run and run.generation = a.generation
    join content c on c.datastore = a.datastore and c.path = a.location and c.etag = ''
    where selected and a.etag is null and a.gone is null and a.size_bytes is not null and c.sha256 is not null
"""


@dataclass(frozen=True, slots=True)
class Held:
    """One object of the archive."""

    file: Path
    sha256: bytes
    size_bytes: int
    md5: bytes

    def pieces(self, size_bytes: int = PIECE_BYTES) -> Iterator[bytes]:
        """All bytes in order, `size_bytes` at a time. Raises IntegrityError for damaged ones, at the end at latest."""
        digest = hashlib.sha256()
        try:
            with self.file.open("rb") as reading:
                while data := reading.read(size_bytes):
                    digest.update(data)
                    yield data
        except FileNotFoundError as problem:
            raise IntegrityError(f"the archive lacks {self.file}, which it once held") from problem
        if digest.digest() != self.sha256:
            raise IntegrityError(f"{self.file} is damaged: its SHA-256 is not its name")

    def verify(self) -> None:
        """Read everything. Raises IntegrityError for damaged bytes."""
        for _ in self.pieces():
            pass

    def is_sound(self) -> bool:
        """True where the file is there and holds these bytes: all of them are read."""
        try:
            self.verify()
        except IntegrityError:
            return False
        return True


@dataclass(slots=True)
class Incoming:
    """A file on its way into the archive."""

    stored: StoredFile
    file: Path
    writing: BinaryIO
    size_bytes: int = 0
    """Bytes written so far: reading the source goes on from there."""
    synced: int = 0
    sha256: hashlib._Hash = field(default_factory=hashlib.sha256)
    md5: hashlib._Hash = field(default_factory=lambda: hashlib.md5(usedforsecurity=False))

    def add(self, data: bytes) -> None:
        """Write the next bytes. NOT repeatable: appends."""
        self.writing.write(data)
        self.count(data)

    def count(self, data: bytes) -> None:
        """Take bytes into account that are in the file already."""
        self.sha256.update(data)
        self.md5.update(data)
        self.size_bytes += len(data)

    def __enter__(self) -> Incoming:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file. What was written stays: a later call goes on from what was noted."""
        self.writing.close()

    def sync(self) -> None:
        """Bring what was written to the disk."""
        self.writing.flush()
        os.fsync(self.writing.fileno())
        self.synced = self.size_bytes


class Objects(Documents, Digesting):
    """The part of an archive that holds bytes."""

    def described(self, stored: StoredFile) -> StoredFile:
        """The file with the MD5 of its bytes, where the storage told none and the archive knows it."""
        held = self.held(stored) if stored.md5 is None else None
        return replace(stored, md5=held.md5) if held else stored

    def lacking_bytes(self) -> Iterator[tuple[RunId, Artifact]]:
        """Files of selected runs whose bytes the storage has and the archive lacks, by run and path."""
        sql = f"""
            select a.run, {_COLUMNS} {_LACKING} and (a.run, a.path, a.datastore, location) > (?, ?, ?, ?)
            order by a.run, a.path, a.datastore, location limit ?
        """  # our own words
        for run, *row in self._pages(sql, (), ("", "", "", "")):
            yield RunId(run), artifact_of(*row)

    def lacks_bytes(self) -> tuple[int, int]:
        """Number and bytes of the files that `lacking_bytes` names."""
        files, size = self._one(f"select count(*), ifnull(sum(a.size_bytes), 0) {_LACKING}")  # as above
        return files, size

    def kept_untold(self) -> Iterator[tuple[RunId, Artifact]]:
        """Files of selected runs whose bytes are here, and of which the storage tells no change but in size."""
        sql = f"""
            select a.run, {_COLUMNS} {_UNTOLD} and (a.run, a.path, a.datastore, location) > (?, ?, ?, ?)
            order by a.run, a.path, a.datastore, location limit ?
        """  # our own words
        for run, *row in self._pages(sql, (), ("", "", "", "")):
            yield RunId(run), artifact_of(*row)

    def held(self, stored: StoredFile) -> Held | None:
        """The object with the bytes of a file at its ETag, of its size; None where they are not here."""
        row = self._one(
            "select o.sha256, o.size_bytes, o.md5 from content c join object o using (sha256) "
            "where c.datastore = ? and c.path = ? and c.etag = ? and o.size_bytes = ?",
            (stored.location.datastore, stored.location.path, stored.etag or "", stored.size_bytes),
        )
        return row and self._object(*row)

    def alike(self, stored: StoredFile) -> Held | None:
        """An object of the same size and MD5, read to be sure of it. None where there is none, or it is damaged."""
        if stored.md5 is None:
            return None
        sql = "select sha256, size_bytes, md5 from object where md5 = ? and size_bytes = ?"
        for row in self._all(sql, (stored.md5, stored.size_bytes)):
            found = self._object(*row)
            if found.is_sound():  # damage is reported where the object is needed: this file comes from its own storage
                return found
        return None

    def incoming(self, stored: StoredFile) -> Incoming:
        """A file to write bytes into; an interrupted one goes on where it was last synced."""
        file = self._partial(stored.location, stored.etag or "")
        private_folder(file.parent)
        row = self._one(
            "select size_bytes from content where datastore = ? and path = ? and etag = ? and sha256 is null",
            (stored.location.datastore, stored.location.path, stored.etag or ""),
        )
        known = min(row[0], file.stat().st_size) if row and file.exists() else 0
        writing = os.fdopen(private_opener(file, os.O_RDWR | os.O_CREAT | NO_LINK), "r+b")
        found = Incoming(stored, file, writing)
        while found.size_bytes < known:
            found.count(writing.read(min(PIECE_BYTES, known - found.size_bytes)))
        writing.truncate(known)
        writing.seek(known)
        found.synced = known
        return found

    def note(self, incoming: Incoming) -> None:
        """Sync and note what came so far, once in `SYNC_BYTES`, so that a later call goes on from here. Repeatable."""
        if incoming.size_bytes - incoming.synced >= SYNC_BYTES:
            incoming.sync()
            with self._transaction():
                self._believe(incoming.stored, None, incoming.size_bytes)

    def taken(self, stored: StoredFile, file: Path) -> Incoming:
        """A whole file in `artifacts/partial/`, taken as one that was just received."""
        found = Incoming(stored, file, file.open("r+b"))
        while data := found.writing.read(PIECE_BYTES):
            found.count(data)
        return found

    def keep(self, incoming: Incoming, believe: Callable[[Held], None] | None = None) -> Held:
        """Give a whole file its final name, then record it; `believe` records a file that is no artifact's.

        Raises Unavailable where the bytes have another size or MD5 than the storage told.
        """
        stored = incoming.stored
        if incoming.size_bytes != stored.size_bytes:
            self._forget(stored)
            raise Unavailable(f"{incoming.size_bytes} bytes of {stored.location.path} came, not {stored.size_bytes}")
        if stored.md5 not in (None, incoming.md5.digest()):
            self._forget(stored)
            raise Unavailable(f"the bytes of {stored.location.path} are not those of the MD5 that storage tells")
        incoming.sync()
        incoming.writing.close()
        held = self._object(incoming.sha256.digest(), incoming.size_bytes, incoming.md5.digest())
        private_folder(held.file.parent)
        _put_in_place(incoming.file, held)
        _sync_folder(held.file.parent)
        with self._transaction():
            row = (held.sha256, held.size_bytes, held.md5)
            self._execute("insert or ignore into object values (?, ?, ?)", row)
            if believe is None:
                self._believe(stored, held.sha256, held.size_bytes)
            else:
                believe(held)
        return held

    def renew(self, incoming: Incoming) -> bool:
        """Give a file that was read again its place; True where its bytes are others: its MD5 tells that from now on.

        Raises Unavailable as `keep` does.
        """
        stored = incoming.stored
        before = self.held(stored)
        with self.together():
            held = self.keep(incoming)
            changed = before is None or before.md5 != held.md5
            if changed:
                self._tell_md5(stored.location, held.md5)
        return changed

    def _tell_md5(self, location: Location, md5: bytes) -> None:
        """Of a file that storage tells by its size alone, in every run and asset that has it."""
        place = (location.datastore, location.path)
        where = "where etag is null and size_bytes is not null and datastore = ?"
        self._execute(f"update artifact set md5 = ? {where} and location = ?", (md5, *place))  # noqa: S608
        self._execute(f"update asset_file set md5 = ? {where} and path = ?", (md5, *place))  # noqa: S608
        self._redigest_files(*place)

    def adopt(self, held: Held) -> Held:
        """Copy the bytes of another archive's object. No row says that they are here: the caller's does. Repeatable.

        Raises IntegrityError where these are damaged.
        """
        ours = self._object(held.sha256, held.size_bytes, held.md5)
        if ours.is_sound():
            return ours
        part = self.folder / "artifacts" / "partial" / held.sha256.hex()
        private_folder(part.parent)
        with os.fdopen(private_opener(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NO_LINK), "wb") as writing:
            for piece in held.pieces():
                writing.write(piece)
            writing.flush()
            os.fsync(writing.fileno())
        private_folder(ours.file.parent)
        _put_in_place(part, ours)
        _sync_folder(ours.file.parent)
        return ours

    def reuse(self, stored: StoredFile, held: Held) -> None:
        """Record that the bytes of a file are in an object that is here already. Repeatable."""
        with self._transaction():
            self._believe(stored, held.sha256, held.size_bytes)

    def retake(self, location: Location, now: StoredFile | None, gone: str | None = None) -> None:
        """Describe a file that changed since it was listed anew, in every run that has it. Repeatable.

        `now` None: there is no such file any more, and `gone` says what the storage answered, and when.
        """
        cleaned, _ = self._clean_file(now)
        with self._transaction():
            self._execute(
                "update artifact set (size_bytes, md5, etag, content_type, metadata, stored_unknown, blob_type, gone) "
                "= (?, ?, ?, ?, ?, ?, ?, ?) "
                "where datastore = ? and location = ?",
                (*stored_row(cleaned), gone, location.datastore, location.path),
            )
            self._redigest_files(location.datastore, location.path)

    def sweep(self) -> None:
        """Remove files that no row names: what a kill left, and what nothing refers to any more. Repeatable."""
        with self._transaction():
            referred = "select sha256 from content union select sha256 from code"
            self._execute(
                f"delete from object where not exists (select 1 from ({referred}) r where r.sha256 = object.sha256)"  # noqa: S608
            )
        folder = self.folder / "artifacts"
        going = self._all("select datastore, path, etag from content where sha256 is null")
        partial = {self._partial(Location(store, path), etag).name for store, path, etag in going}
        for part in sorted(one for one in folder.iterdir() if one.is_dir()) if folder.exists() else ():
            first = bytes.fromhex(part.name) if len(part.name) == 2 else b""
            rows = self._all("select sha256 from object where substr(sha256, 1, 1) = ?", (first,)) if first else ()
            names = {digest.hex() for (digest,) in rows} | (partial if part.name == "partial" else set())
            for file in part.iterdir():
                if file.name not in names:
                    with suppress(PermissionError):  # Windows removes no file that somebody reads: the next sweep does
                        file.unlink()

    def _forget(self, stored: StoredFile) -> None:
        """Forget an unfinished file: the next call begins it anew."""
        with self._transaction():
            place = stored.location
            self._execute(
                "delete from content where datastore = ? and path = ? and sha256 is null", (place.datastore, place.path)
            )

    def _believe(self, stored: StoredFile, sha256: bytes | None, size_bytes: int) -> None:
        place = stored.location
        row = (place.datastore, place.path, stored.etag or "", sha256, size_bytes)
        self._execute("insert or replace into content values (?, ?, ?, ?, ?)", row)

    def _object(self, sha256: bytes, size_bytes: int, md5: bytes) -> Held:
        return held_in(self.folder, sha256, size_bytes, md5)

    def _partial(self, location: Location, etag: str) -> Path:
        told = f"{location.datastore}\n{location.path}\n{etag}".encode(errors="surrogatepass")
        return self.folder / "artifacts" / "partial" / hashlib.blake2b(told, digest_size=20).hexdigest()


def held_in(folder: Path, sha256: bytes, size_bytes: int, md5: bytes) -> Held:
    """An object as it lies in an archive's folder, or would."""
    name = sha256.hex()
    return Held(folder / "artifacts" / name[:2] / name, sha256, size_bytes, md5)


def _put_in_place(file: Path, held: Held) -> None:
    """Rename a whole file to its final name. Windows replaces none that is being read: it has the same bytes then."""
    try:
        file.replace(held.file)
    except PermissionError:
        if not held.file.exists() or held.file.stat().st_size != held.size_bytes:
            raise
        file.unlink()


def _sync_folder(folder: Path) -> None:
    """Bring a rename to the disk, safe from a power cut. Windows cannot open a folder, and need not."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
