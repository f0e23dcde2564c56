"""Makes the profile of a target from what it was seen to keep."""

from __future__ import annotations

from dataclasses import replace

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.errors import UserError
from azureml_replay.model import RunForm
from azureml_replay.progress import SILENT, Progress
from azureml_replay.target.doubtful import NULLS
from azureml_replay.target.probe import Probe, known_probe
from azureml_replay.target.throw_away import TIMES
from azureml_replay.target.trial import probed
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
    anew: bool = False,
    progress: Progress = SILENT,
) -> TargetProfile:
    """The profile by what the target keeps: known, or found out now with throw-away runs. Repeatable.

    `anew`: also where an older version found it out, which did not look at all that counts.
    `route`: whatever the target keeps by another one. Raises UserError where the target is the source or cannot take
    runs.
    """
    refuse_same(archive.source, target.ref)
    refuse_route(target.ref, route)
    probe = await probed(archive, target, keep_run_type=keep_run_type, route=route, anew=anew)
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
    other = known_probe(archive.ledger(target.ref), probe.route.other)
    return profile_of(target.ref, probe, other, keep_run_type=keep_run_type)


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
    if probe is None:
        return of_kind(ledger.target)
    return profile_of(ledger.target, probe, known_probe(ledger, probe.route.other))


def is_seen_in_part(ledger: TargetLedger) -> bool:
    """True where an older version looked at the target."""
    probe = known_probe(ledger)
    return probe is not None and not probe.knows_all


def planned_profile(ledger: TargetLedger, *, keep_run_type: bool, route: WriteRoute | None) -> TargetProfile:
    """The profile by which a replay with these options would write. Raises UserError as that would."""
    refuse_route(ledger.target, route)
    known = known_profile(ledger)
    wanted = known.route if route is None else route
    if wanted is known.route:
        profile = known
    elif wanted in known.others:
        profile = replace(known.others[wanted], others={known.route: replace(known, others={})})
    else:
        profile = by_route(known, wanted)
    return replace(profile, keep_run_type=keep_run_type and wanted is WriteRoute.HISTORY)


def profile_of(
    target: Place, probe: Probe, other: Probe | None = None, *, keep_run_type: bool = False
) -> TargetProfile:
    """The profile of a target by what throw-away runs showed of it, and of its other route where there is one."""
    profile = _of_route(target, probe, keep_run_type=keep_run_type)
    if profile.plain:
        return profile
    return replace(profile, others={probe.route.other: _of_route(target, other or _unseen(probe))})


def _unseen(probe: Probe) -> Probe:
    """What to expect by the other route, by which runs of another archive may have gone.

    Whether that keeps times, and lets a run show the files of another one, nobody knows.
    """
    lost = tuple(name for name in probe.lost if name not in (*TIMES, REUSE))
    return replace(probe, route=probe.route.other, lost=lost, oldest={}, created_at_start=None, form=RunForm.NEUTRAL)


def _of_route(target: Place, probe: Probe, *, keep_run_type: bool = False) -> TargetProfile:
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
