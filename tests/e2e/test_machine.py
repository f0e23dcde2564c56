"""A machine that tries: any order of commands, edits, cuts and damage, to get a verdict that is not true.

After every step its oracle (oracle.py) says what may be claimed: nothing is called equal that was not compared, or not
since it was sent, and nothing differs that was equal.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.workspace import AzureWorkspace
from azureml_replay.comparison.three_way import Prefer
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.direct.replay import replay
from azureml_replay.errors import Exit, UserError
from azureml_replay.extraction.extract import ExtractOptions, extract
from azureml_replay.extraction.metrics import Metrics
from azureml_replay.model import RunId
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.left import Left
from azureml_replay.report_page.write import report
from azureml_replay.selection import Selection
from azureml_replay.state import status
from azureml_replay.synthetic.options import Shape, SyntheticReplayOptions, job_of
from azureml_replay.synthetic.replay import replay_synthetic
from azureml_replay.undoing import undo
from azureml_replay.verbs import MigrateOptions, dry_run, migrate, verify
from azureml_replay.verification.judging import CHANGED, NOT_EXTRACTED
from azureml_replay.verification.verdict import Verdict
from azureml_replay.workspace.mark import undo_mark
from azureml_sandbox.server.sandbox import Sandbox
from e2e.edits import (
    AT_SOURCE,
    AT_TARGET,
    HOME,
    OTHER,
    RUNS,
    added,
    below,
    described,
    flipped,
    hidden,
    marked,
    point,
    spoil,
)
from e2e.judged import Judged
from e2e.library import DiesAt, PowerCut
from e2e.oracle import BYTES, Carried, Job, Side, tree_of
from e2e.tampering import Held, change
from environment import point_at

SELECTIONS = (
    Selection(),
    Selection(include=("root",)),
    Selection(include=("alone",)),
    Selection(experiments=(OTHER,)),
    Selection(limit=1),
    Selection(depth=0),
    Selection(tags=("team",)),
)
CHOICES = (
    FileChoice(),
    FileChoice(artifacts=False),
    FileChoice(globs=("outputs/*",)),
    FileChoice(globs=("logs/*",)),
    FileChoice(most_bytes=5),
)
TO = st.sampled_from((0, 0, 0, 0, 1))
"""Mostly the first target: what happened to it before is what a verdict is about."""
EXTRACTIONS = (
    ExtractOptions(),
    ExtractOptions(metrics=Metrics.NONE),
    ExtractOptions(metrics=Metrics.LAST),
    ExtractOptions(artifacts=False),
    ExtractOptions(check_all=True),
)


class Tries(Judged):
    """Everything is sent as runs."""

    @initialize(begin=st.sampled_from(["migrate", "migrate", "migrate", "extract", "nothing"]))
    def begin(self, begin: str) -> None:
        """Most things begin with a migration."""
        if begin == "extract":
            self.extract(SELECTIONS[0], EXTRACTIONS[0])
        if begin == "migrate":
            self.migrate(0, SELECTIONS[0], CHOICES[0], deep=False)

    @rule(selection=st.sampled_from(SELECTIONS), options=st.sampled_from(EXTRACTIONS))
    def extract(self, selection: Selection, options: ExtractOptions) -> None:
        """The source again."""
        self.writes(
            None,
            lambda: self.call(
                lambda archive, source, _: extract(source, archive, selection, options=options, width=4), create=True
            ),
        )

    @rule(at=st.sampled_from([5, 9, 13, 17, 22]), all_again=st.booleans())
    def extract_cut(self, at: int, all_again: bool) -> None:
        """The power goes at that request."""
        options = ExtractOptions(check_all=all_again)
        self.writes(
            None,
            lambda: self.call(
                lambda archive, source, _: extract(source, archive, Selection(), options=options, width=4),
                cut=DiesAt(at, delivered=True),
                create=True,
            ),
        )

    @rule(name=st.sampled_from(sorted(AT_SOURCE)))
    def edit_source(self, name: str) -> None:
        """By its owners."""
        change(self.sandbox, self.source, AT_SOURCE[name])

    @rule(name=st.sampled_from(sorted(AT_SOURCE)))
    def edit_source_and_extract(self, name: str) -> None:
        """What was compared before is old."""
        self.edit_source(name)
        self.extract(Selection(), ExtractOptions())

    @rule(to=TO, name=st.sampled_from(sorted(AT_TARGET)))
    def edit_target(self, to: int, name: str) -> None:
        """By hand."""
        change(self.sandbox, self.targets[to], AT_TARGET[name])

    @rule(name=st.sampled_from(sorted(name for name in AT_TARGET if "/" in name)), deep=st.booleans())
    def edit_file_and_look(self, name: str, deep: bool) -> None:
        """Found, it has to stay found."""
        self.edit_target(0, name)
        self._verify(0, Selection(), FileChoice(), deep)

    @rule(to=TO, selection=st.sampled_from(SELECTIONS), files=st.sampled_from(CHOICES))
    def replay(self, to: int, selection: Selection, files: FileChoice) -> None:
        """As runs."""
        self._replay(to, selection, files)

    @rule(
        to=TO,
        selection=st.sampled_from(SELECTIONS[:3]),
        at=st.sampled_from([3, 9, 14, 20, 26, 33, 40, 47, 60]),
        delivered=st.booleans(),
    )
    def replay_cut(self, to: int, selection: Selection, at: int, delivered: bool) -> None:
        """The power goes at that request."""
        self._replay(to, selection, FileChoice(), DiesAt(at, delivered=delivered))

    def _replay(
        self,
        target: int,
        selection: Selection,
        files: FileChoice,
        cut: DiesAt | None = None,
        prefer: Prefer = Prefer.TARGET,
    ) -> None:
        if not self.wanted().runs:
            return
        options = ReplayOptions(files=files, prefer=prefer)
        left = self._left(target, selection, options)
        done = self.writes(
            target,
            lambda: self.call(
                lambda archive, source, there: replay(archive, source, there, selection, options=options, width=4),
                target,
                cut,
            ),
        )
        if done is not None:
            assert done.failed == ()
            assert not done.conflicts or self.known[target].jobs
            assert done.runs <= left.runs + left.edited, "more runs went than a dry run had said"
            assert done.points <= left.points, "more points went than a dry run had said"
            assert done.conflicts or not self._left(target, selection, options).runs, "something is left"
        self._carried(target, selection, files, cut=done is None)

    def _left(self, target: int, selection: Selection, options: ReplayOptions) -> Left:
        """As a dry run says; nothing where the selection names a run that is not there."""

        async def asked(archive: Archive, _: AzureWorkspace, there: AzureWorkspace) -> Left:
            return dry_run(archive, there.ref, selection, options=options).left or Left()

        with suppress(UserError):
            return self.call(asked, target)
        return Left()

    def _carried(self, target: int, selection: Selection, files: FileChoice, *, cut: bool) -> None:
        with suppress(UserError):
            units, there = self.units(selection), self.side(self.targets[target])
            known = self.known[target]
            for run, one in self.wanted().runs.items():
                at = there.runs.get(run)
                if (units is not None and one.unit not in units) or (at is not None and at.job):
                    continue
                if at is None and one.unit in known.jobs:
                    continue  # its id, or a relative's, is the job's
                carried = known.carried.setdefault(run, Carried())
                if not cut:
                    carried.add(files)
                elif carried.choices:
                    carried.unsure = True
                else:
                    carried.doubt = True

    @rule(
        to=TO,
        selection=st.sampled_from(SELECTIONS),
        files=st.sampled_from(CHOICES),
        deep=st.booleans(),
    )
    def migrate(self, to: int, selection: Selection, files: FileChoice, deep: bool) -> None:
        """Everything in one go."""
        options = MigrateOptions(replay=ReplayOptions(files=files), deep=deep)
        done = self.writes(
            to,
            lambda: self.call(
                lambda archive, source, there: migrate(source, there, archive, selection, options=options, width=4),
                to,
                create=True,
            ),
        )
        if done is None:
            return
        assert (done.replayed.failed, done.extracted.failed) == ((), ())
        assert not done.replayed.conflicts or self.known[to].jobs
        self._carried(to, selection, files, cut=False)
        units = self.units(selection)
        self.judges_anew(to, units)
        self.looked(to, units, FileChoice(), deep, whole=True)
        self.claims(to, done.verdict, units, deep, "migrate")
        assert done.verdict.exit in (Exit.OK, Exit.FINDINGS), "migrate left something uncompared"

    @rule(to=TO, deep=st.booleans())
    def verify(self, to: int, deep: bool) -> None:
        """Everything."""
        self._verify(to, Selection(), FileChoice(), deep)

    @rule(to=TO, selection=st.sampled_from(SELECTIONS), files=st.sampled_from(CHOICES), deep=st.booleans())
    def verify_part(self, to: int, selection: Selection, files: FileChoice, deep: bool) -> None:
        """Some units, some files."""
        self._verify(to, selection, files, deep)

    @rule(files=st.sampled_from(CHOICES[1:]), deep=st.booleans())
    def verify_files(self, files: FileChoice, deep: bool) -> None:
        """Some files of all units."""
        self._verify(0, Selection(), files, deep)

    @rule(
        to=TO, selection=st.sampled_from(SELECTIONS[:3]), at=st.sampled_from([2, 5, 8, 12, 16, 22]), deep=st.booleans()
    )
    def verify_cut(self, to: int, selection: Selection, at: int, deep: bool) -> None:
        """The power goes at that request."""
        self._verify(to, selection, FileChoice(), deep, DiesAt(at, delivered=True))

    @rule(to=TO, selection=st.sampled_from(SELECTIONS))
    def accept(self, to: int, selection: Selection) -> None:
        """Whatever is there."""
        self._verify(to, selection, FileChoice(), deep=False, accept=True)

    @rule(to=TO, selection=st.sampled_from(SELECTIONS[:3]))
    def forget_accepted(self, to: int, selection: Selection) -> None:
        """Of some units."""
        self._verify(to, selection, FileChoice(), deep=False, forget=True)

    def _verify(
        self,
        to: int,
        selection: Selection,
        files: FileChoice,
        deep: bool,
        cut: DiesAt | None = None,
        *,
        accept: bool = False,
        forget: bool = False,
    ) -> None:
        if not (self.archive / "archive.db").exists():
            return
        verdict: Verdict | None = None
        began: list[bool] = []

        async def look(archive: Archive, source: AzureWorkspace, there: AzureWorkspace) -> Verdict:
            began.append(True)  # a cut while the connections were made cut no look
            by = "somebody" if accept else None
            return await verify(
                archive, there, selection, source=source, deep=deep, files=files, accept=by, forget=forget, width=4
            )

        try:
            units = self.units(selection)
            verdict = self.call(look, to, cut)
        except UserError:
            return
        except PowerCut:
            pass
        if verdict is None and not began:
            return
        deep = deep and files.artifacts
        if forget:
            self.forgets(to, units)
        if verdict is not None:
            self.judges_anew(to, units)
            self.accepts(to, verdict, units)
        self.looked(to, units, files, deep, whole=verdict is not None)
        if verdict is not None:
            self.claims(to, verdict, units, deep, "verify")
            if files == FileChoice():
                unread = set(verdict.uncompared) <= {NOT_EXTRACTED, CHANGED}
                assert verdict.exit in (Exit.OK, Exit.FINDINGS) or unread, "verify left something uncompared"

    @rule(to=TO)
    def undo(self, to: int) -> None:
        """Everything."""
        if not (self.archive / "archive.db").exists():
            return
        before = self.side(self.targets[to])
        done = self.writes(to, lambda: self.call(lambda archive, _, there: undo(archive, there, width=4), to))
        if done is None:
            return
        assert done.failed == ()
        self.hid(to, before)

    def hid(self, to: int, before: Side) -> None:
        """What `undo` hid now is to be carried as nothing was sent of it."""
        known = self.known[to]
        for run in self.marked(to) & known.accepted.keys():
            del known.accepted[run]  # what is there is judged anew
        for job in known.jobs.values():
            job.undone = True
        for run, one in self.side(self.targets[to]).runs.items():
            if run not in before.runs or not one.fields["hidden"] or run not in known.carried:
                continue
            if not before.runs[run].fields["hidden"]:
                del known.carried[run]
            else:
                known.carried[run].unsure = known.carried[run].doubt = True

    @rule(to=st.sampled_from((0, 0, 1)))
    def undo_delete(self, to: int) -> None:
        """For good, so far as the service lets runs go: it does in the first target, which takes their ids again."""
        if not (self.archive / "archive.db").exists() or self.known[to].jobs:
            return
        name, before, theirs = self.targets[to].workspace_name, self.side(self.targets[to]), self.marked(to)
        done = self.writes(
            to, lambda: self.call(lambda archive, _, there: undo(archive, there, delete=name, width=4), to)
        )
        if done is None:
            return
        assert done.failed == ()
        self.hid(to, before)
        gone = self.goes(to, before)
        assert done.deleted == len(gone)
        assert not gone or to == 0, "deleted what the service keeps"
        shown = {run for run in gone if before.runs[run].fields["hidden"] and run not in theirs}
        assert not shown, "deleted what somebody hid, not undo"

    @rule(at=st.sampled_from([8, 12, 16, 20, 25, 31, 38]), delivered=st.booleans())
    def undo_delete_cut(self, at: int, delivered: bool) -> None:
        """The power goes at that request: whatever is gone by then was ours."""
        if not (self.archive / "archive.db").exists() or self.known[0].jobs:
            return
        name, before, cut = self.targets[0].workspace_name, self.side(self.targets[0]), DiesAt(at, delivered=delivered)
        self.writes(0, lambda: self.call(lambda archive, _, there: undo(archive, there, delete=name, width=4), 0, cut))
        self.goes(0, before)
        for carried in self.known[0].carried.values():
            carried.unsure = carried.doubt = True

    def marked(self, to: int) -> set[str]:
        """Runs of a target that `undo` says to have hidden."""
        found: set[str] = set()

        def look(held: Held) -> None:
            there = {run: held.world.runs.get(held.guid, run) for run in RUNS}
            marks = {run: undo_mark(RunId(run)).items() for run in RUNS}
            found.update(run for run, one in there.items() if one and marks[run] <= one["tags"].items())

        change(self.sandbox, self.targets[to], look)
        return found

    @rule(to=TO, at=st.sampled_from([4, 7, 10, 14, 18, 24]), delivered=st.booleans())
    def undo_cut(self, to: int, at: int, delivered: bool) -> None:
        """The power goes at that request: nobody knows what counts of what was to go."""
        if not (self.archive / "archive.db").exists() or self.known[to].jobs:
            return
        cut = DiesAt(at, delivered=delivered)
        self.writes(to, lambda: self.call(lambda archive, _, there: undo(archive, there, width=4), to, cut))
        for carried in self.known[to].carried.values():
            carried.unsure = carried.doubt = True

    @rule()
    def report(self) -> None:
        """Its sentence is of the first target that was written to."""
        if not (self.archive / "archive.db").exists():
            return
        with Archive.open(self.archive, write=False) as archive:
            if len(archive.targets()) != 1:
                return
            said = report(archive, self.folder / "report.html").verdict
            (one,) = status(archive).targets
        equal = "Equal but for" if one.verdict.accepted else "All equal"
        assert said.startswith(equal) == one.verdict.proves, (said, one.verdict)

    @rule(data=st.data())
    def damage(self, data: st.DataObject) -> None:
        """By hand, to a copy of the archive: `check` has to find it."""
        if not self.wanted().runs:
            return
        copy = self.folder / "copy"
        shutil.copytree(self.archive, copy)
        try:
            what = spoil(copy / "archive.db", lambda most: data.draw(st.integers(0, most)))
            with Archive.open(copy, write=False) as archive:
                assert what is None or archive.checked(read_data=False).damaged, what
        finally:
            shutil.rmtree(copy)

    @invariant()
    def status_is_true(self) -> None:
        """After every step, of every target."""
        if not (self.archive / "archive.db").exists():
            return
        with Archive.open(self.archive, write=False) as archive:
            told = status(archive).targets
        names = {one.workspace_name: at for at, one in enumerate(self.targets)}
        for one in told:
            at = next(at for name, at in names.items() if name in str(one.target))
            self.claims(at, one.verdict, None, deep=False, what="status")


JOB_EDITS = ("mark", "description", "hidden", "point", "file more", "file flipped", "stranger")


class TriesJobs(Tries):
    """The same, and units are sent as jobs too: few steps, for each job takes a second."""

    @initialize()
    def begin_with_a_job(self) -> None:
        """One unit."""
        if not self.wanted().runs:
            self.extract(Selection(), ExtractOptions())
        self.submit(SELECTIONS[2], FileChoice())

    @rule(selection=st.sampled_from(SELECTIONS[:3]), files=st.sampled_from(CHOICES[:2]))
    def submit(self, selection: Selection, files: FileChoice) -> None:
        """As jobs, into the first target."""
        if not self.wanted().runs:
            return
        options = SyntheticReplayOptions(shape=Shape(files=files))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("azureml_replay.synthetic.wait.SHORTEST_PAUSE_S", 0.2)
            done = self.writes(
                0,
                lambda: self.call(
                    lambda archive, source, there: replay_synthetic(
                        archive, source, there, selection, options=options, width=4
                    )
                ),
            )
        if done is None or done.verdict is None:
            return
        units, wanted, there = self.units(selection), self.wanted(), self.side(self.targets[0])
        known = self.known[0]
        with Archive.open(self.archive, write=False) as archive:
            (target,) = (one for one in archive.targets() if self.targets[0].workspace_name in str(one))
            names = {unit: job_of(archive.ledger(target), unit) for unit in archive.units()}
        for unit, name in names.items():
            if name is None or (units is not None and unit not in units):
                continue
            originals = {run: one for run, one in wanted.runs.items() if one.unit == unit}
            job = known.jobs.setdefault(unit, Job(name, tree_of(there, name), originals))
            job.undone = False
            for key, (against, found) in self.sees_job(0, unit, wanted, there).items():
                if key[2] != BYTES:
                    known.look(key, against, found)
        self.claims(0, done.verdict, units, deep=False, what="replay_synthetic")

    @rule(edit=st.sampled_from(JOB_EDITS), data=st.data())
    def edit_job(self, edit: str, data: st.DataObject) -> None:
        """One of the runs of a job, by hand; then somebody looks, deep or not, or not at all."""
        there = self.side(self.targets[0])
        runs = sorted(run for job in self.known[0].jobs.values() for run in tree_of(there, job.name))
        if not runs:
            return
        run = data.draw(st.sampled_from(runs))
        files = sorted(path for path in tree_of(there, there.runs[run].job)[run].files if "replay" not in path)
        flip = flipped(run, data.draw(st.sampled_from(files)), data.draw(st.booleans())) if files else marked(run)
        how = {
            "mark": marked(run),
            "description": described(run),
            "hidden": hidden(run),
            "point": point(run),
            "file more": added(run, "outputs/more.txt"),
            "file flipped": flip,
            "stranger": below(run, HOME),
        }
        change(self.sandbox, self.targets[0], how[edit])
        look = data.draw(st.sampled_from(["no", "plain", "deep"]))
        if look != "no":
            self._verify(0, Selection(), FileChoice(), look == "deep")


def tries(machine: type[Tries], sandbox: Sandbox, number: int, *, examples: int, steps: int) -> None:
    """So many examples of so many steps, the same ones for a number; not shrunk, for a step takes a second."""
    here = type("Here", (machine,), {"sandbox": sandbox})
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(number)(here), settings=chosen)


def test_a_machine_that_tries(calm: Sandbox, azure_env: dict[str, str]) -> None:
    """A few examples."""
    tries(Tries, calm, 1, examples=2, steps=10)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_machine_that_tries_jobs_too(calm: Sandbox, azure_env: dict[str, str]) -> None:
    """A few examples."""
    tries(TriesJobs, calm, 0, examples=6, steps=8)


@pytest.fixture
def roomy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox of the test's own: one holds 800 workspaces, and thirty examples take a hundred."""
    sandbox = Sandbox.start(tmp_path / "sandbox")
    point_at(sandbox, monkeypatch)
    yield sandbox
    sandbox.stop()


@pytest.mark.sweep
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("number", range(16))
def test_a_machine_that_tries_long(number: int, roomy: Sandbox) -> None:
    """An eighth of these in `make test-all`, another one each day."""
    tries(Tries, roomy, 100 + number, examples=30, steps=16)


@pytest.mark.sweep
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("number", range(8))
def test_a_machine_that_tries_jobs_long(number: int, roomy: Sandbox) -> None:
    """As above."""
    tries(TriesJobs, roomy, 200 + number, examples=15, steps=10)
