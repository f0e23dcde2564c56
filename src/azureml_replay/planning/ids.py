"""New ids for runs whose own are not to be used, or are taken (pure).

Deterministic: the same source run gets the same id in the same target, from whichever archive. Where a value *is* such
an id it is rewritten along, where the run's references say so and nowhere else: part of a longer text may be anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid5

from azureml_replay.model import Run, RunId
from azureml_replay.workspace.place import WorkspaceRef

Ids = Callable[[RunId], RunId]
"""From a run's id in the source to its id in the target; the same where it keeps it."""

_NAMESPACE = UUID("5f0d3c1e-6f0b-4f6a-9d3a-2f6c1b7e4a90")


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
    parent, pairs = ids(run.parent) if run.parent else None, {"tag": dict(run.tags), "property": dict(run.properties)}
    for reference in run.references:
        value = pairs[reference.kind].get(reference.key)
        if value and value.startswith(reference.before):
            named = ids(RunId(value.removeprefix(reference.before)))
            pairs[reference.kind][reference.key] = reference.before + named
    return replace(run, id=ids(run.id), parent=parent, properties=pairs["property"], tags=pairs["tag"])
