"""The folder: made, opened, locked, damaged, full, killed. Each trouble has its own message and harms nothing."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import FileItem
from azureml_replay.archive.receipts import State
from azureml_replay.azure.place import azure_place
from azureml_replay.errors import IntegrityError, UserError
from azureml_replay.model import Points, Run, RunDetails, RunId, Series, SeriesKey
from old_archives import unpacked

SOURCE, OTHER = azure_place("sub", "group", "source"), azure_place("sub", "group", "other")
R1 = RunId("r1")
LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),))

WRITER = """
    import sys
    from pathlib import Path
    from azureml_replay.archive.archive import Archive
    from azureml_replay.archive.items import FileItem
    from azureml_replay.archive.receipts import State
    from azureml_replay.model import *
    from azureml_replay.azure.place import azure_place

    source = azure_place("sub", "group", "source")
    loss = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),))
    archive = Archive.create(Path(sys.argv[1]), source)
    archive.put_listed([Run(id=RunId(f"r{at}"), status="Running") for at in range(50)])
    archive.select([RunId(f"r{at}") for at in range(50)])
    print("ready", flush=True)
    for turn in range(10**9):
        for run in archive.pending_ids():
            archive.begin(run)
            archive.put_details(RunDetails(run=Run(id=run, status="Running")))
            for seq in range(3):
                archive.put_chunk(run, [Points.of(loss, [(at, seq, (float(turn),)) for at in range(100)])])
            archive.complete(run)
            archive.ledger(source).mark(run, [FileItem(f"turn {turn}")], State.SENT)
            print("done", run, turn, flush=True)
        archive.put_listed([Run(id=RunId(f"r{at}"), status="Running") for at in range(50)])
"""


def writer(folder: Path) -> subprocess.Popen[str]:
    code = textwrap.dedent(WRITER)
    return subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout
    return [process.stdout.readline().strip() for _ in range(count)]


@pytest.mark.parametrize("turns", [1, 20, 77, 130])
def test_a_killed_writer_leaves_a_whole_archive_without_a_lock(tmp_path: Path, turns: int) -> None:
    """Every acknowledged run is whole, of one generation, and its receipt is there; a reader works all the while."""
    folder = tmp_path / "archive"
    with writer(folder) as process:
        acknowledged = lines(process, turns + 1)[1:]
        with pytest.raises(UserError, match=f"in use by another command \\(process {process.pid}\\)"):
            Archive.open(folder)
        with Archive.open(folder, write=False) as reader:
            assert reader.totals().runs == 50
        process.kill()

    with Archive.open(folder) as archive:
        archive.check()
        for line in acknowledged:
            _, run, turn = line.split()
            values = [points.values[0] for points in archive.points(RunId(run), LOSS.key)]
            assert len(values) == 3
            assert len({value for column in values for value in column}) == 1
            assert values[0][0] >= float(turn)
            assert archive.ledger(SOURCE).receipt(RunId(run), FileItem(f"turn {turn}"))
        for run in list(archive.pending_ids())[:1]:
            archive.begin(run)
            archive.put_details(RunDetails(run=Run(id=run)))
            archive.complete(run)


def test_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Whether we made it or found it empty."""
    (tmp_path / "found").mkdir(mode=0o755)

    for folder in (tmp_path / "deep" / "made", tmp_path / "found"):
        Archive.create(folder, SOURCE).close()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "archive.db").stat().st_mode) == 0o600


def test_creating_it_again_opens_it_whatever_the_case_of_the_names(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "a", SOURCE) as archive:
        archive.put_listed([Run(id=R1)])
    with Archive.create(tmp_path / "a", azure_place("SUB", "Group", "Source")) as archive:
        assert archive.source == SOURCE
        assert [row.id for row in archive.listing()] == [R1]
    with Archive.open(tmp_path / "a", write=False) as archive:
        assert archive.source == SOURCE


