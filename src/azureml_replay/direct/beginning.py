"""What a replay does before it sends: it learns how the target is treated, and what is left to send."""

from __future__ import annotations

from functools import partial

from azureml_replay.archive.archive import Archive
from azureml_replay.counting import counted
from azureml_replay.direct.anew import rename
from azureml_replay.direct.foreseen import DueUnits, foreseen
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.planning.plan import planned_units
from azureml_replay.planning.summary import PlanSummary
from azureml_replay.progress import Progress
from azureml_replay.selection import Selection
from azureml_replay.target.asset_plans import figures
from azureml_replay.target.cleaned import refuse_uncleaned
from azureml_replay.target.one_prefix import note_prefix, refuse_other_prefix
from azureml_replay.target.profile import is_seen_in_part, seen_profile
from azureml_replay.workspace.profile import TargetProfile
from azureml_replay.workspace.target import Target


async def begun(
    archive: Archive,
    target: Target,
    selection: Selection,
    options: ReplayOptions,
    progress: Progress,
) -> tuple[TargetProfile, PlanSummary, DueUnits]:
    """How the target is treated, the plan with what is left of it, and of which units. Raises as `replay`."""
    ledger = archive.ledger(target.ref)
    refuse_other_prefix(ledger, target)
    refuse_uncleaned(archive, selection)

    async def seen(*, anew: bool) -> TargetProfile:
        return await seen_profile(
            archive,
            target,
            keep_run_type=options.keep_run_type,
            route=options.write_route,
            anew=anew,
            progress=progress,
        )

    profile = await seen(anew=False)
    archive.put_studio(target.ref, target.studio)
    if options.new_ids and profile.ids == "ours":
        for root in planned_units(archive, selection):
            rename(archive, ledger, root)
    if older := ledger.incomparable():
        sent = counted(older, "run")
        progress.say(f"an older version of this tool sent {sent}: the target is asked once what it holds of them")
    ahead, due = figures(archive, ledger, selection, options), DueUnits()
    see = partial(foreseen, archive, ledger, selection, options.files, prefer=options.prefer, progress=progress)
    planned = see(profile, naming=ahead.naming, due=due)
    if is_seen_in_part(ledger) and planned.left and (planned.left.new or planned.left.points):
        progress.say(f"an older version of this tool looked at {target.ref}: throw-away runs tell what it did not ask")
        profile, due = await seen(anew=True), DueUnits()
        ahead = figures(archive, ledger, selection, options)
        planned = see(profile, naming=ahead.naming, due=due)
    planned.take_assets(ahead.plan)
    if planned.left:
        note_prefix(ledger, target)
    return profile, planned, due
