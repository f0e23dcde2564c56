"""The verbs in order, and the proof: `verify` asks the ledger how each unit was replayed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from itertools import islice

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import owner_of
from azureml_replay.archive.evidence import Aspect
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.crew.driver import Crew
from azureml_replay.direct.foreseen import foreseen
from azureml_replay.direct.options import Replayed, ReplayOptions
from azureml_replay.direct.replay import replay
from azureml_replay.errors import UserError
from azureml_replay.extraction.extract import Extracted, ExtractOptions, extract
from azureml_replay.model import RunId
from azureml_replay.planning import lineage
from azureml_replay.planning.files import ALL_FILES, FileChoice
from azureml_replay.planning.plan import planned_units, some_units
from azureml_replay.planning.summary import PlanSummary
from azureml_replay.progress import SILENT, Progress
from azureml_replay.selection import Selection
from azureml_replay.synthetic.options import jobs_put
from azureml_replay.synthetic.verify import verify_jobs
from azureml_replay.target.asset_plans import expected_assets, expected_names, figures
from azureml_replay.target.one_prefix import refuse_other_prefix
from azureml_replay.target.profile import planned_profile, refuse_same
from azureml_replay.verification.accepting import accept as accept_changes
from azureml_replay.verification.accepting import forget_accepted
from azureml_replay.verification.assets import verify_assets
from azureml_replay.verification.proof import Proof
from azureml_replay.verification.seen import DirectUnits
from azureml_replay.verification.verdict import Verdict, verdict
from azureml_replay.verification.verify import verify_runs
from azureml_replay.workspace.limits import RUNS_PER_REQUEST
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.profile import AZURE_ML, by_route
from azureml_replay.workspace.source import Source
from azureml_replay.workspace.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What each verb did."""

    extracted: Extracted
    replayed: Replayed
    verdict: Verdict


