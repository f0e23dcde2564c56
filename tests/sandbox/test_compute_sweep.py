"""Submitted sweeps run: their trials, tags and best one."""

from __future__ import annotations

import json
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from azure.ai.ml.sweep import Choice

from azureml_sandbox.compute import sampling
from azureml_sandbox.compute.sampling import trials
from azureml_sandbox.protocol.errors import Refused
from sandbox.jobs import Jobs, jobs, python

__all__ = ["jobs"]

SCRIPT = """
import sys, mlflow
mlflow.log_metric("score", 100.0, step=0)
mlflow.log_metric("score", float(sys.argv[1]), step=1)
open("outputs/chosen.txt", "w").write(sys.argv[1])
"""
OBJECTIVE = {"primaryMetric": "score", "goal": "minimize"}


def sweep(folder: Path, goal: str, sampling_algorithm: str = "grid", **limits: int) -> Any:
    job = python(folder, SCRIPT, "${{inputs.x}}", inputs={"x": 0})(x=Choice([3, 1, 2]))
    swept = job.sweep(sampling_algorithm=sampling_algorithm, primary_metric="score", goal=goal)
    swept.set_limits(max_concurrent_trials=2, **limits)
    return swept


def test_a_grid_tries_everything_and_the_best_can_be_downloaded(jobs: Jobs, tmp_path: Path) -> None:
    """The last value counts; azure-ai-ml reads `best_child_run_id`."""
    run = jobs.run(sweep(tmp_path, "minimize", max_total_trials=10))
    name = run["runId"]

    jobs.client.jobs.download(name, download_path=tmp_path / "best")

    assert run["status"] == "Completed"
    assert run["properties"]["best_child_run_id"] == f"{name}_1"
    assert run["properties"]["score"] == "1.0"
    assert (tmp_path / "best/artifacts/outputs/chosen.txt").read_text() == "1"


@pytest.mark.slow
def test_trials_are_named_and_tagged_as_recorded(jobs: Jobs, tmp_path: Path) -> None:
    """Their parameters stand in two tags of the trial and one of the sweep; a sweep has no tracking service."""
    run = jobs.run(sweep(tmp_path, "maximize", "random", max_total_trials=2))
    name, children = run["runId"], jobs.children(run["runId"])
    job = jobs.plane.arm(f"/jobs/{name}")["properties"]

    assert sorted(children) == [f"{name}_0", f"{name}_1"]
    for trial in children.values():
        values = trial["tags"]["hyperparameters"]
        assert json.loads(values)["x"] in (1, 2, 3)
        assert values == trial["tags"]["_aml_system_hyperparameters"] == run["tags"][f"_aml_system_{trial['runId']}"]
    assert run["tags"]["_aml_system_all_jobs_generated"] == "true"
    assert (job["objective"]["goal"], list(job["services"])) == ("Maximize", ["Studio"])
    assert "properties" not in jobs.plane.arm(f"/jobs/{name}_0")


def test_a_sweep_without_a_completed_trial_has_failed(jobs: Jobs) -> None:
    """Each trial for its own reason."""
    given = {
        "jobType": "Sweep",
        "trial": {"command": "exit ${{search_space.x}}"},
        "searchSpace": {"x": ["choice", [[1, 2]]]},
        "samplingAlgorithm": {"samplingAlgorithmType": "Grid"},
        "objective": OBJECTIVE,
    }

    answer = jobs.put("s", **given)
    run = jobs.ended("s")

    assert (answer.status_code, answer.json()["properties"]["status"], run["status"]) == (201, "Running", "Failed")
    messages = [trial["error"]["error"]["message"] for trial in jobs.children("s").values()]
    assert ["status code 1" in messages[0], "status code 2" in messages[1]] == [True, True]


def test_cancel_ends_the_trials(jobs: Jobs) -> None:
    """All that run; no further one starts."""
    given = {
        "jobType": "Sweep",
        "trial": {"command": "sleep 60 # ${{search_space.x}}"},
        "searchSpace": {"x": ["uniform", [0, 1]]},
        "samplingAlgorithm": {"samplingAlgorithmType": "Random"},
        "limits": {"jobLimitsType": "Sweep", "maxTotalTrials": 5, "maxConcurrentTrials": 1},
        "objective": OBJECTIVE,
    }
    jobs.put("s", **given)
    while "s_0" not in jobs.children("s"):
        time.sleep(0.05)
    jobs.when("s_0", {"Running"})

    jobs.cancel("s")

    assert jobs.ended("s")["status"] == "Canceled"
    assert {name: trial["status"] for name, trial in jobs.children("s").items()} == {"s_0": "Canceled"}


@pytest.mark.parametrize(
    ("distribution", "arguments", "low", "high"),
    [
        ("uniform", [2, 3], 2, 3),
        ("quniform", [2, 9, 0.5], 2, 9),
        ("loguniform", [0, 1], 1, 2.719),
        ("qloguniform", [0, 1, 0.1], 1, 2.719),
        ("randint", [4], 0, 3),
        ("choice", [[7, 8]], 7, 8),
        ("normal", [0, 1], -9, 9),
        ("qnormal", [0, 1, 0.5], -9, 9),
        ("lognormal", [0, 1], 0, 9_000),
        ("qlognormal", [0, 1, 1], 0, 9_000),
    ],
)
def test_every_distribution_stays_in_its_range(
    distribution: str, arguments: list[Any], low: float, high: float
) -> None:
    """And differs from draw to draw."""
    drawn = trials({"x": [distribution, arguments]}, "Random", Random(1))
    values = [next(drawn)["x"] for _ in range(50)]

    assert min(values) >= low
    assert max(values) <= high
    assert len(set(values)) > 1


def test_equal_seeds_draw_equal_trials() -> None:
    """A sweep can be repeated."""
    space = {"x": ["uniform", [0, 1]]}

    assert next(trials(space, "Random", Random(3))) == next(trials(space, "Random", Random(3)))


@pytest.mark.parametrize(
    ("space", "kind", "status"),
    [
        ({"x": ["uniform", [0, 1]]}, "Grid", 400),
        ({"x": ["gamma", [0, 1]]}, "Random", 400),
        ({"x": ["uniform", [0, 1]]}, "Bayesian", 501),
    ],
)
def test_what_cannot_be_sampled_is_refused(space: dict[str, Any], kind: str, status: int) -> None:
    """A grid has no ends between two numbers."""
    with pytest.raises(Refused) as refused:
        sampling.check(space, kind)

    assert refused.value.status == status
