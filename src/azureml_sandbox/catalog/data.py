"""The data service, `/data/v1.0`: versions of data by their ids, and those that stand for a run's inputs and outputs.

azure-ai-ml's `jobs.download` asks for them after run history gave it asset ids; promptflow makes them.

Recorded: `batchGetResolvedUris`; `getByAssetId` from its recorded description. The rest from dataset-dataplane.json.
Assumptions, each the unkind way: what stands for an input or output is made once (409), and of a run that is here
(404); it is not listed; orders and filters of a list are not spoken (501).
"""

from __future__ import annotations

from starlette.responses import Response

from azureml_sandbox.assets import implicit, store
from azureml_sandbox.assets.implicit import Address, Way
from azureml_sandbox.assets.places import long_uri
from azureml_sandbox.history.access import strict
from azureml_sandbox.protocol import errors
from azureml_sandbox.protocol.bodies import Table, answer, body, number, page, part
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.limits import ASSETS_IN_PAGE
from azureml_sandbox.protocol.route import Call, Handler, Spoken
from azureml_sandbox.world import Document, Listing

_TYPES = {"uri_folder": "UriFolder", "uri_file": "UriFile", "mltable": "MLTable"}
_KINDS = {wire: kind for kind, wire in _TYPES.items()}


async def resolved_uris(call: Call) -> Response:
    """POST dataversion/batchGetResolvedUris {values:[assetId]}: ids that are not known are left out (assumption)."""
    ids = [str(item) for item in part(await body(call), "values", "array") or []]
    found = {asset_id: _asset(call, asset_id) for asset_id in ids}
    values = {
        asset_id: {"uri": asset["dataUri"], "type": asset["dataType"], "legacyDatasetType": None}
        for asset_id, asset in found.items()
        if asset is not None
    }
    return answer({"values": values})


async def by_asset_id(call: Call) -> Response:
    """POST dataversion/getByAssetId {value:assetId}."""
    asset_id = part(await body(call), "value", "string") or ""
    asset = _asset(call, asset_id)
    if asset is None:
        raise errors.not_found("DataVersion", asset_id)
    return answer({"dataVersion": asset, "entityMetadata": None, "legacyDatasetId": None, "isV2": True})


def _unregistered(way: Way) -> Handler:
    """POST dataversion/createUnregisteredInput, createUnregisteredOutput {runId, inputName, outputName, uri, type}."""

    async def answering(call: Call) -> Response:
        given = await body(call)
        run_id, port, uri, wire = (_text(given, key) for key in ("runId", f"{way}Name", "uri", "type"))
        if wire not in _KINDS:
            raise errors.invalid(f"The type {wire} is not valid.")
        if call.world.runs.get(call.workspace.guid, run_id) is None:
            raise errors.run_not_found(run_id)
        name = implicit.data_name(run_id, way, port)
        if call.world.assets.get(call.workspace.guid, "data", name, "1") is not None:
            if "repeat-outputs" in strict(call):
                return answer(_container(call, Address("data", name, "2"), _repeated(call, name)))
            raise errors.conflict(f"Data {name} with version 1 already exists.")
        slash = "/" if wire == "UriFolder" and uri.startswith("azureml:") and not uri.endswith("/") else ""
        made = implicit.put_data(call.world, call.workspace, name, f"{uri}{slash}", _KINDS[wire])
        return answer(_container(call, Address("data", name, "1"), made))

    return answering


def _repeated(call: Call, name: str) -> Document:
    """A second version beside the first."""
    found = call.world.assets.get(call.workspace.guid, "data", name, "1") or {}
    return store.put(call, "data", name, "2", found["properties"], listed=False)


async def register_existing(call: Call) -> Response:
    """POST dataversion/registerExisting {existingUnregisteredAssetId, name, version}: the same place under a name."""
    given = await body(call)
    asset_id, name = _text(given, "existingUnregisteredAssetId"), _text(given, "name")
    address = implicit.parse(call.workspace, asset_id)
    found = _stored(call, address) if address is not None else None
    if found is None:
        raise errors.not_found("DataVersion", asset_id)
    around = call.world.assets.get(call.workspace.guid, "data", name) or {}
    version = part(given, "version", "string") or str((around.get("properties") or {}).get("nextVersion") or "1")
    if call.world.assets.get(call.workspace.guid, "data", name, version) is not None:
        raise errors.conflict(f"Data {name} with version {version} already exists.")
    made = store.put(call, "data", name, version, found["properties"] | {"isAnonymous": False})
    return answer(_container(call, Address("data", name, version), made))


