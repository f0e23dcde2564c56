"""Two replays of one source into one target: one writes, whatever stops, kills or follows it, and nothing is twice."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from azureml_replay.archive.archive import Archive
from azureml_replay.direct.replay import replay
from azureml_replay.errors import LeaseTaken
from azureml_replay.synthetic.replay import replay_synthetic
from azureml_replay.target.lease import hold, leased
from azureml_replay.undoing import undo
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.opened import opened
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import migrated, sampled
from e2e.test_synthetic import extracted
from e2e.test_synthetic import opened as speaking
from e2e.troubles import APPENDS, paused_before_an_append
from e2e.witness import LEASE, tracking_uri

PACED, COMMAND = [str(Path(__file__).with_name("paced.py"))], ["-m", "azureml_replay"]
SAMPLE = Wanted(runs=24, experiments=1, series=3, points=40, artifacts=1)
SEED = 20_260_415
SLOW, SLOWER = ([{"match": {"path": APPENDS}, "do": "delay", "delay_ms": delay_ms}] for delay_ms in (150, 1_500))
"""So that a replay of this sample takes some seconds, or half a minute, and is found at work."""
AT_WORK = re.compile(
    r"another replay of \S+ into this target is at work: \S+@\S+ since .* UTC, its lease runs until .* UTC"
)
EVERY_ROW = (
    "select series.container, series.name, metric_row.created, json_extract(metric_row.document, '$.step') as step,"
    " json_extract(metric_row.document, '$.data') as data from metric_row join series on series.id = metric_row.series"
    " where series.workspace = ? and series.container not like '%azureml-replay%'"
)


@pytest.fixture(scope="module")
def source(sandbox: Sandbox) -> WorkspaceFile:
    """24 runs in trees, 72 series, 2,880 points."""
    return sampled(sandbox, SAMPLE)


def rows_of(sandbox: Sandbox, workspace: WorkspaceFile) -> Counter[tuple[object, ...]]:
    """Every row that a workspace holds, the throw-away runs' aside, and how often: behind the service's back."""
    with opened(sandbox.folder, workspace.workspace_name) as (world, there):
        found = world.metrics._database.all(EVERY_ROW, there.guid)
        return Counter(tuple(row) for row in found)


@dataclass
class Migration:
    """A process of the command, with an archive of its own."""

    process: subprocess.Popen[str]
    said: str = ""

    def signal(self, number: int) -> None:
        """To the process itself."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def end_in_words(self) -> str | None:
        """None where it has not ended."""
        return None if self.process.poll() is None else f"{self.ended()} {self.said}"

    def ended(self, timeout_s: float = 200) -> int:
        """Its exit code; what it said on stderr lies in `said`."""
        if not self.said:
            _, self.said = self.process.communicate(timeout=timeout_s)
        return self.process.returncode


