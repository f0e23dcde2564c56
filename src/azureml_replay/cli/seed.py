"""What the original tool's two commands share: where their archive lies, and where they speak."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from azureml_replay import logs
from azureml_replay.archive.archive import Archive
from azureml_replay.cli.options import Many, selection_flags
from azureml_replay.errors import UserError
from azureml_replay.progress import Progress
from azureml_replay.seed.symptoms import Watched
from azureml_replay.selection import Selection
from azureml_replay.terminal import Terminal


def archive_beside(jobs: Path) -> Path:
    """`data/jobs.archive` for `data/jobs.json`: the file is a view of it."""
    return jobs.with_suffix(".archive")


def seed_selection(
    *,
    include: Annotated[Many, typer.Option(metavar="A,B", help="Top-level jobs by name.")] = None,
    include_file: Annotated[Path | None, typer.Option(metavar="PATH", help="The same, one name a line.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most N top-level jobs.")] = None,
) -> Selection:
    """Which top-level jobs; each comes with all below it."""
    for name in include or ():
        if Path(name).is_file():
            raise UserError(f"--include {name} is a file: give it as --include-file {name}")
    return selection_flags(include=include, include_file=include_file, limit=limit)


def refuse_imported(folder: Path) -> None:
    """An archive that was made from a jobs.json is not filled up from a workspace: what it lacks looks complete."""
    if not (folder / "archive.db").exists():
        return
    with Archive.open(folder, write=False) as archive:
        imported = archive.imported()
    if imported is not None:
        raise UserError(f"{folder} was made from {imported.file}: remove that folder, or give another --output")


@dataclass(frozen=True, slots=True)
class Advising(Terminal):
    """Tells what makes a long command slow."""

    advice: str = ""

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """As a terminal's."""
        with Terminal.progress(self) as inner:
            yield Watched(inner, self.advice)


def advising(terminal: Terminal, advice: str) -> Advising:
    """The same terminal, with advice."""
    return Advising(terminal.results, terminal.messages, json=terminal.json, quiet=terminal.quiet, advice=advice)


def tell(terminal: Terminal, lines: Iterable[str]) -> None:
    """On the terminal and in the log."""
    for line in lines:
        logs.LOGGER.info(line)
        terminal.say(line)
