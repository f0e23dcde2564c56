"""Jobs that replay: submitted once, followed, verified, cleared; killed anywhere; without a secret anywhere."""

from __future__ import annotations

import asyncio
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import jsonschema
import mlflow
import psutil
import pytest
from mlflow import MlflowClient

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import workspace_config
from azureml_replay.azure.workspace import AzureWorkspace, connect
from azureml_replay.cli.json_schema import json_schema
from azureml_replay.extraction.extract import extract
from azureml_replay.model import RunId
from azureml_replay.planning.lineage import PROPERTY
from azureml_replay.progress import SILENT, Progress
from azureml_replay.selection import Selection
from azureml_replay.sending.transport import open_transport
from azureml_replay.state import status
from azureml_replay.synthetic.found import ROOT, Found
from azureml_replay.synthetic.options import Shape, SyntheticReplayOptions, planned_trees
from azureml_replay.synthetic.parents import Parents
from azureml_replay.synthetic.replay import SyntheticReplayed, replay_synthetic
from azureml_replay.terminal.terminal import LineProgress, as_json
from azureml_replay.undoing import undoable
from azureml_replay.verbs import verify
from azureml_replay.verification.verdict import Verdict
from azureml_sandbox.server.opened import opened as world_of
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import DiesAt, FastClock, PowerCut, migrated
from e2e.witness import look, ml_client, tracking_uri
from environment import point_at

SEED = 20_261_123
SECRET = re.compile(r"[?&]sig=|sig%3D|eyJ[\w-]{20,}|AccountKey=|Bearer ", re.IGNORECASE)
CODE = "azureml-replay/code/"


@asynccontextmanager
async def opened(workspace: WorkspaceFile, cut: DiesAt | None = None) -> AsyncIterator[AzureWorkspace]:
    """A workspace; with `cut`, spoken to through it."""
    async with AsyncExitStack() as stack:
        wire: Any = await stack.enter_async_context(open_transport())
        through = cut.over(wire) if cut else wire
        config = workspace_config(str(workspace.path))
        yield await stack.enter_async_context(connect(config, transport=through, clock=FastClock()))


async def replayed(
    source: WorkspaceFile,
    target: WorkspaceFile,
    folder: Path,
    *,
    cut: DiesAt | None = None,
    options: SyntheticReplayOptions = SyntheticReplayOptions(),
    progress: Progress = SILENT,
) -> SyntheticReplayed:
    """One call. A job here ends within a second: it is looked at five times a second, as often as it may be."""
    async with opened(source, cut) as reading, opened(target, cut) as writing:
        with Archive.open(folder) as archive, pytest.MonkeyPatch.context() as patch:
            patch.setattr("azureml_replay.synthetic.wait.SHORTEST_PAUSE_S", 0.2)
            return await replay_synthetic(
                archive, reading, writing, Selection(), options=options, width=8, progress=progress
            )


async def extracted(source: WorkspaceFile, folder: Path) -> None:
    async with opened(source) as reading:
        with Archive.create(folder, reading.ref) as archive:
            await extract(reading, archive, Selection(), width=8)


async def staged(target: WorkspaceFile) -> dict[str, bytes]:
    """What lies in the staging store, the step's own code aside."""
    async with opened(target) as workspace:
        found = [file async for page in workspace.submitter.staged("azureml-replay/") for file in page]
        return {
            file.location.path: b"".join([piece async for piece in workspace.read(file.location)])
            for file in found
            if not file.location.path.startswith(CODE)
        }


@pytest.fixture(scope="module")
def archive(sandbox: Sandbox, small_history: WorkspaceFile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The small history, extracted; every test takes a copy."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        folder = tmp_path_factory.mktemp("extracted") / "archive"
        asyncio.run(extracted(small_history, folder))
        yield folder


@pytest.fixture
def mine(archive: Path, tmp_path: Path) -> Path:
    return shutil.copytree(archive, tmp_path / "archive")


def test_a_pipeline_is_replayed_verified_and_cleared(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], mine: Path
) -> None:
    """One job under the original's name; all equal; no staged file is left."""
    done = asyncio.run(replayed(small_history, workspace, mine))

    assert (done.jobs, done.submitted, done.completed, done.failed) == (1, 1, 1, ())
    assert done.verdict is not None
    assert (done.verdict.runs, done.verdict.findings) == (3, 0)
    (name,) = look(workspace, files=False).jobs
    assert name in look(small_history, files=False).jobs
    assert asyncio.run(staged(workspace)) == {}
    with Archive.open(mine, write=False) as archive:
        (one,) = status(archive).targets
    has = one.progress
    assert (has.jobs_submitted, has.jobs_standing, has.runs_compared, has.runs_created) == (1, 1, 3, 0)
    jsonschema.validate(json.loads(as_json(done)), json_schema(SyntheticReplayed))  # as docs/reference/json.md says


