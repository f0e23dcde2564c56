"""Makes the profile of a target from what it was seen to keep."""

from __future__ import annotations

from dataclasses import replace

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.errors import UserError
from azureml_replay.progress import SILENT, Progress
from azureml_replay.target.doubtful import NULLS
from azureml_replay.target.probe import Probe, known_probe
from azureml_replay.target.trial import probed, refuse_bound
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.profile import NameRule, PathRule, TargetProfile, WriteRoute, by_route, of_kind
from azureml_replay.workspace.target import Target
from azureml_replay.workspace.tried import Trait

REUSE = "lender"
"""The name among a probe's losses of the field of Run that names the run whose files it shows."""


async def seen_profile(
    archive: Archive,
    target: Target,
    *,
    keep_run_type: bool = False,
    route: WriteRoute | None = None,
    progress: Progress = SILENT,
) -> TargetProfile:
    """The profile by what the target keeps: known, or found out now with throw-away runs. Repeatable.

    `route`: whatever the target keeps by another one. Raises UserError where the target is the source or cannot take
    runs, or where runs went into it by another route.
    """
    refuse_same(archive.source, target.ref)
    refuse_route(target.ref, route)
    probe = await probed(archive, target, keep_run_type=keep_run_type, route=route)
    if of_kind(target.ref).plain:
        if keep_run_type:
            progress.say("--keep-run-type has no effect: runs of an MLflow server have no type")
    elif probe.route is WriteRoute.MLFLOW:
        why = "as --write-route says" if route else "as throw-away runs or earlier calls showed"
        progress.say(f"{target.ref}: runs are written by MLflow's routes, under ids of the target's own, {why}")
        if keep_run_type:
            progress.say("--keep-run-type has no effect: MLflow's routes give runs a type of their own")
    elif keep_run_type and probe.type_kept is False:
        progress.say(
            f"{target.ref} lets no client say how a run with a type ended: runs are written without theirs, "
            "which stands in the lineage"
        )
    return profile_of(target.ref, probe, keep_run_type=keep_run_type)


def refuse_same(source: Place, target: Place) -> None:
    """Raise UserError where runs would be written into the workspace that they come from."""
    if source == target:
        raise UserError(f"source and target are the same workspace ({target}): name another target")


def refuse_route(target: Place, route: WriteRoute | None) -> None:
    """Raise UserError where a target has no such way to write runs."""
    if of_kind(target).plain and route is WriteRoute.HISTORY:
        raise UserError(f"{target} is an MLflow server: it has no run history of Azure ML, leave --write-route out")


def known_profile(ledger: TargetLedger) -> TargetProfile:
    """The profile by what is known of the target; the defaults where it was never tried."""
    probe = known_probe(ledger)
    return of_kind(ledger.target) if probe is None else profile_of(ledger.target, probe)


def planned_profile(ledger: TargetLedger, *, keep_run_type: bool, route: WriteRoute | None) -> TargetProfile:
    """The profile by which a replay with these options would write. Raises UserError as that would."""
    refuse_route(ledger.target, route)
    known = known_profile(ledger)
    if route in (None, known.route):
        return replace(known, keep_run_type=keep_run_type and known.route is WriteRoute.HISTORY)
    refuse_bound(ledger)
    unseen = replace(
        of_kind(ledger.target), experiments=known.experiments, made=known.made, keep_run_type=keep_run_type
    )
    return by_route(unseen, route)


def profile_of(target: Place, probe: Probe, *, keep_run_type: bool = False) -> TargetProfile:
    """The profile of a target by what throw-away runs showed of it."""
    kind = of_kind(target)
    by_history = replace(
        kind,
        limits=replace(kind.limits, **probe.lifted),
        lost=frozenset(probe.lost) - {REUSE, NULLS},
        added=kind.added | frozenset(probe.added),
        experiments=frozenset(probe.experiments),
        made=frozenset(probe.made),
        reuse=kind.reuse and REUSE not in probe.lost,
        nulls=NULLS not in probe.lost,
        oldest=probe.oldest,
        created_at_start=probe.created_at_start,
        settles=kind.settles or probe.settles is True,
        ends_late=probe.late,
        form=probe.form,
        keep_run_type=keep_run_type and probe.type_kept is not False,
    )
    return _by_traits(by_history, probe) if kind.plain else by_route(by_history, probe.route)


def _by_traits(profile: TargetProfile, probe: Probe) -> TargetProfile:
    """Of a plain server: the names and paths that its version takes."""
    return replace(
        profile,
        names=NameRule(colon=Trait.COLON in probe.traits),
        paths=PathRule(unicode=Trait.UNICODE_PATHS in probe.traits),
        files=Trait.FILES in probe.traits,
        keep_run_type=False,
    )
