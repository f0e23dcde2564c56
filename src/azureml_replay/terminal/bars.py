"""Bars and frames drawn on a terminal with rich. Imported only where there is a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID
from rich.text import Text

from azureml_replay.progress import Loads
from azureml_replay.terminal.layout import Signs, signs_of
from azureml_replay.terminal.streams import columns
from azureml_replay.terminal.text import amount, duration, is_rate, safe, shown
from azureml_replay.workspace.traffic import in_words

FRAME = 4
"""Columns that a frame itself takes."""
FIGURES = 56
"""Columns for the texts beside a bar: `runs extracted`, `12,000/100,000  1,234/s  26 s left`."""
_PASTED = re.compile(r"\baz(?:ureml-replay)? |\bpython -m |://")
"""In a line with a command or an address in it."""
PER_S = 4
"""Drawings a second: few enough for a slow connection, and as fast as anybody reads."""


def frame(stream: TextIO, lines: Iterable[str], *, good: bool) -> None:
    """Draw the lines in a green or red box; without colour where `NO_COLOR` is set, which rich respects."""
    text = Text("\n".join(map(shown, lines)))
    console = Console(file=stream, width=columns(stream))
    console.print(Panel(text, expand=False, border_style="green" if good else "red"))


class KnownBar(BarColumn):
    """A bar where the total is known, else none: a pulse says no more than the count."""

    def render(self, task: Task) -> RenderableType:  # type: ignore[override]  # rich names one renderable
        """The bar; empty without a total, or beyond it."""
        return super().render(task) if task.total and task.completed <= task.total else Text()


class Count(ProgressColumn):
    """The column with the figures: `1,200/1,500  34/s  9 s left`; on a narrow terminal without the rate."""

    def __init__(self, *, narrow: bool) -> None:
        super().__init__()
        self.narrow = narrow

    def render(self, task: Task) -> Text:
        """The figures, in the unit that the description names."""
        what = task.description
        counted = amount(what, int(task.completed))
        if task.total and task.total >= task.completed:
            counted += f"/{amount(what, int(task.total))}"
        parts = [counted]
        if task.speed and not task.finished and is_rate(what) and not self.narrow:
            parts.append(f"{amount(what, round(task.speed))}/s")
        if task.total and task.time_remaining:
            parts.append(f"{duration(task.time_remaining)} left")
        return Text("  ".join(parts))


class Name(ProgressColumn):
    """The column that says what is counted."""

    def render(self, task: Task) -> Text:
        """The description, which consists of our own words."""
        return Text(task.description)


class Bars(Progress):
    """Bars, and below them a line with the load of the services."""

    def __init__(self, console: Console) -> None:
        """Draws on `console`; bars are as long as there is room beside the figures."""
        self.sides: dict[str, Loads] = {}
        self.doing = ""
        self.signs: Signs = signs_of(console.encoding)
        room = console.width - FIGURES
        bar = [KnownBar(bar_width=min(40, room))] if room >= 4 else []
        figures = Count(narrow=room < 0)
        super().__init__(Name(), *bar, figures, console=console, refresh_per_second=PER_S)

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bars, then what is done beside them, then the line with the load."""
        yield from super().get_renderables()
        if self.doing:
            yield Text(shown(self.doing), style="dim", overflow="ellipsis", no_wrap=True)
        if not self.finished and (words := list(in_words(self.sides))):
            yield Text(safe(self.signs.between.join(words)), style="dim")


@contextmanager
def drawn_progress(stream: TextIO) -> Iterator[BarProgress]:
    """Live bars until the end of the block. Rich respects `NO_COLOR`."""
    console = Console(file=stream, markup=False, highlight=False, emoji=False, width=columns(stream))
    with Bars(console) as live:
        try:
            yield BarProgress(live)
        finally:
            live.sides.clear()  # only the bars stay on the screen
            live.doing = ""


@dataclass(slots=True)
class BarProgress:
    """Progress as one bar for each kind."""

    live: Bars
    tasks: dict[str, TaskID] = field(default_factory=dict)
    expected: dict[str, int] = field(default_factory=dict)

    def expect(self, what: str, count: int) -> None:
        """Lengthen the bar."""
        self.live.doing = ""
        self.expected[what] = self.expected.get(what, 0) + count
        self.live.update(self._task(what), total=self.expected[what])

    def done(self, what: str, count: int = 1) -> None:
        """Fill the bar."""
        self.live.doing = ""
        self.live.advance(self._task(what), count)

    def doing(self, text: str) -> None:
        """Show the text below the bars until something is counted."""
        self.live.doing = text

    def say(self, text: str) -> None:
        """Write a line above the bars. Words wrap; what may be pasted stays whole."""
        self.live.console.print(shown(text), soft_wrap=_PASTED.search(text) is not None)

    def slowed(self, text: str) -> None:
        """Do nothing: the line below the bars says it as long as it lasts."""

    def watch(self, side: str, loads: Loads) -> None:
        """Show the load of the services of `side` in the line below the bars."""
        self.live.sides[side] = loads

    def finished(self) -> None:
        """Remove the bars of a verb that has ended: its result was shown."""
        for task in self.tasks.values():
            self.live.remove_task(task)
        self.tasks.clear()
        self.expected.clear()

    def _task(self, what: str) -> TaskID:
        if what not in self.tasks:
            self.tasks[what] = self.live.add_task(what, total=None)
        return self.tasks[what]
