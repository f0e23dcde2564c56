"""Files that never end, are no files, or are no text: one line that says so, in time."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import workspace_config
from azureml_replay.cli.options import selection_flags
from azureml_replay.disk import inputs
from azureml_replay.disk.inputs import text_of
from azureml_replay.errors import UserError
from azureml_replay.formats.jobs_json.index import JobsIndex
from azureml_replay.formats.jobs_json.scan import scan
from azureml_replay.formats.jobs_json.source import import_jobs
from azureml_replay.formats.jobs_json.write import write_jobs
from unit.formats.jobs_json.test_jobs_json import SOURCE, original


def read(path: Path, **options: object) -> str:
    return text_of(path, most_bytes=1_000, what="one run id a line", **options)  # type: ignore[arg-type]


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe.json")
    return tmp_path / "pipe.json"


READERS: dict[str, Callable[[Path], object]] = {
    "config": lambda path: workspace_config(str(path)),
    "jobs.json": lambda path: list(scan(path)),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_what_is_no_file_is_refused_at_once(pipe: Path, reader: Callable[[Path], object]) -> None:
    for path in (pipe, Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(UserError, match="is no regular file") as raised:
            reader(path)
        assert str(path) in str(raised.value)


def test_a_device_without_an_end_is_read_to_the_bound() -> None:
    with pytest.raises(UserError, match="--include-file /dev/zero has more than 64,000,000 bytes"):
        selection_flags(include_file=Path("/dev/zero"))


def test_a_config_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"/" * 30_000_000)

    with pytest.raises(UserError, match="has more than 1,000,000 bytes: expected a config"):
        workspace_config(str(tmp_path / "config.json"))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", [b"/* ", b'\\"', b'"', b",", b", ", b"/"])
def test_no_config_within_the_bound_takes_long(tmp_path: Path, piece: bytes) -> None:
    """A beginning without an end, again and again: what looks for the end from each of them takes hours."""
    (tmp_path / "config.json").write_bytes(b"{" + piece * (999_000 // len(piece)))

    with pytest.raises(UserError, match="not JSON"):
        workspace_config(str(tmp_path / "config.json"))


def test_a_pipe_of_ids_is_read_to_its_end(pipe: Path) -> None:
    """Also in pieces, and where it is opened before anybody writes."""

    def write() -> None:
        with pipe.open("w") as into:
            for name in ("a\n", "b # best\n"):
                into.write(name)
                into.flush()

    writing = threading.Timer(0.05, write)
    writing.start()

    assert selection_flags(include_file=pipe).include == ("a", "b")
    writing.join()


def test_whoever_waits_is_told_for_what(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "SAID_AFTER_S", 0.01)
    monkeypatch.setattr(inputs, "PATIENCE_S", 0.1)
    told: list[str] = []

    with pytest.raises(UserError, match="did not end within"):
        read(pipe, pipe=True, tell=told.append)

    assert told == [f"waiting for {pipe}"]


def test_windows_reads_without_polls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs.sys, "platform", "win32")
    monkeypatch.setattr(inputs, "_AT_ONCE", 0)
    (tmp_path / "ids.txt").write_bytes(b"\xef\xbb\xbfa\r\nb\r\n")

    assert read(tmp_path / "ids.txt", pipe=True).split() == ["a", "b"]


def test_no_text(tmp_path: Path) -> None:
    (tmp_path / "ids").write_bytes(b"\xff\xfea\x00")

    with pytest.raises(UserError, match="is not UTF-8 text: expected one run id a line"):
        read(tmp_path / "ids")


def undecodable(name: bytes) -> str:
    return os.fsdecode(name + b"\xff")


async def test_any_bytes_are_a_path_and_an_argument(tmp_path: Path) -> None:
    """Whatever the system allows: folders, files, patterns, and the command line that is kept."""
    folder, jobs = tmp_path / undecodable(b"archive"), tmp_path / undecodable(b"jobs")
    jobs.write_text(json.dumps([original("a")]))
    with Archive.create(folder, SOURCE, redact=[undecodable(b"pattern")]) as archive:
        archive.log_command(["azureml-replay", "plan", str(folder)])
        await import_jobs(JobsIndex(jobs), archive, None)
    with Archive.open(folder, write=False) as archive:
        write_jobs(archive, tmp_path / undecodable(b"out"))
        known = archive.imported()

    assert known is not None
    assert known.file.endswith("jobs\\udcff")
    assert json.loads((tmp_path / undecodable(b"out")).read_text())[0]["name"] == "a"
