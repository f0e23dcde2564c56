"""The commands: flags in, `calls` and `results`, exit code out."""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from azureml_replay.cli import assets as listing_assets
from azureml_replay.cli import browse as browsing
from azureml_replay.cli import check as checks
from azureml_replay.cli import export as take_out
from azureml_replay.cli import leftovers, next_step, results, synthetic, undo
from azureml_replay.cli import report as reporting
from azureml_replay.cli import status as stating
from azureml_replay.cli.asset_options import sent_asset_flags
from azureml_replay.cli.doctor import doctor
from azureml_replay.cli.fitting import Given, given_options, refuse_other_mode, refuse_without
from azureml_replay.cli.help import SETTINGS, HelpedCommand, HelpedGroup, help_
from azureml_replay.cli.listing import ListingFiles, listing_flags
from azureml_replay.cli.merge import merge
from azureml_replay.cli.next_step import Typed, typed
from azureml_replay.cli.options import (
    KNOWN,
    AcceptOption,
    ArchiveArgument,
    ArchiveOption,
    ComparedOption,
    DeepOption,
    ForgetAcceptedOption,
    ObjectsOption,
    OptionalSource,
    RedactOption,
    SourceOption,
    TakeOverOption,
    TargetOption,
    WriteRouteOption,
    accepting,
    extract_flags,
    file_flags,
    replay_flags,
    selection_flags,
    takes,
    terminal_flags,
)
from azureml_replay.cli.speed import Speed, speed_flags
from azureml_replay.cli.synthetic import Mode, ModeOption, job_flags
from azureml_replay.cli.targets import target_config
from azureml_replay.connection import Config, config_named
from azureml_replay.disk.outputs import refuse_unwritable
from azureml_replay.errors import Exit
from azureml_replay.selection import Selection
from azureml_replay.terminal.layout import prose
from azureml_replay.terminal.terminal import Terminal

if TYPE_CHECKING:
    from azureml_replay.direct.options import Replayed, ReplayOptions
    from azureml_replay.extraction.extract import ExtractOptions
    from azureml_replay.planning.assets import AssetChoice
    from azureml_replay.planning.files import FileChoice
    from azureml_replay.synthetic.options import Shape, SyntheticReplayOptions
    from azureml_replay.synthetic.replay import SyntheticReplayed
    from azureml_replay.verbs import Migrated

Result = TypeVar("Result")

app = typer.Typer(cls=HelpedGroup, context_settings=SETTINGS, rich_markup_mode=None, pretty_exceptions_enable=False)
command = partial(app.command, cls=HelpedCommand)


def _version(wanted: bool) -> None:
    if wanted:
        from azureml_replay.cli.versions import lines

        typer.echo("\n".join(lines()))
        raise typer.Exit


@app.callback()
def everything(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_version,
            is_eager=True,
            help="Show the versions, for a bug report, and leave.",
        ),
    ] = False,
) -> None:
    """Carry Azure Machine Learning job history from one workspace to another, and prove it."""


@command()
@takes(options=extract_flags, selection=selection_flags, terminal=terminal_flags, line=typed, speed=speed_flags)
def extract(
    *,
    source: SourceOption,
    archive: ArchiveOption,
    options: ExtractOptions,
    selection: Selection,
    terminal: Terminal,
    line: Typed,
    speed: Speed,
    redact: RedactOption = None,
    objects: ObjectsOption = None,
) -> Exit:
    """Read a workspace into an archive. Again to continue, or to bring what is new."""
    from azureml_replay.cli import calls

    workspace = config_named(source)
    globs = tuple(redact or ())
    done = _done(
        calls.extract(
            workspace, archive, selection, options, redact=globs, objects=objects, speed=speed, terminal=terminal
        ),
        archive,
    )
    terminal.result(done, results.extracted(done))
    next_step.tell(terminal, next_step.after_extract(done, line, archive))
    return results.names_told(Exit.SERVICE if done.failed else Exit.OK, done.unknown_names, terminal)


