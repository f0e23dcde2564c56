"""`undo --delete`: gone for good what the service lets go, hidden and named what it keeps; created anew, or planned."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import workspace_config
from azureml_replay.azure.workspace import connect
from azureml_replay.cli import run as command
from azureml_replay.cli.next_step import Typed, after_verdict, mend_of
from azureml_replay.cli.status import COLUMNS
from azureml_replay.comparison.three_way import REMOVED
from azureml_replay.deleting import NEVER_A_JOB, SHOWN_STILL
from azureml_replay.direct.in_part import OF_DELETED, OF_ID
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.errors import Exit, Forbidden, UserError
from azureml_replay.model import RunId
from azureml_replay.report_page.write import report
from azureml_replay.sending.transport import open_transport
from azureml_replay.state import Next, status
from azureml_replay.target.undone import Undone
from azureml_replay.undoing import undo
from azureml_replay.verbs import MigrateOptions
from azureml_replay.workspace.mark import JOB_TAKEN_BACK, TAKEN_BACK
from azureml_sandbox.fill.sample_runs import empty_run, finished
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import scalar
from e2e.library import DiesAt, FastClock, PowerCut, migrated
from e2e.tampering import BEGIN, HOME, Held, change, fill, in_home, in_pairs, in_run, removed, row
from e2e.test_refused import judged
from e2e.test_synthetic import extracted, replayed
from e2e.test_undo import undone
from e2e.witness import Seen, look

GOES = ("delete-history-runs", "delete-child-runs")
"""The service deletes runs that clients wrote, too, each by its own id."""
LATER = {"lastModifiedUtc": "2099-01-01T00:00:00+00:00"}
ANEW = "reuse-deleted-names"
"""It takes the id of a deleted run again; the points of the first one are there."""


class Terminal(io.StringIO):
    """Somebody's, who types."""

    def isatty(self) -> bool:
        """Asked before a question is."""
        return True


async def deleted(target: WorkspaceFile, folder: Path, *, name: str = "", cut: DiesAt | None = None) -> Undone:
    """One call of the library, confirmed by the workspace's name."""
    async with AsyncExitStack() as stack:
        wire: Any = await stack.enter_async_context(open_transport())
        config = workspace_config(str(target.path))
        through = cut.over(wire) if cut else wire
        there = await stack.enter_async_context(connect(config, transport=through, clock=FastClock()))
        archive = stack.enter_context(Archive.open(folder))
        return await undo(archive, there, delete=name or target.workspace_name, width=4)


def ours(seen: Seen, source: Seen) -> dict[str, str]:
    """Run of the source -> its stage in the target, of those that are there."""
    return {run: told["stage"] for run, told in seen.runs.items() if run in source.runs}


def contents(seen: Seen) -> tuple[Any, ...]:
    """Without experiments: one that `undo` archived bears a mark afterwards."""
    return seen.runs, seen.points, seen.files


def test_the_command_asks_for_the_workspaces_name(
    small_history: WorkspaceFile,
    workspace: WorkspaceFile,
    calm: Sandbox,
    azure_env,
    tmp_path: Path,
    monkeypatch,
    capsys,
) -> None:
    """`--yes` is not enough, another name is refused, a dry run asks nobody; what the service keeps stays hidden."""
    monkeypatch.chdir(tmp_path)
    asyncio.run(migrated(small_history, workspace, Path("archive")))
    line = ["undo", "archive", "--target", str(workspace.path)]
    name = workspace.workspace_name

    def typed(*more: str, expected: int) -> tuple[str, str]:
        capsys.readouterr()
        monkeypatch.setattr("sys.argv", ["azureml-replay", *line, *more])
        assert command([*line, *more]) == expected
        return tuple(capsys.readouterr())  # type: ignore[return-value]

    def answers(words: str) -> None:
        """Somebody sits at the terminal, and types this."""
        monkeypatch.setattr("sys.stdin", Terminal(f"{words}\n"))

    calm.reset_requests()
    _, missing = typed("--delete", "--yes", expected=2)
    _, wrong = typed("--delete", "--confirm", "elsewhere", expected=2)
    _, idle = typed("--confirm", name, expected=2)
    dry, _ = typed("--delete", "--dry-run", expected=0)
    answers("elsewhere")
    _, mistyped = typed("--delete", expected=2)

    assert f"--delete --confirm {name}" in missing.replace("\n", " ")
    assert all("elsewhere" in said and name in said for said in (wrong, mistyped))
    assert "--delete" in idle
    assert "undo would delete for good 3 runs, up to 4 files" in dry
    assert calm.requests()["routes"] == []

    kept, _ = typed("--delete", "--confirm", name, "--json", expected=0)

    told = json.loads(kept)
    assert (told["runs"], told["deleted"], told["failed"]) == (3, 0, [])
    words = sorted(why for _, why in told["kept"])
    assert words[1:] == [NEVER_A_JOB] * 2
    assert words[0].endswith("below it stays")
    assert set(ours(look(workspace), look(small_history)).values()) == {"deleted"}, "hidden, in MLflow's word"

    idle, _ = typed("--delete", "--dry-run", expected=0)
    assert "3 runs stay hidden: the service keeps them, or a run below them" in idle
    assert "nothing to take back" in idle
    answers(name)
    again, asked = typed("--delete", expected=0)

    assert "name" not in asked, "nothing is left to ask for"
    assert "deleted: 0 runs" in again
    assert f"stays hidden: {told['kept'][0][0]}: " in again


