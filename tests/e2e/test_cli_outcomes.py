"""What a whole command line tells and ends with: flags that change what is sent, and ends that are no success."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from azureml_replay.cli import run
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.tampering import change, fill
from e2e.test_sync import root_of, tag, team

ML = "Microsoft.MachineLearningServices/workspaces"


@pytest.fixture
def here(tmp_path: Path, azure_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where archives and logs of a test go."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_check_all_and_prefer_source_on_the_command_line(
    here: Path, calm: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tag changed on both sides: the target's stays, until the source is preferred; unchanged runs rest."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    migrate = ["migrate", "--source", str(source.path), "--target", str(target.path), "--archive", "kept", "--quiet"]
    extract = ["extract", "--source", str(source.path), "--archive", "kept", "--json", "--quiet"]

    assert run(migrate) == 0
    capsys.readouterr()
    assert (run(extract), json.loads(capsys.readouterr().out)["runs"]) == (0, 0)
    assert (run([*extract, "--check-all"]), json.loads(capsys.readouterr().out)["runs"]) == (0, 2)

    change(calm, source, tag(team="red"))
    change(calm, target, tag(team="green"))
    assert (run(migrate), team(root_of(calm, target))) == (5, "green")
    assert (run([*migrate, "--prefer", "source"]), team(root_of(calm, target))) == (0, "red")


@pytest.mark.parametrize(
    ("path", "covered"), [("/runs/child/", "1 of 2 runs equal, "), ("/runs/", "0 of 2 runs equal, ")]
)
def test_a_verdict_over_a_part_is_no_success(
    here: Path, calm: Sandbox, capsys: pytest.CaptureFixture[str], path: str, covered: str
) -> None:
    """One run's metrics, or all, cannot be read: migrate says so beside the verdict, and verify alone does too."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    refused = {"match": {"path": f"{path}.*list$|{path}.*full$", "workspace": source.workspace_name}}
    calm.set_faults([refused | {"do": "status", "status": 400}])
    ends = ["--target", str(target.path), "--quiet"]

    assert run(["migrate", "--source", str(source.path), "--archive", "kept", *ends]) == 3
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith(covered)
    assert "not compared" in told[1]
    assert "not extracted: extract again to continue" in " ".join(told[2:4])
    assert "could not be extracted: " in told[-1]

    assert run(["verify", "kept", *ends]) == 3
    assert capsys.readouterr().out.splitlines()[:2] == told[:2]


@pytest.mark.parametrize(
    ("command", "action", "role"),
    [
        ("extract", "read", "Reader"),
        ("extract", "jobs/read", "Reader"),
        ("extract", "datastores/read", "Reader"),
        ("migrate", "metadata/artifacts/write", "AzureML Data Scientist"),
        ("migrate", "experiments/runs/read", "Reader"),
    ],
)
def test_a_missing_role_is_the_last_line(
    small_history: WorkspaceFile,
    here: Path,
    calm: Sandbox,
    capsys: pytest.CaptureFixture[str],
    command: str,
    action: str,
    role: str,
) -> None:
    """Which action, which role, where, and what to do then; nothing behind it."""
    target = calm.add_workspace()
    denied = target if command == "migrate" else small_history
    calm.set_faults(denied=[{"workspace": denied.workspace_name, "action": f"{ML}/{action}"}])
    ends = ["--target", str(target.path)] if command == "migrate" else []

    assert run([command, "--source", str(small_history.path), "--archive", "kept", *ends]) == 2

    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    assert f"this login lacks {ML}/{action}: ask for the role {role} on the workspace" in last


def test_accept_shows_each_change_and_lists_go_into_files(
    here: Path, calm: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """Found, accepted, forgotten, on the command line: 5, 0, 5; what to do can be pasted."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    ends = ["--target", str(target.path), "--quiet"]
    assert run(["migrate", "--source", str(source.path), "--archive", "kept", *ends, "--combined", "all.jsonl"]) == 0
    change(calm, target, tag(team="green"))
    capsys.readouterr()

    assert run(["verify", "kept", *ends]) == 5
    told = capsys.readouterr().out.splitlines()
    assert ": 0 transfer faults; 1 change in the target since " in told[0]
    assert '└── "the root" (root): tag team: "blue" → "green"' in told
    again = next(line.split() for line in told if line.endswith("--accept"))
    assert again == ["azureml-replay", "verify", "kept", "--target", str(target.path), "--accept"]

    assert run([*again[1:], "--quiet", "--differ", "some.csv"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert ": equal but for 1 accepted change; " in told[0]
    assert told[-2].startswith("1 change accepted by ")
    assert told[-1] == '└── "the root" (root): tag team: "blue" → "green"'
    assert len(Path("some.csv").read_text().splitlines()) == 1, "the names of columns"
    assert {"equal"} == {json.loads(line)["verdict"] for line in Path("all.jsonl").read_text().splitlines()}

    assert run(["status", "kept", "--json", "--quiet"]) == 0
    (of_target,) = json.loads(capsys.readouterr().out)["targets"]
    assert (of_target["verdict"]["accepted"], of_target["verdict"]["findings"]) == (1, 0)
    assert run(["verify", "kept", *ends, "--forget-accepted", "--json"]) == 5
    (found,) = json.loads(capsys.readouterr().out)["first"]
    assert (found["text"], found["kind"]) == ('"the root" (root): tag team: "blue" → "green"', "edited in target")
    assert run(["verify", "kept", *ends, "--accept", "--forget-accepted"]) == 2
    assert run(["verify", "kept", *ends, "--combined", "-"]) == 2
