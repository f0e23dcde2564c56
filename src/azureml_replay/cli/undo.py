"""The command that takes back what an archive's replay wrote."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from azureml_replay.cli import leftovers, next_step
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
from azureml_replay.connection import Config
from azureml_replay.counting import counted
from azureml_replay.errors import Exit, UserError
from azureml_replay.terminal.layout import prose
from azureml_replay.terminal.terminal import Terminal

if TYPE_CHECKING:
    from azureml_replay.target.undone import Undoable, Undone

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
    delete: Annotated[
        bool, typer.Option("--delete", help="Remove for good what is hidden, so far as the service lets it go.")
    ] = False,
    confirm: Annotated[
        str | None,
        typer.Option(
            "--confirm", metavar="NAME", help="With --delete: the target's name, as --yes does not answer it."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what there is to take back, ask nobody.")] = False,
    take_over: TakeOverOption = False,
    parallel: ParallelOption = RUNS_AT_ONCE,
) -> Exit:
    """Hide the runs that this archive's replay wrote and remove their files. A later replay brings them back.

    With --delete what is hidden is then removed for good; a later replay creates it anew.
    """
    from azureml_replay.cli.interrupts import finish

    if confirm is not None and not delete:
        raise UserError("--confirm has an effect with --delete alone")
    workspace = target_config(target, archive)
    (leftovers.tell if dry_run else leftovers.bring)([archive], terminal)
    there = _there(archive, workspace)
    if dry_run:
        terminal.result(there, prose(would_lines(there, workspace, delete=delete)))
        return Exit.OK
    if delete:
        confirm = _confirmed(there, workspace, confirm, line=line, terminal=terminal)
    else:
        _ask(there, workspace, yes=yes, terminal=terminal)
    call = _undo(archive, workspace, delete=confirm, take_over=take_over, width=parallel, terminal=terminal)
    done = finish(call, archive)
    terminal.result(done, prose(lines(done, deleting=delete)))
    anew = "create them anew" if delete and not done.kept else "bring them back"
    brought = tuple(line.into("replay", archive, *way, keep={"--target"}) for way in _ways_back(done))
    whole = next_step.NextSteps(f"{next_step.DONE}; to {anew}", brought)
    next_step.tell(terminal, line.again() if done.failed else whole)
    return Exit.SERVICE if done.failed else Exit.OK


def _ways_back(done: Undone) -> Iterator[tuple[str, ...]]:
    """Options of each `replay` that brings something back: runs, and jobs."""
    jobs = done.jobs + done.deleted_jobs
    if done.runs or done.deleted or not jobs:
        yield ()
    if jobs:
        yield ("--mode", "synthetic")


def _there(folder: Path, target: Config) -> Undoable:
    """By the archive alone. Raises UserError where it wrote nothing into the target, or under another prefix."""
    from azureml_replay.archive.archive import Archive
    from azureml_replay.target.one_prefix import refuse_other_prefix
    from azureml_replay.undoing import undoable

    with Archive.open(folder, write=False) as opened:
        refuse_other_prefix(opened.ledger(target.ref), target)
        return undoable(opened, target.ref)


def _ask(there: Undoable, target: Config, *, yes: bool, terminal: Terminal) -> None:
    """Ask whether to go on. Raises UserError where nobody can answer, and where the answer is no."""
    if yes or not there.hides:
        return
    if not sys.stdin.isatty():
        raise UserError(f"undo would {_would(there)} in {target.ref}: nobody can be asked here, give --yes")
    terminal.clear()
    if not typer.confirm(f"{_would(there).capitalize()} in {target.ref}?", err=True):
        raise UserError("nothing was changed")
    terminal.say("")


def _confirmed(there: Undoable, target: Config, confirm: str | None, *, line: Typed, terminal: Terminal) -> str:
    """The workspace's name, as somebody gave it or types it now. Raises UserError for another, and where nobody can."""
    from azureml_replay.deleting import check_confirmed, check_deletes

    check_deletes(target.ref)
    name = target.ref.short
    if confirm is None and not there.deletes:
        return name
    if confirm is None and not sys.stdin.isatty():
        again = line.again("--confirm", name, without={"--yes"})
        raise UserError(f"undo would {_would_delete(there)} in {target.ref}: confirm it with `{again}`")
    if confirm is None:
        terminal.clear()
        question = f"{_would_delete(there).capitalize()} in {target.ref}? Type the workspace's name to go on"
        confirm = str(typer.prompt(question, err=True))
        terminal.say("")
    check_confirmed(target.ref, confirm)
    return confirm


