"""What `undo` hid, seen from archives that know nothing of it: brought back, told apart from what others hid."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import workspace_config
from azureml_replay.azure.workspace import connect
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.model import RunId
from azureml_replay.planning.lineage import EXPERIMENT_TAG
from azureml_replay.selection import Selection
from azureml_replay.verbs import MigrateOptions, verify
from azureml_replay.verification.verdict import Verdict
from azureml_replay.workspace.mark import JOB_TAKEN_BACK, TAKEN_BACK, UNDO_TAG, VOID_MARK, undo_mark
from azureml_replay.workspace.profile import WriteRoute
from azureml_sandbox.fill.sample_runs import empty_run, experiment, finished
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import DiesAt, FastClock, PowerCut, migrated
from e2e.tampering import BEGIN, HOME, Change, Held, change, extra_run, fill, in_experiment, in_home, in_run
from e2e.test_synthetic import extracted, replayed
from e2e.test_undo import of_others, undone
from e2e.witness import look

RUNS = (RunId("root"), RunId("child"))
MARKS = [undo_mark(run)[UNDO_TAG] for run in RUNS]


@pytest.fixture
def source(calm: Sandbox, azure_env: dict[str, str]) -> WorkspaceFile:
    """One root, one child, in an experiment with a description and a tag."""
    workspace = calm.add_workspace()
    change(calm, workspace, fill)
    return workspace


async def verified(target: WorkspaceFile, folder: Path) -> Verdict:
    """Of everything in an archive, with what it knows."""
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(connect(workspace_config(str(target.path)), clock=FastClock()))
        archive = stack.enter_context(Archive.open(folder))
        return await verify(archive, there)


def found(target: WorkspaceFile, folder: Path) -> set[str]:
    """What the findings of the last look are about."""
    with Archive.open(folder) as archive:
        return {one.what for one in archive.ledger(workspace_config(str(target.path)).ref).findings()}


def held(calm: Sandbox, workspace: WorkspaceFile) -> dict[str, Any]:
    """The documents of the runs, and of the experiment, as the service has them."""
    found: dict[str, Any] = {}

    def note(there: Held) -> None:
        found.update({run: there.world.runs.get(there.guid, run) for run in RUNS}, home=there.home())

    change(calm, workspace, note)
    return found


def hide(run: str = "root") -> Any:
    """As somebody does in Studio."""
    return in_run(lambda _: {"hidden": True}, run)


def test_a_fresh_archive_brings_back_what_another_one_took_back(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """Runs, files, the experiment, as they were: nothing of the mark is left. Undone again by the fresh one, too."""
    asyncio.run(migrated(source, workspace, tmp_path / "first"))
    before = look(workspace)
    asyncio.run(undone(workspace, tmp_path / "first"))
    hidden = held(calm, workspace)

    back = asyncio.run(migrated(source, workspace, tmp_path / "fresh"))

    assert [hidden[run]["tags"][UNDO_TAG] for run in RUNS] == MARKS
    assert {run["stage"] for run in look(workspace).runs.values() if run["experiment"] == HOME} == {"active"}
    assert (back.replayed.failed, back.replayed.points, back.verdict.findings) == ((), 0, 0)
    after = look(workspace)
    assert of_others(after, set()) == of_others(before, set())  # each archive writes a throw-away run of its own
    assert after.experiments == before.experiments
    assert asyncio.run(verified(workspace, tmp_path / "first")).findings == 0

    again = asyncio.run(undone(workspace, tmp_path / "fresh"))

    assert (again.runs, again.left, again.experiments) == (2, (), (HOME,))


def test_verify_of_a_fresh_archive_says_who_hid_it(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """The runs, their files and the experiment: by undo, and by nobody else."""
    asyncio.run(migrated(source, workspace, tmp_path / "first"))
    asyncio.run(undone(workspace, tmp_path / "first"))
    asyncio.run(extracted(source, tmp_path / "fresh"))

    said = asyncio.run(verified(workspace, tmp_path / "fresh"))
    first = asyncio.run(verified(workspace, tmp_path / "first"))

    assert set(said.kinds) == set(first.kinds) == {TAKEN_BACK}
    assert {"hidden", f"experiment {HOME}: state"} <= found(workspace, tmp_path / "fresh")
    assert said.kinds == first.kinds
    assert TAKEN_BACK == "taken back by undo: replay brings it back"


@pytest.mark.parametrize("entries_stay", [False, True], ids=["entries go", "entries stay"])
def test_an_archive_that_had_sent_it_all_learns_of_it_by_verify(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, tmp_path: Path, entries_stay: bool
) -> None:
    """Its receipts say that everything is there; what it says of replay is true all the same. A changed file stays."""
    calm.set_faults(strict=["no-entry-removal"] * entries_stay)
    for name in ("first", "second"):
        asyncio.run(migrated(source, workspace, tmp_path / name))
    change(calm, workspace, lambda there: there.blob("logs/a.txt", "child").upload_blob(b"more", overwrite=True))
    asyncio.run(undone(workspace, tmp_path / "first"))

    said = asyncio.run(verified(workspace, tmp_path / "second"))
    back = asyncio.run(migrated(source, workspace, tmp_path / "second"))

    assert said.kinds.pop("edited in target") == 1
    assert set(said.kinds) == {TAKEN_BACK}
    assert {finding.what for finding in back.verdict.first} == {"file logs/a.txt", "file logs/a.txt: bytes"}
    assert not [run for run in RUNS if UNDO_TAG in held(calm, workspace)[run]["tags"]]


def test_what_somebody_else_hid_stays_hidden(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """By hand, by a fresh archive's view: an edit; also of a run that undo had hidden before, and a replay shown,
    and with the tags of another one that undo hid."""
    asyncio.run(migrated(source, workspace, tmp_path / "first"))
    change(calm, workspace, hide())
    kept = asyncio.run(migrated(source, workspace, tmp_path / "fresh"))
    left = asyncio.run(undone(workspace, tmp_path / "first"))
    assert left.left == (("root", "run root was edited in the target since: hidden"),)
    back = asyncio.run(migrated(source, workspace, tmp_path / "first"))

    change(calm, workspace, in_run(lambda _: {"hidden": False}))
    asyncio.run(undone(workspace, tmp_path / "first"))
    asyncio.run(migrated(source, workspace, tmp_path / "first"))
    copied = {UNDO_TAG: MARKS[1]}  # with the child's other tags, while that was hidden
    change(calm, workspace, in_run(lambda run: {"hidden": True, "tags": run["tags"] | copied}))

    still = asyncio.run(migrated(source, workspace, tmp_path / "freshest"))

    for done in (kept, back, still):
        assert dict(done.verdict.kinds) == {"edited in target": 1}
        assert [(finding.run, finding.what) for finding in done.verdict.first] == [("root", "hidden")]
    assert held(calm, workspace)["root"]["hidden"]


def test_an_edited_run_that_undo_left_alone_stays_left_alone(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """It keeps its edit and gets no mark; only the other run is brought back."""
    asyncio.run(migrated(source, workspace, tmp_path / "first"))
    change(calm, workspace, in_run(lambda run: {"tags": run["tags"] | {"mine": "1", "team": "red"}}))
    left = asyncio.run(undone(workspace, tmp_path / "first"))
    edited = held(calm, workspace)["root"]

    back = asyncio.run(migrated(source, workspace, tmp_path / "fresh"))

    assert [run for run, _ in left.left] == ["root"]
    assert UNDO_TAG not in edited["tags"]
    there = held(calm, workspace)
    assert (there["root"]["tags"], there["root"]["hidden"]) == (edited["tags"], False)
    assert (there["child"]["hidden"], UNDO_TAG in there["child"]["tags"]) == (False, False)
    assert {finding.what for finding in back.verdict.first} == {"tag mine", "tag team"}


def test_a_mark_that_cannot_be_removed_is_void(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """It stays on the shown run, is no finding, no edit, and brings nothing back that somebody hides later."""
    asyncio.run(migrated(source, workspace, tmp_path / "first"))
    asyncio.run(undone(workspace, tmp_path / "first"))
    calm.set_faults([{"match": {"path": "/tags$"}, "do": "status", "status": 404}])

    back = asyncio.run(migrated(source, workspace, tmp_path / "fresh"))

    calm.set_faults()
    assert (back.replayed.failed, back.verdict.findings) == ((), 0)
    assert [held(calm, workspace)[run]["tags"][UNDO_TAG] for run in RUNS] == [VOID_MARK[UNDO_TAG]] * 2
    change(calm, workspace, hide())
    kept = asyncio.run(migrated(source, workspace, tmp_path / "freshest"))
    assert dict(kept.verdict.kinds) == {"edited in target": 1}
    change(calm, workspace, in_run(lambda _: {"hidden": False}))  # as a run that somebody hid is not undo's
    assert asyncio.run(undone(workspace, tmp_path / "fresh")).left == ()


def test_a_run_without_room_for_the_mark_is_hidden_all_the_same(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """Of 50 tags of the source's 48 stay, for two of ours; where the service added one, the mark has no room."""
    change(calm, source, in_run(lambda _: {"tags": {f"t{at}": "" for at in range(50)}}))
    done = asyncio.run(migrated(source, workspace, tmp_path / "first"))
    asyncio.run(undone(workspace, tmp_path / "first"))
    full = held(calm, workspace)["root"]["tags"]
    asyncio.run(migrated(source, workspace, tmp_path / "first"))
    change(calm, workspace, in_run(lambda run: {"tags": run["tags"] | {"azureml_replay_probe": "x"}}))
    with Archive.open(tmp_path / "first") as archive:
        ledger = archive.ledger(workspace_config(str(workspace.path)).ref)
        known: Any = ledger.probe()
        ledger.put_probe({**known, "added": ["azureml_replay_probe"]})

    again = asyncio.run(undone(workspace, tmp_path / "first"))

    assert (done.verdict.findings, len(full), full[UNDO_TAG]) == (0, 50, MARKS[0])
    assert (again.runs, again.left, again.failed) == (2, (), ())
    there = held(calm, workspace)
    assert (there["root"]["hidden"], UNDO_TAG in there["root"]["tags"]) == (True, False)
    assert there["child"]["tags"][UNDO_TAG] == MARKS[1]


