"""ARM's routes that read assets: one, its versions, its container; newest first unless said otherwise.

Recorded: the order of versions, and what archiving hides of them (data-archive-restore 10-16,
env-archive-restore-version 2-8, data-list 2); containers of components newest first (component-list-paging 1), those of
models oldest first (model-list-paging 0); a component container's null `latestVersion` and its `nextVersion`, which is
the time of the request; all 404 texts but that of codes. `$orderBy=createdtime desc&$top=1` is recorded of components
(azure-sdk-for-python's recording of test_component_with_default_label); `$top` is the size of a page, not of the list.
`stage` filters a model's versions since 2023-04-01-preview (recorded: assets.md 1.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.responses import Response

from azureml_sandbox.arm.assets import graphless
from azureml_sandbox.arm.wire import arm_page, put_on, skipped
from azureml_sandbox.assets.places import short_scope
from azureml_sandbox.compute.components import labelled
from azureml_sandbox.history.access import strict
from azureml_sandbox.protocol import errors
from azureml_sandbox.protocol.bodies import arm_answer
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.limits import ASSETS_IN_PAGE, MODELS_IN_PAGE
from azureml_sandbox.protocol.route import Call, Handler, Spoken
from azureml_sandbox.world import Document, Kind, Listing, View

_VERSIONED: tuple[Kind, ...] = ("codes", "environments", "components", "data", "models")
_OLDEST_FIRST: frozenset[Kind] = frozenset({"models", "computes"})
"""Containers that come in the order of their making. Computes: assumption."""
_VIEWS: dict[str, View] = {"ActiveOnly": "ActiveOnly", "ArchivedOnly": "ArchivedOnly", "All": "All"}
_ORDERS = {"createdtime desc": True, "createdtime asc": False, "createdtime": False}
"""Whether each order is newest first."""
_FILTERS = frozenset({"$tags", "tags", "properties", "description", "version", "offset", "feed"})
"""What the interface files have beside, and nothing tells how it is understood."""
DEFAULT = "azureml_default"
"""What stands for a version where a component's label `default` is meant."""


def _containers(kind: Kind) -> Handler:
    async def answering(call: Call) -> Response:
        asked = _asked(call, kind, newest_first=kind not in _OLDEST_FIRST)
        found = call.world.assets.page(call.workspace.guid, kind, asked)
        shown = [(position, _shown(kind, document)) for position, document in found]
        return arm_answer(arm_page(call, shown, asked.limit - 1))

    return answering


def _container(kind: Kind) -> Handler:
    async def answering(call: Call) -> Response:
        return arm_answer(_shown(kind, _found(call, kind, call.path("name"), "")))

    return answering


def _versions(kind: Kind) -> Handler:
    async def answering(call: Call) -> Response:
        given = call.request.query_params
        asked = _asked(call, kind, newest_first=True)
        found: Sequence[tuple[int, Document]]
        if kind == "codes" and "hash" in given:
            # Recorded: the name in the URL does not matter, codes are found by the hash of their bytes.
            found = call.world.assets.codes_of_hash(call.workspace.guid, given["hash"])
        else:
            found = call.world.assets.versions(call.workspace.guid, kind, call.path("name"), asked)
        shown = [(position, _listed(call, kind, document)) for position, document in found]
        return arm_answer(arm_page(call, shown, asked.limit - 1))

    return answering


def _version(kind: Kind) -> Handler:
    async def answering(call: Call) -> Response:
        name, version = call.path("name"), call.path("asset_version")
        if kind == "components" and version == DEFAULT:
            return arm_answer(_default(call, name))
        return arm_answer(_whole(call, kind, _found(call, kind, name, version)))

    return answering


def _whole(call: Call, kind: Kind, document: Document) -> Document:
    """A version as a GET answers it."""
    return graphless(document) if kind == "components" and "hide-component-graphs" in strict(call) else document


