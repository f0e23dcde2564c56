"""Which files go is chosen once: verify knows what the last replay into a target was told."""

from __future__ import annotations

import json
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


@pytest.mark.parametrize(
    ("flags", "left", "reason"),
    [
        (["--files", "*notes*", "--max-file-size", "1KB"], 1, "left out by --files"),
        (["--max-file-size", "10"], 2, "left out by --max-file-size"),
        (["--artifact-budget", "40"], 2, "left out by --artifact-budget"),
        (["--no-artifacts"], 3, "left out by --no-artifacts"),
        ([], 0, None),
    ],
)
def test_verify_goes_by_what_was_to_be_carried(
    kept: str, small_history: WorkspaceFile, calm: Sandbox, capsys, flags: list[str], left: int, reason: str | None
) -> None:
    """What replay left out is an omission, without a flag of verify's own."""
    target = str(calm.add_workspace().path)
    assert run(["replay", kept, "--target", target, "--source", str(small_history.path), *flags]) == Exit.OK
    capsys.readouterr()

    code = run(["verify", kept, "--target", target, "--json"])

    said = capsys.readouterr()
    verdict = json.loads(said.out)
    assert (code, verdict["findings"]) == (Exit.OK, 0), said
    assert {why: count for why, count in verdict["reasons"].items() if "left out" in why} == (
        {reason: left} if reason else {}
    )


def test_what_was_carried_once_stays_to_be_carried(
    kept: str, small_history: WorkspaceFile, calm: Sandbox, capsys
) -> None:
    """Two replays of different files; a third without any: verify compares what either carried."""
    target = str(calm.add_workspace().path)
    for flags in (["--files", "*notes*"], ["--max-file-size", "10"], ["--no-artifacts"]):
        assert run(["replay", kept, "--target", target, "--source", str(small_history.path), *flags]) == Exit.OK
    capsys.readouterr()

    assert run(["verify", kept, "--target", target, "--json"]) == Exit.OK

    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["files"] - verdict["own_files"], verdict["not_compared"]) == (3, 0)


def test_flags_of_verify_say_what_is_looked_at_now(kept: str, small_history: WorkspaceFile, calm: Sandbox) -> None:
    """They make nothing to be carried, and a part of the files proves nothing of the whole."""
    target = str(calm.add_workspace().path)
    replaying = ["replay", kept, "--target", target, "--source", str(small_history.path), "--files", "*notes*"]
    assert run(replaying) == Exit.OK

    assert run(["verify", kept, "--target", target, "--files", "*"]) == Exit.SERVICE
    assert run(["verify", kept, "--target", target]) == Exit.OK
    assert run(["verify", kept, "--target", target, "--files", "*"]) == Exit.OK


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

    assert "3 files of the source (" in before
    assert "of which the archive keeps 0" in before
    assert (after["files_kept"], after["files"]) == (3, 3)
