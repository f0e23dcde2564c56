"""Workspace -> archive: list everything, choose units, then bring each run whole. After a kill it continues.

A run counts as extracted once `Archive.complete` says so, after its last chunk and file are there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from itertools import islice

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.reading import FILES_AS_BEFORE, FILES_LEFT_OUT
from azureml_replay.counting import counted
from azureml_replay.errors import Remedy, ServiceError, noted, remedy_lines
from azureml_replay.extraction.assets import AssetBringer
from azureml_replay.extraction.changes import Recheck
from azureml_replay.extraction.code import CodeBringer
from azureml_replay.extraction.download import Download
from azureml_replay.extraction.listing import RunLists
from azureml_replay.extraction.metrics import MetricBringer, Metrics, more_than
from azureml_replay.extraction.staging import RUNS_TOGETHER, FinishedRuns, Staging
from azureml_replay.files.of_run import RunFiles
from azureml_replay.model import (
    Omission,
    Points,
    Run,
    RunDetails,
    RunId,
)
from azureml_replay.planning.assets import AssetChoice
from azureml_replay.planning.plan import SHOWN
from azureml_replay.progress import SILENT, Progress
from azureml_replay.selection import Choice, Selection, choose
from azureml_replay.workers import for_each, read_ahead
from azureml_replay.workspace.limits import RUNS_PER_REQUEST
from azureml_replay.workspace.source import Source

FILES_HELD = 500
"""Files of a run, beyond which they are written page by page as they come."""

logger = logging.getLogger("azureml_replay")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractOptions:
    """What to extract beside the runs themselves."""

    metrics: Metrics = Metrics.FULL
    artifacts: bool = True
    """Bring the list of files; their bytes stay where they are, and replay copies them server to server."""
    code: bool = False
    """Bring the code that jobs were submitted with."""
    download: bool = False
    """Bring the bytes of files too: then replay and verify need the source no more."""
    assets: AssetChoice = field(default_factory=AssetChoice)
    """Bring the models, environments, data, components and code that runs refer to."""
    check_all: bool = False
    """Read every run again, changed or not; with `download` also the bytes of files that storage tells by size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What one call of `extract` brought."""

    listed: int
    """Units that the workspace lists."""
    units: int
    """Units that the selection chose, whether they were here before or came now."""
    runs: int
    """Runs brought now; unchanged ones that were here are not brought again."""
    points: int
    files: int
    kept: int
    """Files whose bytes came into the archive now."""
    kept_bytes: int
    """Their bytes, as received: content that was here already is not received again."""
    gone: int
    """Runs that disappeared at the source; archive and targets keep what they have."""
    active: int
    """Runs left to a later call because a run of their unit has not ended."""
    failed: tuple[tuple[RunId, str], ...]
    assets: int = 0
    """Assets brought now, whether they were here before or came now."""
    unknown_names: tuple[str, ...] = ()
    """What is said of each name in the selection that no root run has."""
    remedies: tuple[str, ...] = ()
    """What would let the requests through for which runs failed, each once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartExtracted:
    """What came of the runs that were to be brought, or of a part of them."""

    runs: int = 0
    points: int = 0
    files: int = 0
    kept: int = 0
    kept_bytes: int = 0
    failed: tuple[tuple[RunId, str], ...] = ()
    remedies: tuple[Remedy | None, ...] = ()

    def and_of(self, other: PartExtracted) -> PartExtracted:
        """Both together."""
        return PartExtracted(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)})


BringRuns = Callable[[ExtractOptions, RunFiles, frozenset[RunId]], Awaitable[PartExtracted]]
"""Brings what was listed and chosen, but some runs, in another way than one by one in this process."""


