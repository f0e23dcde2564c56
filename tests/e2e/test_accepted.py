"""Changes that somebody made in a target: proven to be theirs, kept as accepted, and never more than that."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.comparison.three_way import Prefer
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.errors import Exit
from azureml_replay.selection import Selection
from azureml_replay.verbs import verify
from azureml_replay.verification.verdict import Verdict
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import scalar
from e2e.tampering import OTHER_BYTES, Change, change, file_bytes, in_pairs, in_run, row
from e2e.test_evidence import Bench, filled
from e2e.test_sync import edit, tag
from e2e.test_synthetic import opened
from environment import point_at

WHO = "an auditor"


class Accepting(Bench):
    """A source of its own, as it is edited too."""

    def look(
        self,
        selection: Selection = Selection(),
        *,
        accept: bool = False,
        forget: bool = False,
        target: WorkspaceFile | None = None,
    ) -> Verdict:
        """One."""

        async def looked() -> Verdict:
            async with opened(target or self.target) as there:
                with Archive.open(self.folder) as archive:
                    by = WHO if accept else None
                    return await verify(archive, there, selection, accept=by, forget=forget, width=4)

        return asyncio.run(looked())

    def edit_source(self, *changes: object) -> None:
        """By its owners, and brought into the archive."""
        for one in changes:
            change(self.sandbox, self.source, one)  # type: ignore[arg-type]
        self.extract()

    def team(self, run: str = "root") -> object:
        """The tag in the target."""
        found: list[object] = []
        change(
            self.sandbox,
            self.target,
            lambda held: found.append(held.world.runs.get(held.guid, run)["tags"].get("team")),
        )  # type: ignore[index]  # it is there
        return found[0]

    def listed(self) -> list[list[str]]:
        """What the report lists as accepted."""
        page = (self.folder.parent / "report.html").read_text()
        packed = page.partition('id="head">')[2].partition("<")[0]
        found: list[list[str]] = json.loads(gzip.decompress(base64.b64decode(packed)))["accepted"]
        return found

    def damaged(self) -> object:
        """What `check` finds."""
        with Archive.open(self.folder, write=False) as archive:
            return archive.checked(read_data=False).damaged


@pytest.fixture
def source(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> WorkspaceFile:
    """As it is edited too, one for each test."""
    point_at(sandbox, monkeypatch)
    made = sandbox.add_workspace()
    change(sandbox, made, filled)
    return made


@pytest.fixture
def bench(sandbox: Sandbox, tmp_path: Path, source: WorkspaceFile) -> Accepting:
    """Migrated, and equal."""
    made = Accepting(source, sandbox, tmp_path)
    assert made.migrate().exit is Exit.OK
    return made


def told(verdict: Verdict) -> tuple[int, int, int, int, int]:
    """Exit, faults, changes, unseen, accepted."""
    return int(verdict.exit), verdict.faults, verdict.changes, verdict.unseen, verdict.accepted


def test_a_change_is_told_from_a_fault_accepted_and_judged_anew(bench: Accepting) -> None:
    """One long life of one edit."""
    bench.change(tag(team="green"), in_pairs("tags", {"hand": "1"}))
    assert told(bench.look()) == (5, 0, 2, 0, 0)
    (green, _) = bench.look().first
    assert green.text == '"the root" (root): tag team: "blue" → "green"'
    assert green.since is not None

    taken = bench.look(accept=True)
    assert (told(taken), {one.what for one in taken.accepted_now}) == ((0, 0, 0, 0, 2), {"tag team", "tag hand"})
    assert (told(bench.look()), told(bench.status())) == ((0, 0, 0, 0, 2),) * 2
    assert bench.sentence().startswith("Equal but for 2 accepted changes")
    assert [one[:5] for one in bench.listed()] == [
        ["root", "tag hand", "nothing", '"1"', WHO],
        ["root", "tag team", '"blue"', '"green"', WHO],
    ]
    assert not bench.damaged()

    bench.replay()
    bench.replay(options=ReplayOptions(prefer=Prefer.SOURCE))
    assert (bench.team(), told(bench.look())) == ("green", (0, 0, 0, 0, 2))

    bench.change(tag(team="yellow"))  # changed again: a new change
    assert told(bench.look()) == (5, 0, 1, 0, 1)
    bench.change(tag(team="green"))  # as it was accepted once, but a look has seen another value since
    assert told(bench.look()) == (5, 0, 1, 0, 1)
    bench.change(tag(team="blue"))  # as the source has it
    assert told(bench.look()) == (0, 0, 0, 0, 1)
    bench.change(tag(team="green"))
    assert told(bench.look()) == (5, 0, 1, 0, 1)

    bench.look(accept=True)
    assert told(bench.look(forget=True)) == (5, 0, 2, 0, 0)
    assert not bench.damaged()


def test_what_nobody_saw_as_it_was_sent_is_never_accepted(
    sandbox: Sandbox, tmp_path: Path, source: WorkspaceFile
) -> None:
    """A value may have been lost on the way: it is no change of somebody's until a look has seen it there."""
    bench = Accepting(source, sandbox, tmp_path)
    bench.extract()
    bench.replay()
    bench.change(tag(team="green"))  # a target that took the tag and kept another one would look no different

    assert told(bench.look(accept=True)) == (5, 0, 0, 1, 0)
    assert told(bench.look(accept=True)) == (5, 0, 0, 1, 0), "looked at twice it is no more proven"
    bench.change(tag(team="blue"))
    assert bench.look().exit is Exit.OK
    bench.change(tag(team="green"))
    assert told(bench.look(accept=True)) == (0, 0, 0, 0, 1)


