"""The one way to write a file: links stay, devices stay, permissions are the owner's, and nothing is half there."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import workspace_config
from azureml_replay.disk import outputs
from azureml_replay.disk.outputs import new_text, private_folder
from azureml_replay.errors import UserError
from azureml_replay.formats.jobs_json.write import write_jobs
from azureml_replay.formats.tables import export
from azureml_replay.model import CodeReference, Location, StoredFile
from azureml_replay.report_page import report
from azureml_replay.terminal import log_file
from unit.archive.full import SOURCE, TARGET, WEIGHTS, full

Write = Callable[[Archive, Path], object]
WRITERS: dict[str, Write] = {
    "report": lambda archive, path: report(archive, path, target=TARGET),
    "jobs.json": write_jobs,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full(tmp_path_factory.mktemp("outputs") / "archive")


@pytest.fixture
def archive(folder: Path) -> Iterator[Archive]:
    with Archive.open(folder, write=False) as opened:
        yield opened


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_link_stays_and_what_it_leads_to_is_written(archive: Archive, tmp_path: Path, write: Write) -> None:
    """Also where that is not there yet."""
    (tmp_path / "real").mkdir()
    for old in (True, False):
        place, link = tmp_path / "real" / f"{old}.out", tmp_path / f"{old}.link"
        link.symlink_to(Path("real") / place.name)
        if old:
            place.write_text("old")

        write(archive, link)

        assert link.is_symlink()
        assert place.read_text() not in ("", "old")
    assert sorted(one.name for one in (tmp_path / "real").iterdir()) == ["False.out", "True.out"]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_an_archives_own_files_are_never_replaced(archive: Archive, tmp_path: Path, write: Write) -> None:
    """Nor through a link, nor where a copy of the database has another name; a file beside them is written."""
    own = archive.folder / "archive.db"
    (archive.folder / "artifacts").mkdir(exist_ok=True)
    (tmp_path / "link").symlink_to(own)
    (tmp_path / "copy").write_bytes(own.read_bytes())
    before = own.read_bytes()
    for place in (
        own,
        tmp_path / "link",
        tmp_path / "copy",
        archive.folder / "artifacts" / "x",
        own.with_name("archive.lock"),
    ):
        with pytest.raises(UserError, match="is a file of an archive, which nothing replaces"):
            write(archive, place)
    assert own.read_bytes() == before

    write(archive, archive.folder / "beside.out")
    assert (archive.folder / "beside.out").exists()


def test_a_pipe_that_nobody_reads_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "_READER_WITHIN_S", 0.0)
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(UserError, match="is a pipe that nobody reads"), new_text(tmp_path / "pipe"):
        raise AssertionError


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_pipe_and_a_device_are_written_into(archive: Archive, tmp_path: Path, write: Write) -> None:
    os.mkfifo(tmp_path / "pipe")
    got: list[str] = []
    reading = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_text()))
    reading.start()

    write(archive, tmp_path / "pipe")
    reading.join()

    write(archive, tmp_path / "page")
    page = (tmp_path / "page").read_text()  # it says when it was made
    assert [(text[:200], text[-9:]) for text in got] == [(page[:200], page[-9:])]
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_full_device_stays_a_device(archive: Archive, tmp_path: Path, write: Write) -> None:
    """Its link here: as root the device itself was replaced."""
    (tmp_path / "full").symlink_to("/dev/full")

    with pytest.raises(OSError, match="No space left"):
        write(archive, tmp_path / "full")

    assert (tmp_path / "full").is_symlink()
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_folder_is_refused(archive: Archive, tmp_path: Path, write: Write) -> None:
    with pytest.raises(UserError, match="is a folder: name a file"):
        write(archive, tmp_path)


PRINTS = """
import sys
from pathlib import Path
from azureml_replay.disk.outputs import new_text
print("before", flush=True)
with new_text(Path("/dev/stdout")) as file:
    file.write("written\\n")
print("after")
"""


def test_standard_output_is_printed_into_wherever_it_leads(tmp_path: Path) -> None:
    """A file behind `>` stays the one that the shell opened."""
    with (tmp_path / "out").open("w") as out:
        subprocess.run([sys.executable, "-c", PRINTS], stdout=out, check=True)

    assert (tmp_path / "out").read_text() == "before\nwritten\nafter\n"


def test_a_failure_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    with pytest.raises(UnicodeEncodeError), new_text(tmp_path / "a") as file:
        file.write("half \ud800")

    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a", "old")]


def test_what_is_written_is_its_owners_alone(archive: Archive, tmp_path: Path, umask: None) -> None:
    """Pages, exports, the seed's file, logs and their folder; a file that was there keeps what it had."""
    report(archive, tmp_path / "page.html", target=TARGET)
    report(archive, tmp_path / "pages", target=TARGET, shards=True)
    export(archive, tmp_path / "tables", "jsonl")
    export(archive, tmp_path / "jobs.json", "seed-json")
    log = log_file.LogFile(tmp_path / "logs" / "a.log", print)
    log.emit(log_file.logging.makeLogRecord({"msg": "caf\udce9"}))
    log.close()

    made = {one.relative_to(tmp_path): mode(one) for one in tmp_path.rglob("*")}
    assert {mode for path, mode in made.items() if (tmp_path / path).is_dir()} == {0o700}
    assert {mode for path, mode in made.items() if (tmp_path / path).is_file()} == {0o600}
    assert (tmp_path / "logs" / "a.log").read_text() == "caf\\udce9\n"

    (tmp_path / "page.html").chmod(0o644)
    report(archive, tmp_path / "page.html", target=TARGET)
    assert mode(tmp_path / "page.html") == 0o644