@command()
@takes(
    shape=synthetic.shape_flags,
    given=given_options,
    assets=sent_asset_flags,
    selection=selection_flags,
    terminal=terminal_flags,
    line=typed,
)
def plan(
    *,
    archive: ArchiveArgument,
    shape: Shape,
    given: Given,
    assets: AssetChoice,
    selection: Selection,
    terminal: Terminal,
    line: Typed,
    mode: ModeOption = Mode.DIRECT,
    target: Annotated[
        str | None,
        typer.Option(metavar="WS", help=f"Plan for this workspace, by what it was seen to keep. {KNOWN}"),
    ] = None,
    write_route: WriteRouteOption = None,
) -> Exit:
    """Show what replay would send and what the target will not have. No network, nothing written."""
    from azureml_replay.cli import calls
    from azureml_replay.direct.options import ReplayOptions

    refuse_other_mode(given, synthetic=mode is Mode.SYNTHETIC)
    workspace = target_config(target, archive) if target is not None else None
    left = None
    if mode is Mode.SYNTHETIC:
        from azureml_replay.synthetic.options import SyntheticReplayOptions

        synthetic.show(archive, workspace, selection, SyntheticReplayOptions(shape=shape), terminal=terminal)
    else:
        options = ReplayOptions(files=shape.files, write_route=write_route, assets=assets)
        planned = calls.plan(archive, selection, options, workspace, terminal=terminal)
        terminal.result(planned, results.planned(planned, workspace.ref.short if workspace else ""))
        left = planned.left
    leftovers.tell([archive], terminal)
    leftovers.tell_unextracted(archive, terminal)
    next_step.tell(terminal, next_step.after_plan(line, archive, left))
    return results.names_told(Exit.OK, calls.unknown_names(archive, selection), terminal)


@command()
@takes(
    options=replay_flags,
    jobs=job_flags,
    given=given_options,
    selection=selection_flags,
    terminal=terminal_flags,
    line=typed,
    speed=speed_flags,
)
def replay(
    *,
    archive: ArchiveArgument,
    target: TargetOption,
    options: ReplayOptions,
    jobs: SyntheticReplayOptions,
    given: Given,
    selection: Selection,
    terminal: Terminal,
    line: Typed,
    speed: Speed,
    source: OptionalSource = None,
    mode: ModeOption = Mode.DIRECT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and send nothing.")] = False,
    debug_hierarchy: Annotated[
        bool, typer.Option("--debug-hierarchy", help="Show the tree of the original jobs and send nothing.")
    ] = False,
    price_per_hour: Annotated[
        float | None,
        typer.Option(min=0, max=1_000_000, metavar="N", help="With --dry-run: reckon with this price of a node."),
    ] = None,
    take_over: TakeOverOption = False,
) -> Exit:
    """Write an archive's runs into a workspace. Again to continue: nothing is sent twice."""
    from azureml_replay.cli import calls

    refuse_other_mode(given, synthetic=mode is Mode.SYNTHETIC)
    refuse_without(given, {"--price-per-hour"}, "--dry-run")
    workspace = target_config(target, archive)
    origin = config_named(source) if source is not None else None
    if mode is Mode.SYNTHETIC and (dry_run or debug_hierarchy):
        shown = partial(synthetic.show, archive, workspace, selection, jobs, terminal=terminal)
        shown(originals=debug_hierarchy, price_per_hour=price_per_hour)
        next_step.tell(terminal, line.again(without=next_step.ONLY_SHOWS))
        return results.names_told(Exit.OK, calls.unknown_names(archive, selection), terminal)
    if mode is Mode.SYNTHETIC:
        call = calls.submit(
            archive, workspace, origin, selection, jobs, take_over=take_over, speed=speed, terminal=terminal
        )
        submitted = _done(call, archive)
        code = _submitted(submitted, archive, workspace, line, terminal)
        return results.names_told(code, calls.unknown_names(archive, selection), terminal)
    if dry_run:
        planned = calls.plan(archive, selection, options, workspace, terminal=terminal)
        terminal.result(planned, results.planned(planned, workspace.ref.short))
        next_step.tell(terminal, next_step.after_dry_run(line, archive, planned.left))
        return results.names_told(Exit.OK, calls.unknown_names(archive, selection), terminal)
    done = _done(
        calls.replay(
            archive, workspace, origin, selection, options, take_over=take_over, speed=speed, terminal=terminal
        ),
        archive,
    )
    proof = calls.proven(archive, workspace, selection)
    terminal.result(done, [*results.replayed(done), *results.proven(proof)])
    next_step.tell(terminal, next_step.after_replay(done, proof, line, archive))
    return results.names_told(_replayed(done, options), calls.unknown_names(archive, selection), terminal)


