"""Tries a target before the first real write, once, and remembers what it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.errors import IdsRefused, Rejected, StatusManaged, UserError
from azureml_replay.model import Experiment, RunForm, RunId
from azureml_replay.planning.lineage import made_experiment, source_mark
from azureml_replay.target.forms import NEUTRAL_FORMS, forms_refused
from azureml_replay.target.probe import EXPERIMENT, Probe, keep_probe, known_probe
from azureml_replay.target.throw_away import ThrowAway, throw_away_run
from azureml_replay.terminal.hints import hint
from azureml_replay.workers import map_bounded, together
from azureml_replay.workspace.mark import SOURCE_TAG
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.profile import WriteRoute, of_kind
from azureml_replay.workspace.target import Target
from azureml_replay.workspace.tried import Tried, TriesItself

ASKED_AT_ONCE = 8
_NOBODY = RunId("")


async def probed(
    archive: Archive,
    target: Target,
    *,
    keep_run_type: bool = False,
    route: WriteRoute | None = None,
    anew: bool = False,
) -> Probe:
    """The target's probe: from the archive, or made now. Raises UserError where the target can't be replayed into.

    `keep_run_type`: whether runs may keep their type is tried too. `route` is to be taken whatever the target keeps by
    another one, from now on: what was known by that stays beside it. `anew`: a probe of an older version is made again,
    by the same route.
    """
    ledger = archive.ledger(target.ref)
    known = known_probe(ledger)
    probe = known_probe(ledger, route)
    if probe is None:
        probe = (await _tried(archive, target, route)).after(known)
    elif anew and not probe.knows_all:
        now = (await _tried(archive, target, probe.route)).after(known)
        probe = replace(now, lifted=probe.lifted, type_kept=probe.type_kept)
    if probe != known and not probe.vital:  # otherwise the next call tries again: the loss may have been passing
        keep_probe(ledger, probe)
    if probe.vital:
        raise UserError(
            f"{target.ref} does not keep what direct replay needs ({', '.join(probe.vital)}), "
            f"as the throw-away run {probe.run} showed; nothing was replayed. Where that was passing, "
            f"`{hint('doctor', '--archive', archive.folder, '--target', target.ref)}` looks again"
        )
    if keep_run_type and probe.type_kept is None and probe.route is WriteRoute.HISTORY:
        refused = await forms_refused(target, [RunForm.KEPT])
        probe = replace(probe, type_kept=not refused)
        keep_probe(ledger, probe)
    return probe


def bound_route(ledger: TargetLedger) -> WriteRoute | None:
    """The route by which runs of the archive went, or may have gone, into the target; None where none did."""
    probe = known_probe(ledger)
    return probe.route if probe is not None and ledger.runs_with(RunItem.CREATE) else None


async def _tried(archive: Archive, target: Target, route: WriteRoute | None) -> Probe:
    """Write throw-away runs by each route until one does, read them back, compare. Raises UserError where none does."""
    ledger, planned = archive.ledger(target.ref), frozenset(one.name for one in archive.experiments())
    before = await experiments_held(target, archive.source, planned)
    held = [one for one in before.held if one.name in planned]
    if route is None and not of_kind(target.ref).plain and await _made_there(archive, target, held):
        route = WriteRoute.MLFLOW
    try:
        if isinstance(target, TriesItself):
            probe = probe_of(await target.try_out())
        else:
            await _hide_left(ledger, target)
            probe = await _by_best_route(ledger, target) if route is None else await _by_route(ledger, target, route)
    except StatusManaged as error:
        jobs = hint("replay", archive.folder, "--target", target.ref, "--mode", "synthetic")
        raise UserError(
            f"{target.ref} lets no client say how a run ended ({error}), as throw-away runs of each form showed; "
            f"nothing was replayed. `{jobs}` submits jobs instead"
        ) from error
    return replace(probe, experiments=before.own, made=before.made)


async def _made_there(archive: Archive, target: Target, experiments: Sequence[Experiment]) -> bool:
    """True where a replay of another archive of the same source made runs under ids of the target's own."""
    mark = source_mark(archive.source)
    for experiment in experiments:
        if await target.tagged_runs(experiment, SOURCE_TAG, mark):
            return True
    return False


def probe_of(tried: Tried) -> Probe:
    """What a throw-away run of a kind of its own showed."""
    return Probe(
        run=tried.run,
        lost=tried.lost,
        experiments=(),
        added=(),
        route=WriteRoute.MLFLOW,
        server=tried.server,
        traits=tried.traits,
        lifted=tried.lifted,
    )