def test_run_again_it_writes_nothing(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], mine: Path
) -> None:
    """Neither a job, nor a file, nor a component; another archive of the same source neither."""
    asyncio.run(replayed(small_history, workspace, mine))
    other = mine.parent / "other"
    asyncio.run(extracted(small_history, other))
    calm.reset_requests()

    for folder in (mine, other):
        progress = LineProgress(lambda _: None)
        again = asyncio.run(replayed(small_history, workspace, folder, progress=progress))
        assert again.verdict is not None
        assert (again.submitted, again.files, again.completed, again.verdict.findings) == (0, 0, 1, 0)
        assert {what: tally.done for what, tally in progress.tallies.items() if tally.done} == {
            "jobs there already": 1,
            "jobs ended": 1,
        }

    assert [route for route in calm.requests()["routes"] if route["effect"] == "write"] == []


def test_a_job_that_another_archive_put_is_followed_and_verified(
    small_history: WorkspaceFile,
    workspace: WorkspaceFile,
    calm: Sandbox,
    azure_env: dict[str, str],
    mine: Path,
    tmp_path: Path,
) -> None:
    """Two archives of one source: the second submits nothing, and its later `verify` compares that job all the same."""
    other = shutil.copytree(mine, tmp_path / "other")
    asyncio.run(replayed(small_history, workspace, other))

    async def verified() -> Verdict:
        async with opened(workspace) as target:
            with Archive.open(mine) as archive:
                assert undoable(archive, target.ref).jobs == 0, "it is the other's to take back"
                return await verify(archive, target, Selection())

    left = asyncio.run(replayed(small_history, workspace, mine, options=SyntheticReplayOptions(wait=False)))
    assert (left.submitted, left.failed, asyncio.run(verified()).findings) == (0, (), 0), "it is known from then on"

    again = asyncio.run(replayed(small_history, workspace, mine))

    assert (again.submitted, again.failed) == (0, ())
    assert again.verdict is not None
    assert (again.verdict.findings, asyncio.run(verified()).runs) == (0, again.verdict.runs)


def test_a_name_that_others_have_is_left_alone(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], mine: Path
) -> None:
    """Direct replay has put a run of the original's id there: the job gets another name, that run stays as it is."""
    asyncio.run(migrated(small_history, workspace, mine.parent / "direct"))
    before = look(workspace)

    done = asyncio.run(replayed(small_history, workspace, mine))

    assert done.verdict is not None
    assert (done.failed, done.verdict.findings) == ((), 0)
    after = look(workspace)
    assert {run: after.runs[run] for run in before.runs} == before.runs
    (name,) = after.jobs.keys() - before.jobs.keys()
    assert re.fullmatch(r".+-r[0-9a-f]{8}", name)


def test_direct_replay_leaves_jobs_alone(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], mine: Path
) -> None:
    """A job that stands for the original has its id: for direct replay that id is taken."""
    asyncio.run(replayed(small_history, workspace, mine))
    before = look(workspace)

    done = asyncio.run(migrated(small_history, workspace, mine))

    assert len(done.replayed.conflicts) == 1
    after = look(workspace)
    assert {run: after.runs[run] for run in before.runs} == before.runs
    assert {key: rows for key, rows in after.points.items() if key[0] in before.runs} == before.points


