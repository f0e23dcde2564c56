"""New ids for runs whose own are not to be used, or are taken (pure).

Deterministic: the same source run gets the same id in the same target, from whichever archive. Where a value *is* such
an id it is rewritten along, in the keys below and nowhere else: part of a longer text may be anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from uuid import UUID, uuid5

from azureml_replay.model import Run, RunId
from azureml_replay.workspace.place import WorkspaceRef

Ids = Callable[[RunId], RunId]
"""From a run's id in the source to its id in the target; the same where it keeps it."""

_NAMESPACE = UUID("5f0d3c1e-6f0b-4f6a-9d3a-2f6c1b7e4a90")
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


def same(run: RunId) -> RunId:
    """Every run keeps its id."""
    return run


def new_id(source: WorkspaceRef, run: RunId, target: WorkspaceRef) -> RunId:
    """A guid, as the service gives to steps."""
    return RunId(str(uuid5(_NAMESPACE, f"{source.arm_id.lower()}/{run}>{target.arm_id.lower()}")))


def rewritten(run: Run, ids: Ids) -> Run:
    """The run under its new id, below its parent's new id, with its references rewritten."""
    if ids is same:
        return run
    return replace(
        run,
        id=ids(run.id),
        parent=ids(run.parent) if run.parent else None,
        properties=_pairs(run.properties, PROPERTIES, ids),
        tags=_pairs(run.tags, TAGS, ids),
    )


def _pairs(pairs: Mapping[str, str | None], keys: tuple[str, ...], ids: Ids) -> dict[str, str | None]:
    return {key: _value(value, ids) if key in keys and value else value for key, value in pairs.items()}


def _value(value: str, ids: Ids) -> str:
    if value.startswith(_CONTAINER):
        return _CONTAINER + ids(RunId(value.removeprefix(_CONTAINER)))
    return ids(RunId(value))
