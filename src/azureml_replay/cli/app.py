"""The commands: flags in, `calls` and `results`, exit code out."""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from azureml_replay.azure.config import workspace_config
from azureml_replay.cli import check as checks
from azureml_replay.cli import export as take_out
from azureml_replay.cli import report as reporting
from azureml_replay.cli import results, synthetic, undo
from azureml_replay.cli.doctor import doctor
from azureml_replay.cli.options import (
    ArchiveArgument,
    ArchiveOption,
    DeepOption,
    ObjectsOption,
    OptionalSource,
    ParallelOption,
    RedactOption,
    SourceOption,
    TakeOverOption,
    TargetOption,
    extract_flags,
    file_flags,
    replay_flags,
    selection_flags,
    takes,
    terminal_flags,
)
from azureml_replay.cli.synthetic import Mode, ModeOption, job_flags
from azureml_replay.disk.outputs import refuse_unwritable
from azureml_replay.errors import Exit
from azureml_replay.selection import Selection
from azureml_replay.terminal.terminal import Terminal

if TYPE_CHECKING:
    from azureml_replay.direct.replay import Replayed, ReplayOptions
    from azureml_replay.extraction.extract import ExtractOptions
    from azureml_replay.planning.files import FileChoice
    from azureml_replay.synthetic.options import SyntheticReplayOptions
    from azureml_replay.synthetic.replay import SyntheticReplayed
    from azureml_replay.verbs import Migrated

Result = TypeVar("Result")

WIDTH = 32
"""Runs worked on at once, which bounds memory; how much a service accepts is learnt while it is asked."""

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
EPILOG = "Begin with: azureml-replay extract --source config.json --archive my-archive"


def _version(wanted: bool) -> None:
    if wanted:
        from azureml_replay.cli.versions import lines

        typer.echo("\n".join(lines()))
        raise typer.Exit


@app.callback(epilog=EPILOG)
def everything(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the versions, as a bug report needs them."
        ),
    ] = False,
) -> None:
    """Carry Azure Machine Learning job history from one workspace to another, and prove it.

    \b
    Ends with:
      0    done; verify: all compared and equal, omissions as planned
      1    a bug of ours
      2    something you can mend: input, login, role, disk
      3    the service failed, or some runs did or are not compared: run again
      4    what was read is not what was written
      5    verify has findings
      130  interrupted: run again to continue
    """  # noqa: D301 - click wants the control character itself


@app.command()
@takes(options=extract_flags, selection=selection_flags, terminal=terminal_flags)
def extract(
    *,
    source: SourceOption,
    archive: ArchiveOption,
    options: ExtractOptions,
    selection: Selection,
    terminal: Terminal,
    redact: RedactOption = None,
    objects: ObjectsOption = None,
    parallel: ParallelOption = WIDTH,
) -> Exit:
    """Read a workspace into an archive. Again to continue, or to bring what is new."""
    from azureml_replay.cli import calls

    workspace = workspace_config(source)
    globs = tuple(redact or ())
    done = _done(
        calls.extract(
            workspace, archive, selection, options, redact=globs, objects=objects, width=parallel, terminal=terminal
        ),
        archive,
    )
    terminal.result(done, results.extracted(done))
    if not done.failed:
        terminal.say(f"Next: azureml-replay plan {archive}")
    return results.names_told(Exit.SERVICE if done.failed else Exit.OK, done.unknown_names, terminal)


