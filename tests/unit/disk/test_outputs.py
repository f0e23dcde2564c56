"""The one way to write a file: links stay, devices stay, permissions are the owner's, and nothing is half there."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.disk.outputs import new_text, private_folder
from azureml_replay.errors import UserError
from azureml_replay.exports import export
from azureml_replay.jobs_json.write import write_jobs
from azureml_replay.report_page import report
from azureml_replay.terminal import log_file
from unit.archive.full import TARGET, full

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
def test_a_pipe_and_a_device_are_written_into(archive: Archive, tmp_path: Path, write: Write) -> None:
    os.mkfifo(tmp_path / "pipe")
    got: list[str] = []
    reading = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_text()))
    reading.start()

    write(archive, tmp_path / "pipe")
    reading.join()

    write(archive, tmp_path / "page")
    assert [len(text) for text in got] == [len((tmp_path / "page").read_text())]  # a page says when it was made
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
    from azureml_replay.model import CodeReference

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
