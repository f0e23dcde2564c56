"""Each way in which a proof was fooled: a verdict tells of all that was planned, not of what was looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Way
from azureml_replay.azure.config import workspace_config
from azureml_replay.direct.options import OnConflict, ReplayOptions
from azureml_replay.direct.replay import replay
from azureml_replay.errors import Exit, UserError
from azureml_replay.extraction.extract import ExtractOptions, extract
from azureml_replay.extraction.metrics import Metrics
from azureml_replay.instants import Instant
from azureml_replay.model import RunId
from azureml_replay.planning.files import FileChoice
from azureml_replay.report_page.write import report
from azureml_replay.selection import Selection
from azureml_replay.state import Next, status
from azureml_replay.synthetic.replay import replay_synthetic
from azureml_replay.target.undone import Undone
from azureml_replay.undoing import undo
from azureml_replay.verbs import MigrateOptions, verify
from azureml_replay.verification.judging import CHANGED, INTERRUPTED, NEVER, OTHER_CONTENT
from azureml_replay.verification.verdict import Verdict
from azureml_replay.workspace.mark import JOB_TAKEN_BACK
from azureml_sandbox.fill.sample_runs import empty_run, experiment, finished
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import RUN_ORIGIN, scalar
from e2e.library import DiesAt, PowerCut, migrated
from e2e.tampering import (
    BEGIN,
    BYTES,
    FILE,
    HOME,
    OTHER_BYTES,
    Held,
    change,
    file_bytes,
    fill,
    in_home,
    in_pairs,
    in_run,
    log_bytes,
    row,
)
from e2e.test_synthetic import opened
from environment import point_at

NO_FILES = FileChoice(artifacts=False)
PLAIN = MigrateOptions()


@pytest.fixture(scope="module")
def source(sandbox: Sandbox) -> Iterator[WorkspaceFile]:
    """A root with a child, and a run by itself in another experiment; changed by no test."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        made = sandbox.add_workspace()
        change(sandbox, made, filled)
        yield made


def filled(held: Held) -> None:
    """As tampering.py, and one run more."""
    fill(held)
    home = experiment("other")
    held.world.experiments.put(held.guid, home)
    run = empty_run("alone", home["experimentId"], BEGIN + 9)
    held.world.runs.put(held.guid, finished(run, "Completed", BEGIN + 9, BEGIN + 11))


class Bench:
    """An archive of the source, and one target."""

    def __init__(self, source: WorkspaceFile, sandbox: Sandbox, folder: Path) -> None:
        self.source, self.sandbox, self.folder = source, sandbox, folder / "archive"
        self.target = sandbox.add_workspace()

    def migrate(self, selection: Selection = Selection(), options: MigrateOptions = PLAIN) -> Verdict:
        """Equal, or the test is not about what it says."""
        return asyncio.run(
            migrated(self.source, self.target, self.folder, selection=selection, options=options)
        ).verdict

    def verify(
        self,
        selection: Selection = Selection(),
        *,
        deep: bool = False,
        files: FileChoice = FileChoice(),
        cut: DiesAt | None = None,
        target: WorkspaceFile | None = None,
        source: bool = True,
    ) -> Verdict:
        """One look; without `source` nothing is read there."""

        async def look() -> Verdict:
            async with opened(self.source) as reading, opened(target or self.target, cut) as there:
                with Archive.open(self.folder) as archive:
                    origin = reading if source else None
                    return await verify(archive, there, selection, source=origin, deep=deep, files=files, width=4)

        return asyncio.run(look())

    def extract(self, options: ExtractOptions = ExtractOptions()) -> None:
        """The source again."""

        async def again() -> None:
            async with opened(self.source) as reading:
                with Archive.create(self.folder, reading.ref) as archive:
                    await extract(reading, archive, Selection(), options=options, width=4)

        asyncio.run(again())

    def replay(self, selection: Selection = Selection(), options: ReplayOptions = ReplayOptions()) -> None:
        """As runs."""

        async def sent() -> None:
            async with opened(self.source) as reading, opened(self.target) as there:
                with Archive.open(self.folder) as archive:
                    await replay(archive, reading, there, selection, options=options, width=4)

        asyncio.run(sent())

    def submit(self, selection: Selection = Selection()) -> Verdict:
        """As jobs."""

        async def sent() -> Verdict:
            async with opened(self.source) as reading, opened(self.target) as there:
                with Archive.open(self.folder) as archive:
                    done = await replay_synthetic(archive, reading, there, selection, width=4)
                    assert done.verdict is not None
                    return done.verdict

        return asyncio.run(sent())

    def undo(self) -> Undone:
        """Everything."""

        async def back() -> Undone:
            async with AsyncExitStack() as stack:
                there = await stack.enter_async_context(opened(self.target))
                archive = stack.enter_context(Archive.open(self.folder))
                return await undo(archive, there, width=4)

        done = asyncio.run(back())
        assert done.failed == ()
        return done

    def status(self) -> Verdict:
        """What the evidence says, without asking anybody."""
        with Archive.open(self.folder, write=False) as archive:
            (target,) = status(archive).targets
            assert target.verdict is not None
            return target.verdict

    def sentence(self) -> str:
        """The report's."""
        with Archive.open(self.folder, write=False) as archive:
            return report(archive, self.folder.parent / "report.html").verdict

    def change(self, *changes: object) -> None:
        """In the target, behind everybody's back."""
        for one in changes:
            change(self.sandbox, self.target, one)  # type: ignore[arg-type]


