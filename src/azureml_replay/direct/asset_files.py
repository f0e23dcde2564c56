"""The bytes of assets, from storage to storage: files of a run came with it, others are copied where they are due."""

from __future__ import annotations

from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import owner_of
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.files import same_by_md5
from azureml_replay.comparison.three_way import Prefer
from azureml_replay.counting import counted
from azureml_replay.errors import NotFound
from azureml_replay.files.bytes import Supply, md5_of
from azureml_replay.model import Artifact, Location, StoredFile
from azureml_replay.planning.names import fit_path
from azureml_replay.target.assets_there import AssetsThere, is_below, relative
from azureml_replay.workers import for_each
from azureml_replay.workspace.asset import Asset
from azureml_replay.workspace.assets import AssetTarget
from azureml_replay.workspace.source import Source

FILES_AT_ONCE = 8

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
            held, sent[path] = there.get(at.path), file
            same = held is not None and await self._is_same(held, file)
            if same is None:
                return NO_SOURCE, 0, 0
            if held is None:
                due.append((file, at))
            elif not same:
                before = self.ledger.sent_file(owner, path)
                if before is None or not self._is_as_sent(held, before):
                    return OTHER_FILE.format(f"{at.datastore}: {at.path}"), 0, 0
                due.append((file, at))
        if not all(self.supply.source or self.archive.held(file) for file, _ in due):
            return NO_SOURCE, 0, 0
        await for_each(due, self._copy, FILES_AT_ONCE)
        self.ledger.put_sent_files(owner, sent)
        return "", len(due), sum(file.size_bytes for file, _ in due)

    async def _is_same(self, held: StoredFile, file: StoredFile) -> bool | None:
        """By size and MD5; where either has none, by its bytes. None where nobody can read these."""
        same = same_by_md5(held, file)
        if held.size_bytes != file.size_bytes or same is not None:
            return held.size_bytes == file.size_bytes and bool(same)
        artifact = Artifact(path=file.location.path, location=file.location, indexed=False, stored=file)
        if not self.supply.tells(artifact):
            return None
        return await self.supply.md5(artifact) == (held.md5 or await md5_of(self.reading, held.location))

    def _is_as_sent(self, held: StoredFile, before: StoredFile) -> bool:
        """Without MD5s equal sizes prove little: what was copied without one has none, what others upload mostly has.

        Where the source is preferred that is not asked.
        """
        same = same_by_md5(held, before)
        if same is None:
            same = (held.md5 is None and before.md5 is None) or self.prefer is Prefer.SOURCE
        return held.size_bytes == before.size_bytes and same

    async def _copy(self, due: tuple[StoredFile, Location]) -> None:
        file, at = due
        artifact = Artifact(path=file.location.path, location=file.location, indexed=False, stored=file)
        await self.target.put_asset_file(at, await self.supply.file(artifact, at.path))
