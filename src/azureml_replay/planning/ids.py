"""Makes new ids for runs whose own ids are taken, or are not to be used (pure).

They are deterministic: a source run gets the same id in the same target, from whichever archive. A value that *is* such
an id is rewritten where the run's references say so, and nowhere else: part of a longer text may be anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from uuid import UUID, uuid5

from azureml_replay.model import Reference, Run, RunId
from azureml_replay.workspace.place import Place

Ids = Mapping[RunId, RunId]
"""Source id -> target id; a run that is not in it keeps its id."""

_NAMESPACE = UUID("5f0d3c1e-6f0b-4f6a-9d3a-2f6c1b7e4a90")
_GUID = 36
"""Characters of one."""
_VERSION = 14
"""The place of a GUID's version among its characters."""


def new_id(source: Place, run: RunId, target: Place) -> RunId:
    """The new id of a run: a GUID, as the service gives to steps."""
    return RunId(str(uuid5(_NAMESPACE, f"{source.key}/{run}>{target.key}")))


def is_chosen(run: RunId, there: RunId) -> bool:
    """True for an id in the target that we chose for a run: its own, or a GUID made of names, of version 5.

    Those that a service gives by itself are random.
    """
    return run == there or (len(there) == _GUID and there[_VERSION] == "5")


def rewritten(run: Run, ids: Ids) -> Run:
    """The run under its new id, below its parent's new id, with its references rewritten."""
    if not ids:
        return run
    parent = ids.get(run.parent, run.parent) if run.parent else None
    pairs = {"tag": dict(run.tags), "property": dict(run.properties)}
    for reference, named in _references(run):
        pairs[reference.kind][reference.key] = reference.before + ids.get(named, named)
    return replace(run, id=ids.get(run.id, run.id), parent=parent, properties=pairs["property"], tags=pairs["tag"])


def named(run: Run) -> Iterator[RunId]:
    """The ids with which a run is written: its own, its parent's, its lender's, and those in its references."""
    yield from (one for one in (run.id, run.parent, run.lender) if one)
    yield from (one for _, one in _references(run))


def _references(run: Run) -> Iterator[tuple[Reference, RunId]]:
    """The references that the run still has, each with the run that it names."""
    for reference in run.references:
        value = (run.tags if reference.kind == "tag" else run.properties).get(reference.key)
        if value and value.startswith(reference.before):
            yield reference, RunId(value.removeprefix(reference.before))
