"""Outputs of jobs that are registered as data under a name of the user's own.

Recorded: a step's output when the step has ended, a nested pipeline's with the place of the step that made it, a
pipeline's whose output says `assetName` (pipe-details-completed 23, 76-79). Assumptions: a command job's likewise; of a
name without a version the next number; what is bound to an output of the pipeline is registered under that one's name
alone, which is all that the recording asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from azureml_sandbox import instants
from azureml_sandbox.assets import documents
from azureml_sandbox.assets.places import long_uri
from azureml_sandbox.compute.record import Record
from azureml_sandbox.compute.site import Site
from azureml_sandbox.compute.values import Data
from azureml_sandbox.world import Document

_KINDS = frozenset({"uri_file", "uri_folder", "mltable"})
"""Models would be registered as models, which the sandbox does not do."""


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
    """Register those outputs that are data and were asked for. Repeatable: the version is replaced."""
    for output, name in asked.items():
        data = outputs.get(output)
        if data is not None and data.kind in _KINDS:
            _register(site, record, name, data)


def _register(site: Site, record: Record, asked: Name, data: Data) -> None:
    found, guid, workspace = site.world.assets, site.workspace.guid, site.workspace
    version = asked.version or _next(found.get(guid, "data", asked.name))
    uri = long_uri(workspace, data.uri)
    told = {"dataUri": uri if uri.endswith("/") or data.kind == "uri_file" else f"{uri}/", "dataType": data.kind}
    by, now = record.document["createdBy"], instants.text(instants.now())
    kind = "User" if by["upn"] else "Application"
    system_data = {"createdAt": now, "createdBy": by["userName"], "createdByType": kind, "lastModifiedAt": now}
    around = found.get(guid, "data", asked.name)
    around = around or documents.container(workspace, "data", asked.name, system_data, dataType=data.kind)
    with site.world.transaction():
        made = documents.output_data(workspace, asked.name, version, told, system_data)
        found.put(guid, "data", asked.name, made, version)
        found.put(guid, "data", asked.name, documents.with_version(around, version))


def _next(container: Document | None) -> str:
    return str(((container or {}).get("properties") or {}).get("nextVersion") or "1")
