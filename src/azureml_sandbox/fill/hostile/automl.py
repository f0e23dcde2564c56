"""AutoML runs of every task type, with the runs below them. Pure.

Recorded: classification and forecasting jobs, object detection; properties and tags of the first. The other task types
are the swagger's. The id of a model's run, `{parent}_0`, is recorded; that the run lies below the parent is an
assumption.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from azureml_sandbox.fill.hostile.kinds import job, v2
from azureml_sandbox.fill.hostile.make import made, named, scalar
from azureml_sandbox.fill.sample_runs import SampledFile, SampledRun
from azureml_sandbox.world import Document, Workspace

_FIRST = 300
_DATA = {"description": None, "uri": "azureml://datastores/workspaceblobstore/paths/train", "jobInputType": "mltable"}
_TASKS: Mapping[str, Document] = {
    "Classification": {"primaryMetric": "Accuracy", "positiveLabel": None},
    "Regression": {"primaryMetric": "NormalizedRootMeanSquaredError"},
    "Forecasting": {"primaryMetric": "NormalizedRootMeanSquaredError", "forecastingSettings": {"timeColumnName": "t"}},
    "ImageClassification": {"primaryMetric": "Accuracy", "searchSpace": [{"modelName": "choice('vits16r224')"}]},
    "ImageClassificationMultilabel": {"primaryMetric": "IOU"},
    "ImageObjectDetection": {"primaryMetric": "MeanAveragePrecision"},
    "ImageInstanceSegmentation": {"primaryMetric": "MeanAveragePrecision"},
    "TextClassification": {"primaryMetric": "Accuracy", "featurizationSettings": {"datasetLanguage": "eng"}},
    "TextClassificationMultilabel": {"primaryMetric": "Accuracy"},
    "TextNER": {"primaryMetric": "Accuracy"},
}
_BELOW = ("setup", "featurize", "ModelExplain")


def odd_automl(seed: int, workspace: Workspace) -> Iterator[SampledRun]:
    """A parent with its runs for each task type; classification also has the runs beside its models."""
    for number, (task, details) in enumerate(_TASKS.items()):
        parent = _parent(made(seed, f"automl-{task}", _FIRST + number), task)
        limits = {"maxTrials": 1, "timeout": "PT10H", "maxConcurrentTrials": 1}
        given = {"taskType": task, "logVerbosity": "Info", "trainingData": _DATA, "limitSettings": limits} | details
        if not task.startswith("Image"):
            given |= {"targetColumnName": "y"}
        yield SampledRun(
            parent,
            job(workspace, parent, "automl", seed, taskDetails=given),
            oddity=f"AutoML ({task}); its property CancelUri acts on the source.",
            omissions=["properties"],
        )
        for name in (*(_BELOW if task == "Classification" else ()), "0"):
            yield _child(seed, parent, name)


def _parent(run: Document, task: str) -> Document:
    properties = {
        "runTemplate": "AutoML",
        "azureml.runsource": "automl",
        "num_iterations": "1",
        "primary_metric": "accuracy",
        "DataPrepJsonString": None,
        "SetupRunId": f"{run['runId']}_setup",
        "CancelUri": f"https://westeurope.api.azureml.ms/jasmine/v1.0/runs/{run['runId']}/cancel",
        "ProblemInfoJsonString": '{"dataset_num_categorical": 0}',
    }
    tags = {
        "automl_best_child_run_id": f"{run['runId']}_0",
        "iteration": "<0>;",
        "score": "<0.9101669195751139>;",
        "run_algorithm": "<LightGBM>;",
        "_azureml.ComputeTargetType": "",
    }
    typed = {"runType": "automl", "properties": properties, "tags": tags}
    return run | typed | v2("AutoML", "automl", task)


def _child(seed: int, parent: Document, name: str) -> SampledRun:
    run = named(seed, f"{parent['runId']}_{name}", name, _FIRST + 20, parent)
    run |= v2("Execution", "automl", "scriptRun", attribution="AutoML", compute="AmlcTrain")
    if name != "0":
        return SampledRun(run, oddity=f"AutoML's own run beside the models: {name}.")
    run |= {"properties": {"run_algorithm": "LightGBM", "iteration": "0", "score": "0.91", "pipeline_id": "ab12"}}
    files = [
        SampledFile("outputs/model.pkl", b"\x80\x04."),
        SampledFile("outputs/conda_env_v_1_0_0.yml", b"name: env\n"),
    ]
    return SampledRun(
        run, series=[scalar(run, "accuracy", [(None, 1, 0.91)])], files=files, oddity="A model of AutoML."
    )
