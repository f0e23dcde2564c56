"""Programs of the old SDK, azureml-core, run in an environment of its own: it wants other versions than we do."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from azureml_sandbox.server.sandbox import WorkspaceFile

PROGRAMS = Path(__file__).parent / "azureml_core"
HOME = Path(sys.prefix) / "share" / "azureml-core"
"""Made once per environment of ours, 40 s; anew when the pins change."""
_PINS = PROGRAMS / "requirements.txt"
_OUTSIDE = dict(os.environ)
"""As it was before any fixture led it into a sandbox, which knows no package registry."""
_INSTALL_S, _PROGRAM_S = 240, 120


class NotInstallable(Exception):
    """No registry, or no version for this Python; the message says what pip said."""


def installed() -> Path:
    """The environment's Python, made now if it is not there. NotInstallable where that fails."""
    HOME.parent.mkdir(parents=True, exist_ok=True)
    stamp, python = HOME / "installed.txt", HOME / "bin" / "python"
    with HOME.with_suffix(".lock").open("w") as lock:  # test processes share it
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_bytes() != _PINS.read_bytes():
            _outside(sys.executable, "-m", "venv", "--clear", HOME)
            _outside(python, "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", _PINS)
            stamp.write_bytes(_PINS.read_bytes())
    return python


def _outside(*command: str | Path) -> None:
    try:
        subprocess.run(
            list(map(str, command)), env=_OUTSIDE, check=True, capture_output=True, text=True, timeout=_INSTALL_S
        )
    except subprocess.CalledProcessError as failed:
        why = failed.stderr.strip().rpartition("\n")[2]
        raise NotInstallable(f"azureml-core cannot be installed here: {why}") from failed
    except subprocess.TimeoutExpired as slow:
        raise NotInstallable(f"azureml-core was not installed within {_INSTALL_S} s") from slow


def run(program: str, workspace: WorkspaceFile, folder: Path, *arguments: str) -> str:
    """What the program prints about a workspace; it works in `folder`. AssertionError with its words where it fails."""
    command = [installed(), "-I", "-W", "ignore", PROGRAMS / program, workspace.path.resolve(), *arguments]
    folder.mkdir()
    done = subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False, timeout=_PROGRAM_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
