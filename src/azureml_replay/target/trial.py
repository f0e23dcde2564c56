"""Tries a target before the first real write, once, and remembers what it keeps."""

from __future__ import annotations

from dataclasses import dataclass, replace

from azureml_replay.archive.archive import Archive
from azureml_replay.errors import StatusManaged, UserError
from azureml_replay.model import RunForm
from azureml_replay.planning.lineage import made_experiment
from azureml_replay.target.forms import NEUTRAL_FORMS, forms_refused
from azureml_replay.target.probe import Probe, known_probe
from azureml_replay.target.throw_away import ThrowAway, throw_away_run
from azureml_replay.terminal.hints import hint
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.target import Target


async def probed(archive: Archive, target: Target, *, keep_run_type: bool = False) -> Probe:
    """The target's probe: from the archive, or made now. Raises UserError where the target can't be replayed into.

    `keep_run_type`: whether runs may keep their type is tried too.
    """
    ledger = archive.ledger(target.ref)
    probe = known_probe(ledger)
    if probe is None:
        try:
            probe = await _probe(target, archive.source, frozenset(one.name for one in archive.experiments()))
        except StatusManaged as error:
            jobs = hint("replay", archive.folder, "--target", target.ref, "--mode", "synthetic")
            raise UserError(
                f"{target.ref} lets no client say how a run ended ({error}), as throw-away runs of each form showed; "
                f"nothing was replayed. `{jobs}` submits jobs instead"
            ) from error
        if not probe.vital:  # otherwise the next call tries again: the loss may have been passing
            ledger.put_probe(probe.to_json())
    if probe.vital:
        raise UserError(
            f"{target.ref} does not keep what direct replay needs ({', '.join(probe.vital)}), "
            f"as the throw-away run {probe.run} showed; nothing was replayed. Where that was passing, "
            f"`{hint('doctor', '--archive', archive.folder, '--target', target.ref)}` looks again"
        )
    if keep_run_type and probe.type_kept is None:
        refused = await forms_refused(target, [RunForm.KEPT])
        probe = replace(probe, type_kept=not refused)
        ledger.put_probe(probe.to_json())
    return probe


async def _probe(target: Target, source: Place, planned: frozenset[str]) -> Probe:
    """Write throw-away runs, read them back, compare. A second call makes others, hidden like the first.

    Raises StatusManaged where the target lets runs of no form be ended.
    """
    before = await experiments_held(target, source, planned)
    for form in NEUTRAL_FORMS:
        try:
            probe = await _thrown(ThrowAway(target, throw_away_run(form=form)))
        except StatusManaged:
            if form is NEUTRAL_FORMS[-1]:
                raise
        else:
            break
    return replace(probe, experiments=before.own, made=before.made)


async def _thrown(thrown: ThrowAway) -> Probe:
    await thrown.create()
    try:
        await thrown.append()
        await thrown.put_file()
    finally:
        late = await thrown.finish()  # in `finally`: they are hidden also where something was refused
    return replace(await thrown.read(), late=late)


@dataclass(frozen=True, slots=True)
class ExperimentsHeld:
    """The names of a target's experiments."""

    own: tuple[str, ...]
    made: tuple[str, ...]
    """Those that say that a replay from the same source made them."""


async def experiments_held(
    target: Target, source: Place | None, planned: frozenset[str] = frozenset()
) -> ExperimentsHeld:
    """Experiments that the target has; of `planned` also those that its list leaves out, as it may archived ones."""
    held = {one.name: one async for page in target.experiments() for one in page}
    for name in sorted(planned - held.keys()):
        found = await target.experiment(name)
        held |= {name: found} if found is not None else {}
    made = {name for name, one in held.items() if source is not None and made_experiment(one, source)}
    return ExperimentsHeld(own=tuple(sorted(held.keys() - made)), made=tuple(sorted(made)))
