"""The step alone, as a process with a job's variables, against a workspace's MLflow; asked about through MLflow."""

from __future__ import annotations

import ast
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import pytest
from azure.identity import DefaultAzureCredential
from mlflow import MlflowClient

import azureml_replay
from azureml_replay.synthetic.staging.batches import parts, requests
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.witness import tracking_uri

STEP = Path(azureml_replay.__file__).parent / "synthetic" / "step"
START_MS = 1_700_000_000_000
PROGRESS = "azureml_replay_points"


class Job:
    """What the platform would give a step: a run, a mounted folder, a work folder, variables."""

    def __init__(self, workspace: WorkspaceFile, folder: Path) -> None:
        self.uri = tracking_uri(workspace)
        mlflow.set_tracking_uri(self.uri)
        self.client = MlflowClient()
        experiment = self.client.create_experiment("replayed")
        self.parent = self.client.create_run(experiment).info.run_id
        self.run = self.client.create_run(experiment, tags={"mlflow.parentRunId": self.parent}).info.run_id
        self.node, self.work = folder / "mount" / "inner" / "self", folder / "work"
        (self.node / "files").mkdir(parents=True)
        self.work.mkdir()
        self.token = DefaultAzureCredential().get_token("https://management.azure.com/.default").token
        self.variables = {
            "MLFLOW_TRACKING_URI": self.uri,
            "MLFLOW_TRACKING_TOKEN": self.token,
            "MLFLOW_RUN_ID": self.run,
            "AZUREML_RUN_ID": self.run,
            "MLFLOW_EXPERIMENT_ID": experiment,
        }
        self.manifest: dict[str, Any] = {
            "run": "original",
            "rows": 0,
            "points": [],
            "parameters": {},
            "tags": {},
            "points_refused": {},
            "files": [],
            "files_refused": {},
            "parent": None,
        }

    def points(self, **series: list[float]) -> None:
        """Value n of a name was logged at step n."""
        rows = [
            [
                {"key": name, "value": _wire(value), "timestamp": START_MS + step, "step": step}
                for step, value in enumerate(values)
            ]
            for name, values in series.items()
        ]
        for number, (part, _) in enumerate(parts(requests(iter(one) for one in rows))):
            (self.node / f"points-{number}.jsonl").write_bytes(part)
            self.manifest["points"].append(f"points-{number}.jsonl")
        self.manifest["rows"] = sum(map(len, series.values()))

    def file(self, to: str, data: bytes, *, size: int | None = None, md5: str | None = None) -> None:
        """One staged file; `size` and `md5` may lie about it."""
        staged = f"files/{len(self.manifest['files']):06d}"
        (self.node / staged).write_bytes(data)
        self.manifest["files"].append(
            {"from": staged, "to": to, "size": len(data) if size is None else size, "md5": md5}
        )

    def execute(self) -> subprocess.CompletedProcess[str]:
        """As the component's command would, in a Python without anything installed."""
        (self.node / "manifest.json").write_text(json.dumps(self.manifest))
        snapshot = self.work.parent / "code"
        if not snapshot.exists():
            _unpack(snapshot)
        command = [sys.executable, "-I", "-S", "-c", _RUN, str(snapshot)]
        command += ["--root", str(self.node.parents[1]), "--key", "inner/self", "--out", str(self.work.parent / "out")]
        return subprocess.run(
            command, env={**os.environ, **self.variables}, cwd=self.work, capture_output=True, text=True, check=False
        )

    def history(self, name: str, run: str | None = None) -> list[tuple[int, int, str]]:
        """Step, milliseconds, bits."""
        found = self.client.get_metric_history(run or self.run, name)
        return sorted((one.step, one.timestamp, float(one.value).hex()) for one in found)

    def tags(self, run: str | None = None) -> dict[str, str]:
        return dict(self.client.get_run(run or self.run).data.tags)


