"""Runs a pipeline: its nodes are child runs, and each starts when its inputs are there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

from azureml_sandbox import instants
from azureml_sandbox.compute import expressions, registering, reuse, run_definitions, values
from azureml_sandbox.compute.command import Work
from azureml_sandbox.compute.graph import Graph, Node, parent_input, source
from azureml_sandbox.compute.logs import say
from azureml_sandbox.compute.ports import input_assets, output_assets
from azureml_sandbox.compute.record import Record, failure
from azureml_sandbox.compute.registering import Name
from azureml_sandbox.compute.site import Drive, Site
from azureml_sandbox.compute.values import Data, Literal, Value
from azureml_sandbox.documents import job_runs
from azureml_sandbox.documents.jobs import compact
from azureml_sandbox.world import Document

log = logging.getLogger(__name__)

_FAILED = failure(
    "Pipeline has some failed steps. See child run or execution logs for more details.",
    "ServiceError",
    "PipelineHasStepJobFailed",
)
"""Recorded."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the whole pipeline, the same on all levels."""

    compute_id: str | None
    keep_going: bool
    """Whether steps that do not need a failed step go on."""
    force_rerun: bool
    """Whether steps are computed although nothing changed."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a level gets from outside."""

    inputs: Mapping[str, Value]
    exports: Mapping[str, Data]
    """The places of those outputs that were given one."""
    settings: Settings
    registered: Mapping[str, Name]
    """The data that outputs are registered as."""


async def conduct(site: Site, record: Record, graph: Graph, around: Surroundings) -> tuple[str, dict[str, Data]]:
    """Run one level; returns its final status and where its outputs lie. When cancelled, it cancels its steps."""
    level = _Level(site, record, graph, around)
    try:
        await level.run()
    finally:
        await level.end_the_rest()
    completed = all(status == "Completed" for status in level.ended.values())
    record.move("Finalizing")
    await level.write_stages(completed=completed)
    record.end(*(("Completed", None) if completed else ("Failed", _FAILED)))
    return ("Completed" if completed else "Failed"), level.exported


