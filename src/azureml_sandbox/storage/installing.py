"""An installation with its progress, by the size of its folder: a bar on a terminal, lines now and then elsewhere."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

LOOK_EVERY_S = 0.5
TELL_EVERY_S = 10.0
"""Seconds between two lines in a pipe or a build server's log."""
Tell = Callable[[int], None]
"""Takes the number of MB (powers of ten) that lie in the folder."""


def watched(command: Sequence[str], folder: Path, environment: Mapping[str, str], *, expected_mb: int) -> int:
    """Run a command in the folder to its end and show its progress; returns its exit code. Its stderr is passed on."""
    with (
        subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as running,  # noqa: S603 - npm
        _told(expected_mb) as tell,
    ):
        while running.poll() is None:
            time.sleep(LOOK_EVERY_S)
            tell(size_mb(folder))
    return running.returncode


def size_mb(folder: Path) -> int:
    """The size of all files below the folder, in MB; a file that vanishes meanwhile counts 0."""
    return sum(_size(path) for path in folder.rglob("*")) // 1_000_000


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


@contextmanager
def _told(expected_mb: int) -> Iterator[Tell]:
    if not sys.stderr.isatty():
        yield Lines(expected_mb)
        return
    from rich.console import Console  # noqa: PLC0415 - 60 ms, for a terminal alone
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Azurite", total=expected_mb)
        yield lambda mb: bar.update(task, completed=min(mb, expected_mb))


class Lines:
    """Progress as text: at most one line in `TELL_EVERY_S` seconds."""

    def __init__(self, expected_mb: int) -> None:
        self._expected_mb, self._last = expected_mb, time.monotonic()

    def __call__(self, mb: int) -> None:
        """Print a line where the last one is old enough."""
        if time.monotonic() - self._last >= TELL_EVERY_S:
            self._last = time.monotonic()
            print(f"{mb} of about {self._expected_mb} MB", file=sys.stderr, flush=True)  # noqa: T201 - before the CLI is there
