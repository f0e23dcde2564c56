"""The models for `/modelregistry/v1.0`, which azure-ai-ml asks, and `/modelmanagement/v1.0`, which azureml-core asks.

Nothing of it was recorded; the forms are those of the two clients (model_dataplane; ml_models_operations and
assets_operations), that the newest comes first is what azureml-core promises of `Model(ws, name)`. Assumptions: a
version that is no number is not shown, since the form has numbers only; `url` is the model's URI; what stands for an
output is listed as an empty container (recorded of ARM: model-list-paging 0), is made once (409), and of a run that is
here (404). Orders and filters beyond those below are not spoken (501).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from starlette.responses import Response

from azureml_sandbox.assets import implicit, models, store
from azureml_sandbox.assets.implicit import Way
from azureml_sandbox.assets.model_uris import located
from azureml_sandbox.protocol import errors
from azureml_sandbox.protocol.bodies import Table, answer, body, number, page, part
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.limits import MODELS_IN_PAGE
from azureml_sandbox.protocol.route import Call, Handler, Spoken
from azureml_sandbox.world import Document, Listing

_FORMATS = {"CUSTOM": "custom_model", "MLFLOW": "mlflow_model", "TRITON": "triton_model"}
_TYPES = {"CustomModel": "custom_model", "MLFlowModel": "mlflow_model", "TritonModel": "triton_model"}
"""The words of run history's outputs, by which azure-ai-ml knows models among them (_job_ops_helper.py)."""
_FILTERS = frozenset({"name", "runId", "tags", "properties", "latestVersionOnly", "listViewType", "count"})
_SKIP = "$skipToken"
_ARTIFACT, _ASSET = "aml://artifactId/", "aml://asset/"
_ALL = 1_000_000


async def register(call: Call) -> Response:
    """POST models: the version that is said, which must be new, else the next one."""
    given = await body(call)
    name = part(given, "name", "string") or ""
    around = call.world.assets.get(call.workspace.guid, "models", name) or {}
    version = str(given.get("version") or (around.get("properties") or {}).get("nextVersion") or "1")
    if not name or not version.isdecimal():
        raise errors.invalid("A model needs a name, and a number as its version.")
    if call.world.assets.get(call.workspace.guid, "models", name, version) is not None:
        raise errors.conflict(f"Model {name}:{version} already exists.")
    told = {key: given.get(key) for key in ("description", "stage")} | {
        "tags": part(given, "kvTags", "object") or {},
        "properties": part(given, "properties", "object") or {},
        "isArchived": False,
        "isAnonymous": False,
        "modelType": given.get("modelType") or _FORMATS.get(str(given.get("modelFormat")).upper(), "custom_model"),
        "modelUri": _place(call, str(given.get("url") or "")),
        "flavors": {key: {"data": data} for key, data in (part(given, "flavors", "object") or {}).items()},
        "jobName": given.get("runId"),
    }
    made = await models.put_by_arm(call, told, None, staged=True, copied=False)
    return answer(_shown(call, name, store.put(call, "models", name, version, made | {"jobName": _run(call, given)})))


def _run(call: Call, given: Document) -> str | None:
    run_id = part(given, "runId", "string")
    if run_id is not None and call.world.runs.get(call.workspace.guid, run_id) is None:
        raise errors.run_not_found(run_id)
    return str(run_id) if run_id is not None else None


def _place(call: Call, url: str) -> str:
    """The URI behind the old forms of one. Raises Refused (404)."""
    if url.startswith(_ARTIFACT):
        return f"azureml://artifacts/{url.removeprefix(_ARTIFACT)}"
    if not url.startswith(_ASSET):
        return url
    asset = call.world.assets.get(call.workspace.guid, "assets", url.removeprefix(_ASSET))
    if asset is None:
        raise errors.not_found("Asset", url)
    artifact = asset["artifacts"][0]
    return f"azureml://artifacts/{artifact.get('prefix') or artifact.get('id')}"


