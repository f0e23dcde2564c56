"""The ties of a run to the workspace that it ran in: what acts on that, its code, the runs that it names (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from azureml_replay.azure.wire.known import ACTING, ACTING_PROPERTIES
from azureml_replay.model import Acting, CodeReference, Json, Reference, Run

SNAPSHOT = "ContentSnapshotId"
"""The property of runs with code (responses.md 2.2): the id of a snapshot of the content service."""
PROPERTIES = (
    "azureml.pipelinerunid",
    "azureml.pipeline",
    "azureml.reusedrunid",
    "azureml.reusedpipeline",
    "azureml.reusedpipelinerunid",
    "SetupRunId",
    "SetupRunContainerId",
    "FeaturizationRunId",
    "ModelExplainRunId",
)
"""Properties that hold a run's id, or its container's (responses.md 1.2 and 4.1)."""
TAGS = (
    "azureml.pipeline",
    "mlflow.parentRunId",
    "mlflow.rootRunId",
    "automl_best_child_run_id",
    "model_explain_best_run_child_id",
)
_CONTAINER = "dcid."


def tied(run: Run) -> Run:
    """The run with the ties that its document, tags and properties show."""
    return replace(
        run,
        acting=acting(run.document, run.properties),
        code=code(run.properties),
        references=references(run.properties, run.tags),
    )


def references(properties: Mapping[str, str | None], tags: Mapping[str, str | None]) -> tuple[Reference, ...]:
    """Where properties and tags name other runs."""
    return (*_references("property", properties, PROPERTIES), *_references("tag", tags, TAGS))


def acting(document: Json, properties: Mapping[str, str | None]) -> Acting:
    """What of a run's document acts on the workspace that it ran in."""
    held = document if isinstance(document, Mapping) else {}
    values = tuple(key for key in ACTING if held.get(key))
    return Acting(values, tuple(key for key in ACTING_PROPERTIES if key in properties))


def code(properties: Mapping[str, str | None]) -> CodeReference | None:
    """The code that a run's properties name."""
    snapshot = properties.get(SNAPSHOT)
    return CodeReference(snapshot=snapshot) if snapshot else None


def job_code(document: Json) -> str | None:
    """The ARM id of the code version that a job's document names (command, spark; a sweep's trial), or None."""
    properties = document.get("properties") if isinstance(document, Mapping) else None
    if not isinstance(properties, Mapping):
        return None
    for holder in (properties, properties.get("trial")):
        code = holder.get("codeId") if isinstance(holder, Mapping) else None
        if isinstance(code, str) and code.startswith("/subscriptions/"):
            return code
    return None


def _references(kind: str, pairs: Mapping[str, str | None], keys: tuple[str, ...]) -> list[Reference]:
    found = [(key, value) for key in keys if (value := pairs.get(key))]
    return [Reference(kind, key, _CONTAINER if value.startswith(_CONTAINER) else "") for key, value in found]
