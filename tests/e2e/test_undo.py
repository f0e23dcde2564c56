"""Taking back a replay: runs hidden, files gone, nothing else touched; and everything back by a later replay."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml.entities import AccountKeyConfiguration, AzureBlobDatastore, Data, Model

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import workspace_config
from azureml_replay.azure.workspace import connect
from azureml_replay.cli.undo import lines
from azureml_replay.sending.transport import open_transport
from azureml_replay.target.diagnosis.sheet import Outcome
from azureml_replay.target.undone import Undone
from azureml_replay.undoing import HIDDEN_BY_HAND, undo
from azureml_sandbox.fill.sample_runs import empty_run, experiment, finished
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.assets import client_of
from e2e.histories import small
from e2e.library import DiesAt, FastClock, PowerCut, migrated
from e2e.tampering import BEGIN, BYTES, FILE, HOME, Held, change, fill, in_run
from e2e.test_doctor import examined, rows
from e2e.test_refused import judged
from e2e.test_synthetic import extracted, replayed, staged
from e2e.witness import Seen, look

PROBE = "azureml-replay-probe"


def command(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """`azureml-replay undo` as a process, without a terminal."""
    line = [str(Path(sys.executable).with_name("azureml-replay")), "undo", *map(str, arguments)]
    options = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL, "timeout": 120} | options
    return subprocess.run(line, check=False, env=dict(os.environ), **options)


async def undone(target: WorkspaceFile, folder: Path, cut: DiesAt | None = None) -> Undone:
    """One call of the library."""
    async with AsyncExitStack() as stack:
        wire: Any = await stack.enter_async_context(open_transport())
        through = cut.over(wire) if cut else wire
        config = workspace_config(str(target.path))
        there = await stack.enter_async_context(connect(config, transport=through, clock=FastClock()))
        archive = stack.enter_context(Archive.open(folder))
        return await undo(archive, there, width=4)


def of_others(seen: Seen, ours: set[str]) -> Seen:
    """What is neither ours nor the throw-away run's."""
    runs = {run: told for run, told in seen.runs.items() if run not in ours and told["experiment"] != PROBE}
    return Seen(
        experiments={},
        runs=runs,
        points={key: rows for key, rows in seen.points.items() if key[0] in runs},
        files={key: digest for key, digest in seen.files.items() if key[0] in runs},
        jobs={},
    )


def test_undone_and_brought_back_by_the_command(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path, monkeypatch
) -> None:
    """Hidden without files; what others have in the same workspace is as before, byte by byte; then all is back."""
    monkeypatch.chdir(tmp_path)
    small(workspace)  # bystanders, in an experiment of the same name
    asyncio.run(migrated(small_history, workspace, tmp_path / "archive"))
    before, ours = look(workspace), set(look(small_history, files=False).runs)

    done = command("archive", "--target", workspace.path, "--yes", "--json")
    again = command("archive", "--target", workspace.path, "--json")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["runs"], told["left"], told["failed"], told["experiments"]) == (3, [], [], [])
    assert told["files"] == 4
    assert json.loads(again.stdout)["runs"] == 0
    hidden = look(workspace)
    assert {hidden.runs[run]["stage"] for run in ours} == {"deleted"}
    assert not [key for key in hidden.files if key[0] in ours]
    assert of_others(hidden, ours) == of_others(before, ours)
    with Archive.open(tmp_path / "archive", write=False) as held:
        assert [(one.command, one.outcome, one.parts[0].counts["runs"]) for one in held.sessions()[-2:]] == [
            ("undo", "done", 3),
            ("undo", "done", 0),
        ]

    back = asyncio.run(migrated(small_history, workspace, tmp_path / "archive"))

    assert (back.verdict.findings, back.replayed.points, back.replayed.failed) == (0, 0, ())
    assert look(workspace) == before


