"""The runs of submitted jobs as run history writes them before they start. Pure.

Recorded: pipelines and their steps. Assumptions: a command's own run and a sweep's trials are `azureml.scriptrun` (as
the recorded trial and import job), a sweep `hyperdrive`, a nested pipeline an `azureml.PipelineRun` with a step's
properties.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

from azureml_sandbox.documents.computes import CLUSTER, SERVERLESS, is_virtual_cluster
from azureml_sandbox.documents.jobs import compact
from azureml_sandbox.history import run_document
from azureml_sandbox.world import Document, Workspace

_REMOTE = ["scriptRun", "remote", "AlmostCommonRuntime", "OsType:Linux", "CommonRuntime"]
_FILES = {"ProcessInfoFile": "azureml-logs/process_info.json", "ProcessStatusFile": "azureml-logs/process_status.json"}
_NODES = compact({"AllocationState": "steady", "PreparingNodeCount": 0, "RunningNodeCount": 0, "CurrentNodeCount": 1})


def command_run(run: Document, compute_id: str | None, code_id: str | None) -> Document:
    """The run of a command job."""
    properties = {"_azureml.ComputeTargetType": "amlctrain"} | _snapshot(code_id) | _FILES
    return _added(run, properties, _status_tag()) | {
        "status": "Starting",
        "runType": "azureml.scriptrun",
        "runTypeV2": _kind("Execution", _REMOTE, "azureml.scriptrun", "AmlcTrain"),
        **_on(compute_id),
    }


def submitted_command_run(run: Document, given: Document) -> Document:
    """The run of a command job as submitted; `given` is the request's `properties`."""
    made = command_run(run, given.get("computeId"), given.get("codeId"))
    if not is_virtual_cluster(given.get("computeId")):
        return made
    return made | {"properties": {**made["properties"], **_singularity(given)}}


def _singularity(given: Document) -> dict[str, str]:
    """What a virtual cluster adds (azure-sdk-for-python: test_command_job_with_singularity)."""
    resources = given.get("resources") or {}
    scaling = ((resources.get("properties") or {}).get("AISuperComputer") or {}).get("scalePolicy") or {}
    told = {
        "azureml.SLATier": (given.get("queueSettings") or {}).get("jobTier"),
        "azureml.InstanceType": resources.get("instanceType"),
        "azureml.AutoScale": "true" if scaling else None,
        "azureml.AutoScaleIntervalInSeconds": scaling.get("autoScaleIntervalInSec"),
    }
    fixed = {
        "_azureml.ComputeTargetType": "singularity",
        "azureml.EnableAzmlInt": "true",
        "azureml.VC": str(given["computeId"]).lower(),
        "azureml.ComputeType": "Singularity",
    }
    return fixed | {name: str(value) for name, value in told.items() if value is not None}


def pipeline_run(workspace: Workspace, run: Document, given: Document) -> Document:
    """The run of a pipeline job; `given` is the `properties` that were submitted."""
    settings = given.get("settings") or {}
    compute_id = settings.get("default_compute") or given.get("computeId")
    literals = {
        name: str(port.get("value"))
        for name, port in (given.get("inputs") or {}).items()
        if port.get("jobInputType") == "literal"
    }
    properties = {
        "azureml.DevPlatv2": "true",
        "azureml.DatasetAccessMode": "Asset",
        "azureml.runsource": "azureml.PipelineRun",
        "runSource": "MFE",
        "runType": "HTTP",
        "azureml.parameters": compact(literals),
        "azureml.continue_on_step_failure": str(goes_on(settings)),
        "azureml.continue_on_failed_optional_input": "True",
        "azureml.enforceRerun": str(bool(settings.get("force_rerun"))),
        **({"azureml.defaultComputeName": target(compute_id)} if compute_id else {}),
        "azureml.defaultDataStoreName": target(settings.get("default_datastore") or "workspaceblobstore"),
        "azureml.pipelineComponent": "pipelinerun",
    }
    place = f"{workspace.api}/studioservice/api{_short(workspace)}"
    cancel = f"{place}/PipelineRuns/{run['runId']}/cancel"
    return _added(run, properties, {}) | {
        "status": "Preparing",
        "runType": "azureml.PipelineRun",
        "runTypeV2": _kind("Pipeline", ["azureml.PipelineRun", "MFE", "HTTP", "DevPlatv2"]),
        "actionUris": {"Cancel": cancel},
        "cancelUri": cancel,
    }


