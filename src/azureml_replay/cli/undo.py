"""The command that takes back what an archive's replay wrote."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from azureml_replay.azure.config import WorkspaceConfig
from azureml_replay.cli import next_step
from azureml_replay.cli.next_step import Typed, typed
from azureml_replay.cli.options import (
    ArchiveArgument,
    TakeOverOption,
    UndoneOption,
    takes,
    terminal_flags,
)
from azureml_replay.cli.speed import RUNS_AT_ONCE, ParallelOption, Speed
from azureml_replay.cli.targets import target_config
from azureml_replay.counting import counted
from azureml_replay.errors import Exit, UserError
from azureml_replay.terminal.terminal import Terminal

if TYPE_CHECKING:
    from azureml_replay.undoing import Undoable, Undone

SHOWN = 20
"""Lines shown of one list; `--json` has all."""


@takes(terminal=terminal_flags, line=typed)
def undo(
    *,
    archive: ArchiveArgument,
    target: UndoneOption,
    terminal: Terminal,
    line: Typed,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    take_over: TakeOverOption = False,
    parallel: ParallelOption = RUNS_AT_ONCE,
) -> Exit:
    """Hide the runs that this archive's replay wrote and remove their files. A later replay brings them back."""
    from azureml_replay.cli.interrupts import finish

    workspace = target_config(target, archive)
    _ask(archive, workspace, yes=yes, terminal=terminal)
    call = _undo(archive, workspace, take_over=take_over, width=parallel, terminal=terminal)
    done = finish(call, archive)
    terminal.result(done, lines(done))
    brought = line.into("replay", archive, keep={"--target"})
    next_step.tell(terminal, line.again() if done.failed else f"{next_step.DONE}; to bring them back: {brought}")
    return Exit.SERVICE if done.failed else Exit.OK


def _ask(folder: Path, target: WorkspaceConfig, *, yes: bool, terminal: Terminal) -> None:
    """Ask whether to go on. Raises UserError where nobody can answer, and where the answer is no."""
    from azureml_replay.archive.archive import Archive
    from azureml_replay.undoing import undoable

    with Archive.open(folder, write=False) as opened:
        there = undoable(opened, target.ref)
    if yes or not (there.runs or there.jobs):
        return
    if not sys.stdin.isatty():
        raise UserError(f"undo would {_would(there)} in {target.ref}: nobody can be asked here, give --yes")
    terminal.clear()
    if not typer.confirm(f"{_would(there)} in {target.ref}?".capitalize(), err=True):
        raise UserError("nothing was changed")
    terminal.say("")


def _would(there: Undoable) -> str:
    jobs = f", archive {counted(there.jobs, 'job')}" if there.jobs else ""
    return f"hide {counted(there.runs, 'run')}, remove up to {counted(there.files, 'file')}{jobs}"


async def _undo(folder: Path, target: WorkspaceConfig, *, take_over: bool, width: int, terminal: Terminal) -> Undone:
    from azureml_replay.archive.archive import Archive
    from azureml_replay.cli.calls import connected
    from azureml_replay.cli.recording import recorded
    from azureml_replay.undoing import undo as taking_back

    with Archive.open(folder) as opened, terminal.progress() as progress:
        async with connected(target, Speed(width), progress) as writing:
            with recorded(opened, "undo", target=writing) as watch:
                done = await taking_back(opened, writing, take_over=take_over, width=width, progress=progress)
                return watch.did("undo", done)


def lines(done: Undone) -> Iterator[str]:
    """The lines of `undo`: what went, what stays and why."""
    jobs = f", {counted(done.jobs, 'job')} archived" if done.jobs else ""
    yield f"undone: {counted(done.runs, 'run')} hidden, {counted(done.files, 'file')} removed{jobs}"
    if done.experiments:
        emptied = counted(len(done.experiments), "experiment")
        yield f"{emptied} archived, as no visible run is left there: {', '.join(done.experiments)}"
    if done.runs:
        yield "metric points cannot be deleted: they stay with the hidden runs, and a later replay does not double them"
    if done.jobs:
        yield "what the jobs' steps logged and wrote stays with them"
    for run, why in done.left[:SHOWN]:
        yield f"left alone: {run}: {why}" if run else f"left alone: {why}"
    for run, why in done.failed[:SHOWN]:
        yield f"failed: {run}: {why}"
    more = max(0, len(done.left) - SHOWN) + max(0, len(done.failed) - SHOWN)
    if more:
        yield f"and {more:,} more (--json lists all)"
    if done.failed:
        yield f"{len(done.failed):,} failed: run the same command again to continue"