def test_deleted_runs_are_gone_and_come_back_where_their_ids_do(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path
) -> None:
    """Counted as deleted; a replay plans what the service refuses, new ids bring it; points are never doubled.

    A call that dies once the service has begun to delete leaves a run that may be gone: a replay looks, and creates it.
    """
    folder, source = tmp_path / "archive", look(small_history)
    anew = MigrateOptions(replay=ReplayOptions(new_ids=True), deep=True)
    asyncio.run(migrated(small_history, workspace, folder))
    calm.set_faults(strict=GOES)

    done = asyncio.run(deleted(workspace, folder))

    assert (done.runs, done.deleted, done.kept, done.failed) == (3, 3, (), ())
    assert ours(look(workspace), source) == {}
    calm.reset_requests()
    again = asyncio.run(deleted(workspace, folder))
    assert (again.runs, again.deleted, again.kept, calm.requests()["writes"]) == (0, 0, (), 0)
    assert of_target(folder) == {"deleted": 3, "left": 3}
    with Archive.open(folder, write=False) as archive:
        assert "removed 3 runs from the target" in report(archive, folder.parent / "report.html").verdict

    refused = asyncio.run(migrated(small_history, workspace, folder))

    assert (refused.replayed.failed, refused.verdict.equal, refused.verdict.left_out) == ((), 0, 3)
    assert of_target(folder) == {"omitted": 3}
    assert any(reason.endswith(OF_DELETED) for reason in refused.verdict.reasons), refused.verdict.reasons

    brought = asyncio.run(migrated(small_history, workspace, folder, options=anew))

    assert (brought.verdict.findings, brought.verdict.equal, brought.replayed.points) == (0, 3, 330)
    before = look(workspace)
    calm.set_faults(strict=[*GOES, ANEW], deletion_lag_ms=0)
    with pytest.raises(PowerCut):
        asyncio.run(deleted(workspace, folder, cut=DiesAt(3, delivered=True, where="/jobs/")))
    assert len(look(workspace).runs) < len(before.runs)

    back = asyncio.run(migrated(small_history, workspace, folder, options=anew))

    assert (back.verdict.findings, back.verdict.equal, back.replayed.points) == (0, 3, 0)
    assert contents(look(workspace)) == contents(before)
    assert of_target(folder) == {"sent": 3, "verified": 3}


def of_target(folder: Path) -> dict[str, int]:
    """What `status` says of the one target, in its columns, so far as there is any."""
    with Archive.open(folder, write=False) as archive:
        (one,) = status(archive).targets
    return {name: count for name in COLUMNS if name != "extracted" and (count := getattr(one, name))}


