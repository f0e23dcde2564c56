"""Runs a sweep: trials of one command are child runs `{sweep}_{n}`; tags and properties are as recorded.

Assumptions: the best trial is named by the property `best_child_run_id`, which azure-ai-ml reads, and by `score`; a
sweep fails where no trial completed; early termination ends no trial, which a policy may always decide.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from random import Random
from typing import Any

from azureml_sandbox import instants
from azureml_sandbox.compute import values
from azureml_sandbox.compute.command import Work, perform
from azureml_sandbox.compute.ports import input_assets, output_assets
from azureml_sandbox.compute.record import Record, failure
from azureml_sandbox.compute.sampling import trials
from azureml_sandbox.compute.site import Drive, Site
from azureml_sandbox.documents import job_runs
from azureml_sandbox.world import Document

_MOST_TRIALS = 1_000
"""learn.microsoft.com: `max_total_trials` is at most 1,000, and 1,000 by default."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A sweep as it was submitted."""

    work: Work
    given: Document
    """The request's `properties`."""

    @property
    def limits(self) -> Document:
        """The submitted limits: how many trials, how long."""
        found: Document = self.given.get("limits") or {}
        return found

    def parameters(self) -> Iterator[dict[str, Any]]:
        """The parameters of each trial."""
        sampling = self.given["samplingAlgorithm"]
        random = Random(sampling.get("seed"))  # noqa: S311 - no secret
        drawn = trials(self.given["searchSpace"], sampling["samplingAlgorithmType"], random)
        return islice(drawn, self.limits.get("maxTotalTrials") or _MOST_TRIALS)

    @property
    def wide(self) -> int:
        """The number of trials at a time."""
        return int(self.limits.get("maxConcurrentTrials") or _MOST_TRIALS)


async def conduct(site: Site, record: Record, plan: Plan) -> str:
    """Run all trials and name the best; returns the final status. When cancelled, it cancels its trials."""
    running = _Sweep(site, record, plan)
    record.start()
    try:
        with suppress(TimeoutError):  # trials that did not start in time never start
            async with asyncio.timeout(values.seconds(plan.limits.get("timeout"))):
                await running.run()
    finally:
        await running.end_the_rest()
    return running.finish()


class _Sweep:
    """The trials of a sweep while they run."""

    def __init__(self, site: Site, record: Record, plan: Plan) -> None:
        self._site, self._record, self._plan = site, record, plan
        self._tasks: dict[asyncio.Task[str], str] = {}
        self._completed: list[str] = []

    async def run(self) -> None:
        """Start the trials; return when every one has ended."""
        for number, parameters in enumerate(self._plan.parameters()):
            while len(self._tasks) >= self._plan.wide:
                await self._next()
            self._launch(f"{self._record.run_id}_{number}", parameters)
        self._record.change(tags={"_aml_system_all_jobs_generated": "true"})
        while self._tasks:
            await self._next()

    async def _next(self) -> None:
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            run_id = self._tasks.pop(task)
            if not task.cancelled() and task.result() == "Completed":
                self._completed.append(run_id)

    async def end_the_rest(self) -> None:
        """Cancel the trials that run."""
        running = list(self._tasks)
        for task in running:
            if not task.cancelling():
                task.cancel()
        if running:
            await asyncio.wait(running)

    def finish(self) -> str:
        """Name the best trial and end the sweep; returns its final status."""
        if not self._completed:
            self._record.end("Failed", failure("None of the trials completed. See the child runs for more details."))
            return "Failed"
        best = self._best()
        if best is not None:
            run_id, score = best
            told = {"best_child_run_id": run_id, "score": repr(score), "best_metric_status": "Succeeded"}
            container = self._site.record(run_id).document["dataContainerId"]
            self._record.change(properties=told | {"best_data_container_id": container})
        self._record.end("Completed")
        return "Completed"

    def _best(self) -> tuple[str, float] | None:
        """The completed trial with the best last value of the primary metric; None where none logged it."""
        objective = self._plan.given["objective"]
        sign = 1 if str(objective["goal"]).lower() == "maximize" else -1
        scores = {run_id: self._score(run_id, objective["primaryMetric"]) for run_id in self._completed}
        told = {run_id: score for run_id, score in scores.items() if score is not None}
        return max(told.items(), key=lambda item: sign * item[1]) if told else None

    def _score(self, run_id: str, metric: str) -> float | None:
        container = self._site.record(run_id).document["dataContainerId"]
        rows = self._site.world.metrics.last(self._site.workspace.guid, container)
        found = [row["data"].get(metric) for series, row in rows if series.name == metric]
        return found[0] if found and isinstance(found[0], float) else None

    def _launch(self, run_id: str, parameters: Mapping[str, Any]) -> None:
        text = json.dumps(parameters, sort_keys=True)
        self._record.change(tags={f"_aml_system_{run_id}": text})
        self._site.home(run_id)
        run = job_runs.child(self._record.document, run_id, run_id, instants.now())
        trial = job_runs.trial_run(run, text, self._plan.given.get("computeId"), self._plan.work.code_id)
        self._site.world.runs.put(self._site.workspace.guid, trial)
        search = {name: _text(value) for name, value in parameters.items()}
        outputs = values.outputs(run_id, self._plan.given.get("outputs"))
        work = replace(self._plan.work, search=search, outputs=outputs)
        record = self._site.record(run_id)
        assets = output_assets(self._site, record, outputs)
        record.change(inputs=input_assets(self._site, run_id, work.inputs), outputs=assets)
        self._tasks[self._site.launch(self._site, run_id, _drive(work))] = run_id


def _drive(work: Work) -> Drive:
    return lambda site, record: perform(site, record, work)


def _text(value: object) -> str:
    """A parameter as it stands in a command line: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)
