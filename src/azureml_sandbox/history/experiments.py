"""Run history's routes for experiments. They are known from run-history.json only; nothing was recorded."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from azureml_sandbox import instants
from azureml_sandbox.history import run_document
from azureml_sandbox.history.access import COMPONENT, experiment_name, scope, strict
from azureml_sandbox.protocol import errors, limits
from azureml_sandbox.protocol.bodies import Table, answer, body, number, page, part
from azureml_sandbox.protocol.route import Call, Spoken
from azureml_sandbox.world import Document, RunQuery, View

_VIEWS: dict[str, View] = {
    "Default": "ActiveOnly",
    "ActiveOnly": "ActiveOnly",
    "ArchivedOnly": "ArchivedOnly",
    "All": "All",
}


_URL_SAFE = re.compile(r"[A-Za-z0-9._~-]+")
"""Which names are, is an assumption: the characters that a URL never escapes (RFC 3986)."""


async def get(call: Call) -> Response:
    """GET experiments/{name} and experimentids/{id}, archived ones too."""
    return answer(_meant(call))


async def create(call: Call) -> Response:
    """POST experiments/{name}; a name that is taken is refused (409, assumption)."""
    name = experiment_name(call.path("experiment_name"))
    if call.world.experiments.named(call.workspace.guid, name) is not None:
        raise errors.conflict(f"Experiment {name} already exists.")
    return answer(call.world.experiments.create(call.workspace.guid, name))


async def modify(call: Call) -> Response:
    """PATCH experimentids/{id} {name, description, tags, archive, retainForLifetimeOfWorkspace}: tags are merged."""
    change, experiment = await body(call), _meant(call)
    changed = experiment | _changes(experiment, {key: value for key, value in change.items() if value is not None})
    namesake = call.world.experiments.named(call.workspace.guid, changed["name"])
    if namesake is not None and namesake["experimentId"] != changed["experimentId"]:
        raise errors.conflict(f"Experiment {changed['name']} already exists.")
    call.world.experiments.put(call.workspace.guid, changed)
    return answer(changed)


async def delete(call: Call) -> Response:
    """DELETE experimentids/{id}: "an existing empty experiment"."""
    experiment = _meant(call)
    if call.world.runs.query(call.workspace.guid, RunQuery(experiment["experimentId"]), limit=1):
        raise errors.invalid(f"Experiment {experiment['name']} has runs.")
    call.world.experiments.delete(call.workspace.guid, experiment["experimentId"])
    return answer({})


async def query(call: Call) -> Response:
    """POST experiments:query {viewType, top, continuationToken}; `filter` and `orderBy` are refused (400).

    Names that are not URL-safe are hidden unless `urlSafeExperimentNamesOnly=false` asks for them (run-history.json).
    """
    asked = await body(call)
    if asked.get("filter") or asked.get("orderBy"):
        raise errors.invalid("filter and orderBy of experiments cannot be understood here.")
    view = _VIEWS.get(part(asked, "viewType", "string") or "Default")
    if view is None:
        raise errors.invalid(f"viewType {asked['viewType']} is not known.")
    if "active-experiments-only" in strict(call):
        view = "ActiveOnly"
    size = _size(asked.get("top"))
    after = number(part(asked, "continuationToken", "string"))
    found = call.world.experiments.page(call.workspace.guid, view, after=after, limit=size + 1)
    following = found[size - 1][0] if len(found) > size else None
    shown = [item for _, item in found[:size] if _all_names(call) or _URL_SAFE.fullmatch(item["name"])]
    return answer(page(call, shown, following))


def _all_names(call: Call) -> bool:
    asked = call.request.query_params.get("urlSafeExperimentNamesOnly", "true").lower()
    return asked == "false" and "url-safe-names-only" not in strict(call)


async def delete_tags(call: Call) -> Response:
    """POST experimentids/{id}/tags:delete {tags}."""
    gone, experiment = part(await body(call), "tags", "array") or [], _meant(call)
    left = {key: value for key, value in experiment["tags"].items() if key not in gone}
    call.world.experiments.put(call.workspace.guid, experiment | {"tags": left})
    return answer({"errors": {}})


def _meant(call: Call) -> Document:
    experiment = scope(call)
    assert experiment is not None  # noqa: S101 these routes have no bare form
    return experiment


def _changes(experiment: Document, change: Document) -> Document:
    changes: dict[str, Any] = {
        key: change[key] for key in ("description", "retainForLifetimeOfWorkspace") if key in change
    }
    if "name" in change:
        changes["name"] = experiment_name(str(change["name"]))
    if "tags" in change:
        changes["tags"] = run_document.tagged(experiment["tags"], change["tags"], limits.EXPERIMENT_KEY)
    if "archive" in change:
        archived = experiment["archivedTime"] or instants.text(instants.now())
        changes["archivedTime"] = archived if change["archive"] else None
    return changes


def _size(top: object) -> int:
    if top is None:
        return limits.EXPERIMENTS_IN_PAGE
    if not isinstance(top, int) or top < 1:
        raise errors.invalid(f"top {top} must be a positive number.")
    return min(top, limits.EXPERIMENTS_IN_PAGE)


def _routes() -> tuple[Spoken, ...]:
    table = Table("history", COMPONENT)
    table.on("POST", "/experiments:query", query)
    table.on("GET", "/experiments/{experiment_name}", get)
    table.on("POST", "/experiments/{experiment_name}", create, "write")
    table.on("GET", "/experimentids/{experiment_id}", get)
    table.on("PATCH", "/experimentids/{experiment_id}", modify, "write")
    table.on("DELETE", "/experimentids/{experiment_id}", delete, "write")
    table.on("POST", "/experimentids/{experiment_id}/tags:delete", delete_tags, "write")
    return tuple(table.routes)


ROUTES = _routes()
