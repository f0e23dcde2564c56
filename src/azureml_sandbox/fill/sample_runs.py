"""The content of a sample's runs: documents, metrics and files, in the forms that were recorded. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from azureml_sandbox import instants
from azureml_sandbox.fill.sample_shape import Node, Type, Wanted
from azureml_sandbox.guids import stable_guid
from azureml_sandbox.history import run_document
from azureml_sandbox.protocol import errors
from azureml_sandbox.world import ARTIFACT_STORE, RUN_ORIGIN, SCALAR, Document, Series, Workspace

_METRICS = ("loss", "accuracy", "val_loss", "AUC_weighted", "lr")
_NAMES = ("Training", "Entraînement", "训练", "обучение", "Träning 🚀", "تدريب", "学習")
_FILES = ("outputs/model/model.bin", "logs/azureml/executionlogs.txt", "user_logs/std_log.txt", "outputs/metrics.json")

_RUN_TYPES: Mapping[Type, tuple[str | None, Document]] = {
    "command": ("azureml.scriptrun", {"orchestrator": "Execution", "traits": ["scriptRun", "remote"]}),
    "tracked": (None, {"traits": ["mlflow"]}),
    "pipeline": ("azureml.PipelineRun", {"orchestrator": "Pipeline", "traits": ["azureml.PipelineRun", "MFE", "HTTP"]}),
    "nested": ("azureml.PipelineRun", {"orchestrator": "Pipeline", "traits": ["azureml.PipelineRun"]}),
    "step": ("azureml.StepRun", {"orchestrator": "Execution", "traits": ["azureml.StepRun"], "attribution": "Aether"}),
    "sweep": ("hyperdrive", {"orchestrator": "HyperDrive", "traits": ["hyperdrive"]}),
    "automl": ("automl", {"orchestrator": "AutoML", "traits": ["automl"]}),
    "trial": ("azureml.scriptrun", {"orchestrator": "Execution", "traits": ["scriptRun"], "attribution": "HyperDrive"}),
}


@dataclass(frozen=True, slots=True)
class SampledFile:
    """A file of a run."""

    path: str
    data: bytes | None
    """None: the index has an entry and storage has no blob."""
    append: bool = False
    digested: bool = True
    datastore: str = ARTIFACT_STORE
    blob: str | None = None
    """The blob's name in the datastore, where it does not lie in the run's own container."""
    indexed: bool = True
    content_type: str = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SampledRun:
    """A run with its job, metrics and files."""

    run: Document
    job: Document | None = None
    """The ARM job of a root run that ARM saw submitted."""
    series: Sequence[tuple[Series, Sequence[Document]]] = ()
    files: Sequence[SampledFile] = ()
    oddity: str = ""
    """What is odd about it, in a sentence."""
    omissions: Sequence[str] = ()
    """What no target can have of it; `hostile.values._OMITTED` says in which form."""


def sampled_run(node: Node, experiment_id: str, wanted: Wanted, parent: Document | None) -> SampledRun:
    """The run of a node; `parent` is its parent's document."""
    return SampledRun(
        run=_document(node, experiment_id, parent),
        series=list(_series(node, wanted)),
        files=list(_files(node, wanted)),
    )


def user(workspace: Workspace) -> Document:
    """The creator of a sample's runs, who is made up."""
    keys = ("userPuId", "userIdp", "userAltSecId", "userIss", "upn")
    known = {"userObjectId": stable_guid("sample user"), "userTenantId": workspace.tenant_id, "userName": "Sample"}
    return dict.fromkeys(keys) | known


def experiment(name: str, archived: str | None = None) -> Document:
    """An experiment, with the same id each time."""
    return {
        "experimentId": stable_guid("sample experiment", name),
        "name": name,
        "description": None,
        "createdUtc": "2023-02-01T07:59:59.1234567+00:00",
        "tags": {},
        "archivedTime": archived,
        "retainForLifetimeOfWorkspace": False,
        "artifactLocation": None,
    }


def empty_run(run_id: str, experiment_id: str, created: int, parent: Document | None = None) -> Document:
    """A run with all keys and the same guids each time; who made it is set when it is written."""
    run = run_document.new(run_id, experiment_id, {"userObjectId": None}, created, parent)
    guid = stable_guid("sample run", run_id)
    return run | {"runUuid": guid, "rootRunUuid": parent["rootRunUuid"] if parent else guid}


def finished(run: Document, status: str, started: int, ended: int) -> Document:
    """The run after its end, with durations that fit its times (ticks)."""
    times = {"status": status, "startTimeUtc": instants.text(started), "endTimeUtc": instants.text(ended)}
    spent = instants.span(ended - started)
    return run | times | {"duration": spent, "computeDuration": spent, "lastModifiedUtc": instants.text(ended)}


