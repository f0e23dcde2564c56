"""Bodies that make assets in a workspace, out of the documents of another one (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from azureml_replay.azure.wire.decode_assets import BUILD, CONTEXT, PORT_KINDS, STORE, URI_OF
from azureml_replay.azure.wire.fidelity_assets import sent_of
from azureml_replay.azure.wire.mltables import move_of, own_scope
from azureml_replay.azure.wire.naming import PLACING, Scope, long_uri, moved, named_key, replaced, with_place
from azureml_replay.azure.wire.places import place_of
from azureml_replay.model import Json, Location, RunId
from azureml_replay.workspace.asset import (
    Asset,
    AssetContainer,
    AssetKey,
    AssetKind,
    digest_of,
    mention_of_place,
)
from azureml_replay.workspace.reader import mapping

UPLOADED = "LocalUpload"
"""The folder in which clients put what they upload."""


def place_there(asset: Asset) -> Location | None:
    """Where a target has the bytes of an asset: at the same path, but for code, whose containers are the service's.

    Code may lie in a folder of the workspace's blob store, where clients of 2022 put it (cmd-builder-create-cancel).
    """
    if asset.key.kind is not AssetKind.CODE:
        return asset.there
    told = asset.properties.get("hash_sha256") or digest_of([asset.key.name, asset.key.version])
    return Location(STORE, f"{UPLOADED}/{told}/")


def as_here(asset: Asset, runs: Mapping[RunId, RunId]) -> Asset:
    """An asset of another workspace as this kind tells of it: place and content, runs being named as here."""
    if not asset.owns_bytes:
        return replace(asset, place=asset.there)
    if asset.files_of is not None and asset.run_path is not None:
        place = place_of(runs.get(asset.files_of, asset.files_of), asset.run_path)
        return replace(asset, place=place)
    if is_of_arm(asset):
        return replace(asset, place=place_there(asset))
    base = f"{UPLOADED}/{digest_of([asset.key.name, asset.key.version, asset.content])}"
    content = {**mapping(asset.content), "lies": mention_of_place(Location(STORE, base))}
    return replace(asset, place=Location(STORE, f"{base}/"), content=content)


def is_of_arm(asset: Asset) -> bool:
    """True for an asset of an Azure ML workspace, whose document can be sent to another one."""
    return isinstance(asset.document, Mapping) and isinstance(asset.document.get("properties"), Mapping)


def version_body(asset: Asset, scope: Scope, names: Mapping[AssetKey, AssetKey], web: str | None) -> dict[str, Any]:
    """The body that makes a version in the workspace of `scope`; `web` is the blob URL of its bytes there."""
    document = mapping(asset.document) if is_of_arm(asset) else _as_document(asset)
    said = {key: value for key, value in mapping(document["properties"]).items() if key in sent_of(asset.key.kind)}
    body = _renamed(said, own_scope(asset) if is_of_arm(asset) else None, scope, names, asset.stores)
    body |= {"description": asset.description, "tags": dict(asset.tags), "properties": dict(asset.properties)}
    body |= {"isArchived": asset.archived, "isAnonymous": asset.anonymous}
    body |= _placed(asset, body, scope, web)
    if asset.rewrites and (move := move_of(asset, scope)):
        body["referencedUris"] = [move.carried(str(uri)) for uri in said.get("referencedUris") or ()]
    if asset.key.kind is AssetKind.MODEL:
        body["jobName"] = asset.run
    if asset.key.kind is AssetKind.COMPONENT:
        body["componentSpec"] = {**body["componentSpec"], "name": asset.key.name, "version": asset.key.version}
    if "stage" in body or asset.stage:
        body["stage"] = asset.stage
    return {"properties": {key: value for key, value in body.items() if value is not None}}


def _as_document(asset: Asset) -> Mapping[str, Any]:
    """Of another kind of workspace's model, which has a type, and says what else it is on its own."""
    return {"properties": {"modelType": mapping(asset.content)["type"]}}


