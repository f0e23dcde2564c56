"""An archive of every format there was opens, is brought forward, and says what it said."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.digests import of_ending, of_experiment, of_file, of_run, of_whole
from azureml_replay.archive.evidence import Way
from azureml_replay.archive.items import ChunkItem, ExperimentItem, FileItem, RunItem, written
from azureml_replay.archive.receipts import State
from azureml_replay.archive.schema import FORMAT_VERSION
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import SeriesKey
from azureml_replay.planning.experiments import OWNER
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.plan import FILES, plan
from azureml_replay.selection import Selection
from azureml_replay.target.profile import known_profile
from old_archives import NUMBERS, unpacked

each_format = pytest.mark.parametrize("number", NUMBERS)
EVIDENCE = 15
RENEWED = 12
"""The format from which on digests are of a written form."""


def asked(folder: Path, sql: str) -> list[Any]:
    """As the file stands."""
    database = sqlite3.connect(folder / "archive.db")
    try:
        return database.execute(sql).fetchall()
    finally:
        database.close()


def opened(number: int, tmp_path: Path) -> tuple[Archive, TargetLedger]:
    archive = Archive.open(unpacked(number, tmp_path / "archive"), write=False)
    (target,) = archive.targets()
    return archive, archive.ledger(target)


def test_there_is_one_of_each_format() -> None:
    assert list(range(1, FORMAT_VERSION + 1)) == NUMBERS


@each_format
def test_content_stays(number: int, tmp_path: Path) -> None:
    """Runs, points to the last bit, files; every chunk and object has its digest."""
    archive, _ = opened(number, tmp_path)
    with archive:
        archive.check()
        (root,) = archive.units()
        runs = {run.display_name: run for run in archive.unit(root)}
        assert [(name, run.status) for name, run in runs.items()] == [
            ("parent", "Completed"),
            ("child 0", "Completed"),
            ("child 1", "Failed"),
        ]
        assert (runs["parent"].tags["team"], runs["parent"].parameters) == ("blue", {"lr": "0.1"})
        rows = [row for piece in archive.points(runs["child 1"].id, SeriesKey("loss")) for row in piece.rows()]
        assert [(step, values[0].hex()) for step, _, values in rows] == [  # type: ignore[union-attr]
            (step, value.hex()) for step, value in enumerate([float("nan"), float("inf"), -0.0, 1e-320])
        ]
        totals = archive.totals()
        assert (totals.runs, totals.points, totals.files) == (3, 330, 3)
        assert totals.files_kept == (3 if number >= 4 else 0)
    assert asked(archive.folder, "select format_version from archive") == [(FORMAT_VERSION,)]
    assert asked(archive.folder, "select max(number) from migration") == [(FORMAT_VERSION,)]


@each_format
def test_the_ledger_stays(number: int, tmp_path: Path) -> None:
    """Every receipt with its state and time, findings, verifications, the values that were sent."""
    folder = unpacked(number, tmp_path / "before")
    before = {
        (run, item): rest for run, item, *rest in asked(folder, "select run, item, state, detail, at from receipt")
    }
    whose = "run" if number < EVIDENCE else "whose"
    findings = asked(folder, f"select {whose}, what, kind, expected, actual from finding")  # noqa: S608

    archive, ledger = opened(number, tmp_path)

    with archive:
        runs = [run.id for root in archive.units() for run in archive.unit(root)]
        receipts = {run: ledger.receipts(run) for run in [*runs, OWNER]}
        after = {(run, written(item)): one for run, held in receipts.items() for item, one in held.items()}
        assert {key: [one.state.value, one.detail, one.at.ticks] for key, one in after.items()} == before
        found = [(one.run, one.what, one.kind, one.expected, one.actual) for one in ledger.findings()]
        assert found == findings
        assert [(one[1], one[3:]) for one in found] == [("tag team", ("blue", "red"))]
        assert [FILES in told for told in map(dict, ledger.carried(runs).values())] == [True] * 3
        assert [ledger.sent(run) is not None for run in runs] == [number >= 6] * 3


@each_format
def test_receipts_know_what_was_sent(number: int, tmp_path: Path) -> None:
    """Rows and bytes; digests of chunks, files and experiments are those of now. Runs are asked about, once."""
    archive, ledger = opened(number, tmp_path)
    with archive:
        for run in (run.id for root in archive.units() for run in archive.unit(root)):
            receipts = ledger.receipts(run)
            for seq, payload in archive.chunk_payloads(run).items():
                assert receipts[ChunkItem(seq)].is_of(payload.digest)
                assert receipts[ChunkItem(seq)].rows == payload.rows
            for artifact in archive.artifacts(run):
                assert artifact.stored
                assert receipts[FileItem(artifact.path)].is_of(of_file(artifact.stored))
                size = receipts[FileItem(artifact.path)].size_bytes
                assert size == (artifact.stored.size_bytes if number >= 6 else None)
            known = [receipts[item].digest is not None for item in (RunItem.CREATE, RunItem.FINISH, RunItem.WHOLE)]
            assert known == [number >= RENEWED] * 3
        for experiment in archive.experiments():
            assert ledger.has_sent(OWNER, ExperimentItem(experiment.name), of_experiment(experiment))
        assert ledger.incomparable() == (0 if number >= RENEWED else 3)
        done = ledger.progress()
        assert (done.runs_created, done.runs_finished, done.runs_with_findings) == (3, 3, 1)
        assert done.runs_compared == (0 if number < EVIDENCE else 3)  # older proofs say not of what
        assert (done.points, done.files, done.items_unsettled, done.items_refused) == (330, 4, 0, 0)


@pytest.mark.parametrize("number", [one for one in NUMBERS if one >= RENEWED])
def test_what_was_sent_is_known_by_what_is_planned_now(number: int, tmp_path: Path) -> None:
    """Whatever a run has gained since: fails where a change of a form, or of planning, makes replays ask anew."""
    archive, ledger = opened(number, tmp_path)
    with archive:
        steps = list(plan(archive, Selection(), FileChoice(), known_profile(ledger)))
        for step in steps:
            whole = of_whole(
                step.run, generation=archive.generation(step.source), own_files=step.own_files, files=step.files
            )
            assert ledger.has_sent(step.source, RunItem.CREATE, of_run(step.run))
            assert ledger.has_sent(step.source, RunItem.FINISH, of_ending(step.run))
            assert ledger.has_sent(step.source, RunItem.WHOLE, whole)
        assert len(steps) == 3


def test_counting_what_reached_a_target_reads_no_content(tmp_path: Path) -> None:
    """A ledger says so much of an archive whose content is gone."""
    folder = unpacked(10, tmp_path / "archive")
    Archive.open(folder).close()
    database = sqlite3.connect(folder / "archive.db")
    tables = [name for (name,) in database.execute("select name from sqlite_schema where type = 'table'")]
    ledgers = {"target", "receipt", "binding", "finding", "evidence", "planned_omission", "sent_run", "sent_file"}
    for table in {*tables} - ledgers - {"edit", "target_points", "archive", "migration"}:
        database.execute(f"drop table {table}")
    database.close()

    with Archive.open(folder) as archive:
        (target,) = archive.targets()
        ledger = archive.ledger(target)
        (found,) = ledger.findings()
        assert ledger.progress().points == 330
        assert ledger.receipts(found.run)[ChunkItem(0)].state is State.SENT
        assert ledger.stands_for(found.run) == found.run
        assert [one.what for one in ledger.findings_of_run(found.run)] == ["tag team"]
        assert list(ledger.target_points(found.run)) == []
        assert ledger.planned_omissions_of(found.run) == list(ledger.planned_omissions()) == []
        assert ledger.runs_with(RunItem.CREATE) == [one.name for one in ledger.subjects(Way.RUN)]