class _Level:
    """The nodes of one graph while they run."""

    def __init__(self, site: Site, record: Record, graph: Graph, around: Surroundings) -> None:
        self._site, self._record, self._graph, self._around = site, record, graph, around
        self._nodes = {node.name: node for node in graph.nodes}
        self._runs: dict[str, str] = {}
        self._outputs: dict[str, dict[str, Data]] = {}
        self._same: dict[str, asyncio.Task[str]] = {}
        self._tasks: dict[asyncio.Task[str], str] = {}
        self._began = instants.now()
        self.ended: dict[str, str] = {}
        self.exported: dict[str, Data] = {}

    async def run(self) -> None:
        """Run the nodes; return when every node that can run has ended."""
        self._record.start()
        self._make_children()
        await say(self._site, self._record, f"Submitting {len(self._runs)} runs")
        waiting = list(self._graph.nodes)
        while True:
            ready = [node for node in waiting if all(self.ended.get(name) == "Completed" for name in node.needs)]
            waiting = [node for node in waiting if node not in ready]
            for node in ready:
                self._launch(node)
            if not self._tasks or (self._broken and not self._around.settings.keep_going):
                return
            await self._next()

    @property
    def _broken(self) -> bool:
        return any(status != "Completed" for status in self.ended.values())

    async def _next(self) -> None:
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            name = self._tasks.pop(task)
            self.ended[name] = "Canceled" if task.cancelled() else task.result()
            if self.ended[name] == "Completed":
                self._register(name)
            await say(self._site, self._record, f"{name} ({self._runs[name]}): {self.ended[name]}")

    async def end_the_rest(self) -> None:
        """Cancel the nodes that run or never will (assumption: a step that never started is Canceled)."""
        running = list(self._tasks)
        for task in running:
            if not task.cancelling():
                task.cancel()
        if running:
            await asyncio.wait(running)
        for name, run_id in self._runs.items():
            self.ended.setdefault(name, "Canceled")
            self._site.record(run_id).end("Canceled")
            self._site.leave(run_id)

    async def write_stages(self, *, completed: bool) -> None:
        """Write the property that appears near the end, and the assets of the outputs (both recorded)."""
        times = {"StartTime": instants.text(self._began), "EndTime": instants.text(instants.now())}
        stages = {"Initialization": None, "Execution": times | {"Status": "Finished" if completed else "Failed"}}
        told = {self._graph.spelling[name]: data for name, data in self.exported.items()}
        targets = {self._site.record(run_id).document.get("target") for run_id in self._runs.values()}
        self._record.change(
            properties={"azureml.pipelines.stages": compact(stages)},
            uniqueChildRunComputeTargets=sorted(each for each in targets if each),
            outputs=output_assets(self._site, self._record, told),
        )

    def _make_children(self) -> None:
        """Make all child runs before any starts (recorded: one was Queued, one NotStarted)."""
        parent, world, guid = self._record.document, self._site.world, self._site.workspace.guid
        for node in self._graph.nodes:
            run_id = str(uuid4())
            self._site.home(run_id)
            run = job_runs.child(parent, run_id, node.given.get("display_name") or node.name, instants.now())
            tagged = run | {"tags": node.given.get("tags") or {}, "properties": node.given.get("properties") or {}}
            world.runs.put(guid, self._child(node, tagged))
            self._runs[node.name] = run_id

    def _child(self, node: Node, run: Document) -> Document:
        if node.graph is not None:
            return job_runs.nested_run(run, node.component)
        compute_id = node.given.get("computeId") or self._around.settings.compute_id
        made = job_runs.step_run(self._site.workspace, run, node.component, compute_id)
        return made | {"runDefinition": run_definitions.step(node.spec, compute_id)}

    def _launch(self, node: Node) -> None:
        inputs = {name: value for name in node.spec.get("inputs") or {} if (value := self._input(node, name))}
        outputs = self._places(node)
        self._outputs[node.name] = outputs
        run_id = self._runs[node.name]
        work = self._work(node, inputs, outputs) if node.graph is None else None
        same = reuse.digest(node, run_id, work) if work and not self._around.settings.force_rerun else None
        drive = self._step(node, work, same) if work else self._nested(node, inputs)
        record = self._site.record(run_id)
        record.change(
            inputs=input_assets(self._site, run_id, inputs), outputs=output_assets(self._site, record, outputs)
        )
        task = self._site.launch(self._site, run_id, drive)
        self._tasks[task] = node.name
        if same is not None:
            self._same[same] = task

    def _work(self, node: Node, inputs: Mapping[str, Value], outputs: Mapping[str, Data]) -> Work:
        spec, given = node.spec, node.given
        variables = (spec.get("environment_variables") or {}) | (given.get("environment_variables") or {})
        limits = given.get("limits") or spec.get("limits") or {}
        return Work(
            command=spec["command"],
            code_id=spec.get("code"),
            inputs=inputs,
            absent=frozenset((spec.get("inputs") or {}).keys() - inputs.keys()),
            outputs=outputs,
            variables={name: str(text) for name, text in variables.items()},
            timeout_s=values.seconds(limits.get("timeout")),
        )

    def _step(self, node: Node, work: Work, same: str | None) -> Drive:
        step = reuse.Step(work, same, self._same.get(same) if same is not None else None)

        async def drive(site: Site, record: Record) -> str:
            self._export(node, work.outputs)
            status, outputs = await step.run(site, record)
            self._outputs[node.name] |= outputs
            self._export(node, outputs)
            return status

        return drive

    def _nested(self, node: Node, inputs: Mapping[str, Value]) -> Drive:
        assert node.graph is not None  # noqa: S101 - asked by the caller
        graph = node.graph
        placed = {name: data for name, data in self._outputs[node.name].items() if self._is_placed(node, name)}
        around = Surroundings(inputs, placed, self._around.settings, {})

        async def drive(site: Site, record: Record) -> str:
            status, outputs = await conduct(site, record, graph, around)
            self._outputs[node.name] |= outputs
            self._export(node, outputs)
            return status

        return drive

    def _register(self, name: str) -> None:
        """Register a node's outputs as data, under the names of the pipeline's outputs or the node's own."""
        node, record = self._nodes[name], self._site.record(self._runs[name])
        own = {out: asked for out, asked in registering.names(node.outputs).items() if out not in node.exports}
        around = self._around.registered
        bound = {out: around[outer] for out, outer in node.exports.items() if outer in around}
        registering.register(self._site, record, own | bound, self._outputs[name])

    def _export(self, node: Node, outputs: Mapping[str, Data]) -> None:
        self.exported |= {outer: outputs[own] for own, outer in node.exports.items() if own in outputs}

    def _is_placed(self, node: Node, name: str) -> bool:
        return bool(node.outputs.get(name, {}).get("uri")) or node.exports.get(name) in self._around.exports

    def _places(self, node: Node) -> dict[str, Data]:
        """The place of each output of a node: the one it was given, or its own default."""
        given, declared = node.outputs, node.spec.get("outputs") or {}
        own = {name: {"type": port.get("type"), **_own(given.get(name))} for name, port in declared.items()}
        places = values.outputs(self._runs[node.name], own)
        exports = {own: self._around.exports.get(outer) for own, outer in node.exports.items()}
        told = {name: found for name in places if (found := exports.get(name)) is not None}
        return {name: replace(data, uri=told[name].uri) if name in told else data for name, data in places.items()}

    def _input(self, node: Node, name: str) -> Value | None:
        """The value of an input: bound, given, or its default; None for an optional one without any."""
        given = (node.given.get("inputs") or {}).get(name)
        if not given:
            default = node.spec["inputs"][name].get("default")
            return Literal(str(default)) if default is not None else None
        value = values.given(given)
        if not isinstance(value, Literal):
            return value
        bound = expressions.only(value.text)
        found = self._bound(bound) if bound is not None else Literal(expressions.filled(value.text, self._text))
        return replace(found, mode=str(given["mode"])) if isinstance(found, Data) and given.get("mode") else found

    def _bound(self, binding: str) -> Value | None:
        found = source(binding)
        if found is None:
            return self._around.inputs.get(str(parent_input(binding)))
        return replace(self._outputs[found[0]][found[1]], mode="ReadOnlyMount")

    def _text(self, binding: str) -> str:
        """A binding inside a longer string."""
        value = self._bound(binding)
        return value.text if isinstance(value, Literal) else value.uri if value is not None else ""


def _own(given: Document | None) -> Document:
    """The place that a node gives to an output; a binding to the parent's output gives none."""
    return given if given and given.get("type") != "literal" else {}
