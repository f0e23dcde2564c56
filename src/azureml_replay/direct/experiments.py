"""Sends experiments: name, description, tags, and at last whether they are archived."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.digests import of_experiment, of_kept
from azureml_replay.archive.evidence import Way
from azureml_replay.archive.items import ExperimentItem, Payload, ValueItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.experiments import (
    changes,
    fates_of_experiment,
    kept_under,
    sent_of_experiment,
    state_of,
    update_of,
    values_of,
)
from azureml_replay.comparison.three_way import Fate, Prefer, kept
from azureml_replay.direct.hiding import why_not_archived
from azureml_replay.errors import Rejected
from azureml_replay.model import Editable, Experiment, Omission
from azureml_replay.planning.experiments import OWNER, planned_experiments, signed, with_lineage
from azureml_replay.planning.lineage import is_taken_back, made_experiment, sent_of_another, without_lineage
from azureml_replay.planning.refused import HIDES, STATE, without_values
from azureml_replay.selection import Selection
from azureml_replay.target.bringing_back import note_owner
from azureml_replay.target.parts import refused_of_experiment
from azureml_replay.target.probe import forget_experiments, note_experiments
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
    looks: dict[str, Experiment | None] = field(default_factory=dict)
    """Name -> the target's experiment, as this call saw it first; None where there was none."""
    opened: set[str] = field(default_factory=set)
    """Experiments that this call opened for new runs: their state is sent again at its end, selected or not."""
    looked: set[str] = field(default_factory=set)
    """Those of runs that `undo` hid, which this call has asked for."""
    closed: set[str] = field(default_factory=set)
    """Archived ones that are not ours to open."""

    async def settle(self, names: Iterable[str], width: int) -> None:
        """One request for each of which nothing was sent so far; on the disk when this returns. Repeatable.

        And for each of the target's own in which no run of ours is: once it is empty its owner may have removed it.
        """
        if not self.known:
            profile, with_runs = known_profile(self.ledger), self.ledger.experiments_with_runs()
            begun = profile.made | self.ledger.experiments_begun()
            self.known |= with_runs | begun - profile.experiments
        left = sorted(set(names) - self.known)

        async def ask(name: str) -> None:
            await self.look(name)

        await for_each(left, ask, min(width, LISTED_AT_ONCE))
        found = {name: held for name in left if (held := self.looks[name]) is not None}
        there = {name: made_experiment(held, self.source) for name, held in found.items()}
        own = [name for name, made in there.items() if not made]
        forget_experiments(self.ledger, set(left) - found.keys())
        note_experiments(self.ledger, own=own, made=there.keys() - set(own))
        self.known |= set(left)

    async def look(self, name: str, *, again: bool = False) -> Experiment | None:
        """The target's experiment of a name: one request in a call, for all who ask before anything is sent into it."""
        if again or name not in self.looks:
            self.looks[name] = await self.target.experiment(name)
        return self.looks[name]

    async def open(self, held: Experiment) -> None:
        """Show an experiment of ours to which runs are to be added; its state is sent again at the end. Repeatable.

        One that somebody archived stays so: opening it would undo his edit, which a kill then forgot.
        """
        if held.archived is None:
            return
        if not note_owner(self.ledger, held, self.source) and held.name in known_profile(self.ledger).experiments:
            return
        sent, state = last_sent(self.ledger, held), state_of(held.name)
        if not self._archived_by_us(held, sent):
            self.closed.add(held.name)
            return
        # First: with this alone the next call knows the archived experiment for ours, wherever this one is stopped.
        self.ledger.mark(OWNER, [ExperimentItem(held.name)], State.SENDING)
        self.ledger.drop_evidence([held.name], Way.EXPERIMENT)
        self.ledger.put_sent({kept_under(held.name): {**(sent or {}), state: False}})
        self.opened.add(held.name)
        await self.target.put_experiment(replace(held, archived=None))

    async def look_again(self, names: Iterable[str], width: int) -> None:
        """Look whether `undo` archived experiments with runs that it hid: then they are sent at the end. Repeatable.

        One request for each that this ledger takes for sent, once.
        """
        asked = sorted(name for name in set(names) - self.looked if self._is_sent(name))
        self.looked |= set(asked)

        async def ask(name: str) -> None:
            there = await self.target.experiment(name)
            if there is not None:
                note_owner(self.ledger, there, self.source)

        await for_each(asked, ask, min(width, LISTED_AT_ONCE))

    def _is_sent(self, name: str) -> bool:
        receipt = self.ledger.receipt(OWNER, ExperimentItem(name))
        return receipt is not None and receipt.state is State.SENT

    def _archived_by_us(self, held: Experiment, sent: Editable | None) -> bool:
        """By this archive, which may have been stopped while it opened it, by another one of its source, or by undo."""
        state, mark = state_of(held.name), sent_of_another(held, self.source)
        receipt = self.ledger.receipt(OWNER, ExperimentItem(held.name))
        if (sent or {}).get(state) or is_taken_back(held, self.source):
            return True
        return (receipt is not None and receipt.state is State.SENDING) or (
            sent is None and mark is not None and mark.bears(state, True)
        )

    async def is_closed(self, name: str) -> bool:
        """True for one that is archived in the target now, though it may have been open when we looked."""
        there = await self.target.experiment(name)
        if there is not None and there.archived is not None:
            self.closed.add(name)
        return name in self.closed


