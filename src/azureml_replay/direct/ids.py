"""Finds out which ids of the target are taken, and gives new ones to units of which one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.reading import RUNS_TOGETHER
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.direct.anew import rename
from azureml_replay.direct.runs import RunSender
from azureml_replay.model import RunId
from azureml_replay.planning import lineage
from azureml_replay.planning.plan import Step
from azureml_replay.progress import Progress
from azureml_replay.workers import for_each
from azureml_replay.workspace.limits import RUNS_PER_REQUEST
from azureml_replay.workspace.target import Target


@dataclass(slots=True, kw_only=True)
class IdCheck:
    """Asks about the runs of one replay, window by window."""

    archive: Archive
    ledger: TargetLedger
    target: Target
    runs: RunSender
    """Hears which runs the target holds already."""
    again: Callable[[Step], Step]
    """Plans a step by what the ledger says now."""
    properties_kept: bool
    closes: bool
    """True where a hidden run takes nothing: then runs are asked about, too, that get rows or files alone."""
    width: int
    progress: Progress
    conflicts: dict[RunId, RunId] = field(default_factory=dict)
    """Unit -> the id among its runs that is taken."""
    absent: RunId | None = None
    """A unit that continues in the next window, none of whose ids the target held when all were asked about."""
    planned_before: int = 0
    """Number of coming steps that may have been planned before their runs, or runs they name, got new ids."""

    async def check(self, steps: Sequence[Step], last: RunId) -> None:
        """Ask which of our ids the target holds. A run that is not ours stops its unit before anything is written.

        The window's last unit may continue in the next one: all its ids are asked about now, once. Asked again in each
        of its windows, a family of 100,000 runs would take 50,000 requests.
        """
        self.runs.known.clear()
        before, self.absent = self.absent, None
        new = (step for step in steps if step.unit != before)
        asked = {step.source: step.unit for step in new if self.closes or not self.runs.is_current(step)}
        if last in asked.values():
            rest = (run.id for run in self.archive.unit(last))
            asked |= {run: last for run in rest if self.ledger.receipt(run, RunItem.CREATE) is None}
        ids = iter(asked)
        batches = iter(lambda: list(islice(ids, RUNS_PER_REQUEST)), [])
        await for_each(batches, lambda batch: self._check(batch, asked), self.width)
        held = {asked[run] for run in self.runs.known}
        if last == before or (last in asked.values() and last not in held):
            self.absent = last

    async def _check(self, batch: Sequence[RunId], units: Mapping[RunId, RunId]) -> None:
        ids = self.ledger.target_ids(batch)
        sources = {ids.get(run, run): run for run in batch}
        for there, details in (await self.target.details(list(sources))).items():
            run = sources[there]
            if lineage.is_ours(details.run, self.archive.source, run, properties_kept=self.properties_kept):
                self.runs.known[run] = details.run
            elif units[run] not in self.conflicts:
                self.conflicts[units[run]] = there
                whose = "a run that is not ours"
                if lineage.is_our_job(details.run, self.archive.source, run):
                    whose = "the job that stands for it: replay --mode synthetic goes on with that one"
                self.progress.say(f"id {there} of job {units[run]} is taken by {whose}")

    async def renamed(self, steps: Sequence[Step], last: RunId) -> list[Step]:
        """The steps under new ids where their unit had a conflict, checked once more."""
        units = list(self.conflicts)
        self.ask_again({})
        for unit in units:
            rename(self.archive, self.ledger, unit)
        there = [self.again(step) if step.unit in units else step for step in steps]
        await self.check(there, last)
        return there

    def ask_again(self, conflicts: Mapping[RunId, RunId]) -> None:
        """Forget what was asked, but these conflicts: runs have got other ids, under which nobody asked for them."""
        self.conflicts = dict(conflicts)
        self.absent = None
        self.planned_before = RUNS_TOGETHER

    def by_new_ids(self, window: Sequence[Step]) -> Sequence[Step]:
        """The window, its first steps planned anew: they were read with earlier ones, under the ids of that moment."""
        before, self.planned_before = self.planned_before, max(0, self.planned_before - len(window))
        return [*map(self.again, window[:before]), *window[before:]] if before else window
