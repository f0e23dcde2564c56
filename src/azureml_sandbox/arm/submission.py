"""ARM's routes that write jobs: submit, update, archive, cancel.

Recorded: PUT of a new name (201), PUT of a taken one (200, an update, 11 times), the four refusals below, cancel in
every form, its operation's polls. Assumptions: a pipeline whose graph differs from the one of that name is refused
(the service's documented `JobPropertyImmutable`); a compute or an environment that does not exist is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from azureml_sandbox import instants
from azureml_sandbox.arm import deletion
from azureml_sandbox.arm.jobs import shown
from azureml_sandbox.arm.operations import accepted
from azureml_sandbox.arm.wire import put_on, version
from azureml_sandbox.compute.cluster import Cluster
from azureml_sandbox.compute.jobs import Submitted, understood
from azureml_sandbox.documents import job_runs
from azureml_sandbox.documents.computes import is_known
from azureml_sandbox.documents.jobs import job_document
from azureml_sandbox.history import run_document
from azureml_sandbox.history.access import caller, experiment_name, free_name, replaced
from azureml_sandbox.protocol import errors, limits
from azureml_sandbox.protocol.bodies import arm_answer, body, part
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.route import Call, Spoken
from azureml_sandbox.world import Document

_FIXED = ("jobs", "inputs", "outputs", "settings")


def cluster(call: Call) -> Cluster:
    """The sandbox's cluster."""
    found: Cluster = call.request.app.state.cluster
    return found


async def submit(call: Call) -> Response:
    """PUT jobs/{name}."""
    given: Document = part(await body(call), "properties", "object") or {}
    name, guid = call.path("name"), call.workspace.guid
    run = call.world.runs.get(guid, name)
    if run is not None:
        return arm_answer(_updated(call, run, given))
    submitted = _checked(call, name, given)
    answer = arm_answer(_started(call, name, given, submitted), 201)
    own = f"https://management.azure.com{call.workspace.arm_id}/jobs/{name}"
    answer.headers["Location"] = f"{own}?api-version={version(call)}"
    return answer


async def cancel(call: Call) -> Response:
    """POST jobs/{name}/cancel: 202 and an operation to poll; 200 where a command has ended or is ending already."""
    name, guid = call.path("name"), call.workspace.guid
    run = call.world.runs.get(guid, name)
    if run is None:
        raise errors.job_not_found(name)
    if run["status"] in run_document.TERMINAL:
        if run.get("runType") == "azureml.PipelineRun":
            raise Refused(
                400,
                f"The pipeline run {name} is in terminal status, it can't be canceled.",
                ("UserError", "BadArgument", "ArgumentInvalid", "CancelPipelineRunInTerminalStatus"),
            )
        return Response(status_code=200)
    if run["status"] == "CancelRequested":
        return Response(status_code=200)
    if not cluster(call).cancel(guid, name):  # it computes elsewhere: nobody will end it later
        ended = run_document.moved(run, "Canceled") | {"endTimeUtc": instants.text(instants.now())}
        replaced(call, run_document.touched(ended, caller(call), instants.now()))
    return accepted(call, f"jc:{guid}:{name}")


async def operation(call: Call) -> Response:
    """GET mfeOperationResults/jc:{workspace}:{job}: 202 `{}` until the job has ended, then 200 and no body."""
    kind, name = call.path("operation").partition(":")[0], call.path("operation").rpartition(":")[2]
    if kind == deletion.PREFIX:
        return deletion.state(call, name)
    run = call.world.runs.get(call.workspace.guid, name)
    if run is None:
        raise errors.not_found("Operation", call.path("operation"))
    if run["status"] in run_document.TERMINAL:
        return Response(status_code=200)
    return accepted(call, call.path("operation"), {})


