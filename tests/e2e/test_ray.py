"""Workers as tasks of Ray, where it is installed."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import pytest

from azureml_replay.connection import without_secrets
from azureml_replay.mlflow.config import server_config
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.test_lease import PACED, appends, migrating, until_it_appends
from e2e.test_workers import is_as_one_made_it, source, target
from e2e.troubles import until_gone

__all__ = ("source", "target")
SRC = Path(__file__).parents[2] / "src" / "azureml_replay"
with_ray = pytest.mark.skipif(find_spec("ray") is None, reason="the extra ray is not installed here")


def listening(pids: set[int]) -> set[str]:
    """Addresses on which these processes listen."""
    said = subprocess.run(["ss", "-tlnpH"], capture_output=True, text=True, check=True).stdout
    lines = [line for line in said.splitlines() if any(f"pid={pid}," in line for pid in pids)]
    return {line.split()[3].rpartition(":")[0] for line in lines}


def below(pid: int) -> set[int]:
    """A process's children, theirs, and so on."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child, *below(child)}
    return found


@with_ray
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_ray_brings_what_one_process_brings(
    source: WorkspaceFile, target: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """It listens on loopback alone, and begins and ends with the command."""
    more = ("--workers", "2", "--engine", "ray")
    with migrating(source, target, tmp_path / "a", *more, program=PACED) as migration:
        until_it_appends(calm, migration)
        family = below(migration.process.pid)
        addresses = listening(family)
        assert migration.ended() == 0, migration.said
        for pid in family:
            until_gone(pid)

    assert addresses <= {"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"}, addresses
    assert addresses
    is_as_one_made_it(source, target, calm, tmp_path / "a")


@with_ray
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_task_that_was_paused_ends_without_an_append(
    source: WorkspaceFile, target: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """Nobody can tell whether it lives: its part waits for the end of its term, and goes to another task."""
    more = ("--workers", "2", "--engine", "ray")
    with migrating(source, target, tmp_path / "a", *more, program=PACED) as migration:
        until_it_appends(calm, migration)
        paused = next(pid for pid in sorted(below(migration.process.pid)) if command_of(pid).startswith("ray::_work"))
        os.kill(paused, signal.SIGSTOP)
        assert migration.ended() == 0, migration.said
        calm.reset_requests()
        with suppress(ProcessLookupError):
            os.kill(paused, signal.SIGCONT)
        until_gone(paused)

    assert "a worker was lost (it said nothing for" in migration.said
    assert appends(calm) == 0
    is_as_one_made_it(source, target, calm, tmp_path / "a")


def command_of(pid: int) -> str:
    """Ray calls a process after the task that it works on."""
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def test_without_the_extra_it_is_named(tmp_path: Path, source: WorkspaceFile, azure_env: dict[str, str]) -> None:
    """Before anything is begun; and nothing else imports it."""
    code = "import sys; sys.modules['ray'] = None\nfrom azureml_replay.cli import main; main()"
    words = ["extract", "--source", str(source.path), "--archive", str(tmp_path / "a"), "--workers", "2"]
    ended = subprocess.run(
        [sys.executable, "-c", code, *words, "--engine", "ray"], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 2, ended.stderr
    assert "pip install 'azureml-job-replayer[ray]'" in ended.stderr
    users = [
        path.name for path in SRC.rglob("*.py") if re.search(r"\bimport ray\b|import_module\(.ray", path.read_text())
    ]
    assert users == ["ray.py"]


def test_what_a_cluster_keeps_has_no_secret() -> None:
    """Of an MLflow server's login nothing goes along; each worker finds its own."""
    secret = uuid4().hex
    config = server_config("http://127.0.0.1:5000", {"MLFLOW_TRACKING_TOKEN": secret})
    assert secret in repr(pickle.dumps(config))
    assert secret not in repr(pickle.dumps(without_secrets(config)))
