"""What the original tool's two commands share: the place of their archive, their flags, their messages."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from azureml_replay.archive.archive import Archive
from azureml_replay.cli import calls
from azureml_replay.cli.next_step import NextSteps
from azureml_replay.cli.options import MOST, Many, selection_flags
from azureml_replay.cli.speed import Speed
from azureml_replay.connection import Config, page_of_run
from azureml_replay.errors import UserError
from azureml_replay.formats.jobs_json.edits import refuse_edits
from azureml_replay.formats.jobs_json.index import JobsIndex
from azureml_replay.formats.jobs_json.source import import_jobs
from azureml_replay.formats.jobs_json.symptoms import Watched
from azureml_replay.model import RunId
from azureml_replay.planning.plan import planned_units
from azureml_replay.progress import Progress
from azureml_replay.selection import Selection
from azureml_replay.synthetic.options import job_of
from azureml_replay.terminal import log_file
from azureml_replay.terminal.hints import BUILD_PIPELINE, quoted, retyped
from azureml_replay.terminal.terminal import Terminal
from azureml_replay.workspace.place import Place


def typed_again(without: Collection[str] = ()) -> str:
    """The command line of this call once more, with some flags left out."""
    return retyped([word for word in sys.argv if word not in without])


def submitting(source: Config, jobs: Path) -> NextSteps:
    """What follows an extraction: the dry run, into a workspace that is still to be named."""
    ends = ["--source", source.origin, "--target", "target.json"]
    line = quoted([*BUILD_PIPELINE, *ends, "--input", str(jobs), "--dry-run"])
    return NextSteps("choose the workspace to write into, save its config.json as target.json, then", (line,))


def archive_beside(jobs: Path) -> Path:
    """`data/jobs.archive` for `data/jobs.json`: the file is a view of it."""
    return jobs.with_suffix(".archive")


def seed_selection(
    *,
    include: Annotated[Many, typer.Option(metavar="A,B", help="Choose top-level jobs by name.")] = None,
    include_file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Choose the jobs of a file, one name a line.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=MOST, metavar="N", help="Choose at most N top-level jobs.")
    ] = None,
    include_active: Annotated[
        bool, typer.Option("--include-active", help="Choose what is still running, too.")
    ] = False,
) -> Selection:
    """The chosen top-level jobs; each comes with all runs below it."""
    for name in include or ():
        if Path(name).is_file():
            raise UserError(f"--include {name} is a file: give it as --include-file {name}")
    return selection_flags(include=include, include_file=include_file, limit=limit, include_active=include_active)


def refuse_imported(folder: Path) -> None:
    """Raise UserError for an archive that was made from a jobs.json: what that lacks would look complete."""
    if not (folder / "archive.db").exists():
        return
    with Archive.open(folder, write=False) as archive:
        imported = archive.imported()
    if imported is not None:
        raise UserError(f"{folder} was made from {imported.file}: remove that folder, or give another --output")


def was_extracted(folder: Path) -> bool:
    """True where a complete archive is there, so that no jobs.json has to be read into it."""
    if not (folder / "archive.db").exists():
        return False
    with Archive.open(folder, write=False) as archive:
        return archive.imported() is None


async def fill_from_file(
    index: JobsIndex, folder: Path, source: Config | None, *, reach: bool, width: int, terminal: Terminal
) -> None:
    """Make the archive of a jobs.json that has none beside it, or bring it up to date.

    With `reach`, the source is asked for the files that the original's entries do not list.
    """
    with Archive.create(folder, origin_of(index, source)) as archive, terminal.progress() as progress:
        if source is None or not reach or index.ours:
            await import_jobs(index, archive, None, width=width, progress=progress)
            return
        async with calls.connected(source, Speed(width), progress, side="source") as workspace:
            await import_jobs(index, archive, workspace, width=width, progress=progress)


def origin_of(index: JobsIndex, source: Config | None) -> Place:
    """The workspace that the jobs come from: --source where given. Raises UserError where the ids name another."""
    if source is None:
        return index.source()
    if index.workspaces and not any(ref == source.ref for ref in index.workspaces):
        raise UserError(f"--source {source.origin}: the jobs of {index.path} come from {next(iter(index.workspaces))}")
    return source.ref


def selection_of(index: JobsIndex, archive: Archive, limit: int | None) -> Selection:
    """The jobs that the file names: a user may have taken entries out of it.

    Raises UserError for a missing one, and for an entry that was edited where the archive was not made from the file.
    """
    named = set(index.roots())
    if not named:
        raise UserError(f"{index.path} names no job: nothing was chosen; extract again for the whole file")
    mine = archive.imported() is None
    units = {row.id: row.unit for row in archive.listing() if row.extracted and row.id in index.places}
    if missing := sorted((index.places if mine else named) - units.keys()):
        raise UserError(
            f"{index.path} names {missing[0]}, which the archive {archive.folder} lacks: "
            "extract again, or move the file to a folder of its own"
        )
    if mine:
        refuse_edits(index, archive)
    wanted: set[RunId] = {units[name] for name in named}
    everything = wanted == set(archive.units())
    return Selection(include=() if everything else tuple(sorted(wanted)), limit=limit, include_active=True)


def replays(archive: Archive, target: Place, selection: Selection) -> Iterator[str]:
    """A line for each top-level job that stands in the target: `original -> replay`, and its page in Studio."""
    ledger, address = archive.ledger(target), archive.studio(target)
    for root in planned_units(archive, selection):
        job = job_of(ledger, root)
        if job is not None:
            page = page_of_run(target, address, job)
            yield f"{root} -> {job}{f'  {page}' if page else ''}"


@dataclass(frozen=True, slots=True)
class Advising(Terminal):
    """A terminal that says once what makes a long command slow."""

    advice: str = ""

    @contextmanager
    def progress(self, *, brief: bool = False) -> Iterator[Progress]:
        """The terminal's progress, with the advice when it is time."""
        with Terminal.progress(self, brief=brief) as inner:
            yield Watched(inner, self.advice)


def advising(terminal: Terminal, advice: str) -> Advising:
    """The same terminal, with advice."""
    return Advising(terminal.results, terminal.messages, json=terminal.json, quiet=terminal.quiet, advice=advice)


def tell(terminal: Terminal, lines: Iterable[str]) -> None:
    """Show lines on the terminal and write them to the log."""
    for line in lines:
        log_file.LOGGER.info(line)
        terminal.say(line)
