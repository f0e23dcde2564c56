"""What an extraction did not look at by choice stays as it was, and a file that disappeared stays required as sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.reading import FILE_GONE, FILES_AS_BEFORE, FILES_LEFT_OUT
from azureml_replay.cli import run
from azureml_replay.cli.next_step import Typed, mend_of
from azureml_replay.cli.undo import lines
from azureml_replay.comparison.three_way import GONE_REASON, LOST, Prefer
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.errors import Exit
from azureml_replay.extraction.extract import ExtractOptions
from azureml_replay.model import Omission, RunId
from azureml_replay.selection import Selection
from azureml_replay.verbs import MigrateOptions
from azureml_replay.verification.files import SENT_BEFORE
from azureml_replay.verification.going import LAST_COPY
from azureml_replay.verification.judging import NEVER, UNREAD
from azureml_replay.verification.wording import PLAN_CHANGED
from azureml_replay.workspace.mark import TAKEN_BACK
from azureml_sandbox.server.sandbox import Sandbox
from azureml_sandbox.world import RUN_ORIGIN
from e2e.tampering import BYTES, FILE, OTHER_BYTES, Held, change, file_bytes, in_run, log_bytes
from e2e.test_evidence import NO_FILES, Bench, filled, kinds

LOG, CHILD = "logs/a.txt", RunId("child")
BARE = ExtractOptions(artifacts=False)
ALL_BARE = replace(BARE, check_all=True)
KEPT = ExtractOptions(download=True)
DEEP = MigrateOptions(deep=True)
DAMAGED = {(f"file {LOG}: bytes", "differs")}
"""A log has no checksum: by size alone it is as it was sent."""


@pytest.fixture
def bench(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> Bench:
    """A source of its own, with a log without a checksum."""
    source = calm.add_workspace()
    change(calm, source, filled)
    return Bench(source, calm, tmp_path)


def at_source(bench: Bench, *changes: object) -> None:
    for one in changes:
        change(bench.sandbox, bench.source, one)  # type: ignore[arg-type]


def noted(tag: str, run: str = "root") -> object:
    """A tag, as a PATCH writes it."""
    return in_run(lambda one: {"tags": one["tags"] | {tag: "1"}, "lastModifiedUtc": f"2030-01-01T00:00:{tag}Z"}, run)


def removed(path: str, run: str = "root", *, entry: bool = True) -> object:
    """A file's bytes, and its entry in the index."""

    def taken(held: Held) -> None:
        held.blob(path, run).delete_blob()
        if entry:
            held.world.artifacts.delete(held.guid, (RUN_ORIGIN, f"dcid.{run}"), path)

    return taken


def holds(bench: Bench, path: str, run: str, data: bytes | None) -> bool:
    """Whether the target's file has these bytes, or there is none."""
    found: list[bool] = []

    def look(held: Held) -> None:
        blob = held.blob(path, run)
        found.append(blob.download_blob().readall() == data if blob.exists() else data is None)

    bench.change(look)
    return found[0]


def omitted(bench: Bench) -> set[tuple[str, str]]:
    with Archive.open(bench.folder, write=False) as archive:
        return {(one.what, one.reason) for one in archive.omissions()}


def test_no_extraction_takes_a_known_damage_back(bench: Bench) -> None:
    """Neither one that looks for no files, nor one after the source lost the file; until the bytes are as sent."""
    first = bench.migrate(options=DEEP)
    assert first.proves
    bench.change(log_bytes(b"LOG"))
    assert kinds(bench.verify(deep=True)) == DAMAGED

    bare = bench.migrate(options=replace(DEEP, extract=ALL_BARE))
    assert (kinds(bare), bare.exit.value, kinds(bench.status())) == (DAMAGED, 5, DAMAGED)
    assert bare.reasons == {FILES_AS_BEFORE: 3}
    at_source(bench, removed(LOG, "child"))
    gone = bench.migrate(options=DEEP)
    assert (kinds(gone), gone.reasons) == (DAMAGED, {GONE_REASON: 1})
    assert (gone.files, gone.own_files) == (first.files, first.own_files)
    assert (kinds(bench.verify()), bench.sentence().startswith("All equal")) == (DAMAGED, False)

    bench.change(log_bytes(b"log"))
    whole = bench.verify(deep=True)
    assert (whole.proves, whole.unverifiable, whole.reasons) == (True, 0, {GONE_REASON: 1})
    bench.change(log_bytes(b"Log"))
    assert kinds(bench.verify(deep=True)) == DAMAGED
    bench.change(removed(LOG, "child"))
    assert (f"file {LOG}", LOST) in kinds(bench.verify())


