"""A whole migration of histories that real clients logged, asked about through clients that nobody here wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from azureml_sandbox.server.sandbox import Sandbox
from e2e.witness import look
from environment import point_at

LINEAGE_TAG = "original_job_id"
EXPERIMENT_TAG = "azureml_replay"
"""Of experiments of which there is more to tell than a name: this one is archived."""


def replay(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The product's command, as a process."""
    command = [str(Path(sys.executable).with_name("azureml-replay")), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, env=dict(os.environ))


@pytest.fixture(scope="module")
def migrated(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory):
    """Source, target and archive of a finished migration of the trainings; the working folder takes the logs."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        folder = tmp_path_factory.mktemp("migrated")
        patch.chdir(folder)
        source, target = sandbox.add_workspace(), sandbox.add_workspace()
        subprocess.run(
            [sys.executable, "-m", "azureml_sandbox.fill.notebooks", str(source.path)], check=True, capture_output=True
        )
        sandbox.reset_requests()
        done = replay(
            "migrate", "--source", source.path, "--target", target.path, "--archive", folder / "archive", "--deep"
        )
        assert done.returncode == 0, done.stderr
        yield source, target, folder / "archive", done, sandbox.requests()


def test_official_clients_see_the_same_runs(migrated) -> None:
    """Experiments, ids, parents, status, start, end, names, params, tags: MLflow's words on both sides are equal."""
    source, target, *_ = migrated

    there, here = look(source, files=False), look(target, files=False)

    ours = {"azureml-replay-probe"}
    assert there.experiments == {
        name: told | {"tags": {key: value for key, value in told["tags"].items() if key != EXPERIMENT_TAG}}
        for name, told in here.experiments.items()
        if name not in ours
    }
    assert {name for name, told in here.experiments.items() if EXPERIMENT_TAG in told["tags"]} == {"abandoned-ideas"}
    assert there.runs == {
        run: told | {"tags": {key: value for key, value in told["tags"].items() if key != LINEAGE_TAG}}
        for run, told in here.runs.items()
        if told["experiment"] not in ours
    }
    assert len(there.runs) == 11
    assert {told["status"] for told in there.runs.values()} == {"FINISHED", "FAILED", "KILLED"}
    assert all(here.runs[run]["tags"][LINEAGE_TAG] == run for run in there.runs)


def test_official_clients_see_every_point_and_every_byte(migrated) -> None:
    """Step, time and bits of every point; the content of every file."""
    source, target, *_ = migrated

    there, here = look(source), look(target)

    assert there.points == {key: rows for key, rows in here.points.items() if key[0] in there.runs}
    assert there.files == {
        (run, path): digest
        for (run, path), digest in here.files.items()
        if run in there.runs and not path.startswith("replay/")
    }
    values = {bits for rows in there.points.values() for _, _, bits in rows}
    assert {"nan", "inf"} <= values
    assert len(there.files) > 20


def test_mlflow_is_led_to_the_targets_own_files(migrated) -> None:
    """Where it looks for a run's files names the target, also where a property of the run named the source."""
    source, target, *_ = migrated

    there, here = look(source, files=False).places, look(target, files=False).places

    assert set(there.values()) == {source.workspace_name}
    assert set(here.values()) == {target.workspace_name}


def test_azure_ai_ml_lists_the_same_jobs(migrated) -> None:
    """Name, display name, experiment, status and type of every root job."""
    source, target, *_ = migrated

    there, here = look(source, files=False).jobs, look(target, files=False).jobs

    assert there == {name: job for name, job in here.items() if job[1] != "azureml-replay-probe"}
    assert len(there) == 8


def test_the_source_is_only_read(migrated) -> None:
    """Not one write reaches it, from extraction to the deep verify."""
    source, _, _, _, requests = migrated

    written = [route for route in requests["routes"] if route["effect"] == "write" and "source" in route["workspace"]]
    named = {route["workspace"] for route in requests["routes"]}

    assert source.workspace_name in named
    assert not [
        route
        for route in requests["routes"]
        if route["effect"] == "write" and route["workspace"] == source.workspace_name
    ]
    assert written == []


def test_a_finished_migration_sends_nothing(migrated, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """Run again: the same verdict, no write to either workspace."""
    source, target, archive, *_ = migrated

    again = replay("migrate", "--source", source.path, "--target", target.path, "--archive", archive, "--json")

    assert again.returncode == 0, again.stderr
    assert calm.requests()["writes"] == 0
    assert json.loads(again.stdout)


def test_the_verdict_says_what_was_compared(migrated) -> None:
    """One line with runs, points, files and omissions, on stdout."""
    _, _, _, done, _ = migrated

    assert (
        "11 runs, 305 points, 37 files (8 of them made by replay): all equal; 0 omissions planned for " in done.stdout
    )


def test_another_archive_of_the_same_source_continues(migrated, calm: Sandbox, azure_env, tmp_path: Path) -> None:
    """Runs that say they come from this source are ours, whichever archive wrote them: nothing is twice."""
    source, target, *_ = migrated

    other = replay("migrate", "--source", source.path, "--target", target.path, "--archive", tmp_path / "other")

    assert other.returncode == 0, other.stderr
    assert "all equal" in other.stdout
