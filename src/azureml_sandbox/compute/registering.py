"""Outputs of jobs that are registered as data or models under a name of the user's own.

Recorded: a step's output when the step has ended, a nested pipeline's with the place of the step that made it, a
pipeline's whose output says `assetName` (pipe-details-completed 23, 76-79). Assumptions: a command job's likewise; of a
name without a version the next number; what is bound to an output of the pipeline is registered under that one's name
alone, which is all that the recording asks for; models as data, with the run that made them, flavors unread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from azureml_sandbox import instants
from azureml_sandbox.assets import documents
from azureml_sandbox.assets.model_uris import long_model_uri
from azureml_sandbox.assets.places import long_uri
from azureml_sandbox.compute.record import Record
from azureml_sandbox.compute.site import Site
from azureml_sandbox.compute.values import MODELS, Data
from azureml_sandbox.world import Document, Kind


@dataclass(frozen=True, slots=True)
class Name:
    """Under which name and version an output is to be registered."""

    name: str
    version: str | None


def names(outputs: Mapping[str, Document | None] | None) -> dict[str, Name]:
    """The names that the outputs of a job or node ask for, by output; `assetName` on jobs, `name` on nodes."""
    asked = {output: port or {} for output, port in (outputs or {}).items()}
    found = {output: (port.get("assetName") or port.get("name"), port) for output, port in asked.items()}
    return {
        output: Name(str(name), port.get("assetVersion") or port.get("version"))
        for output, (name, port) in found.items()
        if name
    }


def register(site: Site, record: Record, asked: Mapping[str, Name], outputs: Mapping[str, Data]) -> None:
    """Register those outputs that were asked for. Repeatable: the version is replaced."""
    for output, name in asked.items():
        data = outputs.get(output)
        if data is not None:
            _register(site, record, name, data)


def _register(site: Site, record: Record, asked: Name, data: Data) -> None:
    found, guid, workspace = site.world.assets, site.workspace.guid, site.workspace
    kind: Kind = "models" if data.kind in MODELS else "data"
    around = found.get(guid, kind, asked.name)
    version = asked.version or _next(around)
    by, now = record.document["createdBy"], instants.text(instants.now())
    by_type = "User" if by["upn"] else "Application"
    told = {"createdAt": now, "createdBy": by["userName"], "createdByType": by_type, "lastModifiedAt": now}
    typed = {} if kind == "models" else {"dataType": data.kind}
    around = around or documents.container(workspace, kind, asked.name, told, **typed)
    made = _version(site, record, asked.name, version, data)
    with site.world.transaction():
        found.put(guid, kind, asked.name, made | {"systemData": told}, version)
        found.put(guid, kind, asked.name, documents.with_version(around, version))


def _version(site: Site, record: Record, name: str, version: str, data: Data) -> Document:
    if data.kind not in MODELS:
        uri = long_uri(site.workspace, data.uri)
        told = {"dataUri": uri if uri.endswith("/") or data.kind == "uri_file" else f"{uri}/", "dataType": data.kind}
        return documents.output_data(site.workspace, name, version, told, {})
    unset: Document = {"description": None, "tags": {}, "properties": {}, "isArchived": False, "isAnonymous": False}
    uri = long_model_uri(site.workspace, data.uri).rstrip("/")
    model = unset | {"modelType": data.kind, "modelUri": uri, "flavors": {}, "jobName": record.run_id}
    return documents.version_of(site.workspace, "models", name, version, properties=model, system_data={})


def _next(container: Document | None) -> str:
    return str(((container or {}).get("properties") or {}).get("nextVersion") or "1")
