"""Sends experiments: name, description, tags, and at last whether they are archived."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.digests import of_experiment
from azureml_replay.archive.evidence import Way
from azureml_replay.archive.items import ExperimentItem, Payload
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.three_way import Prefer
from azureml_replay.errors import Rejected
from azureml_replay.model import Experiment, Omission
from azureml_replay.planning.experiments import OWNER, brought_up_to_date, planned_experiments
from azureml_replay.planning.lineage import made_experiment
from azureml_replay.planning.refused import without_values
from azureml_replay.selection import Selection
from azureml_replay.target.parts import refused_of_experiment
from azureml_replay.target.probe import note_experiments
from azureml_replay.target.profile import known_profile
from azureml_replay.workers import for_each
from azureml_replay.workspace.limits import LISTED_AT_ONCE
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.profile import TargetProfile
from azureml_replay.workspace.target import Refused, Target


@dataclass(slots=True)
class ExperimentOwners:
    """Finds out, right before this archive first writes into an experiment, whether the target has it of its own.

    Whoever made it between the first look at the target and then made it for themselves. Once something of ours may be
    in it nobody asks again: a half-made one would look like theirs. The ledger says so, by the intent to create a run.
    """

    source: Place
    ledger: TargetLedger
    target: Target
    known: set[str] = field(default_factory=set)
    """Names of which it is settled."""

    async def settle(self, names: Iterable[str], width: int) -> None:
        """One request for each of which nothing was sent so far; on the disk when this returns. Repeatable."""
        if not self.known:
            profile = known_profile(self.ledger)
            self.known |= profile.experiments | profile.made | self.ledger.experiments_begun()
        left = sorted(set(names) - self.known)
        found: dict[str, Experiment | None] = {}

        async def ask(name: str) -> None:
            found[name] = await self.target.experiment(name)

        await for_each(left, ask, min(width, LISTED_AT_ONCE))
        there = {one.name: made_experiment(one, self.source) for one in found.values() if one is not None}
        own = [name for name, made in there.items() if not made]
        note_experiments(self.ledger, own=own, made=there.keys() - set(own))
        self.known |= set(left)


async def send_experiments(
    archive: Archive, target: Target, selection: Selection, *, owners: ExperimentOwners, prefer: Prefer, width: int
) -> None:
    """Send the experiments. Repeatable.

    One that the target had before us keeps its description and its tags, and its state too, unless that would hide runs
    that the source shows. One that another archive of the same source brought is ours: what was edited there since
    stays, unless the source is preferred.
    """
    ledger = owners.ledger
    due = [planned.name for planned, _ in due_experiments(archive, ledger, selection, known_profile(ledger))]
    await owners.settle(due, width)
    profile = known_profile(ledger)
    sender = _Sender(archive, ledger, target, profile, prefer)
    for planned, experiment in due_experiments(archive, ledger, selection, profile):
        item = ExperimentItem(experiment.name)
        receipt = ledger.receipt(OWNER, item)
        ledger.mark(OWNER, {item: Payload(of_experiment(experiment))}, State.SENDING)
        ledger.drop_evidence([experiment.name], Way.EXPERIMENT)
        await sender.send(experiment, sent_before=receipt is not None and receipt.state is State.SENT)
        carried, _ = ledger.experiment_as_carried(planned, profile.limits)  # less may be carried than was tried
        ledger.mark(OWNER, {item: Payload(of_experiment(carried))}, State.SENT)


def due_experiments(
    archive: Archive, ledger: TargetLedger, selection: Selection, profile: TargetProfile
) -> Iterator[tuple[Experiment, Experiment]]:
    """Those to send: each as planned, and less what the target will not take of it."""
    for planned in planned_experiments(archive, selection, profile=profile):
        experiment, _ = ledger.experiment_as_carried(planned, profile.limits)
        if not ledger.has_sent(OWNER, ExperimentItem(experiment.name), of_experiment(experiment)):
            yield planned, experiment


def left_of_experiments(archive: Archive, selection: Selection, profile: TargetProfile) -> Iterator[Omission]:
    """What a target is not to have of the chosen experiments, for its limits or because it refused it."""
    ledger = archive.ledger(profile.ref or archive.source)
    for experiment in planned_experiments(archive, selection, profile=profile):
        if experiment.name not in profile.experiments:
            yield from ledger.experiment_as_carried(experiment, profile.limits)[1]


@dataclass(frozen=True, slots=True)
class _Sender:
    archive: Archive
    ledger: TargetLedger
    target: Target
    profile: TargetProfile
    prefer: Prefer

    async def send(self, experiment: Experiment, *, sent_before: bool) -> None:
        if experiment.name not in self.profile.experiments:
            looked_at = experiment.name in self.profile.made and not sent_before
            await self._put(await self._for_ours(experiment) if looked_at else experiment)
        elif not experiment.archived:
            await self._show(experiment.name)

    async def _put(self, experiment: Experiment) -> None:
        """Without what the target refuses of it, which is noted."""
        try:
            await self.target.put_experiment(experiment)
        except Rejected as error:
            if not Refused.of(error).of_item:
                raise
            found = await refused_of_experiment(self.target, experiment)
            if not found.values:
                raise
            self.ledger.refuse_of_experiment(experiment.name, found.values)
            await self.target.put_experiment(without_values(experiment, found.values))

    async def _for_ours(self, experiment: Experiment) -> Experiment:
        """As it should be where the target has it by an earlier replay: of another archive, or before an `undo`."""
        there = await self.target.experiment(experiment.name)
        if there is None:
            return experiment
        overwrite = self.prefer is Prefer.SOURCE
        return brought_up_to_date(experiment, there, self.archive.source, overwrite=overwrite)

    async def _show(self, name: str) -> None:
        there = await self.target.experiment(name)
        if there is not None and there.archived:
            await self.target.put_experiment(replace(there, archived=None))