def test_a_migration_that_sends_a_damaged_file_anew_reads_it_back(bench: Bench) -> None:
    """A finding is about the bytes that were there: what is sent over them is looked at, not what was found before."""
    bench.migrate()
    bench.change(log_bytes(b"LOG"))
    assert kinds(bench.verify(deep=True)) == DAMAGED
    at_source(bench, log_bytes(b"new"), noted("01", "child"))
    sent = bench.migrate(options=MigrateOptions(replay=ReplayOptions(prefer=Prefer.SOURCE)))
    assert (holds(bench, LOG, "child", b"new"), kinds(sent), sent.proves) == (True, set(), True)

    at_source(bench, log_bytes(b"two"), noted("02", "child"))
    assert kinds(bench.verify(deep=True)) == DAMAGED
    bench.extract()
    bench.replay()
    status = bench.status()
    assert (kinds(status), status.exit, status.uncompared) == (set(), Exit.SERVICE, {NEVER: 1})
    assert bench.verify(files=NO_FILES).uncompared == {NEVER: 1}
    alone = bench.verify(source=False)
    assert (alone.exit, alone.uncompared, kinds(alone)) == (Exit.SERVICE, {UNREAD: 1}, set())
    bench.change(log_bytes(b"TWO"))
    assert kinds(bench.verify()) == DAMAGED == kinds(bench.verify(source=False))
    bench.change(log_bytes(b"two"))
    assert bench.verify(deep=True).proves


def test_a_file_that_nobody_can_compare_any_more_is_counted(bench: Bench) -> None:
    """Its bytes were never read before the source lost it: its size is no proof, and that is said, deep or not."""
    bench.migrate()
    at_source(bench, removed(LOG, "child"))
    bench.migrate()

    for verdict in (bench.verify(), bench.verify(deep=True), bench.status()):
        assert (verdict.findings, verdict.unverifiable, verdict.reasons) == (0, 1, {GONE_REASON: 1})
    bench.change(log_bytes(b"LOG"))
    for verdict in (bench.verify(), bench.verify(deep=True), bench.status()):
        assert kinds(verdict) == {(f"file {LOG}: bytes", "edited in target")}
    bench.change(log_bytes(b"longer"))
    assert (f"file {LOG}", "edited in target") in kinds(bench.verify())


def test_a_log_that_somebody_wrote_in_the_target_is_his_though_it_is_as_long(bench: Bench) -> None:
    """No checksum tells it from what was sent, its ETag does: told by a plain look, never written over nor removed."""
    bench.migrate()
    bench.change(log_bytes(b"LOG"))
    assert kinds(bench.verify()) == DAMAGED, "nobody asked for bytes"

    at_source(bench, log_bytes(b"new"), noted("01", "child"))
    done = bench.migrate()
    assert (holds(bench, LOG, "child", b"LOG"), done.exit) == (True, Exit.FINDINGS)
    bench.change(log_bytes(b"log"))
    at_source(bench, log_bytes(b"log"), noted("02", "child"))
    assert bench.migrate().proves, "as the source has it by now: nothing is lost"

    bench.change(log_bytes(b"LOG"))
    undone = bench.undo()
    assert undone.left == (("child", f"file {LOG} was changed in the target since"),)
    assert holds(bench, LOG, "child", b"LOG")


@pytest.mark.parametrize("more", [(), ("--workers", "2")], ids=["alone", "workers"])
def test_a_source_that_is_named_tells_of_a_log_that_was_written_since(bench: Bench, more: tuple[str, ...]) -> None:
    """The same bytes again have another ETag: they are read, though nobody asked for all bytes."""
    bench.migrate()
    bench.change(log_bytes(b"log"))

    ends = ("--source", bench.source.path, "--target", bench.target.path)
    assert run([*map(str, ("verify", bench.folder, *ends, *more))]) == Exit.OK
    assert bench.status().proves


def test_what_the_archive_keeps_is_sent_though_the_source_lost_it(bench: Bench) -> None:
    """Files whose bytes were brought: also after an extraction without files, with their entries and without."""
    bench.extract(KEPT)
    at_source(bench, noted("01"))
    bench.extract(BARE)
    with Archive.open(bench.folder, write=False) as archive:
        assert archive.totals().files_kept == archive.totals().files == 3
    at_source(bench, removed(FILE, entry=False), removed(LOG, "child"))
    bench.extract(KEPT)
    bench.extract(KEPT)

    with Archive.open(bench.folder, write=False) as archive:
        archive.check()
        assert (archive.totals().files_kept, archive.omission_reasons()) == (3, {})
        assert all(archive.is_at_rest(RunId(run)) for run in ("root", "child", "alone"))
    bench.replay()
    assert bench.verify(deep=True).proves
    bench.undo()
    bench.replay()
    done = bench.verify(deep=True)
    assert (done.proves, done.unverifiable, done.reasons, done.files - done.own_files) == (True, 0, {}, 3)
    assert holds(bench, FILE, "root", BYTES)
    assert holds(bench, LOG, "child", b"log")


