"""Looks at what a target has under the names of assets that are to be made, before anything is written."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from azureml_replay.archive.asset_receipts import AssetReceipt, AssetState
from azureml_replay.direct.options import AssetConflict
from azureml_replay.model import Json
from azureml_replay.planning.asset_lineage import as_edited, as_taken_back, changeable, is_made_from, sent_by_another
from azureml_replay.planning.assets import PlannedAsset
from azureml_replay.planning.lineage import PROPERTY
from azureml_replay.target.assets_there import AssetsThere
from azureml_replay.workers import for_each
from azureml_replay.workspace.asset import IN_ORDER, Asset, AssetKey, AssetKind
from azureml_replay.workspace.assets import AssetTarget
from azureml_replay.workspace.place import Place

NAMES_AT_ONCE = 8
_NUMBER = re.compile(r"[0-9]+")
_OURS = frozenset({AssetState.SENDING, AssetState.SENT})


class AssetStep(Enum):
    """What is to be done."""

    MAKE = "make"
    UPDATE = "update"
    """It is ours, and the source's values changed since."""
    KEEP = "keep"
    """It is ours, and as it should be."""
    ADOPT = "adopt"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetLooked:
    """What a target has of one asset, and what is to be done."""

    asset: Asset
    """Of the source."""
    there: AssetKey
    step: AssetStep
    found: Asset | None = None
    update: Asset | None = None
    """What is found, with the values that it is to have."""
    sent: Mapping[str, Json] | None = None
    """What a replay gave one of ours before, as far as that is known."""
    half_made: bool = False
    """True for a numbered one of ours that nobody answered for: what took the numbers before it may still be there."""


