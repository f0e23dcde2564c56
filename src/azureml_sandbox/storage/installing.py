"""An installation that is watched by the folder it fills: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

LOOK_EVERY_S = 0.5
TELL_EVERY_S = 10.0
"""In a pipe or a build server's log."""
Tell = Callable[[int], None]
"""Hears how many MB (powers of ten) lie in the folder."""


def watched(command: Sequence[str], folder: Path, environment: Mapping[str, str], *, expected_mb: int) -> int:
    """Run it in the folder to its end; its exit code. What it says on stderr goes there."""
    with (
        subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as running,  # noqa: S603 - npm
        _told(expected_mb) as tell,
    ):
        while running.poll() is None:
            time.sleep(LOOK_EVERY_S)
            tell(size_mb(folder))
    return running.returncode


def size_mb(folder: Path) -> int:
    """Of all files below it; what vanishes meanwhile counts nothing."""
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
    """At most one line in `TELL_EVERY_S`."""

    def __init__(self, expected_mb: int) -> None:
        self._expected_mb, self._last = expected_mb, time.monotonic()

    def __call__(self, mb: int) -> None:
        """Tells, where the last line is old enough."""
        if time.monotonic() - self._last >= TELL_EVERY_S:
            self._last = time.monotonic()
            print(f"{mb} of about {self._expected_mb} MB", file=sys.stderr, flush=True)  # noqa: T201 - before the CLI is there
