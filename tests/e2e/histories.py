"""Small histories, logged by MLflow's own client as a training script would."""

from __future__ import annotations

import tempfile
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from azureml_sandbox.server.sandbox import WorkspaceFile
from e2e.witness import tracking_uri

START_MS = 1_700_000_000_000


def small(workspace: WorkspaceFile) -> None:
    """A parent with two children in one experiment: 330 points of 4 series, among them NaN and infinity; 3 files."""
    mlflow.set_tracking_uri(tracking_uri(workspace))  # azureml-mlflow's artifact store asks the global one
    client = MlflowClient()
    experiment = client.create_experiment("small")
    parent = client.create_run(experiment, start_time=START_MS, run_name="parent", tags={"team": "blue"}).info.run_id
    curve = [_metric("loss", step, 1 / (step + 1)) for step in range(300)]
    client.log_batch(parent, curve[:250], [Param("lr", "0.1")])  # the service takes 250 of a name at a time
    client.log_batch(parent, curve[250:])
    for at, ending in enumerate(("FINISHED", "FAILED")):
        tags = {"mlflow.parentRunId": parent}
        child = client.create_run(experiment, start_time=START_MS + at, run_name=f"child {at}", tags=tags).info.run_id
        odd = [_metric("loss", step, value) for step, value in enumerate([float("nan"), float("inf"), -0.0, 1e-320])]
        same = [_metric("same", 1, 0.5) for _ in range(3)]
        client.log_batch(child, [*odd, *same, *(_metric("acc", s, s / 7) for s in range(8))], [], [RunTag("k", "v")])
        _file(client, child, "notes.txt", f"notes of child {at}\n" * 3)
        client.set_terminated(child, ending, START_MS + 60_000 + at)
    _file(client, parent, "empty.txt", "")
    client.set_terminated(parent, "FINISHED", START_MS + 120_000)


def _metric(name: str, step: int, value: float) -> Metric:
    return Metric(name, value, START_MS + 1_000 * step, step)


def _file(client: MlflowClient, run: str, name: str, text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text)
        client.log_artifact(run, str(path), "outputs")
