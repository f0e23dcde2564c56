"""The command lines of our own processes."""

from __future__ import annotations

import sys


def python(module: str, *arguments: str) -> list[str]:
    """A module of ours in another process. `-P`: a `copy.py` or `random.py` in the user's folder is not Python's."""
    return [sys.executable, "-P", "-m", module, *arguments]
