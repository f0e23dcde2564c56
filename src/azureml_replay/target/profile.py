"""How a target is treated, by what it was seen to keep."""

from __future__ import annotations

from dataclasses import replace

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.errors import UserError
from azureml_replay.model import RunId
from azureml_replay.planning.ids import Ids
from azureml_replay.planning.plan import PlanOptions
from azureml_replay.planning.reuse import Lent
from azureml_replay.target.probe import Probe, known_probe, probed
from azureml_replay.workspace.target import Target


async def ready(archive: Archive, target: Target) -> Probe:
    """What the target keeps: known, or found out now. Raises UserError where it is the source or cannot take runs."""
    if archive.source.same_as(target.ref):
        raise UserError(f"source and target are the same workspace ({target.ref}): name another target")
    return await probed(archive, target)


def as_kept(ledger: TargetLedger, options: PlanOptions) -> PlanOptions:
    """The options of a plan for this target: by what it was seen to keep, so far as anybody has looked."""
    probe = known_probe(ledger)
    options = replace(options, ids=ids_in(ledger), lent=presumed(ledger))
    return options if probe is None else replace(options, lost=frozenset(probe.lost), limits=probe.limits)


def ids_in(ledger: TargetLedger) -> Ids:
    """What each run is called in a target, as its ledger knows it."""
    return lambda run: ledger.target_id(run) or run


def presumed(ledger: TargetLedger) -> Lent:
    """What was created without another's container keeps its own; what was not created yet will have it."""

    def lent(run: RunId, _: RunId) -> bool:
        created, borrowed = (ledger.receipt(run, item) for item in (RunItem.CREATE, RunItem.CONTAINER))
        return borrowed is not None or created is None

    return lent