def last_sent(ledger: TargetLedger, there: Experiment) -> Editable | None:
    """The values sent last: a version that kept none left a receipt, which may be of just what is there."""
    sent = ledger.sent(kept_under(there.name))
    receipt = ledger.receipt(OWNER, ExperimentItem(there.name)) if sent is None else None
    return values_of(without_lineage(there)) if receipt and receipt.is_of(of_experiment(there)) else sent


async def send_experiments(
    archive: Archive, target: Target, selection: Selection, *, owners: ExperimentOwners, prefer: Prefer, width: int
) -> None:
    """Send the experiments. Repeatable.

    One that the target had before us keeps its description and its tags, and its state too, unless that would hide runs
    that the source shows. Another one is ours: it is looked at before it is written, the first time too, since its runs
    came before; and what was edited there since stays (comparison/experiments.py).
    """
    ledger = owners.ledger
    due = due_experiments(archive, ledger, selection, known_profile(ledger), kept=True)
    await owners.settle([planned.name for planned, _ in due], width)
    profile = known_profile(ledger)
    await look_at_active(archive, target, selection, profile)
    sender = _Sender(archive, ledger, target, profile, prefer)
    sent = set[str]()

    async def send(one: tuple[Experiment, Experiment]) -> None:
        planned, experiment = one
        if planned.name not in owners.closed & profile.experiments:  # those show none of our runs, and stay archived
            await sender.send(planned, experiment)
        sent.add(planned.name)

    at_once = min(width, LISTED_AT_ONCE)
    await for_each(due_experiments(archive, ledger, selection, profile, kept=True), send, at_once)
    if opened := owners.opened - sent:
        of_all = due_experiments(archive, ledger, Selection(), profile, kept=True)
        await for_each((one for one in of_all if one[0].name in opened), send, at_once)


async def look_at_active(archive: Archive, target: Target, selection: Selection, profile: TargetProfile) -> None:
    """Let those be archived that an earlier call left active for somebody's run, where none is to be seen any more.

    One look at each of them. Repeatable.
    """
    ledger = archive.ledger(profile.ref or archive.source)
    refused = [one for one in ledger.refused([OWNER]).get(OWNER, ()) if (one.detail or "").startswith(HIDES)]
    whys = {one.item.experiment: one.detail for one in refused if isinstance(one.item, ValueItem)}
    for planned in planned_experiments(archive, selection, profile=profile) if whys else ():
        there = await target.experiment(planned.name) if planned.name in whys else None
        if there is None:
            continue
        why = await why_not_archived(target, there, archive.source)
        if why is None:
            ledger.forget(OWNER, [ValueItem(*STATE, planned.name)])
        elif why != whys[planned.name]:
            ledger.refuse_of_experiment(planned.name, {STATE: why})