@app.command()
@takes(jobs=job_flags, idle=synthetic.flags_without_effect, selection=selection_flags, terminal=terminal_flags)
def plan(
    *,
    archive: ArchiveArgument,
    jobs: SyntheticReplayOptions,
    idle: tuple[str, ...],
    selection: Selection,
    terminal: Terminal,
    mode: ModeOption = Mode.DIRECT,
    target: Annotated[
        str | None, typer.Option(metavar="WS", help="Plan for this workspace, by what replay or doctor saw it keep.")
    ] = None,
) -> Exit:
    """Show what replay would send and what the target will not have. No network, nothing written."""
    from azureml_replay.cli import calls

    workspace = workspace_config(target) if target is not None else None
    for line in idle:
        terminal.say(line)
    if mode is Mode.SYNTHETIC:
        synthetic.show(archive, workspace, selection, jobs.shape, terminal=terminal)
        return results.names_told(Exit.OK, calls.unknown_names(archive, selection), terminal)
    synthetic.only_synthetic(jobs)
    planned = calls.plan(archive, selection, jobs.shape.files, workspace)
    terminal.result(planned, results.planned(planned))
    return results.names_told(Exit.OK, calls.unknown_names(archive, selection), terminal)


@app.command()
@takes(
    options=replay_flags,
    jobs=job_flags,
    idle=synthetic.flags_without_effect,
    selection=selection_flags,
    terminal=terminal_flags,
)
def replay(
    *,
    archive: ArchiveArgument,
    target: TargetOption,
    options: ReplayOptions,
    jobs: SyntheticReplayOptions,
    idle: tuple[str, ...],
    selection: Selection,
    terminal: Terminal,
    source: OptionalSource = None,
    mode: ModeOption = Mode.DIRECT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, send nothing.")] = False,
    debug_hierarchy: Annotated[
        bool, typer.Option("--debug-hierarchy", help="synthetic: show the tree of the originals, send nothing.")
    ] = False,
    price_per_hour: Annotated[
        float | None,
        typer.Option(min=0, max=1_000_000, metavar="N", help="synthetic, with --dry-run: what a node costs."),
    ] = None,
    take_over: TakeOverOption = False,
    parallel: ParallelOption = WIDTH,
) -> Exit:
    """Write an archive's runs into a workspace. Again to continue: nothing is sent twice."""
    from azureml_replay.cli import calls

    workspace = workspace_config(target)
    origin = workspace_config(source) if source is not None else None
    for line in idle:
        terminal.say(line)
    if mode is Mode.SYNTHETIC:
        synthetic.only_direct(options)
    if mode is Mode.DIRECT:
        synthetic.only_synthetic(jobs)
    elif dry_run or debug_hierarchy:
        shown = partial(synthetic.show, archive, workspace, selection, jobs.shape, terminal=terminal)
        shown(originals=debug_hierarchy, price_per_hour=price_per_hour)
        return results.names_told(Exit.OK, calls.unknown_names(archive, selection), terminal)
    else:
        call = calls.submit(
            archive, workspace, origin, selection, jobs, take_over=take_over, width=parallel, terminal=terminal
        )
        submitted = _done(call, archive)
        code = _submitted(submitted, archive, target, terminal)
        return results.names_told(code, calls.unknown_names(archive, selection), terminal)
    if dry_run:
        planned = calls.plan(archive, selection, options.files, workspace)
        terminal.result(planned, results.planned(planned))
        return results.names_told(Exit.OK, calls.unknown_names(archive, selection), terminal)
    done = _done(
        calls.replay(
            archive, workspace, origin, selection, options, take_over=take_over, width=parallel, terminal=terminal
        ),
        archive,
    )
    proof = calls.proven(archive, workspace, selection)
    terminal.result(done, [*results.replayed(done), *results.proven(proof, _verify(archive, target))])
    return results.names_told(_replayed(done, options), calls.unknown_names(archive, selection), terminal)


@app.command()
@takes(choice=file_flags, selection=selection_flags, terminal=terminal_flags)
def verify(
    *,
    archive: ArchiveArgument,
    target: TargetOption,
    choice: FileChoice,
    selection: Selection,
    terminal: Terminal,
    source: OptionalSource = None,
    deep: DeepOption = False,
    parallel: ParallelOption = WIDTH,
) -> Exit:
    """Read the target back and compare every value.

    Ends with 0 where everything that was chosen was compared and is equal, with 5 where something differs, with 3
    where something is not compared, by this look or an earlier one. --no-artifacts, --files and --max-file-size say
    what is looked at now.
    """
    from azureml_replay.cli import calls

    workspace = workspace_config(target)
    origin = workspace_config(source) if source is not None else None
    verdict = _done(
        calls.verify(archive, workspace, origin, selection, choice, deep=deep, width=parallel, terminal=terminal),
        archive,
    )
    terminal.result(verdict, results.verified(verdict, archive, _verify(archive, target)), good=verdict.proves)
    return results.names_told(verdict.exit, calls.unknown_names(archive, selection), terminal)


