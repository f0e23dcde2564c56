"""From a submitted job to what computes it: understood before anything is written, refused where it cannot be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from azureml_sandbox.compute import expressions, values
from azureml_sandbox.compute.command import Work, perform
from azureml_sandbox.compute.ports import input_assets, output_assets
from azureml_sandbox.compute.record import Record
from azureml_sandbox.compute.site import Drive, Site, default_uri
from azureml_sandbox.compute.values import Data
from azureml_sandbox.errors import Refused
from azureml_sandbox.world import Document, Workspace, World

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that may start."""

    drive: Drive
    record: Document = field(default_factory=dict)
    """What its run says of it beside the usual: its definition."""


def understood(world: World, workspace: Workspace, given: Document) -> Submitted:
    """What computes a job; `given` is the request's `properties`.

    Raises:
        Refused: 400 or 404 as the service would, 501 for types of jobs that are not spoken here.
    """
    match given.get("jobType"):
        case "Command":
            return _command(given)
        case other:
            raise Refused(501, f"jobType {other}", ("SandboxNotImplemented",))


def _command(given: Document) -> Submitted:
    """A command job."""
    inputs, declared = values.inputs(given.get("inputs")), given.get("outputs") or {}
    check_command(required(given, "command"), {f"inputs.{name}" for name in given.get("inputs") or {}}, declared)

    async def drive(site: Site, record: Record) -> str:
        outputs = outputs_of(record.run_id, declared)
        work = Work(
            given["command"],
            given.get("codeId"),
            inputs,
            frozenset((given.get("inputs") or {}).keys() - inputs.keys()),
            outputs,
            variables=given.get("environmentVariables") or {},
            timeout_s=seconds((given.get("limits") or {}).get("timeout")),
        )
        record.change(inputs=input_assets(site, record.run_id, inputs), outputs=output_assets(site, record, outputs))
        return await perform(site, record, work)

    return Submitted(drive, {"runDefinition": definition(given)})


def outputs_of(run_id: str, declared: Mapping[str, Document]) -> dict[str, Data]:
    """Where a job's named outputs go; `default` is the run's own container, not one of them."""
    named = {name: document or {} for name, document in declared.items() if name != "default"}
    return {name: _named(values.wanted(port, default_uri(run_id, name)), run_id, name) for name, port in named.items()}


def _named(data: Data, run_id: str, name: str) -> Data:
    """Expressions of an output's path, as the recorded `azureml/${{name}}/{output}/`."""
    known = {"name": run_id, "output_name": name, "default_datastore": "workspaceblobstore"}
    return Data(expressions.filled(data.uri, lambda each: known.get(each, each)), data.kind, data.mode)


def check_command(command: str, known: set[str], outputs: Mapping[str, object]) -> None:
    """Refused (400) where the command names what was not declared."""
    allowed = known | {f"outputs.{name}" for name in outputs}
    unknown = [name for name in expressions.names(command) if name not in allowed]
    if unknown:
        raise invalid_expression(f"Invalid expression {unknown[0]}. It is not defined by the job.")


def required(given: Mapping[str, object], key: str) -> str:
    """A string that must be there."""
    value = given.get(key)
    if not isinstance(value, str) or not value:
        raise Refused(400, f"The {key} field is required.", ("UserError", "BadArgument", "ArgumentBlankOrEmpty"))
    return value


def invalid_expression(message: str) -> Refused:
    """400 with the recorded chain."""
    chain = ("UserError", "BadArgument", "ArgumentInvalid", "InvalidPipelineJob", "InvalidExpressionInJob")
    return Refused(400, message, chain)


def seconds(duration: str | None) -> float | None:
    """Of an ISO 8601 duration (`PT5M`); None without one. Refused (400) for another form."""
    if duration is None:
        return None
    form = _DURATION.fullmatch(duration)
    if form is None or not any(form.groups()):
        raise Refused(400, f"{duration} is no duration.", ("UserError", "BadArgument", "ArgumentInvalid"))
    days, hours, minutes, rest = (float(group or 0) for group in form.groups())
    return days * 86_400 + hours * 3_600 + minutes * 60 + rest


def definition(given: Document) -> Document:
    """A command's `runDefinition`: the part of its recorded form that a job says something about."""
    return {
        "script": None,
        "command": given["command"],
        "useAbsolutePath": False,
        "arguments": [],
        "framework": "Python",
        "communicator": "None",
        "target": str(given.get("computeId") or "serverless").rpartition("/")[2],
        "nodeCount": (given.get("resources") or {}).get("instanceCount", 1),
        "environment": {"name": None, "version": None, "assetId": given.get("environmentId")},
        "environmentVariables": given.get("environmentVariables") or {},
        "history": {"outputCollection": True, "directoriesToWatch": ["logs"], "enableMLflowTracking": True},
    }
