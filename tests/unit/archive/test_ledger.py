"""Receipts, ids, findings and probes, apart for each target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.ledger import CREATE, FINISH, State, file_item, points_item
from azureml_replay.model import Finding, Omission, Points, Run, RunId, Series, SeriesKey
from azureml_replay.workspace.place import WorkspaceRef

SOURCE, ONE, TWO = (WorkspaceRef("sub", "group", name) for name in ("source", "one", "two"))
R1, R2 = RunId("r1"), RunId("r2")
LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),))


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.create(tmp_path / "archive", SOURCE) as made:
        yield made


def test_a_receipt_says_how_far_an_item_has_come(archive: Archive) -> None:
    assert archive.receipt(ONE, R1, CREATE) is None

    archive.mark(ONE, R1, {CREATE: b"1", "other": None}, State.SENDING)
    archive.mark(ONE, R1, [CREATE], State.SENT)
    archive.mark(ONE, R1, ["other"], State.REFUSED, "too long")

    one, other = archive.receipts(ONE, R1).values()
    assert (one.item, one.state, one.digest, one.detail) == (CREATE, State.SENT, b"1", None)
    assert (other.state, other.detail) == (State.REFUSED, "too long")
    assert archive.receipt(ONE, R1, CREATE) == one
    assert archive.receipts(TWO, R1) == archive.receipts(ONE, R2) == {}


def test_one_item_of_many_runs_is_marked_at_once(archive: Archive) -> None:
    archive.mark_runs(ONE, CREATE, {R1: b"1", R2: b"2"}, State.SENDING)

    assert [archive.receipt(ONE, run, CREATE).digest for run in (R1, R2)] == [b"1", b"2"]  # type: ignore[union-attr]


def test_receipts_survive_and_name_their_target_whatever_its_case(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "a", SOURCE) as archive:
        archive.mark(ONE, R1, [CREATE], State.SENT)
        archive.bind(ONE, {R1: RunId("there")})

    with Archive.open(tmp_path / "a", write=False) as archive:
        shouted = WorkspaceRef("SUB", "GROUP", "ONE")
        assert archive.receipts(shouted, R1).keys() == {CREATE}
        assert archive.target_id(shouted, R1) == "there"
        assert archive.target_id(TWO, R1) is None
        assert list(archive.bindings(shouted)) == [(R1, "there")]
        assert archive.targets() == [ONE]


def test_findings_and_planned_omissions_of_a_run_are_replaced(archive: Archive) -> None:
    first, second = Finding(R1, "status", "differs", "a", "b"), Finding(R1, "tag x", "absent", "1", "")
    archive.put_findings(ONE, R1, [first, first])
    archive.put_findings(ONE, R2, [second])
    archive.put_findings(ONE, R1, [second, first])
    archive.put_planned_omissions(ONE, R1, [Omission(R1, "a", "b")])
    archive.put_planned_omissions(ONE, R1, [Omission(R1, "c", "d")])

    assert list(archive.findings(ONE)) == [second, first, Finding(R2, "tag x", "absent", "1", "")]
    assert list(archive.findings(TWO)) == []
    assert list(archive.planned_omissions(ONE)) == [Omission(R1, "c", "d")]


def test_verifications_count_findings(archive: Archive) -> None:
    archive.put_findings(ONE, R1, [Finding(R1, "status", "differs", "a", "b")])
    archive.verified(ONE, R1, {"points": 3})
    archive.verified(ONE, R2)

    assert [(v.run, v.counts, v.findings) for v in archive.verifications(ONE)] == [(R1, {"points": 3}, 1), (R2, {}, 0)]


def test_what_a_probe_told_is_kept(archive: Archive) -> None:
    assert archive.probe(ONE) is None
    archive.put_probe(ONE, {"start": True})
    archive.mark(ONE, R1, [CREATE], State.SENT)

    assert (archive.probe(ONE), archive.probe(TWO)) == ({"start": True}, None)


def test_secrets_stay_out_of_the_ledger(archive: Archive) -> None:
    url = "https://h/c/b?sv=1&sig=abcdef"
    archive.mark(ONE, R1, ["x"], State.REFUSED, f"403 {url}")
    archive.put_findings(ONE, R1, [Finding(R1, "tag url", "differs", url, "")])
    archive.put_planned_omissions(ONE, R1, [Omission(R1, "file a", f"404 {url}")])
    archive.put_probe(ONE, {"token": "abc", "url": url})
    archive.log_command(["replay", "--client-secret", "abc", url])

    dump = "\n".join(archive._db.iterdump())
    assert "abc" not in dump
    assert dump.count("sig=***") == 5


def test_progress_is_counted_from_the_ledger(archive: Archive) -> None:
    runs = [RunId(f"r{at}") for at in range(3)]
    archive.put_listed([Run(id=run, status="Completed") for run in runs])
    archive.select(runs)
    for run in runs:
        archive.begin(run)
        for rows in (2, 3):
            archive.put_chunk(run, [Points.of(LOSS, [(step, step, (1.0,)) for step in range(rows)])])
        archive.complete(run)
    archive.mark(
        ONE, runs[0], [CREATE, points_item(0), points_item(1), file_item("a"), file_item("b"), FINISH], State.SENT
    )
    archive.mark(ONE, runs[1], [CREATE, points_item(1)], State.SENT)
    archive.mark(ONE, runs[1], [points_item(0)], State.SENDING)
    archive.mark(ONE, runs[1], [file_item("a")], State.REFUSED)
    archive.verified(ONE, runs[0])
    archive.put_findings(ONE, runs[0], [Finding(runs[0], what, "extra", "", "x") for what in "ab"])

    done = archive.progress(ONE)

    assert (done.created, done.finished, done.points, done.files) == (2, 1, 8, 2)
    assert (done.refused, done.unsettled, done.verified, done.with_findings) == (1, 1, 1, 1)
    assert archive.progress(TWO).created == 0