def test_what_was_sent_before_the_source_changed_is_no_equal_file(bench: Bench) -> None:
    """A log of the same size: the ledger knows that what lies there is of before, whatever its size proves."""
    assert bench.migrate(options=DEEP).proves
    at_source(bench, log_bytes(b"LOG"), noted("01", "child"))
    bench.extract()
    bench.replay(options=ReplayOptions(files=NO_FILES))
    assert kinds(bench.verify(source=False)) == {(f"file {LOG}", "differs")}
    assert kinds(bench.status()) == {(f"file {LOG}", "differs")}
    assert "All equal" not in bench.sentence()
    assert kinds(bench.verify()) == DAMAGED, "its source is there, and its bytes are read"

    at_source(bench, log_bytes(b"log"))
    bench.extract()
    assert kinds(bench.verify(source=False)) == DAMAGED | {(f"file {LOG}", "differs")}
    assert (bench.verify().findings, bench.verify(source=False).findings) == (0, 0), "proven once, it is as it was sent"
    at_source(bench, log_bytes(b"LOG"))
    bench.extract()
    assert bench.verify(source=False).findings == 1

    bench.replay()
    assert (bench.verify(source=False).findings, holds(bench, LOG, "child", b"LOG")) == (0, True)
    assert bench.verify(deep=True).proves


def test_a_job_is_not_equal_once_the_source_has_other_bytes(bench: Bench) -> None:
    """Its plan has another file of the same size: that is told without looking at bytes."""
    bench.extract()
    assert bench.submit().proves
    at_source(bench, log_bytes(b"LOG"), noted("01", "child"))
    bench.extract()

    assert ("plan of the job", PLAN_CHANGED) in kinds(bench.verify(source=False))
    assert not bench.status().proves


def test_what_is_taken_back_comes_again_or_is_named(bench: Bench) -> None:
    """A run that changed is extracted without its files, undone and sent again: with all that was carried before."""
    bench.migrate()
    at_source(bench, noted("01"))
    assert bench.migrate(options=MigrateOptions(extract=BARE)).reasons == {FILES_AS_BEFORE: 1}
    bench.undo()
    bench.replay()
    assert bench.verify(deep=True).proves
    assert holds(bench, FILE, "root", BYTES)

    at_source(bench, file_bytes(OTHER_BYTES), removed(LOG, "child"))
    assert bench.migrate(options=DEEP).reasons == {GONE_REASON: 1}
    assert holds(bench, FILE, "root", OTHER_BYTES)
    done = bench.undo()
    assert "1 file stays: the source has it no more, and the archive does not keep it" in lines(done)
    assert done.left == ((CHILD, f"file {LOG} stays: {LAST_COPY}"),)
    bench.replay()

    verdict = bench.verify(deep=True)
    assert (verdict.findings, verdict.reasons) == (0, {GONE_REASON: 1}), "the last copy stayed with its hidden run"
    assert holds(bench, LOG, "child", b"log")
    bench.change(removed(LOG, "child"))
    lost = bench.verify()
    assert (f"file {LOG}", LOST) in kinds(lost), "and is required"
    assert "undo" in str(mend_of(lost, Typed("verify", ("archive",), {}), bench.folder))
    bench.undo()  # the mend that is named
    bench.replay()
    after = bench.verify(deep=True)
    assert (after.findings, after.reasons) == (0, {FILE_GONE: 1})


def test_what_another_archives_undo_removed_and_the_source_lost_is_named(bench: Bench, calm: Sandbox) -> None:
    """The one that did not know of the loss removes it; for the other it is taken back, then an omission."""
    other = Bench(bench.source, calm, bench.folder.parent / "other")
    other.target = bench.target
    bench.migrate()
    other.migrate()
    at_source(bench, removed(LOG, "child"))
    assert other.migrate().reasons == {GONE_REASON: 1}
    bench.undo()
    assert holds(bench, LOG, "child", None)
    assert ("hidden", TAKEN_BACK) in kinds(other.verify())

    other.replay()

    verdict = other.verify(deep=True)
    of_runs = {one for one in kinds(verdict) if not one[0].startswith("experiment ")}  # one bears no mark of ours
    assert (of_runs, verdict.reasons) == (set(), {FILE_GONE: 1})


def test_a_run_that_came_without_files_stays_so_until_they_are_wanted(bench: Bench) -> None:
    """Its omission says so, however often it changes; then they are brought."""
    bench.extract(BARE)
    at_source(bench, noted("01"))
    bench.extract(BARE)
    assert {reason for _, reason in omitted(bench)} == {FILES_LEFT_OUT}

    done = bench.migrate()

    assert (done.proves, done.reasons, done.files - done.own_files) == (True, {}, 3)


def test_files_that_an_older_archive_dropped_stay_required(bench: Bench) -> None:
    """As versions before left it: the rows are gone, and nothing says that the source lost them."""
    bench.migrate(options=DEEP)
    with Archive.open(bench.folder) as archive, archive._transaction():
        archive._execute("delete from artifact where run = 'child'")
    at_source(bench, noted("01", "child"))
    with Archive.open(bench.folder) as archive, archive._transaction():
        archive._omit("extract", archive.generation(CHILD), [Omission(CHILD, "files", FILES_LEFT_OUT)])
    bench.extract(BARE)
    bench.change(log_bytes(b"LOG"))

    found = bench.verify(Selection(include=("root",)), deep=True)

    assert (kinds(found), found.reasons) == (
        DAMAGED | {("tag 01", "absent")},
        {FILES_LEFT_OUT: 1, SENT_BEFORE: 1},
    )