@dataclass(slots=True)
class AssetLooks:
    """Asks for each asset once; kind by kind, since what one refers to may have another name."""

    target: AssetTarget
    source: Place
    receipts: dict[AssetKey, AssetReceipt]
    on_conflict: AssetConflict
    expected: AssetsThere
    are_others: Callable[[Asset], Awaitable[bool]]
    """Whether other bytes lie where those of an asset are to lie: nothing of its content tells that."""
    earlier: Sequence[AssetReceipt] = ()
    """What was made under names that were given up since."""
    coming: Collection[AssetKey] = ()
    """Versions of the source that go into the target, now or later: their numbers are theirs."""
    conflicts: list[AssetKey] = field(default_factory=list)
    _versions: dict[tuple[AssetKind, str], list[Asset]] = field(default_factory=dict)

    async def at(self, planned: Sequence[PlannedAsset], width: int) -> dict[AssetKey, AssetLooked]:
        """What is to be done of each."""
        found: dict[AssetKey, AssetLooked] = {}

        async def one(item: PlannedAsset) -> None:
            found[item.key] = await self._look(item)

        for kind in IN_ORDER:
            of_kind = [item for item in planned if item.key.kind is kind]
            # a component may be named by the next one: those are looked at one by one
            await for_each(of_kind, one, 1 if kind is AssetKind.COMPONENT else min(width, NAMES_AT_ONCE))
        return found

    @property
    def names(self) -> dict[AssetKey, AssetKey]:
        """Source -> target, of those that have, or will have, another name there."""
        return self.expected.names

    async def _look(self, item: PlannedAsset) -> AssetLooked:
        asset, receipt = item.asset, self.receipts.get(item.key)
        there = receipt.there if receipt else item.there.asset.key if item.there else asset.key
        wanted = self.expected.of(asset)
        found = await self._found(asset, there, wanted.content)
        if found is None:
            self._name(asset.key, there)
            return AssetLooked(asset=asset, there=there, step=AssetStep.MAKE)
        same = found.content == wanted.content
        made = is_made_from(found, asset.key, self.source) and not _leads_elsewhere(asset, found, wanted.content)
        if made or (same and _is_known_as_ours(found, receipt)):
            self._name(asset.key, found.key)
            return self._of_ours(asset, wanted, found, receipt)
        if same and await self.are_others(asset):
            self.conflicts.append(asset.key)  # under another version its bytes would lie at the same place
            return AssetLooked(asset=asset, there=found.key, step=AssetStep.LEAVE, found=found)
        if same:
            self._name(asset.key, found.key)
            return AssetLooked(asset=asset, there=found.key, step=AssetStep.ADOPT, found=found)
        if before := await self._made_earlier(asset, wanted.content):
            self._name(asset.key, before.key)
            return self._of_ours(asset, wanted, before, receipt)
        return await self._in_the_way(asset, found)

    async def _made_earlier(self, asset: Asset, wanted: Json) -> Asset | None:
        """What is wanted again, and was made when it was wanted before."""
        for one in self.earlier:
            found = await self.target.asset(one.there) if one.key == asset.key else None
            if found and found.content == wanted and is_made_from(found, asset.key, self.source):
                return found
        return None

    def _of_ours(self, asset: Asset, wanted: Asset, found: Asset, receipt: AssetReceipt | None) -> AssetLooked:
        if receipt is None:
            sent = sent_by_another(wanted, found)
        else:  # one that was not there when we looked, and of which no answer came, may be half made: by us
            sent = receipt.fields if receipt.answered is not None else changeable(found)
        sent = {**sent, **as_taken_back(found)}
        update = as_edited(wanted, found, sent)
        half_made = self.target.asset_rule.counted and receipt is not None and receipt.answered is None
        looked = AssetLooked(
            asset=asset, there=found.key, step=AssetStep.KEEP, found=found, sent=sent, half_made=half_made
        )
        same = changeable(update) == changeable(found)
        return looked if same else replace(looked, step=AssetStep.UPDATE, update=update)

    async def _found(self, asset: Asset, there: AssetKey, wanted: object) -> Asset | None:
        """Of what was made for one job only, the service chose the name: an equal one is the same.

        So it is where the target counts the versions; but one that has the wanted number is in the way.
        """
        counted = self.target.asset_rule.counted
        if not counted and not (asset.anonymous and asset.key.kind is AssetKind.COMPONENT):
            return await self.target.asset(there)
        versions = await self._all_versions(there)
        ours = [one for one in versions if is_made_from(one, asset.key, self.source)]
        alike = [one for one in versions if one.content == wanted and not self._has_lineage(one)]
        at_its_number = [one for one in versions if one.key == there and there.version == asset.key.version]
        return next(iter((*ours, *(at_its_number if counted else ()), *alike)), None)

    @staticmethod
    def _has_lineage(one: Asset) -> bool:
        return PROPERTY in one.properties

    async def _in_the_way(self, asset: Asset, found: Asset) -> AssetLooked:
        self.conflicts.append(asset.key)
        if self.on_conflict is not AssetConflict.NEXT or asset.is_port:  # such a one has no other name
            return AssetLooked(asset=asset, there=found.key, step=AssetStep.LEAVE, found=found)
        there = AssetKey(asset.key.kind, found.key.name, await self._next(asset, found.key))
        self._name(asset.key, there)
        return AssetLooked(asset=asset, there=there, step=AssetStep.MAKE)

    async def _next(self, asset: Asset, taken: AssetKey) -> str:
        """The next number for models, whose versions MLflow takes for numbers; else the version and six digits."""
        if asset.key.kind is not AssetKind.MODEL:
            return f"{asset.key.version}-{asset.identity[:6]}"
        versions = [one.key.version for one in await self._all_versions(taken)]
        versions += [key.version for key in self.names.values() if key.name == taken.name]
        versions += [key.version for key in self.coming if key.kind is taken.kind and key.name == asset.key.name]
        return str(1 + max((int(one) for one in versions if _NUMBER.fullmatch(one)), default=0))

    async def _all_versions(self, key: AssetKey) -> list[Asset]:
        named = (key.kind, key.name)
        if named not in self._versions:
            pages = self.target.asset_versions(*named)
            self._versions[named] = [one async for page in pages for one in page]
        return self._versions[named]

    def _name(self, key: AssetKey, there: AssetKey) -> None:
        if key != there:
            self.names[key] = there


def _is_known_as_ours(found: Asset, receipt: AssetReceipt | None) -> bool:
    """True for what the service made of a run's input or output as we asked: it takes no lineage, the receipt says."""
    return found.is_port and receipt is not None and receipt.state in _OURS


def _leads_elsewhere(asset: Asset, found: Asset, wanted: Json) -> bool:
    """True for one of ours that was made when another datastore stood for the source's: that never changes of it.

    The service may keep a copy of a model in the workspace's own store.
    """
    if not asset.stores or found.hidden or asset.there is None or found.place is None:
        return False
    copied = asset.key.kind is AssetKind.MODEL and found.at_home
    return found.content != wanted and not copied and found.place.datastore != asset.there.datastore