def test_a_failed_job_is_told_and_tried_again(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], mine: Path
) -> None:
    """Submitted is not done: what a step could not log fails its job, and the next call submits a new one."""
    calm.set_faults([{"match": {"path": "/runs/log-batch$"}, "do": "status", "status": 400}])
    failed = asyncio.run(replayed(small_history, workspace, mine))
    calm.set_faults()

    again = asyncio.run(replayed(small_history, workspace, mine))

    assert failed.verdict is not None
    assert failed.verdict.findings > 0
    ((_, why),) = failed.failed
    assert "Failed" in why
    assert again.verdict is not None
    assert (again.submitted, again.failed, again.verdict.findings) == (1, (), 0)
    assert sorted(job.status for job in ml_client(workspace).jobs.list()) == ["Completed", "Failed"]


def test_left_without_waiting_and_followed_later(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], mine: Path
) -> None:
    """`--no-wait` submits; the same call without it follows and verifies."""
    gone = asyncio.run(replayed(small_history, workspace, mine, options=SyntheticReplayOptions(wait=False)))

    later = asyncio.run(replayed(small_history, workspace, mine))

    assert (gone.submitted, gone.verdict) == (1, None)
    assert later.verdict is not None
    assert (later.submitted, later.completed, later.verdict.findings) == (0, 1, 0)


@pytest.mark.parametrize(
    "delivered", [pytest.param(False, marks=pytest.mark.slow), True], ids=["before-delivery", "after-delivery"]
)
@pytest.mark.parametrize(
    "share", [slice(0, None, 2), pytest.param(slice(None), marks=pytest.mark.slow)], ids=["half", "all"]
)
def test_killed_at_requests_it_continues(
    small_history: WorkspaceFile,
    calm: Sandbox,
    azure_env: dict[str, str],
    archive: Path,
    tmp_path: Path,
    delivered: bool,
    share: slice,
) -> None:
    """While staging, registering, submitting and waiting: then it ends equal, and there is one job."""
    draw, killed = random.Random(SEED), 0
    moments = [*draw.sample(range(1, 40), 5), *draw.sample(range(40, 75), 3)][share]

    for at in moments:
        target, folder = calm.add_workspace(), shutil.copytree(archive, tmp_path / f"archive-{at}")
        try:
            asyncio.run(replayed(small_history, target, folder, cut=DiesAt(at, delivered=delivered)))
        except PowerCut:
            killed += 1
        done = asyncio.run(replayed(small_history, target, folder))
        assert done.verdict is not None
        assert (done.failed, done.verdict.findings) == ((), 0), at
        assert len(look(target, files=False).jobs) == 1, at

    assert killed > len(moments) / 2, "most of the moments came after the end"


def test_sigkill_of_the_command(
    small_history: WorkspaceFile,
    workspace: WorkspaceFile,
    calm: Sandbox,
    azure_env: dict[str, str],
    mine: Path,
    monkeypatch,
) -> None:
    """The process is killed wherever it is, six times; left to end, everything is there once."""
    monkeypatch.chdir(mine.parent)
    moments = random.Random(SEED)
    command = [str(Path(sys.executable).with_name("azureml-replay")), "replay", str(mine), "--mode", "synthetic"]
    command += ["--target", str(workspace.path)]
    calm.set_faults([{"do": "delay", "delay_ms": 20}])

    killed = 0
    for _ in range(6):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(moments.uniform(0.6, 2.5))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert killed > 0
    assert ended.returncode == 0, ended.stderr
    assert "all equal" in ended.stdout
    assert len(look(workspace, files=False).jobs) == 1


def test_values_that_a_job_could_not_give_its_parent_are_written_from_here(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], mine: Path
) -> None:
    """Where the service keeps a step's token from its parent's run; run again, nothing is doubled."""
    mlflow.set_tracking_uri(tracking_uri(workspace))
    client = MlflowClient()
    parent = client.create_run(client.create_experiment("small")).info.run_id

    async def complete() -> int:
        async with opened(workspace) as target:
            with Archive.open(mine) as archive:
                ((tree, _),) = planned_trees(archive, archive.ledger(target.ref), Selection(), Shape())
                run = (await target.details([RunId(parent)]))[RunId(parent)].run
                return await Parents(archive, target).complete(tree, Found({ROOT: run}))

    assert [asyncio.run(complete()), asyncio.run(complete())] == [1, 0]

    history = client.get_metric_history(parent, "loss")
    assert sorted((one.step, one.value) for one in history) == [(step, 1 / (step + 1)) for step in range(300)]
    run = client.get_run(parent)
    assert run.data.params == {"lr": "0.1"}
    assert run.data.tags["team"] == "blue"


