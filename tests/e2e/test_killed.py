"""Killed anywhere, the next run ends equal: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from azureml_replay.extraction.extract import ExtractOptions
from azureml_replay.verbs import MigrateOptions
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import scalar
from e2e.library import DiesAt, PowerCut, cut_and_continue, migrated
from e2e.tampering import Held, change, fill, row

LAG_MS = 150
SEED = 20_261_123
LONG = Wanted(runs=1, children=0, series=3, points=700, artifacts=0)
APPEND = r"/metric/v2\.0/.*/batch(sync)?$"


@pytest.mark.parametrize(
    "delivered", [pytest.param(False, marks=pytest.mark.slow), True], ids=["before-delivery", "after-delivery"]
)
@pytest.mark.parametrize("every", [11, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])])
def test_cut_at_every_request_with_lagging_ingestion(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, delivered: bool, every: int
) -> None:
    """At each request in turn (or each seventh), each into a target of its own, while written points show up late.

    Every second target has no `batchsync`: there rows have to settle.
    """
    last = 0

    for at in count(1 if every == 1 else 1 + delivered, every):
        last = at
        calm.set_faults(ingestion_lag_ms=LAG_MS, strict=["no-batchsync"] if at % 2 else [])
        cut = DiesAt(at, delivered=delivered)
        if not cut_and_continue(small_history, calm.add_workspace(), tmp_path / str(at), cut, (3, 330)):
            break

    assert last > 60, "a migration of three runs takes more requests than that: the cuts did not reach its end"


def test_sigkill_of_the_real_process_at_random_moments(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, monkeypatch
) -> None:
    """The command is killed six times over, wherever it is; then it is left to end, and everything is there once."""
    monkeypatch.chdir(tmp_path)
    target, moments = calm.add_workspace(), random.Random(SEED)
    command = [str(Path(sys.executable).with_name("azureml-replay")), "migrate", "--archive", "archive", "--deep"]
    command += ["--source", str(small_history.path), "--target", str(target.path)]
    calm.set_faults(ingestion_lag_ms=LAG_MS, rules=[{"do": "delay", "delay_ms": 20}])

    killed = 0
    for _ in range(6):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(moments.uniform(0.4, 3.0))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert killed > 0, "every attempt ended before its kill: the moments no longer hit"
    assert ended.returncode == 0, ended.stderr
    assert "3 runs, 330 points, 4 files (1 of them made by replay): all equal" in ended.stdout


def test_a_run_that_has_grown_says_beforehand_what_it_sends(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is all there and not asked about, so that only its intent tells that more rows may have arrived."""
    for reader in ("azure.services.metrics", "extraction.metrics"):
        monkeypatch.setattr(f"azureml_replay.{reader}.ROWS_PER_CHUNK", 5)
    source, target, folder = calm.add_workspace(), calm.add_workspace(), tmp_path / "archive"
    options = MigrateOptions(extract=ExtractOptions(check_all=True), deep=True)
    change(calm, source, fill)
    change(calm, source, lambda held: held.world.metrics.delete(held.guid, "dcid.root"))
    change(calm, source, lambda held: logged(held, range(5)))
    asyncio.run(migrated(source, target, folder, options=options))
    change(calm, source, lambda held: logged(held, range(5, 8)))

    cut = DiesAt(1, delivered=True, where=APPEND)
    with pytest.raises(PowerCut):
        asyncio.run(migrated(source, target, folder, cut=cut, options=options))
    done = asyncio.run(migrated(source, target, folder, options=options))

    assert (done.verdict.findings, done.verdict.points) == (0, 8)


def logged(held: Held, steps: Iterable[int]) -> None:
    """More rows of the root's loss."""
    held.world.metrics.append(held.guid, scalar("dcid.root", "loss"), [row(step, 0.5 + step) for step in steps])
