"""Killed anywhere, the next run ends equal: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from azureml_sandbox.running import Sandbox, WorkspaceFile
from e2e.library import DiesAt, PowerCut, migrated

LAG_MS = 150
SEED = 20_261_123


@pytest.mark.parametrize("delivered", [False, True], ids=["before-delivery", "after-delivery"])
@pytest.mark.parametrize("every", [3, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])])
def test_cut_at_every_request_with_lagging_ingestion(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, delivered: bool, every: int
) -> None:
    """At each request in turn (or each third), each into a target of its own, while written points show up late."""
    calm.set_faults(ingestion_lag_ms=LAG_MS)
    last = 0

    for at in count(1 if every == 1 else 1 + delivered, every):
        last = at
        if not cut_and_continue(small_history, calm.add_workspace(), tmp_path / str(at), at, delivered=delivered):
            break

    assert last > 60, "a migration of three runs takes more requests than that: the cuts did not reach its end"


def cut_and_continue(source: WorkspaceFile, target: WorkspaceFile, folder: Path, at: int, *, delivered: bool) -> bool:
    """Dies at request `at`, then runs undisturbed and must end equal, byte for byte. Says whether it came to die."""
    was_cut = False
    try:
        asyncio.run(migrated(source, target, folder, cut=DiesAt(at, delivered=delivered)))
    except PowerCut:
        was_cut = True

    done = asyncio.run(migrated(source, target, folder))

    assert (done.verdict.findings, done.replayed.failed) == (0, ()), (at, delivered)
    assert (done.verdict.runs, done.verdict.points) == (3, 330), (at, delivered)
    return was_cut


def test_sigkill_of_the_real_process_at_random_moments(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, monkeypatch
) -> None:
    """The command is killed ten times over, wherever it is; then it is left to end, and everything is there once."""
    monkeypatch.chdir(tmp_path)
    target, moments = calm.add_workspace(), random.Random(SEED)
    command = [str(Path(sys.executable).with_name("azureml-replay")), "migrate", "--archive", "archive", "--deep"]
    command += ["--source", str(small_history.path), "--target", str(target.path)]
    calm.set_faults(ingestion_lag_ms=LAG_MS, rules=[{"do": "delay", "delay_ms": 20}])

    killed = 0
    for _ in range(10):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(moments.uniform(0.4, 3.0))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert killed > 0, "every attempt ended before its kill: the moments no longer hit"
    assert ended.returncode == 0, ended.stderr
    assert "3 runs, 330 points, 4 files: all equal" in ended.stdout
