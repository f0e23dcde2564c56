"""What rich draws on a terminal: bars and frames. Imported only where there is a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from azureml_replay.terminal import amount, safe


def frame(stream: IO[str], lines: Iterable[str], *, good: bool) -> None:
    """A box that says at a glance how it went; without colour where `NO_COLOR` is set, which rich respects."""
    text = Text("\n".join(map(safe, lines)))
    Console(file=stream).print(Panel(text, expand=False, border_style="green" if good else "red"))


class Count(ProgressColumn):
    """`1,200/1,500  34/s`."""

    def render(self, task: Task) -> Text:
        """In the unit that the description names."""
        what = task.description
        total = f"/{amount(what, int(task.total))}" if task.total and task.total >= task.completed else ""
        speed = f"  {amount(what, round(task.speed))}/s" if task.speed else ""
        return Text(f"{amount(what, int(task.completed))}{total}{speed}")


@contextmanager
def bars(stream: IO[str]) -> Iterator[Progress]:
    """Rich's live bars. `NO_COLOR` is rich's own to respect."""
    console = Console(file=stream, markup=False, highlight=False, emoji=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), Count(), TimeRemainingColumn(compact=True))
    with Progress(*columns, console=console) as live:
        yield live


@dataclass(slots=True)
class BarProgress:
    """Progress as one bar for each kind."""

    live: Progress
    tasks: dict[str, TaskID] = field(default_factory=dict)
    expected: dict[str, int] = field(default_factory=dict)

    def expect(self, what: str, count: int) -> None:
        """Lengthens the bar."""
        self.expected[what] = self.expected.get(what, 0) + count
        self.live.update(self._task(what), total=self.expected[what])

    def done(self, what: str, count: int = 1) -> None:
        """Fills it."""
        self.live.advance(self._task(what), count)

    def say(self, text: str) -> None:
        """A line above the bars."""
        self.live.console.print(safe(text), soft_wrap=True)

    def _task(self, what: str) -> TaskID:
        if what not in self.tasks:
            self.tasks[what] = self.live.add_task(what, total=None)
        return self.tasks[what]
