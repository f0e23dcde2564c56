"""What a server holds, asked through MLflow's own client: nothing of ours is imported here."""

from __future__ import annotations

import hashlib
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

AT_ONCE = 4
OWN = "azureml-replay-probe"
"""The experiment of throw-away runs and leases."""


@dataclass(frozen=True)
class SeenRun:
    """One run in the client's words."""

    experiment: str
    stage: str
    info: Any
    tags: dict[str, str]
    params: dict[str, str]
    points: dict[str, list[tuple[int, int, str]]]
    """Metric -> step, milliseconds, bits; sorted."""
    files: dict[str, str]
    """Path -> sha256 of the bytes."""
    inputs: list[tuple[str, str, str]]
    """Name, source's type, source of each dataset."""


@dataclass(frozen=True)
class Seen:
    """One server, as far as experiments begin with a prefix."""

    experiments: dict[str, tuple[str, dict[str, str]]]
    """Name without the prefix -> stage and tags."""
    runs: dict[str, SeenRun]


def look(url: str, prefix: str = "", *, files: bool = True) -> Seen:
    """Everything that the client tells."""
    client = MlflowClient(tracking_uri=url)
    held = [one for one in _experiments(client) if one.name.startswith(prefix)]
    found = [one for one in held if one.name != prefix + OWN]
    listed = [(run, one.name.removeprefix(prefix)) for one in found for run in _runs(client, one.experiment_id)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = pool.map(lambda pair: _seen(client, *pair, files=files), listed)
        runs = {run.info.run_id: seen for (run, _), seen in zip(listed, told, strict=True)}
    experiments = {one.name.removeprefix(prefix): (one.lifecycle_stage, dict(one.tags)) for one in found}
    return Seen(experiments, runs)


def _experiments(client: MlflowClient) -> list[Any]:
    found: list[Any] = []
    token = None
    while True:
        page = client.search_experiments(view_type=ViewType.ALL, max_results=500, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _runs(client: MlflowClient, experiment: str) -> list[Run]:
    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment], run_view_type=ViewType.ALL, max_results=500, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _seen(client: MlflowClient, run: Run, experiment: str, *, files: bool) -> SeenRun:
    run_id = run.info.run_id
    datasets = [one.dataset for one in run.inputs.dataset_inputs] if run.inputs else []
    return SeenRun(
        experiment=experiment,
        stage=run.info.lifecycle_stage,
        info=run.info,
        tags=dict(run.data.tags),
        params=dict(run.data.params),
        points={name: _history(client, run_id, name) for name in run.data.metrics},
        files=_files(client, run_id) if files else {},
        inputs=sorted((one.name, one.source_type, one.source) for one in datasets),
    )


def _history(client: MlflowClient, run: str, name: str) -> list[tuple[int, int, str]]:
    return sorted((one.step, one.timestamp, float(one.value).hex()) for one in client.get_metric_history(run, name))


def _files(client: MlflowClient, run: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        if not client.list_artifacts(run):
            return {}
        root = Path(client.download_artifacts(run, "", folder))
        paths = [path for path in sorted(root.rglob("*")) if path.is_file()]
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
