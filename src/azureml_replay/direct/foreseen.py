"""What a replay will send, counted by what it will itself go by: the plan, the receipts, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.chunk_reader import OpenChunks
from azureml_replay.archive.items import ChunkItem, FileItem, RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.three_way import Prefer
from azureml_replay.direct.due import Due, DueRows, Receipts, is_created, is_finished
from azureml_replay.direct.experiments import due_experiments, left_of_experiments
from azureml_replay.model import RunId
from azureml_replay.planning.experiments import planned_experiments
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.fit import ASSETS_FILE
from azureml_replay.planning.left import Left
from azureml_replay.planning.parts import weight_of
from azureml_replay.planning.plan import Step, plan, planned_units, without_lender
from azureml_replay.planning.summary import PlanSummary, summarize
from azureml_replay.progress import Progress
from azureml_replay.selection import Selection
from azureml_replay.workspace.profile import TargetProfile


@dataclass(slots=True)
class DueUnits:
    """The units of which something is left to send."""

    weights: dict[RunId, float] = field(default_factory=dict)
    """In the order of the plan -> how much work they are."""
    links: list[tuple[RunId, RunId]] = field(default_factory=list)
    """Pairs of units, one of which shows files of the other's."""
    experiments: set[str] = field(default_factory=set)
    new_in: set[str] = field(default_factory=set)
    """Those that are to get runs of which nothing was sent."""
    returning: set[RunId] = field(default_factory=set)
    """Runs that are sent with the rest, and may be once more when the assets that they name are there."""

    def add(self, step: Step, archive: Archive) -> None:
        """One of their steps."""
        self.weights[step.unit] = self.weights.get(step.unit, 0.0) + weight_of(1, step.points, step.bytes)
        self.experiments.add(step.run.experiment)
        owner = step.lender and archive.unit_of(step.lender.source)
        if owner and owner != step.unit:
            self.links.append((step.unit, owner))


Told = Callable[[PlanSummary], None]
"""Hears what is going to be sent."""
TOLD_EVERY = 100
"""Runs between two tellings of progress."""


def foreseen(
    archive: Archive,
    ledger: TargetLedger | None,
    selection: Selection,
    files: FileChoice,
    profile: TargetProfile,
    *,
    prefer: Prefer,
    progress: Progress,
    naming: Collection[RunId] = (),
    due: DueUnits | None = None,
) -> PlanSummary:
    """The figures of a plan, and, with the ledger of a target, of what is left to send. Asks nobody, writes nothing.

    `naming`: runs that get a file once the assets that they name are there. `due` hears which units have something
    left.
    """
    progress.expect("runs planned", archive.totals().extracted if selection.everything else 0)
    steps = plan(archive, selection, files, profile)
    telling = frozenset(naming) if profile.files else frozenset[RunId]()
    counting = None if ledger is None else _Counting.of(archive, ledger, selection, prefer, naming=telling, units=due)
    planned = _told(_telling(steps if counting is None else counting.seen(steps), telling), progress)
    omissions = chain(archive.omissions(), left_of_experiments(archive, selection, profile))
    summary = summarize(planned, omissions, archive.unknown())
    going = (one.name for one in planned_experiments(archive, selection, profile=profile))
    summary.empty_experiments = sum(name not in summary.experiments for name in going)
    summary.write_route = profile.route
    if counting is not None and ledger is not None:
        kept = prefer is Prefer.SOURCE
        counting.left.experiments = sum(1 for _ in due_experiments(archive, ledger, selection, profile, kept=kept))
        summary.left = counting.left
    return summary


def expect(left: Left | None, progress: Progress) -> None:
    """Tell what is to be sent, by the words with which it is then counted."""
    if left is None or not left.unmarked:
        return
    progress.expect("runs begun", left.unmarked)
    counts = {"points sent": left.points, "files sent": left.files + left.own_files, "bytes sent": left.bytes}
    for what, count in counts.items():
        if count:
            progress.expect(what, count)
    for what in ("runs filled", "runs complete"):
        progress.expect(what, left.unmarked)


def _telling(steps: Iterator[Step], naming: Collection[RunId]) -> Iterator[Step]:
    """The steps with the file that some get once the assets that they name are there."""
    for step in steps:
        yield replace(step, own_files=(*step.own_files, ASSETS_FILE)) if _is_to_tell(step, naming) else step


def _is_to_tell(step: Step, naming: Collection[RunId]) -> bool:
    path = step.path_of(ASSETS_FILE)
    return step.source in naming and ASSETS_FILE not in step.own_files and path not in step.refused_files


def _told(steps: Iterator[Step], progress: Progress) -> Iterator[Step]:
    at = 0
    for at, step in enumerate(steps, 1):
        yield step
        if at % TOLD_EVERY == 0:
            progress.done("runs planned", TOLD_EVERY)
    progress.done("runs planned", at % TOLD_EVERY)


