"""Tries a target before the first real write, once, and remembers what it keeps."""

from __future__ import annotations

from dataclasses import dataclass, replace

from azureml_replay.archive.archive import Archive
from azureml_replay.errors import UserError
from azureml_replay.planning.lineage import made_experiment
from azureml_replay.target.probe import Probe, known_probe
from azureml_replay.target.throw_away import ThrowAway
from azureml_replay.terminal.hints import hint
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.target import Target


async def probed(archive: Archive, target: Target) -> Probe:
    """The target's probe: from the archive, or made now. Raises UserError where the target can't be replayed into."""
    ledger = archive.ledger(target.ref)
    probe = known_probe(ledger)
    if probe is None:
        probe = await _probe(target, archive.source, frozenset(one.name for one in archive.experiments()))
        if not probe.vital:  # otherwise the next call tries again: the loss may have been passing
            ledger.put_probe(probe.to_json())
    if probe.vital:
        raise UserError(
            f"{target.ref} does not keep what direct replay needs ({', '.join(probe.vital)}), "
            f"as the throw-away run {probe.run} showed; nothing was replayed. Where that was passing, "
            f"`{hint('doctor', '--archive', archive.folder, '--target', target.ref)}` looks again"
        )
    return probe


async def _probe(target: Target, source: Place, planned: frozenset[str]) -> Probe:
    """Write throw-away runs, read them back, compare. A second call makes others, hidden like the first."""
    before = await experiments_held(target, source, planned)
    thrown = ThrowAway(target)
    await thrown.create()
    try:
        await thrown.append()
        await thrown.put_file()
    finally:
        late = await thrown.finish()  # in `finally`: they are hidden also where something was refused
    return replace(await thrown.read(), experiments=before.own, made=before.made, late=late)


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
