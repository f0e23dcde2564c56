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
from typing import TextIO

from azureml_replay import json_text
from azureml_replay.instants import Instant
from azureml_replay.progress import SILENT, Loads, Progress
from azureml_replay.terminal.layout import UNICODE, Signs, laid, signs_of
from azureml_replay.terminal.streams import columns, drawable
from azureml_replay.terminal.text import Line, amount, duration, safe
from azureml_replay.workspace.traffic import in_words

Clock = Callable[[], float]
"""Seconds, from any start."""
CURSOR_BACK = b"\x1b[?25h\n"
"""Shows the cursor that live bars hide."""
LINE_EVERY_S = 5.0
"""How often a pipe or a log of a build server is told."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a command speaks."""

    results: TextIO
    messages: TextIO
    json: bool = False
    quiet: bool = False

    def result(self, document: object, lines: Iterable[Line], *, good: bool | None = None) -> None:
        """The command's answer: JSON of `document`, or the lines; in a green or red frame where `good` is said.

        A reader that left (`| head`) is no error.
        """
        try:
            if self.json:
                self.results.write(as_json(document) + "\n")
            elif good is not None and drawable(self.results):
                from azureml_replay.terminal.bars import FRAME, frame  # noqa: PLC0415 - rich takes 60 ms to import

                frame(self.results, laid_on(self.results, lines, less=FRAME), good=good)
            else:
                self.results.writelines(safe(line) + "\n" for line in laid_on(self.results, lines))
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
        elif drawable(self.messages):
            from azureml_replay.terminal.bars import drawn_progress  # noqa: PLC0415 - rich takes 60 ms to import

            with drawn_progress(self.messages) as drawn:
                yield drawn
        else:
            lines = LineProgress(self.say, signs=signs_of(self.messages.encoding))
            yield lines
            lines.close()

    def laid(self, lines: Iterable[Line]) -> Iterator[str]:
        """As they are to be said among the messages."""
        return laid_on(self.messages, lines)


def laid_on(stream: TextIO, lines: Iterable[Line], *, less: int = 0) -> Iterator[str]:
    """Trees drawn to a terminal's width, `less` so many columns; a pipe gets whole lines, which can be searched."""
    width = columns(stream) - less if stream.isatty() else None
    return laid(lines, signs_of(stream.encoding), width)


def terminal(*, json: bool = False, quiet: bool = False) -> Terminal:
    """Over the process's own streams. What they cannot encode is written as escapes rather than refused."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")
    return Terminal(sys.stdout, sys.stderr, json=json, quiet=quiet)


def as_json(document: object) -> str:
    """One line. Dataclasses become objects, sets lists, moments the service's own stamps, anything else its text."""
    return json_text.dumps_any(document, _plain).decode()


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
    signs: Signs = UNICODE
    tallies: dict[str, Tally] = field(default_factory=dict)
    sides: dict[str, Loads] = field(default_factory=dict)
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

    def slowed(self, text: str) -> None:
        """At once: while nothing is finished, no line says it."""
        self.tell(text)

    def watch(self, side: str, loads: Loads) -> None:
        """Its lines say how the services of `side` bear it."""
        self.sides[side] = loads

    def finished(self) -> None:
        """A last line, and a new beginning."""
        self.close()
        self.tallies.clear()
        self.told = None

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
        words = [tally.text(what, now) for what, tally in self.tallies.items()]
        self.tell(self.signs.between.join([*words, *in_words(self.sides)]))
