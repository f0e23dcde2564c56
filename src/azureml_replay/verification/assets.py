"""Are the assets in the target what they were? Content, values, bytes, the link to the run, and which is the latest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from azureml_replay.archive.asset_receipts import AssetReceipt, AssetState, owner_of, topic_of
from azureml_replay.archive.evidence import Aspect, Looked
from azureml_replay.comparison.asset_names import ARCHIVED, beside, compare_names
from azureml_replay.comparison.three_way import Fate
from azureml_replay.files.bytes import Supply
from azureml_replay.model import Editable, Finding, Json, Omission
from azureml_replay.planning.asset_lineage import comes_from, is_taken_back
from azureml_replay.planning.asset_names import NAME_HELD, digest_of_name
from azureml_replay.planning.assets import UNLINKED, says
from azureml_replay.planning.lineage import PROPERTY
from azureml_replay.planning.references import AssetFate
from azureml_replay.progress import Progress
from azureml_replay.selection import Selection
from azureml_replay.target.asset_plans import ExpectedAsset, expected_assets, expected_names
from azureml_replay.target.assets_there import AssetsThere, known_rule
from azureml_replay.verification.asset_files import NOBODY, AssetFileCheck
from azureml_replay.verification.edits import Sides, proven
from azureml_replay.verification.proof import Proof
from azureml_replay.workers import for_each
from azureml_replay.workspace.asset import Asset, AssetContainer, AssetKey, AssetKind, digest_of
from azureml_replay.workspace.assets import AssetTarget, takes_assets
from azureml_replay.workspace.mark import TAKEN_BACK, UNDO_TAG
from azureml_replay.workspace.source import Source
from azureml_replay.workspace.target import Target

AT_ONCE = 8
_EDITED = (Fate.EDITED.value, Fate.CONFLICT.value)
OUR_MARKS = (f"property {PROPERTY}", f"tag {UNDO_TAG}")
OF_SERVICE = tuple(f"property {name}" for name in ("azureml", "mlflow", "_", "flavors", "model_json"))
"""How the names of properties begin that a service adds by itself, whenever it likes."""


@dataclass(slots=True)
class AssetLook:
    """What one asset was seen to be."""

    one: ExpectedAsset
    outcomes: dict[Aspect, Looked]
    omissions: Sequence[Omission] = ()
    sides: Sides | None = None
    """Its values, by what findings call them; None where it was not there."""


@dataclass(slots=True)
class AssetProof:
    """One look at the assets of a target that are chosen."""

    proof: Proof
    target: AssetTarget
    files: AssetFileCheck
    progress: Progress
    expected: AssetsThere
    there: dict[AssetKey, Asset] = field(default_factory=dict)
    """In the target, by their keys in the source."""

    async def look(self, selection: Selection, width: int) -> None:
        """Compare, and keep what was found as evidence of each. Repeatable."""
        archive, ledger = self.proof.archive, self.proof.ledger
        left = (AssetFate.OMITTED, AssetFate.CONFLICT)
        expected = [one for one in expected_assets(archive, ledger, selection) if one.planned.fate not in left]
        self.progress.expect("assets compared", len(expected))
        looks: dict[AssetKey, AssetLook] = {}

        async def compare(one: ExpectedAsset) -> None:
            looks[one.key] = await self._compare(one)
            self.progress.done("assets compared")

        await for_each(expected, compare, min(width, AT_ONCE))
        for key, finding in self._latest(expected):
            fields = looks[key].outcomes[Aspect.FIELDS]
            looks[key].outcomes[Aspect.FIELDS] = replace(fields, findings=[*fields.findings, finding])
        for one in looks.values():
            self._put_edits(one.one.key, one.outcomes[Aspect.FIELDS].findings, one.sides)
            self.proof.record_asset(topic_of(one.one.key), one.one.content, one.outcomes, one.omissions)
        await self._look_at_names(expected_names(expected))

    async def _look_at_names(self, names: Sequence[AssetKey]) -> None:
        """By a list of each kind: whether a name is archived as a whole is the same question for one that says nothing.

        Of a name of which no version is there nothing is: the versions are what lacks.
        """
        held: dict[tuple[AssetKind, str], AssetContainer] = {}
        for kind in dict.fromkeys(key.kind for key in names):
            async for page in self.target.asset_containers(kind):
                held |= {(kind, one.name): one for one in page}
        receipts = self.proof.ledger.name_receipts()
        there = {(key.kind, key.name): found.key for key, found in self.there.items()}
        for key in names:
            container = self.proof.archive.asset_container(key.kind, key.name)
            findings: Sequence[Finding] = ()
            if found := there.get((key.kind, key.name)):
                name = held.get((found.kind, found.name))
                findings = await self._look_at_name(key, container, found, name, receipts.get(key))
            else:
                self._put_edits(key, findings, None)
            fields = {Aspect.FIELDS: Looked(findings)}
            self.proof.record_asset(topic_of(key), digest_of_name(container), fields, ())

    async def _look_at_name(
        self,
        key: AssetKey,
        container: AssetContainer | None,
        found: AssetKey,
        name: AssetContainer | None,
        receipt: AssetReceipt | None,
    ) -> Sequence[Finding]:
        """What the archive has of it, and the target under the name of a version that was `found` there."""
        sent = receipt.fields if receipt else {}
        wanted, _ = self.expected.container(container, found.name)
        if wanted is not None and receipt is not None and says(receipt.detail, NAME_HELD):
            wanted = replace(wanted, archived=False)
        should, held = wanted.fields if wanted else {}, name.fields if name else {}
        more = beside(held, should) - sent.keys() - {ARCHIVED}
        findings = list(compare_names(key, wanted, name, sent, ours=bool(more) and await self._is_ours(found, receipt)))
        self._put_edits(key, findings, _sides(key, sent, should, held) if name else None)
        return findings

    async def _is_ours(self, found: AssetKey, receipt: AssetReceipt | None) -> bool:
        """True for a name of the target that has no version but such as came from this source: replay made it."""
        if receipt is not None and receipt.state is AssetState.ADOPTED:
            return False
        async for page in self.target.asset_versions(found.kind, found.name):
            if any(not comes_from(one, self.proof.archive.source) for one in page):
                return False
        return True

    def _put_edits(self, key: AssetKey, findings: Iterable[Finding], sides: Sides | None) -> None:
        """Since when what somebody changed is there: before what was known of it goes."""
        ledger, edited = self.proof.ledger, {one.what for one in findings if one.kind in _EDITED}
        known = proven(ledger, owner_of(key), {Aspect.FIELDS: sides}, topic_of(key)) if sides and edited else {}
        ledger.put_edits(owner_of(key), [one for what, one in known.items() if what in edited])

    async def _compare(self, one: ExpectedAsset) -> AssetLook:
        asset, receipt = one.planned.asset, one.receipt
        found = await self.target.asset(one.there)
        if found is None:
            taken_back = receipt is not None and receipt.state is AssetState.UNDONE
            absent = Finding(NOBODY, str(asset.key), TAKEN_BACK if taken_back else "absent", str(one.there), "")
            nothing = dict.fromkeys((Aspect.FILES, Aspect.BYTES), Looked())
            return AssetLook(one, {Aspect.FIELDS: Looked([absent]), **nothing})
        self.there[asset.key] = found
        if receipt is not None and receipt.state is AssetState.SENT and is_taken_back(found):
            # by another archive's undo: the next replay brings it back
            receipt = replace(receipt, state=AssetState.UNDONE, fields=found.fields)
            self.proof.ledger.put_asset_receipt(receipt)
        wanted = self.expected.of(asset)
        findings = [*self._contents(wanted, found, receipt), *self._fields(one, wanted, found)]
        checked = await self.files.check(asset, wanted.place, found)
        sides = _sides(asset.key, receipt.fields if receipt else {}, wanted.fields, found.fields)
        return AssetLook(one, {Aspect.FIELDS: Looked(findings), **checked.outcomes}, checked.omissions, sides)

    @staticmethod
    def _contents(wanted: Asset, found: Asset, receipt: AssetReceipt | None) -> Iterator[Finding]:
        """What never changes of it. A service may keep a copy of a model's bytes at another place, as it answered."""
        answered = receipt.answered if receipt else None
        copied = found.key.kind is AssetKind.MODEL and answered == digest_of(found.content)
        if found.content != wanted.content and not copied and not found.hidden:
            mine, theirs = _items(wanted.content), _items(found.content)
            for name in sorted(mine.keys() | theirs.keys()):
                if mine.get(name) != theirs.get(name):
                    yield _finding(wanted.key, name, "differs", mine.get(name), theirs.get(name))

    @staticmethod
    def _fields(one: ExpectedAsset, wanted: Asset, found: Asset) -> Iterator[Finding]:
        """What may change: what the source has, what is there, and what was there by our doing."""
        should, there, receipt = wanted.fields, found.fields, one.receipt
        sent = receipt.fields if receipt and receipt.answered is not None else None
        for name in sorted(should.keys() | there.keys()):
            mine, theirs = should.get(name), there.get(name)
            if mine == theirs or name in OUR_MARKS or _is_added(name, mine, sent):
                continue
            if receipt is not None and receipt.state is AssetState.ADOPTED and sent and theirs == sent.get(name):
                continue  # it was the target's own before: told where it was adopted
            gone = name == "archived" and is_taken_back(found)
            kind = TAKEN_BACK if gone else _kind(name, mine, theirs, receipt, sent)
            yield _finding(one.key, name, kind, mine, theirs)
        unlinked = receipt is not None and says(receipt.detail, UNLINKED.format(one.planned.asset.run))
        adopted = receipt is not None and receipt.state is AssetState.ADOPTED
        if one.run != found.run and not (unlinked or adopted):
            yield _finding(one.key, "run", "differs", one.run, found.run)

    def _latest(self, expected: Iterable[ExpectedAsset]) -> Iterator[tuple[AssetKey, Finding]]:
        """Of each name the version that was made last at the source is, among ours, made last in the target too.

        Where a target counts the latest is the highest number: a plan says where that is another one.
        """
        if self.target.asset_rule.counted:
            return
        names: dict[tuple[AssetKind, str], list[Asset]] = {}
        for one in expected:
            if one.receipt and one.receipt.state is AssetState.SENT and one.key in self.there:
                names.setdefault((one.key.kind, one.key.name), []).append(one.planned.asset)
        for versions in names.values():
            dated = [one for one in versions if one.created and self.there[one.key].created]
            if len(dated) < 2:  # of one there is no other
                continue
            mine = max(dated, key=lambda one: one.created.ticks if one.created else 0).key
            theirs = max(dated, key=lambda one: ((made := self.there[one.key].created) and made.ticks) or 0).key
            if mine != theirs:
                yield mine, _finding(mine, "latest", "differs", mine.version, theirs.version)


