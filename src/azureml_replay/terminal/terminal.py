"""The only place that prints: results to stdout, progress and messages to stderr.

What comes from a workspace is untrusted text: it goes through `shown`, and never through rich's markup.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TextIO

from azureml_replay import json_text, redact
from azureml_replay.disk.outputs import is_standard_output
from azureml_replay.instants import Instant
from azureml_replay.progress import SILENT, Loads, Progress
from azureml_replay.terminal.layout import UNICODE, Branch, Signs, drawn_lines, signs_of
from azureml_replay.terminal.streams import columns, drawable
from azureml_replay.terminal.text import Line, amount, duration, is_rate, shown, shown_line
from azureml_replay.workspace.traffic import in_words

Clock = Callable[[], float]
"""Gives seconds, from any start."""
CURSOR_BACK = b"\x1b[?25h\n"
"""The control code that shows the cursor, which live bars hide."""
LINE_EVERY_S = 5.0
"""Seconds between lines of progress in a pipe or a build server's log."""
JSON_EVERY_S = 1.0
"""The same with `--json`, for programs."""
LINE_GONE = "\r\x1b[2K"
"""The control code that empties the line of the cursor."""
_unfinished: set[TextIO] = set()
"""Terminals whose last line is one of `Terminal.start`; others of this process may write to them."""


class Event(Enum):
    """What a line of JSON tells."""

    DOING = "doing"
    """What is done now, where nothing is counted yet: `text`."""
    PROGRESS = "progress"
    """How far the work is: `counts` and `load`."""
    MESSAGE = "message"
    """A line for people: `text`."""
    ERROR = "error"
    """The same where `--quiet` does not silence it: why a command ends, or a name that is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The progress of one kind of work."""

    done: int
    expected: int | None
    """None: not known."""
    per_s: float | None
    """Since it began; None before the first."""
    left_s: float | None
    """At that rate; None where nothing is left, or not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One line of JSON on stderr."""

    event: Event
    at: Instant = field(default_factory=lambda: Instant.of(datetime.now(UTC)))
    text: str | None = None
    counts: Mapping[str, Figures] = field(default_factory=dict)
    """What is counted (`runs complete`, `points sent`, `bytes sent`, …) -> how far it is."""
    load: Sequence[str] = ()
    """In words: services that slow the work down, the busiest one, retries."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """The streams to which a command writes."""

    results: TextIO
    messages: TextIO
    json: bool = False
    """The result is JSON, and so is each message and each line of progress."""
    quiet: bool = False
    verbose: bool = False

    def beside(self, written: Path | None) -> Terminal:
        """The terminal for a result beside a file: results go where messages do if the file is standard output.

        Whoever reads that gets the file alone.
        """
        return replace(self, results=self.messages) if written and is_standard_output(written) else self

    @property
    def one_screen(self) -> bool:
        """Results and messages stand below each other before somebody's eyes."""
        return not self.json and not self.quiet and self.results.isatty() and self.messages.isatty()

    def start(self, command: str) -> None:
        """Show at once that the command is at work; on a terminal the line goes with the next one."""
        if self.quiet:
            return
        if self.json:
            self._told(EventLine(event=Event.DOING, text=command))
        elif drawable(self.messages):
            with suppress(OSError):
                self.messages.write(f"{shown(command)} ...")
                self.messages.flush()
                _unfinished.add(self.messages)

    def clear(self) -> None:
        """Remove the line of `start`."""
        if self.messages in _unfinished:
            _unfinished.discard(self.messages)
            with suppress(OSError):
                self.messages.write(LINE_GONE)
                self.messages.flush()

    def result(self, document: object, lines: Iterable[Line], *, good: bool | None = None) -> None:
        """Write the command's result: JSON of `document`, or the lines; with `good` in a green or red frame.

        A reader that has ended (`| head`) is no error.
        """
        self.clear()
        try:
            if self.json:
                self.results.write(as_json(document) + "\n")
            elif good is not None and drawable(self.results):
                from azureml_replay.terminal.bars import FRAME, frame  # noqa: PLC0415 - rich takes 60 ms to import

                frame(self.results, lines_for(self.results, lines, less=FRAME), good=good)
            else:
                self.results.writelines(shown(line) + "\n" for line in lines_for(self.results, lines))
            self.results.flush()
        except OSError as error:
            # Otherwise Python complains again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.results.fileno())
            if not isinstance(error, BrokenPipeError):
                raise OSError(error.errno, error.strerror, "standard output") from error

    def more(self, lines: Iterable[Line]) -> None:
        """Write further lines of a result below its frame, where commands can be pasted; JSON has what they say."""
        if not self.json:
            with suppress(OSError):  # a reader that has ended had the result
                self.results.writelines(shown(line) + "\n" for line in lines_for(self.results, lines))
                self.results.flush()

    def say(self, text: str, commands: Sequence[str] = ()) -> None:
        """Write a message, unless `--quiet`; below it commands, each on a line of its own, to be pasted."""
        if self.quiet:
            return
        if self.json or not commands:
            self._message(f"{text}: {'; '.join(commands)}" if commands else text, Event.MESSAGE)
            return
        for line in self.message_lines([Branch(text), *(f"  {command}" for command in commands)]):
            self._message(line, Event.MESSAGE)

    def error(self, text: str) -> None:
        """Write a message, always. Where nobody takes it, there is nobody to tell."""
        self._message(text, Event.ERROR)

    def _message(self, text: str, event: Event) -> None:
        if self.json:
            self._told(EventLine(event=event, text=text))
            return
        self.clear()
        with suppress(OSError):
            print(shown(text), file=self.messages, flush=True)

    def _told(self, told: EventLine) -> None:
        with suppress(OSError):
            print(as_json(told), file=self.messages, flush=True)

    @contextmanager
    def progress(self, *, brief: bool = False) -> Iterator[Progress]:
        """Progress as bars on a terminal, as a line now and then elsewhere; none with `--quiet`.

        `brief`: work that most often is done at once, and then is worth no line.
        """
        self.clear()
        if self.quiet:
            yield SILENT
        elif self.json:
            events = JsonProgress(self.say, every_s=JSON_EVERY_S, write=self._told, brief=brief)
            yield events
            events.close()
        elif drawable(self.messages):
            from azureml_replay.terminal.bars import drawn_progress  # noqa: PLC0415 - rich takes 60 ms to import

            with drawn_progress(self.messages) as drawn:
                yield drawn
        else:
            lines = LineProgress(self.say, signs=signs_of(self.messages.encoding), brief=brief)
            yield lines
            lines.close()

    def message_lines(self, lines: Iterable[Line]) -> Iterator[str]:
        """The lines as they are written among the messages."""
        return lines_for(self.messages, lines)