def test_a_run_that_somebody_removed_is_named_and_brought_back(
    workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path
) -> None:
    """Its archive's `undo` notes that it is gone. Where its id is refused from then on, to a fresh archive too, that
    and nothing compared is no success; new ids bring it, and others where those are gone, too.
    """
    source, folder, fresh = calm.add_workspace(), tmp_path / "archive", tmp_path / "fresh"
    change(calm, source, fill)
    series, point = scalar("dcid.child", "m"), [row(0, 1.0, "m")]
    change(calm, source, lambda held: held.world.metrics.append(held.guid, series, point) and None)
    asyncio.run(migrated(source, workspace, folder))
    change(calm, workspace, removed("root"))
    shutil.copytree(folder, tmp_path / "unasked")

    absent = asyncio.run(judged(workspace, folder))
    done = asyncio.run(undone(workspace, folder))

    assert [(one.run, one.what, one.kind) for one in absent.first] == [("root", "run", REMOVED)]
    line = Typed("verify", ("archive",), {"--target": ("--target", "t")})
    assert "azureml-replay undo " in str(mend_of(absent, line, folder))
    assert ([run for run, _ in done.gone], done.runs, done.left, done.failed) == (["root"], 1, (), ())
    for archive, why in ((folder, OF_DELETED), (fresh, OF_ID)):
        refused = asyncio.run(migrated(source, workspace, archive)).verdict
        assert (refused.left_out, refused.refused, refused.exit, refused.proves) == (2, 2, Exit.SERVICE, False)
        assert any(reason.endswith(why) for reason in refused.reasons), refused.reasons
        assert " --ids new " in after_verdict(refused, line, archive)
        with Archive.open(archive, write=False) as opened:
            assert status(opened).next is Next.NEW_IDS
            assert "Nothing was there to compare" in report(opened, tmp_path / "report.html").verdict

    change(calm, source, in_run(lambda _: {"description": "newer"} | LATER))  # is sent, and finds it gone
    unasked = asyncio.run(migrated(source, workspace, tmp_path / "unasked"))
    assert any(reason.endswith(OF_DELETED) for reason in unasked.verdict.reasons), unasked.verdict.reasons

    new_ids = MigrateOptions(replay=ReplayOptions(new_ids=True))
    for archive in (folder, fresh):  # the child was sent before, under the id that it had
        anew = asyncio.run(migrated(source, workspace, archive, options=new_ids))
        assert (anew.verdict.exit, anew.verdict.equal, anew.replayed.failed) == (Exit.OK, 2, ()), anew.verdict.first
    change(calm, workspace, removed(anew_id(fresh, "root")))
    asyncio.run(undone(workspace, fresh))
    assert asyncio.run(migrated(source, workspace, fresh)).verdict.refused == 2
    once_more = asyncio.run(migrated(source, workspace, fresh, options=new_ids))
    assert (once_more.verdict.exit, once_more.verdict.equal, once_more.replayed.failed) == (Exit.OK, 2, ())


def anew_id(folder: Path, run: str) -> str:
    """The id under which a run of the source stands in the one target."""
    with Archive.open(folder, write=False) as archive:
        (one,) = status(archive).targets
        return str(archive.ledger(one.target).target_id(RunId(run)))


CHILDREN = ("below", "metric", "file", "shown", "edited", "values", "reused")


def fill_more(held: Held) -> None:
    """A child for each thing that somebody may have done to it."""
    fill(held)
    root = held.run("root")
    for at, name in enumerate(CHILDREN):
        child = empty_run(name, root["experimentId"], BEGIN + 20 + at, root)
        held.world.runs.put(held.guid, finished(child, "Completed", BEGIN + 20 + at, BEGIN + 10**8))


def of_others(held: Held) -> None:
    """Somebody's run, metric, file, and step that shows another's; a run that is shown again, edited, or has more."""
    below = held.run("below")
    held.world.runs.put(held.guid, empty_run("theirs", below["experimentId"], BEGIN + 90, below))
    held.world.metrics.append(held.guid, scalar("dcid.metric", "theirs"), [row(0, 1.0, "theirs")])
    held.blob("outputs/theirs", "file").upload_blob(b"theirs")
    held.world.runs.put(held.guid, held.run("shown") | {"hidden": False})
    asset = {"theirs": {"assetId": "azureml://data/2", "type": "UriFolder"}}
    more = {"parameters": {"theirs": "1"}, "inputs": asset, "outputs": asset}
    values = held.run("values")
    more["properties"] = values["properties"] | {"theirs": "1"}
    held.world.runs.put(held.guid, values | more)
    edited = held.run("edited")
    held.world.runs.put(held.guid, edited | {"tags": edited["tags"] | {"mine": "1"}})
    step = finished(empty_run("step", below["experimentId"], BEGIN + 91), "Completed", BEGIN + 91, BEGIN + 92)
    held.world.runs.put(held.guid, step | {"dataContainerId": "dcid.reused"})


