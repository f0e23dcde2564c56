"""Files on their way into a workspace (pure)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from azureml_replay.model import (
    StoredFile,
)


class SecretUrl(str):
    """A signed URL. Its repr and its format are `***`; only the sender uses its value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class FileWritten:
    """What is known of a file once it was written: by this it is told from one that somebody else wrote there later."""

    etag: str | None = None
    """As the storage answered."""
    md5: bytes | None = None
    """Of the bytes, where they went through this machine in order."""


def unheard(_: FileWritten) -> None:
    """For those who need not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFile:
    """A file to bring from another workspace's storage, server to server."""

    path: str
    """The path in the run, as FIDELITY maps it."""
    source: SecretUrl | None
    """Where the other storage lends it; None where it lends none."""
    stored: StoredFile
    """The source's file as listed: one with another ETag is refused."""
    read: Callable[[int, int], Awaitable[bytes]] | None = None
    """Reads the bytes from `start` up to, not including, `stop`, where storage cannot reach storage, or none lends."""
    on_written: Callable[[FileWritten], None] = unheard
    """Called once it is there."""
    new: bool = False
    """It is refused, as `taken`, where something lies at its path, by workspaces in which others can write there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFile:
    """A file whose bytes are on this machine, and are sent a piece at a time."""

    path: str
    stored: StoredFile
    """The size, MD5, content type and metadata that the file will have."""
    pieces: Callable[[int], Iterator[bytes]]
    """Gives all bytes in order, so many at a time. Raises IntegrityError at their end where they are damaged."""
    apart: bool = False
    """True where giving them asks no archive: any thread may."""
    new: bool = False
    """As of a `CopyFile`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file that we make ourselves: `replay/job.json`, `replay/overflow.json`."""

    path: str
    data: bytes
    content_type: str = "application/json"


PutFile: TypeAlias = CopyFile | HeldFile | NewFile


def heard(file: PutFile, told: dict[str, FileWritten]) -> PutFile:
    """The file; what was written is told by its path, where its checksum does not tell that."""
    if not isinstance(file, CopyFile) or file.stored.md5 is not None:
        return file
    return replace(file, on_written=partial(told.__setitem__, file.path))
