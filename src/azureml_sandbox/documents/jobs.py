"""ARM's documents of submitted jobs. Pure; fields, order and defaults as recorded with api 2023-04."""

from __future__ import annotations

import json
from typing import Any

from azureml_sandbox.world import Document, Workspace

_TYPE = "Microsoft.MachineLearningServices/workspaces/jobs"
_UNREGISTERED = dict.fromkeys(("assetName", "assetVersion", "autoDeleteSetting"))
_UNSET_SERVICE = dict.fromkeys(("status", "errorMessage", "properties", "nodes"))


def job_document(workspace: Workspace, name: str, given: Document, run: Document, experiment: str) -> Document:
    """The ARM document of a root run's job; `given` is the request's `properties`."""
    special = {"Command": _command, "Pipeline": _pipeline, "Sweep": _sweep}[given["jobType"]]
    return {
        "id": f"{workspace.arm_id}/jobs/{name}",
        "name": name,
        "type": _TYPE,
        "properties": {
            "description": given.get("description"),
            "tags": run["tags"],
            "properties": run["properties"],
            "displayName": run["displayName"],
            "status": run["status"],
            "experimentName": experiment,
            "services": services(workspace, name, tracked=given["jobType"] != "Sweep"),
            "computeId": given.get("computeId"),
            "isArchived": bool(given.get("isArchived")),
            "identity": given.get("identity"),
            "componentId": given.get("componentId"),
            "notificationSetting": given.get("notificationSetting"),
            "secretsConfiguration": None,
            "jobType": given["jobType"],
            **special(given, name),
        },
        "systemData": {
            "createdAt": run["createdUtc"],
            "createdBy": run["createdBy"]["userName"],
            "createdByType": "User" if run["createdBy"]["upn"] else "Application",
        },
    }


def services(workspace: Workspace, name: str, *, tracked: bool = True) -> Document:
    """The endpoints of a job, as recorded.

    The tracking endpoint ends with a bare `?`, Studio's has lower-case `resourcegroups`; sweeps have no tracking.
    """
    short = f"/subscriptions/{workspace.subscription_id}/resourcegroups/{workspace.resource_group}"
    endpoints = {"Tracking": f"azureml://{workspace.region}.api.azureml.ms/mlflow/v1.0{workspace.arm_id}?"}
    studio = {"Studio": f"https://ml.azure.com/runs/{name}?wsid={short}/workspaces/{workspace.name}"}
    return {
        kind: {"jobServiceType": kind, "port": None, "endpoint": endpoint, **_UNSET_SERVICE}
        for kind, endpoint in ((endpoints if tracked else {}) | studio).items()
    }


def resources(given: Document | None) -> Document:
    """The resources of a job, filled with defaults even where the request gave none (recorded)."""
    unset = dict.fromkeys(("maxInstanceCount", "instanceType", "locations", "properties"))
    return {"instanceCount": 1} | unset | {"shmSize": "2g", "dockerArgs": None} | (given or {})


def _command(given: Document, name: str) -> Document:
    limits = given.get("limits")
    return {
        "resources": resources(given.get("resources")),
        "codeId": given.get("codeId"),
        "command": given["command"],
        "environmentId": given.get("environmentId"),
        "inputs": _inputs(given),
        "outputs": _outputs(given) | default_output(name),
        "distribution": given.get("distribution"),
        "autologgerSettings": None,
        "limits": {"timeout": None} | limits if limits else None,
        "environmentVariables": given.get("environmentVariables") or {},
        "parameters": {},
        "queueSettings": given.get("queueSettings"),
    }


def _pipeline(given: Document, _name: str) -> Document:
    return {
        "settings": given.get("settings"),
        "jobs": given.get("jobs") or {},
        "inputs": _inputs(given),
        "outputs": _outputs(given),
        "sourceJobId": given.get("sourceJobId"),
    }


def _sweep(given: Document, name: str) -> Document:
    sampling = given.get("samplingAlgorithm") or {}
    kind = sampling.get("samplingAlgorithmType")
    filled = {"seed": None, "logbase": None, "rule": "Random"} if kind == "Random" else {}
    trial = given["trial"]
    return {
        "searchSpace": given["searchSpace"],
        "samplingAlgorithm": {"samplingAlgorithmType": kind} | filled | sampling,
        "limits": {"timeout": None, "jobLimitsType": "Sweep", "trialTimeout": None} | (given.get("limits") or {}),
        "earlyTermination": given.get("earlyTermination"),
        "objective": {
            "primaryMetric": given["objective"]["primaryMetric"],
            "goal": str(given["objective"]["goal"]).capitalize(),  # answered in this case, whatever was sent (recorded)
        },
        "trial": {
            "codeId": trial.get("codeId"),
            "command": trial["command"],
            "environmentId": trial.get("environmentId"),
            "environmentVariables": trial.get("environmentVariables") or {},
            "distribution": trial.get("distribution"),
            "resources": resources(trial.get("resources")),
        },
        "inputs": _inputs(given),
        "outputs": _outputs(given) | default_output(name),
        "queueSettings": given.get("queueSettings"),
    }


def _inputs(given: Document) -> Document:
    return {name: _port(port, "jobInputType", "ReadOnlyMount") for name, port in (given.get("inputs") or {}).items()}


def _outputs(given: Document) -> Document:
    """The declared outputs, which say as what data they are registered (pipe-parallel-file-input 9)."""
    return {
        name: _UNREGISTERED | _port(port, "jobOutputType", "ReadWriteMount")
        for name, port in (given.get("outputs") or {}).items()
    }


def _port(port: Document, kind: str, mode: str) -> Document:
    literal = port.get(kind) == "literal"
    filled: Document = {"description": None, **({} if literal else {"uri": None, "mode": mode})}
    return filled | {key: value for key, value in port.items() if value is not None}


def default_output(name: str) -> Document:
    """The output `default`, which every job gains (recorded)."""
    return {
        "default": {
            "description": None,
            "uri": f"azureml://datastores/workspaceartifactstore/ExperimentRun/dcid.{name}",
            "assetName": None,
            "assetVersion": None,
            "mode": "ReadWriteMount",
            "autoDeleteSetting": None,
            "jobOutputType": "uri_folder",
        }
    }


def compact(document: Any) -> str:  # noqa: ANN401 JSON
    """JSON as the service writes it in a tag or property: without blanks."""
    return json.dumps(document, separators=(",", ":"))