def goes_on(settings: Document) -> bool:
    """Whether steps that do not need a failed one go on: yes where nothing is said, since spring 2023.

    Recorded: pipe-get-child-job 2, pipe-parallel-file-input 9, sweep-node-in-pipeline 4; in 2022 it was no.
    """
    asked = settings.get("continue_on_step_failure")
    return True if asked is None else bool(asked)


def step_run(workspace: Workspace, run: Document, component: Document, compute_id: str | None) -> Document:
    """The run of a command node of a pipeline; `component` is its ARM document."""
    properties = _of_node(run, component) | {"StepType": "PythonScriptStep", "ComputeTargetType": "AmlCompute"}
    properties |= {"_azureml.ComputeTargetType": "amlctrain"} | _FILES
    properties |= _snapshot(component["properties"]["componentSpec"].get("code"))
    cancel = f"{workspace.api}/studioservice/apiv2{_short(workspace)}/runs/{run['runId']}/Cancel"
    return _node(run, properties) | {
        "name": component["properties"]["componentSpec"].get("name"),
        "runType": "azureml.StepRun",
        "runTypeV2": _kind("Execution", ["azureml.StepRun", *_REMOTE], "Aether", "AmlcTrain"),
        "actionUris": {"Cancel": cancel, "Diagnose": ""},
        "cancelUri": cancel,
        "diagnosticsUri": "",
        **_on(compute_id),
    }


def reused(original: Document) -> Document:
    """What a step's run shows of the run whose result it takes (recorded: pipe-get-child-job 8)."""
    theirs = original["properties"]
    properties = {
        "azureml.isreused": "true",
        "azureml.reusedrunid": original["runId"],
        "azureml.reusednodeid": theirs["azureml.nodeid"],
        "azureml.reusedpipeline": theirs["azureml.pipeline"],
        "azureml.reusedpipelinerunid": theirs["azureml.pipelinerunid"],
    }
    unset = dict.fromkeys(("compute", "computeRequest", "diagnosticsUri"))
    return {
        "properties": properties,
        "dataContainerId": original["dataContainerId"],
        "runTypeV2": _kind(None, ["azureml.StepRun"]),
        **unset,
    }


def nested_run(run: Document, component: Document) -> Document:
    """The run of a pipeline that is a node of another pipeline."""
    return _node(run, _of_node(run, component)) | {
        "name": component["properties"]["componentSpec"].get("name"),
        "runType": "azureml.PipelineRun",
        "runTypeV2": _kind("Pipeline", ["azureml.PipelineRun", "azureml.StepRun"]),
    }


def sweep_run(run: Document, given: Document) -> Document:
    """The run of a sweep job, with the tags that the service writes at its start."""
    objective, limits = given["objective"], given.get("limits") or {}
    metric = compact({"name": objective["primaryMetric"], "goal": str(objective["goal"]).lower()})
    sampling = given.get("samplingAlgorithm") or {}
    generator = {
        "name": str(sampling.get("samplingAlgorithmType")).upper(),
        "parameter_space": given["searchSpace"],
        "properties": {"rule": "Random", "logbase": None, "seed": sampling.get("seed")},
    }
    tags = {
        "_aml_system_max_concurrent_jobs": str(limits.get("maxConcurrentTrials")),
        "_aml_system_max_total_jobs": str(limits.get("maxTotalTrials")),
        "_aml_system_policy_config": compact({"name": "Default", "properties": {}}),
        "_aml_system_generator_config": compact(generator),
        "_aml_system_primary_metric_config": metric,
        "_aml_system_resume_child_runs": "null",
        "_aml_system_all_jobs_generated": "false",
        "_aml_system_cancellation_requested": "false",
    }
    properties = {
        "primary_metric_config": metric,
        "resume_from": "null",
        "runTemplate": "HyperDrive",
        "azureml.runsource": "hyperdrive",
        "platform": "AML",
        **_snapshot(given["trial"].get("codeId")),
        "space_size": "infinite_space_size",
    }
    return _added(run, properties, tags) | {
        "status": "Running",
        "runType": "hyperdrive",
        "runTypeV2": _kind("HyperDrive", ["hyperdrive"], "HyperDrive"),
        "primaryMetricName": objective["primaryMetric"],
        **_on(given.get("computeId")),
    }