def _checked(call: Call, name: str, given: Document) -> Submitted:
    """The submitted job, checked before anything is written."""
    if not limits.RUN_ID.fullmatch(name):
        raise errors.invalid(
            "Run IDs must be less than 256 characters and contain only alphanumeric characters with dashes and"
            f" underscores: {name}"
        )
    free_name(call, name)
    named = [given.get("computeId"), (given.get("settings") or {}).get("default_compute")]
    for compute_id in named:
        if not is_known(call.world, call.workspace, compute_id):
            raise Refused(404, f"Compute {compute_id} not found.", ("UserError", "NotFound", "ComputeNotFound"))
    return understood(call.world, call.workspace, given)


def _started(call: Call, name: str, given: Document, submitted: Submitted) -> Document:
    """Write the job and its run, and start to compute it; returns the job as ARM answers it."""
    at, user, guid = instants.now(), caller(call), call.workspace.guid
    site = cluster(call).site(call.workspace)
    site.home(name)
    with call.world.transaction():
        experiment = call.world.experiments.obtain(guid, experiment_name(given.get("experimentName") or "Default"))
        new = run_document.new(name, experiment["experimentId"], user, at)
        plain = {"displayName": given.get("displayName") or name, "description": given.get("description")}
        run = run_document.modified(new | plain, _annotations(given), user, at)
        run = _RUNS[given["jobType"]](call, run, given) | {"runDefinition": submitted.definition}
        call.world.runs.put(guid, run)
        call.world.jobs.put(guid, job_document(call.workspace, name, given, run, experiment["name"]), at)
    site.launch(site, name, submitted.drive)
    return shown(call, name)


def _annotations(given: Document) -> Document:
    return {key: given.get(key) for key in ("tags", "properties", "description", "displayName")}


_RUNS: dict[str, Callable[[Call, Document, Document], Document]] = {
    "Command": lambda _, run, given: job_runs.submitted_command_run(run, given),
    "Pipeline": lambda call, run, given: job_runs.pipeline_run(call.workspace, run, given),
    "Sweep": lambda _, run, given: job_runs.sweep_run(run, given),
}


def _updated(call: Call, run: Document, given: Document) -> Document:
    """Update the job of a taken name: tags are merged, properties added, the job is archived or restored."""
    name = run["runId"]
    job = call.world.jobs.get(call.workspace.guid, name)
    if job is not None and job.document is not None and given.get("jobType") == "Pipeline":
        _same_graph(job.document["properties"], given)
    change = _annotations(given) | {"hidden": bool(given.get("isArchived"))}
    known = run.get("properties") or {}
    change["properties"] = {key: value for key, value in (given.get("properties") or {}).items() if key not in known}
    replaced(call, run_document.modified(run, change, caller(call), instants.now()))
    return shown(call, name)


def _same_graph(stored: Document, given: Document) -> None:
    changed = [key for key in _FIXED if key in given and _bare(given[key]) != _bare(stored.get(key))]
    if changed:
        raise Refused(
            400,
            "A job with this name already exists. If you are trying to submit a new job, use a different name. If you"
            f" are trying to update an existing job, the existing job's {', '.join(changed)} cannot be changed. Only"
            " description, tags, displayName, properties, and isArchived can be updated.",
            ("UserError", "Immutable", "JobPropertyImmutable"),
        )


def _bare(value: Any) -> Any:  # noqa: ANN401 JSON
    """The value without nulls, and without the modes that the service fills in."""
    if not isinstance(value, dict):
        return value
    filled = {"mode": ("ReadOnlyMount", "ReadWriteMount")}
    bare = {key: _bare(item) for key, item in value.items() if item is not None and item not in filled.get(key, ())}
    return bare or None


def _routes() -> tuple[Spoken, ...]:
    routes: list[Spoken] = []
    put_on(routes, "PUT", "/jobs/{name}", submit, "write")
    put_on(routes, "POST", "/jobs/{name}/cancel", cancel, "write")
    put_on(routes, "GET", "/mfeOperationResults/{operation}", operation)
    return (*routes, *deletion.ROUTES)


ROUTES = _routes()
