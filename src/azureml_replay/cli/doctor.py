"""`azureml-replay doctor`: whether everything is there that a migration needs."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from azureml_replay.cli import next_step
from azureml_replay.cli.next_step import Typed, typed
from azureml_replay.cli.options import WS, takes, terminal_flags
from azureml_replay.connection import Config, config_named
from azureml_replay.counting import counted
from azureml_replay.errors import Exit, UserError
from azureml_replay.progress import Progress
from azureml_replay.terminal.layout import Branch
from azureml_replay.terminal.terminal import Terminal
from azureml_replay.terminal.text import Line

if TYPE_CHECKING:
    from azureml_replay.archive.archive import Archive
    from azureml_replay.target.diagnosis.doctor import Diagnosis
    from azureml_replay.workspace.examined import Subject


@takes(terminal=terminal_flags, line=typed)
def doctor(
    *,
    terminal: Terminal,
    line: Typed,
    source: Annotated[str | None, typer.Option(metavar="WS", help=f"Examine the workspace to read from. {WS}")] = None,
    target: Annotated[str | None, typer.Option(metavar="WS", help=f"Examine the workspace to write into. {WS}")] = None,
    archive: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep what is found in this archive, where replay reads it.")
    ] = None,
) -> Exit:
    """Look for what a migration would stumble over, and say what to do. Writes hidden throw-away runs to the target."""
    from azureml_replay.cli.interrupts import finish

    if source is None and target is None:
        raise UserError("nothing to examine: give --source, --target or both")
    configs = [config_named(name) if name is not None else None for name in (source, target)]
    found = finish(_examined(configs[0], configs[1], archive, terminal), archive)
    terminal.result(found, [_verdict(found)], good=found.exit is Exit.OK)
    if not terminal.json:
        terminal.result(None, _lines(found, all_of_them=terminal.verbose))
    next_step.tell(terminal, _next(found, line))
    return found.exit


def _next(found: Diagnosis, line: Typed) -> str | next_step.NextSteps:
    if found.exit is not Exit.OK:
        return next_step.NextSteps("mend that, then ask again", (line.again(),))
    if not {"--source", "--target"} <= line.options.keys():
        return next_step.DONE
    archive = line.options.get("--archive", ("--archive", "history"))
    return line.into("migrate", *archive, keep=next_step.ENDS)


async def _examined(source: Config | None, target: Config | None, folder: Path | None, terminal: Terminal) -> Diagnosis:
    from azureml_replay.target.diagnosis.doctor import diagnosed

    with terminal.progress() as progress:
        async with AsyncExitStack() as stack:
            archive = stack.enter_context(_archive(folder, source)) if folder is not None else None
            if archive is not None:
                archive.log_command(sys.argv)
            subjects = [await stack.enter_async_context(_subject(one, progress)) for one in (source, target)]
            return await diagnosed(subjects[0], subjects[1], archive, progress)


def _archive(folder: Path, source: Config | None) -> Archive:
    from azureml_replay.archive.archive import Archive

    return Archive.open(folder) if source is None else Archive.create(folder, source.ref)


@asynccontextmanager
async def _subject(config: Config | None, progress: Progress) -> AsyncIterator[Subject | None]:
    if config is None:
        yield None
        return
    from azureml_replay.connection import examine

    async with examine(config, on_throttle=progress.slowed) as subject:
        yield subject


def _verdict(found: Diagnosis) -> str:
    """How many checks there were, and what they came to."""
    from azureml_replay.target.diagnosis.sheet import Outcome

    counts = found.counts
    said = [f"{counts[Outcome.OK]} ok", f"{counts[Outcome.MISSING]} not ok"]
    said += [counted(counts[Outcome.WARNING], "warning")] if counts[Outcome.WARNING] else []
    figures = f"{counted(len(found.rows), 'check')}: {', '.join(said)}, {counts[Outcome.UNKNOWN]} can't be known"
    if counts[Outcome.MISSING]:
        return f"{figures}: mend what is not ok"
    if any(row.unreachable for row in found.rows):
        return f"{figures}: not everything could be reached"
    return f"{figures}: nothing stands in the way"


def _lines(found: Diagnosis, *, all_of_them: bool) -> Iterator[Line]:
    """The rows that somebody has to read, or all; below a row stands what to do, which may be a command to paste."""
    rows = [row for row in found.rows if all_of_them or row.pressing or row.probe == "way"]
    width = max((len(row.probe) for row in rows), default=0)
    for side in dict.fromkeys(row.side for row in rows):
        yield side
        for row in rows:
            if row.side == side:
                before = f"  {_WORDS[row.outcome]:8}  "
                yield Branch(f"{before}{row.probe:{width}}  {row.seen}", hanging=len(before) + width + 2)
                if row.todo and not row.fine:
                    yield _to_do(row.todo)
    if len(rows) < len(found.rows):
        yield Branch(f"{len(found.rows) - len(rows):,} more of the checks: --verbose shows all")


def _to_do(todo: str) -> Line:
    """Words wrap as the terminal wants; a command stays whole, to be pasted."""
    return f"    {todo}" if todo.startswith("az ") else Branch(f"    -> {todo}", hanging=7)


_WORDS = {"ok": "ok", "warning": "warning", "missing": "not ok", "unknown": "unknown"}
"""What the outcomes of probes are called before people."""
