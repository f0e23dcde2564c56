"""Ctrl-C: the first one stops cleanly and says what is safe, the second one ends at once."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Coroutine
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from azureml_replay.archive.archive import Archive
from azureml_replay.errors import Exit, Interrupted
from azureml_replay.state import Status, status
from azureml_replay.terminal.streams import drawable
from azureml_replay.terminal.terminal import CURSOR_BACK, terminal

Result = TypeVar("Result")


def finish(call: Coroutine[Any, Any, Result], archive: Path | None) -> Result:
    """What `call` returns. Raises Interrupted with what `archive` tells, where somebody stopped it."""
    before = signal.getsignal(signal.SIGINT)
    try:
        return asyncio.run(_stoppable(call))
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted: {_safe(archive)}" if archive is not None else "interrupted") from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)


async def _stoppable(call: Coroutine[Any, Any, Result]) -> Result:
    _end_at_the_second()
    return await call


def _end_at_the_second() -> None:
    """The first signal takes the way that asyncio has laid, which closes everything; a second one does not wait.

    To end like that is safe: the archive outlives a kill at any moment.
    """
    first = signal.getsignal(signal.SIGINT)
    if not callable(first) or threading.current_thread() is not threading.main_thread():
        return  # a shell's background job ignores SIGINT, and so do its children
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if came:
            _end_at_once()
        came.append(number)
        first(number, frame)

    signal.signal(signal.SIGINT, stop)


def _end_at_once() -> None:
    """Nothing that was begun is waited for."""
    screen = terminal().messages
    if drawable(screen):
        os.write(screen.fileno(), CURSOR_BACK)
    os._exit(Exit.INTERRUPTED)


def _safe(folder: Path) -> str:
    """What is kept and what was sent, in the ledger's words."""
    if not (folder / "archive.db").exists():
        return "nothing was written yet"
    with Archive.open(folder, write=False) as archive:
        return told(folder, status(archive))


def told(folder: Path, now: Status) -> str:
    """`history keeps 3 of 9 runs, 12 points, 4 files; s/g/ws has 2 runs, 8 points, 1 file of them`."""
    all_ = now.totals
    parts = [
        f"{folder} keeps {all_.extracted:,} of {all_.runs:,} listed runs, {all_.points:,} points, {all_.files:,} files"
    ]
    for target in now.targets:
        has = target.progress
        parts.append(
            f"{target.target} has {has.finished:,} runs whole ({has.created:,} begun), "
            f"{has.points:,} points, {has.files:,} files; {has.verified:,} runs are verified"
        )
    return "; ".join(parts)
