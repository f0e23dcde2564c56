"""Run history: experiments and runs, read and written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from azureml_replay.azure.services.arm import Arm
from azureml_replay.azure.services.halves import in_halves, outcome_of
from azureml_replay.azure.services.pages import pages
from azureml_replay.azure.wire import decode, encode
from azureml_replay.errors import NotFound, Rejected, ServiceError, Unavailable
from azureml_replay.instants import Instant
from azureml_replay.model import TERMINAL, Experiment, Json, Run, RunDetails, RunId
from azureml_replay.sending.sender import NOT_SPOKEN, Answer, Sender, Service
from azureml_replay.workers import map_bounded
from azureml_replay.workspace.reader import Document
from azureml_replay.workspace.target import NO_TAGS, Outcome, Refused, TagsOfRuns

RUNS_AT_ONCE = 16
"""Requests at once where the service has no `batchrundata` and runs are asked for one by one."""


class RunHistory:
    """Reads and writes one workspace's run history."""

    def __init__(self, sender: Sender, api: str, arm: Arm, arm_id: str, scope: str) -> None:
        """`api` is the data plane's host, `arm_id` the workspace's resource id, `scope` what tokens are for."""
        self._sender = sender
        self._base = f"{api}/history/v1.0{quote(arm_id)}"
        self._arm = arm
        self._service = Service("history", scope)
        self._names: dict[str, str] = {}

    async def experiments(self) -> AsyncIterator[Sequence[Experiment]]:
        """All experiments, by pages: also archived ones, and names that are not URL-safe, hidden by default."""

        async def ask(before: decode.Page | None) -> decode.Page:
            body = encode.experiment_query(before.token if before else None)
            return decode.page(await self._post("/experiments:query?urlSafeExperimentNamesOnly=false", body))

        try:
            async for page in pages(ask):
                yield self._remembered([decode.experiment(item) for item in page.items])
        except ServiceError as error:
            if error.status not in NOT_SPOKEN:
                raise
            yield [await self._experiment_named(name) for name in await self._names_of_jobs()]

    async def experiment(self, name: str) -> Experiment | None:
        """The experiment of a name, None where there is none."""
        try:
            return await self._experiment_named(name)
        except NotFound:
            return None

    async def runs(self, experiment: Experiment, size: int = encode.RUNS_PER_PAGE) -> AsyncIterator[Sequence[Run]]:
        """All runs of an experiment, by pages; of a service without a query: ARM's jobs, and `children` below them.

        The query stands in the interface file alone: no client is known to send it.
        """

        async def ask(before: decode.Page | None) -> decode.Page:
            body = encode.run_query(before.token if before else None, size)
            return decode.page(await self._post(f"/experimentids/{quote(experiment.id, safe='')}/runs:query", body))

        try:
            async for page in pages(ask):
                yield [decode.run(item, experiment.name) for item in page.items]
        except ServiceError as error:
            if error.status not in NOT_SPOKEN:
                raise
            async for found in self._tree(experiment):
                yield found

    async def run(self, run: RunId) -> Run | None:
        """One run, None where there is none."""
        try:
            document = await self._get(f"/runs/{quote(run, safe='')}")
        except NotFound:
            return None
        return decode.run(document, await self._name(document))

    async def parameters(self, run: RunId) -> Mapping[str, Json] | None:
        """Of one run; None where there is none of that id."""
        try:
            return decode.run(await self._get(f"/runs/{quote(run, safe='')}"), "").parameters
        except NotFound:
            return None

    async def add_parameters(
        self, experiment: str, run: RunId, parameters: Mapping[str, Json], *, hidden: bool
    ) -> Outcome:
        """To a run that is there, archived or shown from then on. Repeatable; refused where one has another value."""
        body = encode.add_parameters(run, parameters, hidden=hidden)
        return (await in_halves([Run(id=run)], lambda some: self._patch(experiment, body, some)))[run]

    def clock(self) -> Instant:
        """What the service's own clock said last."""
        return Instant.of(self._sender.time_of(self._service))

    async def children(self, run: RunId) -> AsyncIterator[Sequence[Run]]:
        """Direct children, by pages."""

        async def ask(before: decode.Page | None) -> decode.Page:
            if before is not None and not before.token and before.link:
                return decode.page(await self._get_link(before.link))
            token = f"?$continuationtoken={quote(before.token, safe='')}" if before and before.token else ""
            return decode.page(await self._get(f"/runs/{quote(run, safe='')}/children{token}"))

        async for page in pages(ask):
            yield [decode.run(item, await self._name(item)) for item in page.items]

    async def details(self, runs: Sequence[RunId]) -> Mapping[RunId, RunDetails]:
        """Run -> what only `rundata` has; runs that are gone are left out."""
        found = await self._rundata(runs)
        return {run: decode.rundata(item, await self._name(decode.run_of_rundata(item))) for run, item in found.items()}

    async def put_experiment(self, experiment: Experiment) -> None:
        """Create an experiment or bring it up to date. Repeatable."""
        there = await self.experiment_made(experiment.name)
        if _settable(there) != _settable(experiment):
            url = f"{self._base}/experimentids/{quote(there.id, safe='')}"
            await self._sender.send(
                self._service, "PATCH", url, json=encode.modify_experiment(experiment), repeatable=True
            )

    async def put_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Create runs or bring them up to date, as running ones. Repeatable."""
        outcomes = dict(await in_halves(runs, lambda some: self._patch(experiment, encode.create_runs(some), some)))
        # A run that has ended there already takes the other fields, but no state.
        over = await self._ended(runs, outcomes)
        outcomes.update(await in_halves(over, lambda some: self._patch(experiment, encode.update_runs(some), some)))
        return outcomes

    async def update_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Write everything that existing runs carry but their state. Repeatable."""
        return await in_halves(runs, lambda some: self._patch(experiment, encode.update_runs(some), some))

    async def hide_runs(
        self, experiment: str, runs: Sequence[RunId], *, hidden: bool, tags: TagsOfRuns = NO_TAGS
    ) -> Mapping[RunId, Outcome]:
        """Archive or restore runs in bulk, as azure-ai-ml's `jobs.archive` and `restore` do. Repeatable."""

        async def patch(some: Sequence[Run]) -> Mapping[RunId, Outcome]:
            body = encode.hide_runs([run.id for run in some], hidden=hidden, tags=tags)
            return await self._patch(experiment, body, some)

        return await in_halves([Run(id=run) for run in runs], patch)

    async def remove_tags(self, experiment: str, run: RunId, tags: Sequence[str]) -> None:
        """Remove tags of one run: a PATCH merges tags, and only this route deletes them. Repeatable."""
        url = f"{self._base}/experiments/{quote(experiment, safe='')}/runs/{quote(run, safe='')}/tags"
        await self._sender.send(self._service, "PATCH", url, json=encode.remove_tags(tags), repeatable=True)

    async def finish_runs(self, experiment: str, runs: Sequence[Run], now: Instant) -> Mapping[RunId, Outcome]:
        """Write start, error and end by events, then what no event can say. Repeatable."""

        async def tell(some: Sequence[Run]) -> Mapping[RunId, Outcome]:
            return await self._tell(experiment, encode.finish_events(some, now), some)

        outcomes = await self.or_ended(runs, await in_halves(runs, tell))
        return await self.finish_states(experiment, runs, outcomes)

    async def tell_errors(self, experiment: str, runs: Sequence[Run], now: Instant) -> Mapping[RunId, Outcome]:
        """Write the errors of runs by events, and nothing else. Repeatable."""

        async def tell(some: Sequence[Run]) -> Mapping[RunId, Outcome]:
            return await self._tell(experiment, encode.error_events(some, now), some)

        return await self.or_ended(runs, await in_halves(runs, tell))

    async def finish_states(
        self, experiment: str, runs: Sequence[Run], outcomes: Mapping[RunId, Outcome]
    ) -> Mapping[RunId, Outcome]:
        """Write what no end can say, of those runs whose outcome is good so far. Repeatable."""
        left = [run for run in runs if outcomes[run.id] is None and encode.beyond_events(run)]
        patched = await in_halves(left, lambda some: self._patch(experiment, encode.finish_states(some), some))
        return {**outcomes, **patched}

    async def answers_in_bulk(self, runs: Sequence[RunId]) -> bool:
        """False where the service has no `batchrundata`."""
        try:
            await self._post("/batchrundata", encode.batch_rundata(runs))
        except Rejected as error:
            if error.status not in NOT_SPOKEN:
                raise
            return False
        return True

    async def without_end(self, runs: Sequence[Run]) -> Sequence[RunId]:
        """The runs that do not show the status that they were given."""
        found = await self._rundata([run.id for run in runs])
        there = {run: decode.run(decode.run_of_rundata(item), "").status for run, item in found.items()}
        return [run.id for run in runs if there.get(run.id) != run.status]

    async def or_ended(self, runs: Sequence[Run], outcomes: Mapping[RunId, Outcome]) -> Mapping[RunId, Outcome]:
        """The outcomes, good for refused runs that had ended as they should before."""
        return {**outcomes, **{run.id: None for run in await self._ended(runs, outcomes)}}

    async def _ended(self, runs: Sequence[Run], outcomes: Mapping[RunId, Outcome]) -> Sequence[Run]:
        """The refused runs that have ended there as they should: the service changes their state no more."""
        refused = [run for run in runs if run.status in TERMINAL and isinstance(outcomes[run.id], Refused)]
        found = await self._rundata([run.id for run in refused]) if refused else {}
        there = {run: decode.run(decode.run_of_rundata(item), "") for run, item in found.items()}
        return [run for run in refused if run.id in there and _has_ended(run, there[run.id])]

    async def ingesting(self, experiment: str, run: RunId, told: str = "") -> str | None:
        """Empty where all metrics that were sent can be read; None where the service cannot say.

        Else where to ask again, by `told`: the `Location` of a 202, as azureml-core polls it.
        """
        first = f"{self._base}/experiments/{quote(experiment, safe='')}/runs/{quote(run, safe='')}/metricsingest/wait"
        try:
            answer = await self._sender.send(self._service, "GET", told or first, repeatable=True)
        except Rejected as error:
            if error.status in NOT_SPOKEN:
                return None
            raise
        if answer.status != 202:
            return ""
        later = urljoin(told or first, answer.headers.get("Location", ""))
        return later if self._is_ours(later) else first

    async def _tell(self, experiment: str, body: encode.Body, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        if not body["events"]:
            return {run.id: None for run in runs}
        path = f"/experiments/{quote(experiment, safe='')}/batch/events"
        errors = decode.event_errors(await self._post(path, body))
        return {run.id: outcome_of(errors[run.id]) if run.id in errors else None for run in runs}

    async def _patch(self, experiment: str, body: encode.Body, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        url = f"{self._base}/experiments/{quote(experiment, safe='')}/batch/runs"
        answer = await self._sender.send(self._service, "PATCH", url, json=body, repeatable=True)
        written, errors = decode.batch_runs(answer.json())
        return {run.id: _written(run.id, written, errors, answer) for run in runs}

    async def _rundata(self, runs: Sequence[RunId]) -> Mapping[RunId, Document]:
        try:
            found, failed = decode.batch_results(await self._post("/batchrundata", encode.batch_rundata(runs)))
        except Rejected as error:
            if error.status not in NOT_SPOKEN:
                raise
            return await self._rundata_singly(runs)
        for run, problem in failed.items():
            if not problem.absent:
                raise Unavailable(f"run {run} cannot be read: {problem.message}", code=problem.code)
        return {RunId(run): item for run, item in found.items()}

    async def _rundata_singly(self, runs: Sequence[RunId]) -> Mapping[RunId, Document]:
        found = await map_bounded(runs, self._rundata_of, RUNS_AT_ONCE)
        return {run: item for run, item in zip(runs, found, strict=True) if item is not None}

    async def _rundata_of(self, run: RunId) -> Document | None:
        """The `rundata` of one run, None where it is gone; from `details` where the service has no `rundata`."""
        try:
            answer: Document = await self._post("/rundata", encode.rundata(run))
        except Rejected as error:
            if decode.Problem(error.code, "").absent:
                return None
            if error.status not in NOT_SPOKEN:
                raise
            return await self._details_of(run)
        return answer

    async def _details_of(self, run: RunId) -> Document | None:
        """The run with the inputs, outputs and definition that only `details` adds (responses.md 4.3)."""
        try:
            document = await self._get(f"/runs/{quote(run, safe='')}")
            details = await self._get(f"/runs/{quote(run, safe='')}/details")
        except NotFound as error:
            if not decode.Problem(error.code, "").absent:
                raise
            return None
        return decode.rundata_of_details(document, details)

    async def _tree(self, experiment: Experiment) -> AsyncIterator[Sequence[Run]]:
        async for jobs in self._arm.jobs():
            names = [job.name for job in jobs if decode.job_experiment(job) == experiment.name]
            level = [run for name in names if (run := await self.run(name))]
            while level:
                yield level
                level = [child for run in level async for some in self.children(run.id) for child in some]

    async def _names_of_jobs(self) -> Sequence[str]:
        names = {decode.job_experiment(job) async for jobs in self._arm.jobs() for job in jobs}
        return sorted(name for name in names if name)

    async def experiment_made(self, name: str) -> Experiment:
        """The experiment of a name, made where there was none. Repeatable."""
        try:
            return await self._experiment_named(name)
        except NotFound:
            pass
        try:
            return await self._experiment_named(name, "POST")
        except Rejected as error:
            if error.status != 409:
                raise
            return await self._experiment_named(name)  # somebody else made it meanwhile

    async def _experiment_named(self, name: str, method: str = "GET") -> Experiment:
        url = f"{self._base}/experiments/{quote(name, safe='')}"
        answer = await self._sender.send(self._service, method, url, repeatable=True)
        return self._remembered([decode.experiment(answer.json())])[0]

    def _remembered(self, experiments: Sequence[Experiment]) -> Sequence[Experiment]:
        self._names.update((experiment.id, experiment.name) for experiment in experiments)
        return experiments

    async def _name(self, run: Document) -> str:
        found = decode.experiment_id(run)
        if found and found not in self._names:
            self._remembered([decode.experiment(await self._get(f"/experimentids/{quote(found, safe='')}"))])
        return self._names.get(found, "")

    async def _get(self, path: str) -> Any:  # noqa: ANN401 decode.py gives it a type
        return (await self._sender.send(self._service, "GET", self._base + path, repeatable=True)).json()

    async def _get_link(self, link: str) -> Any:  # noqa: ANN401 decode.py gives it a type
        if not self._is_ours(link):
            raise Rejected(f"a list goes on at another host: {urlsplit(link).netloc}")
        return (await self._sender.send(self._service, "GET", link, repeatable=True)).json()

    def _is_ours(self, link: str) -> bool:
        """Our token goes to no other host."""
        return urlsplit(link)[:2] == urlsplit(self._base)[:2]

    async def _post(self, path: str, body: encode.Body) -> Any:  # noqa: ANN401 decode.py gives it a type
        answer = await self._sender.send(self._service, "POST", self._base + path, json=body, repeatable=True)
        return answer.json()


def _settable(experiment: Experiment) -> tuple[object, ...]:
    return experiment.description, dict(experiment.tags), experiment.archived is not None


def _has_ended(wanted: Run, there: Run) -> bool:
    return there.status == wanted.status and (wanted.error is None or there.error is not None)


def _written(
    run: RunId, written: Mapping[str, object], errors: Mapping[str, decode.Problem], answer: Answer
) -> Outcome:
    if run in errors:
        return outcome_of(errors[run])
    lost = Unavailable(
        "the answer does not mention the run", method=answer.method, url=answer.url, status=answer.status
    )
    return None if run in written else lost
