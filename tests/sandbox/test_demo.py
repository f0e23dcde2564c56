"""What a newcomer sees first: a whole migration on this machine, and where its report is."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from azureml_sandbox.demo import _afterwards
from azureml_sandbox.server.sandbox import Sandbox


def test_its_last_lines_name_the_report_first(tmp_path: Path) -> None:
    """Where there is one: a migration that was stopped early wrote none."""
    assert "report" not in _afterwards(tmp_path)
    page = tmp_path / "archive" / "report.html"
    page.parent.mkdir()
    page.touch()

    first, *others = _afterwards(tmp_path).split("\n")[1:]

    assert any(line.endswith(f"azureml-replay browse {tmp_path / 'archive'}") for line in others)
    assert first == f"The report, to open in a browser: {page}"
    assert others == _afterwards(tmp_path / "none").replace(str(tmp_path / "none"), str(tmp_path)).split("\n")[1:]


def test_its_last_lines_are_commands_and_what_each_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by itself, to be pasted, and none wider than a terminal."""
    monkeypatch.setattr("shutil.which", lambda _: "somewhere")
    lines = _afterwards(Path("sandbox")).split("\n")
    assert [line for line in lines if len(line) > 80] == []
    commands = [line for line in lines if line.startswith("  ") and not line.startswith("   ")]
    assert len(commands) == 7
    assert all(shlex.split(line)[0] in ("azureml-replay", "azureml-sandbox", "eval") for line in commands)
    assert all(lines[lines.index(line) + 1].startswith("      ") for line in commands)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_ends_well_and_can_be_run_again(tmp_path: Path) -> None:
    """The second time the histories are there, and nothing is left to send."""
    command = [sys.executable, "-m", "azureml_sandbox", "demo", str(tmp_path / "box")]
    try:
        for _ in range(2):
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            named = done.stdout.split("The report, to open in a browser: ")[1].splitlines()[0]
            assert Path(named).stat().st_size > 100_000
    finally:
        Sandbox(tmp_path / "box").stop()
