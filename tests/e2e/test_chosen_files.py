"""Which files go is chosen once: verify knows what the last replay into a target was told."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from azureml_replay.cli import run
from azureml_replay.errors import Exit
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile


@pytest.fixture
def kept(small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, monkeypatch) -> str:
    """An archive of three runs with a file each: two of 48 bytes, and an empty one."""
    monkeypatch.chdir(tmp_path)
    assert run(["extract", "--source", str(small_history.path), "--archive", "kept"]) == Exit.OK
    return "kept"


def test_verify_goes_by_what_the_last_replay_was_told(
    kept: str, small_history: WorkspaceFile, calm: Sandbox, capsys
) -> None:
    """What it left out is an omission, without a flag; with flags of its own, or after another replay, not."""
    target = str(calm.add_workspace().path)
    ends = ["--target", target, "--source", str(small_history.path)]
    cases = [
        (["--files", "*notes*", "--max-file-size", "1KB"], 1, "left out by --files"),
        (["--max-file-size", "10"], 2, "left out by --max-file-size"),
        (["--artifact-budget", "40"], 2, "left out by --artifact-budget"),
        (["--no-artifacts"], 3, "left out by --no-artifacts"),
        ([], 0, None),
    ]

    for flags, left, reason in cases:
        assert run(["replay", kept, *ends, *flags]) == Exit.OK
        capsys.readouterr()
        code = run(["verify", kept, "--target", target, "--json"])
        said = capsys.readouterr()
        verdict = json.loads(said.out)
        assert (code, verdict["findings"]) == (Exit.OK, 0), said
        assert {why: count for why, count in verdict["reasons"].items() if "left out" in why} == (
            {reason: left} if reason else {}
        )
        told = [line for line in said.err.splitlines() if "as replayed" in line]
        assert told == ([f"files as replayed: {shlex.join(flags)}"] if flags else [])


def test_flags_of_its_own_come_first(kept: str, small_history: WorkspaceFile, calm: Sandbox, capsys) -> None:
    """`--files '*'` asks for every file whatever was replayed: those left out are findings then."""
    target = str(calm.add_workspace().path)
    replaying = ["replay", kept, "--target", target, "--source", str(small_history.path), "--files", "*notes*"]
    assert run(replaying) == Exit.OK
    capsys.readouterr()

    assert run(["verify", kept, "--target", target, "--files", "*"]) == Exit.FINDINGS
    assert "files as replayed" not in capsys.readouterr().err


def test_status_says_how_many_files_bytes_are_kept(
    kept: str, small_history: WorkspaceFile, azure_env: dict[str, str], capsys
) -> None:
    """None of a list; all after a download."""
    capsys.readouterr()
    run(["status", kept])
    before = capsys.readouterr().out
    run(["extract", "--source", str(small_history.path), "--archive", kept, "--artifacts", "download"])
    capsys.readouterr()
    run(["status", kept, "--json"])
    after = json.loads(capsys.readouterr().out)["totals"]

    assert "files whose bytes are kept here: 0 of 3" in before
    assert (after["files_kept"], after["files"]) == (3, 3)
