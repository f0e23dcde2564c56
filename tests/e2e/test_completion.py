"""The shell completes commands and flags, in every shell that typer knows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).with_name("azureml-replay"))


def ended(**variables: str) -> subprocess.CompletedProcess[str]:
    """The command as a shell calls it for a completion."""
    return subprocess.run([COMMAND], env=os.environ | variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_each_shell_gets_its_script(shell: str) -> None:
    done = ended(_AZUREML_REPLAY_COMPLETE=f"source_{shell}")

    assert (done.returncode, done.stderr) == (0, "")
    assert f"complete_{shell}" in done.stdout


@pytest.mark.parametrize(
    ("typed", "expected"), [("azureml-replay ver", "verify"), ("azureml-replay verify --de", "--deep")]
)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_commands_and_flags_are_completed(shell: str, typed: str, expected: str) -> None:
    words = typed.split()
    asks = {"COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    asks |= {"_TYPER_COMPLETE_ARGS": typed, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    asks |= {"_TYPER_COMPLETE_WORD_TO_COMPLETE": words[-1]}

    done = ended(_AZUREML_REPLAY_COMPLETE=f"complete_{shell}", **asks)

    assert (done.returncode, done.stderr) == (0, "")
    assert expected in done.stdout
