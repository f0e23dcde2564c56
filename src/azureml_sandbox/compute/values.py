"""Inputs and outputs of jobs: literals and data. Pure.

The wire spells them twice: `jobInputType` on jobs, `job_input_type` inside `jobs.*` and `componentSpec` (recorded).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from azureml_sandbox.assets import implicit
from azureml_sandbox.compute import expressions
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.world import BLOB_STORE, Document

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


MODELS = frozenset({"custom_model", "mlflow_model", "triton_model"})
_WIRE = {"mltable": "MLTable", "mlflow_model": "MLFlowModel"}


@dataclass(frozen=True, slots=True)
class Literal:
    """A string that stands in the command as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes in a datastore."""

    uri: str
    kind: str = "uri_folder"
    """`uri_file`, `uri_folder`, `mltable`, `mlflow_model`, `custom_model`, `triton_model`."""
    mode: str = "ReadOnlyMount"
    asset: str | None = None
    """The data or model asset under which run history shows it; a pipeline's output has that of its step (recorded)."""

    @property
    def is_folder(self) -> bool:
        """Models are folders here (assumption: a custom model may be a single file too)."""
        return self.kind != "uri_file"

    @property
    def wire_type(self) -> str:
        """The kind as run history spells it: `UriFolder`; of models as azure-ai-ml reads it (_job_ops_helper.py)."""
        return _WIRE.get(self.kind, self.kind.title().replace("_", ""))


Value = Literal | Data


def given(document: Mapping[str, object]) -> Value:
    """The value of an input as sent, in either spelling."""
    kind = _either(document, "jobInputType", "job_input_type") or "literal"
    if kind == "literal":
        return Literal(str(document.get("value", "")))
    return Data(str(document.get("uri") or ""), kind, str(document.get("mode") or "ReadOnlyMount"))


def inputs(documents: Document | None) -> dict[str, Value]:
    """The inputs of a job or node that have a value, by name."""
    return {name: given(document) for name, document in (documents or {}).items() if document}


def outputs(run_id: str, documents: Mapping[str, Document | None] | None) -> dict[str, Data]:
    """The places of a run's outputs by name, without `default`, which is the run's own container."""
    named = {name: document or {} for name, document in (documents or {}).items() if name != "default"}
    return {name: _output(run_id, name, document) for name, document in named.items()}


def _output(run_id: str, name: str, document: Document) -> Data:
    """The place of one output; by default it is `azureml/${{name}}/{output}/`, as in a recorded runDefinition."""
    kind = _either(document, "jobOutputType", "job_output_type", "type") or "uri_folder"
    uri = str(document.get("uri") or f"azureml://datastores/{BLOB_STORE}/paths/azureml/{run_id}/{name}/")
    known = {"name": run_id, "output_name": name, "default_datastore": BLOB_STORE}
    placed = expressions.filled(uri, lambda each: known.get(each, each))
    mode = str(document.get("mode") or "ReadWriteMount")
    named = implicit.model_name if kind in MODELS else implicit.data_name
    return Data(placed, kind, mode, named(run_id, "output", name))


def seconds(duration: str | None) -> float | None:
    """The seconds of an ISO 8601 duration (`PT5M`); None without one. Raises Refused (400) for another form."""
    if duration is None:
        return None
    form = _DURATION.fullmatch(duration)
    if form is None or not any(form.groups()):
        raise Refused(400, f"{duration} is no duration.", ("UserError", "BadArgument", "ArgumentInvalid"))
    days, hours, minutes, rest = (float(group or 0) for group in form.groups())
    return days * 86_400 + hours * 3_600 + minutes * 60 + rest


def _either(document: Mapping[str, object], *names: str) -> str | None:
    return next((str(document[name]) for name in names if document.get(name) is not None), None)
