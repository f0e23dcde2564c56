"""Finds the parent of each job in the original's files, which hold no links to parents, but traces of them (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from azureml_replay.jobs_json.entry import Record

TRIALS_OF = frozenset({"sweep", "automl"})
_TRIAL = re.compile(r"(.+)_(?:\d+|setup|featurize|ModelExplain)\Z")
"""Names of trials, and of the runs that AutoML makes beside them (responses.md 1.2): the parent's, and an end."""


@dataclass(frozen=True, slots=True)
class Traces:
    """What one entry says of its parent and children."""

    name: str
    job_type: str
    display_name: str | None
    parent: str | None
    """The parent that the entry names."""
    children: tuple[str, ...] = ()
    nodes: frozenset[str] = field(default_factory=frozenset)
    """The names of a pipeline's steps in its graph."""


def traces(record: Record) -> Traces:
    """The traces of an entry; its parent from the field, else the pipeline that a step names, else MLflow's tag."""
    tags, properties = _mapping(record, "mlflow_tags") | _mapping(record, "tags"), _mapping(record, "job_properties")
    said = (
        record.get("parent_job_name"),
        properties.get("azureml.pipelinerunid"),
        tags.get("azureml.pipeline"),
        tags.get("mlflow.parentRunId"),
    )
    name = record["name"]
    graph = _mapping(record, "pipeline_sub_jobs")
    return Traces(
        name=name,
        job_type=str(record.get("job_type") or "").lower(),
        display_name=record.get("display_name"),
        parent=next((parent for parent in said if isinstance(parent, str) and parent not in ("", name)), None),
        children=tuple(child for child in record.get("child_run_ids") or () if isinstance(child, str)),
        nodes=frozenset(graph) | frozenset(_names(graph)),
    )


def parents(family: Iterable[Traces]) -> Mapping[str, str]:
    """Child -> parent: the one that the entry names, in the file or not; else what other entries say."""
    known = {entry.name: entry for entry in family}
    found: dict[str, str] = {}
    listed = {child: entry.name for entry in known.values() for child in entry.children if child != entry.name}
    steps = _steps(known)
    for name, entry in known.items():
        parent = entry.parent or listed.get(name) or steps.get(name) or _searched(name, known) or _shown(entry, steps)
        if parent and parent != name:
            found[name] = parent
    return found


def _steps(known: Mapping[str, Traces]) -> Mapping[str, str]:
    """Name of a node -> its pipeline, where only one pipeline of the file has it: of two, either may be the parent."""
    owners: dict[str, list[str]] = {}
    for entry in known.values():
        for node in entry.nodes:
            owners.setdefault(node, []).append(entry.name)
    return {node: names[0] for node, names in owners.items() if len(names) == 1}


def _searched(name: str, known: Mapping[str, Traces]) -> str | None:
    trial = _TRIAL.match(name)
    owner = known.get(trial[1]) if trial else None
    return owner.name if owner and owner.job_type in TRIALS_OF else None


def _shown(entry: Traces, steps: Mapping[str, str]) -> str | None:
    """The pipeline of a step by its display name: it has no type in azure-ai-ml, and Studio shows its node's name."""
    return steps.get(entry.display_name or "") if entry.job_type in ("", "base") else None


def _names(graph: Mapping[str, Any]) -> Iterator[str]:
    for node in graph.values():
        if isinstance(node, Mapping):
            yield from (node[key] for key in ("name", "run_id", "job_name") if isinstance(node.get(key), str))


def _mapping(record: Record, name: str) -> dict[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}
