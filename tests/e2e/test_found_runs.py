"""Runs of a target that stand for runs of the source already, whoever made them; and those that are somebody's."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.planning import lineage
from azureml_replay.workspace.mark import SENT_TAG, SOURCE_TAG
from azureml_replay.workspace.profile import WriteRoute
from azureml_sandbox import instants
from azureml_sandbox.fill.sample_runs import empty_run
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import Document
from e2e.library import DiesAt, PowerCut, configured, examined, migrated
from e2e.tampering import HOME, Change, Held, below, change, fill, in_run
from e2e.test_mixed_routes import HISTORY, MLFLOW, is_equal, went
from e2e.test_refused import judged
from e2e.test_synthetic import extracted
from e2e.test_taken_back import told
from e2e.test_two_archives import replayed
from e2e.test_undo import PROBE, undone
from e2e.test_undo_delete import GOES, deleted
from e2e.test_write_route import REFUSES, map_of, run_of, set_variants
from e2e.witness import look

MADE = r"/mlflow/.*/runs/create$"
CLONES = {"tags": "clone", "properties": "clone-with-properties"}


def clones_of(run: str) -> Change:
    """Two, as somebody may make them in Studio: with the tags of the original, and with its properties as well.

    Both begin now, and are listed behind their original.
    """

    def add(held: Held) -> None:
        original = held.run(run)
        for kept, name in CLONES.items():
            there = empty_run(name, original["experimentId"], instants.now(), None)
            more: Document = {"properties": original["properties"]} if kept == "properties" else {}
            begun = {"startTimeUtc": instants.text(instants.now()), "status": "Running"}
            held.world.runs.put(held.guid, there | begun | {"tags": original["tags"]} | more)

    return add


def clones(calm: Sandbox, target: WorkspaceFile) -> list[Document]:
    return [run_of(calm, target, name) for name in CLONES.values()]


def made_and_killed(source: WorkspaceFile, target: WorkspaceFile, folder: Path, *, at: int) -> str:
    """A `migrate` that is killed as it made a run: the first one, or the second one where the lease has none yet."""
    before = look(target, files=False).runs.keys()
    with pytest.raises(PowerCut):
        asyncio.run(migrated(source, target, folder, cut=DiesAt(at, delivered=True, where=MADE)))
    made = {run: told for run, told in look(target, files=False).runs.items() if run not in before}
    (there,) = (run for run, told in made.items() if told["experiment"] == HOME)
    return there


def extra(folder: Path, target: WorkspaceFile) -> list[tuple[str, str]]:
    """What is named as a copy: the experiment, and which runs."""
    with Archive.open(folder, write=False) as archive:
        found = list(archive.ledger(configured(target).ref).findings())
    assert {one.kind for one in found} <= {"extra"}, found
    return [(one.what, one.actual) for one in found]


@pytest.fixture
def ours(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> tuple[WorkspaceFile, WorkspaceFile, Path]:
    """A source, a target that refuses our ids and has its runs by now, and the archive."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    set_variants(calm, target, REFUSES)
    assert asyncio.run(migrated(source, target, tmp_path / "archive")).verdict.findings == 0
    return source, target, tmp_path / "archive"


def test_a_clone_that_somebody_made_of_a_run_of_ours_is_his(
    ours: tuple[WorkspaceFile, WorkspaceFile, Path], calm: Sandbox
) -> None:
    """Nothing goes into it, and `undo` leaves it: not by a second archive, nor where the original was deleted.

    Nor does `verify` call it a copy.
    """
    source, target, folder = ours
    ids = map_of(folder, target)
    change(calm, target, clones_of(ids["root"]))
    before = clones(calm, target)

    other = asyncio.run(migrated(source, target, folder.with_name("other")))

    assert (other.replayed.failed, map_of(folder.with_name("other"), target)) == ((), ids)
    set_variants(calm, target, REFUSES, *GOES)
    assert asyncio.run(deleted(target, folder)).deleted == 2
    for archive in (folder, folder.with_name("third")):
        anew = asyncio.run(migrated(source, target, archive))
        assert (anew.replayed.failed, anew.verdict.runs, anew.verdict.findings) == ((), 2, 0)
    assert map_of(folder, target) == map_of(folder.with_name("third"), target)
    assert not set(CLONES.values()) & set(map_of(folder, target).values())
    assert asyncio.run(undone(target, folder)).runs == 2
    assert clones(calm, target) == before


