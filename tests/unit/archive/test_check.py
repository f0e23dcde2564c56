"""What any other program does to an archive is found and named; what our commands do never is."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.checking import Checked, check
from azureml_replay.archive.items import FileItem, Payload, RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.schema import MIGRATIONS
from azureml_replay.archive.sums import TABLES
from azureml_replay.azure.place import azure_place
from azureml_replay.errors import IntegrityError
from azureml_replay.model import Finding, Location, Points, Run, RunDetails, RunId
from looks import looked_at
from unit.archive.full import FILES, LOSS, MIXED, R1, R2, ROWS, SOURCE, TARGET, WEIGHTS, extracted, full, losses

UNDER_NO_DIGEST = {
    "migration": "says how the tables came to be",
    "command_log": "a note for people, who may clear it",
    "stored_file": "the storage's listing while an extraction works",
    "archive.id": "always 1",
    "archive.format_version": "says how to read the tables; a wrong one is refused or brought forward",
    "archive.name": "the source as somebody spelt it: kind and key say which it is",
    "archive.created": "when it was begun: another moment for each archive of the same source",
    "archive.tool_version": "by what it was begun",
    "imported.id": "always 1",
    "asset_extraction.id": "always 1",
    "asset.read_at": "when it was read: another moment for each archive of the same source",
    "asset_container.read_at": "the same of a name",
    "run.extracted_at": "the same of a run",
    "session.id": "in which order the rows came",
    "run.state": "whether the next extract brings the run again",
}
"""Tables and columns whose changes `check` does not find, and why."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A row in every table; nobody writes to it."""
    return full(tmp_path_factory.mktemp("check") / "archive")


@pytest.fixture
def folder(tmp_path: Path, whole: Path) -> Path:
    """A copy to damage."""
    (tmp_path / "archive").mkdir(mode=0o700)
    with closing(sqlite3.connect(whole / "archive.db")) as there, closing(connected(tmp_path / "archive")) as here:
        there.backup(here)
    for file in whole.glob("artifacts/??/*"):
        copy = tmp_path / "archive" / file.relative_to(whole)
        copy.parent.mkdir(parents=True)
        copy.write_bytes(file.read_bytes())
    return tmp_path / "archive"


def connected(folder: Path) -> sqlite3.Connection:
    """As any other program opens the file; it obeys nobody's rules."""
    database = sqlite3.connect(folder / "archive.db", isolation_level=None)
    database.execute("pragma ignore_check_constraints = on")
    return database


def checked(folder: Path, *, read_data: bool = False) -> Checked:
    with Archive.open(folder, write=False) as archive:
        return check(archive, read_data=read_data)


def names(found: Checked) -> list[str]:
    return [one.what for one in found.damages]


def schema() -> dict[str, list[tuple[str, bool]]]:
    """Columns by table, and whether they are of the key."""
    with closing(sqlite3.connect(":memory:")) as database:
        for migration in MIGRATIONS:
            database.executescript(migration)
        tables = [name for (name,) in database.execute("select name from sqlite_schema where type = 'table'")]
        return {
            table: [(row[1], bool(row[5])) for row in database.execute(f"pragma table_info({table})")]
            for table in tables
        }


SCHEMA = schema()
COLUMNS = [f"{table}.{column}" for table, columns in SCHEMA.items() for column, _ in columns]


def other(cell: Any) -> Any:
    """Of the same type where it has one."""
    if cell is None:
        return "7"
    if isinstance(cell, bytes):
        return bytes([cell[0] ^ 1]) + cell[1:]
    return cell + 70 if isinstance(cell, int) else f"{cell}x"


def first(database: sqlite3.Connection, table: str) -> dict[str, Any]:
    """The one with the lowest key."""
    key = [column for column, of_key in SCHEMA[table] if of_key]
    cells = database.execute(f"select * from {table} order by {', '.join(key)} limit 1").fetchone()  # noqa: S608
    return dict(zip((column for column, _ in SCHEMA[table]), cells, strict=True))


def here(table: str, row: dict[str, Any]) -> tuple[str, list[Any]]:
    """A condition that only this row meets."""
    keys = [column for column, key in SCHEMA[table] if key]
    return " and ".join(f"{key} is ?" for key in keys), [row[key] for key in keys]