async def extract(
    source: Source,
    archive: Archive,
    selection: Selection = Selection(),
    *,
    options: ExtractOptions = ExtractOptions(),
    width: int = 32,
    progress: Progress = SILENT,
    by: BringRuns | None = None,
) -> Extracted:
    """Bring what `selection` names and the archive lacks. May be killed and repeated at any moment.

    `width` bounds how many runs are in memory at once. `by` brings the runs themselves, but where their last values are
    read, which come for whole experiments at once. Raises Unavailable where the listing cannot be completed,
    UserError for a role that is missing; a single run that fails is recorded and left to the next call.
    """
    extraction = _Extraction.of(source, archive, options, progress, width)
    assets = extraction.assets
    await assets.find_named()
    archive.put_studio(source.ref, source.studio)
    extraction.expect_what_was_left_out()
    archive.begin_listing()
    await extraction.lists.all(width)
    choice = choose(archive.listing(), selection)
    listed, total = archive.size()
    archive.select(choice.runs(archive.listing()))
    if selection.depth is not None:
        cut = (row.id for row in archive.listing() if choice.cuts(row))
        archive.put_omissions([Omission(run, "run", "cut by --depth") for run in cut])
    if isinstance(choice, Choice):
        archive.leave_out(choice.left)
    archive.forget_unselected()
    await extraction.bring_owners()
    gone = await extraction.recheck(total)
    if gone and archive.redacts_more:
        progress.say(STAYS.format(counted(len(gone), "run")))
    await extraction.begin(total, without=gone)
    if by is None or options.metrics is Metrics.LAST:
        part = await extraction.bring(width, without=gone)
    else:
        part = await by(options, extraction.files_of, gone)
    extraction.files_of.end()
    code = CodeBringer(source, archive, progress)
    if options.code:
        await code.bring()
    await assets.bring(width)
    download = Download(source, archive, progress, options.check_all)
    if options.artifacts and options.download:
        await download.bring_assets(width)
    return Extracted(
        listed=listed,
        units=choice.count,
        runs=part.runs,
        points=part.points,
        files=part.files,
        gone=len(gone),
        active=choice.active_runs,
        unknown_names=choice.unknown if isinstance(choice, Choice) else (),
        kept=part.kept + download.files,
        kept_bytes=part.kept_bytes + download.bytes,
        assets=len(assets.brought),
        failed=(*part.failed, *code.failed, *assets.failed, *download.failed),
        remedies=remedy_lines([*part.remedies, *code.remedies, *assets.remedies, *download.remedies]),
    )


async def extract_part(
    source: Source,
    archive: Archive,
    options: ExtractOptions,
    *,
    without: frozenset[RunId],
    shelved: bool,
    width: int,
    progress: Progress,
) -> PartExtracted:
    """Bring the runs of a part of an archive, which were listed and chosen before. Repeatable.

    `shelved`: the storage was listed onto the part's shelf.
    """
    extraction = _Extraction.of(source, archive, options, progress, width)
    if options.artifacts:
        await extraction.files_of.begin_on_shelf(whole=shelved)
    return await extraction.bring(width, without=without)


STAYS = (
    "{} disappeared at the source: what --redact takes out from now on stays in the archive of them, "
    "since they cannot be read again"
)