def lines_for(stream: TextIO, lines: Iterable[Line], *, less: int = 0) -> Iterator[str]:
    """Lines with trees drawn to a terminal's width less `less` columns; whole for a pipe, to be searched."""
    width = columns(stream) - less if stream.isatty() else None
    return drawn_lines(map(shown_line, lines), signs_of(stream.encoding), width)


def terminal(*, json: bool = False, quiet: bool = False, verbose: bool = False) -> Terminal:
    """A terminal over the process's own streams. Characters that they cannot encode are written as escapes."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")
    return Terminal(sys.stdout, sys.stderr, json=json, quiet=quiet, verbose=verbose)


def as_json(document: object) -> str:
    """One line of JSON. Dataclasses become objects, sets lists, moments the service's stamps, other values texts.

    Secrets are taken out of each text by itself: out of the whole line they would take a quote or a comma along.
    """
    return json_text.dumps_any(_without_secrets(document), _plain).decode()


def _without_secrets(value: object) -> object:
    if isinstance(value, str):
        return redact.text(value)
    if isinstance(value, Mapping):
        return {_clean_key(key): _without_secrets(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [*map(_without_secrets, value)]
    if is_dataclass(value) and not isinstance(value, Instant):
        return {field.name: _without_secrets(getattr(value, field.name)) for field in fields(value)}
    return [*map(_without_secrets, sorted(value))] if isinstance(value, set | frozenset) else value


def _clean_key(key: object) -> object:
    return redact.NEWEST.name(key) if isinstance(key, str) else key


def _plain(value: object) -> object:
    return str(value)


@dataclass(slots=True)
class Tally:
    """The progress of one kind of work."""

    began: float
    expected: int = 0
    done: int = 0

    def rate(self, now: float) -> float:
        """How many a second so far."""
        return self.done / max(now - self.began, 1e-9)

    def count(self, now: float) -> Figures:
        """The progress as figures."""
        rate, total = self.rate(now), self.expected if self.expected >= self.done else None
        left = (total - self.done) / rate if total and self.done and total > self.done else None
        return Figures(
            done=self.done,
            expected=total or None,
            per_s=round(rate, 3) if self.done else None,
            left_s=None if left is None else round(left, 1),
        )

    def text(self, what: str, now: float) -> str:
        """The progress as text: `runs 120/1,000 (12%), 34/s, 26 s left`."""
        rate = self.rate(now)
        parts = [f"{what} {amount(what, self.done)}"]
        if self.expected and self.expected >= self.done:  # a total that was passed is no total
            parts = [f"{parts[0]}/{amount(what, self.expected)} ({100 * self.done // self.expected}%)"]
        if self.done and is_rate(what):
            parts.append(f"{amount(what, round(rate))}/s")
        if self.done and self.expected > self.done:
            parts.append(f"{duration((self.expected - self.done) / rate)} left")
        return ", ".join(parts)


@dataclass(slots=True)
class LineProgress:
    """Progress as lines, at most one in `every_s` seconds, and a last one."""

    tell: Callable[[str], None]
    clock: Clock = time.monotonic
    signs: Signs = UNICODE
    every_s: float = LINE_EVERY_S
    brief: bool = False
    """No last line where there was no other."""
    tallies: dict[str, Tally] = field(default_factory=dict)
    sides: dict[str, Loads] = field(default_factory=dict)
    last_line_s: float | None = None
    changed: bool = False
    lines: int = 0
    whole: set[str] = field(default_factory=set)
    """What was told to be complete: further lines leave it out."""

    def expect(self, what: str, count: int) -> None:
        """Add to what is expected."""
        self._tally(what).expected += count

    def done(self, what: str, count: int = 1) -> None:
        """Count what is finished; writes a line where the last one is old enough."""
        self._tally(what).done += count
        self.changed = True
        now = self.clock()
        if self.last_line_s is None:
            self.last_line_s = now
        elif now - self.last_line_s >= self.every_s:
            self._line(now)

    def doing(self, text: str) -> None:
        """Nothing: whoever reads a file later needs no sign of life, and an error stays one line."""

    def say(self, text: str) -> None:
        """Write the text at once."""
        self.tell(text)

    def slowed(self, text: str) -> None:
        """Write the text at once: no other line says it while nothing is finished."""
        self.tell(text)

    def watch(self, side: str, loads: Loads) -> None:
        """Add the load of the services of `side` to further lines."""
        self.sides[side] = loads

    def finished(self) -> None:
        """Write a last line, and begin anew."""
        self.close()
        self.tallies.clear()
        self.whole.clear()
        self.last_line_s = None

    def close(self) -> None:
        """Write a line where the last one is not up to date."""
        if self.changed and not (self.brief and not self.lines):
            self._line(self.clock())

    def _tally(self, what: str) -> Tally:
        if what not in self.tallies:
            self.tallies[what] = Tally(self.clock())
        return self.tallies[what]

    def _line(self, now: float) -> None:
        self.last_line_s, self.changed = now, False
        self.lines += 1
        told = {what: tally for what, tally in self.tallies.items() if what not in self.whole}
        self.whole |= {what for what, tally in told.items() if 0 < tally.expected == tally.done}
        self._write(told, now)

    def _write(self, told: Mapping[str, Tally], now: float) -> None:
        words = [tally.text(what, now) for what, tally in told.items()]
        self.tell(self.signs.between.join([*words, *in_words(self.sides)]))


@dataclass(slots=True)
class JsonProgress(LineProgress):
    """The same as JSON, for programs."""

    write: Callable[[EventLine], None] = field(kw_only=True)

    def doing(self, text: str) -> None:
        """Tell it at once."""
        self.write(EventLine(event=Event.DOING, text=text))

    def _write(self, told: Mapping[str, Tally], now: float) -> None:
        counts = {what: tally.count(now) for what, tally in told.items()}
        self.write(EventLine(event=Event.PROGRESS, counts=counts, load=list(in_words(self.sides))))
