"""Finds the parent of each job in the original's files, which hold no links to parents, but traces of them (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from azureml_replay.formats.jobs_json.entry import Record

TRIALS_OF = frozenset({"sweep", "automl"})
_MAY_HAVE_STEPS = frozenset({"pipeline", "base", ""})
"""Types of jobs that may be pipelines: azure-ai-ml has none for a pipeline inside another one."""
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
    pipelines: tuple[str, ...] = ()
    """The pipelines that a step's properties and tags name; those of a copied job may name what is none."""
    nested_in: str | None = None
    """The parent by MLflow's tag, whatever it is."""
    children: tuple[str, ...] = ()
    nodes: frozenset[str] = field(default_factory=frozenset)
    """The names of a pipeline's steps in its graph."""


def traces(record: Record) -> Traces:
    """The traces of an entry."""
    tags, properties = _mapping(record, "mlflow_tags") | _mapping(record, "tags"), _mapping(record, "job_properties")
    name = record["name"]
    pipelines = (
        properties.get("azureml.pipelinerunid"),
        properties.get("azureml.pipeline"),
        tags.get("azureml.pipeline"),
    )
    graph = _mapping(record, "pipeline_sub_jobs")
    return Traces(
        name=name,
        job_type=str(record.get("job_type") or "").lower(),
        display_name=record.get("display_name"),
        parent=_other(name, record.get("parent_job_name")),
        pipelines=tuple(found for one in pipelines if (found := _other(name, one))),
        nested_in=_other(name, tags.get("mlflow.parentRunId")),
        children=tuple(child for child in record.get("child_run_ids") or () if isinstance(child, str)),
        nodes=frozenset(graph) | frozenset(_names(graph)),
    )


def parents(family: Iterable[Traces]) -> Mapping[str, str]:
    """Child -> parent: the one that the entry names, in the file or not; else what other entries say.

    In this order: the field, the pipeline that a step names, MLflow's tag, other entries.
    """
    known = {entry.name: entry for entry in family}
    found: dict[str, str] = {}
    listed = {child: entry.name for entry in known.values() for child in entry.children if child != entry.name}
    steps = _steps(known)
    for name, entry in known.items():
        parent = (
            _named(entry, known)
            or listed.get(name)
            or steps.get(name)
            or _searched(name, known)
            or _shown(entry, steps)
        )
        if parent and parent != name:
            found[name] = parent
    return found


def _named(entry: Traces, known: Mapping[str, Traces]) -> str | None:
    """The parent that the entry itself names. A job of the file that is no pipeline does not become one by a name."""
    pipelines = (one for one in entry.pipelines if one not in known or known[one].job_type in _MAY_HAVE_STEPS)
    return entry.parent or next(pipelines, None) or entry.nested_in


def _other(name: str, parent: object) -> str | None:
    return parent if isinstance(parent, str) and parent not in ("", name) else None


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
