"""What the ledger keeps of what was to be carried of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from azureml_replay.archive.evidence import Topic, Way
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.direct.naming import Naming
from azureml_replay.model import Omission, RunId
from azureml_replay.planning.plan import FILES, LEFT, NAMES, TAKEN, Step, as_carried, shows


def carry(ledger: TargetLedger, naming: Naming, steps: Sequence[Step]) -> set[RunId]:
    """What an earlier call carried stays to be carried, though this one may leave out more.

    Those are answered that name runs which may get other ids yet: they are sent again then.
    """
    before = {
        run: as_carried(told)
        for run, told in ledger.carried([step.source for step in steps]).items()
        if isinstance(told, Mapping) and FILES in told
    }
    told = {
        step.source: {
            FILES: before.get(step.source, step.choice).joined(step.choice).to_json(),
            **shows(step),
            **naming.noted(step),
        }
        for step in steps
    }
    ledger.carry(told, Way.RUN)
    return {run for run, one in told.items() if NAMES in one}


def leave(ledger: TargetLedger, steps: Iterable[Step]) -> None:
    """Note that nothing of these runs is to be carried, where the caller wants taken ids to be skipped."""
    left = [step.source for step in steps if ledger.receipt(step.source, RunItem.CREATE) is None]
    ledger.carry({run: {LEFT: TAKEN} for run in left}, Way.RUN)
    for run in left:
        ledger.put_planned_omissions(Topic(Way.RUN, run), [Omission(run, "run", TAKEN)])
