"""Reads how a run was defined, whatever the spelling (pure).

One fact comes as `primaryMetric` from ARM, as `primary_metric` in a submitted graph and as `PrimaryMetric` in a
pipeline's definition in run history (responses.md 3.2, 4.3): names are compared without case and underscores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from azureml_replay import json_text
from azureml_replay.model import NESTED_COMPONENTS, Json, RunId
from azureml_replay.planning.history import Recorded

Document: TypeAlias = "Mapping[str, Json]"


def plain(name: str) -> str:
    """A name without case and separators: `AUC_weighted`, `AUCWeighted` and `auc weighted` are one name."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def pick(document: Json, *path: str) -> Json:
    """The value at a path of names, None where a part is absent."""
    for name in path:
        if not isinstance(document, Mapping):
            return None
        document = next((value for key, value in document.items() if plain(key) == plain(name)), None)
    return document


def parsed(value: str | None) -> Json:
    """The value of a JSON text in a tag or property; None where it is no JSON, as anybody may have written it."""
    try:
        found: Json = json_text.loads_python(value) if value else None
    except ValueError:
        return None
    return found


def definitions_of(recorded: Recorded, run: RunId) -> Iterator[Document]:
    """The documents that say how a run was defined, best first: ARM's job, run history's specification, definition."""
    job, details = recorded.job(run), recorded.details(run)
    found = [pick(job.document, "properties") if job else None]
    if details:
        found += [details.specification, details.definition]
    return (document for document in found if isinstance(document, Mapping))


def nested_graphs(recorded: Recorded, root: RunId) -> dict[str, Document]:
    """ARM id -> component of each pipeline nested in a root job; its content is under `properties`."""
    job = recorded.job(root)
    nested = job.document.get(NESTED_COMPONENTS) if job and isinstance(job.document, Mapping) else None
    found = nested.items() if isinstance(nested, Mapping) else ()
    graphs = {component: pick(document, "properties") for component, document in found}
    return {component: graph for component, graph in graphs.items() if isinstance(graph, Mapping)}


def texts(value: Json) -> Iterator[str]:
    """Every text in a document, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from texts(item)