def left_out(column: str) -> bool:
    return column in UNDER_NO_DIGEST or column.partition(".")[0] in UNDER_NO_DIGEST


def test_a_good_archive_is_as_it_was_written(whole: Path) -> None:
    found = checked(whole, read_data=True)

    assert (found.damages, found.damaged) == ((), 0)
    assert (found.runs, found.points, found.objects, found.bytes) == (2, 47, 1, len(WEIGHTS))
    assert found.content.reckoned == found.content.kept
    assert [(one.target, one.root.reckoned == one.root.kept) for one in found.proofs] == [(TARGET, True)]
    assert len({found.content.kept, found.proofs[0].root.kept}) == 2
    with Archive.open(whole, write=False) as archive:
        archive.check()
        assert archive.content_root() == found.content.kept
        assert archive.ledger(TARGET).root() == found.proofs[0].root.kept


@pytest.mark.parametrize("column", [one for one in COLUMNS if not left_out(one)])
def test_a_changed_cell_is_found(folder: Path, column: str) -> None:
    """In whichever column of whichever table; the table or the run is named, and the roots change or stay as told."""
    table, _, name = column.partition(".")
    with closing(connected(folder)) as database:
        row = first(database, table)
        where, values = here(table, row)
        database.execute(f"update {table} set {name} = ? where {where}", (other(row[name]), *values))  # noqa: S608

    found = checked(folder)

    assert found.damaged
    if table not in ("root", "checksum"):  # what they are of is named
        assert any(word in one for one in names(found) for word in (table, "run r1", "run r2", "run cut"))
    with Archive.open(folder, write=False) as archive, pytest.raises(IntegrityError):
        archive.check()


@pytest.mark.parametrize("table", [table for table in SCHEMA if not left_out(table) and table != "archive"])
def test_a_dropped_row_is_found(folder: Path, table: str) -> None:
    """Without that of `archive` no command opens the folder."""
    with closing(connected(folder)) as database:
        where, values = here(table, first(database, table))
        database.execute(f"delete from {table} where {where}", values)  # noqa: S608

    assert checked(folder).damaged


@pytest.mark.parametrize("table", [table for table in SCHEMA if not left_out(table)])
def test_an_added_row_is_found(folder: Path, table: str) -> None:
    with closing(connected(folder)) as database:
        row = first(database, table)
        key = next(column for column, of_key in SCHEMA[table] if of_key)
        if table == "target":
            row["key"] = "added"  # of which there may be one
        row[key] = 77 if isinstance(row[key], int) else b"added" if isinstance(row[key], bytes) else "added"
        marks = ", ".join("?" * len(row))
        database.execute(f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values()))  # noqa: S608

    assert checked(folder).damaged


@pytest.mark.parametrize(
    "moved",
    [
        "unit = 'r9'",
        "unit = id, depth = 0",
        "unit = id, depth = 0, age = -born",
        "age = age + 1",
        "depth = 2",
        "born = born + 1",
        "created = '2030-01-01T00:00:00Z'",
    ],
)
def test_a_child_that_was_moved_out_of_its_unit_is_found(tmp_path: Path, moved: str) -> None:
    """The verdict of its unit would leave it out; the place itself is under no digest."""
    with Archive.create(tmp_path, SOURCE) as archive:
        family = (Run(id=R1, status="Completed"), Run(id=R2, parent=R1, status="Completed"))
        archive.put_listed(family)
        archive.arrange()
        for run in family:
            extracted(archive, run, losses(0, 3))
    assert checked(tmp_path).damages == ()

    with closing(connected(tmp_path)) as database:
        database.execute(f"update run set {moved} where id = 'r2'")  # noqa: S608

    assert "run r2" in names(checked(tmp_path))


@pytest.mark.parametrize("column", [one for one in COLUMNS if left_out(one)])
def test_what_no_digest_covers_is_found_by_none(folder: Path, column: str) -> None:
    """So that the list above names nothing that is covered by now."""
    table, _, name = column.partition(".")
    if column == "archive.format_version":
        return
    with closing(connected(folder)) as database:
        row = first(database, table)
        where, values = here(table, row)
        database.execute(f"update {table} set {name} = ? where {where}", (other(row[name]), *values))  # noqa: S608

    assert checked(folder).damages == ()


