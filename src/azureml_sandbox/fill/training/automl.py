"""The documents of an AutoML job as the service leaves them; nothing in the sandbox searches models by itself.

Recorded: the parent, with its properties and its packed tags, the names of setup, featurization, explanation and
trials. Assumptions: the children's own documents, and that the best trial's metrics stand at the parent too. What the
trials score is measured: three models of scikit-learn on the wines.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler

from azureml_sandbox import instants
from azureml_sandbox.documents.jobs import compact
from azureml_sandbox.fill.sample_jobs import job_document
from azureml_sandbox.fill.sample_runs import SampledFile, SampledRun, empty_run, finished, scalar_properties
from azureml_sandbox.guids import stable_guid
from azureml_sandbox.world import RUN_ORIGIN, Document, Series, Workspace

EXPERIMENT = "wine-automl"
_TARGET = "cpu-cluster"
_STAGE = 30 * instants.SECOND
"""The duration of each stage in ticks; the stages follow each other and the last ends now."""
_STAGES = ("setup", "featurize", "0", "1", "2", "ModelExplain")
_MODELS = (
    (LogisticRegression(max_iter=500), StandardScaler()),
    (RandomForestClassifier(n_estimators=20, random_state=1), MaxAbsScaler()),
    (KNeighborsClassifier(), MinMaxScaler()),
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One model, fitted and judged."""

    number: int
    pipeline: Pipeline
    metrics: Mapping[str, float]
    confusion: Sequence[Sequence[int]]

    @property
    def names(self) -> tuple[str, str]:
        """The names of preprocessor and algorithm."""
        first, last = (type(step).__name__ for _, step in self.pipeline.steps)
        return first, last

    @property
    def pipeline_id(self) -> str:
        """An id of 40 hex digits, as recorded."""
        return (stable_guid(*self.names) * 2).replace("-", "")[:40]


def automl(workspace: Workspace, name: str, experiment_id: str, now: int) -> Iterator[SampledRun]:
    """The runs of the job called `name`, which ended at tick `now`: the parent first, then its children."""
    trials = [_trial(number) for number in range(len(_MODELS))]
    best = max(trials, key=lambda trial: trial.metrics["accuracy"])
    began = now - _STAGE * len(_STAGES)
    parent = _parent(empty_run(name, experiment_id, began), trials, best)
    parent = finished(parent, "Completed", began, now)
    job = job_document(workspace, parent, "automl", EXPERIMENT)
    yield SampledRun(parent, job, list(_scalars(parent, best, now)))
    for position, stage in enumerate(_STAGES):
        started = began + position * _STAGE
        run = finished(_child(parent, stage, trials, started), "Completed", started, started + _STAGE)
        trial = trials[int(stage)] if stage.isdecimal() else None
        series = list(_measured(run, trial, started)) if trial is not None else []
        yield SampledRun(run, None, series, list(_files(stage, trial)))


def _trial(number: int) -> Trial:
    model, scaler = _MODELS[number]
    x_train, x_test, y_train, y_test = train_test_split(*load_wine(return_X_y=True), random_state=7)
    pipeline = make_pipeline(scaler, model).fit(x_train, y_train)
    likely = pipeline.predict_proba(x_test)
    metrics = {
        "accuracy": float(pipeline.score(x_test, y_test)),
        "AUC_weighted": float(roc_auc_score(y_test, likely, average="weighted", multi_class="ovr")),
        "log_loss": float(log_loss(y_test, likely)),
    }
    return Trial(number, pipeline, metrics, confusion_matrix(y_test, pipeline.predict(x_test)).tolist())


def _parent(run: Document, trials: Sequence[Trial], best: Trial) -> Document:
    name = run["runId"]
    settings = {"task_type": "classification", "iterations": len(trials), "primary_metric": "accuracy"}
    properties = {
        "num_iterations": str(len(trials)),
        "training_type": "TrainFull",
        "acquisition_function": "EI",
        "primary_metric": "accuracy",
        "train_split": "0",
        "target": _TARGET,
        "AMLSettingsJsonString": compact(settings),
        "DataPrepJsonString": None,
        "EnableSubsampling": "False",
        "runTemplate": "AutoML",
        "azureml.runsource": "automl",
        "ClientType": "Mfe",
        "PlatformVersion": "DPV2",
        "_aml_system_scenario_identification": "Remote.Parent",
        "root_attribution": "automl",
        "attribution": "AutoML",
        "Orchestrator": "AutoML",
        "snapshotId": "00000000-0000-0000-0000-000000000000",
        "SetupRunId": f"{name}_setup",
        "SetupRunContainerId": f"dcid.{name}_setup",
        "ProblemInfoJsonString": json.dumps({"dataset_classes": 3, "dataset_features": 13, "dataset_samples": 133}),
        "FeaturizationRunJsonPath": "featurizer_container.json",
        "FeaturizationRunId": f"{name}_featurize",
        "ModelExplainRunId": f"{name}_ModelExplain",
    }
    kind = {"orchestrator": "AutoML", "traits": ["automl"], "attribution": "AutoML", "computeType": None}
    told = {"displayName": name, "runType": "automl", "runTypeV2": kind, "target": _TARGET}
    return run | told | {"properties": properties, "tags": _packed(name, trials, best)}


