"""The bytes of assets, from storage to storage: files of a run came with it, others are copied where they are due."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import owner_of
from azureml_replay.archive.items import FileItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.files import same_by_md5
from azureml_replay.comparison.three_way import Prefer
from azureml_replay.counting import counted
from azureml_replay.direct.shared_places import SharedPlaces
from azureml_replay.errors import NotFound
from azureml_replay.files.as_sent import AsSent
from azureml_replay.files.bytes import Supply
from azureml_replay.files.receipts import payload_of
from azureml_replay.model import Artifact, Location, RunId, StoredFile
from azureml_replay.planning.names import fit_path
from azureml_replay.target.assets_there import AssetsThere, is_below, relative
from azureml_replay.workers import for_each
from azureml_replay.workspace.asset import TABLE_FILE, TABLE_ORIGINAL, Asset, AssetKey
from azureml_replay.workspace.assets import AssetTarget
from azureml_replay.workspace.put_files import CopyFile, FileWritten, HeldFile, NewFile, heard
from azureml_replay.workspace.source import Source

FILES_AT_ONCE = 8
MOST_TABLE_BYTES = 1_000_000
"""Of an MLTable: paths have a few hundred characters. A larger one stays as it is."""
TEXT = "text/yaml"

NO_FILES = "no file of it is in the source's storage"
"""Said for good: nothing that is tried again brings them back."""
NO_SOURCE = "its bytes are not in the archive: name its --source"
OTHER_FILE = "another file lies at {}, which was left alone"
NO_STORE = "the target has no datastore {}: make it there, or leave the bytes of data out"


@dataclass(slots=True)
class AssetFiles:
    """Brings the bytes of assets; a place that several share is looked at once."""

    archive: Archive
    ledger: TargetLedger
    supply: Supply
    target: AssetTarget
    reading: Source
    """The same."""
    prefer: Prefer
    there: AssetsThere
    done: dict[tuple[Location, Location], str] = field(default_factory=dict)
    """Place in the source and in the target -> why its files are not there; empty where they are."""
    left: dict[AssetKey, int] = field(default_factory=dict)
    """Asset -> paths of its MLTable that lead to where nothing was brought."""
    shared: SharedPlaces = field(init=False)

    def __post_init__(self) -> None:
        self.shared = SharedPlaces(self.archive, self.ledger)

    async def bring(self, asset: Asset) -> tuple[str, int, int]:
        """Why the asset's files are not there, empty where they are; and how many, with their bytes, went now."""
        there = self.there.of(asset)
        place = there.place
        if not asset.owns_bytes or place is None or asset.place is None:
            return "", 0, 0
        if (way := (asset.place, place)) in self.done:
            return self.done[way], 0, 0
        listed = self.archive.asset_files(asset.key)
        why, files, size = await self._brought(asset, there, asset.place, listed)
        self.done[way] = why
        return why, files, size

    async def are_others(self, asset: Asset) -> bool:
        """True where another file lies in the place of one of the asset's own: an asset there is another one.

        Files of a run are compared with the run.
        """
        place, listed = self.there.of(asset).place, self.archive.asset_files(asset.key)
        if not asset.owns_bytes or place is None or asset.place is None or not listed:
            return False
        try:
            there = await self._lying(place)
        except NotFound:
            return False
        at = {_inside(place, relative(one.location.path, asset.place)).path: one for one in listed}
        return any([await self._is_same(there[path], at[path]) is False for path in at.keys() & there.keys()])

    async def _brought(
        self, asset: Asset, there: Asset, base: Location, listed: list[StoredFile]
    ) -> tuple[str, int, int]:
        place = there.place
        assert place is not None  # noqa: S101  # `bring` has looked
        if asset.files_of is not None and not listed:
            return await self._of_run(asset, there, place), 0, 0
        return await self._copied(asset, base, place, listed)

    async def _of_run(self, asset: Asset, there: Asset, place: Location) -> str:
        """They came with the run, under the same path of its container, unless they were left out or it failed."""
        run, base = asset.files_of, asset.place
        assert run is not None and base is not None  # noqa: S101, PT018  # `bring` has looked
        if self.ledger.stands_for(run) is None:
            return f"run {run}, whose files it is, is not in the target"
        paths = [
            one.location.path for one in self.archive.artifacts(run) if one.stored and is_below(one.location, base)
        ]
        wanted = [relative(path, base) for path in paths]
        found = {relative(path, place) for path in await self._lying(place)}
        absent = [path for path in wanted if path not in found and self._stays(there, path)]
        if not wanted:
            return f"run {run} has no files there"
        return f"{counted(len(absent), 'file')} of run {run} are not in the target: {absent[0]}" if absent else ""

    def _stays(self, there: Asset, path: str) -> bool:
        """False for a file that the target has elsewhere, since it takes no such path: told with its run."""
        whole = "/".join(part for part in (there.run_path, path) if part)
        return fit_path(whole, self.target.asset_rule.paths) == whole

    async def _copied(
        self, asset: Asset, base: Location, place: Location, listed: list[StoredFile]
    ) -> tuple[str, int, int]:
        """Copied where they are not there, or as they were sent before; another file in their place is left alone.

        An output may be empty.
        """
        if not listed and asset.output is None:
            return NO_FILES, 0, 0
        made = await self._rewritten(asset, base, listed)
        if made is None:
            return NO_SOURCE, 0, 0
        try:
            there = await self._lying(place)
        except NotFound:
            return NO_STORE.format(place.datastore), 0, 0
        wanted = {relative(one.location.path, base): one for one in listed} | _originals(made)
        wanted |= {path: _described(data, wanted[path]) for path, data in made.items()}
        return await self._sent_where_due(owner_of(asset.key), place, wanted, there, made)

    async def _sent_where_due(
        self,
        owner: RunId,
        place: Location,
        wanted: Mapping[str, StoredFile],
        there: Mapping[str, StoredFile],
        made: Mapping[str, bytes],
    ) -> tuple[str, int, int]:
        """`wanted`: path below the place -> file; `made`: the bytes of those that are no file of the source's."""
        due, lying = list[str](), {path: there.get(_inside(place, path).path) for path in wanted}
        for path, held in lying.items():
            same = held is not None and await self._is_same(held, wanted[path])
            if same is None:
                return NO_SOURCE, 0, 0
            if held is not None and not same and not await self._was_sent(owner, path, held):
                return OTHER_FILE.format(f"{place.datastore}: {_inside(place, path).path}"), 0, 0
            if not same:
                due.append(path)
        if not all(self.supply.source or path in made or self.archive.held(wanted[path]) for path in due):
            return NO_SOURCE, 0, 0
        etags = {path: held.etag for path, held in lying.items() if held and same_by_md5(held, wanted[path]) is None}
        await self._send(owner, place, wanted, due, made=made, etags=etags)
        return "", len(due), sum(wanted[path].size_bytes for path in due)

    async def _send(
        self,
        owner: RunId,
        place: Location,
        wanted: Mapping[str, StoredFile],
        due: Sequence[str],
        *,
        made: Mapping[str, bytes],
        etags: Mapping[str, str | None],
    ) -> None:
        """Those that are due, with receipts of all that are ours; `etags` tell of those that lie there already.

        An equal file of which no receipt says that it is ours is the target's own: it is never written over later.
        """
        coming = {path: _inside(place, path) for path in due}
        known, before = self.ledger.receipts(owner), self.ledger.sent_files(owner)
        ours = {path: wanted[path] for path in wanted if path in coming or FileItem(path) in known or path in before}
        payloads = {FileItem(path): payload_of(file) for path, file in ours.items()}
        self.ledger.mark(owner, {item: one for item, one in payloads.items() if item.path in coming}, State.SENDING)
        told: dict[str, FileWritten] = {}
        copies = [(wanted[path], at, made.get(path)) for path, at in coming.items()]
        await for_each(copies, partial(self._copy, told), FILES_AT_ONCE)
        written = {path: told[at.path].etag if at.path in told else None for path, at in coming.items()}
        now = {**etags, **written}
        self.ledger.put_sent_files(owner, ours)
        arrived = {item: replace(payload, detail=now.get(item.path)) for item, payload in payloads.items()}
        self.ledger.mark(owner, arrived, State.SENT, durable=False)
        self.shared.told(owner, {path: (wanted[path], etag) for path, etag in written.items()})

    async def _is_same(self, held: StoredFile, file: StoredFile) -> bool | None:
        """By size and MD5; where either has none, by its bytes. None where nobody can read these."""
        artifact = Artifact.alone(file)
        untold = held.size_bytes == file.size_bytes and same_by_md5(held, file) is None
        if untold and not self.supply.tells(artifact):
            return None
        return await AsSent(self.ledger, self.reading).is_of(artifact, held, self.supply)

    async def _lying(self, place: Location) -> dict[str, StoredFile]:
        """Path -> file of the target. Raises NotFound where it has no such datastore."""
        return {one.location.path: one async for page in self.target.asset_files(place) for one in page}

    async def _was_sent(self, owner: RunId, path: str, held: StoredFile) -> bool:
        """True for a file as it was sent with this asset, or with another one in whose place it lies."""
        for one, below, before in self.shared.senders(owner, path):
            if await self._is_as_sent(one, below, held, before):
                return True
        return False

    async def _is_as_sent(self, owner: RunId, path: str, held: StoredFile, before: StoredFile) -> bool:
        """Where MD5s cannot tell, and the source is preferred, sizes do."""
        untold = same_by_md5(held, before) is None and held.size_bytes == before.size_bytes
        if untold and self.prefer is Prefer.SOURCE:
            return True
        return await AsSent(self.ledger, self.reading).is_so(owner, path, held, before)

    async def _copy(self, told: dict[str, FileWritten], due: tuple[StoredFile, Location, bytes | None]) -> None:
        file, at, made = due
        put = (
            NewFile(path=at.path, data=made, content_type=TEXT) if made is not None else await self._supplied(file, at)
        )
        await self.target.put_asset_file(at, heard(put, told))

    async def _supplied(self, file: StoredFile, at: Location) -> CopyFile | HeldFile:
        return await self.supply.file(Artifact.alone(file), at.path)

    async def _rewritten(self, asset: Asset, base: Location, listed: list[StoredFile]) -> dict[str, bytes] | None:
        """The MLTable that is made, and the original that lies beside it; nothing where it stays as it is.

        None where nobody can read it.
        What was rewritten once stays so.
        """
        was = self.ledger.sent_file(owner_of(asset.key), TABLE_ORIGINAL) is not None
        table = next((one for one in listed if relative(one.location.path, base) == TABLE_FILE), None)
        if table is None or table.size_bytes > MOST_TABLE_BYTES or not (asset.rewrites or was):
            return {}
        if not (self.supply.source or self.archive.held(table)):
            return None
        original = await bytes_of(await self._supplied(table, base))
        try:
            text, left = self.target.table_there(asset, original.decode())
        except UnicodeDecodeError:
            return {}
        if left:
            self.left[asset.key] = left
        return {TABLE_FILE: text.encode(), TABLE_ORIGINAL: original} if text.encode() != original else {}


def _inside(place: Location, path: str) -> Location:
    return Location(place.datastore, "/".join(filter(None, (place.path.rstrip("/"), path))))


async def bytes_of(file: CopyFile | HeldFile) -> bytes:
    """All of a small file."""
    if isinstance(file, HeldFile):
        return b"".join(file.pieces(MOST_TABLE_BYTES))
    return await file.read(0, file.stored.size_bytes) if file.read else b""


def _originals(made: Mapping[str, bytes]) -> dict[str, StoredFile]:
    """The file that the source has not, and that the target gets."""
    return {TABLE_ORIGINAL: StoredFile(location=Location("", ""), size_bytes=0)} if made else {}


def _described(data: bytes, file: StoredFile) -> StoredFile:
    digest = hashlib.md5(data, usedforsecurity=False).digest()
    return StoredFile(location=file.location, size_bytes=len(data), md5=digest)
