"""Takes back the assets that an archive made; what it only found there stays.

They are archived, where a workspace knows that; an MLflow server does not, and deletes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import AssetReceipt, AssetState
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.errors import ServiceError, noted
from azureml_replay.model import RunId
from azureml_replay.planning.asset_lineage import changeable, is_made_from, shown_again, taken_back
from azureml_replay.target.assets_there import known_rule
from azureml_replay.workers import for_each
from azureml_replay.workspace.asset import Asset, AssetContainer, AssetKey, AssetKind, digest_of
from azureml_replay.workspace.assets import AssetTarget, takes_assets

AT_ONCE = 8
NOT_OURS = "it does not say that it was made from this source"
CHANGED = "it was changed in the target since"
NO_FLAG = "code cannot be archived: it stays"
OF_RUN = "it stands for an input or output of its run, and is in no list: it stays"


def undoable_assets(ledger: TargetLedger) -> list[AssetReceipt]:
    """Those that were made, or may have been; also under names that calls with other options gave up since."""
    states = (AssetState.SENT, AssetState.SENDING)
    current = [one for one in ledger.asset_receipts().values() if one.state in states]
    names = {one.there for one in current}
    return [*current, *(one for one in ledger.earlier_assets() if one.there not in names)]


@dataclass(slots=True)
class AssetUndo:
    """Archives, or deletes, what is ours and as it was sent."""

    archive: Archive
    ledger: TargetLedger
    target: AssetTarget
    count: int = 0
    left: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    earlier: list[AssetReceipt] = field(init=False)
    """Of which something else became since."""

    def __post_init__(self) -> None:
        self.earlier = self.ledger.earlier_assets()

    async def all(self) -> None:
        """Repeatable."""
        await for_each(undoable_assets(self.ledger), self._one, AT_ONCE)
        if not self.target.asset_rule.archives:  # elsewhere a name stays with its versions
            gone = (one for one in self.ledger.asset_receipts().values() if one.state is AssetState.UNDONE)
            names = {(one.there.kind, one.there.name): one.key for one in gone}
            await for_each(names.items(), self._name, AT_ONCE)

    async def _one(self, receipt: AssetReceipt) -> None:
        try:
            there = await self.target.asset(receipt.there)
            archived = there is not None and there.archived and self.target.asset_rule.archives
            if there is None or (archived and not self._why_not(receipt, there)):
                self._note(receipt, there)
            else:
                await self._archive(receipt, there)
        except ServiceError as error:
            self.failed.append(f"{receipt.there}: {noted(error, str(receipt.there))}")

    async def _archive(self, receipt: AssetReceipt, there: Asset) -> None:
        why = self._why_not(receipt, there)
        if why == NOT_OURS and receipt in self.earlier:
            self._note(receipt)
        elif why:
            self.left.append(f"{receipt.there}: {why}")
        else:
            self._note(receipt, await self.target.remove_asset(taken_back(there)))
            self.count += 1

    def _why_not(self, receipt: AssetReceipt, there: Asset) -> str:
        if there.is_port:
            return OF_RUN
        if not is_made_from(there, receipt.key, self.archive.source):
            return NOT_OURS
        if there.key.kind is AssetKind.CODE:
            return NO_FLAG
        sent = {name: value for name, value in receipt.fields.items() if not name.startswith("property ")}
        edited = receipt.answered is not None and (
            changeable(shown_again(there)) != sent or digest_of(there.content) != receipt.answered
        )
        return CHANGED if edited else ""

    async def _name(self, pair: tuple[tuple[AssetKind, str], AssetKey]) -> None:
        """A name whose description or tags somebody else wrote stays, and that is said."""
        (kind, name), key = pair
        try:
            there = await self.target.asset_container(kind, name)
            if there is not None and not self._is_as_sent(AssetKey(kind, key.name, ""), there):
                self.left.append(f"{AssetKey(kind, name, '')}: {CHANGED}")
            elif there is not None:
                await self.target.remove_container(there)
        except ServiceError as error:
            self.failed.append(f"{kind.value}/{name}: {noted(error, name)}")

    def _is_as_sent(self, key: AssetKey, there: AssetContainer) -> bool:
        """By what was sent last; what came with a name as it was made has no receipt until its versions are there."""
        receipt = self.ledger.name_receipts().get(key)
        made = self.archive.asset_container(key.kind, key.name)
        return there.fields == (receipt.fields if receipt else made.fields if made else {})

    def _note(self, receipt: AssetReceipt, answer: Asset | None = None) -> None:
        if receipt in self.earlier:
            self.ledger.forget_earlier(receipt)
            return
        fields = answer.fields if answer else {}
        self.ledger.put_asset_receipt(replace(receipt, state=AssetState.UNDONE, fields=fields))


async def take_back_assets(
    archive: Archive, ledger: TargetLedger, target: object
) -> tuple[int, list[tuple[RunId, str]], list[tuple[RunId, str]]]:
    """How many are archived now, what was left alone, and what failed; of a target that takes none, nothing."""
    if not takes_assets(target):
        return 0, [], []
    target.treat_assets_by(known_rule(archive, ledger))
    undo = AssetUndo(archive, ledger, target)
    await undo.all()
    nobody = RunId("")
    return undo.count, [(nobody, why) for why in undo.left], [(nobody, why) for why in undo.failed]
