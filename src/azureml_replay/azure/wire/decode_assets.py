"""Assets out of ARM's documents (pure).

Recorded in data-archive-restore, model-list-paging, env-archive-restore-version, component-list-paging and
code-create-get.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from azureml_replay import json_text
from azureml_replay.azure.wire.fidelity_assets import known_of
from azureml_replay.azure.wire.naming import (
    CURATED,
    PLACING,
    Port,
    Scope,
    arm_id,
    key_of,
    located,
    named_key,
    place_of_uri,
    port_of,
    replaced,
    uses,
)
from azureml_replay.azure.wire.places import ARTIFACT_STORE, RUN_FILES, container_in, lender_in
from azureml_replay.azure.wire.references import Spelling, parse
from azureml_replay.model import Json, Location, RunId
from azureml_replay.workspace.asset import (
    Asset,
    AssetContainer,
    AssetKey,
    AssetKind,
    mention,
    mention_in_run,
    mention_of_place,
)
from azureml_replay.workspace.reader import Document, Reader, instant, mapping, pairs, readable, unknown, words

URI_OF = {AssetKind.CODE: "codeUri", AssetKind.DATA: "dataUri", AssetKind.MODEL: "modelUri"}
"""The key that says where an asset's bytes lie; of environments it is one of the build."""
STORE = "workspaceblobstore"
"""A datastore that every workspace has."""
OWN = frozenset({AssetKind.CODE, AssetKind.ENVIRONMENT, AssetKind.MODEL})
"""Kinds whose bytes belong to them."""
NO_PLACE = "the service says no place of it, but another asset: runs go on naming the source's"
OUTPUT_ELSEWHERE = "an output in a datastore that is not the workspace's own: its bytes stay there (--map-datastore)"
BUILD = "build"
CONTEXT = "contextUri"
_IS_FOLDER = frozenset({"uri_folder", "mltable"})
_UNNAMED = frozenset({"azureml_anonymous", "CliV2AnonymousEnvironment"})
"""Names under which clients and the service put what was made for one job."""
_SAID_TWICE = frozenset({"version", "_source", "$schema", "name"})
"""Keys of a component that the service leaves out, or that its id has."""
_CURATED_TYPE = "curated"
GRAPH_HIDDEN = "the service does not show the graph of a pipeline component"
MANAGED = "curated: the service makes it in every workspace"


@readable
def asset(document: Document, kind: AssetKind, name: str, scope: Scope) -> Asset:
    """One version of an asset, from an answer of the workspace that `scope` names."""
    read, more = Reader(document["properties"]), Reader(document.get("systemData") or {})
    said: Document = document["properties"]
    key, place = AssetKey(kind, name, str(document["name"])), _place(kind, said, scope)
    port = port_of(key, place)
    return Asset(
        key=key,
        content=_content(kind, said, place, scope),
        description=read("description", words, None),
        tags=read("tags", pairs, {}),
        properties=read("properties", pairs, {}),
        stage=read("stage", words, None) or None,
        archived=bool(said.get("isArchived")),
        anonymous=bool(said.get("isAnonymous")) or name in _UNNAMED,
        run=port.run if port else read("jobName", lambda value: RunId(words(value)), None) or None,
        output=port.output if port else None,
        input=port.input if port else None,
        owns_bytes=_owns_bytes(kind, place, port),
        at_home=place is not None and place.datastore == STORE,
        files_of=_run_in(place),
        run_path=_path_in_run(place),
        place=place,
        workspace_guid=scope.guid if kind is AssetKind.COMPONENT or said.get("dataType") == "mltable" else "",
        uses=tuple(uses(said, scope)),
        hidden=GRAPH_HIDDEN if _has_hidden_graph(said) else None,
        managed=NO_PLACE
        if port and _names_an_asset(said)
        else _managed(name, said, place if port and port.output else None),
        created=more("createdAt", instant, None),
        creator=more("createdBy", words, None),
        document=document,
        unknown=unknown(said, known_of(kind)),
    )


@readable
def container(document: Document, kind: AssetKind) -> AssetContainer:
    """What the versions of a name share."""
    read = Reader(document["properties"])
    return AssetContainer(
        kind=kind,
        name=str(document["name"]),
        description=read("description", words, None) or None,
        tags=read("tags", pairs, {}),
        properties=read("properties", pairs, {}),
        archived=bool(document["properties"].get("isArchived")),
        document=document,
        unknown=unknown(document["properties"], known_of(None)),
    )


@readable
def made_port(document: Document, kind: AssetKind, scope: Scope) -> AssetKey:
    """The asset that an answer of `createUnregistered…` names: of data as promptflow reads it, of models flat."""
    data = kind is AssetKind.DATA
    told = parse(document["latestVersion"]["dataVersion"]["assetId"] if data else document["assetId"])
    key = key_of(told, None, scope) if told else None
    if key is None:
        raise ValueError(f"no {kind.value} of this workspace: {document!r}")
    return key


@readable
def resolved_port(document: Document, key: AssetKey, scope: Scope) -> Asset | None:
    """What stands for an input or output, from an answer of `batchGetResolvedUris` (pipe-child-run-download 52).

    None where the answer says nothing of it.
    """
    told = (document.get("values") or {}).get(located(key, scope))
    if told is None:
        return None
    kind = PORT_KINDS[str(told["type"])]
    data = key.kind is AssetKind.DATA
    said = {"dataUri": told["uri"], "dataType": kind} if data else {"modelUri": told["path"], "modelType": kind}
    return asset({"id": arm_id(key, scope), "name": key.version, "properties": said}, key.kind, key.name, scope)


