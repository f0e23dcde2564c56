"""Versions of registered models on their way to a server, which counts them itself.

A number that the source left out is used up by a version that is deleted again at once, so that those behind it keep
theirs. It bears a tag: one that a killed process left is removed by the next that makes, or updates, a version of that
name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from azureml_replay.errors import NotFound, Rejected
from azureml_replay.mlflow.registry import Registry
from azureml_replay.mlflow.rest import Rest
from azureml_replay.mlflow.wire import ask
from azureml_replay.mlflow.wire import registry as wire
from azureml_replay.workspace.asset import Asset, AssetContainer, AssetKey
from azureml_replay.workspace.asset_rule import MOST_SKIPPED
from azureml_replay.workspace.lease import Check, unchecked
from azureml_replay.workspace.mark import LINEAGE

EXISTS = "RESOURCE_ALREADY_EXISTS"


class Registering:
    """Writes registered models of one server."""

    def __init__(self, rest: Rest, registry: Registry) -> None:
        """Nothing is asked yet."""
        self._rest, self._registry = rest, registry

    async def put_container(self, container: AssetContainer) -> bool:
        """Make a name where there is none; True where it was made. Repeatable: one that is there stays as it is."""
        if await self._registry.container(container.name) is not None:
            return False
        return await self._make_name(container)

    async def update_container(self, wanted: AssetContainer) -> AssetContainer:
        """Bring description and tags of a name up to date; as they are then. Repeatable."""
        there = await self._registry.container(wanted.name)
        if there is None:
            raise NotFound(f"registered model {wanted.name} is not there any more", status=404)
        if (wanted.description or "") != (there.description or ""):
            body = wire.named_model(wanted.name, description=wanted.description or "")
            await self._send("registered-models/update", body, method="PATCH")
        for key in sorted(wanted.tags.keys() | there.tags.keys()):
            value = wanted.tags.get(key)
            if key not in wanted.tags:
                await self._gone("registered-models/delete-tag", wire.named_model(wanted.name, key=key))
            elif value != there.tags.get(key):
                await self._send("registered-models/set-tag", wire.named_model(wanted.name, key=key, value=value or ""))
        return await self._registry.container(wanted.name) or there

    async def put(self, asset: Asset, key: AssetKey, check: Check = unchecked) -> Asset:
        """Make a version, or bring one that is there up to date; as it is then."""
        there = await self._made(asset)
        if there is None:
            there = await self._make(asset, key, check)
        return await self._update(asset, there)

    async def update(self, asset: Asset) -> Asset:
        """Bring a version that is there up to date, by its key there."""
        there = await self._registry.find(asset.key)
        if there is None:
            raise NotFound(f"{asset.key} is not there any more", status=404)
        await self._free(asset.key, filter(wire.is_skipped, await self._listed(asset.key.name)))
        return await self._update(asset, there)

    async def remove(self, asset: Asset) -> None:
        """Delete a version. Repeatable."""
        await self._gone("model-versions/delete", wire.named_version(asset.key))

    async def remove_container(self, container: AssetContainer) -> None:
        """Delete a name where replay made it and no version is left. Repeatable."""
        if wire.is_ours(container) and all(map(wire.is_skipped, await self._listed(container.name))):
            await self._gone("registered-models/delete", wire.named_model(container.name))

    async def _made(self, asset: Asset) -> Asset | None:
        """A version of ours is updated by its own key; see `put`."""
        found = await self._registry.find(asset.key)
        same = found is not None and LINEAGE in found.properties
        return found if same and found and found.properties[LINEAGE] == asset.properties.get(LINEAGE) else None

    async def _make(self, asset: Asset, key: AssetKey, check: Check) -> Asset:
        """NOT repeatable. Raises Uncertain where the answer was lost."""
        left = await self._count_on(asset, key)
        body = wire.created_version(key.name, asset)
        answer = await self._send("model-versions/create", body, repeatable=False, check=check)
        await self._free(key, left)  # not before: a server counts on from the last one, deleted or not
        return await self._registry.read(wire.one_version(answer), ())

    async def _count_on(self, asset: Asset, key: AssetKey) -> Sequence[Mapping[str, Any]]:
        """Use up the numbers before the wanted one, at most so many; by what, with what a killed process left."""
        listed = await self._listed(key.name)
        left = [one for one in listed if wire.is_skipped(one)]
        last = max((int(one["version"]) for one in listed), default=0)
        wanted = int(key.version) if key.version.isdecimal() else last + 1
        if wanted - last - 1 <= MOST_SKIPPED:
            while last + 1 < wanted:
                answer = await self._send(
                    "model-versions/create", wire.skipped_version(key.name, asset), repeatable=False
                )
                left.append(wire.one_version(answer))
                last = int(left[-1]["version"])
        return left

    async def _listed(self, name: str) -> Sequence[Mapping[str, Any]]:
        """The documents of all versions of a name, with what uses up numbers."""
        return [one async for page in self._registry.documents(name) for one in page]

    async def _free(self, key: AssetKey, left: Iterable[Mapping[str, Any]]) -> None:
        for one in left:
            version = AssetKey(key.kind, key.name, str(one["version"]))
            await self._gone("model-versions/delete", wire.named_version(version))

    async def _update(self, wanted: Asset, there: Asset) -> Asset:
        key, changed = there.key, False
        for tag, value in wire.changed_tags(wanted, there):
            changed = True
            if value is None:
                await self._gone("model-versions/delete-tag", wire.named_version(key, key=tag))
            else:
                await self._send("model-versions/set-tag", wire.named_version(key, key=tag, value=value))
        if (wanted.description or "") != (there.description or ""):
            changed = True
            body = wire.named_version(key, description=wanted.description or "")
            await self._send("model-versions/update", body, method="PATCH")
        if wanted.stage != there.stage:
            changed = True
            staged = wire.named_version(key, stage=wanted.stage or "None")
            body = {**staged, "archive_existing_versions": False}
            await self._send("model-versions/transition-stage", body)
        changed = await self._move_aliases(wanted, there) or changed
        return (await self._registry.find(key) or there) if changed else there

    async def _move_aliases(self, wanted: Asset, there: Asset) -> bool:
        """An alias leads to one version: one that leads to a version that is not ours stays there."""
        key, name = there.key, there.key.name
        lacking = [one for one in wanted.aliases if one not in there.aliases]
        leads = dict(await self._registry.aliases(name)) if lacking else {}
        for alias in lacking:
            if alias in leads and not await self._is_ours(AssetKey(key.kind, name, leads[alias])):
                continue
            body = wire.named_model(name, alias=alias, version=key.version)
            await self._send("registered-models/alias", body)
        for alias in there.aliases:
            if alias not in wanted.aliases:
                await self._gone("registered-models/alias", wire.named_model(name, alias=alias))
        return wanted.aliases != there.aliases

    async def _is_ours(self, key: AssetKey) -> bool:
        found = await self._registry.find(key)
        return found is None or LINEAGE in found.properties

    async def _make_name(self, container: AssetContainer) -> bool:
        try:
            await self._send("registered-models/create", wire.created_model(container), repeatable=True)
        except Rejected as error:
            if error.code != EXISTS:
                raise
            return False  # an answer was lost, or somebody was first
        return True

    async def _gone(self, call: str, body: Mapping[str, object]) -> None:
        """A deletion; what is gone is no error."""
        try:
            await self._send(call, body, method="DELETE")
        except NotFound:
            return

    async def _send(
        self,
        call: str,
        body: Mapping[str, object],
        *,
        method: str = "POST",
        repeatable: bool = True,
        check: Check | None = None,
    ) -> object:
        path = f"{ask.API}/{call}"
        return (await self._rest.send(method, path, json=body, repeatable=repeatable, check=check)).json()
