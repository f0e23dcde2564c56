"""ARM's models as MLflow's registry has them: the messages, the filters of its searches, where a model's files are.

Never recorded. From MLflow's protobufs: the messages; from azureml-mlflow's artifact repository: the two forms of a URI
that it can read; from learn.microsoft.com (how-to-manage-models-mlflow) and users: that models are found by equal names
alone, and the refusal of any other filter (Azure/azure-sdk-for-python#42155). Assumptions: what ARM archived is in no
search but is got by name; a version that is no number is not shown, since MLflow's clients take numbers alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from mlflow.protos.model_registry_pb2 import (
    READY,
    ModelVersion,
    ModelVersionTag,
    RegisteredModel,
    RegisteredModelAlias,
    RegisteredModelTag,
)

from azureml_sandbox import instants
from azureml_sandbox.history.access import strict
from azureml_sandbox.protocol import errors
from azureml_sandbox.protocol.bodies import number, token
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.route import Call
from azureml_sandbox.world import ARTIFACT_STORE, RUN_ORIGIN, Document, Listing, View

_Found = TypeVar("_Found")

NO_STAGE = "None"
PAGE = 100
_ALL = 1_000_000
_EQUALS = re.compile(r"""\s*([\w.`]+)\s*=\s*(?:'([^']*)'|"([^"]*)")\s*""")
_STORED = re.compile(
    rf"azureml://.+/datastores/{ARTIFACT_STORE}/paths/(?P<origin>[^/]+)/(?P<container>[^/]+)/(?P<path>.+)"
)


def container(call: Call, name: str) -> Document:
    """A registered model. Raises Refused (404)."""
    found = call.world.assets.get(call.workspace.guid, "models", name)
    if found is None:
        raise errors.not_found("Model", name)
    return found


def version(call: Call, name: str, given: str) -> Document:
    """One version. Raises Refused (404)."""
    shown = given.isdecimal() or "text-model-versions" in strict(call)
    found = call.world.assets.get(call.workspace.guid, "models", name, given) if shown else None
    if found is None:
        raise errors.not_found("Model version", f"{name}:{given}")
    return found


def versions(call: Call, name: str, view: View = "ActiveOnly") -> list[Document]:
    """All of a model, the highest number first."""
    found = call.world.assets.versions(call.workspace.guid, "models", name, Listing(view, limit=_ALL))
    numbered = [document for _, document in found if document["name"].isdecimal()]
    return sorted(numbered, key=lambda document: int(document["name"]), reverse=True)


def names(call: Call) -> list[str]:
    """Of all models that are not archived."""
    found = call.world.assets.page(call.workspace.guid, "models", Listing("ActiveOnly", limit=_ALL))
    return sorted(document["name"] for _, document in found)


def aliases(call: Call, name: str) -> Mapping[str, str]:
    """Alias -> version of a model."""
    if "model-aliases" not in strict(call):
        return {}
    return call.world.assets.get(call.workspace.guid, "aliases", name) or {}


def put_aliases(call: Call, name: str, kept: Mapping[str, str]) -> None:
    """Replace a model's aliases."""
    call.world.assets.put(call.workspace.guid, "aliases", name, dict(kept))


def changed(call: Call, name: str, document: Document, given: str = "", **properties: object) -> Document:
    """Store a container, or a version of this number, with changed properties."""
    told = document["systemData"] | {"lastModifiedAt": instants.text(instants.now())}
    made = document | {"properties": document["properties"] | properties, "systemData": told}
    call.world.assets.put(call.workspace.guid, "models", name, made, given)
    return made


def wanted(filter_text: str, *keys: str) -> dict[str, str]:
    """What a search asks for: equal values of these keys. Raises Refused (400), in reported words, for all else."""
    found: dict[str, str] = {}
    for clause in re.split(r"\s+and\s+", filter_text.strip(), flags=re.IGNORECASE) if filter_text.strip() else []:
        equal = _EQUALS.fullmatch(clause)
        if equal is None or equal[1].strip("`") not in keys:
            words = "Currently unsupported filter string format (we currently do not support OR)."
            raise Refused(400, f"{words} Provided filter string: {filter_text}", ("UserError",))
        found[equal[1].strip("`")] = equal[2] if equal[2] is not None else equal[3]
    return found


def paged(found: Sequence[_Found], size: int, after: str, order: Iterable[str]) -> tuple[Sequence[_Found], str]:
    """A page and the token of the next, "" on the last. Raises Refused (400): an order, which nothing is known of."""
    if list(order):
        raise errors.invalid(f"order_by {', '.join(order)} is not supported.")
    begin, most = number(after or None), min(size or PAGE, PAGE)
    following = token(begin + most) if len(found) > begin + most else ""
    return found[begin : begin + most], following


def model_message(call: Call, document: Document, *, whole: bool) -> RegisteredModel:
    """A registered model; a search's are without aliases."""
    name, properties = document["name"], document["properties"]
    return RegisteredModel(
        name=name,
        creation_timestamp=_milliseconds(document, "createdAt"),
        last_updated_timestamp=_milliseconds(document, "lastModifiedAt"),
        description=properties.get("description") or "",
        latest_versions=[version_message(call, name, each) for each in latest(call, name)],
        tags=[RegisteredModelTag(key=key, value=value) for key, value in (properties.get("tags") or {}).items()],
        aliases=[
            RegisteredModelAlias(alias=alias, version=told)
            for alias, told in (aliases(call, name) if whole else {}).items()
        ],
    )


def version_message(call: Call, name: str, document: Document, *, whole: bool = False) -> ModelVersion:
    """One version; a search's are without aliases."""
    properties, told = document["properties"], document["systemData"]
    kept = aliases(call, name) if whole else {}
    return ModelVersion(
        name=name,
        version=document["name"],
        creation_timestamp=_milliseconds(document, "createdAt"),
        last_updated_timestamp=_milliseconds(document, "lastModifiedAt"),
        user_id=told.get("createdBy") or "",
        current_stage=properties.get("stage") or NO_STAGE,
        description=properties.get("description") or "",
        source=source(call, properties),
        run_id=properties.get("jobName") or "",
        status=READY,
        tags=[ModelVersionTag(key=key, value=value) for key, value in (properties.get("tags") or {}).items()],
        aliases=[alias for alias, each in kept.items() if each == document["name"]],
    )


def latest(call: Call, name: str, stages: Iterable[str] = ()) -> list[Document]:
    """The highest version of each stage, or of those that are asked for."""
    found: dict[str, Document] = {}
    for document in versions(call, name):
        found.setdefault((document["properties"].get("stage") or NO_STAGE).lower(), document)
    asked = [stage.lower() for stage in stages] or list(found)
    return [found[stage] for stage in asked if stage in found]


def source(call: Call, properties: Document) -> str:
    """Where a model's files are, in a form that azureml-mlflow reads; what lies elsewhere keeps ARM's URI."""
    stored = _STORED.fullmatch(properties["modelUri"])
    if stored is None:
        return str(properties["modelUri"])
    if stored["origin"] != RUN_ORIGIN:
        return f"azureml://artifacts/{stored['origin']}/{stored['container']}/{stored['path']}"
    run = call.world.runs.get(call.workspace.guid, stored["container"].removeprefix("dcid."))
    experiment = call.world.experiments.get(call.workspace.guid, run["experimentId"]) if run is not None else None
    if run is None or experiment is None:
        return str(properties["modelUri"])
    return f"azureml://experiments/{experiment['name']}/runs/{run['runId']}/artifacts/{stored['path']}"


def _milliseconds(document: Document, key: str) -> int:
    when = (document.get("systemData") or {}).get(key)
    return instants.parse(when) // instants.MILLISECOND if when else 0