def trial_run(run: Document, values: str, compute_id: str | None, code_id: str | None) -> Document:
    """The run of a sweep's trial; `values` is the JSON of its parameters."""
    tags = _status_tag() | {"hyperparameters": values, "_aml_system_hyperparameters": values}
    made = command_run(run, compute_id, code_id)
    kind = _kind("Execution", _REMOTE, "HyperDrive", "AmlcTrain")
    return _added(made, {"azureml.runsource": "hyperdrive"}, tags) | {"runTypeV2": kind}


def child(parent: Document, run_id: str, display_name: str, at: int) -> Document:
    """A new run below `parent`, with the same creator."""
    made = run_document.new(run_id, parent["experimentId"], parent["createdBy"], at, parent)
    return made | {"displayName": display_name}


def target(compute_id: object) -> str:
    """The last name in an ARM id; `serverless` without an id."""
    return str(compute_id or SERVERLESS).rpartition("/")[2]


def _of_node(run: Document, component: Document) -> dict[str, str]:
    spec = component["properties"]["componentSpec"]
    return {
        "azureml.DevPlatv2": "true",
        "azureml.DatasetAccessMode": "Asset",
        "azureml.moduleid": component["id"].rpartition("/")[2],
        "azureml.moduleName": str(spec.get("name")),
        "azureml.moduleVersion": str(spec.get("version")),
        "azureml.runsource": "azureml.StepRun",
        "azureml.nodeid": uuid4().hex[:8],
        "azureml.pipelinerunid": run["parentRunId"],
        "azureml.pipeline": run["parentRunId"],
        "azureml.pipelineComponent": "masterescloud",
    }


def _node(run: Document, properties: Mapping[str, str]) -> Document:
    tags = {"azureml.nodeid": properties["azureml.nodeid"], "azureml.pipeline": properties["azureml.pipeline"]}
    return _added(run, properties, tags)


def _added(run: Document, properties: Mapping[str, str], tags: Mapping[str, str]) -> Document:
    """The run with more properties and tags; the submitter's own come first, as recorded."""
    return run | {"properties": {**run["properties"], **properties}, "tags": {**run["tags"], **tags}}


def _status_tag() -> dict[str, str]:
    return {"_aml_system_ComputeTargetStatus": _NODES}


def _snapshot(code_id: str | None) -> dict[str, str]:
    return {"ContentSnapshotId": code_id.split("/")[-3]} if code_id else {}


def _kind(
    orchestrator: str | None, traits: list[str], attribution: str | None = None, compute_type: str | None = None
) -> Document:
    return {
        "orchestrator": orchestrator,
        "traits": traits,
        "attribution": attribution,
        "computeType": compute_type,
    }


def _on(compute_id: str | None) -> Document:
    name = target(compute_id or CLUSTER)
    unset = dict.fromkeys(("vmSize", "instanceType"))
    rest = {"instanceCount": 1, "gpuCount": 0} | dict.fromkeys(("priority", "region", "armId", "properties"))
    return {
        "target": name,
        "compute": {"target": name, "targetType": "amlcompute", **unset, **rest},
        "computeRequest": {"nodeCount": 1, "gpuCount": 0},
    }


def _short(workspace: Workspace) -> str:
    return (
        f"/subscriptions/{workspace.subscription_id}/resourceGroups/{workspace.resource_group}"
        f"/workspaces/{workspace.name}"
    )
