"""The tutorial's session as one user sees it: each command says what to type next, and the numbers agree."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from azureml_replay.cli import run
from azureml_replay.cli.next_step import DONE
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile


@dataclass(frozen=True)
class Told:
    line: str
    code: int
    out: str
    err: str

    @property
    def next(self) -> str:
        """The last line of all, which says what to type next."""
        last = self.err.splitlines()[-1]
        assert last.startswith("Next: "), (self.line, self.err)
        return last.removeprefix("Next: ")


Type = Callable[[str], Told]


@pytest.fixture
def typing(
    tmp_path: Path,
    small_history: WorkspaceFile,
    calm: Sandbox,
    azure_env: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Type:
    """A shell in which `source.json` and `target.json` lie."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HTTPS_PROXY", azure_env["HTTPS_PROXY"].replace("://", "://someone:hidden@"))
    (tmp_path / "source.json").write_text(small_history.path.read_text())
    (tmp_path / "target.json").write_text(calm.add_workspace("landing").path.read_text())

    def typed(line: str) -> Told:
        words = shlex.split(line)
        assert words[0] == "azureml-replay", line
        code = run(words[1:])
        return Told(line, code, *capsys.readouterr())

    return typed


def test_each_command_leads_to_the_next(typing: Type) -> None:
    """Pasted as they are, the last lines lead from doctor to the report; what was chosen stays chosen."""
    doctor = typing("azureml-replay doctor --source source.json --target target.json")
    assert doctor.code == 0, doctor
    headline, *rows = doctor.out.splitlines()
    assert re.fullmatch(r"\d+ checks: \d+ ok, 0 not ok, 1 warning, \d+ can't be known: nothing stands.*", headline)
    assert sum("through the proxy http://127.0.0.1:" in row and "HTTPS_PROXY names" in row for row in rows) == 2
    assert "hidden" not in doctor.out + doctor.err
    assert len(rows) < 12
    assert "--verbose shows all" in rows[-1]
    whole = typing("azureml-replay doctor --source source.json --verbose")
    assert "file index" in whole.out
    assert "--verbose shows all" not in whole.out
    assert doctor.next.startswith("azureml-replay migrate ")

    chosen = "--status Completed"
    told = typing(f"azureml-replay extract --source source.json --archive 'my history' {chosen}")
    assert told.next == f"azureml-replay plan 'my history' {chosen}"
    told = typing(told.next)
    assert f"then azureml-replay replay 'my history' --target target.json {chosen}" in told.next
    told = typing(told.next.partition(", then ")[2])
    assert told.next == f"azureml-replay verify 'my history' --target target.json {chosen}"
    told = typing(told.next)
    assert (told.code, told.next) == (0, "azureml-replay report 'my history' --target target.json")
    assert typing(told.next).next == "open report.html in a browser"

    short = typing(f"azureml-replay verify 'my history' --target LANDING {chosen}")  # the name alone
    assert (short.code, short.out) == (
        0,
        typing(f"azureml-replay verify 'my history' --target target.json {chosen}").out.replace(
            "target.json", "LANDING"
        ),
    )
    assert "replay 'my history' --target " in typing("azureml-replay plan 'my history'").next  # the one it knows

    for line in ("check 'my history'", "map 'my history'", "export 'my history' --format jsonl --output tables"):
        assert typing(f"azureml-replay {line}").next.startswith(DONE)
    undone = typing("azureml-replay undo 'my history' --target landing --yes")
    assert undone.next == f"{DONE}; to bring them back: azureml-replay replay 'my history' --target landing"
    migrated = typing("azureml-replay migrate --source source.json --target target.json --archive 'my history'")
    assert (migrated.code, migrated.next) == (0, f"{DONE}; my history/report.html is the proof to keep")
    assert "Next: " not in typing("azureml-replay plan 'my history' --quiet").err