def test_no_secret_travels(
    sandbox: Sandbox,
    small_history: WorkspaceFile,
    workspace: WorkspaceFile,
    calm: Sandbox,
    azure_env: dict[str, str],
    mine: Path,
    monkeypatch,
) -> None:
    """Neither in a job, tag, log, staged or replayed file, nor in archive, output or a process's command line."""
    monkeypatch.chdir(mine.parent)
    command = [str(Path(sys.executable).with_name("azureml-replay")), "replay", str(mine), "--mode", "synthetic"]
    command += ["--target", str(workspace.path), "--debug", "--log-file", "replay.log", "--no-wait"]

    with watched() as arguments:
        left = subprocess.run(command, capture_output=True, text=True, check=False)
        lying = asyncio.run(staged(workspace))
        done = asyncio.run(replayed(small_history, workspace, mine))

    assert any("--key" in line for line in arguments), "no step's command line was seen"
    assert left.returncode == 0, left.stderr
    assert done.failed == ()
    assert len(lying) > 8
    texts = {"stdout": left.stdout, "stderr": left.stderr, "log": Path("replay.log").read_text()}
    texts |= {path: data.decode(errors="replace") for path, data in lying.items()}
    texts |= {str(path): path.read_bytes().decode(errors="replace") for path in mine.rglob("*") if path.is_file()}
    texts |= {f"job {job.name}": json.dumps(job._to_dict(), default=str) for job in ml_client(workspace).jobs.list()}
    texts |= {f"run {run}": json.dumps(told, default=str) for run, told in look(workspace, files=False).runs.items()}
    texts |= downloaded(workspace, mine.parent / "downloaded")
    texts |= {f"process {line}": line for line in arguments}
    found = {name: SECRET.search(text) for name, text in texts.items()}
    assert {name: hit[0] for name, hit in found.items() if hit} == {}
    assert not [name for name, text in texts.items() if azure_env["AZURE_CLIENT_SECRET"] in text]
    assert any(name.endswith("std_log.txt") for name in texts), "no log of a job was looked into"


