"""A lock in blob storage: the lease of one small blob, which the storage itself keeps."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from azureml_replay.azure.storage.storage import Door, Storage
from azureml_replay.azure.wire import encode
from azureml_replay.azure.wire.places import ARTIFACT_STORE
from azureml_replay.errors import NotFound, Rejected, ReplayError
from azureml_replay.model import Location

FOLDER = "azureml-replay/leases"
"""Outside of what runs have, so that no list of their files shows it."""
PATIENCE_S = 10.0
"""For all requests of one turn: a storage that cannot be reached from here must not use up a term."""

logger = logging.getLogger("azureml_replay")


class BlobLock:
    """One lock by its name."""

    def __init__(self, storage: Storage, name: str) -> None:
        """Nothing is asked yet."""
        self._storage = storage
        self._at = Location(ARTIFACT_STORE, f"{FOLDER}/{name}")
        self._out_of_reach = False

    async def reach(self) -> bool:
        """Asks what it takes to ask the storage; nothing is taken yet. False where it is out of reach. Repeatable."""
        if self._out_of_reach:
            return False
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._storage.writable(self._at)
        except (ReplayError, TimeoutError) as error:
            self._out_of_reach = True
            logger.debug("the storage keeps no lease: %s", error)
        return not self._out_of_reach

    async def take(self, holder: str, seconds: int, *, instead_of: Sequence[str]) -> bool:
        """Takes or renews it; False where somebody has it who is none of `instead_of`. Repeatable.

        True as well where the storage cannot be written from here: then it locks nothing, and is not asked again.
        """
        if self._out_of_reach:
            return True
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._take(holder, seconds, instead_of)
        except (ReplayError, TimeoutError) as error:
            self._out_of_reach = True
            logger.debug("the storage keeps no lease: %s", error)
            return True

    async def let_go(self, holder: str) -> None:
        """Repeatable: what is held by others, or not at all, stays as it is."""
        if self._out_of_reach:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._release(await self._storage.writable(self._at), holder)
        except (ReplayError, TimeoutError) as error:
            logger.debug("the storage's lease runs out by itself: %s", error)

    async def _take(self, holder: str, seconds: int, instead_of: Sequence[str]) -> bool:
        door = await self._storage.writable(self._at)
        if await self._acquire(door, holder, seconds):
            return True
        for other in instead_of:
            if await self._release(door, other):
                return await self._acquire(door, holder, seconds)
        return False

    async def _acquire(self, door: Door, holder: str, seconds: int) -> bool:
        """By an id of one's own: taking it again renews it."""
        headers = encode.lease_headers("acquire", proposed=holder, seconds=seconds)
        try:
            await self._storage.ask(door, "PUT", query="comp=lease", headers=headers)
        except NotFound:
            await self._storage.ask(door, "PUT", headers=encode.empty_blob_headers())
            await self._storage.ask(door, "PUT", query="comp=lease", headers=headers)
        except Rejected as error:
            if error.status != 409:
                raise
            return False
        return True

    async def _release(self, door: Door, holder: str) -> bool:
        """False where it was not theirs."""
        try:
            await self._storage.ask(door, "PUT", query="comp=lease", headers=encode.lease_headers("release", holder))
        except NotFound:
            return False
        except Rejected as error:
            if error.status != 409:
                raise
            return False
        return True
