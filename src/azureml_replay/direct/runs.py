"""Sends runs: creates them, brings them up to date, ends them; keeps receipts and the values that were sent.

A run that the target holds already is compared three ways before anything is sent (three_way.py), so that edits made
there since stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from azureml_replay.archive import digests
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.three_way import (
    BEGUN,
    HIDDEN,
    OF_ANOTHER,
    PARENT,
    PROPERTY,
    RUN_TYPE,
    STATUS,
    Fate,
    Prefer,
    brings,
    editable,
    fates,
    kept,
    sent_now,
    without,
)
from azureml_replay.direct.due import is_created, is_finished
from azureml_replay.errors import Remedy, ServiceError
from azureml_replay.model import TERMINAL, Run, RunForm, RunId
from azureml_replay.planning import lineage
from azureml_replay.planning.plan import Step
from azureml_replay.target.bringing_back import bring_back
from azureml_replay.target.writer import writer_of
from azureml_replay.workspace.mark import UNDO_TAG, SentMark, is_taken_back
from azureml_replay.workspace.profile import CREATED, TargetProfile, WriteRoute
from azureml_replay.workspace.target import Outcome, Refused, Target


@dataclass(frozen=True, slots=True)
class _Ending:
    """What has to be sent so that a run of the target ends as it should."""

    tell: Run | None
    """The run with its end to be sent; None where the target has it already."""
    hidden: bool | None
    """The value that `hidden` is to get; None where it stays as it is."""
    marked: bool = False
    """True where `undo` hid it: its mark goes."""
    stay: frozenset[str] = frozenset()


@dataclass(slots=True)
class RunSender:
    """Sends runs of one experiment at a time. All methods are repeatable."""

    ledger: TargetLedger
    target: Target
    prefer: Prefer
    fail: Callable[[RunId, str, Remedy | None], None]
    """Called for each run that did not arrive, with the reason."""
    profile: TargetProfile
    """As the target was seen to be."""
    deleted: Collection[RunId] = ()
    """Runs that `undo` deleted: a refusal to create one anew, whatever its status, is about its id, and final."""
    known: dict[RunId, Run] = field(default_factory=dict)
    """Source id -> the run of ours that the target holds already."""
    shown: dict[RunId, bool] = field(default_factory=dict)
    """Of this window, hidden runs that were shown to be written -> whether they are to be hidden again."""
    created: set[RunId] = field(default_factory=set)
    """Of this window, runs that this call put into the target: nobody else can have sent anything into them."""
    refused: dict[RunId, Refused] = field(default_factory=dict)
    """Runs that the target refused for something in them: the caller finds out for what."""
    riding: dict[RunId, tuple[Run, frozenset[str]]] = field(default_factory=dict)
    """Of this window, runs whose values go with their first rows, and the names of those that stay as they are."""
    riding_of: frozenset[RunId] = frozenset()
    """Runs whose values may."""
    touched: set[RunId] = field(default_factory=set)
    """Of this window, runs of which anything was sent: the caller adds those whose contents went."""
    count: int = 0
    """How many those of earlier windows are, each once."""
    returning: set[RunId] = field(default_factory=set)
    """Runs that may come in a window again."""
    counted: set[RunId] = field(default_factory=set)
    """Of these, those that `count` has."""
    kept: dict[RunId, frozenset[str]] = field(default_factory=dict)
    """Run -> values that changed on both sides, of which the target's stayed. Every call looks at such a run again."""
    accepted: set[RunId] = field(default_factory=set)
    """Runs with an accepted value that both sides changed: every call looks at these too, as that may be taken back."""

    def begin_window(self) -> None:
        """Let go of the runs so far: 100,000 ids take 10 MB."""
        self.count += len(self.touched - self.counted)
        self.counted |= self.touched & self.returning
        self.touched.clear()
        self.created.clear()
        self.shown.clear()

    def told(self, runs: Iterable[RunId]) -> int:
        """How many of these are in no earlier window."""
        return sum(run not in self.counted for run in runs)

    def is_current(self, step: Step) -> bool:
        """True where neither `create` nor `finish` would send anything."""
        return is_created(self.ledger, step) and is_finished(self.ledger, step)

    async def create(self, steps: Sequence[Step], with_rows: Collection[RunId] = ()) -> None:
        """Send everything that runs carry but their state; of runs just made the values may go `with_rows`."""
        left = [step for step in steps if not is_created(self.ledger, step)]
        self.riding_of = frozenset(with_rows)
        await self._put([step for step in left if step.source not in self.known])
        await self._update([step for step in left if step.source in self.known])

    async def finish(self, steps: Sequence[Step]) -> Sequence[Step]:
        """Send how runs ended, and whether they are archived; the steps whose runs are there now."""
        left = [step for step in steps if not is_finished(self.ledger, step)]
        await self.show([step for step in left if self._moves(step)])
        if left:
            self._mark(RunItem.FINISH, left, State.SENDING)
            endings = {step.source: self._ending(step) for step in left}
            there = await self._hide(left, endings, hidden=False)  # an event may not move what is hidden
            there = await self._hide(await self._tell(there, endings), endings, hidden=True)
            self._remember(there, {run: ending.stay for run, ending in endings.items()}, state=True)
            self._mark(RunItem.FINISH, there, State.SENT)
            lacking = {step.source for step in left} - {step.source for step in there}
            return [step for step in steps if step.source not in lacking]
        return steps

    async def show(self, steps: Sequence[Step]) -> None:
        """Show runs that are hidden, before something is written to them; `finish` hides them again. Repeatable.

        The ledger says first that they are shown: whatever becomes of this call, the next one hides them again.
        """
        closed = [step for step in steps if self.profile.closes and self.is_hidden(step)]
        for step in closed:
            self.shown[step.source] = step.run.hidden or HIDDEN in self._kept(step, of_state=True)
            self.ledger.forget(step.source, [RunItem.WHOLE, RunItem.FINISH])
            if (before := self.ledger.sent(step.source)) is not None:
                self.ledger.put_sent({step.source: {**before, HIDDEN: False}})
        marked = [step for step in closed if is_taken_back(self.known[step.source])]
        for some, turn in (([one for one in closed if one not in marked], self._turn), (marked, self._bring_back)):
            if some:
                ids = [step.run.id for step in some]
                await self._arrived(turn(some[0].run.experiment, ids, False), some)
        for step in closed:
            there = self.known[step.source]
            tags = {key: value for key, value in there.tags.items() if key != UNDO_TAG}
            self.known[step.source] = replace(there, hidden=False, tags=tags)

    def is_hidden(self, step: Step) -> bool:
        """True for a run that the target has and does not show."""
        there = self.known.get(step.source)
        return there is not None and there.hidden

    # Carried values

    async def _put(self, steps: Sequence[Step]) -> None:
        if not steps:
            return
        self._lend(steps, State.SENDING)  # first: a created run without this intent counts as one with files of its own
        self._mark(RunItem.CREATE, steps, State.SENDING)
        self.ledger.expect_experiment(steps[0].run.experiment)
        put = self.target.put_runs(steps[0].run.experiment, [self.signed(step.run) for step in steps])
        arrived = await self._arrived(put, steps)
        self._lend(arrived, State.SENT)
        self._remember(arrived, {}, state=False)
        self._mark(RunItem.CREATE, arrived, State.SENT)
        self.created |= {step.source for step in arrived}

    async def _update(self, steps: Sequence[Step]) -> None:
        """Send what the source changed, where that changes the target and overwrites no edit."""
        self._lend([one for one in steps if self.known[one.source].lender == one.run.lender], State.SENT)
        stay = {step.source: self._kept(step, of_state=False) for step in steps}
        updates = {step.source: self._merged(step, stay[step.source]) for step in steps}
        marks = {step.source: self._mark_of(step, stay[step.source]) for step in steps}
        changing = [one for one in steps if self._changes(one, updates[one.source], marks[one.source])]
        there = [step for step in steps if step not in changing]
        if changing:
            self._mark(RunItem.CREATE, changing, State.SENDING)
            await self.show(changing)
            marked = [self._marked(step, updates[step.source], marks[step.source]) for step in changing]
            riding = [step for step in changing if self._rides(step)]
            self.riding |= {
                step.source: (run, stay[step.source])
                for step, run in zip(changing, marked, strict=True)
                if step in riding
            }
            alone = [run for step, run in zip(changing, marked, strict=True) if step not in riding]
            if alone:
                update = self.target.update_runs(changing[0].run.experiment, alone)
                there += await self._arrived(update, [step for step in changing if step not in riding])
        self._remember(there, stay, state=False)
        self._mark(RunItem.CREATE, there, State.SENT)

    def _rides(self, step: Step) -> bool:
        """True for values that go with the rows of a run that was just made; inputs have a request of their own."""
        run = step.run
        just_made = step.source in self.created and step.source not in self.deleted and step.source in self.riding_of
        return just_made and self.profile.values_with_rows and not (run.inputs or run.input_datasets)

    def arrived_with_rows(self, step: Step, stay: frozenset[str]) -> None:
        """The values of a run went with its rows."""
        self._remember([step], {step.source: stay}, state=False)
        self._mark(RunItem.CREATE, [step], State.SENT)
        self.touched.add(step.source)

    def update_of(self, step: Step) -> Run:
        """What is to be sent of a run that is there, without a mark."""
        return self._merged(step, self._kept(step, of_state=False))

    def _merged(self, step: Step, stay: frozenset[str]) -> Run:
        """The run to send: what the target's run has of its place and its properties stays: it is immutable."""
        there = self.known[step.source]
        properties = {**step.run.properties, **there.properties}
        return without(replace(step.run, parent=there.parent, properties=properties), stay)

    def signed(self, run: Run) -> Run:
        """A run to be created, which says what is sent with it."""
        mark = SentMark.of(editable(run), run.modified)
        return lineage.signed(run, mark, self.profile.limits.value)

    def _mark_of(self, step: Step, stay: frozenset[str]) -> SentMark:
        """Of what is sent of a run that is there, and of what stays there as another replay sent it."""
        there = self.known[step.source]
        before, theirs = self._sent_mark(step), editable(there)
        if before is None or not before.bound:  # what is kept by one that is unsure would be sure from now on
            before = SentMark(None, frozenset())
        mine = SentMark.of({name: one for name, one in editable(step.run).items() if name not in stay}, None)
        kept = SentMark.of({name: theirs[name] for name in stay if name in theirs}, None).tokens & before.tokens
        moments = [moment for moment in (before.as_of if kept else None, step.run.modified) if moment is not None]
        return SentMark(max(moments, default=None), mine.tokens | kept)

    def _changes(self, step: Step, update: Run, mark: SentMark) -> bool:
        """True where a write would change the target's run, or what it says was sent."""
        there = self.known[step.source]
        before = self._sent_mark(step)
        return brings(update, there) or (before is not None and not mark.tokens <= before.tokens)

    def _marked(self, step: Step, update: Run, mark: SentMark) -> Run:
        """The update with its mark.

        A run that was made, and of which no more was sent, has none of its properties yet: there the mark stands.
        """
        profile = self.profile.by(step.route)
        if profile.keeps("properties") and lineage.origin(self.known[step.source]) is None:
            return self.signed(update)
        return lineage.with_mark(update, self.known[step.source], mark, step.source, profile.limits)

    def _sent_mark(self, step: Step) -> SentMark | None:
        """What the target's run says was sent of it last, by whichever archive."""
        return lineage.sent_mark(self.known[step.source], step.source, self.profile.limits.properties)

    def _kept(self, step: Step, *, of_state: bool) -> frozenset[str]:
        """The names of values that stay as they are in the target; notes conflicts among them."""
        there, sent = self.known[step.source], self.ledger.sent(step.source)
        by_name = fates(step.run, there, sent, self._sent_mark(step))
        by_name = {name: fate for name, fate in by_name.items() if (name in BEGUN) == of_state}
        accepted = self.ledger.stays(step.source, editable(step.run), editable(there), sent or {})
        accepted &= {name for name, fate in by_name.items() if fate in (Fate.EDITED, Fate.CONFLICT)}
        if any(by_name[name] is Fate.CONFLICT for name in accepted):
            self.accepted.add(step.source)
        by_name = {name: fate for name, fate in by_name.items() if name not in accepted}
        stay = kept(by_name, self.prefer)
        conflicts = {name for name in stay if by_name[name] is Fate.CONFLICT}
        newer = {name for name in stay if by_name[name] is Fate.NEWER}
        conflicts |= {f"{name}{OF_ANOTHER}" for name in newer & editable(step.run).keys()}
        if conflicts:
            self.kept[step.source] = self.kept.get(step.source, frozenset()) | conflicts
        return stay | accepted

    # Endings

    def _ending(self, step: Step) -> _Ending:
        there = self.known.get(step.source)
        if there is None:
            return _Ending(self._told(step, None), None)
        stay = self._kept(step, of_state=True)
        marked = is_taken_back(there)
        turns = (marked or step.run.hidden != there.hidden) and HIDDEN not in stay
        hidden = step.run.hidden if turns else None
        return _Ending(
            tell=replace(self._told(step, there), hidden=False) if self._moves(step) and STATUS not in stay else None,
            hidden=True if self.shown.get(step.source) else hidden,
            marked=marked,
            stay=stay,
        )

    def _told(self, step: Step, there: Run | None) -> Run:
        """The run as its end is told; to a server with its lineage, where that says other times of the run there."""
        if not self.profile.by(step.route).plain:
            return step.run
        return replace(step.run, properties=lineage.written_anew(step.run, there) if there else {})

    def _moves(self, step: Step) -> bool:
        """True where the target's run has to be told how it ended, or that it began."""
        there = self.known.get(step.source)
        if there is None:
            return False
        may_move = there.status not in TERMINAL or self.profile.by(step.route).plain
        return step.run.status != there.status or (may_move and _is_later(step.run, there))

    async def _tell(self, steps: Sequence[Step], endings: Mapping[RunId, _Ending]) -> Sequence[Step]:
        ended = {step.source: ending for step in steps if (ending := endings[step.source].tell) is not None}
        for route in WriteRoute:
            telling = [step for step in steps if step.source in ended and step.route is route]
            if telling:
                runs = [ended[step.source] for step in telling]
                finish = writer_of(self.target, route).finish(telling[0].run.experiment, runs)
                steps = await self._without_lacking(steps, telling, finish)
        return await self._visible(steps, ended)

    async def _visible(self, steps: Sequence[Step], ended: Collection[RunId]) -> Sequence[Step]:
        """The steps whose end can be read, after a wait where ends show late; others are left to the next call."""
        late = [one.run for one in steps if one.source in ended and self.profile.by(one.route).ends_late]
        missing = set(await self.target.without_end(late)) if late else set()
        for step in steps:
            if step.run.id in missing:
                self.fail(step.source, "its end was sent and does not show yet", None)
        return [step for step in steps if step.run.id not in missing]

    async def _hide(self, steps: Sequence[Step], endings: Mapping[RunId, _Ending], *, hidden: bool) -> Sequence[Step]:
        turning = [step for step in steps if endings[step.source].hidden is hidden]
        marked = [step for step in turning if endings[step.source].marked]
        for some, turn in (([one for one in turning if one not in marked], self._turn), (marked, self._bring_back)):
            if some:
                ids = [step.run.id for step in some]
                steps = await self._without_lacking(steps, some, turn(some[0].run.experiment, ids, hidden))
        return steps

    def _turn(self, experiment: str, ids: Sequence[RunId], hidden: bool) -> Awaitable[Mapping[RunId, Outcome]]:
        return self.target.hide_runs(experiment, ids, hidden=hidden)

    def _bring_back(self, experiment: str, ids: Sequence[RunId], hidden: bool) -> Awaitable[Mapping[RunId, Outcome]]:
        return bring_back(self.target, experiment, ids, hidden=hidden)

    async def _without_lacking(
        self, steps: Sequence[Step], asked: Sequence[Step], request: Awaitable[Mapping[RunId, Outcome]]
    ) -> Sequence[Step]:
        arrived = {step.source for step in await self._arrived(request, asked)}
        lacking = {step.source for step in asked} - arrived
        return [step for step in steps if step.source not in lacking]

    # Receipts

    def _mark(self, item: RunItem, steps: Sequence[Step], state: State) -> None:
        """Mark an item of runs; one that kept a value of the target gets a digest that equals no later call's."""
        of = digests.of_run if item is RunItem.CREATE else digests.of_ending
        made = {step.source: of(step.run) for step in steps}
        again = {*self.kept, *self.accepted}
        kept_now = {run: digests.of_kept(digest) for run, digest in made.items() if run in again}
        self.ledger.mark_runs(item, {**made, **kept_now}, state)

    def _lend(self, steps: Sequence[Step], state: State) -> None:
        lent = {step.source: digests.of_lender(step.run.lender) for step in steps if step.run.lender}
        if lent:
            self.ledger.mark_runs(RunItem.CONTAINER, lent, state)

    def _remember(self, steps: Sequence[Step], stay: Mapping[RunId, frozenset[str]], *, state: bool) -> None:
        values = {}
        for step in steps:
            before = self.ledger.sent(step.source)
            values[step.source] = sent_now(step.run, before, stay.get(step.source, frozenset()), state=state)
            if not state and (step.source in self.created or step.source not in self.known):
                values[step.source] |= of_creation(step.run)
            if not state:
                values[step.source] |= _named_once(step.run, self.known.get(step.source))
            if state:  # points went before
                values[step.source] |= _rows_by_name(step)
        self.ledger.put_sent(values)

    def _of_id(self, step: Step, refused: Refused) -> bool:
        return step.source in self.deleted and step.source not in self.known and refused.remedy is None

    async def _arrived(self, request: Awaitable[Mapping[RunId, Outcome]], steps: Sequence[Step]) -> list[Step]:
        """The steps whose runs a bulk request brought; each other run fails by itself, or is among those refused."""
        try:
            outcomes = await request
        except ServiceError as error:
            outcomes = dict.fromkeys((step.run.id for step in steps), error)
        for step in steps:
            outcome = outcomes.get(step.run.id)
            if isinstance(outcome, Refused) and (outcome.of_item or self._of_id(step, outcome)):
                self.refused[step.source] = outcome
            elif outcome is not None:
                reason = outcome.reason if isinstance(outcome, Refused) else str(outcome)
                self.fail(step.source, reason, outcome.remedy)
        arrived = [step for step in steps if outcomes.get(step.run.id) is None]
        self.touched |= {step.source for step in arrived}
        return arrived


def _is_later(run: Run, there: Run) -> bool:
    """True where events would change a run whose status is the same on both sides."""
    news = (run.start and run.start != there.start, run.end and run.end != there.end, run.error and not there.error)
    return any(news)


def of_creation(run: Run) -> dict[str, str | None]:
    """What is sent once, when a run is made, and that nobody can edit."""
    once: dict[str, str | None] = {PARENT: run.parent or ""}
    if run.start:
        once[CREATED] = str(run.start)
    return {**once, RUN_TYPE: run.kind} if run.form is RunForm.KEPT else once


def _named_once(run: Run, there: Run | None) -> dict[str, str | None]:
    """Properties that name another run, of those that the target's run did not have before this was sent."""
    keys = (one.key for one in run.references if one.kind == "property" and one.key in run.properties)
    return {PROPERTY + key: run.properties[key] for key in keys if there is None or key not in there.properties}


def _rows_by_name(step: Step) -> dict[str, int]:
    """`metric NAME` -> the number of rows that were sent under the name."""
    rows: Counter[str] = Counter()
    for series, count in step.series:
        rows[f"metric {series.key.name}"] += count
    return dict(rows)
