"""`azureml-replay report`, and the report at the end of `migrate`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from azureml_replay.cli import leftovers, next_step
from azureml_replay.cli.options import KNOWN, ArchiveArgument, takes, terminal_flags
from azureml_replay.cli.targets import target_config
from azureml_replay.counting import counted
from azureml_replay.disk.outputs import refuse_unwritable
from azureml_replay.errors import Exit, UserError
from azureml_replay.terminal.layout import prose
from azureml_replay.terminal.terminal import Terminal
from azureml_replay.terminal.text import amount
from azureml_replay.workspace.place import Place

if TYPE_CHECKING:
    from azureml_replay.report_page import Reported

NAME = "report.html"
"""The page's name in the archive's folder, which only its owner may enter, as befits what it shows."""


@takes(terminal=terminal_flags)
def report(
    *,
    archive: ArchiveArgument,
    terminal: Terminal,
    output: Annotated[
        Path, typer.Option("--output", metavar="PATH", help="Write the page there, or with --shards the folder.")
    ] = Path(NAME),
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="WS", help=f"Report of this target, where the archive has several. {KNOWN}"),
    ] = None,
    shards: Annotated[
        bool, typer.Option("--shards", help="Write a folder with the details of every run, however many.")
    ] = False,
    max_size: Annotated[
        str,
        typer.Option(metavar="N", help="Fill at most so much of the page with details. N is in bytes, or 30MB, 1GB."),
    ] = "30MB",
) -> Exit:
    """Write what was found as one page that opens from disk, offline."""
    from azureml_replay.archive.archive import Archive
    from azureml_replay.report_page import report as reporting

    there = target_config(target, archive).ref if target is not None else None
    if shards and output == Path(NAME):
        output = Path("report")
    most = _bytes(max_size)
    if shards or not output.is_dir():  # otherwise it is refused with what to give
        refuse_unwritable(output, "--output", folder=shards)
    with Archive.open(archive, write=False) as opened, terminal.progress() as progress:
        done = reporting(opened, output, target=there, shards=shards, max_bytes=most, progress=progress)
    printed = terminal.beside(output)
    printed.result(done, prose(lines(done)))
    leftovers.tell([archive], terminal)
    leftovers.tell_unextracted(archive, terminal)
    next_step.tell(terminal, f"open {done.path} in a browser" if printed is terminal else next_step.DONE)
    return Exit.OK


def lines(done: Reported) -> Iterator[str]:
    """The lines of `report`: where the page is, and what it lacks."""
    yield f"report: {done.path} ({amount('bytes', done.bytes)})"
    yield done.verdict
    if done.left_out:
        runs = counted(done.runs, "run")
        yield f"the details of {done.left_out:,} of {runs} did not fit: give --shards, or a larger --max-size"


def at_the_end(archive: Path, output: Path | None, target: Place, terminal: Terminal) -> Path | None:
    """Write the report at the end of `migrate`; where it is. A page that is not built is said, and is no failure."""
    from azureml_replay.archive.archive import Archive
    from azureml_replay.report_page import NotBuilt
    from azureml_replay.report_page import report as reporting

    terminal.say("4 of 4: report")
    try:
        with Archive.open(archive, write=False) as opened, terminal.progress() as progress:
            done = reporting(opened, output or archive / NAME, target=target, progress=progress)
    except NotBuilt as problem:
        terminal.say(f"no report: {problem}")
        return None
    terminal.say(f"report: {done.path} ({amount('bytes', done.bytes)})")
    return done.path


_DIGITS = 15
"""Of a size in bytes."""


def _bytes(text: str) -> int:
    """The bytes that a text like `30MB` means, in powers of ten. Raises UserError."""
    found = re.fullmatch(r"(\d+)\s*(?:([kmg]?)b?)?", text.strip(), re.IGNORECASE)
    if not found:
        raise UserError(f"--max-size {text}: expected bytes, or a number with kB, MB or GB")
    if len(found[1]) > _DIGITS:
        raise UserError(f"--max-size {text[:_DIGITS]}…: no disk holds a page of that size")
    size: int = int(found[1]) * 1_000 ** " kmg".index((found[2] or " ").lower())
    return size
