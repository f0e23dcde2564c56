"""The messages for the original document's troubleshooting table: each symptom with its cause (pure)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from azureml_replay.counting import counted
from azureml_replay.progress import Loads, Progress
from azureml_replay.selection import Selection

SLOW_AFTER_S = 60.0
SHOWN = 20
"""Jobs named one by one."""
LARGE_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class FileLists:
    """How many jobs lack files or logs, and why."""

    jobs: int
    left_out: int
    """Jobs whose files were not listed."""
    without_files: int
    """Jobs that have no files in the source."""
    without_logs: int
    """Jobs that have files, but no log."""


def missing_jobs(listed: int, taken: int, active: int, selection: Selection) -> Iterator[str]:
    """Why fewer units were taken than the workspace has."""
    if active:
        later = "their jobs come with a later extraction, or now with --include-active"
        yield f"{counted(active, 'run')} still active: {later}"
    chosen = [flag for flag, given in (("--include", selection.include), ("--limit", selection.limit)) if given]
    if chosen and taken < listed:
        jobs = counted(listed, "top-level job")
        yield f"the file holds {taken:,} of {jobs}: {' and '.join(chosen)} left the others out"


def several_entries(names: Sequence[str]) -> Iterator[str]:
    """Which jobs the file has more than once."""
    yield from (f"job {name} has several entries: the last one counts" for name in names[:SHOWN])
    if len(names) > SHOWN:
        yield f"and {counted(len(names) - SHOWN, 'more job')} with several entries"


def cut_out(file: object, names: Sequence[str]) -> Iterator[str]:
    """Which jobs of the archive beside the file are not replayed, because the file does not have them."""
    if names:
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        jobs = f"{counted(len(names), 'job')} of the archive {'is' if len(names) == 1 else 'are'} not in {file}"
        yield f"{jobs}, and left alone (extract_jobs writes the file anew): {', '.join(names[:SHOWN])}{more}"


def empty_outputs(lists: FileLists) -> Iterator[str]:
    """Why a replayed job will show no files."""
    jobs = counted(lists.jobs, "job")
    if lists.left_out:
        yield (
            f"no list of files for {lists.left_out:,} of {jobs}, so their outputs will be empty: "
            "extract again without --no-artifacts"
        )
    if lists.without_files:
        yield f"no files in the source for {lists.without_files:,} of {jobs}: their outputs will be empty"


def missing_logs(lists: FileLists) -> Iterator[str]:
    """Why a replayed job will show no logs."""
    if lists.without_logs:
        yield f"files, but no logs in the source for {lists.without_logs:,} of {counted(lists.jobs, 'job')}"


def long_replay(files: int, size_bytes: int) -> Iterator[str]:
    """Why a replay will take long."""
    if size_bytes >= LARGE_BYTES:
        copied = f"{counted(files, 'file')} with {size_bytes / 1e9:,.1f} GB"
        yield f"{copied} will be copied, which takes long: --no-copy-artifacts leaves them out"


@dataclass(slots=True)
class Watched:
    """Progress that says once, after `SLOW_AFTER_S`, what makes the work slow."""

    inner: Progress
    advice: str
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)
    advised: bool = False

    def __post_init__(self) -> None:
        self.began = self.clock()

    def expect(self, what: str, count: int) -> None:
        """Pass it on."""
        self.inner.expect(what, count)

    def done(self, what: str, count: int = 1) -> None:
        """Pass it on, and give the advice when it is time."""
        self.inner.done(what, count)
        if not self.advised and self.clock() - self.began > SLOW_AFTER_S:
            self.advised = True
            self.inner.say(self.advice)

    def doing(self, text: str) -> None:
        """Pass it on."""
        self.inner.doing(text)

    def say(self, text: str) -> None:
        """Pass it on."""
        self.inner.say(text)

    def slowed(self, text: str) -> None:
        """Pass it on."""
        self.inner.slowed(text)

    def watch(self, side: str, loads: Loads) -> None:
        """Pass it on."""
        self.inner.watch(side, loads)

    def finished(self) -> None:
        """Pass it on."""
        self.inner.finished()
