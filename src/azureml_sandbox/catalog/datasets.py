"""Datasets of the old kind, `/dataset/v1.0`: documents whose `dataflow` is a program, under ids that the server makes.

From dataset-dataplane.json, and by their saved id from azureml-core. Nothing of it was recorded. Assumptions: a name is
taken once (409), unless `ifExistsOk` gives the one that is there and `updateDefinitionIfExists` adds a version to it;
versions count from 1; the oldest comes first; what is not visible is listed where that is asked for. v1.2, v2.0, and
other filters and orders of the list are not spoken (501).
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

from starlette.responses import Response

from azureml_sandbox import instants
from azureml_sandbox.history.access import caller
from azureml_sandbox.protocol import errors
from azureml_sandbox.protocol.bodies import Table, answer, body, number, page, part
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.limits import ASSETS_IN_PAGE
from azureml_sandbox.protocol.route import Call, Spoken
from azureml_sandbox.world import Document, Listing

_ALL = 1_000_000
_LISTED = frozenset({"includeInvisible", "includeLatestDefinition", "datasetNames", "pageSize", "continuationToken"})
_DEFINED = ("dataflow", "dataflowType", "dataPath", "partitionFormatInPath", "notes", "fileType", "description", "tags")
_MORE = ("properties", "savedDatasetId", "telemetryInfo", "dataExpiryTime")


async def listed(call: Call) -> Response:
    """GET datasets?includeInvisible=&includeLatestDefinition=&datasetNames=&pageSize=."""
    asked = call.request.query_params
    if unknown := sorted(asked.keys() - _LISTED):
        raise Refused(501, f"The sandbox does not understand {', '.join(unknown)} here.", ("SandboxNotImplemented",))
    size = asked.get("pageSize", str(ASSETS_IN_PAGE))
    if not size.isdecimal() or int(size) == 0:
        raise errors.invalid(f"pageSize {size} must be a positive number.")
    named, hidden = asked.getlist("datasetNames"), _true(call, "includeInvisible")
    every = [each for each in _every(call) if (hidden or each["isVisible"]) and (not named or each["name"] in named)]
    after, most = number(asked.get("continuationToken")), min(int(size), ASSETS_IN_PAGE)
    found = [_shown(call, each, whole=_true(call, "includeLatestDefinition")) for each in every[after : after + most]]
    following = after + most if len(every) > after + most else None
    return answer(page(call, found, following, "continuationToken"))


async def register(call: Call) -> Response:
    """POST datasets?ifExistsOk=&updateDefinitionIfExists=&userVersionId=."""
    given = await body(call)
    name = part(given, "name", "string")
    if not name:
        raise errors.invalid("The name field is required.")
    there = next((each for each in _every(call) if each["name"] == name), None)
    if there is not None and not _true(call, "ifExistsOk"):
        raise errors.conflict(f"Dataset {name} already exists.")
    definition = part(given, "latest", "object") or {}
    if there is None:
        there = _made(call, given, str(name))
        _define(call, there, definition)
    elif _true(call, "updateDefinitionIfExists"):
        _define(call, there, definition)
    return answer(_shown(call, _dataset(call, there["datasetId"]), whole=True))


async def define(call: Call) -> Response:
    """POST datasets/{id}/definitions: a further version."""
    found = _dataset(call, call.path("dataset_id"))
    _define(call, found, await body(call))
    return answer(_shown(call, _dataset(call, found["datasetId"]), whole=True))


async def named(call: Call) -> Response:
    """GET datasets/query/name={name}?versionId=: that version is the `latest` of the answer then (assumption)."""
    name, wanted = call.path("name"), call.request.query_params.get("versionId")
    found = next((each for each in _every(call) if each["name"] == name), None)
    if found is None:
        raise errors.not_found("Dataset", name)
    shown = _shown(call, found, whole=True)
    return answer(shown | {"latest": _definition(call, found["datasetId"], wanted)} if wanted else shown)


async def saved(call: Call) -> Response:
    """GET datasets/query/savedDatasetId={id}: the dataset with the version that was saved under this id."""
    wanted = call.path("saved_id")
    for found in _every(call):
        for definition in _definitions(call, found["datasetId"]):
            if definition["savedDatasetId"] == wanted:
                return answer(found | {"latest": definition})
    raise errors.not_found("Dataset", wanted)


async def versions(call: Call) -> Response:
    """GET datasets/{id}/versions: the versions' names."""
    found = _dataset(call, call.path("dataset_id"))
    return answer({"value": [each["versionId"] for each in _definitions(call, found["datasetId"])]})