def test_a_fresh_archive_knows_the_experiments_that_an_earlier_one_made(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """What the source says of them since is carried; what somebody wrote in the target stays, and is told."""
    asyncio.run(migrated(source, workspace, tmp_path / "first"))
    change(calm, source, in_home(tags={"area": "vision", "new": "1"}))

    carried = asyncio.run(migrated(source, workspace, tmp_path / "second"))
    there = held(calm, workspace)["home"]
    change(calm, workspace, in_home(description="edited"))
    edited = asyncio.run(migrated(source, workspace, tmp_path / "third"))

    assert (carried.verdict.findings, carried.verdict.omissions) == (0, edited.verdict.omissions)
    assert not [why for why in carried.verdict.reasons if "keeps its own" in why]
    assert {key: value for key, value in there["tags"].items() if key != EXPERIMENT_TAG} == {
        "area": "vision",
        "new": "1",
    }
    assert there["description"] == "what it is for"
    assert [finding.what for finding in edited.verdict.first] == [f"experiment {HOME}: description"]
    assert held(calm, workspace)["home"]["description"] == "edited"


HISTORY, MLFLOW = WriteRoute


@pytest.mark.parametrize(
    ("archive", "route", "seen"),
    [
        ("first", HISTORY, None),
        ("fresh", HISTORY, None),
        ("second", HISTORY, Selection(depth=0)),
        ("second", MLFLOW, Selection(depth=0)),
        ("third", HISTORY, Selection()),
    ],
)
def test_an_experiment_of_which_nothing_is_told_is_brought_back_too(
    source: WorkspaceFile,
    workspace: WorkspaceFile,
    calm: Sandbox,
    tmp_path: Path,
    archive: str,
    route: WriteRoute,
    seen: Selection | None,
) -> None:
    """Made without a request, so without a tag; undo gives it one, and the replay takes its word back.

    Also where an archive had `seen` it without a tag, and took it for the target's own.
    """
    migrate = partial(migrated, source, workspace, options=MigrateOptions(replay=ReplayOptions(write_route=route)))
    change(calm, source, in_home(description=None, tags={}))
    asyncio.run(migrate(tmp_path / "first"))
    if seen is not None:
        asyncio.run(migrate(tmp_path / archive, selection=seen))
    made = held(calm, workspace)["home"]
    done = asyncio.run(undone(workspace, tmp_path / "first"))
    hidden = held(calm, workspace)["home"]
    change(calm, source, extra_run)  # MLflow's routes take none into an archived experiment
    if archive == "third":
        assert set(asyncio.run(verified(workspace, tmp_path / archive)).kinds) == {TAKEN_BACK}

    back = asyncio.run(migrate(tmp_path / archive))

    there = held(calm, workspace)["home"]
    again = asyncio.run(migrate(tmp_path / archive)) if archive == "second" else back  # its verify found the root
    assert (done.experiments, made["tags"]) == ((HOME,), {})
    assert (back.replayed.failed, again.verdict.findings) == ((), 0)
    assert hidden["archivedTime"] is not None
    assert there["archivedTime"] is None
    assert "undo" in json.loads(hidden["tags"][EXPERIMENT_TAG])
    assert "undo" not in json.loads(there["tags"][EXPERIMENT_TAG])


def test_the_targets_own_experiment_stays_its_own(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """Also where a replay of another source made it: each tells its own only."""
    other = calm.add_workspace()
    change(calm, other, lambda there: there.world.experiments.obtain(there.guid, HOME) and None)
    change(calm, other, in_home(description="the other's", tags={"other": "1"}))
    asyncio.run(migrated(other, workspace, tmp_path / "other"))
    before = held(calm, workspace)["home"]

    done = asyncio.run(migrated(source, workspace, tmp_path / "first"))

    assert held(calm, workspace)["home"] == before
    assert done.verdict.findings == 0
    assert sum("keeps its own" in why for why in done.verdict.reasons) == 1


def told(name: str, of: str, run: str | None = None) -> Change:
    """An experiment of that name that says whose it is, with a run in it."""

    def make(there: Held) -> None:
        home = experiment(name) | {"description": of, "tags": {"of": of}}
        there.world.experiments.put(there.guid, home)
        if run:
            made = finished(empty_run(run, home["experimentId"], BEGIN), "Completed", BEGIN, BEGIN + 1)
            there.world.runs.put(there.guid, made)

    return make


def description(calm: Sandbox, workspace: WorkspaceFile, name: str) -> Any:
    """Of an experiment, as the service has it."""
    found: list[Any] = []
    change(calm, workspace, lambda there: found.append(there.world.experiments.named(there.guid, name)))
    return found[0]["description"], found[0]["tags"].get("of")


@pytest.mark.parametrize("route", WriteRoute)
def test_an_experiment_that_came_to_the_target_later_is_the_targets_own(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, tmp_path: Path, route: WriteRoute
) -> None:
    """It is looked at before the first write into it; what a killed replay began there stays ours.

    So does what somebody wrote into that before its own values came.
    """
    options = MigrateOptions(replay=ReplayOptions(write_route=route))
    again = partial(migrated, source, workspace, tmp_path / "archive", options=options)
    asyncio.run(again())
    for name, run in (("later", "one"), ("empty", None), ("begun", "two")):
        change(calm, source, told(name, "source", run))
    for name in ("later", "empty"):
        change(calm, workspace, told(name, "target"))
    by_history = route is WriteRoute.HISTORY
    begun = DiesAt(1 if by_history else 2, delivered=True, where="experiments/begun/batch/runs|runs/create")

    with pytest.raises(PowerCut):
        asyncio.run(again(cut=begun))
    change(calm, workspace, in_experiment("begun", description="edited"))
    done = asyncio.run(again())

    assert {name: description(calm, workspace, name) for name in ("later", "empty", "begun")} == {
        "later": ("target", "target"),
        "empty": ("target", "target"),
        "begun": ("edited", "source"),
    }
    assert (done.replayed.failed, found(workspace, tmp_path / "archive")) == ((), {"experiment begun: description"})
    assert sum("keeps its own" in why for why in done.verdict.reasons) == 1


@pytest.mark.parametrize("shown", [False, True], ids=["hidden", "void mark"])
def test_a_copy_of_a_copy_carries_none_of_it(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, tmp_path: Path, *, shown: bool
) -> None:
    """The copy says of itself where it comes from, and nothing of what undo did elsewhere."""
    asyncio.run(migrated(source, workspace, tmp_path / "first"))
    asyncio.run(undone(workspace, tmp_path / "first"))
    if shown:
        for run in RUNS:
            change(calm, workspace, in_run(lambda one: {"hidden": False, "tags": one["tags"] | VOID_MARK}, run))
    copy = calm.add_workspace()

    done = asyncio.run(
        migrated(
            workspace,
            copy,
            tmp_path / "second",
        )
    )

    there = held(calm, copy)
    assert done.verdict.findings == 0
    assert [there[run]["hidden"] for run in RUNS] == [not shown] * 2
    assert not [run for run in RUNS if UNDO_TAG in there[run]["tags"]]
    assert json.loads(there["home"]["tags"][EXPERIMENT_TAG]) | {"sent": ""} == {
        "sent": "",
        "workspace": workspace_config(str(workspace.path)).ref.key,
        "experiment": HOME,
    }
    assert there["home"]["tags"].keys() == {"area", EXPERIMENT_TAG}


def test_a_job_that_another_archive_took_back_is_shown_again(
    small_history: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """A fresh archive submits nothing; verify says before who hid it, and the job is as it was."""
    for name in ("first", "fresh"):
        asyncio.run(extracted(small_history, tmp_path / name))
    asyncio.run(replayed(small_history, workspace, tmp_path / "first"))
    before = look(workspace)
    asyncio.run(undone(workspace, tmp_path / "first"))
    said = asyncio.run(verified(workspace, tmp_path / "first"))

    back = asyncio.run(replayed(small_history, workspace, tmp_path / "fresh"))

    assert (dict(said.kinds), [finding.what for finding in said.first]) == ({JOB_TAKEN_BACK: 1}, ["hidden"])
    assert back.verdict is not None
    assert (back.submitted, back.failed, back.verdict.findings) == (0, (), 0)
    assert look(workspace) == before
