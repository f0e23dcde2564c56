"""The files of tables: which go where, which are there, and which lie in their place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

from azureml_replay.azure.wire.mltables import FILE
from azureml_replay.errors import NotFound, UserError
from azureml_replay.files.bytes import md5_of, read_piece
from azureml_replay.model import Location, StoredFile
from azureml_replay.workers import for_each
from azureml_replay.workspace.asset import TABLE_ORIGINAL
from azureml_replay.workspace.assets import AssetSource, AssetTarget
from azureml_replay.workspace.opened import OpenedWorkspace
from azureml_replay.workspace.put_files import CopyFile, NewFile, PutFile
from azureml_replay.workspace.source import LendsFiles

ROOT = "it lies at the root of a container, and nobody copies all of one: move it into a folder"


@dataclass(frozen=True, slots=True)
class FileDue:
    """One file of a table: the source's, or one that is made here."""

    at: Location
    """In the target."""
    wanted: StoredFile | bytes


@dataclass(slots=True)
class TableFiles:
    """The files of all tables of one import; a place that several share is written once."""

    source: OpenedWorkspace
    reading: AssetSource
    """The source, as a workspace with assets."""
    target: OpenedWorkspace
    writing: AssetTarget
    """The target, as a workspace in which assets are made."""
    made: dict[Location, bytes] = field(default_factory=dict)
    """MLTables that are written anew, and their originals."""
    wanted: set[Location] = field(default_factory=set)
    """Every place of the target that a table has a file at."""
    sent: set[Location] = field(default_factory=set)

    async def listed(self, place: Location, there: Location) -> list[FileDue]:
        """The files below a place of the source, with where they go. Raises NotFound where none lies there."""
        found = [one async for page in self.reading.asset_files(place) for one in page]
        if not found:
            raise NotFound(f"no file lies at {place.datastore}: {place.path} of the source")
        return [
            FileDue(Location(there.datastore, there.path + one.location.path[len(place.path) :]), one) for one in found
        ]

    def make(self, there: Location, text: str, original: str) -> None:
        """Note that a table gets an MLTable that is not the source's own, with the original beside it."""
        self.made[Location(there.datastore, there.path + FILE)] = text.encode()
        self.made[Location(there.datastore, there.path + TABLE_ORIGINAL)] = original.encode()

    def complete(self, there: Location, files: Iterable[FileDue]) -> list[FileDue]:
        """The files of a table with those that are made, once all tables were looked at."""
        found = {one.at: one for one in files}
        for at, data in self.made.items():
            if at in found or (at.datastore == there.datastore and at.path == there.path + TABLE_ORIGINAL):
                found[at] = FileDue(at, data)
        self.wanted.update(found)
        return list(found.values())

    async def due(
        self, there: Location, files: Iterable[FileDue]
    ) -> tuple[list[FileDue], list[FileDue], list[Location]]:
        """Files that are not there; those in whose place another one lies; places with files of none of the tables."""
        held = {one.location: one async for page in self.writing.asset_files(there) for one in page}
        lacking, other = list[FileDue](), list[FileDue]()
        for file in files:
            one = held.pop(file.at, None)
            if one is None:
                lacking.append(file)
            elif not await self._is_equal(file, one):
                other.append(file)
        return lacking, other, [at for at in held if at not in self.wanted]

    async def _is_equal(self, file: FileDue, held: StoredFile) -> bool:
        """By size and checksum; where a storage keeps none, by reading."""
        wanted = file.wanted
        if isinstance(wanted, bytes):
            if len(wanted) != held.size_bytes:
                return False
            expected = hashlib.md5(wanted, usedforsecurity=False).digest()
        else:
            if wanted.size_bytes != held.size_bytes:
                return False
            expected = wanted.md5 or await md5_of(self.source, wanted.location)
        return expected == (held.md5 or await md5_of(self.target, held.location))

    async def send(self, files: Iterable[FileDue], width: int) -> tuple[int, int]:
        """Write files from storage to storage; how many, and their bytes. Repeatable."""
        due = [file for file in files if file.at not in self.sent]
        await for_each(due, self._send_one, width)
        self.sent.update(file.at for file in due)
        return len(due), sum(_size(file.wanted) for file in due)

    async def _send_one(self, file: FileDue) -> None:
        await self.writing.put_asset_file(file.at, await self._put_file(file))

    async def _put_file(self, file: FileDue) -> PutFile:
        wanted = file.wanted
        if isinstance(wanted, bytes):
            return NewFile(path=file.at.path, data=wanted, content_type="text/yaml")
        url = await self.source.readable_url(wanted.location) if isinstance(self.source, LendsFiles) else None
        return CopyFile(path=file.at.path, source=url, stored=wanted, read=partial(read_piece, self.source, wanted))

    async def remove(self, places: Iterable[Location], width: int) -> None:
        """Remove files of the target."""
        await for_each(places, self.writing.remove_asset_file, width)

    async def overlaps(self, place: Location, there: Location) -> bool:
        """Whether both are one folder of one container. Raises UserError where one lies in the other.

        Two workspaces may have datastores in one container, and a prefix may lead a table into itself.
        """
        here, beyond = await _address(self.source, place), await _address(self.target, there)
        if here == beyond:
            return True
        if here.startswith(beyond) or beyond.startswith(here):
            raise UserError(
                f"{there.datastore}: {there.path} of the target and {place.datastore}: {place.path} of the source lie "
                f"in each other, in one container: choose another --target-prefix"
            )
        return False


async def _address(workspace: OpenedWorkspace, place: Location) -> str:
    """Where a place is in the world, without what opens it."""
    if not isinstance(workspace, LendsFiles):
        return f"{workspace.ref}/{place.datastore}/{place.path}"
    return str.__str__(await workspace.readable_url(place)).partition("?")[0]


def _size(wanted: StoredFile | bytes) -> int:
    return len(wanted) if isinstance(wanted, bytes) else wanted.size_bytes
