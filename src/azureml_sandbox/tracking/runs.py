"""MLflow's routes for runs, the same that run history shows. A hidden run is what MLflow calls deleted (assumption).

Recorded: a run created here is `Running` at once, has no runType but the trait `mlflow`, and its createdUtc is the
client's start_time, two seconds before the second that its runNumber tells.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from mlflow.protos import service_pb2 as mlflow
from mlflow.utils.name_utils import _generate_random_name

from azureml_sandbox import instants
from azureml_sandbox.history import run_document
from azureml_sandbox.history.access import caller, creation, replaced, stored_run, strict
from azureml_sandbox.protocol import errors
from azureml_sandbox.protocol.route import Call
from azureml_sandbox.tracking import documents, experiments
from azureml_sandbox.world import Document

_TRAITS = {"orchestrator": None, "traits": ["mlflow"], "attribution": None, "computeType": None}


def meant(call: Call, request: mlflow.GetRun) -> Document:
    """The run a message names, by `run_id` or by the older `run_uuid`. Raises Refused (404) where there is none."""
    return stored_run(call, request.run_id or request.run_uuid)


def shown(call: Call, document: Document) -> mlflow.Run:
    """A run with the metrics that can be read by now, the last value of each."""
    experiment = experiments.meant(call, document["experimentId"])
    return documents.run(call.workspace, experiment["name"], document, last_values(call, document))


def last_values(call: Call, document: Document) -> Iterable[mlflow.Metric]:
    """The value logged last of each metric (assumption: MLflow's own store takes the highest step instead)."""
    last = call.world.metrics.last(call.workspace.guid, document["dataContainerId"], visible=instants.now())
    return [documents.metric(series, row) for series, row in last if documents.is_scalar(series)]


def create(call: Call, request: mlflow.CreateRun) -> mlflow.CreateRun.Response:
    """POST runs/create; `mlflow.parentRunId` makes it a child."""
    experiment = experiments.meant(call, request.experiment_id)
    if experiment.get("archivedTime") is not None:
        raise errors.invalid(f"Experiment {experiment['name']} is archived.")
    document = _made(call, request, experiment)
    call.world.runs.put(call.workspace.guid, document)
    return mlflow.CreateRun.Response(run=shown(call, document))


def get(call: Call, request: mlflow.GetRun) -> mlflow.GetRun.Response:
    """GET runs/get: any run, whoever made it."""
    return mlflow.GetRun.Response(run=shown(call, meant(call, request)))


def update(call: Call, request: mlflow.UpdateRun) -> mlflow.UpdateRun.Response:
    """POST runs/update: set status and name; a terminal status sets the end too."""
    document, change = meant(call, request), Document()
    if request.HasField("run_name"):
        change["displayName"] = request.run_name
    if request.HasField("status"):
        change["status"] = documents.service_status(request.status)
    if change.get("status") in run_document.TERMINAL:
        now = instants.text(instants.now())
        change["endTimeUtc"] = documents.service_time(request.end_time) if request.HasField("end_time") else now
    return mlflow.UpdateRun.Response(run_info=documents.run_info(_modified(call, document, change)))


def delete(call: Call, request: mlflow.DeleteRun) -> mlflow.DeleteRun.Response:
    """POST runs/delete: hide the run."""
    _modified(call, stored_run(call, request.run_id), {"hidden": True})
    return mlflow.DeleteRun.Response()


def restore(call: Call, request: mlflow.RestoreRun) -> mlflow.RestoreRun.Response:
    """POST runs/restore: show the run again."""
    _modified(call, stored_run(call, request.run_id), {"hidden": False})
    return mlflow.RestoreRun.Response()


def artifacts(call: Call, request: mlflow.ListArtifacts) -> mlflow.ListArtifacts.Response:
    """GET artifacts/list: files and folders right below `path`, sizes unknown as in the artifact index."""
    document = meant(call, request)
    experiment = experiments.meant(call, document["experimentId"])
    root = documents.run(call.workspace, experiment["name"], document, ()).info.artifact_uri
    prefix = request.path.strip("/") + "/" if request.path.strip("/") else ""
    return mlflow.ListArtifacts.Response(root_uri=root, files=_listed(call, document["dataContainerId"], prefix))


def _made(call: Call, request: mlflow.CreateRun, experiment: Document) -> Document:
    run_id, user, at = str(uuid.uuid4()), caller(call), instants.now()
    tags = {tag.key: tag.value for tag in request.tags if not _is_dropped(call, tag.key)}
    parent = stored_run(call, tags[documents.PARENT]) if documents.PARENT in tags else None
    started = instants.parse(documents.service_time(request.start_time)) if request.HasField("start_time") else at
    # Recorded: `experiments/0` stays in the URI when "0" was sent. Else clients need the name in it.
    place = request.experiment_id if request.experiment_id == experiments.DEFAULT_ID else experiment["name"]
    fresh = run_document.new(run_id, experiment["experimentId"], user, at, parent) | {
        **creation(call, instants.text(started)),
        "status": "Running",
        "startTimeUtc": instants.text(started),
        "runTypeV2": _TRAITS,
        "properties": {"mlflow.artifactUri": documents.artifact_uri(call.workspace, place, run_id)},
    }
    name = request.run_name or tags.get(documents.RUN_NAME) or _generate_random_name()
    return run_document.modified(fresh, {"displayName": name, "tags": tags}, user, at)


def _is_dropped(call: Call, tag: str) -> bool:
    """Reported of the service, which keeps such tags where `set-tag` sets them (Azure/azure-sdk-for-python#45207)."""
    return tag.startswith("mlflow.source.") and "drop-source-tags" in strict(call)


def _modified(call: Call, document: Document, change: Document) -> Document:
    return replaced(call, run_document.modified(document, change, caller(call), instants.now()))


def _listed(call: Call, container: str, prefix: str) -> list[mlflow.FileInfo]:
    paths = call.world.artifacts.page(call.workspace.guid, ("ExperimentRun", container), prefix=prefix, limit=1_000_000)
    below = [entry["path"].removeprefix(prefix) for entry in paths]
    names = dict.fromkeys((head, bool(rest)) for head, slash, rest in (path.partition("/") for path in below))
    return [mlflow.FileInfo(path=prefix + name, is_dir=is_dir) for name, is_dir in names]
