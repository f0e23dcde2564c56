"""The data service, `/data/v1.0`: where the asset of an output lies.

azure-ai-ml's `jobs.download` asks for it after run history gave it asset ids.

Recorded: `batchGetResolvedUris`; `getByAssetId` from its recorded description and dataset-dataplane's swagger.
"""

from __future__ import annotations

import re

from starlette.responses import Response

from azureml_sandbox.protocol import errors
from azureml_sandbox.protocol.bodies import Table, answer, body, part
from azureml_sandbox.protocol.route import Call, Spoken
from azureml_sandbox.world import ARTIFACT_STORE, BLOB_STORE, RUN_ORIGIN, Document

_ASSET = re.compile(
    r"azureml://locations/[^/]+/workspaces/(?P<guid>[^/]+)/data/(?P<name>[^/]+)/versions/(?P<version>.+)"
)
_OUTPUT = re.compile(r"azureml_(?P<run>.+)_output_data_(?P<output>.+)")
_TYPES = {"uri_folder": "UriFolder", "uri_file": "UriFile", "mltable": "MLTable"}


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


def _asset(call: Call, asset_id: str) -> Document | None:
    address = _ASSET.fullmatch(asset_id)
    if address is None or address["guid"] != call.workspace.guid:
        return None
    stored = call.world.assets.get(call.workspace.guid, "data", address["name"], address["version"])
    if stored is not None:
        properties = stored["properties"]
        return _version(asset_id, address, properties["dataUri"], _TYPES.get(properties["dataType"], "UriFolder"), None)
    return _run_output(call, asset_id, address)


def _run_output(call: Call, asset_id: str, address: re.Match[str]) -> Document | None:
    """A run's unregistered output lies where its name says: the default one in the artifact store (recorded)."""
    named = _OUTPUT.fullmatch(address["name"])
    run = call.world.runs.get(call.workspace.guid, named["run"]) if named else None
    if named is None or run is None:
        return None
    if named["output"] == "default":
        store, path = ARTIFACT_STORE, f"{RUN_ORIGIN}/{run['dataContainerId']}/"
    else:
        store, path = BLOB_STORE, f"azureml/{run['runId']}/{named['output']}/"
    return _version(asset_id, address, _long_uri(call, store, path), "UriFolder", run["runId"])


def _version(asset_id: str, address: re.Match[str], uri: str, kind: str, run_id: str | None) -> Document:
    return {
        "assetId": asset_id,
        "dataContainerName": address["name"],
        "dataType": kind,
        "dataUri": uri,
        "versionId": address["version"],
        "mutableProps": {
            "dataExpiryTime": None,
            "description": None,
            "tags": {},
            "isArchived": False,
            "stage": "Logged",
        },
        "referencedDataUris": None,
        "properties": {},
        "initialAssetId": asset_id,
        "isRegistered": run_id is None,
        "runId": run_id,
    }


def _long_uri(call: Call, store: str, path: str) -> str:
    """The long form, `resourcegroups` in lower case and no provider part (recorded)."""
    workspace = call.workspace
    return (
        f"azureml://subscriptions/{workspace.subscription_id}/resourcegroups/{workspace.resource_group}"
        f"/workspaces/{workspace.name}/datastores/{store}/paths/{path}"
    )


def _routes() -> tuple[Spoken, ...]:
    table = Table("data", "data-version")
    table.on("POST", "/dataversion/batchGetResolvedUris", resolved_uris)
    table.on("POST", "/dataversion/getByAssetId", by_asset_id)
    return tuple(table.routes)


ROUTES = _routes()
