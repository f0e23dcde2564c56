"""`python -m extractor.extract_jobs`: writes a workspace's jobs into jobs.json and the archive beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from azureml_replay.archive.archive import Archive
from azureml_replay.cli import calls, main, next_step
from azureml_replay.cli.help import SETTINGS, HelpedCommand
from azureml_replay.cli.interrupts import finish
from azureml_replay.cli.legacy import (
    advising,
    archive_beside,
    refuse_imported,
    seed_selection,
    submitting,
    tell,
    typed_again,
)
from azureml_replay.cli.options import NoArtifactsOption, SourceOption, takes, terminal_flags
from azureml_replay.cli.results import names_told
from azureml_replay.cli.speed import RUNS_AT_ONCE, ParallelOption, Speed
from azureml_replay.connection import config_named
from azureml_replay.counting import counted
from azureml_replay.disk.outputs import refuse_unwritable
from azureml_replay.errors import Exit
from azureml_replay.extraction.extract import Extracted, ExtractOptions
from azureml_replay.formats.jobs_json import symptoms
from azureml_replay.formats.jobs_json.source import digest_of
from azureml_replay.formats.jobs_json.write import Written, write_jobs
from azureml_replay.planning.plan import planned_units
from azureml_replay.selection import Selection
from azureml_replay.terminal import log_file
from azureml_replay.terminal.terminal import Terminal

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
SLOW = "this takes long: a larger --parallel works on more runs at once (now {}), --no-artifacts lists no files"


@app.command(cls=HelpedCommand, context_settings={**SETTINGS, "obj": "extract_jobs"})
@takes(selection=seed_selection, terminal=terminal_flags)
def extract_jobs(
    *,
    source: SourceOption,
    output: Annotated[Path, typer.Option(metavar="FILE", help="Write this jobs.json; its archive lies beside it.")],
    selection: Selection,
    terminal: Terminal,
    parallel: ParallelOption = RUNS_AT_ONCE,
    no_artifacts: NoArtifactsOption = False,
) -> Exit:
    """Read a workspace's jobs, with all that they logged, into a jobs.json. Again to continue."""
    workspace, folder = config_named(source), archive_beside(output)
    refuse_imported(folder)
    refuse_unwritable(output, "--output")
    log_file.LOGGER.info("extracts from %s", workspace.ref)  # begins the log, which then has the error, if any
    extracting = calls.extract(
        workspace,
        folder,
        selection,
        ExtractOptions(artifacts=not no_artifacts),
        redact=(),
        speed=Speed(parallel),
        terminal=advising(terminal, SLOW.format(parallel)),
    )
    done = finish(extracting, folder)
    with Archive.open(folder) as archive:
        written = write_jobs(archive, output, None if selection.everything else set(planned_units(archive, selection)))
        archive.mark_view(str(output), digest_of(output))
    terminal.result((done, written), _result(written, output))
    tell(terminal, _told(done, written, selection))
    next_step.tell(terminal, typed_again() if done.failed else submitting(workspace, output))
    return names_told(Exit.SERVICE if done.failed else Exit.OK, done.unknown_names, terminal)


def _result(written: Written, output: Path) -> Iterator[str]:
    points, files = counted(written.points, "metric point"), counted(written.files, "file")
    yield f"{output}: {counted(written.jobs, 'job')}, {points}, {files} listed"


def _told(done: Extracted, written: Written, selection: Selection) -> Iterator[str]:
    lists = symptoms.FileLists(written.jobs, written.left_out, written.without_files, written.without_logs)
    yield f"extracted now: {counted(done.runs, 'run')}; in the file: {counted(written.jobs, 'job')}"
    yield from (f"failed: {run}: {why}" for run, why in done.failed)
    if done.failed:
        yield f"missing from the file: {counted(len(done.failed), 'run')}; run the same command again to continue"
    yield from symptoms.missing_jobs(done.listed, done.units, done.active, selection)
    yield from symptoms.empty_outputs(lists)
    yield from symptoms.missing_logs(lists)


if __name__ == "__main__":
    main(app, "python -m extractor.extract_jobs")
