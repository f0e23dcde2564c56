"""Receipts, ids, findings and probes, apart for each target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.digests import of_generation
from azureml_replay.archive.evidence import Aspect, Looked, Topic, Way
from azureml_replay.archive.items import ChunkItem, FileItem, JobItem, Payload, RunItem, StagedItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.azure.place import azure_place
from azureml_replay.model import Finding, Location, Omission, Points, Run, RunId, Series, SeriesKey, StoredFile
from azureml_replay.planning.refused import refused_by
from looks import looked_at

SOURCE, ONE, TWO = (azure_place("sub", "group", name) for name in ("source", "one", "two"))
R1, R2 = RunId("r1"), RunId("r2")
LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),))


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.create(tmp_path / "archive", SOURCE) as made:
        yield made


@pytest.fixture
def ledger(archive: Archive) -> TargetLedger:
    return archive.ledger(ONE)


@pytest.fixture
def of_two(archive: Archive) -> TargetLedger:
    return archive.ledger(TWO)


def test_a_receipt_says_how_far_an_item_has_come(ledger: TargetLedger, of_two: TargetLedger) -> None:
    assert ledger.receipt(R1, RunItem.CREATE) is None

    ledger.mark(R1, {RunItem.CREATE: Payload(b"1"), FileItem("other"): None}, State.SENDING)
    ledger.mark(R1, [RunItem.CREATE], State.SENT)
    ledger.mark(R1, [FileItem("other")], State.REFUSED, "too long")

    one, other = ledger.receipts(R1).values()
    assert (one.item, one.state, one.digest, one.detail) == (RunItem.CREATE, State.SENT, b"1", None)
    assert (other.state, other.detail) == (State.REFUSED, "too long")
    assert ledger.receipt(R1, RunItem.CREATE) == one
    assert of_two.receipts(R1) == ledger.receipts(R2) == {}


def test_a_mark_without_payload_keeps_what_the_intent_said(ledger: TargetLedger) -> None:
    ledger.mark(R1, {ChunkItem(0): Payload(b"1", rows=3), FileItem("a"): Payload(b"2", size_bytes=5)}, State.SENDING)
    ledger.mark(R1, [ChunkItem(0), FileItem("a")], State.SENT)

    file, chunk = ledger.receipts(R1).values()
    assert (chunk.digest, chunk.rows, chunk.size_bytes) == (b"1", 3, None)
    assert (file.digest, file.rows, file.size_bytes) == (b"2", None, 5)
    assert ledger.has_sent(R1, ChunkItem(0), b"1")
    assert not ledger.has_sent(R1, ChunkItem(0), b"2")


def test_a_target_whose_first_mark_fails_is_no_target(archive: Archive, ledger: TargetLedger) -> None:
    """Its number was given back with the rest: another target may have it now."""
    archive._execute("begin")
    assert ledger._owner() == 1
    archive._execute("rollback")
    archive.ledger(TWO).mark(R1, [RunItem.CREATE], State.SENT)

    assert ledger.receipts(R1) == {}
    ledger.mark(R2, [RunItem.CREATE], State.SENT)
    assert (archive.targets(), archive.ledger(TWO).runs_with(RunItem.CREATE)) == ([TWO, ONE], [R1])


def test_one_item_of_many_runs_is_marked_at_once(ledger: TargetLedger) -> None:
    ledger.mark_runs(RunItem.CREATE, {R1: b"1", R2: b"2"}, State.SENDING)

    assert [ledger.receipt(run, RunItem.CREATE).digest for run in (R1, R2)] == [b"1", b"2"]  # type: ignore[union-attr]


def test_receipts_survive_and_name_their_target_whatever_its_case(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "a", SOURCE) as archive:
        archive.ledger(ONE).mark(R1, [RunItem.CREATE], State.SENT)
        archive.ledger(ONE).bind({R1: RunId("there")})

    with Archive.open(tmp_path / "a", write=False) as archive:
        shouted = azure_place("SUB", "GROUP", "ONE")
        assert archive.ledger(shouted).receipts(R1).keys() == {RunItem.CREATE}
        assert archive.ledger(shouted).target_id(R1) == "there"
        assert archive.ledger(TWO).target_id(R1) is None
        assert list(archive.ledger(shouted).bindings()) == [(R1, "there")]
        assert archive.targets() == [ONE]


def test_findings_and_planned_omissions_are_replaced_by_subject_and_aspect(
    ledger: TargetLedger, of_two: TargetLedger
) -> None:
    first, second = Finding(R1, "status", "differs", "a", "b"), Finding(R1, "tag x", "absent", "1", "")
    run, other = Topic(Way.RUN, R1), Topic(Way.RUN, R2)
    for findings in ([first, first], [second, first]):
        ledger.put_outcomes(run, 1, {Aspect.FIELDS: ""}, {Aspect.FIELDS: Looked(findings)})
    ledger.put_outcomes(other, 1, {Aspect.FIELDS: ""}, {Aspect.FIELDS: Looked([second])})
    ledger.put_outcomes(run, 2, {Aspect.FILES: ""}, {Aspect.FILES: Looked()})
    for omission in (Omission(R1, "a", "b"), Omission(R1, "c", "d")):
        ledger.put_planned_omissions(run, [omission])

    assert list(ledger.findings_about()) == [
        (run, Aspect.FIELDS, second),
        (run, Aspect.FIELDS, first),
        (other, Aspect.FIELDS, Finding(R2, "tag x", "absent", "1", "")),
    ]
    assert list(of_two.findings()) == []
    assert list(ledger.planned_omissions()) == [Omission(R1, "c", "d")]


def test_what_a_probe_told_is_kept(ledger: TargetLedger, of_two: TargetLedger) -> None:
    assert ledger.probe() is None
    ledger.put_probe({"start": True})
    ledger.mark(R1, [RunItem.CREATE], State.SENT)

    assert (ledger.probe(), of_two.probe()) == ({"start": True}, None)


def test_secrets_stay_out_of_the_ledger(archive: Archive, ledger: TargetLedger) -> None:
    url = "https://h/c/b?sv=1&sig=abcdef"
    ledger.mark(R1, [FileItem("x")], State.REFUSED, f"403 {url}")
    looked_at(ledger, R1, [Finding(R1, "tag url", "differs", url, "")])
    ledger.put_planned_omissions(Topic(Way.RUN, R1), [Omission(R1, "file a", f"404 {url}")])
    ledger.put_probe({"token": "abc", "url": url})
    archive.log_command(["replay", "--client-secret", "abc", url])

    dump = "\n".join(archive._db.iterdump())
    assert "abc" not in dump
    assert dump.count("sig=***") == 5


def test_jobs_are_counted_from_the_ledger(ledger: TargetLedger) -> None:
    """Of three root runs: the job of one failed and was put anew, that of another was archived by `undo`.

    A step's run is no job.
    """
    undone, step = RunId("undone"), RunId("step")
    for root, names in ((RunId("failed"), ("j1", "j1-2")), (undone, ("j2",)), (RunId("standing"), ("j4",))):
        ledger.mark(root, [RunItem.SHAPE, RunItem.JOB, *map(JobItem, names)], State.SENT, names[-1])
    ledger.mark(step, [RunItem.JOB], State.SENT, "there")
    ledger.mark(undone, [RunItem.JOB_UNDONE], State.SENT)
    ledger.mark(RunId("asked"), [RunItem.SHAPE], State.SENT)
    ledger.mark(RunId("asked"), [RunItem.JOB, JobItem("j3")], State.SENDING, "j3")

    done = ledger.progress()

    assert (done.jobs_submitted, done.jobs_standing) == (4, 2)


def test_progress_is_counted_from_the_ledger(archive: Archive, ledger: TargetLedger, of_two: TargetLedger) -> None:
    runs = [RunId(f"r{at}") for at in range(3)]
    archive.put_listed([Run(id=run, status="Completed") for run in runs])
    archive.select(runs)
    for run in runs:
        archive.begin(run)
        for rows in (2, 3):
            archive.put_chunk(run, [Points.of(LOSS, [(step, step, (1.0,)) for step in range(rows)])])
        archive.complete(run)
    of_run = archive.chunk_payloads(runs[0])
    ledger.mark(runs[0], {ChunkItem(seq): payload for seq, payload in of_run.items()}, State.SENT)
    ledger.mark(runs[0], {FileItem(path): Payload(b"1", size_bytes=5) for path in "ab"}, State.SENT)
    ledger.mark(runs[0], [RunItem.CREATE, RunItem.FINISH], State.SENT)
    ledger.mark(runs[1], {RunItem.CREATE: Payload(b"1"), ChunkItem(1): of_run[1]}, State.SENT)
    ledger.mark(runs[1], {ChunkItem(0): of_run[0]}, State.SENDING)
    ledger.refuse(runs[1], {FileItem("a"): "no"}, of_generation(archive.generation(runs[1])))
    ledger.refuse(runs[2], {FileItem("a"): "it was other content"}, of_generation(0))
    ledger.refuse(runs[2], {StagedItem("outputs/a"): "no", StagedItem("points-0000.jsonl"): "no"}, b"1")
    told = [("tag a", refused_by("no")), ("file a", refused_by("no")), ("tag b", "too long")]
    ledger.put_planned_omissions(Topic(Way.JOB, runs[2]), [Omission(runs[2], *one) for one in told])
    looked_at(ledger, runs[0], [Finding(runs[0], what, "extra", "", "x") for what in "ab"])

    done = ledger.progress()

    assert (done.runs_created, done.runs_finished, done.points, done.files, done.bytes) == (2, 1, 8, 2, 10)
    assert (done.items_refused, done.items_unsettled) == (3, 1), "a file, one that was not staged, a job's tag"
    assert [one.what for one in ledger.refused_by_job(runs)] == ["tag a"]
    assert (done.runs_compared, done.runs_with_findings) == (1, 1)
    assert of_two.progress().runs_created == 0


def test_nothing_that_was_sent_of_a_deleted_run_counts_but_what_stands_as_a_job(
    ledger: TargetLedger, of_two: TargetLedger
) -> None:
    """The other way round too; names of deleted jobs are kept, from every deletion."""
    for one in (ledger, of_two):
        one.mark(R1, [RunItem.CREATE, RunItem.UNDONE, ChunkItem(0), FileItem("a"), RunItem.KEPT], State.SENT)
        one.mark(R1, [RunItem.SHAPE, RunItem.JOB, JobItem("j")], State.SENT)
        one.put_sent({R1: {"status": "Completed"}})
        one.put_sent_files(R1, {"a": StoredFile(location=Location("", "a"), size_bytes=1)})
    ledger.mark(R2, [RunItem.JOB], State.SENT)

    ledger.void(R1)

    assert set(ledger.receipts(R1)) == {RunItem.DELETED, RunItem.SHAPE, RunItem.JOB, JobItem("j")}
    assert (ledger.sent(R1), ledger.sent_file(R1, "a")) == (None, None)

    ledger.void_job(R1, [R1, R2])
    ledger.mark(R1, [JobItem("j2")], State.SENT)
    ledger.void_job(R1, [R1, R2])

    assert set(ledger.receipts(R1)) == {RunItem.DELETED, RunItem.JOB_DELETED, RunItem.NAMES_GONE}
    assert (ledger.receipts(R2), ledger.names_gone(R1), ledger.names_gone(R2)) == ({}, ["j", "j2"], [])
    assert len(of_two.receipts(R1)) == 8
    assert of_two.sent(R1) is not None


def test_a_finding_about_bytes_goes_with_the_bytes(ledger: TargetLedger) -> None:
    """Of one file that is sent over: it is to be read back. Of all, without that, where a new job is put."""
    names = [f"file {path}: bytes" for path in "ab"]
    found = Looked([Finding(R1, name, "differs", "1", "2") for name in names])
    for way in (Way.RUN, Way.JOB):
        ledger.put_outcomes(Topic(way, R1), 1, {Aspect.BYTES: ""}, {Aspect.BYTES: found})

    ledger.carry({R1: {}}, Way.RUN)
    ledger.sent_over(R1, {names[0], "file c: bytes"})

    assert [one.what for one in ledger.findings_of(Topic(Way.RUN, R1))] == names[1:]
    assert ledger.unread(R1, [*names, "file c: bytes"]) == {names[0]}
    ledger.read_back(R1, names[1:])
    assert ledger.unread(R1, names) == {names[0]}
    ledger.read_back(R1, None)
    assert (ledger.unread(R1, names), ledger.receipt(R1, RunItem.UNREAD)) == (frozenset(), None)

    ledger.carry({R1: {}}, Way.JOB)
    assert [one.what for one in ledger.findings_of(Topic(Way.JOB, R1))] == names
    ledger.carry({R1: {"job": "2"}}, Way.JOB, anew=True)
    assert ledger.findings_of(Topic(Way.JOB, R1)) == []


def test_an_experiment_into_which_a_run_goes_is_not_called_absent(ledger: TargetLedger) -> None:
    """A replay that is cut behind it leaves no false alarm; whatever else was found of an experiment stays."""
    for name, found in (("gone", "experiment gone"), ("edited", "experiment edited: description")):
        outcomes = {Aspect.FIELDS: Looked([Finding(RunId(""), found, "absent", name, "")])}
        look = ledger.begin_look([Aspect.FIELDS], [], [name])
        ledger.put_outcomes(Topic(Way.EXPERIMENT, name), look, {Aspect.FIELDS: ""}, outcomes)
        ledger.end_look(look)

    for name in ("gone", "edited", "never looked at"):
        ledger.expect_experiment(name)

    assert ledger.findings_of(Topic(Way.EXPERIMENT, "gone")) == []
    assert len(ledger.findings_of(Topic(Way.EXPERIMENT, "edited"))) == 1
