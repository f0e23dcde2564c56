"""Reads a workspace's lists and compares them with each other: what one leaves out is asked for.

Which lists are complete is an assumption (docs/concepts/assumptions.md); none of them is believed alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice

from azureml_replay.archive.archive import Archive
from azureml_replay.errors import Rejected
from azureml_replay.model import Experiment, Omission, RunId
from azureml_replay.progress import Progress
from azureml_replay.selection import is_type
from azureml_replay.workers import for_each, read_ahead, together
from azureml_replay.workspace.limits import LISTED_AT_ONCE
from azureml_replay.workspace.source import Source

PARENT_TYPES = ("pipeline", "sweep", "automl")
"""Types of runs that have children, unless they failed before they made any."""

STAYS_UNDER = "its runs stay under the name that it had, here and where they were sent"


@dataclass(frozen=True, slots=True)
class RunLists:
    """Fills the archive's listing. All methods are repeatable."""

    source: Source
    archive: Archive
    progress: Progress

    async def all(self, width: int) -> None:
        """List every experiment, run and ARM job, and compare the lists."""
        at_once = min(width, LISTED_AT_ONCE)
        await together(partial(for_each, self._experiments(), self._list_experiment, at_once), self._list_jobs)
        asked = set[RunId]()
        while missing := list(islice((job for job in self.archive.jobs_missing_runs() if job not in asked), width)):
            asked.update(missing)
            await for_each(missing, self._list_from_job, width)
            await self.unlisted_experiments()
        self.archive.arrange()
        await self._list_missing(width)

    async def _list_jobs(self) -> None:
        async with read_ahead(self.source.jobs(), 1) as pages:  # each names the next one, which comes meanwhile
            async for jobs in pages:
                self.archive.put_jobs(jobs)

    async def _experiments(self) -> AsyncIterator[Experiment]:
        before = self._known()
        self.archive.forget_noted(STAYS_UNDER)
        async for page in self.source.experiments():
            self._say_renamed(before, page)
            self.archive.put_experiments(page)
            self.progress.expect("experiments", len(page))
            for experiment in page:
                yield experiment

    def _known(self) -> Mapping[str, list[str]]:
        """Id -> names under which an experiment was listed."""
        found: dict[str, list[str]] = {}
        for one in self.archive.experiments():
            if one.id is not None:
                found.setdefault(one.id, []).append(one.name)
        return found

    def _say_renamed(self, before: Mapping[str, list[str]], page: Sequence[Experiment]) -> None:
        """Runs that are here keep the name that they were listed under, which decides where a target has them."""
        for one in page:
            name = self.archive.clean_name(one.name)
            others = {old for old in before.get(one.id or "", ()) if old != name}
            for old in sorted(others and others & {row.experiment for row in self.archive.listing()}):
                self.progress.say(f"experiment {old} is called {name} at the source now: {STAYS_UNDER}")
                what = f"experiment {old}: its name at the source, {name}"
                self.archive.put_omissions([Omission(RunId(""), what, STAYS_UNDER)])

    async def _list_missing(self, width: int) -> None:
        """List runs that the lists left out: parents that runs name, and children of those that should have some.

        Where one was left out no list is believed any more: every run is asked for its children.
        """
        _, listed = self.archive.size()
        await self._list_parents(width)
        expecting = dict.fromkeys(
            run for run, kind in self.archive.childless() if any(is_type(kind, parent) for parent in PARENT_TYPES)
        )
        await for_each(expecting, self._list_below, width)
        if self.archive.size()[1] > listed:
            others = [row.id for row in self.archive.listing() if row.id not in expecting]
            await for_each(others, self._list_below, width)
            await self.unlisted_experiments()
            self.archive.arrange()

    async def _list_parents(self, width: int) -> None:
        asked = set[RunId]()
        while missing := [run for run in self.archive.parents_missing() if run not in asked]:
            asked.update(missing)
            await for_each(missing, self._list_parent, width)

    async def _list_parent(self, name: RunId) -> None:
        """List one, which the source may have no more."""
        with suppress(Rejected):  # an id that it does not take is none of a run that it has
            run = await self.source.run(name)
            self.archive.put_listed([run] if run is not None else [])

    async def unlisted_experiments(self) -> None:
        """List experiments, with their runs, that runs name and the service's list left out (archived ones may be)."""
        for name in list(self.archive.experiments_missing()):
            experiment = await self.source.experiment(name)
            if experiment is None:
                reason = "runs name it, the workspace has none of that name"
                self.archive.put_omissions([Omission(RunId(""), f"experiment {name}", reason)])
                continue
            self.archive.put_experiments([experiment])
            self.progress.expect("experiments", 1)
            await self._list_experiment(experiment)

    async def _list_experiment(self, experiment: Experiment) -> None:
        async for page in self.source.runs(experiment):
            self.archive.put_listed(page)
            self.progress.done("runs listed", len(page))
        self.progress.done("experiments")

    async def _list_from_job(self, name: RunId) -> None:
        """List the run of a job that ARM lists and no experiment does, and all runs below it, one by one."""
        run = await self.source.run(name)
        if run is None:
            self.archive.put_omissions([Omission(name, "run", "the job list has it, run history does not know it")])
            return
        self.archive.put_listed([run])
        await self._list_below(run.id)

    async def _list_below(self, parent: RunId) -> None:
        ahead, seen = [parent], {parent}
        while ahead:
            below = list[RunId]()
            async for page in self.source.children(ahead.pop()):
                self.archive.put_listed(page)
                below += [child.id for child in page if child.id not in seen]
            seen.update(below)
            ahead += reversed(below)
