"""ARM's routes that read jobs: root runs as jobs, newest first, and the odd answer for a pipeline's child.

`submission.py` has the routes that write jobs.

Recorded: one list of one page, GET of every type, GET of a child (200 without `properties`), 404. A list of several
pages and its filters were not; pages are as on components' lists, filters as mfe-2024-04-01.json describes them.
Assumptions: root runs that ARM never saw submitted (made by MLflow or by PATCH) are shown as Command jobs; what run
history knows better (status, tags, name, archived) is answered from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from starlette.responses import Response

from azureml_sandbox.arm.wire import linked, put_on, skip_token, version
from azureml_sandbox.documents.jobs import services
from azureml_sandbox.history.access import strict
from azureml_sandbox.protocol import errors, limits
from azureml_sandbox.protocol.bodies import arm_answer
from azureml_sandbox.protocol.route import Call, Spoken
from azureml_sandbox.world import Document, Job, View, Workspace

_TYPE = "Microsoft.MachineLearningServices/workspaces/jobs"
_VIEWS: dict[str, View] = {"ActiveOnly": "ActiveOnly", "ArchivedOnly": "ArchivedOnly", "All": "All"}
_JOB_TYPES = frozenset({"Command", "Pipeline", "Sweep", "AutoML", "Spark"})
_SINCE = {"notificationSetting": "2023-02", "queueSettings": "2023-02", "secretsConfiguration": "2023-04"}
"""Fields that answers do not have before this api-version."""


async def jobs(call: Call) -> Response:
    """GET jobs?listViewType=&jobType=&tag=&properties=&$skipToken=."""
    asked = call.request.query_params
    view = _VIEWS.get(asked.get("listViewType", "ActiveOnly"))
    if view is None or asked.get("jobType", "Command") not in _JOB_TYPES or "$skip" in asked:
        raise errors.invalid("listViewType, jobType or $skip has a value that cannot be understood.")
    wanted = (item for item in _documents(call, view, _before(call)) if _matches(item[1]["properties"], asked))
    shown = list(islice(wanted, limits.JOBS_IN_PAGE + 1))
    page = shown[: limits.JOBS_IN_PAGE]
    following = f"{page[-1][0].created},{page[-1][0].seq}" if len(shown) > len(page) else None
    return arm_answer(linked(call, [document for _, document in page], following))


async def job(call: Call) -> Response:
    """GET jobs/{name}: a child run answers 200 without `properties` (81 of 551 recorded GETs)."""
    return arm_answer(shown(call, call.path("name")))


def shown(call: Call, name: str) -> Document:
    """The job of this name as ARM answers it. Raises Refused (404) where there is none."""
    guid = call.workspace.guid
    found = call.world.jobs.get(guid, name)
    run = call.world.runs.get(guid, name)
    if found is not None and (found.document is not None or _listed(call)):
        return _document(call, found, run)
    if found is None and run is not None and run.get("parentRunId") is not None:
        return _envelope(call.workspace, name, run)
    raise errors.job_not_found(name)


def _listed(call: Call) -> bool:
    """Whether ARM shows runs that it never saw submitted; not with the strict variant `history-runs-not-listed`."""
    return "history-runs-not-listed" not in strict(call)


def _documents(call: Call, view: View, before: tuple[int, int] | None) -> Iterator[tuple[Job, Document]]:
    guid = call.workspace.guid
    while found := call.world.jobs.page(guid, view, before=before, limit=limits.JOBS_IN_PAGE):
        runs = call.world.runs.many(guid, (each.name for each in found))
        for each in found:
            if each.document is not None or _listed(call):
                yield each, _document(call, each, runs.get(each.name))
        before = found[-1].created, found[-1].seq


def _before(call: Call) -> tuple[int, int] | None:
    left = skip_token(call)
    if left is None:
        return None
    created, _, seq = left.partition(",")
    if not created.lstrip("-").isdecimal() or not seq.isdecimal():
        raise errors.invalid("The skip token is not valid.")
    return int(created), int(seq)


def _matches(properties: Document, asked: Mapping[str, str]) -> bool:
    job_type, tag, wanted = asked.get("jobType"), asked.get("tag"), asked.get("properties")
    return (
        (job_type is None or properties["jobType"] == job_type)
        and (tag is None or _has(properties["tags"], tag))
        and (wanted is None or _has(properties["properties"], wanted))
    )


def _has(values: Mapping[str, str | None], wanted: str) -> bool:
    """`name1,name2=value2`: each name is there, with that value where one is given."""
    pairs = (item.partition("=") for item in wanted.split(","))
    return all(name in values and (not sign or values[name] == value) for name, sign, value in pairs)


def _document(call: Call, found: Job, run: Document | None) -> Document:
    document = found.document
    if document is None:
        assert run is not None  # noqa: S101 only `Runs.put` makes jobs without a document
        document = _envelope(call.workspace, found.name, run) | {"properties": _command(call, run)}
    elif run is not None:
        document = document | {"properties": _fresh(document["properties"], run)}
    hidden = {field for field, since in _SINCE.items() if version(call) < since}
    return document | {"properties": {k: v for k, v in document["properties"].items() if k not in hidden}}


def _fresh(properties: Document, run: Document) -> Document:
    """A submitted job's properties with what may have changed since in run history."""
    return properties | {
        "description": run.get("description"),
        "displayName": run.get("displayName") or properties.get("displayName"),
        "status": run["status"],
        "tags": run.get("tags") or {},
        "properties": {**(properties.get("properties") or {}), **(run.get("properties") or {})},
        "isArchived": bool(run.get("hidden")),
    }


