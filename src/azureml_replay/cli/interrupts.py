"""Ctrl-C: the first one stops cleanly and says what is safe, the second one ends at once."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.reading import Totals
from azureml_replay.archive.target_ledger import TargetProgress
from azureml_replay.counting import counted
from azureml_replay.errors import Exit, Interrupted
from azureml_replay.terminal.streams import drawable
from azureml_replay.terminal.terminal import CURSOR_BACK, terminal
from azureml_replay.workspace.place import Place

Result = TypeVar("Result")


def finish(call: Coroutine[Any, Any, Result], archive: Path | None) -> Result:
    """Run `call` and return its result. Raises Interrupted, with what `archive` says is safe, after Ctrl-C."""
    before = signal.getsignal(signal.SIGINT)
    try:
        return asyncio.run(_stoppable(call))
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted: {_what_is_safe(archive)}" if archive is not None else "interrupted") from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)


async def _stoppable(call: Coroutine[Any, Any, Result]) -> Result:
    _end_at_the_second()
    with _woken():
        return await call


@contextmanager
def _woken() -> Iterator[None]:
    """A signal ends the loop's wait, also one that comes in the microsecond before it begins.

    Python's own handler runs once the wait is over: without this such a Ctrl-C is seen with the next answer, or never.
    """
    loop = asyncio.get_running_loop()
    reading, writing = socket.socketpair()
    with reading, writing:
        reading.setblocking(False)
        writing.setblocking(False)
        try:
            loop.add_reader(reading, reading.recv, 4_096)
        except NotImplementedError:  # Windows, where asyncio does this itself
            yield
            return
        before = _wake(writing.fileno())
        try:
            yield
        finally:
            _wake(before)
            loop.remove_reader(reading)


def _wake(descriptor: int) -> int:
    """Have signals write to it; what they wrote to before. Threads but the main one get no signals."""
    if threading.current_thread() is not threading.main_thread():
        return -1
    return signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)


def _end_at_the_second() -> None:
    """Let the first signal go to asyncio, which closes everything; end at once at a second one.

    Ending like that is safe: the archive survives a kill at any moment.
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
    """End the process without waiting for anything that was begun."""
    screen = terminal().messages
    if drawable(screen):
        os.write(screen.fileno(), CURSOR_BACK)
    os._exit(Exit.INTERRUPTED)


def _what_is_safe(folder: Path) -> str:
    """What the archive keeps, and what each target has of it."""
    if not (folder / "archive.db").exists():
        return "nothing was written yet"
    with Archive.open(folder, write=False) as archive:
        reached = {target: archive.ledger(target).progress() for target in archive.targets()}
        return in_one_line(folder, archive.totals(), reached)


def in_one_line(folder: Path, all_: Totals, reached: Mapping[Place, TargetProgress]) -> str:
    """`history keeps 3 of 9 runs, 12 points, 4 files; s/g/ws has 2 runs complete (3 begun), 8 points, 1 file`."""
    parts = [
        f"{folder} keeps {all_.extracted:,} of {counted(all_.runs, 'run')}, {_contents(all_)}",
        *(f"{target} has {_sent(has)}" for target, has in reached.items()),
    ]
    return "; ".join(parts)


def _sent(has: TargetProgress) -> str:
    """Histories that were written, jobs that were submitted, or both."""
    parts = [f"{counted(has.jobs_submitted, 'job')} submitted"] if has.jobs_submitted or has.jobs_standing else []
    if has.runs_created or not parts:
        parts.append(f"{counted(has.runs_finished, 'run')} complete ({has.runs_created:,} begun), {_contents(has)}")
    return ", ".join([*parts, f"{counted(has.runs_compared, 'run')} compared"])


def _contents(counts: Totals | TargetProgress) -> str:
    return f"{counted(counts.points, 'point')}, {counted(counts.files, 'file')}"