def test_an_archive_of_another_workspace_is_refused_by_both_names(tmp_path: Path) -> None:
    Archive.create(tmp_path / "a", SOURCE).close()

    with pytest.raises(UserError, match=f"holds the workspace {SOURCE}, not {OTHER}"):
        Archive.create(tmp_path / "a", OTHER)
    Archive.open(tmp_path / "a").close()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "a", SOURCE):
        with pytest.raises(UserError, match="in use"):
            Archive.create(tmp_path / "a", SOURCE)
        with pytest.raises(UserError, match="in use"):
            Archive.open(tmp_path / "a")
    Archive.open(tmp_path / "a").close()


def test_a_reader_writes_nothing(tmp_path: Path) -> None:
    Archive.create(tmp_path / "a", SOURCE).close()
    before = (tmp_path / "a" / "archive.db").read_bytes()

    with Archive.open(tmp_path / "a", write=False) as archive:
        assert archive.ledger(OTHER).progress().runs_created == 0
        assert archive.ledger(OTHER).probe() is None
        with pytest.raises(UserError, match="cannot be written"):
            archive.put_listed([Run(id=R1)])

    assert (tmp_path / "a" / "archive.db").read_bytes() == before


@pytest.mark.parametrize("write", [True, False])
def test_what_is_no_archive_says_so(tmp_path: Path, write: bool) -> None:
    empty, foreign, stopped = tmp_path / "empty", tmp_path / "foreign", tmp_path / "stopped"
    for folder in (empty, foreign, stopped):
        folder.mkdir()
    with sqlite3.connect(foreign / "archive.db") as database:
        database.execute("create table other (x)")
    (stopped / "archive.db").touch()

    for folder in (tmp_path / "nowhere", empty):
        with pytest.raises(UserError, match=r"is not an archive: it has no archive\.db"):
            Archive.open(folder, write=write)
    for folder in (foreign, stopped):
        with pytest.raises(UserError, match="holds no archive"):
            Archive.open(folder, write=write)
    with pytest.raises(UserError, match="holds no archive"):
        Archive.create(foreign, SOURCE)
    Archive.create(stopped, SOURCE).close()


def test_a_folder_with_other_things_is_not_made_an_archive(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    mode = tmp_path.stat().st_mode

    with pytest.raises(UserError, match=r"holds other things \(thesis\.tex"):
        Archive.create(tmp_path, SOURCE)
    assert tmp_path.stat().st_mode == mode


def test_a_place_that_cannot_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UserError, match="cannot be made"):
        Archive.create(tmp_path / "file", SOURCE)
    with pytest.raises(UserError, match="is not an archive"):
        Archive.open(tmp_path / "file")


@pytest.mark.parametrize("write", [True, False])
def test_an_archive_of_an_older_version_is_brought_forward(tmp_path: Path, write: bool) -> None:
    """Also by who only reads: an auditor has no source to extract from."""
    with Archive.open(unpacked(1, tmp_path / "archive"), write=write) as archive:
        names = archive.source.name.split("/")
        assert (archive.source, archive.studio(SOURCE)) == (azure_place(*names), None)
        assert names[2] == "formats-source"


@pytest.mark.parametrize("write", [True, False])
def test_an_archive_of_a_newer_version_is_refused(tmp_path: Path, write: bool) -> None:
    with Archive.create(tmp_path / "a", SOURCE) as archive:
        archive._execute("update archive set format_version = 99")

    with pytest.raises(UserError, match="has format 99, this version reads up to"):
        Archive.open(tmp_path / "a", write=write)


def filled(folder: Path) -> None:
    with Archive.create(folder, SOURCE) as archive:
        archive.put_listed([Run(id=RunId(f"r{at}"), status="Completed") for at in range(200)])
        archive.select([RunId(f"r{at}") for at in range(200)])
        for run in archive.pending_ids():
            archive.begin(run)
            archive.put_details(RunDetails(run=Run(id=run)))
            archive.put_chunk(run, [Points.of(LOSS, [(step, step, (0.5 * step,)) for step in range(50)])])
            archive.complete(run)


def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    filled(tmp_path / "a")
    with (tmp_path / "a" / "archive.db").open("r+b") as file:
        file.write(b"\xff" * 100)

    for write in (True, False):
        with pytest.raises(IntegrityError, match="damaged"):
            Archive.open(tmp_path / "a", write=write)
    with pytest.raises(IntegrityError, match="damaged"):
        Archive.create(tmp_path / "a", SOURCE)