@app.command()
@takes(terminal=terminal_flags)
def status(archive: ArchiveArgument, terminal: Terminal) -> Exit:
    """Show how far an archive is, from its ledger alone: no network."""
    from azureml_replay.cli import calls

    now = calls.status(archive)
    terminal.result(now, results.shown_status(now))
    return Exit.OK


@app.command()
@takes(extracting=extract_flags, replaying=replay_flags, selection=selection_flags, terminal=terminal_flags)
def migrate(
    *,
    source: SourceOption,
    target: TargetOption,
    archive: ArchiveOption,
    extracting: ExtractOptions,
    replaying: ReplayOptions,
    selection: Selection,
    terminal: Terminal,
    redact: RedactOption = None,
    objects: ObjectsOption = None,
    deep: DeepOption = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Default: report.html in the archive's folder.")
    ] = None,
    take_over: TakeOverOption = False,
    parallel: ParallelOption = WIDTH,
) -> Exit:
    """Extract, replay, verify and report in one go. Again to continue, or to bring what is new."""
    from azureml_replay.cli import calls
    from azureml_replay.target.profile import refuse_same
    from azureml_replay.verbs import MigrateOptions

    origin, workspace = workspace_config(source), workspace_config(target)
    refuse_same(origin.ref, workspace.ref)  # before anybody logs in
    options = MigrateOptions(extract=extracting, replay=replaying, deep=deep)
    if report is not None:
        refuse_unwritable(report, "--report")

    done = _done(
        calls.migrate(
            origin,
            workspace,
            archive,
            selection,
            options,
            redact=tuple(redact or ()),
            take_over=take_over,
            objects=objects,
            width=parallel,
            terminal=terminal,
        ),
        archive,
    )
    good = done.verdict.proves and not done.extracted.failed and not done.replayed.failed
    terminal.result(done, results.migrated(done, archive, _verify(archive, target)), good=good)
    reporting.at_the_end(archive, report, workspace.ref, terminal)
    return results.names_told(_migrated(done, replaying), done.extracted.unknown_names, terminal)


def _verify(archive: Path, target: str) -> list[str]:
    """The command that compares everything, as it can be typed."""
    return ["azureml-replay", "verify", str(archive), "--target", target]


def _done(call: Coroutine[Any, Any, Result], archive: Path) -> Result:
    from azureml_replay.cli.interrupts import finish

    return finish(call, archive)


def _migrated(done: Migrated, options: ReplayOptions) -> Exit:
    if done.extracted.failed:
        return Exit.SERVICE
    return _replayed(done.replayed, options) or done.verdict.exit


def _submitted(done: SyntheticReplayed, archive: Path, target: str, terminal: Terminal) -> Exit:
    verdict = done.verdict
    lines = [
        *synthetic.replayed(done),
        *(results.verified(verdict, archive, _verify(archive, target)) if verdict else ()),
    ]
    terminal.result(done, lines, good=bool(verdict and verdict.proves and not done.failed))
    if done.failed:
        return Exit.SERVICE
    return verdict.exit if verdict else Exit.OK


def _replayed(done: Replayed, options: ReplayOptions) -> Exit:
    from azureml_replay.direct.replay import OnConflict

    if done.failed:
        return Exit.SERVICE
    return Exit.USER if done.conflicts and options.on_conflict is not OnConflict.SKIP else Exit.OK


app.command()(checks.check)
app.command()(doctor)
app.command()(reporting.report)
app.command("undo")(undo.undo)
app.command("map")(take_out.map_)
app.command("export")(take_out.export)
