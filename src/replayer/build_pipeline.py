"""`python -m replayer.build_pipeline`: submits real jobs to another workspace that log again what a jobs.json has."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import WorkspaceConfig, workspace_config
from azureml_replay.cli import calls, main
from azureml_replay.cli.app import WIDTH
from azureml_replay.cli.interrupts import finish
from azureml_replay.cli.job_trees import drawn, hierarchy
from azureml_replay.cli.legacy import (
    advising,
    archive_beside,
    fill_from_file,
    selection_of,
    tell,
    was_extracted,
)
from azureml_replay.cli.options import OptionalSource, ParallelOption, TargetOption, takes, terminal_flags
from azureml_replay.cli.results import contents_of
from azureml_replay.cli.synthetic import failures, job_flags, submitted, sum_lines
from azureml_replay.counting import counted
from azureml_replay.errors import Exit
from azureml_replay.jobs_json import symptoms
from azureml_replay.jobs_json.index import JobsIndex
from azureml_replay.model import RunId
from azureml_replay.synthetic.options import Shape, SyntheticReplayOptions, planned_trees
from azureml_replay.synthetic.replay import SyntheticReplayed, replay_synthetic
from azureml_replay.synthetic.tree.nodes import Tree
from azureml_replay.synthetic.tree.summary import DryRun
from azureml_replay.terminal.layout import Branch
from azureml_replay.terminal.terminal import Terminal

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
SLOW = "this takes long: --no-copy-artifacts leaves files out, a larger --parallel works on more at once (now {})"


@app.command(context_settings={"obj": "replayer"})
@takes(options=job_flags, terminal=terminal_flags)
def build_pipeline(
    *,
    input_: Annotated[Path, typer.Option("--input", metavar="FILE", help="The jobs.json that extract_jobs wrote.")],
    target: TargetOption,
    options: SyntheticReplayOptions,
    terminal: Terminal,
    source: OptionalSource = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most N top-level jobs.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be submitted. No login.")] = False,
    debug_hierarchy: Annotated[
        bool, typer.Option("--debug-hierarchy", help="Show the tree of the original jobs. No login.")
    ] = False,
    source_container: Annotated[
        str | None, typer.Option(metavar="NAME", help="Not needed: where each file lies is known.")
    ] = None,
    copy_artifacts: Annotated[bool, typer.Option(help="Files come too, or stay behind.")] = True,
    parallel: ParallelOption = WIDTH,
) -> Exit:
    """Submit a job for every job of a jobs.json: it logs the metrics again and shows the files."""
    workspace = workspace_config(target)
    origin = workspace_config(source) if source is not None else None
    index = JobsIndex(input_)
    asked = copy_artifacts and options.shape.files.artifacts
    reachable = origin is not None or was_extracted(archive_beside(input_))
    files = replace(options.shape.files, artifacts=asked and reachable)
    shape = replace(options.shape, files=files)
    if source_container is not None:
        terminal.say(f"--source-container {source_container} has no effect: where each file lies is known")
    tell(terminal, _advice(index, shape, asked=asked))
    if dry_run or debug_hierarchy:
        with _read_only(index, origin, terminal) as archive:
            selection = selection_of(index, archive, limit)
            planned = (one for one, _ in planned_trees(archive, archive.ledger(workspace.ref), selection, shape))
            _show(archive, planned, terminal, hierarchy if debug_hierarchy else drawn)
        return Exit.OK
    options = replace(options, shape=shape)
    speaking = advising(terminal, SLOW.format(parallel))
    done = finish(
        _replay(index, origin, workspace, limit=limit, options=options, width=parallel, terminal=speaking),
        archive_beside(input_),
    )
    verdict = done.verdict
    terminal.result(done, _result(done), good=bool(verdict and verdict.proves))
    tell(terminal, failures(done))
    if done.failed:
        return Exit.SERVICE
    return verdict.exit if verdict else Exit.OK


def _advice(index: JobsIndex, shape: Shape, *, asked: bool) -> Iterator[str]:
    yield f"{index.path}: {counted(len(index.places), 'job')}"
    yield from symptoms.several_entries(list(index.twice))
    if shape.files.artifacts:
        yield from symptoms.empty_outputs(index.file_lists)
        yield from symptoms.missing_logs(index.file_lists)
    elif asked:
        yield f"no archive lies beside {index.path}, so files stay behind: --source says where they are"


@contextmanager
def _read_only(index: JobsIndex, source: WorkspaceConfig | None, terminal: Terminal) -> Iterator[Archive]:
    """The archive beside the file, or a temporary one where there is none. No login, no network."""
    folder = archive_beside(index.path)
    with tempfile.TemporaryDirectory() as passing:
        if not was_extracted(folder):
            folder = Path(passing) / "jobs.archive"
            asyncio.run(fill_from_file(index, folder, source, reach=False, width=WIDTH, terminal=terminal))
        with Archive.open(folder, write=False) as archive:
            yield archive


def _show(archive: Archive, planned: Iterator[Tree], terminal: Terminal, draw: Callable[[Tree], Branch]) -> None:
    """Show tree by tree, then the sums, with what the archive itself lacks of those runs."""
    sums, runs = DryRun(), set[RunId]()
    for one in planned:
        sums.add(one)
        runs.update(node.source for node in one.walk())
        if not terminal.json:
            terminal.result(None, [draw(one)])
    for lacking in archive.omissions():
        if lacking.run in runs:
            sums.reasons[lacking.reason] = sums.reasons.get(lacking.reason, 0) + 1
    terminal.result(sums, sum_lines(sums, price_per_hour=None))
    tell(terminal, symptoms.long_replay(sums.files, sums.bytes))


async def _replay(
    index: JobsIndex,
    source: WorkspaceConfig | None,
    target: WorkspaceConfig,
    *,
    limit: int | None,
    options: SyntheticReplayOptions,
    width: int,
    terminal: Terminal,
) -> SyntheticReplayed:
    """Replay the archive beside the file, made from the file where there is none."""
    folder = archive_beside(index.path)
    if not was_extracted(folder):
        await fill_from_file(index, folder, source, reach=options.shape.files.artifacts, width=width, terminal=terminal)
    with Archive.open(folder) as archive, terminal.progress() as progress:
        selection = selection_of(index, archive, limit)
        async with (
            calls.reading(archive, source, width, progress, needed=options.shape.files.artifacts) as origin,
            calls.connected(target, width, progress) as writing,
        ):
            archive.log_command(sys.argv)
            return await replay_synthetic(
                archive, origin, writing, selection, options=options, width=width, progress=progress
            )


def _result(done: SyntheticReplayed) -> Iterator[str]:
    yield from submitted(done)
    if done.verdict is not None:
        findings, omissions = counted(done.verdict.findings, "finding"), counted(done.verdict.omissions, "omission")
        yield f"{counted(done.verdict.runs, 'run')}, {contents_of(done.verdict)}: {findings}, {omissions} as planned"
        if done.verdict.unread:
            yield f"{counted(done.verdict.unread, 'run')} not extracted, so not compared: extract_jobs continues"


if __name__ == "__main__":
    main(app, "python -m replayer.build_pipeline")
