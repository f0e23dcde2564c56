"""ARM's documents of the jobs behind a sample's root runs. Pure; fields and casing as recorded with api 2023-04."""

from __future__ import annotations

from azureml_sandbox.documents.jobs import default_output, services
from azureml_sandbox.fill.sample_shape import Type
from azureml_sandbox.world import Document, Workspace

_ENVIRONMENT = "azureml:AzureML-sklearn-1.0-ubuntu20.04-py38-cpu:1"
_COMMAND = "python train.py --lr ${{inputs.lr}}"
_LITERAL = {"description": None, "jobInputType": "literal", "value": "0.1"}


def job_document(workspace: Workspace, run: Document, kind: Type, experiment: str) -> Document | None:
    """The job behind a root run; None for one that ARM never saw submitted."""
    special = {"command": _command, "pipeline": _pipeline, "sweep": _sweep, "automl": _automl}.get(kind)
    if special is None:
        return None
    name = run["runId"]
    compute = f"{workspace.arm_id}/computes/cpu-cluster"
    return {
        "id": f"{workspace.arm_id}/jobs/{name}",
        "name": name,
        "type": "Microsoft.MachineLearningServices/workspaces/jobs",
        "properties": _common(workspace, run, kind, experiment, compute) | special(compute),
        "systemData": {"createdAt": run["createdUtc"], "createdBy": "Sample", "createdByType": "Application"},
    }


def _common(workspace: Workspace, run: Document, kind: Type, experiment: str, compute: str) -> Document:
    name = run["runId"]
    return {
        "description": run["description"],
        "tags": run["tags"],
        "properties": run["properties"],
        "displayName": run["displayName"],
        "status": run["status"],
        "experimentName": experiment,
        "services": services(workspace, name, tracked=kind != "sweep"),
        "computeId": compute,
        "isArchived": run["hidden"],
        "identity": None,
        "componentId": None,
        "notificationSetting": None,
        "outputs": default_output(name),
    } | ({"inputs": {"lr": _LITERAL}} if kind != "automl" else {})


def _resources() -> Document:
    return {"instanceCount": 1, "instanceType": None, "properties": None, "shmSize": "2g", "dockerArgs": None}


def _command(_compute: str) -> Document:
    return {
        "jobType": "Command",
        "command": _COMMAND,
        "environmentId": _ENVIRONMENT,
        "codeId": None,
        "resources": _resources(),
        "distribution": None,
        "limits": {"timeout": None, "jobLimitsType": "Command"},
        "environmentVariables": {"EPOCHS": "20"},
        "parameters": {},
        "autologgerSettings": None,
        "queueSettings": None,
    }


def _pipeline(compute: str) -> Document:
    settings = {
        "default_compute": compute,
        "force_rerun": False,
        "continue_on_step_failure": False,
        "_source": "YAML.JOB",
    }
    return {"jobType": "Pipeline", "settings": settings, "jobs": {}, "sourceJobId": None, "outputs": {}}


def _sweep(_compute: str) -> Document:
    """The fields of a sweep job; sweeps have no tracking service (45 of 45 recorded)."""
    return {
        "jobType": "Sweep",
        "searchSpace": {"lr": ["uniform", [0.001, 0.1]], "conv_size": ["choice", [[2, 5, 7]]]},
        "samplingAlgorithm": {"samplingAlgorithmType": "Random", "seed": None, "logbase": None, "rule": "Random"},
        "limits": {
            "timeout": "PT50M",
            "jobLimitsType": "Sweep",
            "maxTotalTrials": 20,
            "maxConcurrentTrials": 10,
            "trialTimeout": None,
        },
        "earlyTermination": None,
        "objective": {"primaryMetric": "accuracy", "goal": "Maximize"},
        "trial": {
            "codeId": None,
            "command": _COMMAND,
            "environmentId": _ENVIRONMENT,
            "environmentVariables": None,
            "distribution": None,
            "resources": _resources(),
        },
        "queueSettings": None,
    }


def _automl(_compute: str) -> Document:
    data = "azureml://datastores/workspaceblobstore/paths/data/train"
    return {
        "jobType": "AutoML",
        "taskDetails": {
            "taskType": "Classification",
            "logVerbosity": "Info",
            "trainingData": {"description": None, "uri": data, "mode": "ReadOnlyMount", "jobInputType": "mltable"},
            "targetColumnName": "y",
            "primaryMetric": "Accuracy",
            "limitSettings": {
                "maxTrials": 3,
                "trialTimeout": "PT10M",
                "timeout": "PT10H",
                "maxConcurrentTrials": 1,
                "maxCoresPerTrial": -1,
                "exitScore": None,
                "enableEarlyTermination": True,
            },
            "nCrossValidations": None,
            "validationData": None,
            "testData": None,
            "featurizationSettings": None,
            "trainingSettings": None,
            "positiveLabel": None,
        },
        "resources": _resources(),
        "environmentId": None,
        "environmentVariables": None,
        "outputs": {},
        "queueSettings": None,
    }
