"""Whether a stream is a terminal, and how wide."""

from __future__ import annotations

import os
from typing import TextIO


def drawable(stream: TextIO) -> bool:
    """True for a terminal that obeys control codes."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def columns(stream: TextIO) -> int:
    """The width of a terminal: `COLUMNS`, what it says itself, or 80."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80
