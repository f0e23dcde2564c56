"""Environments of the tests' own, for programs that want other versions than we do: each is made once."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

OUTSIDE = dict(os.environ)
"""As it was before any fixture led it into a sandbox, which knows no package registry."""
_HOMES = Path(sys.prefix) / "share"
_INSTALL_S = 240


class NotInstallable(Exception):
    """No registry, or no version for this Python; the message says what pip said."""


def installed(name: str, pins: Path) -> Path:
    """The Python of an environment with exactly the pinned packages, made now if it is not there, or they changed.

    NotInstallable where that fails.
    """
    home = _HOMES / name
    home.parent.mkdir(parents=True, exist_ok=True)
    stamp, python = home / "installed.txt", home / "bin" / "python"
    with home.with_name(f"{name}.lock").open("w") as lock:  # test processes share it
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_bytes() != pins.read_bytes():
            _outside(name, sys.executable, "-m", "venv", "--clear", home)
            _outside(name, python, "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", pins)
            stamp.write_bytes(pins.read_bytes())
    return python


def _outside(name: str, *command: str | Path) -> None:
    try:
        subprocess.run(
            list(map(str, command)), env=OUTSIDE, check=True, capture_output=True, text=True, timeout=_INSTALL_S
        )
    except subprocess.CalledProcessError as failed:
        why = failed.stderr.strip().rpartition("\n")[2]
        raise NotInstallable(f"{name} cannot be installed here: {why}") from failed
    except subprocess.TimeoutExpired as slow:
        raise NotInstallable(f"{name} was not installed within {_INSTALL_S} s") from slow
