"""One call for each command: what it opens, in which order, and the library function of its name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import azureml_replay as library
from azureml_replay.archive.archive import Archive
from azureml_replay.cli import results
from azureml_replay.cli.hiring import hired
from azureml_replay.cli.recording import recorded
from azureml_replay.cli.speed import Speed
from azureml_replay.connection import Config, config_of, connect
from azureml_replay.errors import UserError
from azureml_replay.progress import Progress
from azureml_replay.selection import Selection
from azureml_replay.target.one_prefix import refuse_other_prefix
from azureml_replay.terminal.terminal import Terminal
from azureml_replay.terminal.text import Line

if TYPE_CHECKING:
    from azureml_replay.direct.options import Replayed, ReplayOptions
    from azureml_replay.extraction.extract import Extracted, ExtractOptions
    from azureml_replay.planning.files import FileChoice
    from azureml_replay.planning.summary import PlanSummary
    from azureml_replay.sending.cap import Cap
    from azureml_replay.synthetic.options import SyntheticReplayOptions
    from azureml_replay.synthetic.replay import SyntheticReplayed
    from azureml_replay.synthetic.submit import Told
    from azureml_replay.verbs import Migrated, MigrateOptions
    from azureml_replay.verification.verdict import Verdict
    from azureml_replay.workspace.opened import OpenedWorkspace


@asynccontextmanager
async def connected(
    config: Config, speed: Speed, progress: Progress, *, side: str = "target", cap: Cap | None = None
) -> AsyncIterator[OpenedWorkspace]:
    """The workspace, after its name and the login were seen to work. `side` names it where there are two.

    `cap` is shared by both; one of this workspace alone is made where it is left out.
    """
    progress.doing(f"connecting to the {side} {config.ref}")
    async with connect(config, width=speed.width, on_throttle=progress.slowed, cap=cap or speed.cap()) as workspace:
        progress.watch(side, workspace.loads)
        yield workspace


async def extract(
    source: Config,
    folder: Path,
    selection: Selection,
    options: ExtractOptions,
    *,
    redact: tuple[str, ...],
    objects: Path | None = None,
    speed: Speed,
    terminal: Terminal,
) -> Extracted:
    """The workspace first: where it cannot be reached, no archive is begun."""
    with terminal.progress() as progress:
        async with connected(source, speed, progress, side="source") as origin:
            with Archive.create(folder, source.ref, redact=redact, objects=objects) as archive:
                async with hired(archive, speed, progress, source=(source, origin), download=options.download) as hand:
                    with recorded(archive, "extract", **hand.ends) as watch:
                        done = await library.extract(
                            origin,
                            archive,
                            selection,
                            options=options,
                            width=speed.width,
                            progress=progress,
                            by=hand.crew.bring if hand.crew else None,
                        )
                        hand.tell_limits(progress, speed)
                        return watch.did("extract", done)


def plan(
    folder: Path,
    selection: Selection,
    options: ReplayOptions,
    target: Config | None = None,
    *,
    terminal: Terminal,
) -> PlanSummary:
    """No network, nothing written. With `target`, by what replay or doctor saw it keep, and what was sent before."""
    with terminal.progress(brief=True) as progress, Archive.open(folder, write=False) as archive:
        place = target.ref if target is not None else None
        if target is not None:
            refuse_other_prefix(archive.ledger(target.ref), target)
        planned: PlanSummary = library.dry_run(archive, place, selection, options=options, progress=progress)
        return planned


async def replay(
    folder: Path,
    target: Config,
    source: Config | None,
    selection: Selection,
    options: ReplayOptions,
    *,
    take_over: bool,
    speed: Speed,
    terminal: Terminal,
) -> Replayed:
    """The archive first: it says which workspace the files come from, or holds them."""
    with Archive.open(folder) as archive, terminal.progress() as progress:
        refuse_other_prefix(archive.ledger(target.ref), target)  # before anybody has to log in
        needed = options.files.artifacts or (source is not None and not options.assets.none)  # code is no artifact
        async with both_ends(archive, source, target, speed, progress, needed=needed) as (origin, writing):
            origins, there = (_origin(archive, source), origin), (target, writing)
            async with hired(archive, speed, progress, source=origins, target=there, take_over=take_over) as hand:
                with recorded(archive, "replay", **hand.ends) as watch:
                    done = await library.replay(
                        archive,
                        origin,
                        hand.target,
                        selection,
                        options=options,
                        take_over=take_over,
                        width=speed.width,
                        progress=progress,
                        told=lambda planned: say_all(progress, terminal, [results.going(planned)]),
                        by=hand.crew.send if hand.crew else None,
                    )
                    hand.tell_limits(progress, speed)
                    return watch.did("replay", done)


async def submit(
    folder: Path,
    target: Config,
    source: Config | None,
    selection: Selection,
    options: SyntheticReplayOptions,
    *,
    take_over: bool,
    speed: Speed,
    terminal: Terminal,
    telling: Callable[[Progress], Told] = lambda _: lambda *_: None,
) -> SyntheticReplayed:
    """The archive first, as for `replay`. `telling` makes what hears of each job, from what shows it."""
    with Archive.open(folder) as archive, terminal.progress() as progress:
        needed = options.shape.files.artifacts or source is not None  # an earlier call may have asked for files
        async with both_ends(archive, source, target, speed, progress, needed=needed) as (origin, writing):
            with recorded(archive, "replay --mode synthetic", source=origin, target=writing) as watch:
                done = await library.replay_synthetic(
                    archive,
                    origin,
                    writing,
                    selection,
                    options=options,
                    take_over=take_over,
                    width=speed.width,
                    progress=progress,
                    told=telling(progress),
                )
                return watch.did("replay", done)


async def verify(
    folder: Path,
    target: Config,
    source: Config | None,
    selection: Selection,
    files: FileChoice,
    *,
    deep: bool,
    speed: Speed,
    accept: str | None,
    forget: bool,
    terminal: Terminal,
) -> Verdict:
    """The source is reached only where `deep` has to read it, or where it is named: for files written over since."""
    with Archive.open(folder) as archive, terminal.progress() as progress:
        cap = speed.cap()
        async with (
            connected(target, speed, progress, cap=cap) as compared,
            reading(archive, source, speed, progress, needed=deep or source is not None, cap=cap) as origin,
        ):
            origins, there = (_origin(archive, source), origin), (target, compared)
            async with hired(archive, speed, progress, source=origins, target=there) as hand:
                with recorded(archive, "verify", **hand.ends) as watch:
                    verdict = await library.verify(
                        archive,
                        compared,
                        selection,
                        source=origin,
                        deep=deep,
                        files=files,
                        accept=accept,
                        forget=forget,
                        width=speed.width,
                        progress=progress,
                        crew=hand.crew,
                    )
                    hand.tell_limits(progress, speed)
                    return watch.did("verify", verdict)


def proven(folder: Path, target: Config, selection: Selection) -> Verdict:
    """What the evidence says now of what was chosen. No network, nothing written."""
    from azureml_replay.verification.verdict import verdict

    with Archive.open(folder, write=False) as archive:
        return verdict(archive, archive.ledger(target.ref), selection)


def unknown_names(folder: Path, selection: Selection) -> tuple[str, ...]:
    """What is said of each name of the selection that no root run of the archive has, where others were taken."""
    from azureml_replay.planning.plan import chosen_units

    if not selection.include or selection.strict_names:
        return ()
    with Archive.open(folder, write=False) as archive:
        return chosen_units(archive, selection).unknown


async def migrate(
    source: Config,
    target: Config,
    folder: Path,
    selection: Selection,
    options: MigrateOptions,
    *,
    redact: tuple[str, ...],
    take_over: bool,
    objects: Path | None = None,
    speed: Speed,
    terminal: Terminal,
) -> Migrated:
    """Both workspaces first: where one cannot be reached, no archive is begun."""
    async with AsyncExitStack() as stack:
        progress = stack.enter_context(terminal.progress())
        cap = speed.cap()
        reading = await stack.enter_async_context(connected(source, speed, progress, side="source", cap=cap))
        writing = await stack.enter_async_context(connected(target, speed, progress, cap=cap))
        archive = stack.enter_context(Archive.create(folder, source.ref, redact=redact, objects=objects))
        origin, there = (source, reading), (target, writing)
        hand = await stack.enter_async_context(
            hired(
                archive,
                speed,
                progress,
                source=origin,
                target=there,
                take_over=take_over,
                download=options.extract.download,
            )
        )
        watch = stack.enter_context(recorded(archive, "migrate", **hand.ends))

        def told(done: Extracted | PlanSummary | Replayed) -> None:
            following = {library.Extracted: "2 of 4: replay", library.Replayed: "3 of 4: verify"}.get(type(done))
            verb = {library.Extracted: "extract", library.Replayed: "replay"}.get(type(done))
            if verb:
                watch.did(verb, done)
            say_all(progress, terminal, results.lines_of(done, target.ref.short))
            if following:
                progress.say(following)

        progress.say("1 of 4: extract")
        done = await library.migrate(
            reading,
            hand.target,
            archive,
            selection,
            options=options,
            take_over=take_over,
            width=speed.width,
            progress=progress,
            told=told,
            crew=hand.crew,
        )
        hand.tell_limits(progress, speed)
        watch.did("verify", done.verdict)
        return done


def say_all(progress: Progress, terminal: Terminal, lines: Iterable[Line]) -> None:
    """Write lines among the messages while bars are drawn."""
    for line in terminal.message_lines(lines):
        progress.say(line)


@asynccontextmanager
async def both_ends(
    archive: Archive,
    source: Config | None,
    target: Config,
    speed: Speed,
    progress: Progress,
    *,
    needed: bool,
) -> AsyncIterator[tuple[OpenedWorkspace | None, OpenedWorkspace]]:
    """Where bytes come from, as `reading`, and where everything goes."""
    cap = speed.cap()
    async with (
        reading(archive, source, speed, progress, needed=needed, cap=cap) as origin,
        connected(target, speed, progress, cap=cap) as writing,
    ):
        yield origin, writing


@asynccontextmanager
async def reading(
    archive: Archive,
    source: Config | None,
    speed: Speed,
    progress: Progress,
    *,
    needed: bool,
    cap: Cap | None = None,
) -> AsyncIterator[OpenedWorkspace | None]:
    """The source; not spoken to, nor logged in to, where the archive holds all bytes that are needed."""
    origin = _origin(archive, source)
    if not needed or not (archive.lacks_bytes()[0] or archive.lacking_asset_files()):
        yield None
        return
    async with connected(origin, speed, progress, side="source", cap=cap) as reading:
        yield reading


def _origin(archive: Archive, source: Config | None) -> Config:
    """Unless told otherwise, the archive's own source, with the default login of the public cloud."""
    if source is None:
        return config_of(archive.source, str(archive.source))
    if source.ref != archive.source:
        raise UserError(f"--source {source.origin}: the archive holds {archive.source}: name that workspace, or none")
    return source