def _listed(call: Call, kind: Kind, document: Document) -> Document:
    """A version as a list answers it: data under a shorter URI (recorded: data-archive-restore 10, 11)."""
    if kind != "data":
        return _whole(call, kind, document)
    properties = document["properties"]
    return document | {"properties": properties | {"dataUri": short_scope(call.workspace, properties["dataUri"])}}


def _default(call: Call, name: str) -> Document:
    """The component of the label `default`: its id is that of the label, its name that of the version.

    Recorded in azure-sdk-for-python, test_component_with_default_label.
    """
    found = labelled(call.world, call.workspace, name, "default")
    if found is None:
        raise _missing("components", name, DEFAULT)
    document = _whole(call, "components", found)
    return document | {"id": f"{call.workspace.arm_id}/components/{name}/labels/default"}


def _asked(call: Call, kind: Kind, *, newest_first: bool) -> Listing:
    """What a list's query asks for, one entry more than its page. Raises Refused: 400, or 501 for another order."""
    given = call.request.query_params
    most = MODELS_IN_PAGE if kind == "models" else ASSETS_IN_PAGE
    view, top = _VIEWS.get(given.get("listViewType", "ActiveOnly")), given.get("$top", str(most))
    if view is None or not top.isdecimal() or int(top) == 0:
        raise errors.invalid("listViewType or $top has a value that cannot be understood.")
    order, unknown = given.get("$orderBy"), sorted(_FILTERS & given.keys())
    if unknown:
        raise Refused(501, f"The sandbox does not filter by {', '.join(unknown)}.", ("SandboxNotImplemented",))
    if order is not None and order not in _ORDERS:
        raise Refused(501, f"The sandbox does not order by {order}.", ("SandboxNotImplemented",))
    return Listing(
        view="All" if kind in {"codes", "computes"} else view,  # these have no such filter (mfe-2024-04-01.json)
        newest_first=newest_first if order is None else _ORDERS[order],
        after=skipped(call),
        limit=min(int(top), most) + 1,
        stage=given.get("stage") if kind == "models" else None,
    )


def _shown(kind: Kind, container: Document) -> Document:
    """A container as it is answered: the next version of a component is the time, to 100 ns."""
    if kind != "components":
        return container
    now = datetime.now(UTC)
    stamp = f"{now:%Y-%m-%d-%H-%M-%S}-{now.microsecond:06}0"
    return container | {"properties": container.get("properties", {}) | {"latestVersion": None, "nextVersion": stamp}}


def _found(call: Call, kind: Kind, name: str, version: str) -> Document:
    found = call.world.assets.get(call.workspace.guid, kind, name, version)
    if found is None:
        raise _missing(kind, name, version)
    return found


def _missing(kind: Kind, name: str, version: str) -> Refused:
    """404 in the words of the service behind ARM; all but that of codes are recorded."""
    match kind:
        case "components":
            return Refused(404, f"Not found component {name}.", ("UserError", "NotFound", "ComponentNotFound"))
        case "environments":
            text = f"No environment exists for name: {name}, version: {version}, label: "
            return Refused(404, text, ("UserError", "NotFoundError"))
        case "data":
            text = f"Data version {name}:{version} (dataContainerName:version) not found."
            return Refused(404, text, ("UserError", "NotFoundError"))
        case "models":
            return Refused(404, "The specified resource was not found.", ("UserError", "ModelNotFound"))
        case _:
            return Refused(404, f"{kind} {name}:{version} was not found.", ("UserError", "NotFoundError"))


def _routes() -> tuple[Spoken, ...]:
    routes: list[Spoken] = []
    put_on(routes, "GET", "/computes", _containers("computes"))
    for kind in _VERSIONED:
        put_on(routes, "GET", f"/{kind}", _containers(kind))
        put_on(routes, "GET", f"/{kind}/{{name}}", _container(kind))
        put_on(routes, "GET", f"/{kind}/{{name}}/versions", _versions(kind))
        put_on(routes, "GET", f"/{kind}/{{name}}/versions/{{asset_version}}", _version(kind))
    return tuple(routes)


ROUTES = _routes()
