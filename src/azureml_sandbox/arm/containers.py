"""ARM's routes that write the containers of assets, and those that delete.

From mfe-2024-04-01.json: both, the `dataType` that data needs; recorded of components: that a container takes a PUT.
Assumptions: a container that has versions is not deleted (409); what is deleted leaves the count of versions as it is.
"""

from __future__ import annotations

from starlette.responses import Response

from azureml_sandbox.arm.assets import named
from azureml_sandbox.arm.wire import put_on
from azureml_sandbox.assets import store
from azureml_sandbox.assets.documents import container
from azureml_sandbox.protocol import errors
from azureml_sandbox.protocol.bodies import arm_answer, body, part
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.route import Call, Handler, Spoken
from azureml_sandbox.world import Document, Kind, Listing

_KINDS: tuple[Kind, ...] = ("codes", "environments", "components", "data", "models")
_WRITTEN = ("description", "tags", "properties", "isArchived")


def _put(kind: Kind) -> Handler:
    async def answering(call: Call) -> Response:
        name, given = named(call), part(await body(call), "properties", "object") or {}
        there = call.world.assets.get(call.workspace.guid, kind, name)
        told = {key: given[key] for key in _WRITTEN if given.get(key) is not None}
        told |= _typed(there, given) if kind == "data" else {}
        told["properties"] = store.appended(there, told.get("properties") or {})
        system_data = store.system_data(call, there)
        made = there or container(call.workspace, kind, name, system_data)
        made |= {"properties": made["properties"] | told, "systemData": system_data}
        call.world.assets.put(call.workspace.guid, kind, name, made)
        return arm_answer(made, 201 if there is None else 200)

    return answering


def _typed(there: Document | None, given: Document) -> Document:
    """The type of data, which a container keeps. Raises Refused (400)."""
    kept = (there or {}).get("properties", {}).get("dataType")
    kind = given.get("dataType")
    if not isinstance(kind, str) or kept not in (None, kind):
        words = f"The DataType {kind} is not valid."
        raise Refused(400, words, ("UserError", "BadArgument", "ArgumentInvalid"))
    return {"dataType": kind}


def _delete(kind: Kind) -> Handler:
    async def answering(call: Call) -> Response:
        name, assets, guid = call.path("name"), call.world.assets, call.workspace.guid
        if assets.get(guid, kind, name) is None:
            return Response(status_code=204)
        if assets.versions(guid, kind, name, Listing(limit=1)):
            raise errors.conflict(f"{name} has versions, it cannot be deleted.")
        assets.delete(guid, kind, name)
        return Response(status_code=200)

    return answering


def _delete_version(kind: Kind) -> Handler:
    async def answering(call: Call) -> Response:
        gone = store.delete(call, kind, call.path("name"), call.path("asset_version"))
        return Response(status_code=200 if gone else 204)

    return answering


def _routes() -> tuple[Spoken, ...]:
    routes: list[Spoken] = []
    for kind in _KINDS:
        put_on(routes, "PUT", f"/{kind}/{{name}}", _put(kind), "write")
        put_on(routes, "DELETE", f"/{kind}/{{name}}", _delete(kind), "write")
        put_on(routes, "DELETE", f"/{kind}/{{name}}/versions/{{asset_version}}", _delete_version(kind), "write")
    return tuple(routes)


ROUTES = _routes()