def _renamed(
    said: Mapping[str, Any],
    own: Scope | None,
    scope: Scope,
    names: Mapping[AssetKey, AssetKey],
    stores: Mapping[str, str],
) -> dict[str, Any]:
    """References to assets and places of the workspace that the document is of, as they are in the other one."""
    if own is None:
        return dict(said)

    def change(key: str, text: str, holder: Mapping[str, Any]) -> Json:
        if named := named_key(key, text, holder, own):
            return moved(text, names.get(named, named), scope)
        return with_place(text, own, scope, stores) if key in PLACING else text

    found = replaced(said, change)
    return dict(found) if isinstance(found, Mapping) else {}


def _placed(asset: Asset, body: Mapping[str, Any], scope: Scope, web: str | None) -> dict[str, Any]:
    """The key that says where the bytes lie."""
    place, kind = asset.place, asset.key.kind
    if place is None:
        return {}
    if kind is AssetKind.ENVIRONMENT:
        build = body.get(BUILD)
        return {BUILD: {**build, CONTEXT: _as_spelt(web, build.get(CONTEXT))}} if build else {}
    if kind not in URI_OF:
        return {}
    uri = web if kind is AssetKind.CODE else long_uri(place, scope)
    return {URI_OF[kind]: _as_spelt(uri, body.get(URI_OF[kind]))}


def _as_spelt(uri: str | None, before: object) -> str | None:
    """The URI of a folder without the slash at its end, where the source's document has none."""
    bare = uri is not None and isinstance(before, str) and not before.endswith("/")
    return uri.rstrip("/") if uri and bare else uri


def registered_body(model: Asset, scope: Scope) -> dict[str, Any]:
    """The body that makes a model by the registry's own route, as azure-ai-ml's interface has it (model_dataplane)."""
    body = {
        "name": model.key.name,
        "version": model.key.version,
        "runId": model.run,
        "url": long_uri(model.place, scope) if model.place else None,
        "modelType": mapping(model.content).get("type"),
        "kvTags": dict(model.tags),
        "properties": dict(model.properties),
        "description": model.description,
        "stage": model.stage,
    }
    return {name: value for name, value in body.items() if value is not None}


def version_path(key: AssetKey, segment: str) -> str:
    """The path of a version below its workspace."""
    return f"{name_path(segment, key.name)}/versions/{quote(key.version, safe='')}"


def name_path(segment: str, name: str) -> str:
    """The path of a name below its workspace."""
    return f"/{segment}/{quote(name, safe='')}"


def container_body(container: AssetContainer) -> dict[str, Any]:
    """The body that brings what the versions of a name share up to date; data needs its type too (assets.md 1.1)."""
    said = mapping(mapping(container.document or {}).get("properties") or {})
    body: dict[str, Any] = {"description": container.description, "isArchived": container.archived}
    body |= {"tags": dict(container.tags), "properties": dict(container.properties)}
    return {"properties": {**body, **({"dataType": said["dataType"]} if said.get("dataType") else {})}}


def port_body(asset: Asset, run: RunId, scope: Scope) -> dict[str, Any]:
    """The body of `createUnregistered…`, of data as promptflow sends it, of models as azure-ai-ml's interface has it.

    What lies in no storage of the workspace is named by the URI that it has.
    """
    said, is_data = mapping(asset.content), asset.key.kind is AssetKind.DATA
    spelt = mapping(mapping(asset.document)["properties"]).get(URI_OF[asset.key.kind]) if is_of_arm(asset) else None
    uri = _as_spelt(long_uri(asset.place, scope), spelt) if asset.place else str(said.get("lies") or "")
    port = {"outputName": asset.output} if asset.output is not None else {"inputName": asset.input}
    kind = _PORT_TYPES.get(str(said.get("type")), "UriFolder" if is_data else "CustomModel")
    return {"runId": run, **port, "uri" if is_data else "path": uri, "type": kind}


_PORT_TYPES = {kind: wire for wire, kind in PORT_KINDS.items()}