def test_nothing_of_others_goes_with_a_run(workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path) -> None:
    """Hidden before, changed by somebody since: neither such a run nor what is above it is deleted."""
    source, folder = calm.add_workspace(), tmp_path / "archive"
    change(calm, source, fill_more)
    asyncio.run(migrated(source, workspace, folder))
    calm.set_faults(strict=GOES)
    with pytest.raises(PowerCut):  # all are hidden, and the first deletion does not leave
        asyncio.run(deleted(workspace, folder, cut=DiesAt(1, delivered=False, where="/jobs/")))
    change(calm, workspace, of_others)
    before = look(workspace)

    done = asyncio.run(deleted(workspace, folder))

    assert (done.deleted, done.failed) == (1, ()), "the child, which nobody touched"
    told = dict(done.kept)
    assert told.pop("root").endswith("below it stays")
    assert told == {
        "below": "would take along run theirs below it",
        "metric": "would take along metric theirs",
        "file": "would take along file outputs/theirs",
        "shown": "run shown was shown again in the target since",
        "edited": "run edited was edited in the target since: tag mine",
        "values": "would take along property theirs, parameter theirs, input theirs and 1 more",
        "reused": "would take along what run step of the target shows",
    }
    after = look(workspace)
    assert (after.runs, after.files) == ({run: one for run, one in before.runs.items() if run != "child"}, before.files)


def test_a_tag_on_a_run_whose_creation_was_never_answered_is_somebodys(
    workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path
) -> None:
    """Nobody noted what was sent of it: what the source does not have is not taken along."""
    source, folder = calm.add_workspace(), tmp_path / "archive"
    change(calm, source, fill)
    cut = DiesAt(1, delivered=True, where=rf"/experiments/{HOME}/batch/runs$")
    with pytest.raises(PowerCut):
        asyncio.run(migrated(source, workspace, folder, cut=cut))
    change(calm, workspace, in_pairs("tags", {"mine": "1"}))
    calm.set_faults(strict=GOES)

    done = asyncio.run(deleted(workspace, folder))

    assert dict(done.kept) == {"root": "run root was edited in the target since: tag mine"}
    assert look(workspace, files=False).runs["root"]["tags"]["mine"] == "1"


@pytest.mark.parametrize("takes", [[], ["delete-takes-children"]], ids=["keeps-children", "takes-children"])
def test_a_run_stays_where_the_service_keeps_one_below_it(
    workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path, takes: list[str]
) -> None:
    """It would leave children without a parent, which no replay could mend: all stay hidden, and come back."""
    source, folder = calm.add_workspace(), tmp_path / "archive"
    change(calm, source, fill)
    asyncio.run(migrated(source, workspace, folder))
    before = look(workspace)
    calm.set_faults(strict=["delete-history-runs", *takes])
    calm.reset_requests()

    done = asyncio.run(deleted(workspace, folder))

    assert dict(done.kept) == {"child": NEVER_A_JOB, "root": "run child below it stays"}
    assert (done.deleted, done.failed, len(asked_to_go(calm))) == (0, (), 1)
    change(calm, workspace, lambda held: held.world.runs.delete(held.guid, "child"))  # as a service that took it along
    told = {(one.run, one.what): one.kind for one in asyncio.run(judged(workspace, folder)).first}
    assert (told["child", "run"], told["root", "hidden"]) == (TAKEN_BACK, TAKEN_BACK)
    anew = MigrateOptions(replay=ReplayOptions(new_ids=True), deep=True)
    back = asyncio.run(migrated(source, workspace, folder, options=anew))
    assert (back.verdict.findings, back.verdict.equal) == (0, 2)
    assert contents(look(workspace)) == contents(before)