def test_an_undo_that_is_cut_at_the_experiment_comes_back_to_it(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path
) -> None:
    """All its runs are hidden by then: nothing else would say that it is to be archived."""
    asyncio.run(migrated(small_history, workspace, tmp_path / "archive"))

    with pytest.raises(PowerCut):
        asyncio.run(undone(workspace, tmp_path / "archive", DiesAt(1, delivered=False, where="/experiments/small$")))
    done = asyncio.run(undone(workspace, tmp_path / "archive"))

    assert done.experiments == ("small",)
    assert look(workspace).experiments["small"]["stage"] == "deleted"


def test_a_list_that_lacks_our_runs_says_nothing_about_others(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """A service without a query, whose ARM lists only what was submitted: verify asks our runs, undo leaves it."""
    calm.set_faults(
        strict=[f"{one}@{workspace.workspace_name}" for one in ("no-runs-query", "history-runs-not-listed")]
    )
    assert asyncio.run(migrated(source, workspace, tmp_path / "archive")).verdict.proves

    def others(held: Held) -> None:
        home = held.home()["experimentId"]
        for run, parent in (("below", held.run()), ("beside", None)):
            held.world.runs.put(held.guid, finished(empty_run(run, home, BEGIN, parent), "Completed", BEGIN, BEGIN + 1))

    change(calm, workspace, others)
    seen = asyncio.run(judged(workspace, tmp_path / "archive"))
    done = asyncio.run(undone(workspace, tmp_path / "archive"))
    (row,) = rows(asyncio.run(examined(None, workspace)), "made runs")

    assert [(one.what, one.kind) for one in seen.first] == [("run below", "extra")]
    assert (done.runs, done.experiments) == (2, ())
    assert [line for line in lines(done) if HOME in line] == [
        f"left alone: experiment {HOME}: the list of its runs lacks ours, so runs of others may be seen in it"
    ]
    assert (row.outcome, row.seen) == (Outcome.WARNING, "a run that a client makes is not listed")


@pytest.fixture
def source(calm: Sandbox, azure_env: dict[str, str]) -> WorkspaceFile:
    """A root with a child."""
    made = calm.add_workspace()
    change(calm, made, fill)
    return made


@pytest.mark.parametrize(
    "delivered",
    [pytest.param(False, marks=pytest.mark.slow), True],
    ids=["before-delivery", "after-delivery"],
)
def test_cut_at_every_request_it_continues(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path, delivered: bool
) -> None:
    """Each time a little further; the end is the same, and so is what a replay then brings back."""
    asyncio.run(migrated(small_history, workspace, tmp_path / "archive"))
    at, left = 0, True
    while left:
        at += 1
        with suppress(PowerCut):
            asyncio.run(undone(workspace, tmp_path / "archive", DiesAt(at, delivered=delivered)))
            left = False

    ours = set(look(small_history, files=False).runs)
    seen = look(workspace)
    assert at > 5, "an undo takes more requests than that: the cuts did not reach its end"
    assert {seen.runs[run]["stage"] for run in ours} == {"deleted"}
    assert not [key for key in seen.files if key[0] in ours]
    assert seen.experiments["small"]["stage"] == "deleted"

    back = asyncio.run(migrated(small_history, workspace, tmp_path / "archive"))

    assert (back.verdict.findings, back.verdict.points, back.replayed.points) == (0, 330, 0)
    assert look(workspace).experiments["small"]["stage"] == "active"


def test_killed_by_the_system_it_continues(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path, monkeypatch
) -> None:
    """SIGKILL at the first write that is under way; the same command then ends it."""
    monkeypatch.chdir(tmp_path)
    asyncio.run(migrated(small_history, workspace, tmp_path / "archive"))
    calm.set_faults([{"match": {"path": "metadata:delete$"}, "do": "delay", "delay_ms": 60_000}])
    line = [str(Path(sys.executable).with_name("azureml-replay")), "undo", "archive", "--yes"]
    calm.reset_requests()
    process = subprocess.Popen([*line, "--target", str(workspace.path)], stderr=subprocess.DEVNULL)
    while not any(one["route"].endswith("blob DELETE") for one in calm.requests()["routes"]):
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    calm.set_faults()

    done = command("archive", "--target", workspace.path, "--yes")

    assert done.returncode == 0, done.stderr
    assert "undone: 3 runs hidden" in done.stdout
    assert {run["stage"] for run in look(workspace).runs.values()} == {"deleted"}


def test_what_was_edited_since_is_left_alone(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path
) -> None:
    """A run with an edit keeps all it has; a file with other bytes stays in a run that is hidden."""
    asyncio.run(migrated(source, workspace, tmp_path / "archive"))
    change(calm, workspace, in_run(lambda run: {"tags": run["tags"] | {"mine": "1"}}))
    change(calm, workspace, lambda held: held.blob("logs/a.txt", "child").upload_blob(b"more", overwrite=True))
    before = look(workspace)

    done = asyncio.run(undone(workspace, tmp_path / "archive"))

    after = look(workspace)
    assert done.left == (
        ("child", "file logs/a.txt was changed in the target since"),
        ("root", "run root was edited in the target since: tag mine"),
    )
    assert (done.runs, done.files, done.experiments) == (1, 0, ())
    assert after.runs["root"] == before.runs["root"]
    assert after.runs["child"]["stage"] == "deleted"
    assert after.files == before.files


def test_files_that_somebodys_model_lies_in_stay(
    source: WorkspaceFile, workspace: WorkspaceFile, azure_env, tmp_path: Path
) -> None:
    """Registered from a replayed run, it has no bytes but the run's: the run is hidden without them."""
    asyncio.run(migrated(source, workspace, tmp_path / "archive"))
    client = client_of(workspace)
    of_root = "azureml://jobs/root/outputs/artifacts/paths/outputs/"
    client.models.create_or_update(Model(name="theirs", version="1", path=of_root, type="custom_model"))

    done = asyncio.run(undone(workspace, tmp_path / "archive"))

    stay = ("outputs/empty.txt", FILE)
    assert done.left == tuple(("root", f"file {one} stays: model theirs:1 of the target lies there") for one in stay)
    client.models.download("theirs", "1", download_path=tmp_path / "got")
    assert BYTES in [one.read_bytes() for one in (tmp_path / "got").rglob("*") if one.is_file()]
    seen = look(workspace)
    assert (seen.runs["root"]["stage"], {run for run, _ in seen.files} & {"root", "child"}) == ("deleted", {"root"})


def test_files_that_somebodys_run_shows_stay(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path
) -> None:
    """As a reused step does: it has none but those of the run that ran, and neither it nor these are deleted then.

    One of ours that shows them goes too, unless somebody has made it his.
    """

    def reused(held: Held) -> None:
        again = {"runId": "again", "rootRunId": "again", "dataContainerId": "dcid.child"}
        held.world.runs.put(held.guid, held.run("root") | again)

    change(calm, source, reused)
    asyncio.run(migrated(source, workspace, tmp_path / "archive"))

    def shown(held: Held) -> None:
        home = experiment("theirs")
        held.world.experiments.put(held.guid, home)
        run = finished(empty_run("bobs", home["experimentId"], BEGIN), "Completed", BEGIN, BEGIN + 1)
        held.world.runs.put(held.guid, run | {"dataContainerId": "dcid.root"})

    change(calm, workspace, shown)
    before = look(workspace)

    done = asyncio.run(undone(workspace, tmp_path / "archive"))

    files = [path for run, path in before.files if run == "root"]
    assert done.left == tuple(("root", f"file {path} stays: run bobs of the target shows it") for path in sorted(files))
    after = look(workspace)
    assert {key: one for key, one in after.files.items() if key[0] == "bobs"} == {
        key: one for key, one in before.files.items() if key[0] == "bobs"
    }
    assert {run for run, _ in after.files} & {"root", "child", "again"} == {"root"}
    assert [after.runs[run]["stage"] for run in ("root", "child", "again", "bobs")] == [*["deleted"] * 3, "active"]
    asyncio.run(migrated(source, workspace, tmp_path / "archive"))
    change(calm, workspace, in_run(lambda run: {"tags": run["tags"] | {"mine": "1"}}, "again"))

    done = asyncio.run(undone(workspace, tmp_path / "archive"))

    assert ("child", "file logs/a.txt stays: run again of the target shows it") in done.left


def test_files_that_somebodys_data_lies_in_stay_whichever_way_it_names_them(
    source: WorkspaceFile, workspace: WorkspaceFile, azure_env, tmp_path: Path
) -> None:
    """By a URL of any protocol, or by a datastore of one's own in the same container; beside it nothing is kept."""
    asyncio.run(migrated(source, workspace, tmp_path / "archive"))
    client = client_of(workspace)
    store = client.datastores.get("workspaceartifactstore")
    account, container = store.account_name, store.container_name
    key = AccountKeyConfiguration(account_key=secrets.token_urlsafe(48))
    client.datastores.create_or_update(
        AzureBlobDatastore(name="mine", account_name=account, container_name=container, credentials=key)
    )
    blob, dfs = f"{account}.blob.core.windows.net", f"{account}.dfs.core.windows.net"
    child, root = "ExperimentRun/dcid.child/", "ExperimentRun/dcid.root/"
    named = {
        "web": ("uri_file", f"https://{blob}/{container}/{root}{FILE}"),
        "own": ("uri_file", f"azureml://datastores/mine/paths/{root}outputs/empty.txt"),
        "lake": ("uri_folder", f"abfss://{container}@{dfs}/{child}logs"),
        "beside": ("uri_folder", f"wasbs://{container}@{blob}/{child}log/"),
        "elsewhere": ("uri_folder", f"https://{blob}/{container}-other/{child}"),
    }
    for name, (kind, uri) in named.items():
        client.data.create_or_update(Data(name=name, version="1", type=kind, path=uri))
    path = f"wasbs://{container}@{blob}/{root}replay"
    client.models.create_or_update(Model(name="model", version="1", path=path, type="custom_model"))

    done = asyncio.run(undone(workspace, tmp_path / "archive"))

    by = {(run, why.partition(" stays: ")[0].removeprefix("file ")): why for run, why in done.left}
    assert {key: why.rpartition(": ")[2] for key, why in by.items()} == {
        ("child", "logs/a.txt"): "data lake:1 of the target lies there",
        ("root", FILE): "data web:1 of the target lies there",
        ("root", "outputs/empty.txt"): "data own:1 of the target lies there",
        ("root", "replay/job.json"): "model model:1 of the target lies there",
    }
    assert {run for run, _ in look(workspace).files} & {"root", "child"} == {"root", "child"}


def test_a_run_that_is_not_ours_stays(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path
) -> None:
    """Whatever the ledger says: the run itself must say that it came from there."""
    asyncio.run(migrated(source, workspace, tmp_path / "archive"))
    for run in ("root", "child"):
        change(calm, workspace, in_run(lambda _: {"properties": {}}, run))
    before = look(workspace)

    done = asyncio.run(undone(workspace, tmp_path / "archive"))

    assert [why for _, why in done.left] == [f"run {run} of the target is not ours" for run in ("child", "root")]
    assert replace(look(workspace), jobs={}) == replace(before, jobs={})


def test_nobody_to_ask_is_an_error(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path, monkeypatch
) -> None:
    """Without a terminal and without --yes nothing is done; nor where the archive wrote nothing."""
    monkeypatch.chdir(tmp_path)
    asyncio.run(migrated(small_history, workspace, tmp_path / "archive"))
    calm.reset_requests()

    refused = command("archive", "--target", workspace.path)
    other = command("archive", "--target", calm.add_workspace().path, "--yes")

    assert (refused.returncode, other.returncode) == (2, 2)
    assert "give --yes" in refused.stderr
    assert "wrote nothing into" in other.stderr
    assert calm.requests()["writes"] == 0


def test_a_job_that_replayed_is_archived_and_shown_again(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path
) -> None:
    """The job that stands for a root run; what its steps wrote stays, and a later replay submits nothing."""
    asyncio.run(extracted(small_history, tmp_path / "archive"))
    asyncio.run(replayed(small_history, workspace, tmp_path / "archive"))
    before = look(workspace)
    (job,) = before.jobs
    change(calm, workspace, in_run(lambda _: {"hidden": True}, job))
    by_hand = asyncio.run(undone(workspace, tmp_path / "archive"))
    assert (by_hand.jobs, [why for _, why in by_hand.left]) == (0, [f"job {job} of the target {HIDDEN_BY_HAND}"])
    change(calm, workspace, in_run(lambda _: {"hidden": False}, job))

    done = [asyncio.run(undone(workspace, tmp_path / "archive")) for _ in range(2)]

    assert [(one.jobs, one.left, one.failed) for one in done] == [(1, (), ()), (0, (), ())]
    hidden = look(workspace)
    assert hidden.runs[job]["stage"] == "deleted"
    assert hidden.files == before.files

    again = asyncio.run(replayed(small_history, workspace, tmp_path / "archive"))

    assert (again.submitted, again.failed) == (0, ())
    assert look(workspace) == before


def test_jobs_that_failed_are_archived_too_and_nothing_stays_staged(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path
) -> None:
    """Every call that finds a failed job puts another one: the ledger knows them all. Replayed again, a new one."""
    asyncio.run(extracted(small_history, tmp_path / "archive"))
    calm.set_faults([{"match": {"path": "/runs/log-batch$"}, "do": "status", "status": 400}])
    failed = [asyncio.run(replayed(small_history, workspace, tmp_path / "archive")) for _ in range(2)]
    calm.set_faults()
    before = asyncio.run(staged(workspace))

    of_jobs = r"(?<!probe)/batch/runs$"  # not of the run that holds the lease
    calm.set_faults([{"match": {"path": of_jobs}, "do": "status", "status": 400, "times": 1}])
    refused = asyncio.run(undone(workspace, tmp_path / "archive"))
    done = [asyncio.run(undone(workspace, tmp_path / "archive")) for _ in range(2)]
    seen = look(workspace, files=False)
    after = asyncio.run(staged(workspace))
    again = asyncio.run(replayed(small_history, workspace, tmp_path / "archive"))

    assert [one.submitted for one in failed] == [1, 1]
    assert (refused.jobs, len(refused.failed)) == (0, 1)
    assert [(one.jobs, one.left, one.failed) for one in done] == [(2, (), ()), (0, (), ())]
    assert len(before) > 0
    assert after == {}
    assert {seen.runs[job]["stage"] for job in seen.jobs} == {"deleted"}
    assert len(seen.jobs) == 2
    assert again.verdict is not None
    assert (again.submitted, again.failed, again.verdict.findings) == (1, (), 0)


def test_undone_brought_back_and_undone_again(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path
) -> None:
    """The second time takes back as much as the first: a replay in between dropped what the first one noted."""
    ours = set(look(small_history, files=False).runs)
    asyncio.run(migrated(small_history, workspace, tmp_path / "archive"))
    first = asyncio.run(undone(workspace, tmp_path / "archive"))
    asyncio.run(migrated(small_history, workspace, tmp_path / "archive"))

    second = asyncio.run(undone(workspace, tmp_path / "archive"))

    assert (first.runs, first.files) == (3, 4)
    assert (second.runs, second.files, second.left, second.failed) == (first.runs, first.files, (), ())
    seen = look(workspace)
    assert {seen.runs[run]["stage"] for run in ours} == {"deleted"}
    assert not [key for key in seen.files if key[0] in ours]