def due_experiments(
    archive: Archive, ledger: TargetLedger, selection: Selection, profile: TargetProfile, *, kept: bool
) -> Iterator[tuple[Experiment, Experiment]]:
    """Those to send: each as planned, and less what the target will not take of it.

    `kept`: also those of which all was sent but values that changed on both sides: every call looks at them again.
    """
    for planned in planned_experiments(archive, selection, profile=profile):
        experiment, _ = ledger.experiment_as_carried(planned, profile.limits)
        item, digest = ExperimentItem(experiment.name), of_experiment(experiment)
        stands = ledger.has_sent(OWNER, item, digest)
        if not stands and (kept or not ledger.has_sent(OWNER, item, of_kept(digest))):
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

    async def send(self, planned: Experiment, experiment: Experiment) -> None:
        """Look at one, which is there since its runs are, and write what it should have anew. Repeatable.

        `planned`, and `experiment`, which is that less what the target will not take.
        """
        name = experiment.name
        if name in self.profile.experiments:
            self._begin(experiment)
            if not experiment.archived:
                await self._show(name)
            self._end(planned, frozenset(), conflict=False)
            return
        there = await self.target.experiment(name)
        if there is None:
            self._begin(experiment)
            await self._put(signed(experiment, self.archive.source, values_of(without_lineage(experiment))))
            self._end(planned, frozenset(), conflict=False)
        else:
            await self._update(planned, experiment, there)

    async def _update(self, planned: Experiment, experiment: Experiment, there: Experiment) -> None:
        """Write what the source changed where the target still has what was sent; other values stay."""
        source = self.archive.source
        wanted, found = without_lineage(experiment), without_lineage(there)
        sent = last_sent(self.ledger, there)
        by_name = fates_of_experiment(wanted, found, sent, taken_back=is_taken_back(there, source))
        stay = kept(by_name, self.prefer)
        update, now = update_of(wanted, found, stay), sent_of_experiment(wanted, sent, stay)
        closes = update.archived is not None and there.archived is None
        if closes and (why := await why_not_archived(self.target, there, source)):
            self.ledger.refuse_of_experiment(there.name, {STATE: why})
            active, _ = self.ledger.experiment_as_carried(planned, self.profile.limits)
            await self._update(planned, active, there)
            return
        update = with_lineage(update, experiment, there, source, now, writes=changes(update, there))
        if changes(update, there):
            self._begin(experiment)
            await self._put(update)
        self._end(planned, stay, conflict=any(by_name[name] is Fate.CONFLICT for name in stay))

    def _begin(self, experiment: Experiment) -> None:
        item = ExperimentItem(experiment.name)
        self.ledger.mark(OWNER, {item: Payload(of_experiment(experiment))}, State.SENDING)
        self.ledger.drop_evidence([experiment.name], Way.EXPERIMENT)

    def _end(self, planned: Experiment, stay: frozenset[str], *, conflict: bool) -> None:
        """What was sent, and the receipt: of one that keeps a value which changed on both sides it equals no plan's."""
        carried, _ = self.ledger.experiment_as_carried(planned, self.profile.limits)  # maybe less than was tried
        if planned.name not in self.profile.experiments:
            whose = kept_under(planned.name)
            now = sent_of_experiment(without_lineage(carried), self.ledger.sent(whose), stay)
            self.ledger.put_sent({whose: now})
        digest = of_experiment(carried)
        payload = Payload(of_kept(digest) if conflict else digest)
        self.ledger.mark(OWNER, {ExperimentItem(planned.name): payload}, State.SENT)

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

    async def _show(self, name: str) -> None:
        there = await self.target.experiment(name)
        if there is not None and there.archived:
            await self.target.put_experiment(replace(there, archived=None))
