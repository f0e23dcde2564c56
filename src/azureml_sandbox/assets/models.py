"""What becomes of a model that is registered, whichever service is asked.

Recorded: `resourceGroups` in the long URI, `flavors: {}` of what is no MLflow model (pipe-batch-invoke-outputs 13);
what a run's model is registered with; a missing `flavors` that MLmodel fills in; that older versions of the interface
copy an MLflow model below `ServiceReplicated` and answer the copy's URI (the last three: assets.md 1.3). From
azure-ai-ml's samples and azureml-mlflow's source: the short forms of a URI. Assumptions, each the unkind way: an MLflow
model without a readable MLmodel is refused, and so is the name of a job that the workspace does not have.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import yaml  # type: ignore[import-untyped]

from azureml_sandbox.assets.model_uris import Located, located
from azureml_sandbox.assets.places import Unreadable, place
from azureml_sandbox.assets.store import same_paths
from azureml_sandbox.history.access import strict
from azureml_sandbox.protocol.errors import Refused, job_not_found
from azureml_sandbox.protocol.route import Call
from azureml_sandbox.storage.storage import StorageError
from azureml_sandbox.world import BLOB_STORE, Document

MLFLOW = "mlflow_model"
_KINDS = frozenset({"custom_model", MLFLOW, "triton_model"})
_COMMON = frozenset({"isArchived", "isAnonymous", "description", "tags", "properties"})
_CODES = ("UserError", "BadArgument", "ArgumentInvalid")


@dataclass(frozen=True, slots=True)
class Read:
    """What an MLmodel says."""

    document: Document

    @property
    def flavors(self) -> Document:
        """`{flavor: {"data": {key: text}}}`, as ARM has them."""
        given: Document = self.document.get("flavors") or {}
        return {name: {"data": {key: _text(value) for key, value in data.items()}} for name, data in given.items()}

    def properties(self, where: Located, source: str) -> Document:
        """What a model of a run is registered with (recorded: the keys; the forms of the values are assumptions)."""
        given: Document = self.document.get("flavors") or {}
        told = {f"flavors.{name}": json.dumps(data, default=str) for name, data in given.items()}
        return {
            "azureml.artifactPrefix": where.path,
            "mlflow.modelSourceUri": source,
            "model_json": json.dumps(self.document, default=str),
            "flavors": json.dumps(given, default=str),
        } | told


async def put_by_arm(call: Call, given: Document, before: Document | None, *, staged: bool, copied: bool) -> Document:
    """The properties of a model that ARM was sent. Raises Refused (400, 404).

    `staged`: this version of the interface has stages; `copied`: it copies MLflow models.
    """
    kind = given.get("modelType") or "custom_model"
    if kind not in _KINDS:
        raise Refused(400, f"The ModelType {kind} is not valid.", _CODES)
    where = located(call, str(given.get("modelUri") or ""))
    made = {key: given[key] for key in _COMMON} | {"modelType": kind, "modelUri": where.uri}
    same_paths(call, before, made, "modelUri", "modelType")
    flavors = given.get("flavors") or (await read(call, where.uri)).flavors if kind == MLFLOW else given.get("flavors")
    made |= {"flavors": flavors or {}, "jobName": _job(call, given, before, where)}
    if staged:
        dropped = given["isArchived"] and "drop-archived-stages" in strict(call)
        made |= {"stage": None if dropped else given.get("stage"), "provisioningState": "Succeeded"}
    if before is None and kind == MLFLOW and (copied or "replicate-models" in strict(call)):
        made["modelUri"] = await _replicated(call, where.uri)
    return made


def _job(call: Call, given: Document, before: Document | None, where: Located) -> str | None:
    """The run that a model comes from: as sent, else the one that its short URI named."""
    kept = (before or {}).get("properties", {}).get("jobName")
    sent = None if "drop-job-names" in strict(call) else given.get("jobName")
    name = sent or where.run_id or kept
    if name is not None and name != kept and call.world.runs.get(call.workspace.guid, name) is None:
        raise job_not_found(name)
    return name


async def read(call: Call, uri: str) -> Read:
    """What the MLmodel below a URI says. Raises Refused (400) where there is none that can be read."""
    try:
        there = place(call.world, call.workspace, uri)
        if there.account not in call.storage.accounts:
            raise Unreadable(f"{there.account} cannot be read")
        raw = await call.storage.read(there.account, there.container, f"{there.below}MLmodel")
        document: Any = yaml.safe_load(raw)
    except (Unreadable, StorageError, yaml.YAMLError) as wrong:
        raise Refused(400, f"The model at {uri} has no MLmodel file that can be read: {wrong}", _CODES) from wrong
    if not isinstance(document, dict) or not isinstance(document.get("flavors"), dict):
        raise Refused(400, f"The MLmodel file at {uri} names no flavors.", _CODES)
    return Read(document)


async def _replicated(call: Call, uri: str) -> str:
    """Copy what lies at a URI; returns the copy's URI."""
    there, workspace = place(call.world, call.workspace, uri), call.workspace
    top = f"ServiceReplicated/{uuid4()}"
    async for blob in call.storage.list(there.account, there.container, there.below):
        content = await call.storage.read(there.account, there.container, blob.name)
        await call.storage.put(workspace.account, workspace.containers[BLOB_STORE], f"{top}/{blob.name}", content)
    return located(call, f"azureml://datastores/{BLOB_STORE}/paths/{top}/{there.path}").uri


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