@dataclass(slots=True)
class _Extraction:
    source: Source
    archive: Archive
    options: ExtractOptions
    progress: Progress
    lists: RunLists
    files_of: RunFiles
    metrics: MetricBringer
    assets: AssetBringer
    finished: FinishedRuns = field(init=False)
    runs: int = 0
    points: int = 0
    files: int = 0
    failed: list[tuple[RunId, str]] = field(default_factory=list)
    remedies: list[Remedy | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        asked = self.options.artifacts or self.options.metrics is Metrics.FULL
        self.finished = FinishedRuns(self.archive, self._written, 1 if asked else RUNS_TOGETHER)

    @classmethod
    def of(
        cls, source: Source, archive: Archive, options: ExtractOptions, progress: Progress, width: int
    ) -> _Extraction:
        """One that asks nothing yet."""
        return cls(
            source,
            archive,
            options,
            progress,
            RunLists(source, archive, progress),
            RunFiles(source, archive, progress),
            MetricBringer(source, archive, progress, options.metrics, asyncio.Semaphore(width)),
            AssetBringer(source, archive, progress, options.assets),
        )

    def expect_what_was_left_out(self) -> None:
        """Mark runs that an earlier call brought without metrics or files, where this call wants them."""
        if self.options.check_all:
            self.archive.expect_again()
        if self.options.artifacts:
            self.archive.expect_again(FILES_LEFT_OUT)
            self.archive.expect_again(FILES_AS_BEFORE)
        for reason in more_than(self.options.metrics):
            self.archive.expect_again(reason)

    async def bring_owners(self) -> None:
        """Select the runs that own the files of reused steps; note an omission where the source lacks one."""
        for owner in dict.fromkeys(self.archive.lenders()):
            if self.archive.wants(owner):
                continue
            found = await self.source.run(owner)
            if found is not None:
                self.archive.put_listed([found])
                await self.lists.unlisted_experiments()
                self.archive.arrange()
                self.archive.select([found.id])

    async def recheck(self, total: int) -> frozenset[RunId]:
        """Find changes that the lists do not show; the runs that disappeared. `total` runs are listed."""
        looking = Recheck(self.source, self.archive, self.progress)
        gone = await looking.disappeared()
        resting = sum(1 for _ in self.archive.at_rest())
        if resting and self.options.artifacts:
            await self.files_of.begin(resting + sum(1 for _ in self.archive.pending_ids()), total)
            await looking.files(self.files_of)
        if resting and self.options.metrics is not Metrics.NONE:
            await looking.points()
        return gone

    async def begin(self, total: int, *, without: frozenset[RunId]) -> None:
        """Say what will come, and list the storage where that is cheaper than run by run."""
        pending = sum(run not in without for run in self.archive.pending_ids())
        self.progress.expect("runs extracted", pending)
        if pending and self.options.artifacts:
            await self.files_of.begin(pending, total)

    async def bring(self, width: int, *, without: frozenset[RunId]) -> PartExtracted:
        """Bring details, metrics and file lists of every chosen run that the archive lacks, but those of `without`.

        And the bytes of files, where they are wanted.
        """
        # By pages: 100,000 ids in a list and a dict take 15 MB.
        ids = (run for run in self.archive.pending_ids() if run not in without)
        found = self._with_last(ids) if self.options.metrics is Metrics.LAST else self._without_last(ids)
        try:
            async with read_ahead(found, RUNS_PER_REQUEST) as details:
                await for_each(details, self._bring_run, width)
        finally:
            self.finished.flush()
        download = Download(self.source, self.archive, self.progress, self.options.check_all)
        if self.options.artifacts and self.options.download:
            await download.bring(width)
        return PartExtracted(
            runs=self.runs,
            points=self.points,
            files=self.files,
            kept=download.files,
            kept_bytes=download.bytes,
            failed=(*self.failed, *download.failed),
            remedies=(*self.remedies, *download.remedies),
        )

    async def _without_last(self, pending: Iterable[RunId]) -> AsyncIterator[tuple[RunDetails, Sequence[Points]]]:
        async for details in self._details(pending):
            yield details, ()

    async def _with_last(self, pending: Iterable[RunId]) -> AsyncIterator[tuple[RunDetails, Sequence[Points]]]:
        """Details and last values in the order of MLflow's pages, one in memory at a time; runs without any at last."""
        left = dict.fromkeys(pending)
        if left:
            homes = self.archive.pending_experiments()
            searched = [experiment for experiment in self.archive.experiments() if experiment.name in homes]
            async with read_ahead(self.source.last_values(searched), 1) as pages:
                async for page in pages:
                    here = [run for run in page if run in left]
                    async for details in self._details(here):
                        yield details, page[details.run.id]
                    for run in here:
                        del left[run]
        async for one in self._without_last(left):
            yield one

    async def _details(self, pending: Iterable[RunId]) -> AsyncIterator[RunDetails]:
        ids = iter(pending)
        while batch := list(islice(ids, RUNS_PER_REQUEST)):
            found = await self.source.details(batch)
            for run in batch:
                if run in found:
                    yield found[run]
                else:
                    self._fail(run, "listed, but its details could not be read")

    async def _bring_run(self, found: tuple[RunDetails, Sequence[Points]]) -> None:
        """Bring one run; an error fails this run only, and is recorded."""
        details, last = found
        run = details.run
        try:
            await self._bring_whole(details, last)
        except ServiceError as error:
            self._fail(run.id, noted(error, f"run {run.id}"), error.remedy)

    def _written(self, staging: Staging) -> None:
        self.runs += 1
        self.points += staging.points
        self.files += staging.files
        self.progress.done("runs extracted")
        points, files = counted(staging.points, "point"), counted(staging.files, "file")
        logger.debug("run %s extracted: %s, %s", staging.run, points, files)

    def _fail(self, run: RunId, why: str, remedy: Remedy | None = None) -> None:
        self.failed.append((run, why))
        self.remedies.append(remedy)
        self.progress.say(f"run {run} not extracted: {why}")

    async def _bring_whole(self, details: RunDetails, last: Sequence[Points]) -> None:
        run = details.run
        staging = Staging.of(self.archive, details)
        staging.add(lambda: self.assets.note(details))
        if run.lender is None:
            staging.points = await self.metrics.bring(run.id, last, staging)
            if self.options.artifacts:
                staging.files = await self._bring_files(run, staging)
            else:
                self._leave_files(run.id, staging)
        elif not self.archive.wants(run.lender):
            staging.omit(Omission(run.id, SHOWN + run.lender, "its owner is gone from the source"))
        staging.add(lambda: self.archive.complete(run.id))
        self.finished.add(staging)

    async def _bring_files(self, run: Run, staging: Staging) -> int:
        """Bring the list of a run's files from index and storage, with what only one of them lists; their number."""
        total = 0
        async for artifacts in self.files_of.together(run):
            staging.add(partial(self.archive.put_artifacts, run.id, artifacts))
            total += len(artifacts)
            if total > FILES_HELD:
                staging.flush()
        staging.add(lambda: self.archive.keep_disappeared(run.id))
        self.progress.done("files found", total)
        return total

    def _leave_files(self, run: RunId, staging: Staging) -> None:
        """Look for no files: what an earlier extraction found stays, and what may have changed since is an omission."""
        if staging.before == 0 or self.archive.lacks(run, FILES_LEFT_OUT):
            staging.omit(Omission(run, "files", FILES_LEFT_OUT))
            return
        staging.add(lambda: self.archive.keep_artifacts(run))
        staging.omit(Omission(run, "changes of files", FILES_AS_BEFORE))
