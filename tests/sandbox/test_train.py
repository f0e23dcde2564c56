"""`azureml-sandbox train`: what it submits has run, and what it writes is what AutoML leaves."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.ai.ml import MLClient
from azure.identity import EnvironmentCredential

from azureml_sandbox.server.sandbox import Sandbox
from environment import point_at
from sandbox.plane import Plane


class Trained:
    """A workspace after the command."""

    def __init__(self, plane: Plane, said: str) -> None:
        self.plane, self.said = plane, said
        self.jobs: list[dict[str, Any]] = plane.arm("/jobs")["value"]

    def job(self, kind: str, status: str = "Completed") -> str:
        """The one job of this type that ended so."""
        (found,) = [
            job["name"]
            for job in self.jobs
            if (job["properties"]["jobType"], job["properties"]["status"]) == (kind, status)
        ]
        return str(found)

    def children(self, name: str) -> dict[str, dict[str, Any]]:
        """By display name."""
        return {run["displayName"]: run for run in self.plane.read(f"/runs/{name}/children")["value"]}

    def points(self, name: str, metric: str) -> list[Any]:
        """Steps and values."""
        body = {"metricName": metric}
        found = self.plane.document("metric", "POST", f"/runs/{name}/full", body=body)
        return [(row["step"], row["data"][metric]) for row in found["value"]]

    def files(self, run: dict[str, Any]) -> dict[str, bytes]:
        """Every file of the index, with its bytes."""
        base = f"/experimentids/{run['experimentId']}/runs/{run['runId']}/artifacts/prefix/contentinfo"
        return {
            entry["path"]: requests.get(entry["contentUri"], timeout=30).content
            for entry in self.plane.read(base)["value"]
        }


@pytest.fixture(scope="module")
def trained(sandbox: Sandbox) -> Iterator[Trained]:
    """Once: it takes half a minute of both cores."""
    workspace = sandbox.add_workspace()
    line = [sys.executable, "-m", "azureml_sandbox", "train", str(sandbox.folder)]
    done = subprocess.run(
        [*line, "--workspace", workspace.workspace_name], check=False, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        token = EnvironmentCredential().get_token("https://management.azure.com/.default").token
        yield Trained(Plane(workspace, token), done.stdout)


@pytest.mark.slow
def test_every_kind_of_job_has_ended(trained: Trained) -> None:
    """And the command said how."""
    ends = sorted((job["properties"]["jobType"], job["properties"]["status"]) for job in trained.jobs)

    assert ends == [
        ("AutoML", "Completed"),
        ("Command", "Canceled"),
        ("Command", "Completed"),
        ("Command", "Failed"),
        ("Pipeline", "Completed"),
        ("Sweep", "Completed"),
    ]
    said = dict(re.findall(r"^(\w+) (\w+)", trained.said, re.MULTILINE))
    assert {job["name"]: job["properties"]["status"] for job in trained.jobs}.items() <= said.items()


@pytest.mark.slow
def test_nothing_of_where_it_was_submitted_is_told(trained: Trained) -> None:
    """azure-ai-ml adds the git remote of a work tree."""
    assert "git" not in json.dumps([job["properties"]["properties"] for job in trained.jobs])


@pytest.mark.slow
def test_the_command_left_what_a_careful_user_logs(trained: Trained) -> None:
    """A metric per epoch, parameters, tags, a plot, a table, an output."""
    run = trained.plane.read(f"/runs/{trained.job('Command')}")
    points, files = trained.points(run["runId"], "loss"), trained.files(run)

    assert [step for step, _ in points] == list(range(20))
    assert points[-1][1] < points[0][1]
    assert run["parameters"] == {"rate": "0.1", "epochs": "20", "rows": "442"}
    assert {"data": "diabetes", "purpose": "baseline", "team": "research"}.items() <= run["tags"].items()
    assert {"plots/loss.png", "weights.json", "outputs/weights.npy", "user_logs/std_log.txt"} <= files.keys()
    assert files["plots/loss.png"].startswith(b"\x89PNG")
    assert b"epoch 19" in files["user_logs/std_log.txt"]


@pytest.mark.slow
def test_the_pipeline_has_two_levels_whose_models_score(trained: Trained) -> None:
    """Prepared above, trained and evaluated below."""
    levels = trained.children(trained.job("Pipeline"))
    below = trained.children(levels["nested"]["runId"])

    assert (set(levels), set(below)) == ({"prepared", "nested"}, {"trained", "evaluated"})
    ((_, accuracy),) = trained.points(below["evaluated"]["runId"], "accuracy")
    assert accuracy == trained.points(below["trained"]["runId"], "accuracy")[-1][1] > 0.9
    assert below["evaluated"]["tags"]["verdict"] == "good"


@pytest.mark.slow
def test_the_sweep_names_its_best_trial(trained: Trained) -> None:
    """The lowest last loss of four."""
    name = trained.job("Sweep")
    losses = {
        trial["runId"]: trained.points(trial["runId"], "loss")[-1][1] for trial in trained.children(name).values()
    }

    assert len(losses) == 4
    properties = trained.plane.read(f"/runs/{name}")["properties"]
    assert properties["best_child_run_id"] == min(losses, key=lambda run_id: losses[run_id])


@pytest.mark.slow
def test_the_failed_job_kept_what_it_had_logged(trained: Trained) -> None:
    """And its reason."""
    run = trained.plane.read(f"/runs/{trained.job('Command', 'Failed')}")

    assert "above that of guessing" in run["error"]["error"]["message"]
    assert trained.points(run["runId"], "loss") == [(0, 1.0), (1, 1e6), (2, "Infinity")]


@pytest.mark.slow
def test_the_automl_job_is_shaped_as_recorded(trained: Trained) -> None:
    """Packed tags at the parent; setup, featurization, explanation and trials below; azure-ai-ml reads it."""
    name = trained.job("AutoML")
    run, children = trained.plane.read(f"/runs/{name}"), trained.children(name)
    named = trained.plane.workspace
    client = MLClient(EnvironmentCredential(), named.subscription_id, named.resource_group, named.workspace_name)

    scores = [float(score) for score in re.findall("<(.+?)>;", run["tags"]["score"])]
    best = run["tags"]["automl_best_child_run_id"]
    assert list(children) == [f"{name}_{stage}" for stage in ("setup", "featurize", "0", "1", "2", "ModelExplain")]
    assert [trained.points(f"{name}_{number}", "accuracy")[0][1] for number in range(3)] == scores
    assert trained.points(best, "accuracy")[0][1] == trained.points(name, "accuracy")[0][1] == max(scores)
    assert set(trained.files(children[best])) == {"outputs/model.pkl", "confusion_matrix", "user_logs/std_log.txt"}
    assert client.jobs.get(name).type == "automl"


def test_a_sandbox_that_does_not_run_is_one_line(tmp_path: Path) -> None:
    """With what to do."""
    line = [sys.executable, "-m", "azureml_sandbox", "train", str(tmp_path), "--workspace", "source"]

    done = subprocess.run(line, check=False, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "azureml-sandbox serve" in done.stderr
