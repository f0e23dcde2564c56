"""ARM's routes that write assets, which a submission brings along: codes, environments, components and data.

Recorded: PUT of each, new (201) and taken (200), the answer's changes, `hash`, the refusal of a changed component;
`startPendingUpload` from its recorded description. A container's `latestVersion` is the last one written (assumption).
"""

from __future__ import annotations

import json
from uuid import uuid4

import yaml  # type: ignore[import-untyped]
from starlette.responses import Response

from azureml_sandbox import instants
from azureml_sandbox.arm.component_spec import kept
from azureml_sandbox.arm.wire import put_on
from azureml_sandbox.compute.places import long_uri
from azureml_sandbox.documents.assets import container
from azureml_sandbox.guids import stable_guid
from azureml_sandbox.history.access import caller
from azureml_sandbox.protocol import errors
from azureml_sandbox.protocol.bodies import arm_answer, body, part
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.route import Call, Handler, Spoken
from azureml_sandbox.world import Document, Kind

ANONYMOUS = "azureml_anonymous"
_SAS_HOURS = 8
_ENVIRONMENT = ("image", "condaFile", "build", "osType")
"""The keys that make two environments different."""
_IMMUTABLE = ("code", "command", "environment", "inputs", "outputs", "type", "jobs")


async def pending_upload(call: Call) -> Response:
    """POST codes/{name}/versions/{v}/startPendingUpload: a container of its own, and a SAS for it."""
    container, account = f"{uuid4().hex[:8]}-{uuid4()}", call.workspace.account
    await call.storage.create_container(account, container)
    url = call.storage.sas_url(account, container, None, "rwlac", _SAS_HOURS)
    plain, _, sas = url.partition("?")
    blob_uri = plain.replace(".net/", ".net:443/", 1)
    group = f"/subscriptions/{call.workspace.subscription_id}/resourceGroups/{call.workspace.resource_group}"
    return arm_answer(
        {
            "blobReferenceForConsumption": {
                "blobUri": blob_uri,
                "storageAccountArmId": f"{group}/providers/Microsoft.Storage/storageAccounts/{account}",
                "credential": {"credentialType": "SAS", "sasUri": f"{blob_uri}?{sas}"},
            },
            "pendingUploadId": str(uuid4()),
            "pendingUploadType": "None",
        }
    )


async def code(call: Call) -> Response:
    """PUT codes/{name}/versions/{v}: comes back as not anonymous, its values as strings (recorded)."""
    given = await _given(call)
    values = {key: str(value) for key, value in (given.get("properties") or {}).items()}
    return _stored(
        call, "codes", given | {"isAnonymous": False, "properties": values, "provisioningState": "Succeeded"}
    )


async def environment(call: Call) -> Response:
    """PUT environments/{name}/versions/{v}: `condaFile` goes in as YAML and comes back as indented JSON (recorded).

    Raises Refused (409) where another environment has the version: azure-ai-ml then takes the next one (its source).
    """
    given = await _given(call)
    conda = given.get("condaFile")
    try:
        text = json.dumps(yaml.safe_load(conda), indent=2) if conda else ""
    except yaml.YAMLError as wrong:
        raise Refused(400, f"condaFile: {wrong}", ("UserError", "BadArgument", "InvalidCondaFile")) from wrong
    filled = {"environmentType": "UserCreated", "osType": "Linux", "autoRebuild": "Disabled", "stage": "Development"}
    made = filled | given | {"condaFile": text, "provisioningState": "Succeeded"}
    made["osType"] = str(made["osType"] or "Linux").capitalize()  # sent as `linux` too, which is the same
    name, version = call.path("name"), call.path("asset_version")
    there = call.world.assets.get(call.workspace.guid, "environments", name, version)
    if there is not None and any(there["properties"].get(key) != made.get(key) for key in _ENVIRONMENT):
        raise errors.conflict(f"Environment {name}:{version} already exists, it cannot be changed.")
    return _stored(call, "environments", made)


async def data(call: Call) -> Response:
    """PUT data/{name}/versions/{v}: a short datastore URI comes back long, a folder's with `/` at its end.

    What was sent as anonymous comes back as not anonymous (both: automl-image-object-detection 4).
    """
    given = await _given(call)
    uri = given.get("dataUri")
    if not isinstance(uri, str):
        raise Refused(400, "The DataUri field is required.", ("UserError", "BadArgument", "ArgumentBlankOrEmpty"))
    folder = given.get("dataType") == "uri_folder" and uri.startswith("azureml:") and not uri.endswith("/")
    made = given | {"dataUri": long_uri(call.workspace, uri) + ("/" if folder else ""), "isAnonymous": False}
    return _stored(call, "data", made, listed=not given["isAnonymous"])


