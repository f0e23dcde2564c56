"""One asset's files, target against archive: which there are, sizes, checksums, and bytes where asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from azureml_replay import redact
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import owner_of, topic_of
from azureml_replay.archive.evidence import Aspect, Looked
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.files import alike, as_sent, compare_files, finding_names
from azureml_replay.comparison.three_way import GONE_REASON
from azureml_replay.errors import NotFound
from azureml_replay.files.as_sent import AsSent
from azureml_replay.files.bytes import Supply
from azureml_replay.files.receipts import payload_of
from azureml_replay.model import Artifact, Finding, Location, Omission, RunId, StoredFile
from azureml_replay.target.assets_there import is_below, relative
from azureml_replay.verification.files import Doubtful, sent_before, written_since
from azureml_replay.verification.outdated import as_read, note_outdated
from azureml_replay.verification.proof import compare_bytes
from azureml_replay.workspace.asset import TABLE_FILE, TABLE_ORIGINAL, Asset, AssetKey
from azureml_replay.workspace.assets import AssetTarget
from azureml_replay.workspace.target import Target

NOBODY = RunId("")


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFilesChecked:
    """The outcome for one asset."""

    outcomes: Mapping[Aspect, Looked] = field(default_factory=lambda: {Aspect.FILES: Looked(), Aspect.BYTES: Looked()})
    omissions: tuple[Omission, ...] = ()
    """Files that were sent, and that the source has no more."""


@dataclass(slots=True)
class AssetFileCheck:
    """Compares the files of one asset at a time. Those of a run are compared with the run, but for a copy of them."""

    archive: Archive
    ledger: TargetLedger
    target: Target
    assets: AssetTarget
    """The same."""
    supply: Supply
    deep: bool

    async def check(self, asset: Asset, place: Location | None, found: Asset) -> AssetFilesChecked:
        """Those that came with the asset, and that nothing lies among them. Raises Unavailable, Rejected.

        `place`: where they are to lie in the target; `found`: the asset there.
        """
        wanted = self._wanted(asset, place, found)
        if wanted is None or found.place is None:
            return AssetFilesChecked()
        base = found.place
        try:
            listed = [one async for page in self.assets.asset_files(base) for one in page]
        except NotFound:
            listed = []
        there = {relative(one.location.path, base): one for one in listed}
        beside = {path: one for path, one in there.items() if path not in wanted}
        lost = {path: one for path, one in self.ledger.sent_files(owner_of(asset.key)).items() if path not in wanted}
        gone = {path for path, one in beside.items() if path in lost and as_sent(lost[path], one)}
        others = {path for path, one in beside.items() if path not in gone and self._is_of_another(one, found.place)}
        held = {path: one for path, one in there.items() if path not in gone | others}
        required = wanted | {path: one for path, one in lost.items() if path not in there}
        findings, unverifiable = compare_files(NOBODY, sorted(required.items()), held)
        doubtful = self._doubtful(asset.key, wanted, there)
        counts = {"files": len(wanted), "unverifiable": unverifiable - len(doubtful.untold)}
        told = [self._about(asset.key, one) for one in findings]
        told += [self._about(asset.key, sent_before(NOBODY, path)) for path in sorted(doubtful.untold)]
        read = await self._read(asset.key, wanted, there, doubtful)
        return AssetFilesChecked(
            outcomes={Aspect.FILES: Looked(told, counts), Aspect.BYTES: read},
            omissions=tuple(Omission(NOBODY, f"{asset.key}: file {path}", GONE_REASON) for path in sorted(gone)),
        )

    def _wanted(self, asset: Asset, place: Location | None, found: Asset) -> dict[str, StoredFile] | None:
        """Path below the asset -> file; None where its files are nobody's to compare here."""
        base = asset.place
        if base is None or not asset.owns_bytes:
            return None
        own = self.archive.asset_files(asset.key)
        if own or asset.files_of is None:
            return self._with_table(asset.key, {relative(one.location.path, base): one for one in own})
        if found.place and place and found.place.path.strip("/") == place.path.strip("/"):
            return None
        files = (one.stored for one in self.archive.artifacts(asset.files_of) if one.stored)
        return {relative(one.location.path, base): one for one in files if is_below(one.location, base)}

    def _with_table(self, key: AssetKey, wanted: dict[str, StoredFile]) -> dict[str, StoredFile]:
        """An MLTable that was rewritten is as it was sent, and the source's lies beside it."""
        table, was = wanted.get(TABLE_FILE), self.ledger.sent_file(owner_of(key), TABLE_ORIGINAL)
        now = self.ledger.sent_file(owner_of(key), TABLE_FILE)
        if table is None or was is None or now is None or not alike(was, table):
            return wanted
        return {**wanted, TABLE_FILE: now, TABLE_ORIGINAL: table}

    def _is_of_another(self, file: StoredFile, base: Location) -> bool:
        """True for a file of another asset, whose place is the same, or lies below this one's."""
        return self.archive.is_asset_file(Location(base.datastore, file.location.path))

    def _doubtful(self, key: AssetKey, wanted: Mapping[str, StoredFile], there: Mapping[str, StoredFile]) -> Doubtful:
        payloads = {path: payload_of(one) for path, one in wanted.items()}

        def tells(path: str) -> bool:
            return self.supply.tells(Artifact.alone(wanted[path]))

        return Doubtful.of(
            AsSent(self.ledger, self.target), owner_of(key), wanted, there, payloads=payloads, tells=tells
        )

    async def _read(
        self,
        key: AssetKey,
        wanted: Mapping[str, StoredFile],
        there: Mapping[str, StoredFile],
        doubtful: Doubtful,
    ) -> Looked:
        """Bytes of all files that are not known to differ; else of the doubtful ones, and such as differed before."""
        paths = {path for path, one in wanted.items() if path in there and alike(one, there[path])} - doubtful.untold
        if self.deep:
            return await self._bytes(key, wanted, there, sorted(paths), doubtful)
        before = {one.what for one in self.ledger.findings_of(topic_of(key), Aspect.BYTES)}
        paths &= doubtful.read | {path for path in paths if _of_bytes(key, path) in before}
        paths -= {path for path in paths - doubtful.touched if not self.supply.tells(Artifact.alone(wanted[path]))}
        if not paths:
            return Looked()
        found = await self._bytes(key, wanted, there, sorted(paths), doubtful)
        return replace(found, part=True, names=finding_names(paths, f"{key}: "))

    async def _bytes(
        self,
        key: AssetKey,
        wanted: Mapping[str, StoredFile],
        there: Mapping[str, StoredFile],
        paths: Sequence[str],
        doubtful: Doubtful,
    ) -> Looked:
        """One whose checksum nobody can tell is counted; where somebody has written since, it is his."""
        found, unknown = list[Finding](), 0
        for path in paths:
            artifact = Artifact.alone(wanted[path])
            try:
                md5 = await self.supply.md5(artifact) if self.supply.tells(artifact) else None
            except NotFound:
                md5 = None
            if md5 is not None:
                differing = await compare_bytes(self.target, NOBODY, path, md5, there[path].location)
                if differing and note_outdated(
                    self.ledger, owner_of(key), path, wanted[path], as_read(there[path], differing[0])
                ):
                    self.ledger.expect_asset_again(key)
                found += (self._about(key, one) for one in differing)
            elif path in doubtful.touched:
                found += self._known(key, path) or [self._about(key, written_since(NOBODY, path))]
            else:
                unknown += 1
        return Looked(found, {"unverifiable": unknown})

    def _known(self, key: AssetKey, path: str) -> Sequence[Finding]:
        """What an earlier look found about a file's bytes."""
        findings = self.ledger.findings_of(topic_of(key), Aspect.BYTES)
        return [one for one in findings if one.what == _of_bytes(key, path)]

    @staticmethod
    def _about(key: AssetKey, finding: Finding) -> Finding:
        return replace(finding, what=f"{key}: {finding.what}")


def _of_bytes(key: AssetKey, path: str) -> str:
    """What a finding about a file's bytes is called, as an archive keeps it."""
    return redact.text(f"{key}: file {path}: bytes")