@contextmanager
def migrating(
    source: WorkspaceFile, target: WorkspaceFile, folder: Path, *more: str, program: Sequence[str] = PACED
) -> Iterator[Migration]:
    """Begun; ended at the end at the latest."""
    command = [sys.executable, *program, "migrate", "--parallel", "2", "--archive", str(folder), *more]
    command += ["--source", str(source.path), "--target", str(target.path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=folder.parent)
    try:
        yield Migration(process)
    finally:
        process.kill()
        process.wait()


def until_it_appends(sandbox: Sandbox, migration: Migration, count: int = 4) -> None:
    """Waits for so many requests that append points."""
    while appends(sandbox) < count:
        assert (ended := migration.end_in_words()) is None, f"ended before: {ended}"
        time.sleep(0.05)


def appends(sandbox: Sandbox) -> int:
    """Requests that append points, since the counts were set to nought."""
    return sum(
        row["count"]
        for row in sandbox.requests()["routes"]
        if row["route"].endswith(("/{run_id}/batch", "/{run_id}/batchsync"))
    )


def lease_runs(workspace: WorkspaceFile) -> list[Run]:
    """As MLflow shows them."""
    client = MlflowClient(tracking_uri=tracking_uri(workspace))
    experiments = [one.experiment_id for one in client.search_experiments(view_type=ViewType.ALL)]
    found = client.search_runs(experiments, run_view_type=ViewType.ALL)
    return [run for run in found if run.info.run_id.startswith(LEASE)]


@pytest.fixture
def target(calm: Sandbox, azure_env: dict[str, str]) -> WorkspaceFile:
    """Empty, and slow to take points in."""
    made = calm.add_workspace()
    calm.set_faults(SLOW)
    return made


def test_the_second_stops_before_its_first_write(
    source: WorkspaceFile, target: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """It says who is at work, since when and until when, and ends with 3; run again, it finds all there."""
    with migrating(source, target, tmp_path / "a", program=COMMAND) as first:
        until_it_appends(calm, first)
        first.signal(signal.SIGSTOP)
        time.sleep(1)  # what had left arrives
        working = lease_runs(target)
        calm.reset_requests()
        with migrating(source, target, tmp_path / "b", program=COMMAND) as second:
            assert second.ended() == 3
        written = calm.requests()["writes"]
        first.signal(signal.SIGCONT)
        assert first.ended() == 0, first.said
    with migrating(source, target, tmp_path / "b") as again:
        assert again.ended() == 0, again.said

    assert AT_WORK.search(second.said), second.said
    assert "--take-over" in second.said
    assert written == 0
    assert [run.info.lifecycle_stage for run in (*working, *lease_runs(target))] == ["active", "deleted"]
    assert working[0].data.params.items() < lease_runs(target)[0].data.params.items()
    assert rows_of(calm, target) == rows_of(calm, source)


def test_one_that_was_paused_ends_without_an_append(
    source: WorkspaceFile, target: WorkspaceFile, calm: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped as an append was about to leave, while another takes over; when it goes on its lease is gone."""
    pause = paused_before_an_append(tmp_path, monkeypatch, who="driver")
    with migrating(source, target, tmp_path / "a") as first:
        assert pause.befallen(first) == first.process.pid
        with migrating(source, target, tmp_path / "b", "--take-over") as second:
            assert second.ended() == 0, second.said
        calm.reset_requests()
        first.signal(signal.SIGCONT)
        assert first.ended() == 3, first.said

    assert re.search(r"waiting \d+ s until its term is over", second.said), second.said
    assert "it was taken over" in first.said
    assert rows_of(calm, target) == rows_of(calm, source)
    assert appends(calm) == 0


def test_the_lease_of_the_dead_is_taken_over_at_once(
    source: WorkspaceFile, target: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """Killed on this machine: another archive's replay does not wait for the term to run out."""
    with migrating(source, target, tmp_path / "a") as first:
        until_it_appends(calm, first)
        first.signal(signal.SIGKILL)
        first.ended()
        with migrating(source, target, tmp_path / "b") as second:
            assert second.ended() == 0, second.said

    assert rows_of(calm, target) == rows_of(calm, source)


@pytest.mark.slow
def test_two_sources_are_gathered_side_by_side(
    source: WorkspaceFile, target: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """A lease is one of a pair."""
    calm.set_faults(SLOWER)
    other = sampled(calm, Wanted(runs=3, experiments=1, seed=9, series=1, points=5, artifacts=0))
    with migrating(source, target, tmp_path / "a") as first:
        until_it_appends(calm, first)
        with migrating(other, target, tmp_path / "b", "--ids", "new") as second:
            assert second.ended() == 0, second.said
        assert first.process.poll() is None, "it was at work all the time"
        calm.set_faults()
        assert first.ended() == 0, first.said


def test_every_verb_that_writes_stops_before_its_first_write(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Replay in both ways, and undo. Where there is nothing to send none is in the way, and none is taken."""
    target, done, folder = calm.add_workspace(), tmp_path / "done", tmp_path / "archive"
    asyncio.run(migrated(small_history, target, done))
    asyncio.run(extracted(small_history, folder))

    async def writes(archive: Path, call: Callable[..., Awaitable[object]], *, origin: bool = True) -> int:
        """Those that a call made while another one holds the lease."""
        async with speaking(small_history) as reading, speaking(target) as other, speaking(target) as writing:
            with Archive.open(archive) as mine:
                async with leased(other, mine.source) as held:
                    await hold(held)
                    calm.reset_requests()
                    with suppress(LeaseTaken):
                        await (call(mine, reading, writing) if origin else call(mine, writing))
                        return -1
                    written: int = calm.requests()["writes"]
                    return written

    assert asyncio.run(writes(folder, replay)) == 0
    assert asyncio.run(writes(folder, replay_synthetic)) == 0
    assert asyncio.run(writes(done, undo, origin=False)) == 0
    assert asyncio.run(writes(done, replay)) == -1, "it has nothing to send"
    calm.reset_requests()
    asyncio.run(migrated(small_history, target, done))
    assert calm.requests()["writes"] == 0


def tried(seed: int, source: WorkspaceFile, sandbox: Sandbox, folder: Path) -> None:
    """Two or three at once into a new target, one of them stopped for a while or killed; then each once more."""
    drawn = random.Random(seed)
    target = sandbox.add_workspace()
    archives = [folder / name for name in "abc"[: drawn.choice((2, 2, 3))]]
    with ExitStack() as stack:
        begun = []
        for archive in archives:
            begun.append(stack.enter_context(migrating(source, target, archive, *drawn.choice([(), ("--take-over",)]))))
            time.sleep(drawn.uniform(0, 1.5))
        victim, how = drawn.choice(begun), drawn.choice(("left alone", "stopped", "stopped", "killed"))
        time.sleep(drawn.uniform(0, 6))
        if how == "stopped":
            victim.signal(signal.SIGSTOP)
            time.sleep(drawn.uniform(1, 30))
            victim.signal(signal.SIGCONT)
        elif how == "killed":
            victim.signal(signal.SIGKILL)
        codes = [migration.ended() for migration in begun]
        told = [migration.said for migration in begun]
    allowed = {0, 3} | ({-signal.SIGKILL} if how == "killed" else set())
    assert set(codes) <= allowed, (seed, how, codes, told)
    for archive in archives:
        with migrating(source, target, archive) as once_more:
            assert once_more.ended() == 0, (seed, how, codes, once_more.said)
    assert rows_of(sandbox, target) == rows_of(sandbox, source), (seed, how, codes, told)


FEW = (17, 39)
"""Three, the first of which is stopped and taken over (39 s, slow); and two, the first of which is killed."""


@pytest.mark.parametrize("number", [pytest.param(FEW[0], marks=pytest.mark.slow), FEW[1]])
def test_several_at_once_write_everything_once(
    number: int, source: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """At random moments."""
    calm.set_faults(SLOW)
    tried(SEED + number, source, calm, tmp_path)


@pytest.mark.sweep
@pytest.mark.parametrize("number", [number for number in range(50) if number not in FEW])
def test_several_at_once_write_everything_once_in_a_sweep(
    number: int, source: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """The same, with the rest of fifty."""
    calm.set_faults(SLOW)
    tried(SEED + number, source, calm, tmp_path)
