"""What the versions of a name share -> workspace: descriptions, tags, and whether the name is archived; last of all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import AssetReceipt, AssetState
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.errors import Remedy, ServiceError, noted
from azureml_replay.planning.asset_lineage import comes_from
from azureml_replay.planning.asset_names import NAME_HELD, digest_of_name, has_name, merged, names_of
from azureml_replay.planning.assets import joined
from azureml_replay.target.assets_there import AssetsThere
from azureml_replay.target.lease import hold
from azureml_replay.workers import for_each
from azureml_replay.workspace.asset import Asset, AssetKey
from azureml_replay.workspace.assets import AssetTarget

NAMES_AT_ONCE = 8


@dataclass(slots=True)
class NameSender:
    """Brings names of which this archive made a version up to date. A name that shares nothing is not asked for."""

    archive: Archive
    ledger: TargetLedger
    target: AssetTarget
    there: AssetsThere
    count: int = 0
    """Names that were written when versions of theirs were there."""
    made: set[AssetKey] = field(default_factory=set)
    """Names of the target that were made, or that it had, before a version of theirs was sent."""
    failed: list[tuple[AssetKey, str, Remedy | None]] = field(default_factory=list)

    async def note_own(self, found: Iterable[tuple[Asset, AssetKey]], known: Iterable[AssetKey]) -> None:
        """Note which names the target had before anything of ours: what they share beside the source's is its own.

        `found`: assets, each with its name there; `known`: those of which something became before. By a list of each
        kind, as a version that is not there says nothing of its name.
        """
        before = {_name(key) for key in known}
        new = {_name(there): _name(asset.key) for asset, there in found if has_name(asset)}
        new = {there: key for there, key in new.items() if key not in before}
        for kind in dict.fromkeys(there.kind for there in new):
            async for page in self.target.asset_containers(kind):
                for there in (one.key for one in page if one.key in new):
                    own = AssetReceipt(key=new[there], state=AssetState.ADOPTED, there=there, planned="")
                    self.ledger.put_asset_receipt(own)

    async def make(self, key: AssetKey, name: str) -> None:
        """Before the first version that is made under a name of the target, where a name has to be there first."""
        named = AssetKey(key.kind, name, "")
        if named in self.made:
            return
        container, _ = self.there.container(self.archive.asset_container(key.kind, key.name), name)
        if container is not None:
            await self.target.put_container(container)
        self.made.add(named)

    async def send(self, assets: Iterable[Asset], receipts: Iterable[AssetReceipt]) -> None:
        """`receipts` are those of versions. Repeatable."""
        made = {_name(one.key): _name(one.there) for one in receipts if one.state is AssetState.SENT}
        before = self.ledger.name_receipts()

        async def one(key: AssetKey) -> None:
            try:
                await self._send_one(key, made[key], before.get(key))
            except ServiceError as error:
                self.failed.append((key, noted(error, str(key)), error.remedy))

        await for_each([key for key in names_of(assets) if key in made], one, NAMES_AT_ONCE)

    async def _holds_others(self, there: AssetKey) -> bool:
        """True for a name under which somebody's version is to be seen: archiving the name would hide that."""
        async for page in self.target.asset_versions(there.kind, there.name):
            if any(not one.archived and not comes_from(one, self.archive.source) for one in page):
                return True
        return False

    async def _send_one(self, key: AssetKey, there: AssetKey, before: AssetReceipt | None) -> None:
        container = self.archive.asset_container(key.kind, key.name)
        digest = digest_of_name(container)
        if before.planned == digest if before else not (container and container.fields):
            return
        found = await self.target.asset_container(there.kind, there.name)
        if found is None:
            return
        container, losses = self.there.container(container, there.name)
        sent = before.fields if before else {}  # of an edit that stays, what was sent before it: so it shows as one
        wanted, stay = merged(container, found, sent)
        if wanted.archived and not found.archived and await self._holds_others(there):
            wanted, losses = replace(wanted, archived=False), (*losses, NAME_HELD)
        answer = found
        if wanted.fields != found.fields:
            await hold(self.target)
            answer = await self.target.put_asset_container(wanted)
            self.count += 1
        ours = set(container.fields if container else ()) - stay
        told = {name: answer.fields.get(name) for name in ours} | {name: sent.get(name) for name in stay}
        fields = {name: value for name, value in told.items() if value is not None}
        self.ledger.put_asset_receipt(
            AssetReceipt(
                key=key,
                state=before.state if before else AssetState.SENT,
                there=there,
                planned=digest,
                fields=fields,
                detail=joined(losses),
            )
        )


def _name(key: AssetKey) -> AssetKey:
    return AssetKey(key.kind, key.name, "")
