"""The original tool's own commands, as its document gives them: real processes, from a folder that is not the clone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.witness import look, tracking_uri
from environment import point_at

MLFLOW_STATUS = {"Completed": "FINISHED", "Failed": "FAILED", "Canceled": "KILLED"}
SECONDS = 240


def command(module: str, *arguments: str | Path) -> list[str]:
    """As a user types it."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def run(module: str, *arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """One command, in `folder`."""
    return subprocess.run(
        command(module, *arguments), cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS
    )


def extract(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The document's first phase: `config/source_config.json` lies in `folder`."""
    return run("extractor.extract_jobs", "--source", "config/source_config.json", *arguments, folder=folder)


def configured(folder: Path, **workspaces: WorkspaceFile) -> Path:
    """A user's folder with the config files of the document."""
    (folder / "config").mkdir(parents=True)
    for role, workspace in workspaces.items():
        (folder / "config" / f"{role}_config.json").write_bytes(workspace.path.read_bytes())
    return folder


def jobs_of(path: Path) -> dict[str, dict[str, Any]]:
    return {job["name"]: job for job in json.loads(path.read_text())}


@pytest.fixture(scope="module")
def trained(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WorkspaceFile, Path]]:
    """A source that Microsoft's clients filled, and the folder where the document's first command ran."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        source = sandbox.add_workspace()
        subprocess.run(
            [sys.executable, "-m", "azureml_sandbox.fill.notebooks", str(source.path)], check=True, capture_output=True
        )
        folder = configured(tmp_path_factory.mktemp("trained"), source=source)
        done = extract(folder, "--output", "data/jobs.json")
        assert done.returncode == 0, done.stderr
        yield source, folder


@pytest.fixture(scope="module")
def sampled(sandbox: Sandbox) -> WorkspaceFile:
    """Families of several kinds, three levels deep; nobody changes it."""
    source = sandbox.add_workspace()
    sample(sandbox.folder, source.workspace_name, Wanted(runs=60, experiments=2, series=2, points=4, artifacts=1))
    return source


def test_jobs_json_says_what_the_official_clients_say(trained) -> None:
    """Every run, children too: experiment by name, parent, status, times, parameters, tags."""
    source, folder = trained
    there, jobs = look(source, files=False).runs, jobs_of(folder / "data" / "jobs.json")

    assert set(jobs) == set(there)
    assert len(jobs) == 11
    for name, told in there.items():
        job = jobs[name]
        assert job["experiment_name"] == told["experiment"]
        assert MLFLOW_STATUS[job["status"]] == told["status"]
        assert job["parent_job_name"] == told["tags"].get("mlflow.parentRunId")
        assert job["mlflow_params"] == told["params"]
        own = {key: value for key, value in job["tags"].items() if not key.startswith("mlflow.")}
        assert own.items() <= told["tags"].items()
        assert job["mlflow_tags"] == told["tags"]
        assert {"mlflow.runName", "mlflow.user"} <= job["mlflow_tags"].keys()
        assert job["start_time"][:19] <= job["end_time"][:19]
    children = {job["parent_job_name"]: 1 for job in jobs.values() if job["parent_job_name"]}
    assert children
    assert all(jobs[parent]["child_run_ids"] for parent in children)


def test_jobs_json_holds_every_point_and_names_every_file(trained) -> None:
    """Step, time and value of the whole history, not the last values alone; the real list of files, with sizes."""
    source, folder = trained
    there, jobs = look(source), jobs_of(folder / "data" / "jobs.json")

    points = {
        (name, series["name"]): sorted(
            (step or 0, milliseconds(stamp), float(value).hex()) for step, stamp, value in series["rows"]
        )
        for name, job in jobs.items()
        for series in job["metric_history"]
        if len(series["columns"]) == 1 and series["columns"][0][1] == "Double"
    }
    assert {key: points.get(key) for key in there.points} == there.points
    assert sum(map(len, there.points.values())) > 250
    files = {(name, path) for name, job in jobs.items() for path in job["mlflow_artifact_paths"]}
    assert files >= set(there.files)
    assert {(name, file["path"]) for name, job in jobs.items() for file in job["artifacts"]} == files


def milliseconds(stamp: str) -> int:
    from azureml_replay.instants import Instant

    return Instant.parse(stamp).ticks // 10_000


def test_the_log_lies_where_the_document_says(trained) -> None:
    _, folder = trained

    (log,) = (folder / "logs").glob("extract_jobs_*.log")

    assert "in the file: 11 jobs" in log.read_text()


def test_again_asks_for_nothing_that_is_there(trained, calm: Sandbox, azure_env) -> None:
    """The archive beside the file knows: the same file, and not one metric or definition is read twice."""
    _, folder = trained
    before = (folder / "data" / "jobs.json").read_bytes()

    done = extract(folder, "--output", "data/jobs.json", "--parallel", "8")

    assert done.returncode == 0, done.stderr
    assert (folder / "data" / "jobs.json").read_bytes() == before
    asked = [route["route"] for route in calm.requests()["routes"]]
    assert not [route for route in asked if "metric" in route or "rundata" in route]
    assert calm.requests()["writes"] == 0


@pytest.mark.parametrize("flags", [["--limit", "2"], ["--limit", "2", "--no-artifacts", "--parallel", "12"]])
def test_a_limit_counts_top_level_jobs(sampled, azure_env, tmp_path: Path, flags: list[str]) -> None:
    """The newest two, each with all below it; the message says what is missing, and why."""
    folder = configured(tmp_path, source=sampled)

    done = extract(folder, "--output", "data/jobs.json", *flags)

    assert done.returncode == 0, done.stderr
    jobs = jobs_of(folder / "data" / "jobs.json")
    roots = {name for name, job in jobs.items() if job["parent_job_name"] is None}
    assert len(roots) == 2
    assert all(job["parent_job_name"] in jobs for name, job in jobs.items() if name not in roots)
    assert "2 of " in done.stderr
    assert "--limit left the others out" in done.stderr
    step, line = done.stderr.splitlines()[-2:]
    assert step == "Next: choose the workspace to write into, save its config.json as target.json, then"
    assert line.startswith("  python -m replayer.build_pipeline --source ")
    assert line.endswith(" --target target.json --input data/jobs.json --dry-run")
    left_out = "--no-artifacts" in flags
    assert ("outputs will be empty: extract again without --no-artifacts" in done.stderr) == left_out
    assert {job["mlflow_artifact_paths"] is None for job in jobs.values()} == {left_out}


def test_include_by_name_and_by_file(sampled, azure_env, tmp_path: Path) -> None:
    """A later call with other names adds to the archive; the file holds what that call was about."""
    folder = configured(tmp_path, source=sampled)
    assert extract(folder, "--output", "data/all.json").returncode == 0
    roots = [name for name, job in jobs_of(folder / "data" / "all.json").items() if job["parent_job_name"] is None]
    (folder / "include.txt").write_text(f"# wanted\n{roots[0]}\n\n{roots[3]}\n")

    by_name = extract(folder, "--output", "data/selected.json", "--include", f"{roots[1]},{roots[2]}")
    named = jobs_of(folder / "data" / "selected.json")
    by_file = extract(folder, "--output", "data/selected.json", "--include-file", "include.txt")
    filed = jobs_of(folder / "data" / "selected.json")

    assert (by_name.returncode, by_file.returncode) == (0, 0)
    assert {name for name in named if named[name]["parent_job_name"] is None} == {roots[1], roots[2]}
    assert {name for name in filed if filed[name]["parent_job_name"] is None} == {roots[0], roots[3]}


def test_active_jobs_come_when_asked_for(sandbox: Sandbox, azure_env, tmp_path: Path) -> None:
    """Without the flag the message names it."""
    source = sandbox.add_workspace()
    mlflow.set_tracking_uri(tracking_uri(source))
    active = MlflowClient().create_run(MlflowClient().create_experiment("now")).info.run_id
    folder = configured(tmp_path, source=source)

    without = extract(folder, "--output", "jobs.json")
    before = jobs_of(folder / "jobs.json")
    with_ = extract(folder, "--output", "jobs.json", "--include-active")

    assert (without.returncode, with_.returncode, before) == (0, 0, {}), without.stderr + with_.stderr
    assert "1 run still active: their jobs come with a later extraction, or now with --include-active" in without.stderr
    assert set(jobs_of(folder / "jobs.json")) == {active}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--include", "no-such-job"], "no-such-job"),
        (["--include-file", "none.txt"], "none.txt"),
        (["--include", "include.txt"], "--include-file include.txt"),
        (["--limit", "0"], "--limit"),
        (["--parallel", "many"], "--parallel"),
        (["--sauce", "x"], "--sauce"),
    ],
)
def test_what_is_wrong_is_one_line(sampled, azure_env, tmp_path: Path, arguments: list[str], says: str) -> None:
    """Exit code 2, the flag or the name in it, and no file."""
    folder = configured(tmp_path, source=sampled)
    (folder / "include.txt").write_text("x\n")

    done = extract(folder, "--output", "data/jobs.json", *arguments)

    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2
    assert last.startswith("error: ")
    assert says in last
    assert not (folder / "data" / "jobs.json").exists()


def test_the_examples_are_configs_once_filled_in(sampled, azure_env, tmp_path: Path) -> None:
    """As shipped they are refused by the placeholder's name; with the three names they work."""
    shipped = Path(__file__).parents[2] / "config"
    assert sorted(path.name for path in shipped.glob("*.example")) == [
        "mltables.yaml.example",
        "source_config.json.example",
        "target_config.json.example",
    ]
    text = (shipped / "source_config.json.example").read_text()
    folder = configured(tmp_path, source=sampled)
    config = folder / "config" / "source_config.json"

    config.write_text(text)
    refused = extract(folder, "--output", "jobs.json")
    for key in ("subscription_id", "resource_group", "workspace_name"):
        text = text.replace(f"<{key.upper()}>", getattr(sampled, key))
    config.write_text(text.replace("{", f'{{ "tenant_id": "{sampled.tenant_id}",', 1))
    done = extract(folder, "--output", "jobs.json", "--limit", "1")

    assert refused.returncode == 2
    assert "placeholder '<SUBSCRIPTION_ID>'" in refused.stderr
    assert done.returncode == 0, done.stderr


