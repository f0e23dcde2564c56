"""Several workers for one command: what comes of them is what one process would have made."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time
from collections import Counter
from contextlib import AbstractContextManager, redirect_stdout, suppress
from io import StringIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from azureml_replay.cli import run
from azureml_replay.cli.app import app
from azureml_replay.errors import UserError
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import sampled
from e2e.test_lease import PACED, Migration, appends, migrating, rows_of, until_it_appends
from e2e.test_merge import at_target, root_of
from e2e.troubles import APPENDS, paused_before_an_append, until_gone

RUNS = "/history/v1.0/experiments/{experiment_name}/batch"
ONCE_A_PART = {
    *("GET ", "GET /discovery", "POST /{tenant}/oauth2/v2.0/token", "GET /history/v1.0/experimentids/{experiment_id}"),
    *("GET /datastores/{name}", "POST /datastores/{name}/listSecrets", "GET blob list"),
    *("POST /history/v1.0/batchrundata", f"PATCH {RUNS}/runs", f"POST {RUNS}/events"),
}
"""Routes that are asked more often: by each worker for its login and to find the workspace, and in bulk for fewer
runs at once."""
SLOW = [{"match": {"path": APPENDS}, "do": "delay", "delay_ms": 300}]
SAMPLE = Wanted(runs=10, experiments=2, children=0, series=2, points=1_500, artifacts=1)


def command(*words: str | Path, code: int = 0) -> str:
    """As it is typed."""
    with redirect_stdout(StringIO()) as said:
        ended = run([*map(str, words)])
    assert ended == code, said.getvalue()
    return said.getvalue()


def carried(source: WorkspaceFile, target: WorkspaceFile, folder: Path, *more: str) -> dict[str, object]:
    """A migration, with its result."""
    ends = ("--source", source.path, "--target", target.path, "--archive", folder)
    said = re.sub(r"404 from storage at [^;]+;", "404 from storage;", command("migrate", *ends, "--json", *more))
    done: dict[str, object] = json.loads(said)
    return done


def routes(sandbox: Sandbox) -> Counter[str]:
    """How often each was asked for since the counts were set to nought."""
    found = Counter[str]()
    for row in sandbox.requests()["routes"]:
        found[f"{row['method']} {row['route']}"] += row["count"]
    return found


@pytest.mark.slow
def test_every_oddity_comes_as_by_one_process(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """Reused steps, families, redactions; the archive, the verdict and the requests are those of one process.

    Nothing is left to write afterwards, by workers or without.
    """
    source = sampled(calm, Wanted(runs=30, experiments=2), hostile=True)
    one, two = (calm.add_workspace() for _ in range(2))
    calm.reset_requests()
    alone, crew = tmp_path / "alone", tmp_path / "crew"
    told = carried(source, one, alone)
    by_one = routes(calm)
    calm.reset_requests()
    by_crew = carried(source, two, crew, "--workers", "2")
    unlike = {route for route, count in routes(calm).items() if count != by_one[route]}
    calm.reset_requests()
    again = [carried(source, two, crew, *more) for more in ((), ("--workers", "2"))]
    writes = calm.requests()["writes"]

    assert by_crew["extracted"] == told["extracted"]
    assert by_crew["replayed"] == told["replayed"]
    assert by_crew["verdict"] == told["verdict"]
    assert [one["verdict"] for one in again] == [by_crew["verdict"]] * 2
    assert writes == 0
    assert unlike <= ONCE_A_PART
    assert root_of(alone) == root_of(crew)
    assert rows_of(calm, one) == rows_of(calm, two)
    assert at_target(crew).progress == at_target(alone).progress


def test_each_command_takes_workers(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """One after the other, with the bytes of files in the archive: they go with the parts, and come home with them."""
    target, folder, two = calm.add_workspace(), tmp_path / "a", ("--workers", "2")
    ends = ("--source", small_history.path, "--archive", folder)
    kept = json.loads(command("extract", *ends, "--artifacts", "download", "--json", *two))
    sent = json.loads(command("replay", folder, "--target", target.path, "--json", *two))
    command("verify", folder, "--target", target.path, "--deep", *two)

    assert (kept["runs"], kept["kept"], sent["runs"], sent["points"]) == (3, 3, 3, 330)
    assert rows_of(calm, target) == rows_of(calm, small_history)
    root_of(folder)
    assert at_target(folder).verified == 3
    assert not (folder / "archive.parts").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--mode", "synthetic", "--workers", "2"), "--workers 2 is for direct replay"),
        (("--engine", "ray"), "--engine ray goes with --workers"),
        (("--workers", "2", "--ray-address", "auto"), "--ray-address auto goes with --engine ray"),
    ],
)
def test_what_does_not_go_together(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["replay", str(tmp_path), "--target", "s/g/w", *words])

    assert isinstance(ended.exception, UserError)
    assert said in str(ended.exception)


# Stopped, killed


@pytest.fixture(scope="module")
def source(sandbox: Sandbox) -> WorkspaceFile:
    """Each run takes a dozen appends, one right after the other."""
    return sampled(sandbox, SAMPLE)


@pytest.fixture
def target(calm: Sandbox, azure_env: dict[str, str]) -> WorkspaceFile:
    """Empty, and slow to take points in."""
    made = calm.add_workspace()
    calm.set_faults(SLOW)
    return made


def workers_of(migration: Migration) -> list[int]:
    """Their process ids."""
    listed = Path(f"/proc/{migration.process.pid}/task/{migration.process.pid}/children").read_text()
    return [int(pid) for pid in listed.split()]


def with_a_part(migration: Migration, folder: Path) -> int:
    """The process id of a worker that has one: the lock of its archive says so."""
    while True:
        held = {lock.read_text() for lock in folder.glob("archive.parts/*.*/archive.lock")}
        if found := [pid for pid in workers_of(migration) if str(pid) in held]:
            return found[0]
        time.sleep(0.02)


def at_work(
    source: WorkspaceFile, target: WorkspaceFile, folder: Path, *more: str
) -> AbstractContextManager[Migration]:
    """Two workers, in a process of its own."""
    return migrating(source, target, folder, "--workers", "2", *more, program=PACED)


def told_to_all(migration: Migration, folder: Path) -> dict[str, bytes]:
    """The words with which the driver and its workers were started, and every file of theirs."""
    words = [Path(f"/proc/{pid}/cmdline") for pid in (migration.process.pid, *workers_of(migration))]
    return {str(path): path.read_bytes() for path in (*words, *folder.rglob("*")) if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("reaped", [True, False])
def test_a_worker_that_was_paused_ends_without_an_append(
    source: WorkspaceFile,
    target: WorkspaceFile,
    calm: Sandbox,
    azure_env: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    reaped: bool,
) -> None:
    """Stopped as an append was about to leave; its part is given to another one; then it goes on, where it still can.

    It has asked for its term before, and is asked nothing else but whether the bytes may leave.
    """
    if not reaped:
        monkeypatch.setenv("UNREAPED", "1")
    pause = paused_before_an_append(tmp_path, monkeypatch, who="worker")
    with at_work(source, target, tmp_path / "a") as migration:
        paused = pause.befallen(migration)
        told = told_to_all(migration, tmp_path / "a")
        assert migration.ended() == 0, migration.said
        calm.reset_requests()
        with suppress(ProcessLookupError):
            os.kill(paused, signal.SIGCONT)
        until_gone(paused)

    assert "a worker was lost (it said nothing for 5 s" in migration.said
    assert len(told) > 10
    assert not [where for where, data in told.items() if azure_env["AZURE_CLIENT_SECRET"].encode() in data]
    assert rows_of(calm, target) == rows_of(calm, source)
    assert appends(calm) == 0


def is_as_one_made_it(source: WorkspaceFile, target: WorkspaceFile, sandbox: Sandbox, folder: Path) -> None:
    """Nothing lost, nothing twice, nothing left; the archive is sound, and proves it."""
    assert rows_of(sandbox, target) == rows_of(sandbox, source)
    root_of(folder)
    there = at_target(folder)
    assert (there.sent, there.verified, there.left) == (SAMPLE.runs, SAMPLE.runs, 0)
    assert not (folder / "archive.parts").exists()
    sandbox.reset_requests()
    carried(source, target, folder)
    assert sandbox.requests()["writes"] == 0


@pytest.mark.slow
def test_a_worker_is_killed(source: WorkspaceFile, target: WorkspaceFile, calm: Sandbox, tmp_path: Path) -> None:
    """What it had sent is brought home, and another one goes on there."""
    with at_work(source, target, tmp_path / "a") as migration:
        until_it_appends(calm, migration)
        os.kill(with_a_part(migration, tmp_path / "a"), signal.SIGKILL)
        assert migration.ended() == 0, migration.said

    assert migration.said.count("a worker was lost (it ended): another one goes on with its part") == 1
    is_as_one_made_it(source, target, calm, tmp_path / "a")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_driver_is_stopped_and_the_same_command_goes_on(
    source: WorkspaceFile, target: WorkspaceFile, calm: Sandbox, tmp_path: Path, number: signal.Signals
) -> None:
    """Its workers end with it. What they left is folded in; after Ctrl-C it is there already."""
    with at_work(source, target, tmp_path / "a") as migration:
        until_it_appends(calm, migration)
        begun = workers_of(migration)
        migration.signal(number)
        assert migration.ended() in (-number, 130), migration.said
        for worker in begun:
            until_gone(worker)
    assert (tmp_path / "a" / "archive.parts").exists() == (number == signal.SIGKILL)
    with at_work(source, target, tmp_path / "a") as again:
        assert again.ended() == 0, again.said

    is_as_one_made_it(source, target, calm, tmp_path / "a")


@pytest.mark.sweep
@pytest.mark.parametrize("number", range(24))
def test_kills_at_random_moments(
    number: int, source: WorkspaceFile, target: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """Of a worker, or of the driver, in whatever verb; then the same command again."""
    drawn = random.Random(number)
    with at_work(source, target, tmp_path / "a") as migration:
        while not workers_of(migration):
            time.sleep(0.05)
        time.sleep(drawn.uniform(0, 12))
        victims = [*workers_of(migration), migration.process.pid]
        with suppress(ProcessLookupError):
            os.kill(drawn.choice(victims), signal.SIGKILL)
        migration.ended()
    with at_work(source, target, tmp_path / "a") as again:
        assert again.ended() == 0, (number, again.said)

    is_as_one_made_it(source, target, calm, tmp_path / "a")
