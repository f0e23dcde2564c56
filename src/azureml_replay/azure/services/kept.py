"""Datastores and datasets of the old kind of one workspace: only read, for the archive to keep their documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from azureml_replay.azure.services.arm import Arm
from azureml_replay.azure.services.pages import pages
from azureml_replay.azure.wire import decode, decode_kept
from azureml_replay.errors import NotFound, Rejected
from azureml_replay.sending.sender import NOT_SPOKEN, Sender, Service
from azureml_replay.workspace.asset import UNVERSIONED, Asset, AssetContainer, AssetKey, AssetKind
from azureml_replay.workspace.reader import Document


@dataclass(slots=True)
class KeptDocuments:
    """What of a workspace is read and never made."""

    arm: Arm
    sender: Sender
    service: Service
    datasets_url: str
    """`https://{api}/dataset/v1.0{workspace}/datasets`."""
    _listed: dict[AssetKey, Document] = field(default_factory=dict)
    """Documents that a list gave, by name without a version: they need not be asked for again."""

    async def containers(self, kind: AssetKind) -> AsyncIterator[Sequence[AssetContainer]]:
        """All names of a kind, by pages; of datasets none where no such service answers."""
        if kind is AssetKind.DATASTORE:
            async for page in self.arm.listed("/datastores"):
                yield [self._name(kind, str(item.get("name")), item) for item in page.items]
            return
        try:
            async for page in pages(self._datasets):
                yield [self._name(kind, decode_kept.dataset_id(item), item) for item in page.items]
        except Rejected as error:
            if error.status not in NOT_SPOKEN:
                raise

    async def _datasets(self, before: decode.Page | None) -> decode.Page:
        """Links are taken from answers: they lead on at the same service, else our token would go elsewhere."""
        link = before.link if before else None
        if link and urlsplit(link).netloc != urlsplit(self.datasets_url).netloc:
            raise Rejected(f"a list of datasets goes on at another host: {urlsplit(link).netloc}")
        return decode.page(await self._get(link or f"{self.datasets_url}?includeInvisible=true"))

    def _name(self, kind: AssetKind, name: str, document: Document) -> AssetContainer:
        self._listed[AssetKey(kind, name, "")] = document
        return AssetContainer(kind=kind, name=name, document=document)

    async def versions(self, kind: AssetKind, name: str) -> AsyncIterator[Sequence[Asset]]:
        """A datastore, or all versions of a dataset. Raises NotFound."""
        known = self._listed.get(AssetKey(kind, name, ""))
        if kind is AssetKind.DATASTORE:
            yield [decode_kept.datastore(known or await self.arm.below(_store_path(name)))]
            return
        found = decode_kept.listed(await self._get(f"{self.datasets_url}/{quote(name, safe='')}/definitions"))
        yield [decode_kept.dataset(known or {}, one) for one in found]

    async def find(self, key: AssetKey) -> Asset | None:
        """One of them; None where there is none."""
        try:
            if key.kind is AssetKind.DATASTORE:
                return decode_kept.datastore(await self.arm.below(_store_path(key.name)))
            if key.version == UNVERSIONED:
                return decode_kept.saved_dataset(await self._saved(key.name), key)
            path = f"{quote(key.name, safe='')}/definitions/{quote(key.version, safe='')}"
            definition = await self._get(f"{self.datasets_url}/{path}")
        except NotFound:
            return None
        return decode_kept.dataset(await self._described(definition), definition)

    async def _described(self, definition: Document) -> Document:
        """What a version does not say: the name, which the dataset has."""
        saved = decode_kept.saved_id(definition)
        try:
            return await self._saved(saved) if saved else {}
        except NotFound:
            return {}

    async def _saved(self, saved: str) -> Document:
        return await self._get(f"{self.datasets_url}/query/savedDatasetId={quote(saved, safe='')}")

    async def _get(self, url: str) -> Document:
        document: Document = (await self.sender.send(self.service, "GET", url, repeatable=True)).json()
        return document


def _store_path(name: str) -> str:
    return f"/datastores/{quote(name, safe='')}"
