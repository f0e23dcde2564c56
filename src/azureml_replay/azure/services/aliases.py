"""Names that lead to versions of models: ARM has none, MLflow's registry of a workspace may (assets.md 7.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from azureml_replay.azure.services.mlflow import MlflowService
from azureml_replay.workspace.asset import Asset, AssetKey, AssetKind
from azureml_replay.workspace.mark import LINEAGE


@dataclass(slots=True)
class Aliases:
    """Of one workspace. Whether it has any is asked once, before the first model is read."""

    service: MlflowService
    carried: bool = False
    """True once it is known that the workspace takes them."""
    _spoken: bool | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, model: str) -> Mapping[str, str]:
        """Alias -> version of a model."""
        async with self._asking:
            if self._spoken is None:
                self._spoken = self.carried or await self.service.knows_aliases()
        return await self.service.aliases(model) if self._spoken else {}

    async def read(self, asset: Asset) -> Asset:
        """The same with its aliases; of what is no model nothing is asked."""
        return with_aliases(asset, await self.of(asset.key.name)) if asset.key.kind is AssetKind.MODEL else asset

    async def bring(self, wanted: Asset, made: Asset, find: Callable[[AssetKey], Awaitable[Asset | None]]) -> Asset:
        """Lead the wanted ones to a version that was made, and no others; one that leads to somebody's stays with that.

        Repeatable.
        """
        if made.key.kind is not AssetKind.MODEL or not self.carried:
            return made
        name, version = made.key.name, made.key.version
        leads = dict(await self.of(name))
        for alias in wanted.aliases:
            other = leads.get(alias)
            there = await find(replace(made.key, version=other)) if other not in {None, version} and other else None
            if other != version and (there is None or LINEAGE in there.properties):
                await self.service.put_alias(name, version, alias)
                leads[alias] = version
        for alias in [one for one, to in leads.items() if to == version and one not in wanted.aliases]:
            await self.service.put_alias(name, None, alias)
            del leads[alias]
        return with_aliases(made, leads)


def with_aliases(asset: Asset, leads: Mapping[str, str]) -> Asset:
    """A model with those of the aliases of its name that lead to it."""
    aliases = tuple(sorted(alias for alias, version in leads.items() if version == asset.key.version))
    return replace(asset, aliases=aliases) if aliases else asset