@dataclass(slots=True)
class _Counting:
    archive: Archive
    due: Due
    chosen: frozenset[RunId] | None
    """Roots of the chosen units; None: all."""
    prefer: Prefer
    naming: frozenset[RunId]
    units: DueUnits
    left: Left = field(default_factory=Left)

    @classmethod
    def of(
        cls,
        archive: Archive,
        ledger: TargetLedger,
        selection: Selection,
        prefer: Prefer,
        *,
        naming: frozenset[RunId],
        units: DueUnits | None,
    ) -> _Counting:
        chosen = None if selection.everything else frozenset(planned_units(archive, selection))
        return cls(archive, Due(archive, ledger), chosen, prefer, naming, units or DueUnits())

    def seen(self, steps: Iterator[Step]) -> Iterator[Step]:
        """The steps as they will be sent, each counted."""
        for planned in steps:
            step = self._as_sent(planned)
            self._add(step)
            yield step

    def _as_sent(self, step: Step) -> Step:
        """Without a lender that is not in the target and that this replay does not bring."""
        lender = step.lender
        if lender is None or self.due.is_there(lender.source) or self._comes(lender.source):
            return step
        return without_lender(step)

    def _comes(self, run: RunId) -> bool:
        receipt = self.due.ledger.receipt(run, RunItem.CREATE)
        refused = receipt is not None and receipt.state is State.REFUSED
        return not refused and (self.chosen is None or self.archive.unit_of(run) in self.chosen)

    def _add(self, step: Step) -> None:
        left = self.left
        if step.waits_for:
            left.waiting += 1
            left.unmarked += 1
            self.units.add(step, self.archive)
            return
        if self.due.is_whole(step):
            receipt = self.due.ledger.receipt(step.source, RunItem.CREATE)
            if receipt is not None and receipt.state is State.REFUSED:
                left.refused += 1
            elif self._add_late(step):
                left.changed += 1
                left.runs += 1
            else:
                left.there += 1
            return
        left.unmarked += 1
        self.units.add(step, self.archive)
        self._add_late(step)
        if step.source in self.naming:
            self.units.returning.add(step.source)
        if self.prefer is not Prefer.SOURCE and self.due.is_kept(step):
            left.edited += 1
            return
        receipts = self.due.ledger.receipts(step.source)
        rows = self.due.rows(step, receipts)
        created = receipts.get(RunItem.CREATE)
        if created is None or created.state is not State.SENT:
            left.new += 1
            self.units.new_in.add(step.run.experiment)
            if _of_contents(receipts):
                self._add_rest(step, receipts, rows)
            else:
                self._add_all(step)
        else:
            self._add_known(step, receipts, rows)
        left.unsettled += any(one.state is State.SENDING for one in receipts.values())
        left.runs = left.new + left.begun + left.changed + left.hidden

    def _add_late(self, step: Step) -> bool:
        """The file that it gets once the assets that it names are there; False where it has it, or gets none."""
        if not _is_to_tell(step, self.naming):
            return False
        receipt = self.due.ledger.receipt(step.source, FileItem(step.path_of(ASSETS_FILE)))
        lacks = receipt is None or receipt.state is not State.SENT
        self.left.own_files += lacks
        return lacks

    def _add_known(self, step: Step, receipts: Receipts, rows: DueRows) -> None:
        """A run that was created."""
        left = self.left
        before = left.points + left.files + left.own_files
        self._add_rest(step, receipts, rows)
        more = left.points + left.files + left.own_files > before
        finished = receipts.get(RunItem.FINISH)
        if RunItem.UNDONE in receipts:
            left.hidden += 1
        elif finished is None or finished.state is not State.SENT:
            left.begun += 1
        elif more or not (is_created(self.due.ledger, step) and is_finished(self.due.ledger, step)):
            left.changed += 1
        else:
            left.there += 1  # all but the mark that says so

    def _add_all(self, step: Step) -> None:
        self.left.points += step.points
        self.left.files += step.files
        self.left.bytes += step.bytes
        self.left.own_files += len(step.own_files)

    def _add_rest(self, step: Step, receipts: Receipts, rows: DueRows) -> None:
        self.left.points += self._rows(step, receipts, rows)
        for _, artifact in self.due.files(step, receipts):
            self.left.files += 1
            self.left.bytes += artifact.stored.size_bytes if artifact.stored else 0
        self.left.own_files += len(self.due.made(step, receipts))

    def _rows(self, step: Step, receipts: Receipts, rows: DueRows) -> int:
        """Rows that are due, less those that went with chunks that have grown since: only more can come of a metric."""
        if step.overflow_series:
            chunks = OpenChunks(self.archive, step.contents, rows.sent.due, step.unsent, step.rows.there)
            return sum(chunks.left.values())
        due = sum(rows.payloads[seq].rows or 0 for seq in rows.sent.due)
        return max(0, due - _rows_grown(receipts, rows)) if rows.sent.strange else due


def _rows_grown(receipts: Receipts, rows: DueRows) -> int:
    """Rows that went and that are in none of the chunks as they are now: they are in larger ones."""
    now = Counter(one.digest for one in rows.payloads.values())
    grown = 0
    for item, one in receipts.items():
        if not isinstance(item, ChunkItem) or one.state is not State.SENT or one.digest is None:
            continue
        if now[one.digest]:
            now[one.digest] -= 1
        else:
            grown += one.rows or 0
    return grown


def _of_contents(receipts: Receipts) -> bool:
    return any(isinstance(item, ChunkItem | FileItem) for item in receipts)
