"""`check` as it is typed, and the content root of one source, in whatever way it was extracted."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.cli import run
from azureml_replay.errors import Exit
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import sampled
from old_archives import unpacked


@pytest.fixture(scope="module")
def hostile(sandbox: Sandbox) -> WorkspaceFile:
    """Every oddity of the sample; changed by no test."""
    shape = Wanted(runs=4, children=3, experiments=1, seed=0, series=1, points=3, artifacts=1)
    return sampled(sandbox, shape, hostile=True)


def extracted(source: WorkspaceFile, folder: Path, *flags: str) -> str:
    """The content root afterwards; nothing in the archive is damaged."""
    line = ["extract", "--source", str(source.path), "--archive", str(folder), "--include-active", *flags]
    assert run([*line, "--quiet"]) == Exit.OK
    with Archive.open(folder, write=False) as archive:
        archive.check()
        return archive.content_root()


def test_one_source_has_one_content_root(
    hostile: WorkspaceFile, azure_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, or in two calls with the later half first; again without anything new, and everything read again."""
    monkeypatch.chdir(tmp_path)
    root = extracted(hostile, tmp_path / "whole", "--artifacts", "download", "--code")
    with Archive.open(tmp_path / "whole", write=False) as archive:
        units = list(archive.units())
    later = units[len(units) // 2 :]
    time.sleep(1.1)  # the moments at which a file is found to be gone differ

    first = extracted(hostile, tmp_path / "halves", "--include", ",".join(later), "--parallel", "1")
    second = extracted(hostile, tmp_path / "halves", "--artifacts", "download", "--code")
    again = extracted(hostile, tmp_path / "whole", "--artifacts", "download", "--code")
    anew = extracted(hostile, tmp_path / "whole", "--artifacts", "download", "--code", "--check-all")

    assert len(units) > 3
    assert first != root
    assert (second, again, anew) == (root, root, root)


def test_a_migration_leaves_a_good_archive(
    small_history: WorkspaceFile,
    sandbox: Sandbox,
    azure_env: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit 0 with both roots, as `status` has them; 4 with what is damaged. What is sent changes the proof alone."""
    monkeypatch.chdir(tmp_path)
    target = sandbox.add_workspace().path
    ends = ["--source", str(small_history.path), "--target", str(target)]
    assert run(["migrate", *ends, "--archive", "kept", "--artifacts", "download", "--quiet"]) == Exit.OK
    capsys.readouterr()

    assert run(["check", "kept", "--read-data", "--quiet"]) == Exit.OK
    good = capsys.readouterr().out
    assert "3 runs, 330 points, 3 file contents (102 B): all as it was written" in good
    content, proof = (line.split(" root ")[1].split()[0] for line in good.splitlines()[1:3])
    assert run(["status", "kept"]) == Exit.OK
    told = capsys.readouterr().out
    assert f"content root {content}" in told
    assert f"proof root {proof}" in told

    assert run(["verify", "kept", *ends, "--quiet"]) == Exit.OK
    assert run(["check", "kept", "--quiet"]) == Exit.OK
    after = capsys.readouterr().out
    assert content in after
    assert proof not in after

    assert run(["undo", "kept", "--target", str(target), "--yes", "--quiet"]) == Exit.OK
    assert run(["check", "kept", "--quiet"]) == Exit.OK
    with closing(sqlite3.connect("kept/archive.db")) as database, database:
        database.execute("delete from receipt where item = 'create'")
    capsys.readouterr()
    assert run(["check", "kept", "--quiet"]) == Exit.INTEGRITY
    bad = capsys.readouterr().out
    assert "3 damages found" in bad
    assert bad.count("receipt of run ") == 3


def test_an_older_archive_gets_its_roots_once_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, whichever command opens it first; they answer for what it holds then."""
    monkeypatch.chdir(tmp_path)
    unpacked(13, tmp_path / "kept")
    shutil.copytree("kept", "other")

    assert run(["status", "kept"]) == Exit.OK
    said = capsys.readouterr().err
    assert run(["check", "kept"]) == Exit.OK
    again = capsys.readouterr().err
    assert run(["check", "other", "--quiet"]) == Exit.OK

    assert said.count("is of an older format") == said.count("\n") == 1
    assert "is of an older format" not in again
    assert capsys.readouterr().err == ""
    assert not (tmp_path / "logs").exists()