Told = Callable[[Extracted | PlanSummary | Replayed], None]
"""Hears what each verb did before the next begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateOptions:
    """Those of the verbs."""

    extract: ExtractOptions = field(default_factory=ExtractOptions)
    replay: ReplayOptions = field(default_factory=ReplayOptions)
    deep: bool = False


async def migrate(
    source: Source,
    target: Target,
    archive: Archive,
    selection: Selection = Selection(),
    *,
    options: MigrateOptions = MigrateOptions(),
    take_over: bool = False,
    width: int = 32,
    progress: Progress = SILENT,
    told: Told = lambda _: None,
    crew: Crew | None = None,
) -> Migrated:
    """Bring what `selection` names from `source` to `target`, and prove it. Repeatable, as its parts are.

    Raises as they do; `take_over` as for `replay`. `crew`: workers among whom the runs are divided.
    """
    refuse_same(source.ref, target.ref)
    extracted = await extract(
        source,
        archive,
        selection,
        options=options.extract,
        width=width,
        progress=progress,
        by=crew.bring if crew else None,
    )
    progress.finished()
    told(extracted)
    replayed = await replay(
        archive,
        source,
        target,
        selection,
        options=options.replay,
        take_over=take_over,
        width=width,
        progress=progress,
        told=told,
        by=crew.send if crew else None,
    )
    progress.finished()
    told(replayed)
    found = await verify(
        archive, target, selection, source=source, deep=options.deep, width=width, progress=progress, crew=crew
    )
    return Migrated(extracted=extracted, replayed=replayed, verdict=found)


def dry_run(
    archive: Archive,
    target: Place | None,
    selection: Selection = Selection(),
    *,
    options: ReplayOptions = ReplayOptions(),
    progress: Progress = SILENT,
) -> PlanSummary:
    """What a target should have, and what `replay` has left to send, by the receipts of what was sent before.

    Asks nobody, writes nothing: the target may hold edits that stay, or runs of others under our ids, which only a
    replay finds when it asks. Without a target, what any workspace of which nothing is known should have.
    """
    ledger = None if target is None else archive.ledger(target)
    if ledger is not None:
        profile = planned_profile(ledger, keep_run_type=options.keep_run_type, route=options.write_route)
    else:
        unseen = replace(AZURE_ML, keep_run_type=options.keep_run_type)
        profile = by_route(unseen, options.write_route or unseen.route)
    ahead = figures(archive, ledger, selection, options)
    planned = foreseen(
        archive,
        ledger,
        selection,
        options.files,
        profile,
        prefer=options.prefer,
        naming=ahead.naming,
        progress=progress,
    )
    planned.take_assets(ahead.plan)
    return planned


async def verify(
    archive: Archive,
    target: Target,
    selection: Selection = Selection(),
    *,
    source: Source | None = None,
    deep: bool = False,
    files: FileChoice = ALL_FILES,
    accept: str | None = None,
    forget: bool = False,
    width: int = 32,
    progress: Progress = SILENT,
    crew: Crew | None = None,
) -> Verdict:
    """Compare everything that is planned and chosen with what the target holds. Writes to the archive only.

    Each unit by the way, or both ways, in which the ledger says it was replayed. A unit that was never replayed is
    looked for all the same: what is not there is a finding. What is compared of a run is what the ledger says was to be
    carried; `files` says which of those files are looked at now, and `deep` that their bytes are read on the target.
    Where nothing told a checksum those that the archive holds are read, or else the source's: then it needs `source`.
    `accept` names who accepts what this look finds to be changes that somebody made in the target since it was seen as
    it was sent (tags, description, name, hidden; nothing else): they are no findings any more, until they change again.
    `forget` takes back first what was accepted of the chosen units. `crew`: workers among whom the runs are divided;
    jobs are looked at by this process.

    The verdict tells of everything chosen, whenever it was compared. Raises Unavailable, Rejected, IntegrityError;
    UserError also where nothing of this archive is in the target.
    """
    ledger = archive.ledger(target.ref)
    refuse_other_prefix(ledger, target)
    await _check_that_something_is_there(archive, ledger, target, selection)
    if not ledger.began and not archive.totals().runs:
        return verdict(archive, ledger, selection, deep=deep)  # nothing is looked at, so nothing is noted of a target
    submitted, twice = _replayed_as_jobs(archive, ledger)
    units = some_units(archive, selection)
    selection = Selection() if units is None else selection
    if forget:
        forget_accepted(archive, ledger, units)
    deep = deep and files.artifacts
    proof = Proof(archive, ledger, _begun(archive, ledger, selection, units, files, deep=deep), deep, files)
    jobs = [root for root in (archive.units() if units is None else units) if root in submitted]
    put = frozenset(job for root in submitted for job in jobs_put(ledger, root))
    direct = DirectUnits(selection, without=submitted - twice, jobs=put)
    if direct.any(archive):
        by = crew.look if crew else None
        await verify_runs(proof, target, direct, source=source, width=width, progress=progress, by=by)
    await verify_jobs(proof, target, jobs, source=source, width=width, progress=progress)
    await verify_assets(proof, target, selection, source=source, width=width, progress=progress)
    ledger.end_look(proof.look)
    now = accept_changes(archive, ledger, look=proof.look, by=accept) if accept is not None else ()
    return replace(verdict(archive, ledger, selection, deep=deep), accepted_now=now)


async def _check_that_something_is_there(
    archive: Archive, ledger: TargetLedger, target: Target, selection: Selection
) -> None:
    """Where this archive never sent anything, another one of the same source may have. Raises UserError.

    Jobs of another archive stand for runs in their own way: only that archive can hold them against what it submitted.
    """
    if ledger.began:
        return
    runs = (run.id for root in planned_units(archive, selection) for run in archive.unit(root))
    asked = jobs = 0
    while batch := list(islice(runs, RUNS_PER_REQUEST)):
        asked += len(batch)
        for there, details in (await target.details(batch)).items():
            if lineage.is_our_job(details.run, archive.source, there):
                jobs += 1
            elif lineage.is_ours(details.run, archive.source, there, properties_kept=False):
                return
    if jobs:
        raise UserError(
            f"jobs of another archive stand in {target.ref}, nothing of {archive.folder}: verify that one, or replay "
            f"this one with --mode synthetic, which finds those jobs"
        )
    if asked:
        raise UserError(
            f"nothing of archive {archive.folder} is in {target.ref}: replay it there first, or name its target"
        )


def _begun(
    archive: Archive,
    ledger: TargetLedger,
    selection: Selection,
    units: Collection[RunId] | None,
    files: FileChoice,
    *,
    deep: bool,
) -> int:
    """The look that begins now. An aspect of which only a part is looked at is none of its own."""
    whole = {Aspect.FILES, *([Aspect.BYTES] if deep else [])} if files == ALL_FILES else set()
    aspects = {Aspect.FIELDS, Aspect.POINTS, Aspect.CHILDREN} | whole
    if units is None:
        return ledger.begin_look(aspects, None, None)
    chosen = frozenset(units)
    homes = {one.experiment for one in archive.listing() if one.unit in chosen}
    expected = expected_assets(archive, ledger, selection)
    assets = [*(one.key for one in expected), *expected_names(expected)]
    return ledger.begin_look(aspects, chosen | set(map(owner_of, assets)), homes)


def _replayed_as_jobs(archive: Archive, ledger: TargetLedger) -> tuple[frozenset[RunId], frozenset[RunId]]:
    """Roots of the units for which a job was submitted, or was about to be; and those whose runs were created too."""
    submitted = frozenset(ledger.runs_with(RunItem.SHAPE))
    created = frozenset(ledger.runs_with(RunItem.CREATE)) if submitted else frozenset()
    return submitted, frozenset(
        root for root in submitted if created and any(run.id in created for run in archive.unit(root))
    )
