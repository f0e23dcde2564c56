"""A component's specification as the service keeps it. Pure.

Recorded: every plain value as a string, `optional` and `resources.instance_count` filled in, `_source` gone, empty maps
gone (pipe-429-component 7), a curated environment as its registry's id (component-list-paging 0), the `mode` of inputs
and outputs gone (pipe-job-download 8, pipe-parallel-file-input 4, pipe-spark-nodes 4), `resources` of a parallel
component gone (pipe-parallel-file-input 4), a missing `version` filled in (pipe-nested-component 27). The rest is what
Microsoft's live tests of azure-ai-ml assert: no `compute`, no `resources.instance_type`, what a parallel component
tolerates and retries where it does not say, names of outputs in lower case.

A curated environment by its label (`@latest`, schedule-lifetime 0) stays as it is: there is no registry here to ask.
"""

from __future__ import annotations

import re
from typing import Any

from azureml_sandbox.world import Document

_DROPPED = frozenset({"_source", "jobs", "compute"})
_CURATED = re.compile(r"azureml:(AzureML-[^:/@]+):([^:/@]+)")
_PARALLEL = {"error_threshold": -1}
_RETRIES = {"max_retries": 3, "timeout": 60}


def kept(given: Document, version: str) -> Document:
    """The specification with its defaults, a pipeline's graph as it was given; `version` is that of the URL."""
    kind = str(given.get("type") or "command")
    spec = {key: value for key, value in given.items() if key not in _DROPPED and value not in (None, {})}
    made = {"version": version, "type": kind, "is_deterministic": kind == "command"} | spec
    filled = made | _ports(spec) | _environment(spec) | _special(kind, spec)
    text: Document = _strings({key: value for key, value in filled.items() if value != {}})
    return text | ({"jobs": given["jobs"]} if "jobs" in given else {})


def _ports(spec: Document) -> Document:
    inputs = {
        name: {"type": port.get("type"), "optional": False} | _modeless(port)
        for name, port in (spec.get("inputs") or {}).items()
    }
    outputs = {name.lower(): _modeless(port) for name, port in (spec.get("outputs") or {}).items()}
    return {"inputs": inputs, "outputs": outputs}


def _modeless(port: Document) -> Document:
    return {key: value for key, value in port.items() if key != "mode"}


def _environment(spec: Document) -> Document:
    curated = _CURATED.fullmatch(str(spec.get("environment")))
    if curated is None:
        return {}
    return {"environment": f"azureml://registries/azureml/environments/{curated[1]}/versions/{curated[2]}"}


def _special(kind: str, spec: Document) -> Document:
    if kind == "parallel":
        retries = {"retry_settings": _RETRIES | (spec.get("retry_settings") or {})}
        return {"resources": {}} | {key: value for key, value in _PARALLEL.items() if key not in spec} | retries
    resources = {key: value for key, value in (spec.get("resources") or {}).items() if key != "instance_type"}
    return {"resources": ({"instance_count": 1} if kind == "command" else {}) | resources}


def _strings(value: Any) -> Any:  # noqa: ANN401 JSON
    if isinstance(value, dict):
        return {key: _strings(item) for key, item in value.items()}
    return [_strings(item) for item in value] if isinstance(value, list) else str(value)
