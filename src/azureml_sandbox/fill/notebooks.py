"""Trains like a user's notebooks do and logs into a workspace, through Microsoft's own clients only.

    python -m azureml_sandbox.fill.notebooks WORKSPACE.json [--seed 7]

WORKSPACE.json is Studio's own file: `subscription_id`, `resource_group`, `workspace_name`. The login is the one that
DefaultAzureCredential finds in the environment. The seed decides every number; ids, times and durations differ.

Three experiments: `wine-cultivars` (a grid of three under a parent, a failed run, a killed one, an archived one),
`diabetes-progression` (a run whose loss runs off to infinity and NaN, one with names in many scripts, one that logs
through the metric service what MLflow cannot say) and `abandoned-ideas`, archived.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

os.environ.setdefault("MPLBACKEND", "agg")  # before matplotlib: a server has no screen
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # each URL costs a token, and none works here

import matplotlib.pyplot as plt
import mlflow
import mlflow.sklearn
import numpy as np
import sklearn
from azure.ai.ml import MLClient
from azure.ai.ml._restclient.runhistory import RunHistoryClient
from azure.identity import DefaultAzureCredential
from mlflow import MlflowClient
from mlflow.entities import Metric
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import Ridge, SGDClassifier
from sklearn.metrics import confusion_matrix, log_loss, mean_squared_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

CLASSIFICATION, REGRESSION, ABANDONED = "wine-cultivars", "diabetes-progression", "abandoned-ideas"
ALPHAS = (0.0001, 0.01, 1.0)
EPOCHS = 20
RATE, DESCENT = 20.0, 160
"""Rate and steps of the descent that diverges."""
UNICODE_NAME = "Größenvergleich 模型 №3 🍷"
UNICODE_FILE = "Übersicht – 結果.txt"

_ARM_SCOPE = "https://management.azure.com/.default"
_Split = tuple[Any, Any, Any, Any]


class Diverged(Exception):
    """The loss of a training goes up."""


def train(workspace: Mapping[str, str], seed: int = 7) -> None:
    """Run every training and log it into the workspace, one after the other."""
    credential = DefaultAzureCredential()
    names = workspace["subscription_id"], workspace["resource_group"], workspace["workspace_name"]
    tracking_uri = MLClient(credential, *names).workspaces.get(names[2]).mlflow_tracking_uri
    mlflow.set_tracking_uri(tracking_uri)
    _classify(seed)
    _regress(seed)
    host = f"https://{urlsplit(tracking_uri).netloc}"
    history = RunHistoryClient(credential, endpoint=host, credential_scopes=[_ARM_SCOPE])
    with mlflow.start_run(run_name="checked against a hold-out") as run:
        history.metrics.post_run_metrics(*names, run.info.run_id, _without_steps(seed))
    _abandon(seed)


def _classify(seed: int) -> None:
    mlflow.set_experiment(CLASSIFICATION)
    split = _split(load_wine(return_X_y=True), seed)
    with mlflow.start_run(run_name="grid over alpha", description="Three penalties, **one** winner.") as parent:
        mlflow.log_params({"alphas": list(ALPHAS), "seed": seed})
        mlflow.set_tags({"stage": "exploration", "data": "wine"})
        scores = [_trial(alpha, split, seed) for alpha in ALPHAS]
        mlflow.log_metric("best_accuracy", max(scores))
        mlflow.log_table({"alpha": list(ALPHAS), "accuracy": scores}, "trials.json")
    with suppress(Diverged), mlflow.start_run(run_name="learning rate too high"):
        _failing(split, seed)
    _killed(split, seed)
    with mlflow.start_run(run_name="typo in the label column") as mistake:
        mlflow.log_metric("accuracy", 0.0)
    MlflowClient().delete_run(mistake.info.run_id)
    MlflowClient().set_tag(parent.info.run_id, "reviewed", "yes")


def _trial(alpha: float, split: _Split, seed: int) -> float:
    """Log one child run with everything that a careful user logs; returns its accuracy."""
    with mlflow.start_run(run_name=f"alpha={alpha}", nested=True) as run, tempfile.TemporaryDirectory() as folder:
        model = SGDClassifier(loss="log_loss", alpha=alpha, random_state=seed)
        mlflow.log_params({"alpha": alpha, "loss": model.loss, "epochs": EPOCHS})
        curve = _epochs(model, split, EPOCHS)
        MlflowClient().log_batch(run.info.run_id, metrics=curve)
        losses = [point.value for point in curve if point.key == "loss"]
        _leave_files(Path(folder), model, losses, split)
        mlflow.log_artifacts(folder)
        mlflow.set_tag("converged", str(losses[-1] < losses[0]).lower())
        return float(curve[-1].value)


def _epochs(model: SGDClassifier, split: _Split, epochs: int) -> list[Metric]:
    """Train the model; returns loss and accuracy of each epoch, accuracy last."""
    x_train, x_test, y_train, y_test = split
    curve = list[Metric]()
    for epoch in range(epochs):
        model.partial_fit(x_train, y_train, classes=np.unique(y_train))
        curve.append(_point("loss", log_loss(y_test, model.predict_proba(x_test)), epoch))
        curve.append(_point("accuracy", model.score(x_test, y_test), epoch))
    return curve


def _leave_files(folder: Path, model: SGDClassifier, losses: Sequence[float], split: _Split) -> None:
    """Write a model, a plot, a table, a log and an empty file.

    The model is saved and logged as files: `log_model` of MLflow 3 asks for logged models, which azureml-mlflow
    does not know.
    """
    _, x_test, _, y_test = split
    requirements = [f"scikit-learn=={sklearn.__version__}"]  # MLflow would start another Python to guess them: 10 s
    mlflow.sklearn.save_model(
        model, folder / "model", pip_requirements=requirements, serialization_format="cloudpickle"
    )
    figure, axes = plt.subplots(figsize=(4, 3))
    axes.plot(losses)
    axes.set(xlabel="epoch", ylabel="loss")
    (folder / "plots").mkdir()
    figure.savefig(folder / "plots" / "loss.png")
    plt.close(figure)
    table = confusion_matrix(y_test, model.predict(x_test)).tolist()
    (folder / "confusion.json").write_text(json.dumps({"columns": [0, 1, 2], "data": table}))
    (folder / "logs").mkdir()
    (folder / "logs" / "training.log").write_text("".join(f"epoch {n}: loss {x:.6f}\n" for n, x in enumerate(losses)))
    (folder / "logs" / "warnings.log").touch()


def _failing(split: _Split, seed: int) -> None:
    """Log three epochs, then raise: MLflow ends the run as FAILED."""
    model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=1e6, random_state=seed)
    mlflow.log_params({"eta0": model.eta0, "learning_rate": model.learning_rate})
    for point in _epochs(model, split, 3):
        mlflow.log_metric(point.key, point.value, step=point.step)
    raise Diverged("the loss is above that of guessing")


def _killed(split: _Split, seed: int) -> None:
    run = mlflow.start_run(run_name="stopped by hand")
    mlflow.log_param("patience", 5)
    MlflowClient().log_batch(
        run.info.run_id, metrics=_epochs(SGDClassifier(loss="log_loss", random_state=seed), split, 4)
    )
    mlflow.end_run("KILLED")


def _regress(seed: int) -> None:
    mlflow.set_experiment(REGRESSION)
    x_train, x_test, y_train, y_test = _split(load_diabetes(return_X_y=True), seed)
    with mlflow.start_run(run_name="descent without a brake") as run:
        mlflow.log_param("rate", RATE)
        MlflowClient().log_batch(run.info.run_id, metrics=_exploding(x_train, y_train))
    with mlflow.start_run(run_name=UNICODE_NAME, tags={"Autorin": "Zoë Å.", "note": "line one\nline two"}):
        model = Ridge(alpha=0.5).fit(x_train, y_train)
        guessed = model.predict(x_test)
        mlflow.log_params({"regularisierung_λ": 0.5, "features": x_train.shape[1]})
        mlflow.log_metrics({"mse": mean_squared_error(y_test, guessed), "r2": r2_score(y_test, guessed)})
        mlflow.log_text(f"r² = {r2_score(y_test, guessed):.3f}\n", UNICODE_FILE)


def _exploding(x: Any, y: Any) -> Iterable[Metric]:  # noqa: ANN401 arrays
    """Gradient descent at far too high a rate: the loss overflows, then the weights; infinity less infinity is NaN."""
    weights = np.zeros(x.shape[1])
    curve = list[Metric]()
    with np.errstate(all="ignore"):
        for step in range(DESCENT):
            error = x @ weights - y
            curve.append(_point("loss", float(error @ error) / len(y), step))
            weights -= RATE * 2 / len(y) * (x.T @ error)
    return curve


def _without_steps(seed: int) -> dict[str, Any]:
    """A batch for the metric service: a scalar whose rows have no step, and a table; MLflow can log neither."""
    x_train, x_test, y_train, y_test = _split(load_diabetes(return_X_y=True), seed)
    fits = [(alpha, Ridge(alpha=alpha).fit(x_train, y_train)) for alpha in ALPHAS]
    scores = [float(model.score(x_test, y_test)) for _, model in fits]
    table = [{"alpha": alpha, "norm": float(np.linalg.norm(model.coef_))} for alpha, model in fits]
    return {
        "reportErrors": True,
        "values": [
            _series("holdout_r2", {"holdout_r2": "Double"}, "scalar", [{"holdout_r2": score} for score in scores]),
            _series("coefficients", {"alpha": "Double", "norm": "Double"}, "table", table),
        ],
    }


def _series(name: str, columns: dict[str, str], kind: str, rows: Iterable[dict[str, float]]) -> dict[str, Any]:
    properties = {"uxMetricType": f"azureml.v1.{kind}"}
    return {"name": name, "columns": columns, "properties": properties, "value": [{"data": row} for row in rows]}


def _abandon(seed: int) -> None:
    before = MlflowClient().get_experiment_by_name(ABANDONED)
    if before is not None:  # an earlier training archived it
        MlflowClient().restore_experiment(before.experiment_id)
    experiment = mlflow.set_experiment(ABANDONED)
    with mlflow.start_run(run_name="guessing"):
        mlflow.log_metric("accuracy", float(np.random.default_rng(seed).random()))
    MlflowClient().delete_experiment(experiment.experiment_id)


def _split(data: tuple[Any, Any], seed: int) -> _Split:
    x, y = data
    x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=seed)
    scaler = StandardScaler().fit(x_train)
    return scaler.transform(x_train), scaler.transform(x_test), y_train, y_test


def _point(key: str, value: float, step: int) -> Metric:
    return Metric(key, float(value), time.time_ns() // 1_000_000, step)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m azureml_sandbox.fill.notebooks")
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    logging.getLogger("mlflow").setLevel(logging.ERROR)  # it warns of its own pickles for every model
    train(json.loads(arguments.workspace.read_bytes()), arguments.seed)


if __name__ == "__main__":
    main()