@pytest.mark.parametrize(
    ("first", "second", "refuses"),
    [
        (HISTORY, MLFLOW, False),
        pytest.param(MLFLOW, HISTORY, False, marks=pytest.mark.slow),
        (HISTORY, None, True),
    ],
    ids=["by the history, then mlflow", "by mlflow, then the history", "by the history, then as the target shows"],
)
def test_what_another_archive_sent_by_either_way_is_taken_over(
    calm: Sandbox,
    azure_env: dict[str, str],
    tmp_path: Path,
    first: WriteRoute,
    second: WriteRoute | None,
    refuses: bool,
) -> None:
    """Nothing is there twice. What comes to a family later goes its way, a new one that of whoever sends it."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    assert went(source, target, tmp_path / "one", first).verdict.findings == 0
    set_variants(calm, target, *([REFUSES] if refuses else []))

    two = went(source, target, tmp_path / "two", second)

    assert is_equal(two, 2)
    assert (two.replayed.points, of_ours(target)) == (0, 2)
    assert two.replayed.write_route is (second or MLFLOW)
    set_variants(calm, target)
    change(calm, source, below("root", "late"))
    change(calm, source, told("second", "source", "alone"))
    for folder, route in (("two", second), ("one", first), ("three", first), ("three", second)):
        assert is_equal(went(source, target, tmp_path / folder, route), 4)
        assert of_ours(target) == 4
        ids = map_of(tmp_path / folder, target)
        own = {run for run in ("root", "child", "late", "alone") if ids.get(run, run) == run}
        assert own == ({"root", "child", "late"} if first is HISTORY else {"alone"})


def of_ours(target: WorkspaceFile) -> int:
    """How many runs there are, but throw-away ones."""
    return sum(told["experiment"] != PROBE for told in look(target, files=False).runs.values())


@pytest.mark.parametrize("more", [(), ("drop-properties",)], ids=["properties kept", "properties dropped"])
def test_a_run_that_was_made_twice_while_the_search_lagged_is_named(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, more: tuple[str, ...]
) -> None:
    """The first of them is told from what was filled, by every archive; nothing goes into it."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    set_variants(calm, target, REFUSES, *more)
    asyncio.run(examined(source, target, tmp_path / "archive"))
    first = made_and_killed(source, target, tmp_path / "archive", at=2)
    tags = run_of(calm, target, first)["tags"]
    change(calm, target, in_run(lambda _: {"tags": {}}, first))

    asyncio.run(migrated(source, target, tmp_path / "archive"))
    change(calm, target, in_run(lambda _: {"tags": tags}, first))
    made = run_of(calm, target, first)

    ids = map_of(tmp_path / "archive", target)
    assert bool(more) == (SENT_TAG in run_of(calm, target, ids["root"])["tags"])
    copy = "1 further copy of runs of this source (made twice, or sent by another archive)"
    for name in ("archive", "other"):
        done = asyncio.run(migrated(source, target, tmp_path / name))
        assert (done.replayed.failed, done.verdict.exit) == ((), 5)
        assert extra(tmp_path / name, target) == [(f"experiment {HOME}: runs", f"{copy}: {first}")]
        assert map_of(tmp_path / name, target) == ids
    assert first not in ids.values()
    assert run_of(calm, target, first) == made


def test_of_two_that_were_made_alone_the_first_counts(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """Killed twice as it was made, in a search that lagged once; the other one is named."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    set_variants(calm, target, REFUSES)
    asyncio.run(examined(source, target, tmp_path / "archive"))
    made: dict[str, dict[str, Any]] = {}
    for at in (2, 1):
        there = made_and_killed(source, target, tmp_path / "archive", at=at)
        made[there] = run_of(calm, target, there)["tags"]
        change(calm, target, in_run(lambda _: {"tags": {}}, there))
    for there, tags in made.items():
        assert tags.keys() == {lineage.TAG, SOURCE_TAG}
        change(calm, target, in_run(lambda _, tags=tags: {"tags": tags}, there))

    asyncio.run(migrated(source, target, tmp_path / "archive"))

    first, second = made
    assert map_of(tmp_path / "archive", target)["root"] == first
    assert [text.rpartition(" ")[2] for _, text in extra(tmp_path / "archive", target)] == [second]
    asyncio.run(judged(target, tmp_path / "archive"))


def test_a_new_experiment_is_looked_at_once(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """Whose it is, whether it is open, which of our runs it has; then as it is made, and as its values are sent."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    change(calm, source, sibling)
    set_variants(calm, target, REFUSES)
    asyncio.run(extracted(source, tmp_path / "archive"))
    asyncio.run(examined(source, target, tmp_path / "archive"))

    with calm.recorded() as exchanges:
        asyncio.run(replayed(target, source, tmp_path / "archive"))

    asked = Counter(one["method"] for one in exchanges if one["path"].endswith(f"/experiments/{HOME}"))
    assert asked == {"GET": 4, "POST": 1}


def sibling(held: Held) -> None:
    """A second root, which is made beside the first one."""
    held.world.runs.put(held.guid, empty_run("sibling", held.home()["experimentId"], instants.now(), None))
