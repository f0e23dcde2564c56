"""`azureml-replay merge`: other archives of the same source into one. No network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from azureml_replay.cli import leftovers, next_step
from azureml_replay.cli.next_step import Typed, typed
from azureml_replay.cli.options import ArchiveArgument, takes, terminal_flags
from azureml_replay.counting import counted
from azureml_replay.errors import Exit
from azureml_replay.terminal.hints import hint
from azureml_replay.terminal.terminal import Terminal
from azureml_replay.terminal.text import amount

if TYPE_CHECKING:
    from azureml_replay.archive.merging.merge import Merged

OthersArgument = Annotated[
    list[Path], typer.Argument(metavar="OTHER", help="Archives whose content comes into it; they stay as they are.")
]


@takes(terminal=terminal_flags, line=typed)
def merge(
    *,
    archive: ArchiveArgument,
    others: OthersArgument,
    terminal: Terminal,
    line: Typed,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would come, and write nothing.")] = False,
) -> Exit:
    """Fold other archives of the same source into one.

    Their runs and bytes come, and what each of them sent and compared. Again to continue; once done it changes nothing.
    """
    (leftovers.tell if dry_run else leftovers.bring)([archive, *others], terminal)
    done = _merged(archive, others, dry_run=dry_run, terminal=terminal)
    terminal.result(done, lines_of(done))
    again = line.again(without={"--dry-run"})
    next_step.tell(terminal, again if dry_run else hint("status", archive))
    return Exit.OK


def _merged(folder: Path, others: Sequence[Path], *, dry_run: bool, terminal: Terminal) -> Merged:
    from azureml_replay.archive.archive import Archive
    from azureml_replay.archive.merging.merge import merge as merging
    from azureml_replay.cli.recording import recorded

    with Archive.open(folder) as opened, terminal.progress() as progress:
        if dry_run:
            return merging(opened, others, dry_run=True, progress=progress)
        with recorded(opened, "merge") as watch:
            return watch.did("merge", merging(opened, others, progress=progress))


def lines_of(done: Merged) -> Iterator[str]:
    """What came, and what of it is to be done again."""
    newer = f", {done.renewed:,} in a later state" if done.renewed else ""
    yield (
        f"{counted(done.archives, 'archive')} merged: {counted(done.runs, 'new run')}{newer}, {done.same:,} as here; "
        f"{counted(done.points, 'point')}, {counted(done.kept, 'file content')} ({amount('bytes', done.kept_bytes)}), "
        f"{counted(done.receipts, 'receipt')}"
    )
    if done.again:
        yield f"{counted(done.again, 'run')} to extract again: another archive's --redact holds here from now on"
