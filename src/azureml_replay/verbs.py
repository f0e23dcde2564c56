"""The verbs in order: extract, replay, verify. Run again to continue, or to bring what is new."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.direct.replay import Replayed, ReplayOptions, replay
from azureml_replay.extraction.extract import Extracted, ExtractOptions, extract
from azureml_replay.planning.plan import plan
from azureml_replay.planning.summary import PlanSummary, summarize
from azureml_replay.progress import SILENT, Progress
from azureml_replay.selection import Selection
from azureml_replay.target.profile import seen_profile
from azureml_replay.verification.verdict import Verdict
from azureml_replay.verification.verify import verify
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
    width: int = 32,
    progress: Progress = SILENT,
    told: Told = lambda _: None,
) -> Migrated:
    """Bring what `selection` names from `source` to `target`, and prove it. Repeatable, as its parts are."""
    extracted = await extract(source, archive, selection, options=options.extract, width=width, progress=progress)
    told(extracted)
    progress.finished()
    profile = await seen_profile(archive, target)  # what the target will not keep belongs into the plan
    planned = plan(archive, selection, options.replay.files, profile)
    told(summarize(planned, archive.omissions(), archive.unknown()))
    replayed = await replay(archive, source, target, selection, options=options.replay, width=width, progress=progress)
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
