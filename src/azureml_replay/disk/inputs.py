"""The one way in which a file of the user's is read whole: text, bounded in size and in time.

A device or a pipe may never end. A file of settings has to be a regular one; a list of ids may come from a pipe
(`--include-file <(az ml job list …)`), which is waited for, and said to be.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from azureml_replay.errors import UserError

PATIENCE_S = 600.0
"""Seconds for which a pipe is waited for in all: whoever fills it may have to list a workspace first."""
SAID_AFTER_S = 1.0
"""Seconds of silence after which people are told what is waited for."""
_PIECE_BYTES = 1 << 16
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Opening a pipe does not wait for somebody who writes into it. Windows has no pipes among its files."""

Tell = Callable[[str], None]


def text_of(path: Path, *, most_bytes: int, what: str, pipe: bool = False, tell: Tell = lambda _: None) -> str:
    """The text of a file in UTF-8, without a byte order mark; `what` says what it should be, `one run id a line`.

    Raises UserError for a file that is too long, no text, or no regular file where `pipe` does not allow one; OSError
    where it cannot be opened. `tell` gets a line where a pipe keeps us waiting.
    """
    _refuse(path, path.stat().st_mode, what, pipe=pipe)  # before it is opened: opening some devices acts
    with _opened(path) as handle:
        regular = stat.S_ISREG(os.fstat(handle).st_mode) or sys.platform == "win32"
        data = _bounded(_pieces(handle) if regular else _awaited(handle, path, tell), path, most_bytes, what)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: expected {what}") from None


def refuse_irregular(path: Path, what: str) -> None:
    """Raise UserError for a pipe or a device, where a file is read more than once. Whether it is there is not asked."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # said by whoever opens it
    if not stat.S_ISDIR(mode):
        _refuse(path, mode, what, pipe=False)


def _refuse(path: Path, mode: int, what: str, *, pipe: bool) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode) and not pipe:
        raise UserError(f"{path} is no regular file: expected {what}: write what it gives into a file first")


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY | _AT_ONCE)
    try:
        yield handle
    finally:
        os.close(handle)


def _pieces(handle: int) -> Iterator[bytes]:
    while piece := os.read(handle, _PIECE_BYTES):
        yield piece


def _awaited(handle: int, path: Path, tell: Tell) -> Iterator[bytes]:
    """What comes through a pipe until all who write into it have ended."""
    began, told = time.monotonic(), False
    while True:
        waited_s = time.monotonic() - began
        if waited_s >= PATIENCE_S:
            raise UserError(f"{path} did not end within {PATIENCE_S:,.0f} s: write what it gives into a file first")
        if not _has_something(handle, PATIENCE_S - waited_s if told else SAID_AFTER_S):
            if not told:
                tell(f"waiting for {path}")
            told = True
            continue
        piece = os.read(handle, _PIECE_BYTES)
        if not piece:
            return
        yield piece


def _has_something(handle: int, within_s: float) -> bool:
    """True once there are bytes, or an end; false where nobody wrote within that time, or opened the other end."""
    if sys.platform == "win32":
        return True  # it asks sockets alone there
    waiting = select.poll()
    waiting.register(handle, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(waiting.poll(within_s * 1_000))


def _bounded(pieces: Iterable[bytes], path: Path, most_bytes: int, what: str) -> bytes:
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) > most_bytes:
            raise UserError(f"{path} has more than {most_bytes:,} bytes: expected {what}")
    return bytes(data)