def test_overwritten_pages_are_damage(tmp_path: Path) -> None:
    filled(tmp_path / "a")
    database = tmp_path / "a" / "archive.db"
    with database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (database.stat().st_size - 4096))

    with pytest.raises(IntegrityError, match="damaged"), Archive.open(tmp_path / "a") as archive:
        archive.totals()
    with pytest.raises(IntegrityError, match="damaged"), Archive.open(tmp_path / "a", write=False) as archive:
        archive.check()


def test_a_changed_chunk_is_damage_named_by_run_and_chunk(tmp_path: Path) -> None:
    filled(tmp_path / "a")
    with Archive.open(tmp_path / "a") as archive:
        archive._execute("update chunk set data = cast(data || x'00' as blob) where run = 'r7'")

        with pytest.raises(IntegrityError, match="chunk 0 of run r7 is damaged"):
            list(archive.chunks(RunId("r7")))
        with pytest.raises(IntegrityError, match="chunk 0 of run r7 is damaged"):
            archive.check()
        assert len(list(archive.chunks(RunId("r8")))) == 1


def test_a_text_that_is_none_is_damage(tmp_path: Path) -> None:
    filled(tmp_path / "a")
    with Archive.open(tmp_path / "a") as archive:
        archive._execute("update series set columns = cast(x'ff' as text) where run = 'r7'")

        with pytest.raises(IntegrityError, match="damaged"):
            archive.series(RunId("r7"))


def test_a_changed_document_is_damage_named_by_run(tmp_path: Path) -> None:
    filled(tmp_path / "a")
    with Archive.open(tmp_path / "a") as archive:
        archive._execute("update run_version set record = x'00' where run = 'r7'")

        with pytest.raises(IntegrityError, match="document of run r7"):
            archive.run(RunId("r7"))


def test_a_full_disk_is_told_and_leaves_the_archive_usable(tmp_path: Path) -> None:
    """SQLite's own limit on pages gives the very error of a full disk."""
    filled(tmp_path / "a")
    with Archive.open(tmp_path / "a") as archive:
        before = archive.totals()
        archive._execute(f"pragma max_page_count = {archive._one('pragma page_count')[0]}")
        many = [(step, step, (step**0.5,)) for step in range(10_000)]

        def until_full() -> None:
            for _ in range(50):
                archive.put_chunk(R1, [Points.of(LOSS, many)])

        with pytest.raises(UserError, match=f"{tmp_path / 'a'}: the disk is full"):
            until_full()
        with pytest.raises(UserError, match="the disk is full"):
            archive.ledger(OTHER).mark(R1, [FileItem(f"item {at}") for at in range(10**5)], State.SENDING)

        assert archive.totals() == before
        assert archive.ledger(OTHER).receipts(R1) == {}
        archive._execute("pragma max_page_count = 1000000")
        archive.ledger(OTHER).mark(R1, [FileItem("item")], State.SENT)
        archive.begin(R1)
        archive.put_details(RunDetails(run=Run(id=R1)))
        archive.complete(R1)


def test_receipts_are_synced_to_the_disk_and_content_is_not(tmp_path: Path) -> None:
    """`full` (2) syncs each commit; with `normal` (1) a power cut may take the last commits, never the archive."""
    seen = []
    with Archive.create(tmp_path / "a", SOURCE) as archive:
        archive._db.set_trace_callback(seen.append)
        archive.put_listed([Run(id=R1)])
        archive.ledger(OTHER).mark(R1, [FileItem("item")], State.SENDING)
        archive._db.set_trace_callback(None)
        assert archive._one("pragma synchronous") == (1,)

    commits = [at for at, sql in enumerate(seen) if sql == "commit"]
    pragmas = [at for at, sql in enumerate(seen) if sql.startswith("pragma")]
    assert commits[0] < pragmas[0] < commits[1] < pragmas[1]
    assert [seen[at] for at in pragmas] == ["pragma synchronous = full", "pragma synchronous = normal"]