def test_an_archive_is_its_owners_alone(tmp_path: Path, umask: None) -> None:
    full(tmp_path / "archive")

    made = [tmp_path / "archive", *(tmp_path / "archive").rglob("*")]
    assert {(one.is_dir(), mode(one)) for one in made} == {(True, 0o700), (False, 0o600)}


@pytest.mark.parametrize("name", ["archive.lock", "archive.db", "artifacts", "artifacts/partial"])
def test_a_link_inside_an_archive_is_refused(tmp_path: Path, name: str) -> None:
    full(tmp_path / "archive")
    link = tmp_path / "archive" / name
    link.rename(tmp_path / "elsewhere") if link.exists() else None
    link.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UserError, match=f"{name} is a link"):
        Archive.open(tmp_path / "archive")


def test_a_link_in_place_of_an_object_is_not_written_through(tmp_path: Path) -> None:
    """The code of a snapshot, on its way."""
    (tmp_path / "victim").write_text("mine")
    with Archive.open(full(tmp_path / "archive")) as archive:
        place = archive.code_file(CodeReference(snapshot="s"))
        place.unlink()
        place.symlink_to(tmp_path / "victim")
        archive.code_file(CodeReference(snapshot="s"))

    assert (tmp_path / "victim").read_text() == "mine"
    assert not place.is_symlink()


def test_missing_folders_are_made_private(tmp_path: Path, umask: None) -> None:
    assert mode(private_folder(tmp_path / "a" / "b")) == mode(tmp_path / "a") == 0o700
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        private_folder(tmp_path / "file")


class Windows:
    """What Windows does otherwise, one by one."""

    @staticmethod
    def replace_of_an_open_file(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Access is denied")


def test_a_file_that_is_open_elsewhere_is_not_replaced_on_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page.html").write_text("old")
    monkeypatch.setattr(Path, "replace", Windows.replace_of_an_open_file)

    with pytest.raises(UserError, match="close the program that has it open"), new_text(tmp_path / "page.html") as file:
        file.write("new")

    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("page.html", "old")]


def test_an_object_that_is_being_read_stays_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is its digest: what came has the same bytes."""
    with Archive.open(full(tmp_path / "archive")) as archive:
        again = StoredFile(location=Location("store", "other"), size_bytes=len(WEIGHTS), etag="0x2")
        monkeypatch.setattr(Path, "replace", Windows.replace_of_an_open_file)
        with archive.incoming(again) as incoming:
            incoming.add(WEIGHTS)
            held = archive.keep(incoming)
        assert held.file.read_bytes() == WEIGHTS
        assert not incoming.file.exists()

        new = StoredFile(location=Location("store", "new"), size_bytes=1, etag="0x3")
        with archive.incoming(new) as incoming:
            incoming.add(b"x")
            with pytest.raises(PermissionError):
                archive.keep(incoming)


@pytest.mark.parametrize(("long_paths", "refused"), [(0, True), (1, False)])
def test_a_folder_that_is_too_deep_for_windows_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long_paths: int, refused: bool
) -> None:
    ntdll = SimpleNamespace(RtlAreLongPathsEnabled=lambda: long_paths)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(ntdll=ntdll), raising=False)
    monkeypatch.setattr(outputs.sys, "platform", "win32")
    deep = tmp_path / ("d" * 100) / ("e" * 80)

    outputs.refuse_long(tmp_path / "short", 20)
    if refused:
        with pytest.raises(UserError, match="Windows allows: name a folder with at most 182"):
            outputs.refuse_long(deep, 76)
    else:
        outputs.refuse_long(deep, 76)


def test_a_drive_letter_is_no_name_of_a_workspace() -> None:
    """As Windows writes paths, with either slash."""
    for text in ("C:\\azure\\source.json", "C:/azure/source.json"):
        with pytest.raises(UserError, match="no such file"):
            workspace_config(text)
    with pytest.raises(UserError, match="subscription_id is 'C:'"):
        workspace_config("C:/azure/ws")


def test_the_bytes_lie_on_another_disk_where_they_were_put(tmp_path: Path) -> None:
    """In a folder of their own there; any other link in that place is refused, also one that leads nowhere."""
    (tmp_path / "disk").mkdir()
    Archive.create(tmp_path / "archive", SOURCE, objects=tmp_path / "disk").close()
    full(tmp_path / "archive")
    (place,) = (tmp_path / "disk").iterdir()
    assert sum(one.read_bytes() == WEIGHTS for one in place.rglob("*") if one.is_file()) == 1

    with Archive.create(tmp_path / "archive", SOURCE, objects=tmp_path / "disk") as archive:
        archive.sweep()
        archive.check()
    with pytest.raises(UserError, match=r"lie in .* already"):
        Archive.create(tmp_path / "archive", SOURCE, objects=tmp_path)
    assert {mode(one) for one in place.rglob("*") if one.is_file()} == {0o600}

    place.rename(tmp_path / "unmounted")
    with pytest.raises(UserError, match=r"artifacts is a link to .* mount that disk"):
        Archive.open(tmp_path / "archive")


def test_bytes_that_are_there_are_not_moved(tmp_path: Path) -> None:
    full(tmp_path / "archive")

    with pytest.raises(UserError, match="already: leave the option out"):
        Archive.create(tmp_path / "archive", SOURCE, objects=tmp_path / "disk")
