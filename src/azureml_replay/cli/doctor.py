"""`azureml-replay doctor`: whether everything is there that a migration needs."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from azureml_replay.azure.config import WorkspaceConfig, workspace_config
from azureml_replay.cli.options import WS, takes, terminal_flags
from azureml_replay.errors import Exit, UserError
from azureml_replay.progress import Progress
from azureml_replay.terminal.terminal import Terminal

if TYPE_CHECKING:
    from azureml_replay.archive.archive import Archive
    from azureml_replay.diagnosis.doctor import Diagnosis
    from azureml_replay.diagnosis.sheet import ProbeRow
    from azureml_replay.workspace.examined import Subject


@takes(terminal=terminal_flags)
def doctor(
    *,
    terminal: Terminal,
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
    configs = [workspace_config(name) if name is not None else None for name in (source, target)]
    found = finish(_examined(configs[0], configs[1], archive, terminal), archive)
    terminal.result(found, _lines(found), good=found.exit is Exit.OK)
    return found.exit


async def _examined(
    source: WorkspaceConfig | None, target: WorkspaceConfig | None, folder: Path | None, terminal: Terminal
) -> Diagnosis:
    from azureml_replay.diagnosis.doctor import diagnosed

    with terminal.progress() as progress:
        async with AsyncExitStack() as stack:
            archive = stack.enter_context(_archive(folder, source)) if folder is not None else None
            if archive is not None:
                archive.log_command(sys.argv)
            subjects = [await stack.enter_async_context(_subject(one, progress)) for one in (source, target)]
            return await diagnosed(subjects[0], subjects[1], archive, progress)


def _archive(folder: Path, source: WorkspaceConfig | None) -> Archive:
    from azureml_replay.archive.archive import Archive

    return Archive.open(folder) if source is None else Archive.create(folder, source.ref)


@asynccontextmanager
async def _subject(config: WorkspaceConfig | None, progress: Progress) -> AsyncIterator[Subject | None]:
    if config is None:
        yield None
        return
    from azureml_replay.connection import examine

    async with examine(config, on_throttle=progress.slowed) as subject:
        yield subject


def _lines(found: Diagnosis) -> Iterator[str]:
    """The rows as a table; below a row that is not fine stands what to do, which may be a command to paste."""
    from azureml_replay.diagnosis.sheet import Outcome

    width = max(len(row.probe) for row in found.rows)
    for side in dict.fromkeys(row.side for row in found.rows):
        yield side
        for row in found.rows:
            if row.side == side:
                yield f"  {row.outcome:7}  {row.probe:{width}}  {row.seen}"
                if row.outcome is not Outcome.OK and row.todo:
                    yield f"  {'':7}  {'':{width}}  -> {row.todo}"
    yield _verdict(found.rows)


def _verdict(rows: Sequence[ProbeRow]) -> str:
    from azureml_replay.diagnosis.sheet import Outcome

    counts = {outcome: sum(row.outcome is outcome for row in rows) for outcome in Outcome}
    counted_outcomes = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    if counts[Outcome.MISSING]:
        return f"{counted_outcomes}: mend what is missing, then ask again"
    if any(row.unreachable for row in rows):
        return f"{counted_outcomes}: not everything could be reached"
    return f"{counted_outcomes}: nothing stands in the way"
