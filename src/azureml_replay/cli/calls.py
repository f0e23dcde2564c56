"""One call for each command: what it opens, in which order, and the library function of its name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from azureml_replay import extract as extracting
from azureml_replay import migrate as migrating
from azureml_replay import plan as planning
from azureml_replay import replay as replaying
from azureml_replay import status as reporting
from azureml_replay import verify as verifying
from azureml_replay.archive.archive import Archive
from azureml_replay.cli import results
from azureml_replay.config import WorkspaceConfig
from azureml_replay.errors import UserError
from azureml_replay.extract import Extracted, ExtractOptions
from azureml_replay.migrate import Migrated, MigrateOptions
from azureml_replay.plan import PlanOptions, PlanSummary
from azureml_replay.replay import Replayed, ReplayOptions
from azureml_replay.selection import Selection
from azureml_replay.status import Status
from azureml_replay.terminal import Terminal
from azureml_replay.verify import Verdict
from azureml_replay.workspace import Source, Target


@asynccontextmanager
async def connected(config: WorkspaceConfig) -> AsyncIterator[Target]:
    """The workspace, after its name and the login were seen to work."""
    from azureml_replay.azure.workspace import connect  # noqa: PLC0415 - the azure packages take 500 ms to import

    async with connect(config) as workspace:
        yield workspace


async def extract(
    source: WorkspaceConfig,
    folder: Path,
    selection: Selection,
    options: ExtractOptions,
    *,
    redact: tuple[str, ...],
    width: int,
    terminal: Terminal,
) -> Extracted:
    """The workspace first: where it cannot be reached, no archive is begun."""
    async with connected(source) as workspace:
        with Archive.create(folder, source.ref, redact=redact) as archive, terminal.progress() as progress:
            return await extracting.extract(
                workspace, archive, selection, options=options, width=width, progress=progress
            )


def plan(folder: Path, selection: Selection, options: PlanOptions) -> PlanSummary:
    """No network, nothing written."""
    with Archive.read(folder) as archive:
        return planning.summarize(planning.plan(archive, selection, options))


async def replay(
    folder: Path,
    target: WorkspaceConfig,
    source: WorkspaceConfig | None,
    selection: Selection,
    options: ReplayOptions,
    *,
    width: int,
    terminal: Terminal,
) -> Replayed:
    """Files come from the source's storage; unless told otherwise, with the default login of the public cloud."""
    with Archive.open(folder) as archive:
        _check_source(archive, source)
        async with connected(source or WorkspaceConfig(archive.source)) as origin, connected(target) as workspace:
            with terminal.progress() as progress:
                return await replaying.replay(
                    archive, origin, workspace, selection, options=options, width=width, progress=progress
                )


async def verify(
    folder: Path,
    target: WorkspaceConfig,
    source: WorkspaceConfig | None,
    selection: Selection,
    options: PlanOptions,
    *,
    deep: bool,
    width: int,
    terminal: Terminal,
) -> Verdict:
    """The source is read only where `deep` has to."""
    with Archive.open(folder) as archive:
        _check_source(archive, source)
        async with connected(target) as workspace, _origin(archive, source, wanted=deep) as origin:
            with terminal.progress() as progress:
                return await verifying.verify(
                    archive,
                    workspace,
                    selection,
                    source=origin,
                    deep=deep,
                    options=options,
                    width=width,
                    progress=progress,
                )


@asynccontextmanager
async def _origin(archive: Archive, source: WorkspaceConfig | None, *, wanted: bool) -> AsyncIterator[Source | None]:
    if not wanted:
        yield None
        return
    async with connected(source or WorkspaceConfig(archive.source)) as workspace:
        yield workspace


def status(folder: Path) -> Status:
    """No network, nothing written; also while another command works on the archive."""
    with Archive.read(folder) as archive:
        return reporting.status(archive)


async def migrate(
    source: WorkspaceConfig,
    target: WorkspaceConfig,
    folder: Path,
    selection: Selection,
    options: MigrateOptions,
    *,
    redact: tuple[str, ...],
    width: int,
    terminal: Terminal,
) -> Migrated:
    """Both workspaces first: where one cannot be reached, no archive is begun."""
    async with connected(source) as origin, connected(target) as workspace:
        with Archive.create(folder, source.ref, redact=redact) as archive, terminal.progress() as progress:

            def told(done: Extracted | PlanSummary | Replayed) -> None:
                for line in results.told(done):
                    progress.say(line)

            return await migrating.migrate(
                origin, workspace, archive, selection, options=options, width=width, progress=progress, told=told
            )


def _check_source(archive: Archive, source: WorkspaceConfig | None) -> None:
    if source is not None and not source.ref.same_as(archive.source):
        raise UserError(f"--source {source.origin}: the archive holds {archive.source}: name that workspace, or none")