def _packed(name: str, trials: Sequence[Trial], best: Trial) -> dict[str, str]:
    """The trials' results as the recorded tags hold them: `<0>;<1>;<2>;`."""
    columns = {
        "iteration": [str(trial.number) for trial in trials],
        "score": [repr(trial.metrics["accuracy"]) for trial in trials],
        "run_preprocessor": [trial.names[0] for trial in trials],
        "run_algorithm": [trial.names[1] for trial in trials],
        "pipeline_id": [trial.pipeline_id for trial in trials],
        "predicted_cost": ["0"] * len(trials),
        "fit_time": ["0.334167"] * len(trials),
        "training_percent": ["100"] * len(trials),
    }
    return {key: "".join(f"<{value}>;" for value in values) for key, values in columns.items()} | {
        "model_explain_run": "best_run",
        "_aml_system_azureml.automlComponent": "AutoML",
        "automl_best_child_run_id": f"{name}_{best.number}",
        "model_explain_best_run_child_id": f"{name}_{best.number}",
    }


def _child(parent: Document, stage: str, trials: Sequence[Trial], created: int) -> Document:
    run = empty_run(f"{parent['runId']}_{stage}", parent["experimentId"], created, parent)
    properties: dict[str, Any] = {"azureml.runsource": "automl", "runTemplate": f"automl_{stage}"}
    if stage.isdecimal():
        trial = trials[int(stage)]
        first, last = trial.names
        told = {"iteration": stage, "run_preprocessor": first, "run_algorithm": last, "pipeline_id": trial.pipeline_id}
        properties |= told | {"runTemplate": "automl_child", "score": repr(trial.metrics["accuracy"])}
    kind = {"orchestrator": "Execution", "traits": ["scriptRun"], "attribution": "AutoML", "computeType": "AmlcTrain"}
    return run | {
        "displayName": run["runId"],
        "runType": "azureml.scriptrun",
        "runTypeV2": kind,
        "target": _TARGET,
        "properties": properties,
    }


def _scalars(run: Document, trial: Trial, at: int) -> Iterator[tuple[Series, Sequence[Document]]]:
    for name, value in trial.metrics.items():
        series = Series(run["dataContainerId"], name, "", {name: "Double"}, scalar_properties())
        yield series, [_row(run, name, value, at)]


def _measured(run: Document, trial: Trial, at: int) -> Iterator[tuple[Series, Sequence[Document]]]:
    """The metrics of a trial: scalars, and a matrix that lies in a file (azureml-core's form)."""
    yield from _scalars(run, trial, at)
    place = f"aml://artifactId/{RUN_ORIGIN}/{run['dataContainerId']}/confusion_matrix"
    kind = {"uxMetricType": "azureml.v1.confusion_matrix", "dataLocation": place}
    name = "confusion_matrix"
    yield Series(run["dataContainerId"], name, "", {name: "Artifact"}, kind), [_row(run, name, place, at)]


def _row(run: Document, name: str, value: object, at: int) -> Document:
    time = instants.text(at - at % instants.MILLISECOND)
    return {"metricId": stable_guid(run["runId"], name), "createdUtc": time, "step": 0, "data": {name: value}}


def _files(stage: str, trial: Trial | None) -> Iterator[SampledFile]:
    yield SampledFile("user_logs/std_log.txt", f"{stage} has ended\n".encode(), append=True)
    if stage == "setup":
        yield SampledFile("featurizer_container.json", b'{"featurizers": []}')
    if trial is not None:
        yield SampledFile("outputs/model.pkl", pickle.dumps(trial.pipeline))
        matrix = {"schema_type": "confusion_matrix", "data": {"matrix": trial.confusion}}
        yield SampledFile("confusion_matrix", json.dumps(matrix).encode())