def test_what_is_under_no_digest_is_there() -> None:
    assert set(UNDER_NO_DIGEST) <= {*SCHEMA, *COLUMNS}
    assert {table.name for table in TABLES} <= {*SCHEMA} - UNDER_NO_DIGEST.keys()


Damaged = tuple[str, str]
BY_HAND: dict[str, Damaged] = {
    "update chunk set data = cast(substr(data, 1, 40) || x'00' || substr(data, 42) as blob) where seq = 1": (
        "run r1",
        "chunk 1 of run r1 is damaged: its digest differs",
    ),
    "update run_version set record = x'00' where run = 'r2'": ("run r2", "its document are not what was extracted"),
    "update run_version set record = cast(record || x'00' as blob) where run = 'r2'": (
        "run r2",
        "its document are not what was extracted",
    ),
    "update artifact set size_bytes = 5 where path = 'model.bin'": ("run r1", "its files are not what was extracted"),
    "update artifact set gone = 'x' where gone is not null": ("run r1", "its moments are not what was extracted"),
    "delete from omission where run = 'r1'": ("run r1", "its omissions are not what was extracted"),
    "update run set status = 'Completed' where id = 'r2'": ("run r2", "not as it was written"),
    "delete from run where id = 'r2'": ("run r2", "absent: it was dropped"),
    "update run set content_digest = null where id = 'r2'": ("run r2", "it has no digest"),
    "update receipt set state = 'refused'": ("receipt of run r1 in sub/group/target", "not as it was written"),
    "delete from finding": ("finding of run r1 in sub/group/target", "absent: it was dropped"),
    "insert into finding values (1, 'run', 'r2', 'fields', 0, 'tag a', 'differs', '', '')": (
        "finding of run r2 in sub/group/target",
        "it was added",
    ),
    "delete from job": ("job r1", "absent: it was dropped"),
    "update target set probe = null": ("target in sub/group/target", "not as it was written"),
    "update target_points set data = x'00'": (
        "target_points of run r1 in sub/group/target",
        "the points of number 0 are damaged",
    ),
    "delete from finding; delete from checksum where rows_of = 'finding'": (
        "root in sub/group/target",
        "the root that is kept is not that of the rows: rows and their checksums were changed",
    ),
    "delete from job; delete from checksum where rows_of = 'job'": (
        "root",
        "the root that is kept is not that of the rows: rows and their checksums were changed",
    ),
    "insert into series select 'r9', 1, 0, name, namespace, columns, ux_type, schema_id, rows, more, unknown, "
    "longest_text from series limit 1": ("run r9", "series rows of generation 1 belong to nothing: they were added"),
    "update chunk set seq = 7 where run = 'r2' and seq = 1": (
        "run r2",
        "the numbers of its chunk rows are 0, 7: not 0, 1, 2, …",
    ),
    "update chunk set data = 'x' || x'ff' where run = 'r2'": (
        "run r2",
        "it cannot be read",
    ),
    "create view finding_of_all as select * from finding": (
        "archive.db",
        "view finding_of_all was added: an archive has none",
    ),
    "alter table finding add column more text": ("archive.db", "table finding has other columns"),
    "create table more (id integer primary key)": ("archive.db", "table more was added"),
    # the first of the two is what SQL takes, the last what Python does
    """update evidence set fields = '{"against":"' || json_extract(fields, '$.against') || '",' || substr(fields, 2)
       where fields is not null""": ("evidence of run r1 in sub/group/target", "not as it was written"),
}
"""What somebody does, and how it is named."""


@pytest.mark.parametrize("statement", BY_HAND)
def test_what_was_done_is_named(folder: Path, statement: str) -> None:
    with closing(connected(folder)) as database:
        database.executescript(statement)

    found = checked(folder)

    what, why = BY_HAND[statement]
    assert any(one.what == what and one.why.startswith(why) for one in found.damages), found.damages


