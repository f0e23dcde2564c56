"""What `undo` of any archive took back: shows runs again and takes its mark off, hears its word on experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from azureml_replay.archive.items import ExperimentItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.errors import ServiceError
from azureml_replay.model import Experiment, RunId
from azureml_replay.planning.experiments import OWNER
from azureml_replay.planning.lineage import is_taken_back, made_experiment
from azureml_replay.target.probe import note_made
from azureml_replay.target.profile import known_profile
from azureml_replay.workers import for_each
from azureml_replay.workspace.mark import UNDO_TAG, VOID_MARK
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.target import Outcome, Target

MARKS_AT_ONCE = 8
"""Of one request's runs: a mark is removed run by run."""


async def bring_back(
    target: Target, experiment: str, runs: Sequence[RunId], *, hidden: bool
) -> Mapping[RunId, Outcome]:
    """`hidden` is what the runs are to be. Repeatable; at most `RUNS_PER_REQUEST`.

    The mark says with the same request that it is void; where it cannot be removed then, it stays so.
    """
    outcomes = await target.hide_runs(experiment, runs, hidden=hidden, tags=dict.fromkeys(runs, VOID_MARK))

    async def unmark(run: RunId) -> None:
        with suppress(ServiceError):
            await target.remove_tags(experiment, run, [UNDO_TAG])

    await for_each([run for run in runs if outcomes.get(run) is None], unmark, MARKS_AT_ONCE)
    return outcomes


def note_owner(ledger: TargetLedger, there: Experiment, source: Place) -> bool:
    """Note whose the target's experiment is by what it says now; True where a replay from `source` made it.

    The first look may have taken it for the target's own: one of which nothing is to be told bears no tag before an
    `undo`. Where an earlier look erred so, or `undo` archived it, the next replay sends it again. Repeatable.
    """
    if not made_experiment(there, source):
        return False
    if is_taken_back(there, source) or there.name in known_profile(ledger).experiments:
        note_made(ledger, [there.name])
        receipt = ledger.receipt(OWNER, item := ExperimentItem(there.name))
        if receipt is not None and receipt.state is State.SENT:
            ledger.mark(OWNER, [item], State.SENDING)
    return True
