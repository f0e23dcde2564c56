"""Datastores and datasets of the old kind, out of the documents of which the archive keeps a copy (pure).

Datastores are recorded in datastore-blob and datastore-gen2-credentialless; datasets stand in the interface file alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from azureml_replay.azure.wire.fidelity_assets import known_of
from azureml_replay.azure.wire.naming import SYSTEM_STORES
from azureml_replay.model import Json, Run
from azureml_replay.workspace.asset import EVERYWHERE, UNVERSIONED, Asset, AssetKey, AssetKind, AssetUse
from azureml_replay.workspace.reader import Document, Reader, instant, mapping, readable, unknown, words

STORE_STAYS = (
    "no datastore is made, since no secret of one is read: what lies in it refers to one of the same name in the "
    "target, which you make there, or --map-datastore names another one"
)
DATASET_STAYS = "datasets of the old kind (v1) are kept as documents alone: register it as data (v2) in the target"
_CREDENTIALS, _SECRETS, _TYPE = "credentials", "secrets", "credentialsType"
_NO_PLACE = frozenset({_CREDENTIALS, "description", "tags", "properties", "isDefault"})
"""What of a datastore does not say where it leads."""


@readable
def datastore(document: Document) -> Asset:
    """A datastore, without what opens it: of its credentials the kind alone is kept."""
    said, more = mapping(document["properties"]), Reader(document.get("systemData") or {})
    kind = mapping(said.get(_CREDENTIALS) or {}).get(_TYPE)
    kept = {key: value for key, value in said.items() if key != _CREDENTIALS} | {_CREDENTIALS: {_TYPE: kind}}
    name = str(document["name"])
    return Asset(
        key=AssetKey(AssetKind.DATASTORE, name, UNVERSIONED),
        content={key: value for key, value in kept.items() if key not in _NO_PLACE and value is not None},
        description=Reader(said)("description", words, None),
        managed=EVERYWHERE if name in SYSTEM_STORES else STORE_STAYS,
        created=more("createdAt", instant, None),
        creator=more("createdBy", words, None),
        document={**document, "properties": kept},
        unknown=unknown(said, known_of(AssetKind.DATASTORE)),
    )


@readable
def dataset(document: Document, definition: Document, key: AssetKey | None = None) -> Asset:
    """One version of a dataset; `key` where it was asked for by the id under which a run saved it."""
    told = str(definition["datasetId"]), str(definition["versionId"])
    read = Reader(definition)
    return Asset(
        key=key or AssetKey(AssetKind.DATASET, *told),
        content={"name": document.get("name"), "dataset": told[0], "version": told[1]},
        description=Reader(document)("description", words, None),
        managed=DATASET_STAYS,
        created=read("createdTime", instant, None),
        document={**document, "latest": definition},
        unknown=unknown({**document, **definition}, known_of(AssetKind.DATASET)),
    )


@readable
def saved_dataset(document: Document, key: AssetKey) -> Asset:
    """A dataset that was asked for by the id under which one of its versions was saved."""
    return dataset(document, document["latest"], key)


def dataset_id(document: Document) -> str:
    """The name that the service gave a dataset."""
    return str(document.get("datasetId"))


def saved_id(definition: Document) -> str | None:
    """The id under which a version was saved."""
    return definition.get("savedDatasetId")


@readable
def listed(document: Document) -> list[Document]:
    """The items of a list of the dataset service."""
    return [mapping(one) for one in document["value"]]


def dataset_uses(run: Run) -> Iterator[AssetUse]:
    """The datasets that a run names: by dataset and version where it has them, else by the id that was saved."""
    yield from _uses("inputDatasets", run.input_datasets)
    yield from _uses("outputDatasets", run.output_datasets)


def _uses(where: str, datasets: Json) -> Iterator[AssetUse]:
    for at, one in enumerate(datasets if isinstance(datasets, list) else ()):
        told = one.get("identifier") if isinstance(one, Mapping) else None
        identifier: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
        registered, version = identifier.get("registeredId"), identifier.get("registeredVersion")
        saved, place = identifier.get("savedId"), f"{where}[{at}].identifier"
        if registered and version:
            yield AssetUse(place, str(registered), AssetKey(AssetKind.DATASET, str(registered), str(version)))
        elif saved:
            yield AssetUse(place, str(saved), AssetKey(AssetKind.DATASET, str(saved), UNVERSIONED))