async def _by_best_route(ledger: TargetLedger, target: Target) -> Probe:
    """By history, unless the target refuses our ids there, or keeps no start: then by MLflow's routes if they do.

    Raises UserError, with what was said of history, where neither does.
    """
    try:
        history = await _by_route(ledger, target, WriteRoute.HISTORY)
    except IdsRefused as refused:
        try:
            return await _by_route(ledger, target, WriteRoute.MLFLOW)
        except Rejected as error:
            raise refused from error
    return history if history.vital else await better_route(ledger, target, history)


async def better_route(ledger: TargetLedger | None, target: Target, history: Probe) -> Probe:
    """The probe of history, or that of MLflow's routes where only those keep a start."""
    if keeps_times(history):
        return history
    try:
        mlflow = await _by_route(ledger, target, WriteRoute.MLFLOW)
    except (UserError, Rejected):
        return history
    return mlflow if keeps_times(mlflow) and not mlflow.vital else history


def keeps_times(probe: Probe) -> bool:
    """False where the target keeps no start that a client tells, however near."""
    return "start" not in probe.lost


async def _by_route(ledger: TargetLedger | None, target: Target, route: WriteRoute) -> Probe:
    """Write throw-away runs, read them back, compare. A second call makes others, hidden like the first.

    Raises StatusManaged where the target lets runs of no form be ended, IdsRefused where it refuses our ids.
    """
    forms = NEUTRAL_FORMS if route is WriteRoute.HISTORY else NEUTRAL_FORMS[:1]
    for form in forms:
        try:
            return await _thrown(ledger, ThrowAway(target, throw_away_run(form=form, route=route), route))
        except StatusManaged:
            if form is forms[-1]:
                raise
    raise AssertionError("there is a form")


async def _thrown(ledger: TargetLedger | None, thrown: ThrowAway) -> Probe:
    """While they can be seen the ledger names them, where there is one: what a killed call leaves the next one hides.

    Of those that get their ids from the target it does so once they are there.
    """
    _note(ledger, thrown.ids)
    await thrown.create()
    _note(ledger, thrown.ids)
    try:
        await together(thrown.append, thrown.put_file)
    finally:
        late = await thrown.finish()  # in `finally`: they are hidden also where something was refused
    if ledger is not None:
        ledger.forget(_NOBODY, [RunItem.THROWN])
    return replace(await thrown.read(), late=late)


def _note(ledger: TargetLedger | None, ids: Sequence[RunId]) -> None:
    if ledger is not None:
        ledger.mark(_NOBODY, [RunItem.THROWN], State.SENDING, " ".join(dict.fromkeys([*_shown(ledger), *ids])))


def _shown(ledger: TargetLedger) -> list[RunId]:
    """Throw-away runs of earlier calls, which these may have left."""
    receipt = ledger.receipt(_NOBODY, RunItem.THROWN)
    return [RunId(one) for one in (receipt.detail or "").split()] if receipt else []


async def _hide_left(ledger: TargetLedger, target: Target) -> None:
    """Hide what a killed call left to be seen. Repeatable."""
    if left := _shown(ledger):
        there = [run for run, one in (await target.details(left)).items() if not one.run.hidden]
        if there:
            await target.hide_runs(EXPERIMENT, there, hidden=True)
        ledger.forget(_NOBODY, [RunItem.THROWN])


@dataclass(frozen=True, slots=True)
class ExperimentsHeld:
    """A target's experiments."""

    held: tuple[Experiment, ...]
    own: tuple[str, ...]
    """Names."""
    made: tuple[str, ...]
    """Names of those that say that a replay from the same source made them."""


async def experiments_held(
    target: Target, source: Place | None, planned: frozenset[str] = frozenset()
) -> ExperimentsHeld:
    """Experiments that the target has; of `planned` also those that its list leaves out, as it may archived ones."""
    held = {one.name: one async for page in target.experiments() for one in page}
    unlisted = await map_bounded(sorted(planned - held.keys()), target.experiment, ASKED_AT_ONCE)
    held |= {one.name: one for one in unlisted if one is not None}
    made = {name for name, one in held.items() if source is not None and made_experiment(one, source)}
    return ExperimentsHeld(tuple(held.values()), tuple(sorted(held.keys() - made)), tuple(sorted(made)))