async def versions(call: Call) -> Response:
    """GET dataversion/{name}/versions: the newest first, as ARM lists them (assumption)."""
    asked = call.request.query_params
    if unknown := sorted({"orderBy", "top"} & asked.keys()):
        raise Refused(501, f"The sandbox does not understand {', '.join(unknown)} here.", ("SandboxNotImplemented",))
    name, after = call.path("name"), number(asked.get("continuationToken"))
    listing = Listing("All", newest_first=True, after=after, limit=ASSETS_IN_PAGE + 1)
    found = call.world.assets.versions(call.workspace.guid, "data", name, listing)
    shown = [_entity(call, Address("data", name, each["name"]), each) for _, each in found[:ASSETS_IN_PAGE]]
    following = found[ASSETS_IN_PAGE - 1][0] if len(found) > ASSETS_IN_PAGE else None
    return answer(page(call, shown, following, "continuationToken"))


async def version(call: Call) -> Response:
    """GET dataversion/{name}/versions/{version}."""
    address = Address("data", call.path("name"), call.path("asset_version"))
    found = _stored(call, address)
    if found is None:
        raise errors.not_found("DataVersion", f"{address.name}:{address.version}")
    return answer(_entity(call, address, found))


async def exists(call: Call) -> Response:
    """GET dataversion/{name}/versions/{version}/exists."""
    return answer(_stored(call, Address("data", call.path("name"), call.path("asset_version"))) is not None)


def _asset(call: Call, asset_id: str) -> Document | None:
    address = implicit.parse(call.workspace, asset_id)
    found = _stored(call, address) if address is not None and address.kind == "data" else None
    return _version(call, address, found) if address is not None and found is not None else None


def _stored(call: Call, address: Address) -> Document | None:
    return call.world.assets.get(call.workspace.guid, "data", address.name, address.version)


def _version(call: Call, address: Address, stored: Document) -> Document:
    properties, asset_id = (
        stored["properties"],
        implicit.asset_id(call.workspace, "data", address.name, address.version),
    )
    return {
        "assetId": asset_id,
        "dataContainerName": address.name,
        "dataType": _TYPES.get(properties["dataType"], "UriFolder"),
        "dataUri": long_uri(call.workspace, properties["dataUri"]),
        "versionId": address.version,
        "mutableProps": {
            "dataExpiryTime": None,
            "description": properties.get("description"),
            "tags": properties.get("tags") or {},
            "isArchived": bool(properties.get("isArchived")),
            "stage": "Logged",
        },
        "referencedDataUris": properties.get("referencedUris"),
        "properties": properties.get("properties") or {},
        "isRegistered": address.run_id is None,
        "runId": address.run_id,
    }


def _entity(call: Call, address: Address, stored: Document) -> Document:
    told = stored.get("systemData") or {}
    times = {"createdTime": told.get("createdAt"), "modifiedTime": told.get("lastModifiedAt")}
    return {
        "dataVersion": _version(call, address, stored),
        "entityMetadata": {"etag": None, **times, "createdBy": None, "modifiedBy": None},
    }


def _container(call: Call, address: Address, stored: Document) -> Document:
    """The answer to what makes a version: promptflow reads `latestVersion.dataVersion.assetId`."""
    entity = _entity(call, address, stored)
    around = call.world.assets.get(call.workspace.guid, "data", address.name) or {}
    properties = around.get("properties") or {}
    mutable = {"description": properties.get("description"), "tags": properties.get("tags") or {}, "isArchived": False}
    return {
        "dataContainer": {
            "name": address.name,
            "dataType": entity["dataVersion"]["dataType"],
            "mutableProps": mutable,
            "isRegistered": address.run_id is None,
        },
        "entityMetadata": entity["entityMetadata"],
        "latestVersion": entity,
        "nextVersionId": properties.get("nextVersion"),
        "legacyDatasetType": None,
    }


def _text(given: Document, key: str) -> str:
    value = part(given, key, "string")
    if not value:
        raise errors.invalid(f"The {key} field is required.")
    return str(value)


def _routes() -> tuple[Spoken, ...]:
    table = Table("data", "data-version")
    table.on("POST", "/dataversion/batchGetResolvedUris", resolved_uris)
    table.on("POST", "/dataversion/getByAssetId", by_asset_id)
    table.on("POST", "/dataversion/createUnregisteredInput", _unregistered("input"), "write")
    table.on("POST", "/dataversion/createUnregisteredOutput", _unregistered("output"), "write")
    table.on("POST", "/dataversion/registerExisting", register_existing, "write")
    table.on("GET", "/dataversion/{name}/versions", versions)
    table.on("GET", "/dataversion/{name}/versions/{asset_version}", version)
    table.on("GET", "/dataversion/{name}/versions/{asset_version}/exists", exists)
    return tuple(table.routes)


ROUTES = _routes()