def _document(node: Node, experiment_id: str, parent: Document | None) -> Document:
    draw = node.random
    run_type, traits = _RUN_TYPES[node.type]
    run = empty_run(node.run_id, experiment_id, node.created, parent) | {
        "displayName": f"{draw.choice(_NAMES)} {node.root}" + (f".{node.number}" if parent else ""),
        "description": draw.choice((None, "Nightly training on the full data set.")),
        "runType": run_type,
        "runTypeV2": {"orchestrator": None, "attribution": None, "computeType": "AmlcTrain"} | traits,
        "target": "cpu-cluster",
        "compute": _compute(),
        "computeRequest": {"nodeCount": 1, "gpuCount": 0},
        "tags": _tags(node),
        "properties": _properties(node),
        "parameters": {
            "learning_rate": str(draw.choice((0.1, 0.01, 0.001))),
            "batch_size": str(2 ** draw.randrange(4, 9)),
        },
        "error": _error(node) if node.status == "Failed" else None,
    }
    return finished(run, node.status, node.started, node.ended)


def _compute() -> Document:
    unset = ("vmSize", "instanceType", "priority", "region", "armId", "properties")
    known = {"target": "cpu-cluster", "targetType": "amlcompute", "instanceCount": 1, "gpuCount": 0}
    return known | dict.fromkeys(unset)


def _tags(node: Node) -> dict[str, str | None]:
    tags: dict[str, str | None] = {"team": "forecasting", "sample": f"ünïcode {node.root}"}
    if node.type == "tracked":
        tags |= {"mlflow.user": "sample", "mlflow.source.name": "train.py", "mlflow.source.type": "JOB"}
    if node.type == "sweep":
        best = {"name": "accuracy", "goal": "maximize"}
        tags |= {"_aml_system_primary_metric_config": json.dumps(best), "_aml_system_max_total_jobs": "20"}
    if node.type == "automl":
        tags |= {"model_explain_run": "best_run", "automl_best_child_run_id": f"{node.run_id}_0", "score": "<0.91>;"}
    if node.type == "trial":
        values = json.dumps({"lr": node.random.uniform(0.001, 0.1), "conv_size": node.number})
        tags |= {"hyperparameters": values, "_aml_system_hyperparameters": values}
    return tags


def _properties(node: Node) -> dict[str, str | None]:
    if node.type == "tracked":
        return {}
    properties: dict[str, str | None] = {
        "azureml.DevPlatv2": "true",
        "_azureml.ComputeTargetType": "amlctrain",
        "ContentSnapshotId": stable_guid("snapshot", node.root),
    }
    if node.type in ("sweep", "automl"):
        template = {"sweep": "HyperDrive", "automl": "AutoML"}[node.type]
        properties |= {"azureml.runsource": template.lower(), "runTemplate": template}
    if node.type in ("pipeline", "nested"):
        properties |= {"azureml.runsource": "azureml.PipelineRun", "azureml.continue_on_step_failure": "False"}
    if node.parent is not None and node.type in ("step", "nested"):
        properties |= {
            "azureml.pipelinerunid": node.parent.run_id,
            "azureml.nodeid": f"{node.random.getrandbits(32):08x}",
        }
    return properties


def _error(node: Node) -> Document:
    message = f"Execution failed. User process 'python' exited with status code 1 (run {node.number})."
    root = errors.error_root({"code": "UserError", "message": message, "innerError": {"code": "ExecutionFailed"}})
    unset: Document = dict.fromkeys(("correlation", "environment", "location"))
    return {"error": root, **unset, "time": instants.text(node.ended), "componentName": "execution-worker"}


def _series(node: Node, wanted: Wanted) -> Iterator[tuple[Series, Sequence[Document]]]:
    draw = node.random
    every = max(instants.MILLISECOND, (node.ended - node.started) // (wanted.points + 1))
    for number in range(wanted.series):
        name = _METRICS[number] if number < len(_METRICS) else f"metric_{number}"
        times = [instants.text(_milliseconds(node.started + step * every)) for step in range(wanted.points)]
        rows = [
            {"metricId": _guid(draw.getrandbits(128)), "createdUtc": time, "step": step, "data": {name: draw.random()}}
            for step, time in enumerate(times)
        ]
        yield Series(f"dcid.{node.run_id}", name, "", {name: "Double"}, scalar_properties()), rows


def scalar_properties() -> Document:
    """The properties of a metric that Studio draws as a curve."""
    return {"uxMetricType": SCALAR, "dataLocation": None}


def _milliseconds(ticks: int) -> int:
    """The ticks cut to milliseconds: the times of metric rows were recorded with 3 decimals."""
    return ticks - ticks % instants.MILLISECOND


def _guid(bits: int) -> str:
    digits = f"{bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _files(node: Node, wanted: Wanted) -> Iterator[SampledFile]:
    draw = node.random
    for number in range(wanted.artifacts):
        path = _FILES[number] if number < len(_FILES) else f"outputs/checkpoints/{number:05}.bin"
        yield SampledFile(path, draw.randbytes(draw.randrange(1, 2_000)), append=path.startswith("logs/"))


def index_entry(run: Document, file: SampledFile) -> Document:
    """The entry of a file in the artifact index."""
    container = run["dataContainerId"]
    artifact_id = f"{RUN_ORIGIN}/{container}/{file.path}"
    return {
        "artifactId": artifact_id,
        "origin": RUN_ORIGIN,
        "container": container,
        "path": file.path,
        "etag": f'"{stable_guid(artifact_id)}"',
        "createdTime": run["createdUtc"],
        "dataPath": {"dataStoreName": file.datastore, "relativePath": file.blob or artifact_id, "sqlDataPath": None},
        "tags": {},
    }