def asked_to_go(calm: Sandbox) -> list[Any]:
    """Routes of deletions that left."""
    return [one for one in calm.requests()["routes"] if one["method"] == "DELETE" and "jobs" in one["route"]]


def test_a_service_that_says_so_and_shows_it_still(
    workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path
) -> None:
    """Looked at again; a login without the right ends the call, and all is hidden by then."""
    source, folder = calm.add_workspace(), tmp_path / "archive"
    change(calm, source, fill)
    asyncio.run(migrated(source, workspace, folder))
    right = {"action": "Microsoft.MachineLearningServices/workspaces/jobs/delete"}
    calm.set_faults(denied=[right])

    with pytest.raises(Forbidden) as refused:
        asyncio.run(deleted(workspace, folder))
    with pytest.raises(UserError, match="elsewhere was confirmed"):
        asyncio.run(deleted(workspace, folder, name="elsewhere"))
    calm.set_faults(strict=[*GOES, "delete-keeps-runs"])
    done = asyncio.run(deleted(workspace, folder))

    assert refused.value.remedy is not None
    assert refused.value.remedy.lacking == right["action"]
    assert (done.runs, done.deleted) == (0, 0)
    assert dict(done.kept) == {"child": SHOWN_STILL, "root": "run child below it stays"}
    assert {run["stage"] for run in look(workspace).runs.values()} == {"deleted"}


def below_it(job: str, held: Held) -> None:
    """Somebody's run below the job, hidden, and another one below that in another experiment."""
    above = held.run(job)
    one = empty_run("anna-run", above["experimentId"], BEGIN, above) | {"hidden": True}
    other = held.world.experiments.obtain(held.guid, "Default")
    held.world.runs.put(held.guid, one)
    held.world.runs.put(held.guid, empty_run("anna-below", other["experimentId"], BEGIN, one))


def nothing_below(job: str, held: Held) -> None:
    """As before."""
    held.world.runs.delete(held.guid, "anna-below")
    held.world.runs.delete(held.guid, "anna-run")


def on_it(job: str, held: Held) -> None:
    """A tag, a description, a metric and files of somebody's on the job's own run."""
    run = held.run(job)
    held.world.runs.put(held.guid, run | {"tags": run["tags"] | {"owner: of it": "anna"}, "description": "anna's"})
    held.world.metrics.append(held.guid, scalar(f"dcid.{job}", "annas"), [row(0, 1.0, "annas")])
    for path in ("outputs/annas.txt", "annas.txt"):
        held.blob(path, job).upload_blob(b"anna's")


def nothing_on(job: str, held: Held) -> None:
    """As before."""
    run = held.run(job)
    tags = {name: value for name, value in run["tags"].items() if name != "owner: of it"}
    held.world.runs.put(held.guid, run | {"tags": tags, "description": None})
    held.world.metrics.delete(held.guid, f"dcid.{job}")
    for path in ("outputs/annas.txt", "annas.txt"):
        held.blob(path, job).delete_blob()


