"""Ties of a run to its workspace, read from the documents of records of format 10 and before (pure).

Later records hold the ties beside the document, as decoding found them. Older ones were all of Azure ML; this module
reads from them what they were planned by then. It is never edited, as a released migration is not: such files exist.
"""

from __future__ import annotations

from collections.abc import Mapping

from azureml_replay.model import Acting, CodeReference, Json, Reference, RunId

_ACTING = ("actionUris", "cancelUri", "completeUri", "diagnosticsUri", "services")
_ACTING_PROPERTY = "CancelUri"
_SNAPSHOT = "ContentSnapshotId"
_PROPERTIES = (
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
_TAGS = (
    "azureml.pipeline",
    "mlflow.parentRunId",
    "mlflow.rootRunId",
    "automl_best_child_run_id",
    "model_explain_best_run_child_id",
)
_CONTAINER = "dcid."
Pairs = Mapping[str, str | None]
Ties = tuple[Acting, CodeReference | None, tuple[Reference, ...]]


def ties_of(document: Json, tags: Pairs, properties: Pairs) -> Ties:
    """What of a run acts on the source, its code, and its tags and properties that name other runs."""
    whole = document if isinstance(document, Mapping) else {}
    acts = (_ACTING_PROPERTY,) if _ACTING_PROPERTY in properties else ()
    acting = Acting(tuple(key for key in _ACTING if whole.get(key)), acts)
    snapshot = properties.get(_SNAPSHOT)
    references = (*_references("property", properties, _PROPERTIES), *_references("tag", tags, _TAGS))
    return acting, CodeReference(snapshot=snapshot) if snapshot else None, references


def code_of(document: Json) -> str | None:
    """The ARM id of the code version that a job names; None where it names none."""
    properties = document.get("properties") if isinstance(document, Mapping) else None
    if not isinstance(properties, Mapping):
        return None
    for holder in (properties, properties.get("trial")):
        code = holder.get("codeId") if isinstance(holder, Mapping) else None
        if isinstance(code, str) and code.startswith("/subscriptions/"):
            return code
    return None


def _references(kind: str, pairs: Pairs, keys: tuple[str, ...]) -> list[Reference]:
    found = [(key, value) for key in keys if (value := pairs.get(key))]
    return [Reference(kind, key, _CONTAINER if value.startswith(_CONTAINER) else "") for key, value in found]


def lender_in(container: str, run: str) -> RunId | None:
    """The run whose files `run` shows: the id after the first dot of its container's name."""
    owner = container.partition(".")[2] or container
    return RunId(owner) if owner not in ("", run) else None