def test_a_trigger_is_refused_before_anything_is_written(folder: Path) -> None:
    """It could drop each finding as soon as it is kept."""
    with closing(connected(folder)) as database:
        database.executescript("create trigger quiet after insert on finding begin delete from finding; end")

    for write in (False, True):
        with pytest.raises(IntegrityError, match="trigger quiet was added"):
            Archive.open(folder, write=write)


def test_a_chunk_that_was_written_anew_with_its_digest_is_found(folder: Path) -> None:
    """The run's own digest is of the rows, not of how they are compressed: only the rows are compared."""
    with closing(connected(folder)) as database:
        (data,) = database.execute("select data from chunk where run = 'r2' and seq = 1").fetchone()
        told = hashlib.blake2b(data, digest_size=16).digest()
        database.execute("update chunk set data = ?, digest = ? where run = 'r1' and seq = 1", (data, told))

    found = checked(folder)

    assert [one.what for one in found.damages] == ["run r1"]
    assert found.content.reckoned != found.content.kept


def test_damaged_objects_are_named(folder: Path) -> None:
    """A flipped byte where the bytes are read, another size and a missing file in any case."""
    (file,) = folder.glob("artifacts/??/*")
    name = f"object {hashlib.sha256(WEIGHTS).hexdigest()}"

    file.write_bytes(b"W" + WEIGHTS[1:])
    assert names(checked(folder)) == []
    assert names(checked(folder, read_data=True)) == [name]
    file.write_bytes(WEIGHTS[:-1])
    assert names(checked(folder)) == [name]
    file.unlink()
    assert names(checked(folder)) == [name]
    assert "lacks" in checked(folder).damages[0].why


def test_a_page_that_cannot_be_read_hides_nothing_else(folder: Path) -> None:
    """Of a file that SQLite itself finds damaged, the rest is still looked at."""
    with closing(connected(folder)) as database:
        (page,) = database.execute("select rootpage from sqlite_schema where name = 'session'").fetchone()
        (size,) = database.execute("pragma page_size").fetchone()
        database.execute("delete from job")
    with (folder / "archive.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)

    found = checked(folder)

    assert {"archive.db", "job r1"} <= {*names(found)}


def test_damages_are_counted_beyond_those_that_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("azureml_replay.archive.checking.MOST_NAMED", 1)
    with closing(connected(folder)) as database:
        database.executescript("delete from job; delete from experiment; delete from redact_glob")

    found = checked(folder)

    assert (found.damaged, len(found.damages)) == (3, 1)
    with Archive.open(folder) as archive, pytest.raises(IntegrityError, match="and 2 more"):
        archive.check()


def _written_again(archive: Archive) -> None:
    extracted(archive, Run(id=R1, experiment="e", status="Canceled"), losses(0, 3))


def _rolled_back(archive: Archive) -> None:
    with contextlib.suppress(ZeroDivisionError), archive._transaction():
        archive._execute("delete from job")
        raise ZeroDivisionError
    archive.put_studio(SOURCE, "https://another")  # the next transaction must not count what never was


def _told_anew(archive: Archive) -> None:
    ledger = archive.ledger(TARGET)
    found = [Finding(R1, "status", "differs", "a", "b"), Finding(R1, "tag c", "absent", "", "")]
    looked_at(ledger, R1, found, {"points": 1})
    ledger.mark(R1, {FileItem("model.bin"): Payload(b"4", size_bytes=19)}, State.SENDING)
    ledger.mark_runs(RunItem.CREATE, {R1: b"5", R2: b"6"}, State.SENT)
    ledger.forget(R1, [FileItem("model.bin"), FileItem("never sent")])
    ledger.put_target_points(R1, [])


def _another_target(archive: Archive) -> None:
    archive.ledger(SOURCE).mark(R1, [RunItem.WHOLE], State.SENT)


def _gone_files(archive: Archive) -> None:
    archive.retake(FILES[0].location, None, "404 from storage at another moment")
    archive.sweep()


def _half_extracted(archive: Archive) -> None:
    archive.bring_again(R1)
    archive.begin(R1)
    archive.put_details(RunDetails(run=Run(id=R1)))
    archive.put_chunk(R1, [losses(0, 3)])


def _forgotten(archive: Archive) -> None:
    archive.put_listed([Run(id=RunId("r3")), Run(id=R1, experiment="e", status="Running")])
    archive.arrange()
    archive.forget_unselected()
    archive.clear_stored()
    archive.note_gone([R2])


@pytest.mark.parametrize(
    "written",
    [_written_again, _rolled_back, _told_anew, _another_target, _gone_files, _half_extracted, _forgotten],
)
def test_whatever_we_write_is_kept_up(folder: Path, written: Callable[[Archive], None]) -> None:
    with Archive.open(folder) as archive:
        written(archive)

        assert check(archive, read_data=True).damages == ()


def test_what_was_sent_changes_the_proof_alone(folder: Path) -> None:
    before = checked(folder)
    with Archive.open(folder) as archive:
        _told_anew(archive)
    after = checked(folder)

    assert after.content == before.content
    assert after.proofs[0].root != before.proofs[0].root


def _one_way(archive: Archive) -> None:
    extracted(archive, Run(id=R1, experiment="e"), losses(0, 30), Points.of(MIXED, ROWS), files=FILES)
    extracted(archive, Run(id=R2, parent=R1, experiment="e"), losses(0, 3))


def _another(archive: Archive) -> None:
    """The other run first; rows in other chunks, series by other numbers, a generation more, gone at another moment."""
    extracted(archive, Run(id=R2, parent=R1, experiment="e"), losses(0, 3))
    extracted(archive, Run(id=R1, experiment="e"), losses(0, 7))
    later = [one if one.stored else type(one)(**{**_fields(one), "gone": "404 later"}) for one in FILES]
    pieces = [Points.of(MIXED, ROWS[:1]), losses(0, 7), Points.of(MIXED, ROWS[1:]), losses(7, 30)]
    extracted(archive, Run(id=R1, experiment="e"), *pieces, files=tuple(reversed(later)))


def _fields(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name) for name in type(one).__dataclass_fields__}