@pytest.mark.slow
def test_a_job_that_replayed_is_deleted_and_submitted_anew(
    workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path
) -> None:
    """The job goes, its steps where the service takes them along; the next one has a name that was never taken.

    As long as anything of others is in or below it, it stays, and no deletion leaves. The mend that is named does it.
    That holds too for a job that somebody else deleted, and for an archive that never heard of all this.
    """
    source, folder = calm.add_workspace(), tmp_path / "archive"
    change(calm, source, fill)
    asyncio.run(extracted(source, folder))
    asyncio.run(replayed(source, workspace, folder))
    (job,) = look(workspace, files=False).jobs
    calm.set_faults(strict=["delete-takes-children"])
    for how, no_more, named in (
        (partial(below_it, job), partial(nothing_below, job), "run anna-run below it, run anna-below below it"),
        (partial(on_it, job), partial(nothing_on, job), "description, tag owner: of it, metric annas and 2 more"),
    ):
        change(calm, workspace, how)
        calm.reset_requests()
        stays = asyncio.run(deleted(workspace, folder))
        assert (stays.deleted_jobs, stays.failed, asked_to_go(calm)) == (0, (), [])
        assert [why for _, why in stays.kept] == [f"job {job}: would take along {named}"]
        change(calm, workspace, no_more)

    hidden = asyncio.run(judged(workspace, folder))
    assert [one.kind for one in hidden.first if one.what == "hidden"] == [JOB_TAKEN_BACK]
    done, again = (asyncio.run(deleted(workspace, folder)) for _ in range(2))
    gone, absent = look(workspace, files=False), asyncio.run(judged(workspace, folder))
    back = asyncio.run(replayed(source, workspace, folder))

    assert (done.deleted_jobs, done.kept, done.failed) == (1, (), ())
    assert (again.jobs, again.deleted_jobs, again.kept) == (0, 0, ())
    assert job not in gone.jobs
    assert {(one.what, one.kind) for one in absent.first} == {("run", JOB_TAKEN_BACK)}, "nothing of its experiment"
    line = Typed("verify", ("archive",), {"--target": ("--target", "t")})
    assert "--mode synthetic" in str(mend_of(absent, line, folder))
    assert back.verdict is not None
    assert (back.submitted, back.failed, back.verdict.findings) == (1, (), 0)
    (second,) = look(workspace, files=False).jobs
    change(calm, workspace, removed(second))
    asyncio.run(extracted(source, tmp_path / "fresh"))
    for archive, submitted, learns in (
        ("archive", 1, True),
        ("archive", 0, False),
        ("fresh", 0, True),
        ("fresh", 0, False),
    ):
        calm.reset_requests()
        anew = asyncio.run(replayed(source, workspace, tmp_path / archive))
        assert anew.verdict is not None
        assert (anew.submitted, anew.failed, anew.verdict.findings) == (submitted, (), 0)
        assert (calm.requests()["writes"] > 0) is learns, "names that are gone are tried once"
    assert not {job, second} & set(look(workspace, files=False).jobs)


@pytest.mark.slow
@pytest.mark.parametrize("delivered", [False, True], ids=["before-delivery", "after-delivery"])
def test_cut_at_every_request_it_continues(
    workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path, delivered: bool
) -> None:
    """Never worse than hidden in between; the end is the same, and so is what a replay brings back, once."""
    source, folder = calm.add_workspace(), tmp_path / "archive"
    change(calm, source, fill)
    calm.set_faults(strict=[*GOES, ANEW], deletion_lag_ms=10)
    asyncio.run(migrated(source, workspace, folder))
    before, at, left = look(workspace), 0, True
    while left:
        at += 1
        with suppress(PowerCut):
            asyncio.run(deleted(workspace, folder, cut=DiesAt(at, delivered=delivered)))
            left = False

    assert at > 8, "the cuts did not reach its end"
    assert ours(look(workspace), look(source)) == {}

    back = asyncio.run(migrated(source, workspace, folder))

    assert (back.verdict.findings, back.verdict.equal, back.replayed.points) == (0, 2, 0)
    assert contents(look(workspace)) == contents(before)


def test_the_targets_own_experiment_that_its_owner_removed_is_made_anew(
    workspace: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Once nothing of ours is in it: then it gets description and tags of the source, which it did not have before."""
    source, folder = calm.add_workspace(), tmp_path / "archive"
    change(calm, source, fill)
    change(calm, source, in_home(description="of the source", tags={"team": "blue"}))
    change(calm, workspace, lambda there: there.world.experiments.obtain(there.guid, HOME) and None)
    change(calm, workspace, in_home(description="the target's own"))

    first = asyncio.run(migrated(source, workspace, folder))
    asyncio.run(deleted(workspace, folder))
    change(calm, workspace, remove_home)
    again = asyncio.run(migrated(source, workspace, folder))

    assert sum("keeps its own" in why for why in first.verdict.reasons) == 1
    assert (again.verdict.findings, [why for why in again.verdict.reasons if "keeps its own" in why]) == (0, [])
    change(calm, workspace, is_of_the_source)


def remove_home(held: Held) -> None:
    """With whatever is left in it, as if it had never been."""
    home = held.home()
    for run in list(held.world.runs.of_experiment(held.guid, home["experimentId"])):
        held.world.runs.delete(held.guid, run["runId"])
    held.world.experiments.delete(held.guid, home["experimentId"])


def is_of_the_source(held: Held) -> None:
    assert (held.home()["description"], held.home()["tags"]["team"]) == ("of the source", "blue")
