"""`azureml-replay check`: is an archive what it was? No network, nothing written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from azureml_replay.cli import leftovers, next_step
from azureml_replay.cli.next_step import Typed, typed
from azureml_replay.cli.options import ArchiveArgument, takes, terminal_flags
from azureml_replay.counting import counted
from azureml_replay.errors import Exit
from azureml_replay.terminal.layout import Branch
from azureml_replay.terminal.terminal import Terminal
from azureml_replay.terminal.text import Line, amount

if TYPE_CHECKING:
    from azureml_replay.archive.checking import Checked

SHOWN = 20
"""Damages in the answer for people; `--json` has a thousand."""


@takes(terminal=terminal_flags, line=typed)
def check(
    *,
    archive: ArchiveArgument,
    terminal: Terminal,
    line: Typed,
    read_data: Annotated[
        bool, typer.Option("--read-data", help="Read the bytes of the files that it keeps, too.")
    ] = False,
) -> Exit:
    """Hold everything in an archive against its digests. Ends with 0 where it is as written, with 4 where it is not."""
    from azureml_replay.archive.archive import Archive
    from azureml_replay.archive.checking import check as checking

    with Archive.open(archive, write=False) as opened, terminal.progress() as progress:
        found = checking(opened, read_data=read_data, progress=progress)
    terminal.result(found, lines_of(found), good=not found.damaged)
    leftovers.tell([archive], terminal)
    if not found.damaged:
        leftovers.tell_unextracted(archive, terminal)
    next_step.tell(terminal, _next(found, line))
    return Exit.INTEGRITY if found.damaged else Exit.OK


def _next(found: Checked, line: Typed) -> str | next_step.NextSteps:
    if found.damaged:
        return "restore a copy of the archive, or extract into a new folder"
    if found.data_read or not found.objects:
        return next_step.DONE
    return next_step.NextSteps(f"{next_step.DONE}; to read the files too", (line.again("--read-data"),))


def lines_of(found: Checked) -> Iterator[Line]:
    """The verdict, the roots, and what is damaged."""
    contents = f"{counted(found.objects, 'file content')} ({amount('bytes', found.bytes)})"
    read = contents if found.data_read else f"{contents}, whose bytes were not read (--read-data)"
    verdict = f"{counted(found.damaged, 'damage')} found" if found.damaged else "all as it was written"
    yield f"{counted(found.runs, 'run')}, {counted(found.points, 'point')}, {read}: {verdict}"
    yield f"content root {found.content.reckoned}"
    for proof in found.proofs:
        yield f"proof root {proof.root.reckoned} of {proof.target}"
    if found.damaged:
        rest = found.damaged - SHOWN
        rows = [Branch(f"{one.what}: {one.why}") for one in found.damages[:SHOWN]]
        yield Branch("damaged", (*rows, *([Branch(f"and {rest:,} more (--json)")] if rest > 0 else [])))
