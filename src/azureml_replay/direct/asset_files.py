"""The bytes of assets, from storage to storage: files of a run came with it, others are copied where they are due."""

from __future__ import annotations

from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import owner_of
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.files import alike
from azureml_replay.counting import counted
from azureml_replay.errors import NotFound
from azureml_replay.files.bytes import Supply
from azureml_replay.model import Artifact, Location, StoredFile
from azureml_replay.planning.names import fit_path
from azureml_replay.target.assets_there import AssetsThere, is_below, relative
from azureml_replay.workers import for_each
from azureml_replay.workspace.asset import Asset
from azureml_replay.workspace.assets import AssetTarget

FILES_AT_ONCE = 8

NO_FILES = "no file of it is in the source's storage"
"""Said for good: nothing that is tried again brings them back."""
NO_STORE = "the target has no datastore {}: make it there, or leave the bytes of data out"


@dataclass(slots=True)
class AssetFiles:
    """Brings the bytes of assets; a place that several share is looked at once."""

    archive: Archive
    ledger: TargetLedger
    supply: Supply
    target: AssetTarget
    there: AssetsThere
    done: dict[Location, str] = field(default_factory=dict)
    """Place in the source -> why its files are not there; empty where they are."""

    async def bring(self, asset: Asset) -> tuple[str, int, int]:
        """Why the asset's files are not there, empty where they are; and how many, with their bytes, went now."""
        there = self.there.of(asset)
        place = there.place
        if not asset.owns_bytes or place is None or asset.place is None:
            return "", 0, 0
        if asset.place in self.done:
            return self.done[asset.place], 0, 0
        listed = self.archive.asset_files(asset.key)
        why, files, size = await self._brought(asset, there, asset.place, listed)
        self.done[asset.place] = why
        return why, files, size

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
        found = {relative(one.location.path, place) async for page in self.target.asset_files(place) for one in page}
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
        owner, sent = owner_of(asset.key), dict[str, StoredFile]()
        try:
            there = {one.location.path: one async for page in self.target.asset_files(place) for one in page}
        except NotFound:
            return NO_STORE.format(place.datastore), 0, 0
        due: list[tuple[StoredFile, Location]] = []
        for file in listed:
            path = relative(file.location.path, base)
            at = Location(place.datastore, "/".join(filter(None, (place.path.rstrip("/"), path))))
            held, before, sent[path] = there.get(at.path), self.ledger.sent_file(owner, path), file
            if held is None or (not alike(held, file) and before is not None and alike(held, before)):
                due.append((file, at))
            elif not alike(held, file):
                return f"another file lies at {at.datastore}: {at.path}, which was left alone", 0, 0
        if not all(self.supply.source or self.archive.held(file) for file, _ in due):
            return "its bytes are not in the archive: name its --source", 0, 0
        await for_each(due, self._copy, FILES_AT_ONCE)
        self.ledger.put_sent_files(owner, sent)
        return "", len(due), sum(file.size_bytes for file, _ in due)

    async def _copy(self, due: tuple[StoredFile, Location]) -> None:
        file, at = due
        artifact = Artifact(path=file.location.path, location=file.location, indexed=False, stored=file)
        await self.target.put_asset_file(at, await self.supply.file(artifact, at.path))
