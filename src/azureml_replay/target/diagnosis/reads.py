"""The reads of `doctor`: what can be listed and read, and whether the service's lists agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from azureml_replay.counting import counted
from azureml_replay.errors import Forbidden, NotFound
from azureml_replay.model import Experiment, Run, RunId
from azureml_replay.target.diagnosis.sheet import Outcome, Seen, Sheet
from azureml_replay.workspace.examined import Examined, JobSeen, StoreSeen
from azureml_replay.workspace.limits import RUNS_PER_REQUEST

JOBS = 200
"""Jobs of ARM that are looked at: two pages, whatever the workspace holds."""
EXPERIMENTS = 5
RUNS = 2_000
"""Runs of one experiment that are looked at: four pages. A longer list is not compared with ARM's."""
LOOKED_INTO = 20
"""Runs at most that are searched for one that has what a probe needs."""
NOTHING = Outcome.UNKNOWN


@dataclass(slots=True)
class ReadExamination:
    """Examines one side by reading only."""

    sheet: Sheet
    workspace: Examined
    experiments: dict[str, Experiment] = field(default_factory=dict)
    jobs: list[JobSeen] = field(default_factory=list)
    runs: dict[RunId, Run] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    """Experiments all of whose runs are in `runs`."""

    async def all(self) -> None:
        """Run every probe, in the order in which they build on each other."""
        check = self.sheet.check
        listed = await check("experiments", self._experiments)
        await check("jobs", self._jobs)
        if listed and await check("runs", self._runs):
            self.sheet.note("archived experiments", self._archived_experiments())
            self.sheet.note("runs and jobs", self._runs_and_jobs())
            self.sheet.note("hidden runs", self._hidden_runs())
            await check("children", self._children)
            await check("paging", self._paging)
            await check("bulk details", self._bulk_details)
            await check("metrics", self._metrics)
            await check("metric names", self._metric_names)
            await check("file index", self._file_index)
        await self._stores()

    async def _experiments(self) -> Seen:
        async for page in self.workspace.experiments():
            self.experiments.update((one.name, one) for one in page)
        archived = sum(one.archived is not None for one in self.experiments.values())
        return Seen(f"{counted(len(self.experiments), 'experiment')}, {archived} archived")

    async def _jobs(self) -> Seen:
        async for page in self.workspace.jobs_seen():
            self.jobs += page
            if len(self.jobs) >= JOBS:
                return Seen(f"the first {len(self.jobs)} jobs of the job list were looked at")
        return Seen(f"{counted(len(self.jobs), 'job')} in the job list")

    async def _runs(self) -> Seen:
        named = dict.fromkeys(job.experiment for job in self.jobs if job.experiment in self.experiments)
        for name in islice(dict.fromkeys([*named, *self.experiments]), EXPERIMENTS):
            found: dict[RunId, Run] = {}
            async for page in self.workspace.runs(self.experiments[name]):
                found.update((run.id, run) for run in page)
                if len(found) >= RUNS:
                    break
            else:
                self.whole.add(name)
            self.runs |= found
        first = counted(min(EXPERIMENTS, len(self.experiments)), "experiment")
        looked = f"{counted(len(self.runs), 'run')} in the first {first}"
        return Seen(looked) if self.runs else Seen("no run to look at", NOTHING)

    def _archived_experiments(self) -> Seen:
        unlisted = sorted({job.experiment for job in self.jobs if job.experiment} - self.experiments.keys())
        if unlisted:
            todo = "extract finds those that have a listed job; restore an archived one that holds MLflow runs alone"
            seen = (
                f"the list leaves out {counted(len(unlisted), 'experiment')} of listed jobs, {unlisted[0]} among them"
            )
            return Seen(seen, Outcome.WARNING, todo)
        if any(one.archived for one in self.experiments.values()):
            return Seen("archived ones are listed")
        return Seen("no archived experiment to look for", NOTHING)

    def _runs_and_jobs(self) -> Seen:
        wanted = [job for job in self.jobs if job.experiment in self.whole]
        return self._all_listed([job.name for job in wanted], "listed jobs")

    def _hidden_runs(self) -> Seen:
        wanted = [job for job in self.jobs if job.experiment in self.whole and job.archived]
        return self._all_listed([job.name for job in wanted], "archived jobs")

    def _all_listed(self, names: Sequence[RunId], what: str) -> Seen:
        if not names:
            return Seen(f"no {what} to look for", NOTHING)
        absent = [name for name in names if name not in self.runs]
        if not absent:
            return Seen(f"all of {len(names)} {what} are among the runs")
        seen = f"{len(absent)} of {len(names)} {what} are not among the runs, {absent[0]} is one"
        return Seen(seen, Outcome.WARNING, "nothing: extract asks for each of them on its own")

    async def _children(self) -> Seen:
        """Compare the service's `children` of a few runs with the list of runs."""
        parents = dict.fromkeys(run.parent for run in self.runs.values() if run.parent)
        candidates = dict.fromkeys([*parents, *(job.name for job in self.jobs), *self.runs])
        found = 0
        for parent in islice((one for one in candidates if one in self.runs), LOOKED_INTO):
            absent = [child.id for child in await self._below(parent) if child.id not in self.runs]
            if absent and self.runs[parent].experiment in self.whole:
                seen = (
                    f"the list leaves out {counted(len(absent), 'child', 'children')} of {parent}, {absent[0]} is one"
                )
                return Seen(seen, Outcome.WARNING, "nothing: extract asks every run for its children")
            found += len(await self._below(parent))
            if found:
                return Seen(f"all children of {parent} are among the runs")
        return Seen("no run with children to look at", NOTHING)

    async def _below(self, parent: RunId) -> list[Run]:
        return [child async for page in self.workspace.children(parent) for child in page]

    async def _paging(self) -> Seen:
        """List the first runs again, two to a page."""
        for name in sorted(self.whole):
            every = [run.id for run in self.runs.values() if run.experiment == name]
            if len(every) < 3:
                continue
            paged: list[RunId] = []
            async for page in self.workspace.small_pages(self.experiments[name], 2):
                paged += page
                if len(paged) >= min(len(every), 6):
                    return Seen("small pages lead to the same runs")
            seen = f"experiment {name} has {len(every)} runs, its small pages end after {len(paged)}"
            return Seen(seen, Outcome.WARNING, "report it: lists longer than a page may be cut")
        return Seen("no experiment with three runs to page through", NOTHING)

    async def _bulk_details(self) -> Seen:
        ids = [RunId(f"azureml-replay-nobody-{at}") for at in range(RUNS_PER_REQUEST)]
        ids[: len(self.runs)] = list(self.runs)[:RUNS_PER_REQUEST]
        if await self.workspace.answers_in_bulk(ids):
            return Seen(f"{RUNS_PER_REQUEST} runs in one request")
        return Seen("batchrundata is not spoken", Outcome.WARNING, "nothing: runs are asked for one by one, slower")

    def _logging(self) -> list[Run]:
        return list(islice((run for run in self.runs.values() if run.lender is None), LOOKED_INTO))

    async def _metrics(self) -> Seen:
        for run in self._logging():
            for series in await self.workspace.series(run.id):
                async for points in self.workspace.points(run.id, series):
                    return Seen(f"{series.key.name} of {run.id}: {counted(len(points), 'row')} and more can be read")
        return Seen("no run with metrics to look at", NOTHING)

    async def _metric_names(self) -> Seen:
        compared, metrics = 0, "nothing: scalars come by MLflow's names; that others may lack is said for every run"
        for run in self._logging():
            named = {series.key.name for series in await self.workspace.series(run.id)}
            if self.workspace.named_by_mlflow:
                return Seen("the metric service names none, MLflow does", Outcome.WARNING, metrics)
            lacking = sorted(set(await self._of_mlflow(run.id)) - named)
            if lacking:
                seen = f"MLflow shows the metric {lacking[0]} of {run.id}, the metric service does not list it"
                return Seen(seen, Outcome.WARNING, "report it: points of such metrics are not carried")
            compared += len(named)
        if not compared:
            return Seen("no run with metrics to look at", NOTHING)
        return Seen(f"{counted(compared, 'metric name')} compared: MLflow and the metric service list the same")

    async def _of_mlflow(self, run: RunId) -> Sequence[str]:
        try:
            return await self.workspace.mlflow_metrics(run)
        except NotFound:
            return ()

    async def _file_index(self) -> Seen:
        for run in self._logging():
            try:
                async for page in self.workspace.artifacts(run):
                    if page:
                        return Seen(f"{counted(len(page), 'file')} of {run.id} and more are listed")
            except NotFound:
                continue  # a run that never wrote a file is unknown to the index
        return Seen("no run with files to look at", NOTHING)

    # Storage

    async def _stores(self) -> None:
        stores: list[StoreSeen] = []

        async def listed() -> Seen:
            async for page in self.workspace.datastores():
                stores.extend(page)
            return Seen(counted(len(stores), "datastore"))

        if not await self.sheet.check("datastores", listed):
            return
        for store in stores:
            await self._store(store)
        readable = await self.sheet.check("stored files", self._stored_files)
        if readable and self.sheet.side == "source":  # a target is written to, nobody copies from it
            await self.sheet.check("signing", self._signing)

    async def _store(self, store: StoreSeen) -> None:
        if not store.holds_blobs:
            seen = f"{store.name} is {store.kind}: it holds no blobs"
            self.sheet.note("datastores", Seen(seen, Outcome.WARNING, "a run's files that lie there are omissions"))
            return

        async def opened() -> Seen:
            await self.workspace.first_blob(store.name)
            return Seen(f"{store.name} ({store.kind}) can be read")

        self.sheet.note("storage keys", await self._key(store))
        await self.sheet.check("datastores", opened, store)

    async def _key(self, store: StoreSeen) -> Seen:
        try:
            by = await self.workspace.opened_by(store.name)
        except Forbidden as error:
            refused = self.sheet.forbidden(error, Outcome.WARNING, store)
            return replace(refused, text=f"{refused.text}; this login opens it instead")
        if by == "this login" and store.credential not in ("None", ""):
            seen = f"{store.name}: the account takes no keys; this login opens it instead"
            return Seen(seen, Outcome.OK)
        return Seen(f"{store.name}: opened by {by}")

    async def _stored_files(self) -> Seen:
        async for page in self.workspace.stored_of_all():
            return Seen(f"{counted(len(page), 'file')} of runs and more are listed" if page else "no files of runs yet")
        return Seen("no files of runs yet")

    async def _signing(self) -> Seen:
        async for page in self.workspace.stored_of_all():
            for file in page:
                await self.workspace.readable_url(file.location)
                return Seen("a file can be signed for another account")
        return Seen("no file to sign", NOTHING)