async def listed(call: Call) -> Response:
    """GET models?name=&runId=&tags=&properties=&latestVersionOnly=&count=: the newest first."""
    asked = call.request.query_params
    if unknown := sorted(asked.keys() - _FILTERS - {_SKIP}):
        raise Refused(501, f"The sandbox does not understand {', '.join(unknown)} here.", ("SandboxNotImplemented",))
    count = asked.get("count", str(MODELS_IN_PAGE))
    if not count.isdecimal() or int(count) == 0:
        raise errors.invalid(f"count {count} must be a positive number.")
    after, size = number(asked.get(_SKIP)), min(int(count), MODELS_IN_PAGE)
    found = [_shown(call, name, document) for name, document in _every(call, asked) if _fits(document, asked)]
    following = after + size if len(found) > after + size else None
    return answer(page(call, found[after : after + size], following, _SKIP))


def _every(call: Call, asked: Mapping[str, str]) -> Iterator[tuple[str, Document]]:
    """All versions with a number, the newest first, each with its name."""
    assets, guid = call.world.assets, call.workspace.guid
    containers = [document["name"] for _, document in assets.page(guid, "models", Listing(limit=_ALL))]
    wanted = [name for name in containers if asked.get("name") in {None, name}]
    view = asked.get("listViewType", "ActiveOnly")
    if view not in {"ActiveOnly", "ArchivedOnly", "All"}:
        raise errors.invalid("listViewType has a value that cannot be understood.")
    listing = Listing(view, newest_first=True, limit=_ALL)  # type: ignore[arg-type]
    found: list[tuple[int, str, Document]] = []
    for name in wanted:
        numbered = [each for each in assets.versions(guid, "models", name, listing) if each[1]["name"].isdecimal()]
        found += [(at, name, document) for at, document in numbered[: 1 if _true(asked, "latestVersionOnly") else None]]
    for _, name, document in sorted(found, key=lambda each: each[0], reverse=True):
        yield name, document


def _fits(document: Document, asked: Mapping[str, str]) -> bool:
    properties = document["properties"]
    return (
        asked.get("runId") in {None, properties["jobName"]}
        and _has(properties.get("tags") or {}, asked.get("tags"))
        and _has(properties.get("properties") or {}, asked.get("properties"))
    )


def _has(kept: Mapping[str, Any], wanted: str | None) -> bool:
    """Whether all of `key` and `key=value`, between commas, are there (form: azureml-core's docstring)."""
    pairs = [each.partition("=") for each in (wanted or "").split(",") if each]
    return all(key in kept and (not equals or kept[key] == value) for key, equals, value in pairs)


def _true(asked: Mapping[str, str], key: str) -> bool:
    return asked.get(key, "false").lower() == "true"


async def one(call: Call) -> Response:
    """GET models/{name}:{version}."""
    name, _, version = call.path("id").rpartition(":")
    found = call.world.assets.get(call.workspace.guid, "models", name, version) if version.isdecimal() else None
    if found is None:
        raise errors.not_found("Model", call.path("id"))
    return answer(_shown(call, name, found))


def _unregistered(way: Way) -> Handler:
    """POST models/createUnregisteredInput, createUnregisteredOutput {runId, inputName, outputName, path, type}."""

    async def answering(call: Call) -> Response:
        given = await body(call)
        run_id, port, path, wire = (part(given, key, "string") for key in ("runId", f"{way}Name", "path", "type"))
        if not (run_id and port and path) or wire not in _TYPES:
            raise errors.invalid("runId, name, path and a type of models are required.")
        name = implicit.model_name(run_id, way, port)
        _run(call, given)
        if call.world.assets.get(call.workspace.guid, "models", name, "1") is not None:
            raise errors.conflict(f"Model {name}:1 already exists.")
        told: Document = {"modelType": _TYPES[wire], "modelUri": located(call, path).uri, "flavors": {}}
        with call.world.transaction():
            now = store.system_data(call, None)
            made = implicit.put_model(call.world, call.workspace, name, told | {"jobName": run_id}, now)
        return answer(_shown(call, name, made))

    return answering