PORT_KINDS = {
    "UriFile": "uri_file",
    "UriFolder": "uri_folder",
    "MLTable": "mltable",
    "CustomModel": "custom_model",
    "MLFlowModel": "mlflow_model",
    "TritonModel": "triton_model",
}
"""Types as the data plane spells them -> as ARM does."""


def _owns_bytes(kind: AssetKind, place: Location | None, port: Port | None) -> bool:
    """Of inputs and outputs only what lies in a store that the workspace has of its own."""
    if port is None or place is None:
        return kind in OWN
    if kind is AssetKind.DATA:
        return port.output is not None and place.datastore == STORE
    return place.datastore in {STORE, ARTIFACT_STORE}


def names_a_blob(document: Document) -> bool:
    """True where its bytes are named by the URL of a blob, of which only its workspace knows whether it is its own."""
    said = document.get("properties") or {}
    told = (said.get("codeUri"), (said.get(BUILD) or {}).get(CONTEXT), said.get("modelUri"))
    return any(isinstance(uri, str) and uri.startswith("https:") for uri in told)


def _run_in(place: Location | None) -> RunId | None:
    """The run in whose own container a place is."""
    if place is None or place.datastore != ARTIFACT_STORE or not place.path.startswith(f"{RUN_FILES}/"):
        return None
    return lender_in(container_in(place), RunId(""))


def _path_in_run(place: Location | None) -> str | None:
    if place is None or _run_in(place) is None:
        return None
    return place.path.split("/", 2)[2] if place.path.count("/") > 1 else ""


def _managed(name: str, said: Document, output: Location | None) -> str | None:
    if _is_curated(name, said):
        return MANAGED
    lies = None if output is None or ("modelUri" in said and output.datastore == ARTIFACT_STORE) else output.datastore
    return OUTPUT_ELSEWHERE if lies not in {None, STORE} else None


def _names_an_asset(said: Document) -> bool:
    """Nobody recorded what the service answers of an input that was given as an asset: of a place it is known."""
    found = parse(str(said.get("dataUri") or said.get("modelUri") or ""))
    return found is not None and found.form in {Spelling.ARM, Spelling.LOCATED, Spelling.VERSION, Spelling.LABEL}


def _has_hidden_graph(said: Document) -> bool:
    """The graph of a pipeline component is in no recorded answer, though clients send it."""
    spec = said.get("componentSpec")
    return isinstance(spec, Mapping) and spec.get("type") == "pipeline" and not spec.get("jobs")


def _is_curated(name: str, said: Document) -> bool:
    return str(said.get("environmentType") or "").lower() == _CURATED_TYPE or name.startswith(CURATED)


def _place(kind: AssetKind, said: Document, scope: Scope) -> Location | None:
    """A folder's path ends with a slash, whether or not it was spelt so."""
    holder = mapping(said.get(BUILD) or {}) if kind is AssetKind.ENVIRONMENT else said
    uri = holder.get(URI_OF.get(kind, CONTEXT))
    place = place_of_uri(uri, scope) if isinstance(uri, str) else None
    if place is None or place.path.endswith("/"):
        return place
    folder = kind in (AssetKind.CODE, AssetKind.ENVIRONMENT) or said.get("dataType") in _IS_FOLDER
    return Location(place.datastore, place.path + "/") if folder else place


def _content(kind: AssetKind, said: Document, place: Location | None, scope: Scope) -> Json:
    where = mention_of_place(place) if place else None
    bare = mention_of_place(Location(place.datastore, place.path.rstrip("/"))) if place else None
    if kind is AssetKind.CODE:
        known = said.get("properties") or {}
        return {"hash": known.get("hash_sha256"), "version": known.get("hash_version")}
    if kind is AssetKind.DATA:
        return {"type": said.get("dataType"), "lies": where or said.get("dataUri")}
    if kind is AssetKind.MODEL:  # nobody says whether it is a file or a folder: both spellings were recorded
        run, path = _run_in(place), _path_in_run(place)
        own = mention_in_run(run, (path or "").rstrip("/")) if run else bare
        return {"type": said.get("modelType"), "lies": own or said.get("modelUri")}
    if kind is AssetKind.ENVIRONMENT:
        build = mapping(said.get(BUILD) or {})
        return _texts(
            {
                "image": said.get("image"),
                "conda": _conda(said.get("condaFile")),
                "context": where or build.get(CONTEXT),
                "dockerfile": build.get("dockerfilePath"),
                "system": said.get("osType") or "Linux",
                "inference": said.get("inferenceConfig"),
            }
        )
    return _specification(said.get("componentSpec"), scope)


def _conda(text: object) -> Json:
    """By meaning where the service answers JSON, as recorded; else as it is spelt."""
    if not isinstance(text, str) or not text.strip():
        return None
    try:
        found: Json = json_text.loads(text.encode())
    except ValueError:
        return text
    return found


def _specification(spec: object, scope: Scope) -> Json:
    """As the service answers it: scalars are texts, references are those of the workspace."""

    def change(key: str, text: str, holder: Mapping[str, Any]) -> Json:
        if named := named_key(key, text, holder, scope):
            return mention(named)
        place = place_of_uri(text, scope) if key in PLACING else None
        return mention_of_place(place) if place else text

    kept = {key: value for key, value in mapping(spec or {}).items() if key not in _SAID_TWICE}
    return replaced(_texts(kept), change)


def _texts(value: Json) -> Json:
    """The same with every scalar as a text, and without what has no value."""
    if isinstance(value, Mapping):
        told = {key: _texts(one) for key, one in value.items()}
        return {key: one for key, one in told.items() if one not in (None, {}, [])}
    if isinstance(value, list | tuple):
        return [_texts(one) for one in value]
    return value if value is None or isinstance(value, str) else str(value)