_RUN = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("azureml_replay.synthetic.step", run_name="__main__", alter_sys=True)
"""


def _unpack(folder: Path) -> None:
    """What is shipped, and nothing else."""
    from azureml_replay.synthetic.bodies.shipped import code

    for path, data in code().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def _wire(value: float) -> float | str:
    return value if math.isfinite(value) else "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def expected(values: list[float]) -> list[tuple[int, int, str]]:
    return [(step, START_MS + step, float(value).hex()) for step, value in enumerate(values)]


@pytest.fixture
def job(workspace: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> Job:
    return Job(workspace, tmp_path)


def test_every_value_arrives(job: Job) -> None:
    """1,200 points of one name, NaN and infinities, 150 parameters, tags, description, files: in MLflow's words."""
    curve, odd = [1 / (step + 1) for step in range(1200)], [math.nan, math.inf, -math.inf, -0.0, 1e-320]
    job.points(loss=curve, odd=odd)
    job.manifest["parameters"] = {f"p{number}": str(number) for number in range(150)}
    job.manifest["tags"] = {"team": "blue", "mlflow.note.content": "what it was"}
    job.file("outputs/model/weights.bin", b"\0\1\2" * 1000)
    job.file("outputs/original_logs/user_logs/std_log.txt", b"")

    done = job.execute()

    assert done.returncode == 0, done.stdout + done.stderr
    assert job.history("loss") == expected(curve)
    assert job.history("odd") == expected(odd)
    assert job.client.get_run(job.run).data.params == job.manifest["parameters"]
    assert job.tags().items() >= {**job.manifest["tags"], PROGRESS: "1205"}.items()
    assert (job.work / "outputs/model/weights.bin").read_bytes() == b"\0\1\2" * 1000
    assert (job.work / "outputs/original_logs/user_logs/std_log.txt").read_bytes() == b""
    assert json.loads((job.work / "outputs/replay/refused.json").read_text()) == []
    assert list((job.work.parent / "out").iterdir())


def test_a_text_that_is_no_unicode_takes_nothing_along(job: Job) -> None:
    """A service that refuses half of a surrogate pair is told of, in words that any terminal and file can hold."""
    job.manifest["tags"] = {"\ud800": "x", "kept": "y"}

    done = job.execute()

    assert (done.returncode, "refused: tag \\ud800" in done.stdout) == (0, True), done.stdout + done.stderr
    assert [one["what"] for one in json.loads((job.work / "outputs/replay/refused.json").read_text())] == ["tag \ud800"]
    assert job.tags()["kept"] == "y"


def test_a_step_that_is_started_again_doubles_nothing(job: Job) -> None:
    """The platform restarts a preempted step: what was logged stays once."""
    curve = [float(step) for step in range(700)]
    job.points(loss=curve)
    assert job.execute().returncode == 0

    again = job.execute()

    assert again.returncode == 0
    assert job.history("loss") == expected(curve)


def test_a_step_goes_on_in_the_middle_of_a_request(job: Job) -> None:
    """The progress counts points, not requests."""
    curve = [float(step) for step in range(300)]
    job.points(loss=curve)
    job.client.set_tag(job.run, PROGRESS, "137")

    assert job.execute().returncode == 0

    assert job.history("loss") == expected(curve)[137:]


def test_what_storage_did_not_take_is_told_and_passed_over(job: Job) -> None:
    """In its place among the points, once, however often the step begins: whoever goes on knows which those are."""
    job.points(loss=[1.0, 2.0, 3.0])
    last = [{"key": "last", "value": 5.0, "timestamp": START_MS, "step": 0}]
    (job.node / "points-2.jsonl").write_text(json.dumps(last) + "\n")
    job.manifest |= {"rows": 11, "points": ["points-0.jsonl", "points-1.jsonl", "points-2.jsonl"]}
    job.manifest["points_refused"] = {"points-1.jsonl": {"count": 7, "reason": "too large"}}
    job.manifest["files_refused"] = {"outputs/a.bin": "no such name"}

    for why in ("too large", "refused when the step ran before"):
        done = job.execute()

        told = [(one["kind"], one.get("count", one.get("name")), one["reason"]) for one in reported(job)]
        assert (done.returncode, job.tags()[PROGRESS]) == (0, "11 refused 7"), done.stdout + done.stderr
        assert told == [("points", 7, why), ("file", "outputs/a.bin", "no such name")]
    assert (job.history("loss"), job.history("last")) == (expected([1.0, 2.0, 3.0]), expected([5.0]))


def reported(job: Job) -> list[dict[str, Any]]:
    """What the step says that its run lacks."""
    told: list[dict[str, Any]] = json.loads((job.work / "outputs/replay/refused.json").read_text())
    return told


