"""The assets of one workspace: read, made, archived. Hosts and routes of ARM; lists are whole documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote, urlsplit

from azureml_replay.azure.place import names_of, resource_id
from azureml_replay.azure.services.aliases import Aliases, with_aliases
from azureml_replay.azure.services.arm import Arm, DataPlane
from azureml_replay.azure.services.containers import Containers
from azureml_replay.azure.services.kept import KeptDocuments
from azureml_replay.azure.storage.files import Files
from azureml_replay.azure.wire import decode_assets, encode_assets
from azureml_replay.azure.wire.decode_kept import dataset_uses
from azureml_replay.azure.wire.naming import (
    SEGMENTS,
    Port,
    Scope,
    definition_uses,
    located,
    name_in_runs,
    port_of,
    uses,
)
from azureml_replay.azure.wire.places import ARTIFACT_STORE
from azureml_replay.azure.wire.references import parse
from azureml_replay.errors import NotFound, Rejected
from azureml_replay.model import Job, Location, RunDetails, RunId, StoredFile
from azureml_replay.sending.sender import NOT_SPOKEN, Service
from azureml_replay.workers import for_each
from azureml_replay.workspace.asset import KEPT_ONLY, Asset, AssetContainer, AssetKey, AssetKind, AssetUse
from azureml_replay.workspace.assets import RegisteredPlace
from azureml_replay.workspace.lease import Check, unchecked
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.put_files import PutFile
from azureml_replay.workspace.reader import Document, mapping

_LISTED = {AssetKind.CODE: ""}
"""Codes alone know no filter: all of them are listed."""
_ALL = "&listViewType=All"
NAMES_AT_ONCE = 8
_TAKEN = 409
NO_ROUTE = "the target has no route that makes what stands for inputs and outputs of runs"


class Assets:
    """Models, environments, data, components and codes of one workspace."""

    def __init__(self, arm: Arm, ref: Place, places: DataPlane, files: Files, aliases: Aliases) -> None:
        """Asks nothing yet."""
        self.aliases = aliases
        self._sender, self._data = files.storage.sender, Service("data", arm.scope)
        self._registry = Service("modelregistry", arm.scope)
        self._data_url = f"{places.api}/data/v1.0{quote(resource_id(ref))}/dataversion"
        self._models_url = f"{places.api}/modelregistry/v1.0{quote(resource_id(ref))}/models"
        subscription, group, workspace = names_of(ref)
        self._arm, self._storage, self._index, self._files = arm, files.storage, files.artifacts, files
        self._scope = Scope(
            subscription=subscription, group=group, workspace=workspace, guid=places.guid, region=places.region
        )
        self._knows_accounts = False
        datasets = f"{places.api}/dataset/v1.0{quote(resource_id(ref))}/datasets"
        self._kept = KeptDocuments(arm, self._sender, Service("dataset", arm.scope), datasets)

    @property
    def scope(self) -> Scope:
        """The names under which documents mean this workspace."""
        return self._scope

    def uses(self, details: RunDetails, job: Job | None) -> Sequence[AssetUse]:
        """The assets that a run and its job name, each way once."""
        found = list(uses(job.document if job else None, self._scope))
        found += definition_uses(details.definition, self._scope)
        for side, named in (("inputs", details.run.inputs), ("outputs", details.run.outputs)):
            for name, one in named.items():
                found += uses({"uri": one.asset_id}, self._scope, f"{side}.{name}")
        found += dataset_uses(details.run)
        return found

    async def containers(self, kind: AssetKind) -> AsyncIterator[Sequence[AssetContainer]]:
        """All names of a kind, by pages."""
        if kind in KEPT_ONLY:
            async for kept in self._kept.containers(kind):
                yield kept
            return
        async for page in self._arm.listed(f"/{SEGMENTS[kind]}", _LISTED.get(kind, _ALL)):
            yield [decode_assets.container(item, kind) for item in page.items]

    async def versions(self, kind: AssetKind, name: str) -> AsyncIterator[Sequence[Asset]]:
        """All versions of a name, by pages."""
        if kind in KEPT_ONLY:
            async for kept in self._kept.versions(kind, name):
                yield kept
            return
        path = f"/{SEGMENTS[kind]}/{quote(name, safe='')}/versions"
        leads = await self.aliases.of(name) if kind is AssetKind.MODEL else {}
        async for page in self._arm.listed(path, _LISTED.get(kind, _ALL)):
            found = [await self._read(item, AssetKey(kind, name, str(item.get("name")))) for item in page.items]
            yield [with_aliases(one, leads) for one in found]

    async def registered(self) -> Sequence[RegisteredPlace]:
        """Where models and data lie, all versions; of named outputs, which are never files of a run's own, nothing."""
        found, stores = list[RegisteredPlace](), Containers(self._arm, replace(self._scope, accounts={}))

        async def look(key: AssetKey) -> None:
            async for page in self.versions(key.kind, key.name):
                for one in page:
                    document = mapping(one.document or {})
                    found.extend([_registered(one, place) async for place in stores.places(document)])

        for kind in (AssetKind.MODEL, AssetKind.DATA):
            names = [one.name async for page in self.containers(kind) for one in page]
            keys = (AssetKey(kind, name, "") for name in names)
            await for_each([key for key in keys if port_of(key) is None], look, NAMES_AT_ONCE)
        return found

    async def container(self, kind: AssetKind, name: str) -> AssetContainer | None:
        """What the versions of a name share; None where there is no such name."""
        try:
            document = await self._arm.below(encode_assets.name_path(SEGMENTS[kind], name))
        except NotFound:
            return None
        return decode_assets.container(document, kind)

    async def put_container(self, container: AssetContainer) -> AssetContainer:
        """Bring what the versions of a name share up to date; as answered."""
        path = encode_assets.name_path(SEGMENTS[container.kind], container.name)
        answer = await self._arm.put(path, encode_assets.container_body(container), unchecked, repeatable=True)
        return decode_assets.container(answer, container.kind)

    async def find(self, key: AssetKey) -> Asset | None:
        """One version; None where there is none."""
        if key.kind in KEPT_ONLY:
            return await self._kept.find(key)
        if port_of(key) is not None:
            return await self._find_port(key)
        try:
            document = await self._arm.below(encode_assets.version_path(key, SEGMENTS[key.kind]))
        except NotFound:
            return None
        return await self.aliases.read(await self._read(document, key))

    async def put(self, asset: Asset, names: Mapping[AssetKey, AssetKey], check: Check = unchecked) -> Asset:
        """Make it, or bring it up to date; as answered, under the name that the answer's id has."""
        if asset.is_port and asset.run is not None:
            return await self._put_port(asset, asset.run)
        key = names.get(asset.key, asset.key)
        place = asset.place if asset.key.kind in decode_assets.OWN else None
        web = await self._storage.url(place) if place else None
        body = encode_assets.version_body(replace(asset, key=key), self._scope, names, web)
        path = encode_assets.version_path(key, SEGMENTS[key.kind])
        answer = await self._arm.put(path, body, check, repeatable=not asset.anonymous)
        there = parse(str(answer.get("id")))
        name = there["name"] if there and there["name"] else key.name
        made = await self._read(answer, AssetKey(key.kind, name, str(answer.get("name"))))
        made = await self.find(made.key) or made if made.hidden else made
        return await self.aliases.bring(asset, made, self.find)

    async def put_linked(self, model: Asset, names: Mapping[AssetKey, AssetKey]) -> Asset:
        """Make a model by the registry's own route, which takes its run; as it is there then.

        Only versions that are numbers go so. Raises Rejected where the version is there.
        """
        key = names.get(model.key, model.key)
        body = encode_assets.registered_body(replace(model, key=key), self._scope)
        await self._sender.send(self._registry, "POST", self._models_url, json=body, repeatable=False)
        found = await self.find(key)
        if found is None:
            raise Rejected(f"{key} was registered, and is not there")
        return await self.aliases.bring(model, found, self.find)

    async def _find_port(self, key: AssetKey) -> Asset | None:
        """What stands for an input or output of a run: by the one route of which it is recorded that it knows such."""
        service, url = self._plane_of(key.kind)
        body = {"values": [located(key, self._scope)]}
        answer = await self._sender.send(service, "POST", f"{url}/batchGetResolvedUris", json=body, repeatable=True)
        return decode_assets.resolved_port(answer.json(), key, self._scope)

    async def _put_port(self, asset: Asset, run: RunId) -> Asset:
        """What stands for an input or output is made under a name of the run's: the same one where the run's id is.

        One that is there is the one that was wanted, or another: whoever asked compares. So a lost answer is no loss.
        """
        port = Port(run, "input" if asset.input is not None else "output", asset.input or asset.output or "")
        wanted = port.key(asset.key.kind)
        found = await self.find(wanted) if wanted.name != asset.key.name else None
        return found or await self._make_port(asset, run, port, wanted)

    async def _make_port(self, asset: Asset, run: RunId, port: Port, wanted: AssetKey) -> Asset:
        service, url = self._plane_of(wanted.kind)
        body, url = encode_assets.port_body(asset, run, self._scope), f"{url}/createUnregistered{port.side.title()}"
        try:
            answer = await self._sender.send(service, "POST", url, json=body, repeatable=True)
        except Rejected as error:
            found = await self.find(wanted) if error.status == _TAKEN else None
            if found is None and error.status in NOT_SPOKEN and not error.code:
                raise Rejected(NO_ROUTE, status=error.status, lasting=True) from error
            if found is None:
                raise
            return found
        key = decode_assets.made_port(answer.json(), wanted.kind, self._scope)
        found = await self.find(key)
        if found is None:
            raise Rejected(f"{key} was made for {port.side} {port.name} of run {run}, and is not there")
        return found

    def _plane_of(self, kind: AssetKind) -> tuple[Service, str]:
        return (self._data, self._data_url) if kind is AssetKind.DATA else (self._registry, self._models_url)

    async def files(self, place: Location) -> AsyncIterator[Sequence[StoredFile]]:
        """The file at a place, or those below it."""
        async for page in self._storage.listed(place.datastore, place.path):
            yield [one for one in page if _is_at(one.location.path, place.path)]

    @property
    def naming(self) -> str:
        """How runs of the workspace name an asset."""
        return name_in_runs(self._scope)

    async def put_file(self, place: Location, file: PutFile) -> None:
        """Write one file; in the artifact store its entry in the index comes first, as for files of runs."""
        if place.datastore == ARTIFACT_STORE:
            await self._index.register_upload(place)
        await self._files.write(await self._storage.writable(place), file, place)

    async def _read(self, document: Document, key: AssetKey) -> Asset:
        found = decode_assets.asset(document, key.kind, key.name, self._scope)
        if found.place is None and not self._knows_accounts and decode_assets.names_a_blob(document):
            await self._learn_account()
            found = decode_assets.asset(document, key.kind, key.name, self._scope)
        return found

    async def _learn_account(self) -> None:
        """Codes and build contexts name blobs by their own URLs: which of them are the workspace's, is asked once."""
        url = urlsplit(await self._storage.url(Location(decode_assets.STORE, "")))
        accounts = {url.hostname or "": (decode_assets.STORE, url.path.strip("/"))}
        self._scope, self._knows_accounts = replace(self._scope, accounts=accounts), True


def _registered(asset: Asset, place: Location) -> RegisteredPlace:
    return RegisteredPlace(place=place, key=asset.key, archived=asset.archived, properties=asset.properties)


def _is_at(path: str, place: str) -> bool:
    """By segments: `data/a` is not below `data/ab`."""
    return path == place or path.startswith(place if place.endswith("/") else f"{place}/")
