"""Files that lie in the places of several assets: as one of them sent a file, the others have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import owner_of
from azureml_replay.archive.items import FileItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.files.receipts import payload_of
from azureml_replay.model import Location, RunId, StoredFile
from azureml_replay.target.assets_there import relative
from azureml_replay.workspace.asset import TABLE_FILE, TABLE_ORIGINAL


@dataclass(slots=True)
class SharedPlaces:
    """By the places of the source, which are read once, when they are asked for."""

    archive: Archive
    ledger: TargetLedger
    _places: dict[RunId, Location] = field(default_factory=dict)
    _owners: dict[Location, list[RunId]] = field(default_factory=dict)

    def senders(self, owner: RunId, path: str) -> Iterator[tuple[RunId, str, StoredFile]]:
        """The assets with which a file of this one was sent, itself first: each with its path there, and as sent."""
        for one, below in ((owner, path), *self._others(owner, path)):
            if one != owner and below == TABLE_FILE and self.ledger.sent_file(one, TABLE_ORIGINAL):
                continue  # that one's paths were rewritten: it is no copy of the source's
            if before := self.ledger.sent_file(one, below):
                yield one, below, before

    def told(self, owner: RunId, sent: Mapping[str, tuple[StoredFile, str | None]]) -> None:
        """Note that files, each with the ETag it has now, were sent, with each other asset that had sent them before.

        Repeatable.
        """
        for path, (file, etag) in sent.items():
            for one, below, _ in self.senders(owner, path):
                if one != owner:
                    self.ledger.put_sent_files(one, {below: file})
                    payload = replace(payload_of(file), detail=etag)
                    self.ledger.mark(one, {FileItem(below): payload}, State.SENT, durable=False)

    def _others(self, owner: RunId, path: str) -> Iterator[tuple[RunId, str]]:
        self._read()
        base = self._places.get(owner)
        if base is None:
            return
        whole = PurePosixPath(base.path) / path
        for above in (whole, *whole.parents):
            for one in self._owners.get(Location(base.datastore, str(above)), ()):
                if one != owner:
                    yield one, relative(str(whole), self._places[one])

    def _read(self) -> None:
        if self._places:
            return
        for asset in self.archive.assets():
            if asset.place is not None:
                owner, folder = owner_of(asset.key), str(PurePosixPath(asset.place.path))
                self._places[owner] = asset.place
                self._owners.setdefault(Location(asset.place.datastore, folder), []).append(owner)