def test_one_refused_point_loses_no_other_and_fails_nothing(job: Job) -> None:
    """The refused ones are listed with the service's reason; everything after them arrives, and the step ends well."""
    job.points(loss=[1.0, 2.0, 3.0], bad=[4.0], last=[5.0])
    lines = (job.node / "points-0.jsonl").read_text()
    (job.node / "points-0.jsonl").write_text(lines.replace("4.0", '"four"'))
    job.manifest["tags"] = {"after": "all"}
    job.file("outputs/x", b"x")

    done = job.execute()

    assert done.returncode == 0
    assert (job.history("loss"), job.history("last")) == (expected([1.0, 2.0, 3.0]), expected([5.0]))
    assert job.tags()["after"] == "all"
    assert (job.work / "outputs/x").exists()
    (refused,) = json.loads((job.work / "outputs/replay/refused.json").read_text())
    assert (refused["kind"], refused["name"], refused["value"], refused["timestamp"]) == (
        "metric",
        "bad",
        "four",
        START_MS,
    )
    assert refused["reason"]
    assert job.execute().returncode == 0
    (again,) = json.loads((job.work / "outputs/replay/refused.json").read_text())
    assert (again["kind"], again["count"]) == ("points", 1), "a second start forgot what the first could not log"


def test_a_name_that_is_refused_is_given_up_by_requests_and_others_are_not(job: Job, calm: Sandbox) -> None:
    """Not point by point: there may be a million. What stands around it arrives; parameters and tags go one by one."""
    calm.set_faults(unwanted=["odd"])
    curve = [float(step) for step in range(700)]
    job.points(good=curve, odd=curve, more=curve)
    job.manifest["parameters"] = {"p": "1", "q": "odd", "r": "2"}
    job.manifest["tags"] = {"t": "odd", "u": "3"}
    before = calm.requests()["total"]

    done = job.execute()

    asked = calm.requests()["total"] - before
    calm.set_faults()
    assert done.returncode == 0, done.stdout + done.stderr
    assert (job.history("good"), job.history("more"), job.history("odd")) == (expected(curve), expected(curve), [])
    assert job.client.get_run(job.run).data.params == {"p": "1", "r": "2"}
    assert job.tags().items() >= {"u": "3", PROGRESS: "2100 refused 700"}.items()
    told = json.loads((job.work / "outputs/replay/refused.json").read_text())
    assert sum(one.get("count", 1) for one in told if one["kind"] in ("metric", "points")) == 700
    assert [(one["kind"], one["name"], one["value"]) for one in told[-2:]] == [
        ("parameter", "q", "odd"),
        ("tag", "t", "odd"),
    ]
    assert all("odd" in one["reason"] for one in told)
    assert asked < 100, asked


@pytest.mark.parametrize("status", [403, 404])
def test_a_run_that_takes_nothing_fails_the_step(job: Job, calm: Sandbox, status: int) -> None:
    """Rights that lack, a run that is not there: no value is to blame, and none is given up for it."""
    job.points(loss=[1.0, 2.0])
    job.manifest["parameters"] = {"p": "1"}
    calm.set_faults([{"match": {"path": "/runs/log-batch$"}, "do": "status", "status": status}])

    done = job.execute()

    calm.set_faults()
    assert done.returncode == 1
    (told,) = json.loads((job.work / "outputs/replay/refused.json").read_text())
    assert (told["kind"], told["what"]) == ("", "values of run original")


def test_a_run_that_refuses_each_value_fails_the_step(job: Job, calm: Sandbox) -> None:
    """One that takes not even the step's own tag has ended, or takes nothing: that is no refusal of each."""
    job.manifest["parameters"] = {"p": "1", "q": "2"}
    calm.set_faults([{"match": {"path": "/runs/log-batch$"}, "do": "status", "status": 400}])

    done = job.execute()

    calm.set_faults()
    assert done.returncode == 1
    (told,) = json.loads((job.work / "outputs/replay/refused.json").read_text())
    assert told["kind"] == ""


