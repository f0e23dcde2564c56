"""Programs of the old SDK, azureml-core, run in an environment of its own: it wants other versions than we do."""

from __future__ import annotations

import subprocess
from pathlib import Path

from azureml_sandbox.server.sandbox import WorkspaceFile
from e2e import own_environment

PROGRAMS = Path(__file__).parent / "azureml_core"
_PROGRAM_S = 120


def installed() -> Path:
    """The environment's Python, made now if it is not there, in 40 s. NotInstallable where that fails."""
    return own_environment.installed("azureml-core", PROGRAMS / "requirements.txt")


def run(program: str, workspace: WorkspaceFile, folder: Path, *arguments: str) -> str:
    """What the program prints about a workspace; it works in `folder`. AssertionError with its words where it fails."""
    command = [installed(), "-I", "-W", "ignore", PROGRAMS / program, workspace.path.resolve(), *arguments]
    folder.mkdir()
    done = subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False, timeout=_PROGRAM_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
