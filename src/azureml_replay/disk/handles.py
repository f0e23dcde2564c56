"""How many files and connections a process may have open, and what to say where these are not enough."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from azureml_replay.errors import NO_HANDLE

ENOUGH = 4_096
"""Open files that are asked for: 32 runs at once at ten services of two workspaces are 640."""


def too_many_files() -> str:
    """What happened, and what to type."""
    most = most_files()
    allowed = "" if most is None else f" (this process may have {most:,}: `ulimit -n`)"
    more = max(ENOUGH, 2 * (most or 0))
    return f"too many open files{allowed}: allow more (`ulimit -n {more}`), or give a smaller --parallel"


def most_files() -> int | None:
    """The number of files and connections that this process may have open; None where there is no such limit."""
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415  # Windows has none

    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if most == resource.RLIM_INFINITY else most


def handle_is_left() -> bool:
    """False where the process may open no more files: not everything says why a file cannot be opened."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as problem:
        return problem.errno not in NO_HANDLE
    return True


def lacks_handle(error: BaseException | None) -> bool:
    """True where an error, or what led to it, is that no more files could be opened."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in NO_HANDLE:
            return True
        error = error.__cause__ or error.__context__
    return False


def temporary_folder() -> Path:
    """The system's folder for temporary files. Raises OSError, with the true reason where no file can be opened."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:  # it tries to write into each one, and says of every failure that none is usable
        os.close(os.open(os.devnull, os.O_RDONLY))
        raise