@pytest.fixture
def bench(source: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> Bench:
    return Bench(source, calm, tmp_path)


def kinds(verdict: Verdict) -> set[tuple[str, str]]:
    return {(one.what, one.kind) for one in verdict.first}


ROOT, ALONE = Selection(include=("root",)), Selection(include=("alone",))


def test_a_migration_is_proven_once_everything_was_compared(bench: Bench) -> None:
    """Verify, status and report say the same."""
    done = bench.migrate(options=MigrateOptions(deep=True))

    assert done.read_at is None
    assert "without a checksum" not in bench.sentence()
    status, plain = bench.status(), bench.verify()
    for verdict, by_size in ((done, 0), (status, 0), (plain, 1), (bench.verify(ALONE), 0), (bench.verify(ROOT), 1)):
        assert (verdict.exit, verdict.proves) == (Exit.OK, True)
        assert (verdict.unverifiable, verdict.read_before, verdict.read_at is not None) == (
            by_size,
            by_size,
            by_size > 0,
        )
    assert [(one.runs, one.equal, one.points) for one in (done, status, plain)] == [(3, 3, 11)] * 3
    told = bench.sentence()
    assert told.startswith("All equal: 3 runs, 11 points and")
    assert "1 file without a checksum: only --deep can compare them; 1 of them was read back last on 20" in told
    assert bench.verify(deep=True).unverifiable == 0


def test_what_was_not_looked_at_is_not_compared(bench: Bench) -> None:
    """Without files, and after a replay alone."""
    bench.extract()
    bench.replay()
    assert (bench.status().exit, bench.status().not_compared, set(bench.status().uncompared)) == (3, 3, {NEVER})

    files_left = bench.verify(files=NO_FILES)

    assert (files_left.exit, files_left.not_compared, files_left.files) == (Exit.SERVICE, 3, 0)
    assert bench.sentence() == "Not proven yet. Not compared: 3 runs."
    assert bench.verify().proves
    assert bench.verify(files=NO_FILES).proves


def test_a_changed_byte_is_found_though_a_later_replay_left_files_out(bench: Bench) -> None:
    bench.extract()
    bench.replay()
    bench.replay(ROOT, ReplayOptions(files=NO_FILES))
    bench.change(file_bytes(OTHER_BYTES))

    found = bench.verify(deep=True)

    assert kinds(found) == {(f"file {FILE}", "edited in target"), (f"file {FILE}: bytes", "differs")}


def test_the_archive_counts_what_was_compared(bench: Bench) -> None:
    """Where no file of the source's was carried, none is told as compared; each is an omission."""
    done = bench.migrate(options=MigrateOptions(replay=ReplayOptions(files=NO_FILES)))

    assert done.proves
    assert done.files == done.own_files
    assert done.omissions > 0
    assert bench.sentence().startswith(f"All equal: 3 runs, 11 points and {done.own_files} file")


def test_a_later_extraction_makes_the_proof_stale(bench: Bench, calm: Sandbox, azure_env: dict[str, str]) -> None:
    """Of what it brought anew, and of nothing else."""
    bench.source = calm.add_workspace()
    change(calm, bench.source, filled)
    bench.migrate()
    change(calm, bench.source, in_pairs("tags", {"team": "green"}))
    change(calm, bench.source, in_run(lambda run: {"lastModifiedUtc": "2024-01-01T00:00:00+00:00"}))

    bench.extract()

    assert (bench.status().exit, bench.status().uncompared) == (Exit.SERVICE, {OTHER_CONTENT: 1})
    assert bench.sentence().startswith("Not proven yet. Not compared: 1 run.")
    bench.replay()
    assert bench.verify().proves


def test_a_change_that_could_not_be_extracted_is_not_proven(
    bench: Bench, calm: Sandbox, azure_env: dict[str, str]
) -> None:
    """The archive knows that it is behind: what it holds may be equal, and is not what the source has."""
    bench.source = calm.add_workspace()
    change(calm, bench.source, filled)
    bench.migrate()
    change(calm, bench.source, in_pairs("tags", {"team": "green"}))
    where = {"path": "/runs/root/.*list$|/runs/root/.*full$", "workspace": bench.source.workspace_name}
    calm.set_faults([{"do": "status", "status": 400, "match": where}])

    bench.extract()

    calm.set_faults()
    found = bench.verify()
    assert not found.proves
    assert found.uncompared == {CHANGED: 1}
    bench.extract()
    bench.replay()
    assert bench.verify().proves


def test_a_weaker_look_takes_no_finding_back(bench: Bench) -> None:
    """Of bytes, until bytes are looked at again: not by a look at the list of files, nor by a replay of a tag."""
    bench.migrate()
    bench.change(log_bytes(b"lag"))
    named = {("file logs/a.txt: bytes", "differs")}

    assert kinds(bench.verify(deep=True)) == named
    for weaker in (bench.verify(files=NO_FILES), bench.verify(), bench.status(), bench.verify(ALONE)):
        assert (weaker.exit == Exit.FINDINGS) == (weaker.runs == 3)
    assert bench.sentence().startswith("Not equal: 1 finding in 1 run of 3: 1 transfer fault.")
    bench.change(log_bytes(b"log"))
    assert (bench.verify(files=NO_FILES).exit, bench.status().exit) == (Exit.FINDINGS, Exit.FINDINGS)
    assert bench.verify().proves, "somebody wrote there since it was sent: then its bytes are read without being asked"


def test_a_part_of_the_files_proves_nothing_of_the_others(bench: Bench) -> None:
    """What it finds stands; what it does not look at stays as it was known."""
    bench.extract()
    bench.replay()
    logs, models = FileChoice(globs=("logs/*",)), FileChoice(globs=("outputs/*",))
    bench.change(file_bytes(OTHER_BYTES))

    assert bench.verify(files=logs).exit == Exit.SERVICE
    found = bench.verify(files=models)
    assert (found.exit, kinds(found)) == (Exit.FINDINGS, {(f"file {FILE}", "edited in target")})
    assert bench.verify(files=logs).exit == Exit.FINDINGS
    bench.change(lambda held: held.blob("outputs/more.txt", "child").upload_blob(b"m"))
    assert ("file outputs/more.txt", "extra") not in kinds(bench.verify(files=logs))
    assert ("file outputs/more.txt", "extra") in kinds(bench.verify(files=models)), "nobody planned it, it was chosen"


def test_a_look_at_small_files_takes_no_finding_about_a_large_one_back(bench: Bench) -> None:
    """Nor one about a file that nobody planned; what it looks at itself is told once."""
    bench.migrate()
    bench.change(
        file_bytes(OTHER_BYTES),
        log_bytes(b"lag"),
        lambda held: held.blob("outputs/more.txt", "child").upload_blob(b"m"),
    )
    found = kinds(bench.verify(deep=True))
    assert len(found) == 4

    for most in (0, 3, len(OTHER_BYTES)):
        for deep in (False, True):
            weaker = bench.verify(deep=deep, files=FileChoice(most_bytes=most))
            assert (weaker.findings, kinds(weaker)) == (4, found), most


def test_a_selection_touches_no_other_unit_nor_experiment(bench: Bench) -> None:
    bench.migrate()
    bench.change(in_home(description="another"), in_pairs("tags", {"team": "red"}))
    named = {(f"experiment {HOME}: description", "edited in target"), ("tag team", "edited in target")}
    assert kinds(bench.verify()) == named

    assert bench.verify(ALONE).proves
    assert kinds(bench.status()) == named


def test_an_interrupted_look_leaves_no_former_proof(bench: Bench) -> None:
    """What it did not come to may have changed since."""
    bench.migrate()

    with pytest.raises(PowerCut):
        bench.verify(cut=DiesAt(6, delivered=True))

    assert bench.status().exit == Exit.SERVICE
    assert set(bench.status().uncompared) == {INTERRUPTED}
    assert bench.verify(ALONE).proves
    assert bench.status().exit == Exit.SERVICE
    assert bench.verify().proves
    assert bench.status().proves


def test_a_child_in_an_experiment_of_the_targets_own_is_seen(bench: Bench) -> None:
    bench.migrate()

    def extra(held: Held) -> None:
        home = held.world.experiments.obtain(held.guid, "theirs")["experimentId"]
        held.world.runs.put(held.guid, finished(empty_run("x", home, BEGIN, held.run()), "Completed", BEGIN, BEGIN + 1))

    bench.change(extra)

    assert kinds(bench.verify()) == {("run x", "extra")}
    assert bench.verify(ROOT).proves


def test_a_look_before_a_run_was_brought_knows_nothing_of_its_children(bench: Bench) -> None:
    """They may be in any experiment: a selection's look is at those of its own runs."""
    bench.migrate(ALONE)
    assert bench.verify().proves

    def extra(held: Held) -> None:
        for name in ("theirs", "other"):
            home = held.world.experiments.obtain(held.guid, name)["experimentId"]
            run = finished(empty_run(f"x-{name}", home, BEGIN, held.run()), "Completed", BEGIN, BEGIN + 1)
            held.world.runs.put(held.guid, run)

    assert bench.migrate(ROOT).proves
    bench.change(extra)
    assert bench.verify(ROOT).proves

    assert (bench.status().exit, bench.status().uncompared) == (Exit.SERVICE, {OTHER_CONTENT: 2})
    assert kinds(bench.verify()) == {("run x-theirs", "extra"), ("run x-other", "extra")}


def test_a_file_of_no_reused_step_is_seen(bench: Bench) -> None:
    bench.migrate()
    bench.change(lambda held: held.blob("replay/reused/nobody/job.json").upload_blob(b"{}"))

    assert kinds(bench.verify()) == {("file replay/reused/nobody/job.json", "extra")}


@pytest.mark.parametrize("selection", [Selection(limit=1), Selection(depth=0)], ids=["limit", "depth"])
def test_what_was_not_chosen_is_not_missed(bench: Bench, selection: Selection) -> None:
    """Nor are the experiments that only runs of the source are in which the archive does not have."""
    assert bench.migrate(selection).proves
    assert bench.status().proves
    assert bench.sentence().startswith("All equal: ")

    whole = bench.verify()

    assert (whole.exit, whole.findings, whole.proves) == (Exit.OK, 0, True)


def test_a_skipped_conflict_is_an_omission(bench: Bench) -> None:
    """By choice: each run of the unit is left out, and the rest is proven."""

    def taken(held: Held) -> None:
        home = held.world.experiments.obtain(held.guid, "theirs")["experimentId"]
        held.world.runs.put(held.guid, finished(empty_run("root", home, BEGIN), "Completed", BEGIN, BEGIN + 1))

    bench.change(taken)
    done = bench.migrate(options=MigrateOptions(replay=ReplayOptions(on_conflict=OnConflict.SKIP)))

    assert (done.exit, done.proves, done.equal, done.left_out) == (Exit.OK, True, 1, 2)
    assert sum(count for reason, count in done.reasons.items() if "--on-conflict skip" in reason) == 2
    assert bench.verify().exit == Exit.OK
    bench.replay(options=ReplayOptions(on_conflict=OnConflict.RENAME))
    assert bench.status().exit == Exit.SERVICE
    assert (bench.verify().equal, bench.verify().left_out) == (3, 0)


def test_what_was_taken_back_is_not_proven(bench: Bench) -> None:
    """Nor is it after it was brought back, before somebody looked."""
    bench.migrate()
    bench.undo()
    assert bench.status().exit == Exit.SERVICE
    assert bench.sentence().startswith("Not proven yet.")
    assert bench.verify().exit == Exit.FINDINGS

    bench.replay()

    assert (bench.status().exit, bench.status().findings) == (Exit.SERVICE, 0)
    assert bench.verify().proves


def test_a_workspace_that_was_never_replayed_into_is_named(bench: Bench, calm: Sandbox) -> None:
    """It becomes no target by being looked at."""
    bench.migrate()
    other = calm.add_workspace()

    with pytest.raises(UserError, match=r"nothing of archive .* is in "):
        bench.verify(target=other)

    assert bench.status().proves


def test_where_nothing_was_chosen_nothing_is_said_to_be_equal(bench: Bench, calm: Sandbox, tmp_path: Path) -> None:
    """A date that no run has is no error; an archive without runs leaves no target behind."""
    bench.migrate()
    later = bench.verify(Selection(created_after=Instant.parse("2090-01-01T00:00:00Z")))
    assert (later.exit, later.proves, later.runs) == (Exit.OK, False, 0)

    bench.folder = tmp_path / "empty"
    with Archive.create(bench.folder, workspace_config(str(bench.source.path)).ref):
        pass
    nothing = bench.verify()
    assert (nothing.exit, nothing.proves, nothing.runs) == (Exit.OK, False, 0)
    with Archive.open(bench.folder, write=False) as archive:
        assert archive.targets() == []


def test_another_archive_of_the_same_source_proves_too(bench: Bench, tmp_path: Path) -> None:
    """An auditor's, who extracted anew and never replayed."""
    bench.migrate()
    bench.folder = tmp_path / "auditor"
    bench.extract()

    assert bench.verify().proves
    with Archive.open(bench.folder, write=False) as archive:
        assert status(archive).next is Next.REPORT, "what is proven to be there needs no replay"


def test_copies_that_another_archive_sent_under_new_ids_are_seen(bench: Bench, tmp_path: Path) -> None:
    """By both, each of the other's, until one of them is taken back."""
    bench.migrate()
    first, bench.folder = bench.folder, tmp_path / "second"
    bench.extract()
    bench.replay(options=ReplayOptions(new_ids=True))

    twice = {(f"experiment {HOME}: runs", "extra"), ("experiment other: runs", "extra")}
    assert kinds(bench.verify()) == twice
    bench.folder = first
    seen = bench.verify(ALONE)
    assert (seen.exit, kinds(seen)) == (Exit.FINDINGS, {("experiment other: runs", "extra")})
    copy = "1 further copy of runs of this source (made twice, or sent by another archive): "
    assert seen.first[0].actual.startswith(copy)
    assert kinds(bench.verify()) == twice

    bench.folder = tmp_path / "second"
    bench.undo()
    bench.folder = first
    assert bench.verify().proves


def test_an_experiment_of_the_targets_own_is_shown(bench: Bench) -> None:
    """Archived by others before: our runs would be invisible in it."""
    bench.change(lambda held: held.world.experiments.obtain(held.guid, HOME))
    bench.change(in_home(archivedTime="2024-01-01T00:00:00+00:00", tags={"a": "b"}))

    done = bench.migrate()

    assert done.proves
    bench.change(in_home(archivedTime="2024-01-01T00:00:00+00:00"))
    assert kinds(bench.verify()) == {(f"experiment {HOME}: state", "differs")}


def test_a_strangers_child_with_an_id_of_the_source_is_seen(bench: Bench) -> None:
    """Where our run of that id has another one in the target, it is a name like any other."""
    bench.extract()
    bench.replay(options=ReplayOptions(new_ids=True))
    assert bench.verify().proves
    with Archive.open(bench.folder, write=False) as archive:
        there = archive.ledger(archive.targets()[0]).target_id(RunId("root"))

    def extra(held: Held) -> None:
        home = held.home()["experimentId"]
        run = empty_run("child", home, BEGIN, held.run(str(there)))
        held.world.runs.put(held.guid, finished(run, "Completed", BEGIN, BEGIN + 1))

    bench.change(extra)

    assert kinds(bench.verify()) == {("run child", "extra")}


def test_points_under_a_name_that_the_source_lost_are_counted(
    bench: Bench, calm: Sandbox, azure_env: dict[str, str]
) -> None:
    """As many as were sent stay there, and are an omission; one more is somebody else's."""
    bench.source = calm.add_workspace()
    change(calm, bench.source, filled)
    bench.migrate()
    change(calm, bench.source, lambda held: held.world.metrics.delete(held.guid, "dcid.root"))
    change(calm, bench.source, in_run(lambda run: {"lastModifiedUtc": "2024-01-01T00:00:00+00:00"}))
    assert bench.migrate().proves
    bench.change(lambda held: held.world.metrics.append(held.guid, scalar("dcid.root", "loss"), [row(70, 0.5)]))

    assert kinds(bench.verify()) == {("metric loss", "extra")}


def test_a_second_series_of_a_name_is_extra(bench: Bench) -> None:
    """The source still has the first one: nothing disappeared there."""
    bench.migrate()
    other = replace(scalar("dcid.root", "loss"), namespace="zz")
    bench.change(lambda held: held.world.metrics.append(held.guid, other, [row(7, 0.5)]))

    assert kinds(bench.verify()) == {("metric loss", "extra")}


def test_rows_under_a_name_of_which_nothing_was_sent_are_told(bench: Bench) -> None:
    """Its last value waits for its history: rows that have it may be another archive's, rows without it are not."""
    bench.extract(ExtractOptions(metrics=Metrics.LAST))
    bench.replay()
    before = bench.verify().omissions
    bench.change(
        lambda held: held.world.metrics.append(held.guid, scalar("dcid.root", "loss"), [row(4, 1 / 7)]),
        lambda held: held.world.metrics.append(held.guid, scalar("dcid.root", "accuracy"), [row(9, 0.5, "accuracy")]),
    )

    strange = bench.verify()

    assert (strange.omissions, kinds(strange)) == (before + 1, {("metric accuracy", "differs")})


def test_a_file_under_the_name_of_one_that_was_left_out_is_seen(bench: Bench) -> None:
    """The source's own, which another archive may have sent, is no finding; nor is it needed."""
    left = MigrateOptions(replay=ReplayOptions(files=FileChoice(most_bytes=1)))
    whole = bench.migrate(options=left)
    assert bench.verify(deep=True).proves

    bench.change(lambda held: held.blob(FILE).upload_blob(BYTES))
    assert bench.verify(deep=True).files == whole.files
    assert bench.status().proves
    bench.change(lambda held: held.blob(FILE).upload_blob(b"else", overwrite=True))
    assert kinds(bench.verify()) == {(f"file {FILE}", "differs")}
    bench.change(
        lambda held: held.blob(FILE).delete_blob(),
        lambda held: held.world.artifacts.register(held.guid, (RUN_ORIGIN, "dcid.root"), FILE),
    )
    assert kinds(bench.verify()) == {(f"file {FILE}: index entry", "extra")}


def test_reserved_names_are_reserved_where_they_are_ours(bench: Bench) -> None:
    """What a service adds as a property is no tag nor parameter that may be there."""
    bench.migrate()
    bench.change(in_pairs("tags", {"mlflow.artifactUri": "q"}), in_pairs("parameters", {"mlflow.artifactUri": "5"}))

    named = {("tag mlflow.artifactUri", "edited in target"), ("parameter mlflow.artifactUri", "extra")}
    assert kinds(bench.verify()) == named


def test_a_file_under_a_name_of_ours_is_told(bench: Bench) -> None:
    """Another archive may have made it, which nobody can tell: it is counted among what is not compared."""
    before = bench.migrate().omissions
    bench.change(lambda held: held.blob("replay/code.zip").upload_blob(b"x"))

    assert bench.verify().omissions == before + 1


# Jobs


@pytest.fixture
def submitted(bench: Bench) -> Bench:
    """The root and its child as a job, proven."""
    bench.extract()
    assert bench.submit(ROOT).proves
    return bench


JOB_CHANGES = {
    "hidden": (in_run(lambda run: {"hidden": True}), ("hidden", "differs")),
    "an extra tag": (in_pairs("tags", {"new": "1"}), ("tag new", "extra")),
    "a parameter": (in_pairs("parameters", {"new": "1"}), ("parameter new", "extra")),
    "another description": (in_run(lambda run: {"description": "another"}), ("description", "differs")),
}


@pytest.mark.parametrize("name", JOB_CHANGES)
def test_a_change_of_a_job_is_seen(submitted: Bench, name: str) -> None:
    how, expected = JOB_CHANGES[name]

    submitted.change(how)

    assert kinds(submitted.verify(ROOT)) == {expected}
    assert submitted.status().exit == Exit.FINDINGS


def test_an_extra_run_below_a_job_is_seen(submitted: Bench) -> None:
    """Also one that says of itself that it stands for a run that has one already."""

    def twice(held: Held) -> None:
        home = held.home()["experimentId"]
        below = [run for run in held.world.runs.of_experiment(held.guid, home) if run.get("parentRunId")]
        for at, run in enumerate(below):
            held.world.runs.put(held.guid, run | {"runId": f"again-{at}", "runUuid": f"again-{at}"})

    submitted.change(twice)
    found = submitted.verify(ROOT)

    assert found.exit == Exit.FINDINGS
    assert {what for what, kind in kinds(found)} >= {"run again-0"}


def test_a_file_of_the_job_itself_is_seen(submitted: Bench) -> None:
    """Its run has no files of the original's: those are in the run of its own values."""
    submitted.change(lambda held: held.blob("outputs/more.txt").upload_blob(b"more"))

    assert kinds(submitted.verify(ROOT)) == {("file outputs/more.txt", "extra")}
    assert submitted.verify(ROOT, files=NO_FILES).exit == Exit.FINDINGS


def test_a_hidden_run_below_is_seen(submitted: Bench) -> None:
    """As one that is shown; below a job and below a run."""
    submitted.replay(ALONE)
    assert submitted.verify().proves

    def twice(held: Held) -> None:
        home = held.home()["experimentId"]
        for parent in ("root", "alone"):
            below = finished(empty_run(f"x-{parent}", home, BEGIN, held.run(parent)), "Completed", BEGIN, BEGIN + 1)
            held.world.runs.put(held.guid, below | {"hidden": True})

    submitted.change(twice)

    assert kinds(submitted.verify()) == {("run x-root", "extra"), ("run x-alone", "extra")}


def test_an_undone_job_is_not_equal(submitted: Bench) -> None:
    submitted.undo()

    assert submitted.status().exit == Exit.SERVICE
    assert ("hidden", JOB_TAKEN_BACK) in kinds(submitted.verify(ROOT))


def test_one_job_proves_nothing_of_the_rest(submitted: Bench) -> None:
    found = submitted.verify()

    assert found.exit == Exit.FINDINGS
    assert ("run", "absent") in kinds(found)
    assert (found.runs, found.equal) == (3, 2)


def test_a_run_that_stands_both_ways_is_looked_at_both_ways(submitted: Bench) -> None:
    """Hidden as a run, also where only the job was looked at since."""
    submitted.replay(options=ReplayOptions(on_conflict=OnConflict.RENAME))
    assert submitted.status().exit == Exit.SERVICE
    assert submitted.verify().proves
    with Archive.open(submitted.folder, write=False) as archive:
        there = archive.ledger(archive.targets()[0]).target_id(RunId("root"))
        assert {one.name for one in archive.ledger(archive.targets()[0]).subjects(Way.JOB)} >= {"root", "child"}
    assert there

    submitted.change(in_run(lambda run: {"hidden": True}, there))

    assert kinds(submitted.verify(ROOT, deep=True)) == {("hidden", "edited in target")}


def test_an_experiment_that_hides_jobs_is_seen_and_shown_again(submitted: Bench) -> None:
    """By a later replay; verify alone names it."""
    submitted.change(in_home(archivedTime="2024-01-01T00:00:00+00:00"))

    assert kinds(submitted.verify(ROOT)) == {(f"experiment {HOME}: state", "differs")}
    assert submitted.submit(ROOT).proves


def test_a_replay_that_could_not_look_leaves_no_former_proof(submitted: Bench, calm: Sandbox) -> None:
    """The job's values cannot be read for once: whatever changed in it since would be unseen."""
    submitted.change(in_pairs("tags", {"new": "1"}))
    where = {"path": "/metric/", "workspace": submitted.target.workspace_name}
    calm.set_faults([{"do": "status", "status": 400, "match": where}])

    assert submitted.submit(ROOT).exit == Exit.SERVICE

    assert set(submitted.status().uncompared) >= {INTERRUPTED}
    calm.set_faults()
    assert kinds(submitted.verify(ROOT)) == {("tag new", "extra")}


def test_a_second_job_for_one_run_is_seen(submitted: Bench) -> None:
    """Under another name, beside the first and not below it."""
    submitted.change(lambda held: held.world.runs.put(held.guid, held.run() | {"runId": "again", "runUuid": "again"}))

    assert kinds(submitted.verify(ROOT)) == {("job again", "extra")}


def test_files_of_a_job_are_left_out_of_a_look(submitted: Bench) -> None:
    """Where the flag says so, they are not read, and stay as they were known."""
    assert submitted.verify(ROOT, files=NO_FILES).proves
    assert replace(submitted.verify(ROOT), first=()).proves