def _would(there: Undoable) -> str:
    jobs = f", archive {counted(there.jobs, 'job')}" if there.jobs else ""
    takes = "delete for good" if there.assets_deleted else "archive"
    assets = f", {takes} {counted(there.assets, 'asset')}" if there.assets else ""
    return f"hide {counted(there.runs, 'run')}, remove up to {counted(there.files, 'file')}{jobs}{assets}"


def _would_delete(there: Undoable) -> str:
    runs = counted(there.runs + there.hidden_runs, "run")
    jobs = there.jobs + there.hidden_jobs
    more = f", {counted(jobs, 'job')}" if jobs else ""
    return f"delete for good {runs}, up to {counted(there.files, 'file')}{more}"


def would_lines(there: Undoable, target: Config, *, delete: bool) -> Iterator[str]:
    """The lines of `undo --dry-run`."""
    if delete and there.staying_runs:
        yield f"{counted(there.staying_runs, 'run')} stay hidden: the service keeps them, or a run below them"
    if not (there.deletes if delete else there.hides):
        yield f"nothing to take back in {target.ref}"
        return
    yield f"undo would {_would_delete(there) if delete else _would(there)} in {target.ref}"
    hidden = there.hidden_runs + there.hidden_jobs
    if delete and hidden:
        yield f"{hidden:,} of them are hidden already"
    if not delete and hidden:
        yield f"{counted(hidden, 'run or job', 'runs and jobs')} hidden already: --delete removes these, too"


async def _undo(
    folder: Path, target: Config, *, delete: str | None, take_over: bool, width: int, terminal: Terminal
) -> Undone:
    from azureml_replay.archive.archive import Archive
    from azureml_replay.cli.calls import connected
    from azureml_replay.cli.recording import recorded
    from azureml_replay.undoing import undo as taking_back

    with Archive.open(folder) as opened, terminal.progress() as progress:
        async with connected(target, Speed(width), progress) as writing:
            with recorded(opened, "undo", target=writing) as watch:
                done = await taking_back(
                    opened, writing, delete=delete, take_over=take_over, width=width, progress=progress
                )
                return watch.did("undo", done)


def lines(done: Undone, *, deleting: bool = False) -> Iterator[str]:
    """The lines of `undo`: what went, what stays and why."""
    jobs = f", {counted(done.jobs, 'job')} archived" if done.jobs else ""
    took = "deleted for good" if done.assets_deleted else "archived"
    assets = f", {counted(done.assets, 'asset')} {took}" if done.assets else ""
    yield f"undone: {counted(done.runs, 'run')} hidden, {counted(done.files, 'file')} removed{jobs}{assets}"
    if deleting:
        yield from _deleted(done)
    if done.experiments:
        emptied = counted(len(done.experiments), "experiment")
        yield f"{emptied} archived, as no visible run is left there: {', '.join(done.experiments)}"
    if done.last_copies:
        files, them = ("file stays", "it") if done.last_copies == 1 else ("files stay", "them")
        yield f"{done.last_copies:,} {files}: the source has {them} no more, and the archive does not keep {them}"
    if done.runs and not deleting:
        yield "metric points cannot be deleted: they stay with the hidden runs, and a later replay does not double them"
    if done.jobs and not deleting:
        yield "what the jobs' steps logged and wrote stays with them"
    yield from _named(done)
    if done.failed:
        yield f"{len(done.failed):,} failed: run the same command again to continue"


def _deleted(done: Undone) -> Iterator[str]:
    jobs = f", {counted(done.deleted_jobs, 'job')}" if done.deleted_jobs else ""
    yield f"deleted: {counted(done.deleted, 'run')}{jobs}"
    if done.kept:
        yield f"{counted(len(done.kept), 'run')} or jobs stay hidden, each with its reason below"


def _named(done: Undone) -> Iterator[str]:
    lists = {"left alone": done.left, "gone": done.gone, "stays hidden": done.kept, "failed": done.failed}
    for what, listed in lists.items():
        yield from (f"{what}: {run}: {why}" if run else f"{what}: {why}" for run, why in listed[:SHOWN])
    more = sum(max(0, len(listed) - SHOWN) for listed in lists.values())
    if more:
        yield f"and {more:,} more (--json lists all)"
