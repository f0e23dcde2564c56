"""Whatever a cell of the archive holds that we did not write, and whatever is gone: one error that names the place."""

from __future__ import annotations

import shutil
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from azureml_replay import state
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.checking import check
from azureml_replay.archive.evidence import Way
from azureml_replay.cli.failures import explain
from azureml_replay.errors import Exit, ReplayError
from azureml_replay.formats.tables import export
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.plan import plan
from azureml_replay.planning.summary import summarize
from azureml_replay.report_page import NotBuilt, report
from azureml_replay.selection import Selection
from azureml_replay.synthetic.options import Shape, planned_trees, shape_of
from azureml_replay.target.profile import known_profile
from azureml_replay.verification.verdict import verdict
from azureml_replay.workspace.asset import AssetKind
from azureml_replay.workspace.place import Place
from unit.archive.full import R1, TARGET, full
from unit.archive.test_check import SCHEMA, connected, first, here

STRANGE: tuple[Any, ...] = ("", "{", '[{"a": []}]', "9999-99-99", -1, 2**62, 1.5, b"", b"\xff{}", zlib.compress(b"[]"))
"""What no cell of some kind may hold; what a cell may hold among them changes nothing but its value."""
DAMAGED = (Exit.INTEGRITY, Exit.USER)
"""2: a place that is no place of this archive, a version that is newer."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A row in every table, all in one file."""
    folder = full(tmp_path_factory.mktemp("damage") / "archive")
    with closing(connected(folder)) as database:
        database.execute("pragma journal_mode = delete")
    shutil.copyfile(folder / "archive.db", folder.parent / "sound.db")
    return folder


@pytest.fixture
def folder(whole: Path) -> Path:
    restore(whole)
    return whole


def restore(folder: Path) -> None:
    for name in ("archive.db-wal", "archive.db-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.copyfile(folder.parent / "sound.db", folder / "archive.db")


def readers(out: Path) -> Iterator[Callable[[Archive], object]]:
    """What the commands read that need no workspace."""
    yield state.status
    yield lambda archive: list(archive.listing())
    yield lambda archive: list(archive.pending_ids())
    yield lambda archive: (archive.sessions(), archive.imported(), archive.lacks_bytes())
    yield lambda archive: [archive.examination(archive.source, side) for side in ("source", "target")]
    yield lambda archive: [(archive.asset_files(one.key), one.fields, one.identity) for one in archive.assets()]
    yield lambda archive: (archive.asset_container(AssetKind.MODEL, "m"), archive.asset_uses(R1))
    yield lambda archive: (archive.named_assets(), archive.outside_uses(), archive.lacking_assets())
    yield lambda archive: (archive.asset_listings(), archive.unlisted_assets(), archive.asset_extraction())
    yield lambda archive: [ledger_of(archive, target) for target in (*archive.targets(), TARGET)]
    yield lambda archive: summarize(
        plan(archive, Selection(), FileChoice(), known_profile(archive.ledger(TARGET))),
        archive.omissions(),
        archive.unknown(),
    )
    yield lambda archive: list(planned_trees(archive, archive.ledger(TARGET), Selection(), Shape()))
    yield lambda archive: export(archive, out / "out", "jsonl")
    yield lambda archive: report(archive, out / "page.html", target=TARGET)


def ledger_of(archive: Archive, target: Place) -> None:
    """What verify, undo and the report ask of a target."""
    ledger = archive.ledger(target)
    for rows in (ledger.findings, ledger.planned_omissions, ledger.bindings, ledger.findings_about, ledger.chosen):
        list(rows())
    list(ledger.target_points(R1)), ledger.sent(R1), ledger.receipts(R1), ledger.open_looks(), ledger.carried([R1])
    ledger.sent_file(R1, "model.bin"), shape_of(ledger, R1), ledger.progress(), ledger.findings_of_run(R1)
    ledger.edits(R1), list(ledger.accepted()), ledger.asset_receipts()
    [ledger.kept(topic) for way in Way for topic in ledger.subjects(way)]
    verdict(archive, ledger, Selection())


def read(folder: Path, out: Path) -> Iterator[Exception]:
    """Every error that a reader ends with."""
    try:
        with Archive.open(folder, write=False) as archive:
            for reader in readers(out):
                try:
                    reader(archive)
                except NotBuilt:
                    pass
                except Exception as problem:
                    yield problem
                finally:
                    shutil.rmtree(out / "out", ignore_errors=True)
            check(archive)
    except Exception as problem:
        yield problem


def test_a_sound_archive_is_read(folder: Path, tmp_path: Path) -> None:
    assert list(read(folder, tmp_path)) == []


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("table", SCHEMA)
def test_a_strange_cell_is_damage_and_no_bug(folder: Path, tmp_path: Path, table: str, every: int) -> None:
    """Each column, each value (or each sixth) that is no such column's: exit 4 in one line, or read as a value."""
    for at, (column, _) in enumerate(SCHEMA[table]):
        for value in STRANGE[at % every :: every]:
            restore(folder)
            with closing(connected(folder)) as database:
                where, keys = here(table, first(database, table))
                with suppress(sqlite3.IntegrityError):  # its column takes no other of this kind
                    database.execute(f"update {table} set {column} = ? where {where}", (value, *keys))  # noqa: S608
            for problem in read(folder, tmp_path):
                assert isinstance(problem, ReplayError), f"{table}.{column} = {value!r}"
                said, code = explain(problem)
                assert code in DAMAGED, (table, column, value, said)
                assert "\n" not in said


@pytest.mark.parametrize("table", SCHEMA)
def test_a_table_or_a_column_that_is_gone(folder: Path, tmp_path: Path, table: str) -> None:
    for sql in (f"drop table {table}", *(f"alter table {table} rename column {one} to x" for one, _ in SCHEMA[table])):
        restore(folder)
        with closing(connected(folder)) as database:
            database.execute(sql)
        for problem in read(folder, tmp_path):
            assert isinstance(problem, ReplayError), sql
            assert explain(problem)[1] in DAMAGED


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("update run set tags = '[1]' where id = 'r1'", "table run, column tags of id r1 holds '[1]'"),
        ("update archive set format_version = -3", "table archive, column format_version"),
        ("update receipt set state = 'x'", "table receipt, column state of item "),
        ("update run_version set record = x'00'", "the archived document of run r"),
        ("drop table series", "no such table: series"),
    ],
)
def test_the_place_is_named(folder: Path, tmp_path: Path, sql: str, named: str) -> None:
    with closing(connected(folder)) as database:
        database.execute(sql)

    said = [explain(problem) for problem in read(folder, tmp_path)]

    assert {code for _, code in said} == {Exit.INTEGRITY}
    assert any(named in text for text, _ in said), said