async def definitions(call: Call) -> Response:
    """GET datasets/{id}/definitions."""
    found = _dataset(call, call.path("dataset_id"))
    return answer({"value": _definitions(call, found["datasetId"])})


async def definition(call: Call) -> Response:
    """GET datasets/{id}/definitions/{version}."""
    return answer(_definition(call, call.path("dataset_id"), call.path("asset_version")))


def _every(call: Call) -> Iterator[Document]:
    """All datasets, the oldest first."""
    for _, document in call.world.assets.page(call.workspace.guid, "datasets", Listing(limit=_ALL)):
        yield document


def _dataset(call: Call, dataset_id: str) -> Document:
    found = call.world.assets.get(call.workspace.guid, "datasets", dataset_id)
    if found is None:
        raise errors.not_found("Dataset", dataset_id)
    return found


def _definitions(call: Call, dataset_id: str) -> list[Document]:
    found = call.world.assets.versions(call.workspace.guid, "datasets", dataset_id, Listing(limit=_ALL))
    return [document for _, document in found]


def _definition(call: Call, dataset_id: str, version: str) -> Document:
    found = call.world.assets.get(call.workspace.guid, "datasets", dataset_id, version)
    if found is None or not version:
        raise errors.not_found("Dataset definition", f"{dataset_id}:{version}")
    return found


def _made(call: Call, given: Document, name: str) -> Document:
    now = instants.text(instants.now())
    visible = given.get("isVisible")
    document: Document = {
        "datasetId": str(uuid4()),
        "datasetState": {"state": "Active", "deprecatedBy": None, "etag": None},
        "nextVersionId": "1",
        "createdTime": now,
        "modifiedTime": now,
        "etag": None,
        "name": name,
        "description": given.get("description"),
        "tags": part(given, "tags", "object") or {},
        "isVisible": True if visible is None else bool(visible),
        "defaultCompute": given.get("defaultCompute"),
        "datasetType": given.get("datasetType"),
    }
    call.world.assets.put(call.workspace.guid, "datasets", document["datasetId"], document)
    return document


def _define(call: Call, found: Document, given: Document) -> None:
    """Add a version to a dataset. Raises Refused (409) for one that is taken."""
    dataset_id, now, user = found["datasetId"], instants.text(instants.now()), caller(call)
    version = call.request.query_params.get("userVersionId") or str(found["nextVersionId"])
    assets, guid = call.world.assets, call.workspace.guid
    if assets.get(guid, "datasets", dataset_id, version) is not None:
        raise errors.conflict(f"Dataset {found['name']} has a version {version} already.")
    made = {
        "datasetId": dataset_id,
        "versionId": version,
        "datasetDefinitionState": {"state": "Active", "deprecatedBy": None, "etag": None},
        **{key: given.get(key) for key in (*_DEFINED, *_MORE)},
        "savedDatasetId": given.get("savedDatasetId") or str(uuid4()),
        "etag": None,
        "createdTime": now,
        "modifiedTime": now,
        "createdBy": user,
        "modifiedBy": user,
    }
    following = str(max(int(found["nextVersionId"]), int(version) + 1 if version.isdecimal() else 1))
    with call.world.transaction():
        assets.put(guid, "datasets", dataset_id, made, version)
        assets.put(guid, "datasets", dataset_id, found | {"nextVersionId": following, "modifiedTime": now})


def _shown(call: Call, document: Document, *, whole: bool) -> Document:
    """A dataset, with its version made last where that is asked for."""
    kept = _definitions(call, document["datasetId"]) if whole else []
    return document | {"latest": kept[-1] if kept else None}


def _true(call: Call, key: str) -> bool:
    return call.request.query_params.get(key, "false").lower() == "true"


def _routes() -> tuple[Spoken, ...]:
    table = Table("dataset", "dataset")
    table.on("GET", "/datasets", listed)
    table.on("POST", "/datasets", register, "write")
    table.on("GET", "/datasets/query/name={name}", named)
    table.on("GET", "/datasets/query/savedDatasetId={saved_id}", saved)
    table.on("GET", "/datasets/{dataset_id}/versions", versions)
    table.on("GET", "/datasets/{dataset_id}/definitions", definitions)
    table.on("POST", "/datasets/{dataset_id}/definitions", define, "write")
    table.on("GET", "/datasets/{dataset_id}/definitions/{asset_version}", definition)
    return tuple(table.routes)


ROUTES = _routes()