def test_a_failing_listing_writes_no_file_and_ends_with_3(sampled, calm: Sandbox, azure_env, tmp_path: Path) -> None:
    """Half a list is no list: nothing looks like success, and the file of better times stays."""
    folder = configured(tmp_path, source=sampled)
    (folder / "data").mkdir()
    (folder / "data" / "jobs.json").write_text("[]\n")
    match = {"path": "runs:query", "workspace": sampled.workspace_name}
    calm.set_faults([{"match": match, "after": 1, "do": "status", "status": 400}])

    failed = extract(folder, "--output", "data/jobs.json")

    assert failed.returncode == 3, failed.stderr
    assert "run the same command again" in failed.stderr
    assert (folder / "data" / "jobs.json").read_text() == "[]\n"


def test_killed_at_any_moment_it_goes_on(sampled, azure_env, tmp_path: Path) -> None:
    """SIGKILL again and again: what came is kept, and the file at the end is the one of an undisturbed extraction."""
    whole, broken = (configured(tmp_path / name, source=sampled) for name in ("whole", "broken"))
    assert extract(whole, "--output", "data/jobs.json").returncode == 0
    arguments = ("--source", "config/source_config.json", "--output", "data/jobs.json", "--parallel", "1")

    for listed in range(1, 6):
        process = subprocess.Popen(
            command("extractor.extract_jobs", *arguments), cwd=broken, stderr=subprocess.PIPE, text=True
        )
        until_extracted(process, broken / "data" / "jobs.archive" / "archive.db", 10 * listed)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not (broken / "data" / "jobs.json").exists()
    assert extract(broken, "--output", "data/jobs.json").returncode == 0

    assert (broken / "data" / "jobs.json").read_bytes() == (whole / "data" / "jobs.json").read_bytes()


def until_extracted(process: subprocess.Popen[str], database: Path, runs: int) -> None:
    """Until so many runs are in the archive, or the command has ended."""
    import sqlite3
    import time

    while process.poll() is None:
        time.sleep(0.005)
        if not database.exists():
            continue
        try:
            with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
                (count,) = db.execute("select count(*) from run where generation > 0").fetchone()
        except sqlite3.Error:
            continue  # its tables are not there yet
        if count >= runs:
            return


def test_secrets_of_the_environment_stay_there(trained, azure_env) -> None:
    """Neither the login's secret nor a signature is in the file, the archive's text or the log."""
    _, folder = trained
    secret = os.environ["AZURE_CLIENT_SECRET"].encode()

    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert secret not in data, path
            assert b"sig=" not in data, path
