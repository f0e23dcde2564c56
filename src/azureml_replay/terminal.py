"""The only place that prints: results to stdout, progress and messages to stderr.

What comes from a workspace is untrusted text: it goes through `safe`, and never through rich's markup.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from typing import IO

import orjson

from azureml_replay.model import Instant
from azureml_replay.progress import SILENT, Progress

Clock = Callable[[], float]
"""Seconds, from any start."""
LINE_EVERY_S = 5.0
"""How often a pipe or a log of a build server is told."""


def safe(text: str) -> str:
    """One line without control characters, escape sequences' ESC, and marks that reorder text."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " if char.isspace() else "" for char in text)


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a command speaks."""

    results: IO[str]
    messages: IO[str]
    json: bool = False
    quiet: bool = False

    def result(self, document: object, lines: Iterable[str], *, good: bool | None = None) -> None:
        """The command's answer: JSON of `document`, or the lines; in a green or red frame where `good` is said.

        A reader that left (`| head`) is no error.
        """
        try:
            if self.json:
                self.results.write(as_json(document) + "\n")
            elif good is not None and self.results.isatty():
                from azureml_replay.drawing import frame  # noqa: PLC0415 - rich takes 60 ms to import

                frame(self.results, lines, good=good)
            else:
                self.results.writelines(safe(line) + "\n" for line in lines)
            self.results.flush()
        except BrokenPipeError:
            # Otherwise Python complains again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.results.fileno())

    def say(self, text: str) -> None:
        """A message, unless `--quiet`."""
        if not self.quiet:
            self.error(text)

    def error(self, text: str) -> None:
        """A message, always."""
        print(safe(text), file=self.messages, flush=True)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Bars on a terminal, a line now and then elsewhere, nothing with `--quiet`."""
        if self.quiet:
            yield SILENT
        elif self.messages.isatty() and os.environ.get("TERM") != "dumb":
            from azureml_replay.drawing import BarProgress, bars  # noqa: PLC0415 - rich takes 60 ms to import

            with bars(self.messages) as live:
                yield BarProgress(live)
        else:
            lines = LineProgress(self.say)
            yield lines
            lines.close()


def terminal(*, json: bool = False, quiet: bool = False) -> Terminal:
    """Over the process's own streams. What they cannot encode is written as escapes rather than refused."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")
    return Terminal(sys.stdout, sys.stderr, json=json, quiet=quiet)


def as_json(document: object) -> str:
    """One line. Dataclasses become objects, sets lists, moments the service's own stamps, anything else its text."""
    options = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_NON_STR_KEYS
    return orjson.dumps(document, default=_plain, option=options).decode()


def _plain(value: object) -> object:
    if isinstance(value, Instant):
        return str(value)
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


@dataclass(slots=True)
class Tally:
    """How far one kind of thing is."""

    began: float
    expected: int = 0
    done: int = 0

    def text(self, what: str, now: float) -> str:
        """`runs 120/1,000 (12%), 34/s, 26 s left`."""
        rate = self.done / max(now - self.began, 1e-9)
        parts = [f"{what} {amount(what, self.done)}"]
        if self.expected and self.expected >= self.done:  # a total that was passed is no total
            parts = [f"{parts[0]}/{amount(what, self.expected)} ({100 * self.done // self.expected}%)"]
        if self.done:
            parts.append(f"{amount(what, round(rate))}/s")
        if self.done and self.expected > self.done:
            parts.append(f"{duration((self.expected - self.done) / rate)} left")
        return ", ".join(parts)


@dataclass(slots=True)
class LineProgress:
    """Progress as lines, at most one in `LINE_EVERY_S`, and a last one."""

    tell: Callable[[str], None]
    clock: Clock = time.monotonic
    tallies: dict[str, Tally] = field(default_factory=dict)
    told: float | None = None
    changed: bool = False

    def expect(self, what: str, count: int) -> None:
        """More to come."""
        self._tally(what).expected += count

    def done(self, what: str, count: int = 1) -> None:
        """Some are finished; tells where the last line is old enough."""
        self._tally(what).done += count
        self.changed = True
        now = self.clock()
        if self.told is None:
            self.told = now
        elif now - self.told >= LINE_EVERY_S:
            self._line(now)

    def say(self, text: str) -> None:
        """At once."""
        self.tell(text)

    def close(self) -> None:
        """Tells what the last line does not yet say."""
        if self.changed:
            self._line(self.clock())

    def _tally(self, what: str) -> Tally:
        if what not in self.tallies:
            self.tallies[what] = Tally(self.clock())
        return self.tallies[what]

    def _line(self, now: float) -> None:
        self.told, self.changed = now, False
        self.tell(" · ".join(tally.text(what, now) for what, tally in self.tallies.items()))


def amount(what: str, count: int) -> str:
    """`1,234`, or for bytes `1.2 MB` (powers of ten, as Studio shows them)."""
    if what != "bytes" or count < 1_000:
        return f"{count:,}" + (" B" if what == "bytes" else "")
    size, units = count / 1_000, iter("kMGTPE")
    unit = next(units)
    while size >= 999.95:
        size, unit = size / 1_000, next(units)
    return f"{size:.1f} {unit}B"


def duration(seconds: float) -> str:
    """`26 s`, `4 min`, `3.5 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of a tree with the lines below it."""

    label: str
    below: tuple[Branch, ...] = ()


def tree(branch: Branch) -> Iterator[str]:
    """The lines of a tree, drawn with the guides that `pstree` and cargo use."""
    yield branch.label
    for at, child in enumerate(branch.below):
        last = at == len(branch.below) - 1
        for row, line in enumerate(tree(child)):
            head = ("└── " if last else "├── ") if row == 0 else ("    " if last else "│   ")
            yield head + line