async def resolved_uris(call: Call) -> Response:
    """POST models/batchGetResolvedUris {values:[assetId]}: ids that are not known are left out, as of data."""
    values: Document = {}
    types = {kind: wire for wire, kind in _TYPES.items()}
    for asset_id in part(await body(call), "values", "array") or []:
        address = implicit.parse(call.workspace, str(asset_id))
        if address is None or address.kind != "models":
            continue
        found = call.world.assets.get(call.workspace.guid, "models", address.name, address.version)
        if found is not None:
            values[asset_id] = {
                "path": found["properties"]["modelUri"],
                "type": types[found["properties"]["modelType"]],
            }
    return answer({"values": values})


async def add_asset(call: Call) -> Response:
    """POST assets: what azureml-core registers a run's model from."""
    given = await body(call)
    artifacts = part(given, "artifacts", "array") or []
    if not artifacts or not all(
        isinstance(each, dict) and (each.get("prefix") or each.get("id")) for each in artifacts
    ):
        raise errors.invalid("An asset needs artifacts.")
    made = given | {"id": uuid4().hex, "createdTime": store.system_data(call, None)["createdAt"]}
    call.world.assets.put(call.workspace.guid, "assets", made["id"], made)
    return answer(made)


async def asset(call: Call) -> Response:
    """GET assets/{id}."""
    found = call.world.assets.get(call.workspace.guid, "assets", call.path("id"))
    if found is None:
        raise errors.not_found("Asset", call.path("id"))
    return answer(found)


def _shown(call: Call, name: str, document: Document) -> Document:
    """A version in this service's form."""
    properties, told, version = document["properties"], document["systemData"], document["name"]
    run = call.world.runs.get(call.workspace.guid, properties.get("jobName") or "")
    experiment = call.world.experiments.get(call.workspace.guid, run["experimentId"]) if run else None
    formats = {kind: form for form, kind in _FORMATS.items()}
    return {
        "id": f"{name}:{version}",
        "name": name,
        "framework": "Custom",
        "frameworkVersion": None,
        "version": int(version),
        "tags": list(properties.get("tags") or {}),
        "datasets": [],
        "url": properties["modelUri"],
        "mimeType": "application/json",
        "description": properties.get("description"),
        "createdTime": told.get("createdAt"),
        "modifiedTime": told.get("lastModifiedAt"),
        "unpack": False,
        "parentModelId": None,
        "runId": properties.get("jobName"),
        "experimentName": experiment["name"] if experiment else None,
        "kvTags": properties.get("tags") or {},
        "properties": properties.get("properties") or {},
        "derivedModelIds": None,
        "flavors": {key: flavor.get("data") or {} for key, flavor in (properties.get("flavors") or {}).items()},
        "modelFormat": formats.get(properties["modelType"], "CUSTOM"),
        "modelType": properties["modelType"],
        "stage": properties.get("stage"),
        "modelContainerId": name,
        "isAnonymous": bool(properties.get("isAnonymous")),
        "isArchived": bool(properties.get("isArchived")),
        "isRegistered": not properties.get("isAnonymous"),
        "dataPath": properties["modelUri"],
        "assetId": implicit.asset_id(call.workspace, "models", name, version),
    }


def _routes() -> tuple[Spoken, ...]:
    registry, management = Table("modelregistry", "model-registry"), Table("modelmanagement", "model-management")
    for table in (registry, management):
        table.on("POST", "/models", register, "write")
        table.on("GET", "/models", listed)
        table.on("GET", "/models/{id}", one)
    registry.on("POST", "/models/createUnregisteredInput", _unregistered("input"), "write")
    registry.on("POST", "/models/createUnregisteredOutput", _unregistered("output"), "write")
    registry.on("POST", "/models/batchGetResolvedUris", resolved_uris)
    management.on("POST", "/assets", add_asset, "write")
    management.on("GET", "/assets/{id}", asset)
    return (*registry.routes, *management.routes)


ROUTES = _routes()