@command()
@takes(
    choice=file_flags,
    listing=listing_flags,
    selection=selection_flags,
    terminal=terminal_flags,
    line=typed,
    speed=speed_flags,
)
def verify(
    *,
    archive: ArchiveArgument,
    target: ComparedOption,
    choice: FileChoice,
    listing: ListingFiles,
    selection: Selection,
    terminal: Terminal,
    line: Typed,
    speed: Speed,
    source: OptionalSource = None,
    deep: DeepOption = False,
    accept: AcceptOption = False,
    forget_accepted: ForgetAcceptedOption = False,
) -> Exit:
    """Read the target back and compare every value.

    Ends with 0 where everything that was chosen was compared and is equal, with 5 where something differs, with 3
    where something is not compared, by this look or an earlier one. --no-artifacts, --files and --max-file-size say
    what is looked at now. --accept keeps what somebody changed in the target since it was seen as it was sent, and
    shows each such change; it never takes points, files or missing runs.
    """
    from azureml_replay.cli import calls

    by = accepting(accept=accept, forget=forget_accepted)
    workspace = target_config(target, archive)
    origin = config_named(source) if source is not None else None
    verdict = _done(
        calls.verify(
            archive,
            workspace,
            origin,
            selection,
            choice,
            deep=deep,
            accept=by,
            forget=forget_accepted,
            speed=speed,
            terminal=terminal,
        ),
        archive,
    )
    accepted = results.accepted(verdict.accepted_now, by) if by is not None else ()
    terminal.result(verdict, [*results.verified(verdict, workspace), *accepted], good=verdict.proves)
    step = next_step.after_verdict(verdict, line, archive)
    next_step.tell_mends(terminal, list(results.mends(verdict, line.about(archive))), step)
    listing.write(archive, workspace.ref, selection, terminal, deep=deep and choice.artifacts)
    next_step.tell(terminal, step)
    return results.names_told(verdict.exit, calls.unknown_names(archive, selection), terminal)


command()(stating.status)


@command()
@takes(
    extracting=extract_flags,
    replaying=replay_flags,
    listing=listing_flags,
    selection=selection_flags,
    terminal=terminal_flags,
    line=typed,
    speed=speed_flags,
)
def migrate(
    *,
    source: SourceOption,
    target: TargetOption,
    archive: ArchiveOption,
    extracting: ExtractOptions,
    replaying: ReplayOptions,
    listing: ListingFiles,
    selection: Selection,
    terminal: Terminal,
    line: Typed,
    speed: Speed,
    redact: RedactOption = None,
    objects: ObjectsOption = None,
    deep: DeepOption = False,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", metavar="FILE", help="Write the report there. Without it: report.html in the archive's folder."
        ),
    ] = None,
    take_over: TakeOverOption = False,
) -> Exit:
    """Extract, replay, verify and report in one go. Again to continue, or to bring what is new."""
    from azureml_replay.cli import calls
    from azureml_replay.target.profile import refuse_same
    from azureml_replay.verbs import MigrateOptions

    origin, workspace = config_named(source), target_config(target, archive)
    refuse_same(origin.ref, workspace.ref)  # before anybody logs in
    options = MigrateOptions(extract=extracting, replay=replaying, deep=deep)
    if report is not None:
        refuse_unwritable(report, "--report")
    printed = terminal.beside(report)
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
            speed=speed,
            terminal=terminal,
        ),
        archive,
    )
    good = done.verdict.proves and not done.extracted.failed and not done.replayed.failed
    printed.result(done, results.migrated(done, workspace), good=good)
    step = next_step.after_migration(done, line, archive, None)
    next_step.tell_mends(printed, list(results.mends(done.verdict, line.about(archive))), step)
    listing.write(archive, workspace.ref, selection, terminal, deep=deep)
    page = reporting.at_the_end(archive, report, workspace.ref, terminal)
    next_step.tell(terminal, next_step.after_migration(done, line, archive, page if printed is terminal else None))
    return results.names_told(_migrated(done, replaying), done.extracted.unknown_names, terminal)


def _done(call: Coroutine[Any, Any, Result], archive: Path) -> Result:
    from azureml_replay.cli.interrupts import finish

    return finish(call, archive)


def _migrated(done: Migrated, options: ReplayOptions) -> Exit:
    if done.extracted.failed:
        return Exit.SERVICE
    return _replayed(done.replayed, options) or done.verdict.exit


def _submitted(done: SyntheticReplayed, archive: Path, target: Config, line: Typed, terminal: Terminal) -> Exit:
    verdict = done.verdict
    lines = [
        *prose(synthetic.replayed(done)),
        *(results.verified(verdict, target) if verdict else ()),
    ]
    terminal.result(done, lines, good=bool(verdict and verdict.proves and not done.failed))
    if done.failed or verdict is None:
        next_step.tell(terminal, line.again(without={"--no-wait"}))
    else:
        next_step.tell(terminal, next_step.after_verdict(verdict, line, archive))
    if done.failed:
        return Exit.SERVICE
    return verdict.exit if verdict else Exit.OK


def _replayed(done: Replayed, options: ReplayOptions) -> Exit:
    from azureml_replay.direct.options import OnConflict

    if done.failed or done.assets.failed:
        return Exit.SERVICE
    return Exit.USER if done.conflicts and options.on_conflict is not OnConflict.SKIP else Exit.OK


command()(listing_assets.assets)
command()(checks.check)
command()(doctor)
command()(reporting.report)
command("undo")(undo.undo)
command("map")(take_out.map_)
command("export")(take_out.export)
command("merge")(merge)
command()(browsing.browse)
command("help")(help_)