BEYOND: dict[str, tuple[Change, str]] = {
    "point": (lambda held: held.world.metrics.append(held.guid, scalar("dcid.root", "loss"), [row(9, 0.5)]), "fault"),
    "file": (file_bytes(OTHER_BYTES), "change"),
    "status": (in_run(lambda run: {"status": "Failed"}), "change"),
    "property": (in_pairs("properties", {"Kept": "no"}), "fault"),
    "parameter": (in_pairs("parameters", {"lr": "9"}), "fault"),
    "lineage": (in_pairs("tags", {"original_job_id": "other"}), "change"),
    "missing": (lambda held: held.world.runs.delete(held.guid, "child"), "fault"),
}
"""What is no text of people, and whether it is known to be somebody's."""


def test_never_points_files_status_or_missing_runs(bench: Accepting) -> None:
    """Each beside an edit, which is accepted."""
    for name, (how, _) in BEYOND.items():
        bench.change(in_pairs("tags", {name: "1"}), how)
        found = bench.look(accept=True)
        assert found.exit is Exit.FINDINGS, name
        assert {one.what for one in found.accepted_now} == {f"tag {name}"}, name
    whose = [one for _, one in BEYOND.values()]
    assert told(found) == (5, whose.count("fault"), whose.count("change"), 0, len(BEYOND))
    assert bench.status().exit is Exit.FINDINGS


def by_hand(run: str) -> Change:
    """The same tag."""
    return in_run(lambda one: {"tags": one["tags"] | {"hand": "1"}}, run)


def test_of_one_run_covers_no_other_nor_another_target(bench: Accepting) -> None:
    """The same change of two runs, a selection, two targets."""
    root, child, alone = (by_hand(run) for run in ("root", "child", "alone"))
    bench.change(root)
    bench.look(accept=True)
    bench.change(child)
    assert told(bench.look()) == (5, 0, 1, 0, 1)
    bench.change(alone)
    assert told(bench.look(Selection(include=("alone",)), accept=True)) == (0, 0, 0, 0, 1)
    assert told(bench.look()) == (5, 0, 1, 0, 2), "the child's is not accepted with it"

    first, bench.target = bench.target, bench.sandbox.add_workspace()
    assert bench.migrate().accepted == 0
    bench.change(root)
    assert told(bench.look()) == (5, 0, 1, 0, 0)
    bench.target = first
    assert told(bench.look()) == (5, 0, 1, 0, 2)


def test_names_that_look_alike_cover_nothing(bench: Accepting) -> None:
    """Cut where they are shown, one accepted tag would stand for the other."""
    long = "t" * 130
    bench.change(in_pairs("tags", {long + "a": "1"}))
    bench.look(accept=True)
    bench.change(in_pairs("tags", {long + "b": "1"}))
    assert (bench.look(accept=True).exit, bench.look().accepted) == (Exit.FINDINGS, 0)
    bench.change(in_pairs("tags", {}, long + "a"))
    found = bench.look()
    assert (found.exit, found.accepted) == (Exit.FINDINGS, 0), "the other one's acceptance is not its own"


def test_a_change_beyond_what_is_shown_is_a_new_one(bench: Accepting) -> None:
    """The value is kept as a digest of all of it."""
    bench.change(in_pairs("tags", {"note": "x" * 200 + "a"}))
    bench.look(accept=True)
    bench.change(in_pairs("tags", {"note": "x" * 200 + "b"}))

    assert told(bench.look()) == (5, 0, 1, 0, 0)


def test_a_later_extract_ends_what_was_accepted_of_that_value(bench: Accepting) -> None:
    """It is a conflict then, and the next acceptance is of both values; a sync sends over none that is accepted."""
    bench.change(tag(team="green"))
    bench.look(accept=True)
    bench.edit_source(in_pairs("tags", {"other": "1"}))
    bench.replay()
    assert told(bench.look()) == (0, 0, 0, 0, 1), "another value of the run was brought"

    bench.edit_source(tag(team="red"))
    bench.replay()
    assert (bench.team(), told(bench.look())) == ("green", (5, 0, 1, 0, 0))
    assert told(bench.look(accept=True)) == (0, 0, 0, 0, 1)
    bench.replay(options=ReplayOptions(prefer=Prefer.SOURCE))
    assert (bench.team(), told(bench.look())) == ("green", (0, 0, 0, 0, 1))

    bench.look(forget=True)
    bench.replay(options=ReplayOptions(prefer=Prefer.SOURCE))
    assert (bench.team(), told(bench.look())) == ("red", (0, 0, 0, 0, 0))
    bench.change(tag(team="green"))
    assert told(bench.look()) == (5, 0, 1, 0, 0), "what was accepted once is forgotten"


def test_what_was_hidden_by_hand_and_accepted_is_left_alone(bench: Accepting) -> None:
    """Undo leaves that run as it is, so what was accepted of it goes on; all others come back."""
    bench.change(edit(hidden=True))
    assert told(bench.look(accept=True)) == (0, 0, 0, 0, 1)
    bench.undo()
    found = bench.look()
    assert (found.exit, found.accepted, found.changes) == (Exit.FINDINGS, 1, 0)
    bench.replay()
    assert told(bench.look()) == (0, 0, 0, 0, 1)


def test_an_interrupted_forget_leaves_it_open(bench: Accepting) -> None:
    """Nothing is equal but for what nobody accepts."""
    bench.change(tag(team="green"))
    bench.look(accept=True)
    with Archive.open(bench.folder) as archive:
        (target,) = archive.targets()
        ledger = archive.ledger(target)
        ledger.forget_accepted([run for run, _ in ledger.accepted()])

    assert (bench.status().exit, bench.status().accepted) == (Exit.SERVICE, 0)
    assert not bench.damaged()
