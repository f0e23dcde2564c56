"""Whose child each job of the original's files is: it threw the links away, but left traces (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from azureml_replay.jobs_json.entry import Record

TRIALS_OF = frozenset({"sweep", "automl"})
_TRIAL = re.compile(r"(.+)_(?:\d+|setup|featurize|ModelExplain)\Z")
"""How the service names trials, and what AutoML runs beside them (responses.md 1.2)."""


@dataclass(frozen=True, slots=True)
class Traces:
    """What one entry says of its family."""

    name: str
    job_type: str
    display_name: str | None
    parent: str | None
    """By the entry's own word."""
    children: tuple[str, ...] = ()
    nodes: frozenset[str] = field(default_factory=frozenset)
    """Names of a pipeline's steps, as its graph spells them."""


def traces(record: Record) -> Traces:
    """In the order of trust: the field, the pipeline that a step names, MLflow's tag."""
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
    """Child -> parent. An entry's own word first, whether or not the parent is in the file; then what others say."""
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
    """Names of nodes that belong to one pipeline of the file only: with two, nobody can tell whose the step is."""
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
    """Azure-ai-ml gives a step no type of its own, and Studio shows it under its node's name."""
    return steps.get(entry.display_name or "") if entry.job_type in ("", "base") else None


def _names(graph: Mapping[str, Any]) -> Iterator[str]:
    for node in graph.values():
        if isinstance(node, Mapping):
            yield from (node[key] for key in ("name", "run_id", "job_name") if isinstance(node.get(key), str))


def _mapping(record: Record, name: str) -> dict[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}