def test_points_that_are_missing_are_counted_apart_from_what_was_refused(job: Job) -> None:
    """A tag that the service refuses stands for no point."""
    job.points(loss=[1.0, 2.0, 3.0])
    job.manifest |= {"rows": 5, "tags": {"\ud800": "x"}}

    assert job.execute().returncode == 1

    told = json.loads((job.work / "outputs/replay/refused.json").read_text())
    assert [one["what"] for one in told] == ["tag \ud800", "2 points"]


def test_values_of_a_parent_go_to_its_run_too(job: Job) -> None:
    """A `self` leaf writes both runs; the parent is read from the run's own tag."""
    job.points(loss=[1.0, 2.0])
    job.manifest |= {"parent": {"t": "group"}, "parameters": {"a": "1"}, "tags": {"t": "self"}}

    assert job.execute().returncode == 0

    for run, tag in ((job.run, "self"), (job.parent, "group")):
        assert job.history("loss", run) == expected([1.0, 2.0])
        assert job.client.get_run(run).data.params == {"a": "1"}
        assert job.tags(run)["t"] == tag
    assert json.loads((job.work / "outputs/replay/parent.json").read_text())["missing"] == []


def test_a_parent_that_cannot_be_written_is_told_and_fails_nothing(job: Job) -> None:
    """Who submitted writes it afterwards."""
    experiment = job.variables["MLFLOW_EXPERIMENT_ID"]
    job.variables["MLFLOW_RUN_ID"] = job.client.create_run(experiment).info.run_id  # it has no parent
    job.points(loss=[1.0])
    job.manifest["parent"] = {}

    done = job.execute()

    assert done.returncode == 0, done.stdout
    assert json.loads((job.work / "outputs/replay/parent.json").read_text())["missing"]


@pytest.mark.parametrize("to", ["outputs/../../escaped", "escaped", "/tmp/escaped", "outputs"])
def test_nothing_is_written_outside_of_the_outputs(job: Job, to: str) -> None:
    """A name that leads elsewhere is refused, and the step says so."""
    job.file(to, b"x")

    assert job.execute().returncode == 1

    assert not list(job.work.parent.rglob("*escaped*"))


def test_a_file_that_is_not_what_the_original_was_fails_the_step(job: Job) -> None:
    """Half a file is no file."""
    job.file("outputs/x", b"half", size=8)

    done = job.execute()

    assert done.returncode == 1
    assert not (job.work / "outputs/x").exists()
    assert "8" in json.loads((job.work / "outputs/replay/refused.json").read_text())[0]["reason"]


def test_a_file_of_other_bytes_fails_the_step(job: Job) -> None:
    """The size alone proves nothing."""
    job.file("outputs/x", b"data", md5="0" * 32)

    assert job.execute().returncode == 1

    assert not (job.work / "outputs/x").exists()


def test_lost_answers(job: Job, calm: Sandbox) -> None:
    """Cut off before and after it arrived, and a 500: every point is there, once."""
    curve = [float(step) for step in range(2600)]
    job.points(loss=curve)
    on = {"match": {"path": "/runs/log-batch$"}, "times": 1}
    kinds = [{"do": "reset-after"}, {"do": "reset"}, {"do": "status", "status": 500}]
    calm.set_faults([{**on, "after": 3 * at, **kind} for at, kind in enumerate(kinds)])

    done = job.execute()

    calm.set_faults()
    assert done.returncode == 0, done.stdout + done.stderr
    assert job.history("loss") == expected(curve)


def test_no_secret_is_told(job: Job) -> None:
    """Neither what it prints nor what it writes holds the token, in trouble neither."""
    job.points(loss=[1.0], bad=[2.0])
    job.variables["MLFLOW_RUN_ID"] = "no-such-run"
    job.file("outputs/x", b"x")

    done = job.execute()

    written = "".join(path.read_text() for path in job.work.rglob("*") if path.is_file())
    assert done.returncode == 1
    assert job.token not in done.stdout + done.stderr + written


@pytest.mark.parametrize("path", sorted(STEP.glob("*.py")), ids=lambda path: path.name)
def test_any_python_from_3_8_on_runs_it(path: Path) -> None:
    """Its syntax is that of 3.8, and it imports the standard library alone."""
    tree = ast.parse(path.read_text(), feature_version=(3, 8))

    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    foreign = {name for name in imported if name.partition(".")[0] not in sys.stdlib_module_names}
    assert all(name.startswith("azureml_replay.synthetic.step") for name in foreign)
