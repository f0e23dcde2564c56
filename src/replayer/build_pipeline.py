"""`python -m replayer.build_pipeline`: submits real jobs to another workspace that log again what a jobs.json has."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from azureml_replay.archive.archive import Archive
from azureml_replay.cli import calls, main, next_step, results
from azureml_replay.cli.help import SETTINGS, HelpedCommand
from azureml_replay.cli.interrupts import finish
from azureml_replay.cli.job_trees import drawn_in_full, hierarchy
from azureml_replay.cli.legacy import (
    advising,
    archive_beside,
    fill_from_file,
    replays,
    selection_of,
    tell,
    typed_again,
    was_extracted,
)
from azureml_replay.cli.options import (
    MOST,
    OptionalSource,
    TakeOverOption,
    TargetOption,
    takes,
    terminal_flags,
)
from azureml_replay.cli.speed import RUNS_AT_ONCE, ParallelOption, Speed
from azureml_replay.cli.synthetic import failures, flags_without_effect, job_flags, submitted, sum_lines, summed
from azureml_replay.connection import Config, config_named
from azureml_replay.counting import counted
from azureml_replay.disk.handles import temporary_folder
from azureml_replay.errors import Exit
from azureml_replay.formats.jobs_json import symptoms
from azureml_replay.formats.jobs_json.edits import cut_out, unknown_edits
from azureml_replay.formats.jobs_json.index import JobsIndex
from azureml_replay.model import RunId
from azureml_replay.planning.plan import planned_units
from azureml_replay.progress import Progress
from azureml_replay.synthetic.foreseen import JobsForeseen
from azureml_replay.synthetic.options import Shape, SyntheticReplayOptions, planned_trees, waiting_units
from azureml_replay.synthetic.replay import SyntheticReplayed
from azureml_replay.synthetic.submit import Told
from azureml_replay.synthetic.tree.nodes import Tree
from azureml_replay.terminal import log_file
from azureml_replay.terminal.hints import hint
from azureml_replay.terminal.layout import Branch
from azureml_replay.terminal.terminal import Terminal
from azureml_replay.terminal.text import Line
from azureml_replay.verification.verdict import Verdict

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
SLOW = "this takes long: --no-copy-artifacts leaves files out, a larger --parallel works on more at once (now {})"


@app.command(cls=HelpedCommand, context_settings={**SETTINGS, "obj": "replayer"})
@takes(options=job_flags, idle=flags_without_effect, terminal=terminal_flags)
def build_pipeline(
    *,
    input_: Annotated[
        Path, typer.Option("--input", metavar="FILE", help="Read this jobs.json, which extract_jobs wrote.")
    ],
    target: TargetOption,
    options: SyntheticReplayOptions,
    idle: tuple[str, ...],
    terminal: Terminal,
    source: OptionalSource = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=MOST, metavar="N", help="Choose at most N top-level jobs.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be submitted, without a login.")] = False,
    debug_hierarchy: Annotated[
        bool, typer.Option("--debug-hierarchy", help="Show the tree of the original jobs first.")
    ] = False,
    source_container: Annotated[
        str | None, typer.Option(metavar="NAME", help="It changes nothing: where each file lies is known.")
    ] = None,
    copy_artifacts: Annotated[bool, typer.Option(help="Bring files too, or leave them behind.")] = True,
    take_over: TakeOverOption = False,
    parallel: ParallelOption = RUNS_AT_ONCE,
) -> Exit:
    """Submit a job for every job of a jobs.json: it logs the metrics again and shows the files."""
    workspace = config_named(target)
    origin = config_named(source) if source is not None else None
    index = JobsIndex(input_)
    asked = copy_artifacts and options.shape.files.artifacts
    reachable = origin is not None or was_extracted(archive_beside(input_))
    files = replace(options.shape.files, artifacts=asked and reachable)
    options = replace(options, shape=replace(options.shape, files=files))
    if source_container is not None:
        terminal.say(f"--source-container {source_container} has no effect: where each file lies is known")
    tell(terminal, (*_advice(index, options.shape, asked=asked), *idle, *_edits(index)))
    if dry_run or debug_hierarchy:
        draw = hierarchy if debug_hierarchy else partial(drawn_in_full, compute=options.compute)
        with _read_only(index, origin, terminal) as archive:
            selection = selection_of(index, archive, limit)
            ledger = archive.ledger(workspace.ref)
            planned = planned_trees(archive, ledger, selection, options.shape)
            if dry_run:
                waiting = sum(1 for _ in waiting_units(archive, planned_units(archive, selection)))
                _show(planned, terminal, draw, JobsForeseen(archive, ledger, options.resubmit), waiting=waiting)
                next_step.tell(terminal, typed_again(without={"--dry-run", "--debug-hierarchy"}))
                return Exit.OK
            if not terminal.json:
                terminal.result(None, [hierarchy(tree) for tree, _ in planned])
    speaking = advising(terminal, SLOW.format(parallel))
    replaying = _replay(
        index, origin, workspace, limit=limit, options=options, take_over=take_over, width=parallel, terminal=speaking
    )
    done = finish(replaying, archive_beside(input_))
    return _ended(done, index, workspace, limit, terminal)


def _ended(done: SyntheticReplayed, index: JobsIndex, target: Config, limit: int | None, terminal: Terminal) -> Exit:
    """The verdict with its findings and the next command, what failed, and at last which job stands for which."""
    folder, verdict = archive_beside(index.path), done.verdict
    lines = [*submitted(done), *(_verified(index, verdict, target) if verdict else ())]
    terminal.result(done, lines, good=bool(verdict and verdict.proves))
    tell(terminal, failures(done))
    with Archive.open(folder, write=False) as archive:
        standing = list(replays(archive, target.ref, selection_of(index, archive, limit)))
    for line in standing:
        log_file.LOGGER.info(line)
    if not terminal.json:
        terminal.result(None, standing)
    next_step.tell(terminal, _next(done, folder, target))
    if done.failed:
        return Exit.SERVICE
    return verdict.exit if verdict else Exit.OK


def _next(done: SyntheticReplayed, folder: Path, target: Config) -> str:
    """The same again until all of it is there and compared; then the report."""
    if done.failed or done.verdict is None:
        return typed_again(without={"--no-wait"})
    return hint("report", folder, "--target", target.origin)


def _verified(index: JobsIndex, verdict: Verdict, target: Config) -> Iterator[Line]:
    """The verdict, which says so where it is about a part of the archive: jobs were cut out of the file."""
    folder = archive_beside(index.path)
    with Archive.open(folder, write=False) as archive:
        left, jobs = len(cut_out(index, archive)), counted(sum(1 for _ in archive.units()), "job")
    deep = hint("verify", folder, "--target", target.origin, "--deep")  # this command cannot be told to do it
    first, *others = results.verified(verdict, target, deep=deep)
    part = f"of {jobs} of the archive those in {index.path}, without {left:,}: " if left else ""
    yield Branch(f"{part}{first.label}")
    yield from others
    yield f"each of them: {hint('report', folder, '--target', target.origin)}"


def _advice(index: JobsIndex, shape: Shape, *, asked: bool) -> Iterator[str]:
    yield f"{index.path}: {counted(len(index.places), 'job')}"
    yield from symptoms.several_entries(list(index.twice))
    if shape.files.artifacts:
        yield from symptoms.empty_outputs(index.file_lists)
        yield from symptoms.missing_logs(index.file_lists)
    elif asked:
        yield f"no archive lies beside {index.path}, so files stay behind: --source says where they are"


def _edits(index: JobsIndex) -> list[str]:
    folder = archive_beside(index.path)
    if not (folder / "archive.db").exists():
        return []
    with Archive.open(folder, write=False) as archive:
        return [*unknown_edits(index, archive), *symptoms.cut_out(index.path, cut_out(index, archive))]


@contextmanager
def _read_only(index: JobsIndex, source: Config | None, terminal: Terminal) -> Iterator[Archive]:
    """The archive beside the file, or a temporary one where there is none. No login, no network."""
    folder = archive_beside(index.path)
    with tempfile.TemporaryDirectory(dir=temporary_folder()) as passing:
        if not was_extracted(folder):
            folder = Path(passing) / "jobs.archive"
            asyncio.run(fill_from_file(index, folder, source, reach=False, width=RUNS_AT_ONCE, terminal=terminal))
        with Archive.open(folder, write=False) as archive:
            yield archive


def _show(
    planned: Iterable[tuple[Tree, Shape]],
    terminal: Terminal,
    draw: Callable[[Tree], Branch],
    foreseen: JobsForeseen,
    *,
    waiting: int,
) -> None:
    """Show tree by tree, then the sums, with what the archive itself lacks of those runs."""
    runs = set[RunId]()

    def noted() -> Iterator[tuple[Tree, Shape]]:
        for tree, shape in planned:
            runs.update([tree.root, *(node.source for node in tree.walk())])
            yield tree, shape

    sums = summed(foreseen, noted(), draw, terminal, waiting=waiting)
    sums.omit(lacking for lacking in foreseen.archive.omissions() if lacking.run in runs)
    terminal.result(sums, sum_lines(sums, price_per_hour=None))
    tell(terminal, symptoms.long_replay(sums.files, sums.bytes))


async def _replay(
    index: JobsIndex,
    source: Config | None,
    target: Config,
    *,
    limit: int | None,
    options: SyntheticReplayOptions,
    take_over: bool,
    width: int,
    terminal: Terminal,
) -> SyntheticReplayed:
    """Replay the archive beside the file, made from the file where there is none."""
    folder = archive_beside(index.path)
    if not was_extracted(folder):
        await fill_from_file(index, folder, source, reach=options.shape.files.artifacts, width=width, terminal=terminal)
    with Archive.open(folder, write=False) as archive:
        selection = selection_of(index, archive, limit)
    return await calls.submit(
        folder,
        target,
        source,
        selection,
        options,
        take_over=take_over,
        speed=Speed(width),
        terminal=terminal,
        telling=_telling,
    )


def _telling(progress: Progress) -> Told:
    """Each job on its line, in the log too."""

    def told(root: RunId, job: RunId) -> None:
        line = f"submitted: {root} -> {job}"
        log_file.LOGGER.info(line)
        progress.say(line)

    return told


if __name__ == "__main__":
    main(app, "python -m replayer.build_pipeline")