@contextmanager
def watched() -> Iterator[set[str]]:
    """Command lines of ours and of the jobs', as long as the block runs, looked at every 5 ms.

    Ours begin here, the jobs' in the server, which does too: other tests that run meanwhile type secrets on purpose.
    """
    seen: set[str] = set()
    here, over = psutil.Process(), threading.Event()

    def look_around() -> None:
        while not over.wait(0.005):
            for process in here.children(recursive=True):
                with suppress(psutil.Error):
                    line = " ".join(process.cmdline())
                    if "azureml-replay" in line or "azureml_replay" in line:
                        seen.add(line)

    thread = threading.Thread(target=look_around)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def downloaded(workspace: WorkspaceFile, folder: Path) -> dict[str, str]:
    """Every file of every run."""
    mlflow.set_tracking_uri(tracking_uri(workspace))
    client = MlflowClient()
    for run in look(workspace, files=False).runs:
        (folder / run).mkdir(parents=True)
        if client.list_artifacts(run):
            client.download_artifacts(run, "", str(folder / run))
    return {str(path): path.read_bytes().decode(errors="replace") for path in folder.rglob("*") if path.is_file()}


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`azureml-replay`, as a process."""
    whole = [str(Path(sys.executable).with_name("azureml-replay")), *map(str, arguments)]
    return subprocess.run(whole, capture_output=True, text=True, check=False)


def test_a_dry_run_needs_nobody(small_history: WorkspaceFile, mine: Path, monkeypatch) -> None:
    """No login and no network: the tree, the counts, the container starts, the cost."""
    monkeypatch.chdir(mine.parent)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("AZURE_CLIENT_SECRET", raising=False)
    flags = ("--mode", "synthetic", "--target", small_history.path)

    dry = command("replay", mine, *flags, "--dry-run", "--price-per-hour", "2")
    tree = command("replay", mine, *flags, "--debug-hierarchy")
    planned = command("plan", mine, "--mode", "synthetic")

    assert (dry.returncode, tree.returncode, planned.returncode) == (0, 0, 0), dry.stderr + tree.stderr + planned.stderr
    assert "3 container starts" in dry.stdout
    assert "about 0.10 for" in dry.stdout
    assert "child 1" in tree.stdout
    assert "3 container starts" in planned.stdout


def test_chosen_files_come_and_the_others_are_omissions(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env, mine: Path, monkeypatch
) -> None:
    """`--files` and `--max-file-size`; verify, asked later, knows what was chosen."""
    monkeypatch.chdir(mine.parent)
    flags = ("--target", workspace.path, "--mode", "synthetic", "--files", "*notes*", "--max-file-size", "1KB")

    done = command("replay", mine, *flags)
    verdict = command("verify", mine, "--target", workspace.path, "--deep")

    assert done.returncode == 0, done.stderr
    assert "1 x left out by --files" in done.stdout
    assert (verdict.returncode, "1 x left out by --files" in verdict.stdout) == (0, True), verdict.stdout
    names = {path.rpartition("/")[2] for _, path in look(workspace).files if path.startswith("outputs/")}
    assert "notes.txt" in names
    assert "empty.txt" not in names


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--compute", "x"], "--mode synthetic"),
        (["--mode", "synthetic", "--attach"], "--attach is for direct replay"),
        (["--mode", "synthetic", "--ids", "new"], "--ids new is for direct replay"),
        (["--mode", "synthetic", "--compute", "no-such"], "--compute no-such"),
        (["--mode", "synthetic", "--environment", "mine:1"], "--environment mine:1"),
        (["--mode", "synthetic", "--environment", "python"], "--environment python"),
        (["--mode", "synthetic", "--max-file-size", "much"], "--max-file-size much"),
        (["--mode", "synthetic", "--artifact-budget", "much"], "--artifact-budget much"),
    ],
)
def test_bad_flags(
    workspace: WorkspaceFile, calm: Sandbox, azure_env, mine: Path, monkeypatch, flags: list[str], words: str
) -> None:
    """One line that names the flag; nothing is submitted."""
    monkeypatch.chdir(mine.parent)

    done = command("replay", mine, "--target", workspace.path, *flags)

    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert look(workspace, files=False).jobs == {}


def test_verify_names_what_was_changed_in_the_target(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env, mine: Path, monkeypatch
) -> None:
    """A tag, a point too many, a file, the job's property and experiment: each is found, and nothing else."""
    monkeypatch.chdir(mine.parent)
    asyncio.run(replayed(small_history, workspace, mine))
    mlflow.set_tracking_uri(tracking_uri(workspace))
    client = MlflowClient()
    runs = {told["tags"]["original_name"]: run for run, told in look(workspace, files=False).runs.items()}
    client.set_tag(runs["child 0"], "k", "changed")
    client.log_metric(runs["child 1"], "acc", 7.0, timestamp=1, step=99)
    (mine.parent / "more.txt").write_text("more")
    client.log_artifact(runs["child 1"], str(mine.parent / "more.txt"), "outputs")
    (job,) = look(workspace, files=False).jobs
    with world_of(calm.folder, workspace.workspace_name) as (world, there):
        run, elsewhere = world.runs.get(there.guid, job), world.experiments.obtain(there.guid, "elsewhere")
        assert run is not None
        changed = {"experimentId": elsewhere["experimentId"], "properties": run["properties"] | {PROPERTY: "{}"}}
        world.runs.put(there.guid, run | changed)

    verdict = command("verify", mine, "--target", workspace.path)

    assert verdict.returncode == 5, verdict.stdout
    with Archive.open(mine, write=False) as archive:
        (target,) = [one for one in archive.targets() if one.name.endswith(f"/{workspace.workspace_name}")]
        found = {(finding.what, finding.kind) for finding in archive.ledger(target).findings()}
    assert found == {
        ("tag k", "differs"),
        ("metric acc step 99", "extra"),
        ("file outputs/more.txt", "extra"),
        ("experiment", "differs"),
        (f"property {PROPERTY}", "differs"),
    }