async def component(call: Call) -> Response:
    """PUT components/{name}/versions/{v}.

    An anonymous one is answered, and kept, under another guid than the URL's (2,010 times recorded; here the same one
    for the same URL). A pipeline's graph is not in the answer (recorded), though it is kept.
    """
    given = await _given(call)
    spec: Document = part(given, "componentSpec", "object") or {}
    name, version = call.path("name"), call.path("asset_version")
    if name == ANONYMOUS:
        version = stable_guid(ANONYMOUS, version)
    made = given | {"description": None, "componentSpec": kept(spec, version)}
    stored = call.world.assets.get(call.workspace.guid, "components", name, version)
    if stored is not None:
        _unchanged(name, stored["properties"]["componentSpec"], made["componentSpec"])
    answer = _put(call, "components", name, version, made, listed=not made["isAnonymous"])
    shown = {key: value for key, value in answer["properties"]["componentSpec"].items() if key != "jobs"}
    document = answer | {"properties": answer["properties"] | {"componentSpec": shown}}
    return arm_answer(document, 200 if stored is not None else 201)


def _unchanged(name: str, stored: Document, given: Document) -> None:
    changed = next((key for key in _IMMUTABLE if stored.get(key) != given.get(key)), None)
    if changed is not None:
        raise Refused(
            400,
            f'Failed to update component {name} since field "{changed}" is immutable, try specifying a new version.',
            ("UserError", "BadArgument", "ArgumentInvalid", "UpdateComponentFailed"),
        )


async def _given(call: Call) -> Document:
    given: Document = part(await body(call), "properties", "object") or {}
    return {"description": None, "tags": {}, "properties": {}, "isArchived": False, "isAnonymous": False} | given


def _stored(call: Call, kind: Kind, properties: Document, *, listed: bool | None = None) -> Response:
    name, version = call.path("name"), call.path("asset_version")
    there = call.world.assets.get(call.workspace.guid, kind, name, version) is not None
    # An environment answers 201 to an update too (recorded).
    status = 200 if there and kind != "environments" else 201
    listed = not properties.get("isAnonymous") and kind != "codes" if listed is None else listed
    return arm_answer(_put(call, kind, name, version, properties, listed=listed), status)


def _put(call: Call, kind: Kind, name: str, version: str, properties: Document, *, listed: bool) -> Document:
    """Write a version, and its container where it is `listed`: what is anonymous has none (assumption)."""
    assets, guid = call.world.assets, call.workspace.guid
    before = assets.get(guid, kind, name, version)
    document = {
        "id": f"{call.workspace.arm_id}/{kind}/{name}/versions/{version}",
        "name": version,
        "type": f"Microsoft.MachineLearningServices/workspaces/{kind}/versions",
        "properties": properties,
        "systemData": _system_data(call, before),
    }
    with call.world.transaction():
        assets.put(guid, kind, name, document, version)
        if listed:
            told = _system_data(call, assets.get(guid, kind, name))
            assets.put(guid, kind, name, container(call.workspace, kind, name, version, told))
    return document


def _system_data(call: Call, before: Document | None) -> Document:
    user, now = caller(call), instants.text(instants.now())
    by = {"By": user["userName"], "ByType": "User" if user["upn"] else "Application"}
    created = (before or {}).get("systemData") or {f"created{key}": value for key, value in ({"At": now} | by).items()}
    return created | {f"lastModified{key}": value for key, value in ({"At": now} | by).items()}


def _routes() -> tuple[Spoken, ...]:
    routes: list[Spoken] = []
    handlers: dict[Kind, Handler] = {
        "codes": code,
        "environments": environment,
        "data": data,
        "components": component,
    }
    for kind, handler in handlers.items():
        put_on(routes, "PUT", f"/{kind}/{{name}}/versions/{{asset_version}}", handler, "write")
    put_on(routes, "POST", "/codes/{name}/versions/{asset_version}/startPendingUpload", pending_upload, "write")
    return tuple(routes)


ROUTES = _routes()