async def verify_assets(
    proof: Proof, target: Target, selection: Selection, *, source: Source | None, width: int, progress: Progress
) -> None:
    """Compare the assets that the selection leads to with what the target holds. Writes to the archive only."""
    assets: object = target
    if not takes_assets(assets):
        return
    assets.treat_assets_by(known_rule(proof.archive, proof.ledger))
    supply = Supply(proof.archive, source)
    files = AssetFileCheck(proof.archive, proof.ledger, target, assets, supply, proof.deep)
    there = AssetsThere(assets, proof.ledger, proof.ledger.asset_names())
    await AssetProof(proof, assets, files, progress, there).look(selection, width)


def _sides(key: AssetKey, *sides: Mapping[str, Json]) -> Sides:
    """By what findings call the values: as they were sent, as the archive has them, as the target has them."""
    told = ({f"{key}: {name}": value for name, value in side.items()} for side in sides)
    return Sides(*(cast("Editable", side) for side in told))


def _is_added(name: str, mine: Json, sent: Mapping[str, Json] | None) -> bool:
    """True for a property more that is the service's own: it answered it, or always names such by itself."""
    if mine is not None or not name.startswith("property "):
        return False
    return sent is None or name in sent or name.startswith(OF_SERVICE)


def _kind(name: str, mine: Json, theirs: Json, receipt: AssetReceipt | None, sent: Mapping[str, Json] | None) -> str:
    """Whose change it is."""
    if receipt is not None and receipt.state is AssetState.UNDONE and name == "archived" and theirs:
        return TAKEN_BACK  # by a version that left no mark
    if sent is None or theirs == sent.get(name):
        return Fate.SEND.value
    both = mine != sent.get(name) and receipt is not None and receipt.state is AssetState.SENT
    return Fate.CONFLICT.value if both else Fate.EDITED.value


def _finding(key: AssetKey, name: str, kind: str, expected: object, actual: object) -> Finding:
    return Finding(NOBODY, f"{key}: {name}", kind, _shown(expected), _shown(actual))


def _shown(value: object) -> str:
    return "" if value is None else str(value)


def _items(content: Json) -> Mapping[str, Json]:
    return content if isinstance(content, Mapping) else {"content": content}
