"""The verbs in order, and the proof: `verify` asks the ledger how each unit was replayed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.direct.replay import Replayed, ReplayOptions, replay
from azureml_replay.extraction.extract import Extracted, ExtractOptions, extract
from azureml_replay.model import RunId
from azureml_replay.planning.files import ALL_FILES, FileChoice
from azureml_replay.planning.plan import plan, planned_units
from azureml_replay.planning.summary import PlanSummary, summarize
from azureml_replay.progress import SILENT, Progress
from azureml_replay.selection import Selection
from azureml_replay.synthetic.options import jobs_put
from azureml_replay.synthetic.verify import verify_jobs
from azureml_replay.target.lease import leased
from azureml_replay.target.profile import seen_profile
from azureml_replay.verification.proof import Proof
from azureml_replay.verification.verdict import Verdict, unread
from azureml_replay.verification.verify import DirectUnits, verify_runs
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
) -> Migrated:
    """Bring what `selection` names from `source` to `target`, and prove it. Repeatable, as its parts are.

    Raises as they do; `take_over` as for `replay`.
    """
    extracted = await extract(source, archive, selection, options=options.extract, width=width, progress=progress)
    told(extracted)
    progress.finished()
    async with leased(target, archive.source, take_over=take_over, progress=progress) as writing:
        profile = await seen_profile(archive, writing)  # what the target will not keep belongs into the plan
        planned = plan(archive, selection, options.replay.files, profile)
        told(summarize(planned, archive.omissions(), archive.unknown()))
        replayed = await replay(
            archive, source, writing, selection, options=options.replay, width=width, progress=progress
        )
    told(replayed)
    progress.finished()
    verdict = await verify(
        archive,
        target,
        selection,
        source=source,
        deep=options.deep,
        files=options.replay.files,
        width=width,
        progress=progress,
    )
    return Migrated(extracted=extracted, replayed=replayed, verdict=verdict)


async def verify(
    archive: Archive,
    target: Target,
    selection: Selection = Selection(),
    *,
    source: Source | None = None,
    deep: bool = False,
    files: FileChoice = ALL_FILES,
    width: int = 32,
    progress: Progress = SILENT,
) -> Verdict:
    """Compare everything that is planned and chosen with what the target holds. Writes to the archive only.

    Each unit by the way, or both ways, in which the ledger says it was replayed. A unit that was never replayed is
    looked for all the same: what is not there is a finding. `deep` reads the bytes of every file on the target; where
    nothing told a checksum, those that the archive holds, or else the source's: then it needs `source`. Where `files`
    leaves none out, those are compared that the last replay was to carry. Raises Unavailable, Rejected,
    IntegrityError, UserError.
    """
    ledger = archive.ledger(target.ref)
    submitted, twice = _replayed_as_jobs(archive, ledger)
    jobs = [root for root in planned_units(archive, selection) if root in submitted] if submitted else []
    proof = Proof(archive, ledger, twice=frozenset(run.id for root in twice for run in archive.unit(root)))
    proof.omit(archive.omissions())
    put = frozenset(job for root in submitted for job in jobs_put(ledger, root))
    direct = DirectUnits(selection, without=submitted - twice, jobs=put)
    if direct.any(archive):
        await verify_runs(proof, target, direct, source=source, deep=deep, files=files, width=width, progress=progress)
    await verify_jobs(proof, target, jobs, source=source, deep=deep, width=width, progress=progress)
    return proof.verdict(unread(archive, selection))


def _replayed_as_jobs(archive: Archive, ledger: TargetLedger) -> tuple[frozenset[RunId], frozenset[RunId]]:
    """Roots of the units for which a job was submitted, or was about to be; and those whose runs were created too."""
    submitted = frozenset(ledger.runs_with(RunItem.SHAPE))
    created = frozenset(ledger.runs_with(RunItem.CREATE)) if submitted else frozenset()
    return submitted, frozenset(
        root for root in submitted if created and any(run.id in created for run in archive.unit(root))
    )
