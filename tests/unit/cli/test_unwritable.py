"""Where a command is told to write and cannot, it says so before it does anything: exit code 2, nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from azureml_replay.cli.app import app
from azureml_replay.cli.listing import listing_flags
from azureml_replay.disk.outputs import refuse_unwritable
from azureml_replay.errors import UserError
from azureml_replay.terminal import log_file
from extractor.extract_jobs import app as extract_jobs
from mltable_yaml_migrator.export_yaml import app as export_yaml
from mltable_yaml_migrator.import_yaml import app as import_yaml
from replayer.build_pipeline import app as build_pipeline

NOWHERE = "/proc/nope/x"
NAMES = {"--format": "jsonl"}


def commands() -> Iterator[tuple[str, typer.Typer, list[str]]]:
    """Every command that logs, with a word for all that it needs."""
    for name, one in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        yield name, app, [name, *needed(one)]
    old = {"extract_jobs": extract_jobs, "build_pipeline": build_pipeline}
    for name, seed in {**old, "export_yaml": export_yaml, "import_yaml": import_yaml}.items():
        yield name, seed, needed(typer.main.get_command(seed))


def needed(command: Any) -> list[str]:
    words = []
    for one in command.params:
        if one.required:
            name = one.opts[0]
            words += ["word"] if one.param_type_name == "argument" else [name, NAMES.get(name, "word")]
    return words


COMMANDS = [one for one in commands() if one[0] != "help"]
"""Those that log: all but the one that shows how the others are typed."""


@pytest.mark.parametrize(("name", "of", "words"), COMMANDS, ids=[name for name, *_ in COMMANDS])
def test_a_log_file_that_cannot_be_written_stops_each_command(
    name: str, of: typer.Typer, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    ended = CliRunner().invoke(of, [*words, "--log-file", NOWHERE])

    assert isinstance(ended.exception, UserError), (name, ended.output)
    assert str(ended.exception).startswith(f"--log-file {NOWHERE} cannot be written: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["report", "archive"], "--output"),
        (["report", "archive", "--shards"], "--output"),
        (["export", "archive", "--format", "jsonl"], "--output"),
        (["export", "archive", "--format", "seed-json"], "--output"),
        (["migrate", "--source", "s/g/a", "--target", "s/g/b", "--archive", "new"], "--report"),
    ],
)
def test_an_output_that_cannot_be_written_stops_before_the_work(
    command: list[str], option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration may take a day: not at its end. Nobody logs in, no archive is opened or made."""
    monkeypatch.chdir(tmp_path)

    ended = CliRunner().invoke(app, [*command, option, NOWHERE])

    assert isinstance(ended.exception, UserError), ended.output
    assert str(ended.exception).startswith(f"{option} {NOWHERE} cannot be written: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("of", "command", "output"),
    [
        (app, ["migrate", "--source", "s/g/a", "--target", "t.json", "--archive", "new"], "--report"),
        (app, ["verify", "archive", "--target", "t.json"], "--combined"),
        (app, ["verify", "archive", "--target", "s/g/b", "--include-file", "t.json"], "--differ"),
        (app, ["doctor", "--source", "t.json"], "--log-file"),
        (extract_jobs, ["--source", "t.json"], "--output"),
    ],
)
def test_an_output_never_replaces_what_is_read(
    of: typer.Typer, command: list[str], output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also through a link: the configuration of a workspace was lost, and the next command could not begin."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.json").write_text("kept")
    (tmp_path / "link.json").symlink_to("t.json")

    for name in ("t.json", "link.json"):
        ended = CliRunner().invoke(of, [*command, output, name])
        assert isinstance(ended.exception, UserError), ended.output
        assert str(ended.exception).startswith(f"{output} {name} is the file that --")
    assert (tmp_path / "t.json").read_text() == "kept"


def test_so_does_the_original_tools_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    ended = CliRunner().invoke(extract_jobs, ["--source", "s/g/a", "--output", NOWHERE])

    assert isinstance(ended.exception, UserError), ended.output
    assert str(ended.exception).startswith(f"--output {NOWHERE} cannot be written: ")


def test_asking_leaves_everything_as_it_was(tmp_path: Path) -> None:
    """A file its content, a pipe its reader, a missing folder missing."""
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("not-yet")
    (tmp_path / "to-file").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    before = sorted(one.name for one in tmp_path.iterdir())

    for name in ("file", "new", "a/b/c", "dangling", "to-file", "pipe"):
        refuse_unwritable(tmp_path / name, "--output")
    for name in ("folder", "new", "a/b/c"):
        refuse_unwritable(tmp_path / name, "--output", folder=True)
    refuse_unwritable(Path("/dev/full"), "--output")
    for name, folder in (("folder", False), ("file", True), ("file/x", False), ("x" * 300, False), ("file/x", True)):
        with pytest.raises(UserError, match=r"^--output .*(directory|folder|written)"):
            refuse_unwritable(tmp_path / name, "--output", folder=folder)

    assert sorted(one.name for one in tmp_path.iterdir()) == before
    assert (tmp_path / "file").read_text() == "old"
    assert list((tmp_path / "folder").iterdir()) == []
    writing = os.open(tmp_path / "pipe", os.O_WRONLY)
    os.write(writing, b"x")
    assert os.read(reading, 9) == b"x"
    os.close(writing)
    os.close(reading)


def test_a_pipe_that_nobody_reads_is_no_log(tmp_path: Path) -> None:
    """The first line would wait for ever; one that somebody reads gets its lines."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match=r"--log-file .*pipe cannot be written: "):
        log_file.start(tmp_path / "pipe", verbose=False, tell=print, asked=True)
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)

    log_file.start(tmp_path / "pipe", verbose=False, tell=print, asked=True)
    log_file.LOGGER.error("told")
    log_file.stop()

    assert b"told" in os.read(reading, 999)
    os.close(reading)


def test_a_named_log_that_breaks_is_told_to_those_who_want_no_messages() -> None:
    """A full disk is noticed with the first line."""
    messages, warnings = list[str](), list[str]()
    log_file.start(Path("/dev/full"), verbose=False, tell=messages.append, asked=True, warn=warnings.append)

    log_file.LOGGER.error("told")
    log_file.stop()

    assert (messages, warnings) == ([], ["no log file: /dev/full: writing failed"])


def test_two_lists_are_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where one of them is a link: the second would replace the first."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.csv").symlink_to("all.csv")

    with pytest.raises(UserError, match="are the same file: name two"):
        listing_flags(combined=Path("all.csv"), differ=Path("link.csv"))
