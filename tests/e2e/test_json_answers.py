"""What `--json` answers is what the reference page says, for every command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from azureml_replay.cli.app import app
from azureml_replay.cli.json_schema import json_schema
from azureml_replay.cli.reference import ANSWERS, commands, commands_page, json_page
from azureml_replay.report_page.write import BUNDLE
from azureml_replay.terminal.terminal import EventLine
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize(("page", "made"), [("commands.md", commands_page), ("json.md", json_page)])
def test_the_reference_is_what_the_commands_say(page: str, made: object) -> None:
    """Out of date: `python -m azureml_replay.cli.reference commands > docs/reference/commands.md`, and `json`."""
    assert (REFERENCE / page).read_text() == "\n".join(made())  # type: ignore[operator]


def test_every_command_has_its_answer_documented() -> None:
    assert {line.split()[0] for line in ANSWERS} == set(commands()) - {"help"}


def test_answers_have_the_documented_form(
    small_history: WorkspaceFile,
    calm: Sandbox,
    azure_env: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One migration in single steps, every command line that needs no compute."""
    monkeypatch.chdir(tmp_path)
    target = calm.add_workspace()
    ends = ["--source", small_history.path, "--target", target.path]
    given = {
        "extract": ["--source", small_history.path, "--archive", "kept"],
        "plan": ["kept"],
        "plan --mode synthetic": ["kept"],
        "replay --dry-run": ["kept", "--target", target.path],
        "replay --mode synthetic --dry-run": ["kept", "--target", target.path],
        "replay": ["kept", *ends],
        "verify": ["kept", *ends],
        "status": ["kept"],
        "status --failed": ["kept"],
        "assets": ["kept", "--target", target.path],
        "check": ["kept", "--read-data"],
        "migrate": ["--archive", "kept", *ends],
        "doctor": ends,
        "map": ["kept"],
        "export": ["kept", "--format", "jsonl", "--output", "tables"],
        "merge": ["kept", "copy"],
        "undo --dry-run": ["kept", "--target", target.path],
        "undo": ["kept", "--target", target.path, "--yes"],
        "report": ["kept"],
    }

    for line, arguments in given.items():
        if line == "report" and not (BUNDLE / "report.js").exists():
            continue  # without `make setup`
        if line == "merge":
            shutil.copytree("kept", "copy")
        ended = CliRunner().invoke(app, [*line.split(), *map(str, arguments), "--json"])

        assert ended.stdout.count("\n") == 1, (line, ended.output, ended.exception)
        for message in ended.stderr.splitlines():
            jsonschema.validate(json.loads(message), json_schema(EventLine))
        assert json.loads(ended.stderr.splitlines()[0])["text"] == line.split()[0], "what is done comes at once"
        jsonschema.validate(json.loads(ended.stdout), json_schema(ANSWERS[line]))
    assert set(ANSWERS) - set(given) == {"replay --mode synthetic", "browse"}, "held by test_synthetic, test_browse"
