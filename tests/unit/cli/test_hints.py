"""What messages tell to type can be typed: every command line in the code is understood by the commands themselves."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import azureml_replay
from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import workspace_config
from azureml_replay.cli.app import app
from azureml_replay.cli.failures import doctor
from azureml_replay.cli.targets import target_config
from azureml_replay.errors import UserError
from azureml_replay.terminal.hints import hint

SRC = Path(azureml_replay.__file__).parent
GROUP: Any = typer.main.get_command(app)
QUOTED = re.compile(r"azureml-replay [a-z][^`]*")
NO_HINT = {
    "cli/examples.py": "examples, parsed by test_help",
    "cli/welcome.py": "the first commands, typed by test_cli_bad_input",
    "azure/leases.py": "a name that a lease bears",
    "cli/help.py": "the program's name",
}
"""Files whose lines are looked at elsewhere, or are none."""


def understood(line: str) -> None:
    """Parse a line as the command itself does; nothing is done."""
    words = shlex.split(line)
    assert words[0] == "azureml-replay", line
    GROUP.commands[words[1]].make_context(words[1], words[2:])


def strings(tree: ast.AST) -> Iterator[str]:
    """Texts of a module, with something in place of what is put in, docstrings aside."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    } | {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs | inside:
            yield node.value


def hints(tree: ast.AST) -> Iterator[list[str]]:
    """Arguments of calls of `hint` and of `….into`, which both name a command first."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        first = node.args[0] if node.args else None
        if name in ("hint", "into") and isinstance(first, ast.Constant):
            yield [ast.literal_eval(arg) if isinstance(arg, ast.Constant) else "x" for arg in node.args]


def test_no_message_spells_a_command_by_itself() -> None:
    """`hint` and `Typed` quote what they are given; a line that is written into a text is parsed here."""
    for path in SRC.rglob("*.py"):
        name = path.relative_to(SRC).as_posix()
        if name in NO_HINT or "node_modules" in path.parts:
            continue
        for text in strings(ast.parse(path.read_text())):
            for found in QUOTED.findall(text):
                if found.split()[1] in GROUP.commands:
                    understood(found)


def test_what_hint_is_given_is_understood() -> None:
    """Options included; a workspace or a folder that is put in may be any text."""
    seen = []
    for path in SRC.rglob("*.py"):
        for words in hints(ast.parse(path.read_text())):
            command = GROUP.commands[words[0]]
            options = [word for word in words[1:] if word.startswith("--")]
            assert set(options) <= {opt for param in command.params for opt in param.opts}, (path, words)
            seen.append(words[0])
    assert {"replay", "report", "doctor", "extract", "check", "migrate", "plan"} <= set(seen)


def test_doctor_is_named_with_the_ends_that_were_typed() -> None:
    told = doctor(["azureml-replay", "replay", "h", "--target", "my target.json", "--deep"])
    assert told == "azureml-replay doctor --target 'my target.json'"
    understood(told)
    understood(doctor([]))
    assert hint("check", "my archive") == "azureml-replay check 'my archive'"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive that was replayed into three workspaces, two of which have one name."""
    monkeypatch.chdir(tmp_path)
    with Archive.create(tmp_path / "kept", workspace_config("s/g/source").ref) as archive:
        for name in ("s/g/Prod", "s/g/twin", "s/other/twin"):
            archive.ledger(workspace_config(name).ref).put_probe({})
    return tmp_path / "kept"


def test_a_short_name_is_enough_where_it_is_of_one_target(kept: Path) -> None:
    """In any case of letters; with two of a name the whole ones are offered, with none what the archive knows."""
    assert target_config("prod", kept).ref == workspace_config("s/g/Prod").ref
    assert target_config("a/b/prod", kept).ref == workspace_config("a/b/prod").ref
    with pytest.raises(UserError, match=r"twin: 2 targets of .* have that name: give s/g/twin or s/other/twin"):
        target_config("twin", kept)
    with pytest.raises(UserError, match=r"no target of .*: it has Prod, s/g/twin, s/other/twin"):
        target_config("landing", kept)
    with pytest.raises(UserError, match=r"pord: no such file, and no target of .*: did you mean Prod \(s/g/Prod\)\?"):
        target_config("pord", kept)
    (kept.parent / "Prod").mkdir()  # a folder that bears a target's name hides no target
    assert target_config("Prod", kept).ref == workspace_config("s/g/Prod").ref
    (kept.parent / "pord").mkdir()
    with pytest.raises(UserError, match=r"pord: not a file, and no target of .*: did you mean Prod"):
        target_config("pord", kept)
    with pytest.raises(UserError, match=r"prod\.json: no such file"):
        target_config("prod.json", kept)
    with pytest.raises(UserError, match="prod: no such file, and not a workspace's name"):
        target_config("prod", kept.parent)
