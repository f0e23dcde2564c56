"""What goes into a job and comes out of it: literals and data. Pure.

The wire spells them twice: `jobInputType` on jobs, `job_input_type` inside `jobs.*` and `componentSpec` (recorded).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from azureml_sandbox.world import Document


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

    @property
    def is_folder(self) -> bool:
        """Models are folders here (assumption: a custom model may be a single file too)."""
        return self.kind != "uri_file"

    @property
    def wire_type(self) -> str:
        """As run history spells it: `UriFolder`."""
        return {"mltable": "MLTable"}.get(self.kind, self.kind.title().replace("_", ""))


Value = Literal | Data


def given(document: Mapping[str, object]) -> Value:
    """An input as sent, in either spelling."""
    kind = _either(document, "jobInputType", "job_input_type") or "literal"
    if kind == "literal":
        return Literal(str(document.get("value", "")))
    return Data(str(document.get("uri") or ""), kind, str(document.get("mode") or "ReadOnlyMount"))


def wanted(document: Mapping[str, object], uri: str) -> Data:
    """An output as sent, in either spelling; `uri` is where it goes when nothing was said."""
    kind = _either(document, "jobOutputType", "job_output_type") or str(document.get("type") or "uri_folder")
    return Data(str(document.get("uri") or uri), kind, str(document.get("mode") or "ReadWriteMount"))


def inputs(documents: Document | None) -> dict[str, Value]:
    """All inputs of a job or node; what has no value is left out."""
    return {name: given(document) for name, document in (documents or {}).items() if document}


def _either(document: Mapping[str, object], *names: str) -> str | None:
    return next((str(document[name]) for name in names if document.get(name) is not None), None)