def _listed(archive: Archive, runs: Iterator[RunId]) -> None:
    archive.put_listed([Run(id=R1, experiment="e"), Run(id=R2, parent=R1, experiment="e")])
    archive.arrange()
    for run in runs:
        archive.select([run])


def test_the_content_root_is_of_values_alone(tmp_path: Path) -> None:
    """In whatever order and however often they came, as their session and the case of the source's names."""
    roots = []
    for number, (bring, source) in enumerate([(_one_way, SOURCE), (_another, azure_place("SUB", "group", "Source"))]):
        with Archive.create(tmp_path / str(number), source) as archive:
            _listed(archive, iter([R1, R2] if number else [R2, R1]))
            bring(archive)
            found = check(archive)
            assert found.damages == ()
            roots.append(found.content.kept)

    assert len({*roots}) == 1


@pytest.mark.parametrize(
    "row",
    [(0, 100, (1,)), (0, 100, (1.5,)), (1, 100, (1.0,)), (None, 100, (1.0,)), (0, 101, (1.0,)), (0, 100, (True,))],
)
def test_every_value_has_a_root_of_its_own(tmp_path: Path, row: Any) -> None:
    """Also where Python calls two values equal."""
    roots = []
    for number, one in enumerate([(0, 100, (1.0,)), row]):
        with Archive.create(tmp_path / str(number), SOURCE) as archive:
            _listed(archive, iter([R1]))
            extracted(archive, Run(id=R1, experiment="e"), Points.of(LOSS, [one]))
            roots.append(archive.content_root())

    assert len({*roots}) == 2


def test_a_run_that_shares_a_file_is_told_when_it_is_another(folder: Path) -> None:
    """Its digest is renewed with its row."""
    place = FILES[0].location
    with Archive.open(folder) as archive:
        extracted(archive, Run(id=R2, parent=R1, experiment="e"), files=(FILES[0],))
        archive.retake(Location(place.datastore, place.path), None, "404")

        assert check(archive).damages == ()
        assert [one.gone for one in archive.artifacts(R2)] == ["404"]
