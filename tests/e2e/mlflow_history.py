"""A history in an MLflow server, logged by MLflow's own client, and what that client says of all that it holds."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException

from mlflow_servers import MlflowServer

START_MS = 1_700_000_000_000
ODD = [math.nan, math.inf, -math.inf, -0.0, 5e-324, 0.30000000000000004, 1e308]
STEPS = [-5, 0, 0, 1, 2**40, 2**53 + 1, 2**63 - 1]
BACKSLASH = "back\\slash"
FILES = {
    "plain.txt": b"plain",
    "empty": b"",
    "sub/deep/a b?&=+;'.txt": b"asked",
    "sub/日本 é😀.txt": b"unicode",
    ".hidden": b"h",
    "a..b/..c": b"dots",
    BACKSLASH: b"not in Azure",
    "large.bin": bytes(range(256)) * 20_000,
}
UNREADABLE = {"p%41.txt": "% and two digits", "x#y.txt": "#", "tab\there": "control character"}
"""Names that a store on a disk can hold, and that no server gives -> words of the reason."""


def logged(server: MlflowServer, name: str) -> str:
    """A parent with children of every end, hostile values, long curves, files; a deleted run; the experiment's id."""
    client = MlflowClient(server.url)
    experiment = client.create_experiment(name, tags={"mlflow.note.content": "what it is for", "team": "ü"})
    parent = _run(client, experiment, "parent", None, **{"mlflow.note.content": "a note", "mlflow.user": "ann"})
    for at, status in enumerate(("FINISHED", "FAILED", "KILLED", "RUNNING", "SCHEDULED")):
        child = _run(client, experiment, f"child {at}", parent)
        points = [Metric(f"m{of}", (0.1 + of) * step, START_MS + step, step) for of in range(3) for step in range(20)]
        client.log_batch(child, points, [Param("lr", "0.1"), Param("α b", "ü")], [RunTag("empty", "")])
        client.update_run(child, status=status)
        if status in ("FINISHED", "FAILED", "KILLED"):
            client.set_terminated(child, status, START_MS + 60_000 + at)
    _hostile(client, server, _run(client, experiment, "hostile", parent))
    grandchild = _run(client, experiment, "grandchild", child)
    client.set_terminated(grandchild, "FINISHED", START_MS + 1)
    deleted = _run(client, experiment, "deleted", None)
    client.log_metric(deleted, "last", 1.5, START_MS, 3)
    client.set_terminated(deleted, "FINISHED", START_MS + 2)
    client.delete_run(deleted)
    client.set_terminated(parent, "FINISHED", START_MS + 120_000)
    return experiment


def with_model(server: MlflowServer, experiment: str) -> tuple[str, str]:
    """A run with a model beside it, as MLflow 3 logs one; the ids of both."""
    client = MlflowClient(server.url)
    run = _run(client, experiment, "model", None)
    model = client.create_logged_model(experiment, "forest", run, {"team": "ü"}, {"depth": "3"}).model_id
    client.log_outputs(run, [LoggedModelOutput(model, 3)])
    client.set_terminated(run, "FINISHED", START_MS)
    return run, model


def with_trace(server: MlflowServer, experiment: str) -> None:
    """A trace that has begun, as the clients of 2.14 to 3 report it."""
    pairs = [{"key": "mlflow.sourceRun", "value": "a run"}]
    body = {"experiment_id": experiment, "timestamp_ms": START_MS, "request_metadata": pairs, "tags": []}
    asked = Request(  # noqa: S310
        f"{server.url}/api/2.0/mlflow/traces", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urlopen(asked) as answer:  # noqa: S310
        assert json.load(answer)["trace_info"]["experiment_id"] == experiment


def long_curve(server: MlflowServer, experiment: str, points: int) -> str:
    """A run with one metric, logged without steps: nothing tells beforehand how long it is."""
    client = MlflowClient(server.url)
    run = _run(client, experiment, "long", None)
    for start in range(0, points, 1_000):
        client.log_batch(run, [Metric("long", at / 7, START_MS + at, 0) for at in range(start, start + 1_000)])
    client.set_terminated(run, "FINISHED", START_MS + points)
    return run


def _hostile(client: MlflowClient, server: MlflowServer, run: str) -> None:
    odd = [Metric("odd", value, START_MS + at, step) for at, (value, step) in enumerate(zip(ODD, STEPS, strict=True))]
    same = [Metric("same", value, START_MS, 1) for value in (0.5, 0.25, 0.5)]
    client.log_batch(run, odd + same, [Param("long", "p" * 6_000)], [RunTag("long", "t" * 5_000)])
    dataset = Dataset("d", "abc", "local", '{"uri": "file:/x"}', schema='{"a": 1}', profile='{"rows": 3}')
    client.log_inputs(run, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
    home = server.artifacts / client.get_run(run).info.artifact_uri.removeprefix("mlflow-artifacts:/")
    for path, data in (FILES | dict.fromkeys(UNREADABLE, b"there")).items():  # the client cuts a name at its ?
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_bytes(data)
    client.set_terminated(run, "FINISHED", START_MS + 90_000)


def _run(client: MlflowClient, experiment: str, name: str, parent: str | None, **tags: str) -> str:
    told = tags | ({"mlflow.parentRunId": parent} if parent else {})
    return str(client.create_run(experiment, START_MS, told, name).info.run_id)


@dataclass(frozen=True)
class Held:
    """A run as MLflow's own client shows it."""

    info: Any
    tags: dict[str, str]
    params: dict[str, str]
    points: dict[str, set[tuple[int, int, bytes]]] = field(default_factory=dict)
    """Metric -> step, milliseconds and bits of each row."""
    files: dict[str, int] = field(default_factory=dict)
    """Path -> bytes."""


def everything(server: MlflowServer, experiment: str) -> Iterator[Held]:
    """All runs of an experiment, deleted ones too."""
    client = MlflowClient(server.url)
    for run in client.search_runs([experiment], run_view_type=ViewType.ALL, max_results=1_000):
        histories = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
        points = {name: {(m.step, m.timestamp, bits(m.value)) for m in rows} for name, rows in histories.items()}
        yield Held(run.info, run.data.tags, run.data.params, points, dict(_files(server, run.info.run_id, "")))


def content(server: MlflowServer, run: str, path: str, folder: Path) -> bytes | None:
    """The bytes of a file as MLflow's own client gets them; None where it cannot."""
    try:
        return Path(MlflowClient(server.url).download_artifacts(run, path, str(folder))).read_bytes()
    except (MlflowException, OSError):
        return None


def bits(value: float) -> bytes:
    """A double, all NaN alike."""
    return struct.pack("<d", math.nan if math.isnan(value) else value)


def _files(server: MlflowServer, run: str, folder: str) -> Iterator[tuple[str, int]]:
    """As the server lists them: its client asks older ones for what they do not know, and takes names for others."""
    query = urlencode({"run_id": run, "path": folder})
    with urlopen(f"{server.url}/api/2.0/mlflow/artifacts/list?{query}") as answer:  # noqa: S310
        listed = json.load(answer).get("files", [])
    for one in listed:
        if one["is_dir"]:
            yield from _files(server, run, one["path"])
        else:
            yield one["path"], one.get("file_size", 0)
