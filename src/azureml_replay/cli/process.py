"""The process of a command: its signals, its three streams, how many files it may have open. Imports next to nothing.

SIGTERM and Ctrl-C end it with 130 from the first line of ours on: while modules are loaded there is nothing to save,
so it ends at once; while a command works, it is stopped cleanly.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from types import FrameType

INTERRUPTED = 130
"""As `errors.Exit`, which is not loaded yet."""
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name))
"""The last is Ctrl-Break of Windows, which no program may take for Ctrl-C."""
_FILES = 4_096
"""Open files that are asked for: 32 runs at once at ten services of two workspaces are 640; macOS allows 256."""
_COLLECTED_AFTER = 50_000
"""New objects before Python looks for cycles among them. After its own 700 that takes 4 % of an extract of 2,000 jobs
(3.51 and 3.38 s); the peak of memory is the same, since nearly all that is made here is let go of without it."""


def prepare() -> None:
    """What comes first. Repeatable."""
    stop_at_once()
    _open_streams()
    _allow_files()
    gc.set_threshold(_COLLECTED_AFTER)


def stop_at_once() -> None:
    """From now on a signal ends the process where it is."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as a shell starts background jobs
            signal.signal(number, _end)


def stop_cleanly() -> None:
    """From now on SIGTERM does what Ctrl-C does: asyncio cancels, and everything is closed on the way out."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in _SIGNALS[1:]:
        signal.signal(number, _as_ctrl_c)


def _end(_: int, __: FrameType | None) -> None:
    with suppress(OSError):
        os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


def _as_ctrl_c(_: int, frame: FrameType | None) -> None:
    handler = signal.getsignal(signal.SIGINT)
    (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, frame)


def _open_streams() -> None:
    """Let what is said into a closed stream (`>&-`) go nowhere.

    Otherwise the next file that is opened, the archive perhaps, would have the number of that stream.
    """
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(handle, True)
    os.close(handle)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _allow_files() -> None:
    """As many open files as the system lets this user have, up to what can be needed. Windows has no such limit."""
    if sys.platform == "win32":
        return
    import resource

    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        with suppress(ValueError, OSError):  # macOS has a second limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
