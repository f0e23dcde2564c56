"""Which files of runs an asset lies in, where its document names a container of storage or another datastore of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from azureml_replay.azure.services.arm import Arm
from azureml_replay.azure.wire.naming import Scope
from azureml_replay.azure.wire.places import ARTIFACT_STORE
from azureml_replay.azure.wire.registered import (
    Container,
    place_in_container,
    place_in_store,
    uris_of,
    without_patterns,
)
from azureml_replay.errors import NotFound, Rejected
from azureml_replay.model import Location
from azureml_replay.workspace.reader import Document


@dataclass(slots=True)
class Containers:
    """The containers behind a workspace's datastores, each asked for once, where something is spelt by it."""

    arm: Arm
    scope: Scope
    _known: dict[str, Container | None] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def places(self, document: Document) -> AsyncIterator[Location]:
        """Where a registered asset lies; of what is among the files of runs, as a run names it."""
        for uri in uris_of(document):
            place = place_in_store(uri, self.scope)
            if place is not None and place.datastore.lower() == ARTIFACT_STORE:
                yield Location(ARTIFACT_STORE, without_patterns(place.path))
                continue
            there = place_in_container(uri)
            if place is not None and (container := await self._container(place.datastore)):
                there = container, place.path
            if there is not None and there[0] == await self._container(ARTIFACT_STORE):
                yield Location(ARTIFACT_STORE, without_patterns(there[1]))

    async def _container(self, datastore: str) -> Container | None:
        """None for a datastore that is not there, or that holds no blobs. Raises what else a service refuses."""
        async with self._turn:
            if datastore not in self._known:
                self._known[datastore] = await self._asked(datastore)
            return self._known[datastore]

    async def _asked(self, datastore: str) -> Container | None:
        try:
            store = await self.arm.datastore(datastore)
        except NotFound:
            return None
        except Rejected as error:
            if error.status:
                raise
            return None
        return Container(store.account, store.container)
