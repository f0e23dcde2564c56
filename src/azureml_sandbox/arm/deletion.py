"""ARM's route that deletes a job. Nothing of it was recorded.

From mfe-2024-04-01.json: 202 with a `Location` to poll, 200, 204. From azure-ai-ml's `begin_delete`: 404 where there is
no such job. Of a deleted schedule and a batch endpoint was recorded what 202 and its `Location` look like. A user
reported that files stay in storage (azure-sdk-for-python#25146), others that runs which the studio deletes leave run
history (MachineLearningNotebooks#196). Everything else is an assumption, the unkind one, and mostly has a variant: only
what was submitted to ARM is a job; a job that has not ended is not deleted (400); a pipeline's children stay, and so do
metrics and index entries; the name stays taken.
"""

from __future__ import annotations

from collections.abc import Iterator

from starlette.responses import Response

from azureml_sandbox import instants
from azureml_sandbox.arm.operations import accepted
from azureml_sandbox.arm.wire import put_on
from azureml_sandbox.history import run_document
from azureml_sandbox.history.access import strict
from azureml_sandbox.protocol import errors
from azureml_sandbox.protocol.errors import Refused, job_not_found
from azureml_sandbox.protocol.route import Call, Spoken
from azureml_sandbox.world import Stage

PREFIX = "jd"
"""Of the operation's id: an assumption (recorded: `jc` of a cancelled job, `s` of a schedule)."""


async def delete(call: Call) -> Response:
    """DELETE jobs/{name}: 202 and an operation to poll."""
    name, guid = call.path("name"), call.workspace.guid
    if call.world.deletions.stage(guid, name) is Stage.UNDER_WAY:
        return _accepted(call, name)
    if not _is_job(call, name):
        if "no-content-for-absent-jobs" in strict(call):
            return Response(status_code=204)
        raise job_not_found(name)
    run = call.world.runs.get(guid, name)
    if run is not None and run["status"] not in run_document.TERMINAL:
        raise Refused(
            400,
            f"Job {name} is in status {run['status']}, it can't be deleted.",
            ("UserError", "BadArgument", "ArgumentInvalid"),
        )
    lag = int(call.request.app.state.faults.declared.deletion_lag_ms) * instants.MILLISECOND
    call.world.deletions.add(guid, name, instants.now() + lag, list(_runs(call, name)))
    return _accepted(call, name)


def state(call: Call, name: str) -> Response:
    """The answer of a deletion's operation: 202 `{}` until the job is gone, then 200 and no body."""
    stage = call.world.deletions.stage(call.workspace.guid, name)
    if stage is Stage.NONE:
        raise errors.not_found("Operation", call.path("operation"))
    return _accepted(call, name, {}) if stage is Stage.UNDER_WAY else Response(status_code=200)


def _accepted(call: Call, name: str, document: object = None) -> Response:
    return accepted(call, f"{PREFIX}:{call.workspace.guid}:{name}", document)


def _is_job(call: Call, name: str) -> bool:
    found = call.world.jobs.get(call.workspace.guid, name)
    run = call.world.runs.get(call.workspace.guid, name)
    if run is not None and run.get("parentRunId") and "delete-child-runs" in strict(call):
        return True
    return found is not None and (found.document is not None or "delete-history-runs" in strict(call))


def _runs(call: Call, name: str) -> Iterator[str]:
    """The runs that go with a job."""
    if "delete-keeps-runs" in strict(call):
        return
    yield name
    if "delete-takes-children" in strict(call):
        yield from _below(call, name)


def _below(call: Call, name: str) -> Iterator[str]:
    after = 0
    while found := call.world.runs.children(call.workspace.guid, name, after=after):
        for _, child in found:
            yield child["runId"]
            yield from _below(call, child["runId"])
        after = found[-1][0]


def _routes() -> tuple[Spoken, ...]:
    routes: list[Spoken] = []
    put_on(routes, "DELETE", "/jobs/{name}", delete, "write")
    return tuple(routes)


ROUTES = _routes()
