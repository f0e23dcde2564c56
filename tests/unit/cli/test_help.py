"""What help says, and how: every option has its group, no line is wider than the terminal, every example works."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from azureml_replay.cli import command
from azureml_replay.cli.app import app
from azureml_replay.cli.examples import EXAMPLES, OTHER
from azureml_replay.cli.help import group_of, table
from azureml_replay.cli.reference import commands, help_of
from extractor.extract_jobs import app as extract_jobs
from mltable_yaml_migrator.export_yaml import app as export_yaml
from mltable_yaml_migrator.import_yaml import app as import_yaml
from replayer.build_pipeline import app as build_pipeline

GROUP: Any = typer.main.get_command(app)
EVERY = [pytest.param(GROUP.commands[name], id=name) for name in commands()] + [
    pytest.param(typer.main.get_command(old), id=old.registered_commands[0].callback.__name__)  # type: ignore[union-attr]
    for old in (extract_jobs, build_pipeline, export_yaml, import_yaml)
]


def told(*arguments: str, columns: int = 80) -> str:
    shown = CliRunner().invoke(app, arguments, prog_name="azureml-replay", env={"COLUMNS": str(columns)})
    assert shown.exit_code == 0, shown.output
    return shown.stdout


def test_what_does_everything_stands_first() -> None:
    assert commands()[:2] == ("migrate", "doctor")
    listed = [line.split()[0] for line in told("--help").split("Commands:\n")[1].split("\n\n")[0].splitlines()]
    assert [name for name in listed if name in commands()] == list(commands())


@pytest.mark.parametrize("one", EVERY)
def test_every_option_has_a_group_and_says_a_sentence(one: Any) -> None:
    """A new option says in `cli/examples.py` where it stands."""
    for parameter in one.params:
        assert group_of(parameter) != OTHER, parameter.name
        text = parameter.help or ""
        assert text[:1].isupper(), (parameter.name, text)
        assert text.endswith((".", "...")), (parameter.name, text)
        assert len(text.split()) > 2, (parameter.name, text)


def test_verbose_and_prefer_say_what_they_do_there() -> None:
    """A command that goes through no run one by one does not promise to tell of each."""
    after = {name: told(name, "--help").partition("--verbose ")[2].partition("--log-file")[0] for name in commands()}
    verbose = {name: " ".join(text.split()) for name, text in after.items()}
    of_runs = {"extract", "replay", "verify", "migrate", "undo"}
    assert {name for name, text in verbose.items() if "done of each run" in text} == of_runs
    assert "every check" in verbose["doctor"]
    for name in ("status", "check", "map", "plan", "report", "export"):
        assert "single runs" in verbose[name]
    assert "target lets the target's stay, source sends the source's" in " ".join(told("replay", "--help").split())


@pytest.mark.parametrize("name", ["", *commands()])
@pytest.mark.parametrize("columns", [40, 59, 60, 80, 200])
def test_help_is_as_wide_as_the_terminal(name: str, columns: int) -> None:
    """Lines to paste aside, and names that are longer by themselves; and nothing is cut."""
    said = told(*name.split(), "--help", columns=columns)
    wide = [line for line in said.splitlines() if len(line) > columns and len(line.split()) > 1]
    assert [line for line in wide if not line.startswith("  azureml-replay ")] == []
    assert "..." not in said.replace("[ARGS]...", "").replace("Canceled, ...", "")
    if columns == 200 and name == "migrate":
        assert any(len(line) > 120 for line in said.splitlines())


def test_the_three_ways_to_ask_are_one() -> None:
    """Also for a mistyped name, which is told what was meant."""
    assert told("migrate", "-h") == told("migrate", "--help") == told("help", "migrate")
    assert told("-h") == told("--help") == told("help")
    assert CliRunner().invoke(app, ["help", "migrat"]).exit_code == 2


def examples() -> Iterator[str]:
    assert set(EXAMPLES) == {"", *commands()}
    for lines in EXAMPLES.values():
        yield from lines


@pytest.mark.parametrize("line", examples())
def test_every_example_is_understood(line: str) -> None:
    words = shlex.split(line)
    assert words[0] == "azureml-replay"
    GROUP.commands[words[1]].make_context(words[1], words[2:])  # parses, and does nothing


def test_examples_stand_in_the_help() -> None:
    for name, lines in EXAMPLES.items():
        assert all(f"\n  {line}" in help_of(name) for line in lines)


def test_a_narrow_terminal_has_one_column() -> None:
    rows = [("--limit N", "Choose at most N root runs."), ("--json", "")]
    assert list(table(rows, 30)) == ["  --limit N", "      Choose at most N root", "      runs.", "  --json"]
    assert list(table(rows, 80)) == ["  --limit N  Choose at most N root runs.", "  --json"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("plan h --limt 3", "No such option: --limt: did you mean --limit? (see azureml-replay plan --help)"),
        ("plan h --limit 0", "Invalid value '0' for '--limit': it should be at least 1"),
        ("plan h --limit many", "Invalid value 'many' for '--limit': it should be a whole number"),
        ("extract --source a/b/c --archive k --parallel 1001", "'1001' for '--parallel': it should be at most 1000"),
        ("extract --source a/b/c --archive k --metrics some", "'some' is not one of 'full', 'last', 'none'"),
        ("plan h --created-after 2024-02-01 --created-before 2024-01-01", "2024-01-01 is not later than"),
        ("plan h --artifact-budget 9999999TB", "--artifact-budget 9999999TB: no storage"),
        ("migrat", "No such command 'migrat': did you mean 'migrate'?"),
    ],
)
def test_a_wrong_value_is_repeated_and_a_near_one_offered(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.run(line.split()) == 2
    assert said in capsys.readouterr().err


def test_help_loads_little() -> None:
    """0.25 s of CPU, most of it typer's: what a command works with is loaded when it works."""
    asked = (
        "import sys; from azureml_replay.cli import run; run(['migrate', '--help'])\n"
        "print(*({'rich', 'aiohttp', 'azure.core', 'azure.identity', 'sqlite3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""
