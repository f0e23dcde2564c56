"""Turns a submitted job into what computes it. A job that cannot run is refused before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from azureml_sandbox.compute import expressions, registering, run_definitions, sampling, sweep, values
from azureml_sandbox.compute.command import Work, perform
from azureml_sandbox.compute.components import component
from azureml_sandbox.compute.graph import graph, invalid_expression
from azureml_sandbox.compute.pipeline import Settings, Surroundings, conduct
from azureml_sandbox.compute.ports import input_assets, output_assets
from azureml_sandbox.compute.record import Record
from azureml_sandbox.compute.site import Drive, Site
from azureml_sandbox.compute.values import Data, Literal, Value
from azureml_sandbox.documents import job_runs
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.world import Document, Workspace, World


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that may start."""

    drive: Drive
    definition: Document
    """The `runDefinition` of its run."""


def understood(world: World, workspace: Workspace, given: Document) -> Submitted:
    """The submitted job, checked; `given` is the request's `properties`.

    Raises:
        Refused: 400 or 404 as the service answers, 501 for a type of job that the sandbox cannot run.
    """
    match given.get("jobType"):
        case "Command":
            return _command(given)
        case "Pipeline":
            return _pipeline(world, workspace, given)
        case "Sweep":
            return _sweep(given)
        case other:
            raise Refused(501, f"The sandbox does not run jobs of type {other}.", ("SandboxNotImplemented",))


def _command(given: Document) -> Submitted:
    declared, outputs = given.get("inputs") or {}, given.get("outputs") or {}
    check_command(required(given, "command"), declared, outputs)
    inputs = values.inputs(declared)
    work = Work(
        command=given["command"],
        code_id=given.get("codeId"),
        inputs=inputs,
        absent=frozenset(declared.keys() - inputs.keys()),
        variables=given.get("environmentVariables") or {},
        timeout_s=values.seconds((given.get("limits") or {}).get("timeout")),
    )

    async def drive(site: Site, record: Record) -> str:
        placed = values.outputs(record.run_id, outputs)
        record.change(inputs=input_assets(site, record.run_id, inputs), outputs=output_assets(site, record, placed))
        status = await perform(site, record, replace(work, outputs=placed))
        if status == "Completed":
            registering.register(site, record, registering.names(outputs), placed)
        return status

    return Submitted(drive, run_definitions.command(given))


def _pipeline(world: World, workspace: Workspace, given: Document) -> Submitted:
    """A pipeline job: its own graph, or that of the component it was made from."""
    find = partial(component, world, workspace)
    spec: Document = find(given["componentId"])["properties"]["componentSpec"] if given.get("componentId") else {}
    jobs = spec.get("jobs") or given.get("jobs") or {}
    outputs = (spec.get("outputs") or {}) | (given.get("outputs") or {})
    inputs = _defaults(spec) | values.inputs(given.get("inputs"))
    level = graph(jobs, {*inputs, *(given.get("inputs") or {}), *(spec.get("inputs") or {})}, outputs, find)
    asked = given.get("settings") or {}
    settings = Settings(
        compute_id=asked.get("default_compute") or given.get("computeId"),
        keep_going=job_runs.goes_on(asked),
        force_rerun=bool(asked.get("force_rerun")),
    )
    registered = {output.lower(): name for output, name in registering.names(given.get("outputs")).items()}

    async def drive(site: Site, record: Record) -> str:
        around = Surroundings(inputs, _placed(record.run_id, given), settings, registered)
        record.change(inputs=input_assets(site, record.run_id, inputs), outputs=output_assets(site, record, {}))
        status, _ = await conduct(site, record, level, around)
        return status

    return Submitted(drive, run_definitions.pipeline(given))


def _sweep(given: Document) -> Submitted:
    trial, declared = given.get("trial") or {}, given.get("inputs") or {}
    space = given.get("searchSpace") or {}
    sampling.check(space, (given.get("samplingAlgorithm") or {}).get("samplingAlgorithmType"))
    check_command(required(trial, "command"), declared, given.get("outputs") or {}, swept=True)
    required(given.get("objective") or {}, "primaryMetric")
    inputs = values.inputs(declared)
    work = Work(
        command=trial["command"],
        code_id=trial.get("codeId"),
        inputs=inputs,
        absent=frozenset(declared.keys() - inputs.keys()),
        variables=trial.get("environmentVariables") or {},
        timeout_s=values.seconds((given.get("limits") or {}).get("trialTimeout")),
    )

    async def drive(site: Site, record: Record) -> str:
        record.change(inputs=input_assets(site, record.run_id, inputs), outputs=output_assets(site, record, {}))
        return await sweep.conduct(site, record, sweep.Plan(work, given))

    return Submitted(drive, run_definitions.command(given | trial))


def _defaults(spec: Document) -> dict[str, Value]:
    ports = (spec.get("inputs") or {}).items()
    return {name: Literal(str(port["default"])) for name, port in ports if port.get("default") is not None}


def _placed(run_id: str, given: Document) -> dict[str, Data]:
    """The outputs that were given a place, by their names in lower case.

    The others lie where the step that makes them puts them (recorded).
    """
    asked = {name: port for name, port in (given.get("outputs") or {}).items() if (port or {}).get("uri")}
    return {name.lower(): data for name, data in values.outputs(run_id, asked).items()}


def check_command(
    command: str, inputs: Mapping[str, object], outputs: Mapping[str, object], *, swept: bool = False
) -> None:
    """Raises Refused (400) where a command names an input or an output that was not declared.

    A sweep's command may name a parameter that its search space lacks: 201 (azure-sdk-for-python, live tests).
    """
    known = {*(f"inputs.{name}" for name in inputs), *(f"outputs.{name}" for name in outputs)}
    named = expressions.names(command)
    unknown = [name for name in named if name not in known and not (swept and name.startswith("search_space."))]
    if unknown:
        raise invalid_expression(f"Invalid expression {unknown[0]}. It is not defined by the job.")


def required(given: Mapping[str, object], key: str) -> str:
    """The string under this key. Raises Refused (400) where it is missing or empty."""
    value = given.get(key)
    if not isinstance(value, str) or not value:
        raise Refused(400, f"The {key} field is required.", ("UserError", "BadArgument", "ArgumentBlankOrEmpty"))
    return value
