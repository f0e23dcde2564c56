"""Sending by several workers: what each of them is told, and what it says of itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from azureml_replay.direct.experiments import ExperimentOwners
from azureml_replay.direct.foreseen import DueUnits
from azureml_replay.direct.found_runs import FoundRuns
from azureml_replay.direct.options import Replayed, ReplayOptions
from azureml_replay.model import Experiment, RunId
from azureml_replay.workers import for_each
from azureml_replay.workspace.limits import LISTED_AT_ONCE
from azureml_replay.workspace.profile import TargetProfile


@dataclass(frozen=True, slots=True)
class Briefing:
    """What was asked of a target once, for all who send to it."""

    looks: Mapping[str, Experiment | None]
    """Experiments, as they were before anything was sent into them; None where there was none."""
    tagged: Mapping[str, Mapping[RunId, Sequence[RunId]]]
    """Experiment -> source run -> runs of the target whose tags name it."""

    def of(self, runs: Collection[RunId]) -> Briefing:
        """What is about these runs."""
        some = set(runs)
        told = {
            name: {run: there for run, there in found.items() if run in some} for name, found in self.tagged.items()
        }
        return Briefing(self.looks, told)


@dataclass(frozen=True, slots=True)
class PartSent:
    """What was sent of a part of an archive."""

    replayed: Replayed
    looked: frozenset[str] = frozenset()
    """Experiments in which runs are that `undo` hid."""


SendRuns = Callable[
    [DueUnits, ReplayOptions, TargetProfile, Briefing, Callable[[], Awaitable[float]]],
    Awaitable[PartSent],
]
"""Sends units in another way than one by one in this process; the last argument holds the lease, and says for how many
seconds."""


async def briefed(owners: ExperimentOwners, found: FoundRuns, due: DueUnits, width: int) -> Briefing:
    """Asks what all who send these units need: whose experiments are, and which runs stand there already."""
    await owners.settle(due.experiments, width)
    await for_each(sorted(due.new_in), found.look, min(width, LISTED_AT_ONCE))
    return Briefing(owners.looks, found.tagged)
