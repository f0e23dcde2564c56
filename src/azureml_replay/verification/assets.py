"""Are the assets in the target what they were? Content, values, bytes, the link to the run, and which is the latest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import AssetReceipt, AssetState
from azureml_replay.archive.database import now
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.asset_names import compare_names
from azureml_replay.comparison.three_way import Fate
from azureml_replay.model import Finding, Json, Omission, RunId
from azureml_replay.planning.asset_fit import tells_link
from azureml_replay.planning.asset_names import digest_of_name
from azureml_replay.planning.assets import as_planned
from azureml_replay.planning.lineage import PROPERTY
from azureml_replay.progress import Progress
from azureml_replay.selection import Selection
from azureml_replay.target.asset_plans import led_to
from azureml_replay.target.expected_assets import ExpectedAssets, differ
from azureml_replay.workers import for_each
from azureml_replay.workspace.asset import Asset, AssetKey, AssetKind, digest_of
from azureml_replay.workspace.assets import AssetTarget

AT_ONCE = 8
TO_COMPARE = frozenset({AssetState.SENT, AssetState.ADOPTED, AssetState.SENDING})
NOBODY = RunId("")


@dataclass(frozen=True, slots=True)
class AssetsStanding:
    """What is known of some assets in a target: one fold, which the verdict and the report read."""

    receipts: Sequence[AssetReceipt] = ()
    lacking: Mapping[AssetKey, str] = field(default_factory=dict)
    """Named in the source, where they could not be had -> why."""
    changed: frozenset[AssetKey] = frozenset()
    """Those that are others in the source by now than they were when they were sent."""

    @classmethod
    def of(cls, archive: Archive, ledger: TargetLedger, selection: Selection) -> AssetsStanding:
        """Of those that the selection leads to, and all that the source could not give."""
        receipts = chosen_receipts(archive, ledger, selection)
        planned = {one.key: one.planned for one in receipts}
        names = list(ledger.name_receipts().values())
        shared = ((one, archive.asset_container(one.key.kind, one.key.name)) for one in names)
        changed = {one.key for one, container in shared if digest_of_name(container) != one.planned}
        changed |= {
            one.key
            for one in (archive.assets() if receipts else ())
            if one.key in planned and as_planned(one, planned[one.key]) is None
        }
        return cls(receipts, archive.lacking_assets(), frozenset(changed), names)

    names: Sequence[AssetReceipt] = ()
    """What the versions of names share."""

    @property
    def compared(self) -> int:
        """How many are to be compared."""
        return sum(one.state in TO_COMPARE for one in self.receipts)

    @property
    def equal(self) -> int:
        """Those that were looked at, and that nothing was found of."""
        return sum(self.is_compared(one) and not one.found for one in self.receipts)

    @property
    def not_compared(self) -> int:
        """Those that nobody has looked at since they were sent, or changed in the source."""
        every = (*self.receipts, *self.names)
        return sum(one.state in TO_COMPARE and not self.is_compared(one) for one in every)

    def is_compared(self, receipt: AssetReceipt) -> bool:
        """True for what was looked at, and is still as it was then; what was found of it counts in any case."""
        return receipt.looked is not None and (bool(receipt.found) or receipt.key not in self.changed)

    @property
    def omissions(self) -> list[Omission]:
        """Of those that are not there, or not whole."""
        told = {**{one.key: one.detail for one in self.receipts if one.detail}, **self.lacking}
        return [Omission(NOBODY, str(key), why) for key, why in told.items()]

    @property
    def reasons(self) -> Counter[str]:
        """Reason -> number of omissions."""
        return Counter(one.reason for one in self.omissions)

    @property
    def findings(self) -> list[Finding]:
        """What verify found of them."""
        return [finding for one in (*self.receipts, *self.names) for finding in one.found]


@dataclass(slots=True)
class AssetProof:
    """One look at the assets of a target that are chosen."""

    archive: Archive
    ledger: TargetLedger
    target: AssetTarget
    progress: Progress
    expected: ExpectedAssets = field(init=False)
    there: dict[AssetKey, Asset] = field(default_factory=dict)
    """In the target, by their keys in the source."""

    def __post_init__(self) -> None:
        self.expected = ExpectedAssets(self.target, self.ledger, self.ledger.asset_names())

    @property
    def _counted(self) -> bool:
        """True where the latest is the highest number: a plan says where that is another one."""
        return self.target.asset_rule.counted

    async def look(self, selection: Selection, width: int) -> None:
        """Compare, and keep what was found with each asset's receipt. Repeatable."""
        chosen = [one for one in chosen_receipts(self.archive, self.ledger, selection) if one.state in TO_COMPARE]
        self.progress.expect("assets compared", len(chosen))
        findings: dict[AssetKey, list[Finding]] = {}

        async def one(receipt: AssetReceipt) -> None:
            findings[receipt.key] = await self._found(receipt)
            self.progress.done("assets compared")

        await for_each(chosen, one, min(width, AT_ONCE))
        for latest in self._latest(chosen):
            findings[latest[0]].append(latest[1])
        names = list(self.ledger.name_receipts().values())

        async def name(receipt: AssetReceipt) -> None:
            there = await self.target.asset_container(receipt.there.kind, receipt.there.name)
            held = self.archive.asset_container(receipt.key.kind, receipt.key.name)
            container, _ = self.expected.container(held, receipt.there.name)
            findings[receipt.key] = list(compare_names(receipt.key, container, there, receipt.fields))

        await for_each(names, name, min(width, AT_ONCE))
        moment = now()
        for receipt in (*chosen, *names):
            self.ledger.put_asset_receipt(replace(receipt, looked=moment, found=tuple(findings[receipt.key])))

    async def _found(self, receipt: AssetReceipt) -> list[Finding]:
        """The findings of one asset."""
        asset, found = self.archive.asset(receipt.key), await self.target.asset(receipt.there)
        if asset is None:
            return []
        if found is None:
            return [Finding(NOBODY, str(receipt.key), "absent", str(receipt.there), "")]
        self.there[receipt.key] = found
        expected = self.expected.of(asset)
        findings = list(self._contents(expected, found, receipt))
        if receipt.state is not AssetState.ADOPTED:
            findings += self._fields(expected, found, receipt)
        return findings + await self._files(as_planned(asset, receipt.planned) or asset, found)

    def _contents(self, asset: Asset, found: Asset, receipt: AssetReceipt) -> Iterator[Finding]:
        """What never changes of it. A service may keep a copy of a model's bytes at another place, as it answered."""
        wanted = asset.content
        copied = found.key.kind is AssetKind.MODEL and receipt.answered == digest_of(found.content)
        if found.content != wanted and not copied and not found.hidden:
            mine, theirs = _items(wanted), _items(found.content)
            for name in sorted(mine.keys() | theirs.keys()):
                if mine.get(name) != theirs.get(name):
                    yield _finding(asset.key, name, "differs", mine.get(name), theirs.get(name))

    def _fields(self, asset: Asset, found: Asset, receipt: AssetReceipt) -> Iterator[Finding]:
        """What may change; a property more is the service's own."""
        wanted, there = asset.fields, found.fields
        for name in sorted(wanted.keys() | there.keys()):
            mine, theirs = wanted.get(name), there.get(name)
            added = name.startswith("property ") and (mine is None or name == f"property {PROPERTY}")
            if mine == theirs or added:
                continue
            edited = receipt.answered is not None and theirs != receipt.fields.get(name)
            yield _finding(asset.key, name, Fate.EDITED.value if edited else "differs", mine, theirs)
        if asset.run != found.run and not tells_link(receipt.detail):
            yield _finding(asset.key, "run", "differs", asset.run, found.run)

    async def _files(self, asset: Asset, found: Asset) -> list[Finding]:
        """Its files by size and checksum, where they came with it or with a run."""
        if found.place is None or asset.place is None or not asset.owns_bytes:
            return []
        wanted = self._wanted(asset)
        if not wanted:
            return []
        base = found.place.path.rstrip("/")
        there: dict[str, tuple[int, bytes | None]] = {}
        async for page in self.target.asset_files(found.place):
            there |= {one.location.path.removeprefix(base).lstrip("/"): (one.size_bytes, one.md5) for one in page}
        return [
            _finding(asset.key, f"file {path}", "differs" if path in there else "absent", told, there.get(path))
            for path, told in sorted(wanted.items())
            if path not in there or differ(told, there[path])
        ]

    def _wanted(self, asset: Asset) -> dict[str, tuple[int, bytes | None]]:
        """Path below the asset -> size and MD5, of its own files; those of a run are compared with the run."""
        base = asset.place.path.rstrip("/") if asset.place else ""
        files = self.archive.asset_files(asset.key)
        return {one.location.path.removeprefix(base).lstrip("/"): (one.size_bytes, one.md5) for one in files}

    def _latest(self, chosen: Iterable[AssetReceipt]) -> Iterator[tuple[AssetKey, Finding]]:
        """Of each name the version that was made last at the source is, among ours, made last in the target too."""
        names: dict[tuple[AssetKind, str], list[Asset]] = {}
        for receipt in chosen:
            asset = self.archive.asset(receipt.key)
            if asset and receipt.state is AssetState.SENT and receipt.key in self.there and not self._counted:
                names.setdefault((receipt.key.kind, receipt.key.name), []).append(asset)
        for versions in names.values():
            dated = [one for one in versions if one.created and self.there[one.key].created]
            if len(dated) < 2:  # of one there is no other
                continue
            mine = max(dated, key=lambda one: one.created.ticks if one.created else 0).key
            theirs = max(dated, key=lambda one: ((made := self.there[one.key].created) and made.ticks) or 0).key
            if mine != theirs:
                yield mine, _finding(mine, "latest", "differs", mine.version, theirs.version)


def chosen_receipts(archive: Archive, ledger: TargetLedger, selection: Selection) -> list[AssetReceipt]:
    """Of what was to be in the target, the part that the selection leads to."""
    receipts = list(ledger.asset_receipts().values())
    if selection.everything or not receipts:
        return receipts
    wanted = led_to(archive, selection, {asset.key: asset for asset in archive.assets()})
    return [one for one in receipts if one.key in wanted]


def _finding(key: AssetKey, name: str, kind: str, expected: object, actual: object) -> Finding:
    return Finding(NOBODY, f"{key}: {name}", kind, _shown(expected), _shown(actual))


def _shown(value: object) -> str:
    return "" if value is None else str(value)


def _items(content: Json) -> Mapping[str, Json]:
    return content if isinstance(content, Mapping) else {"content": content}