def _envelope(workspace: Workspace, name: str, run: Document) -> Document:
    creator = run.get("createdBy") or {}
    return {
        "id": f"{workspace.arm_id}/jobs/{name}",
        "name": name,
        "type": _TYPE,
        "systemData": {
            "createdAt": run["createdUtc"],
            "createdBy": creator.get("userName"),
            "createdByType": "User" if creator.get("upn") else "Application",
        },
    }


def _command(call: Call, run: Document) -> Document:
    experiment = call.world.experiments.get(call.workspace.guid, run["experimentId"])
    compute = (run.get("compute") or {}).get("target")
    artifact_store = f"azureml://datastores/workspaceartifactstore/ExperimentRun/{run['dataContainerId']}"
    return {
        "description": run.get("description"),
        "tags": run.get("tags") or {},
        "properties": run.get("properties") or {},
        "displayName": run.get("displayName") or run["runId"],
        "status": run["status"],
        "experimentName": experiment["name"] if experiment is not None else None,
        "services": services(call.workspace, run["runId"]),
        "computeId": f"{call.workspace.arm_id}/computes/{compute}" if compute else None,
        "isArchived": bool(run.get("hidden")),
        "identity": None,
        "componentId": None,
        "notificationSetting": None,
        "jobType": "Command",
        "resources": {
            "instanceCount": 1,
            "instanceType": None,
            "properties": None,
            "shmSize": "2g",
            "dockerArgs": None,
        },
        "codeId": None,
        "command": "",
        "environmentId": None,
        "inputs": {},
        "outputs": {
            "default": {
                "description": None,
                "uri": artifact_store,
                "mode": "ReadWriteMount",
                "jobOutputType": "uri_folder",
            }
        },
        "distribution": None,
        "limits": {"timeout": None, "jobLimitsType": "Command"},
        "environmentVariables": None,
        "parameters": {},
        "queueSettings": {"jobTier": "Null"},
    }


def _routes() -> tuple[Spoken, ...]:
    routes: list[Spoken] = []
    put_on(routes, "GET", "/jobs", jobs)
    put_on(routes, "GET", "/jobs/{name}", job)
    return tuple(routes)


ROUTES = _routes()
