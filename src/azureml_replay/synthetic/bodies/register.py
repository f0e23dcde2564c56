"""Registers what a workspace must have before the first job: the step's code, its environment, its component."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from azureml_replay import json_text
from azureml_replay.azure.place import resource_id
from azureml_replay.errors import UserError
from azureml_replay.synthetic.bodies import shipped
from azureml_replay.synthetic.bodies.graph import JobPlace, step_component
from azureml_replay.workspace.jobs import STAGING_STORE, Submitter
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.put_files import NewFile

SERVERLESS = "serverless"
NAME = "azureml_replay_step"
_NAMED = re.compile(r"(?:azureml:)?([\w.-]+):([\w.-]+)")


async def place_for(submitter: Submitter, workspace: Place, *, compute: str, environment: str) -> JobPlace:
    """The place where trees can run; registers what is not there, after one GET. Repeatable. Raises UserError."""
    if compute != SERVERLESS and await submitter.registered(f"computes/{compute}") is None:
        raise UserError(f"--compute {compute}: the target has no such compute; `{SERVERLESS}` needs none")
    version = shipped.version()
    where = JobPlace(
        workspace=resource_id(workspace),
        compute=compute,
        datastore=STAGING_STORE,
        code=f"{resource_id(workspace)}/codes/{NAME}/versions/{version}",
        environment=await _environment(submitter, workspace, environment),
    )
    whole = step_component(NAME, "", where, "")  # its code is named by its own digest
    digest = _digest(json_text.dumps(whole, in_order=True).decode())
    path = f"components/{NAME}/versions/{digest}"
    if await submitter.registered(path) is None:
        await _register_code(submitter, version)
        await submitter.register(path, step_component(NAME, digest, where, digest))
    return replace(where, component=f"{resource_id(workspace)}/{path}")


async def _environment(submitter: Submitter, workspace: Place, text: str) -> str:
    """The id of a registry's or this workspace's environment, or of an image, registered as it is: nothing is built."""
    if text.startswith(("azureml://", "/subscriptions/")):
        return text
    named = _NAMED.fullmatch(text)
    if named:
        path = f"environments/{named[1]}/versions/{named[2]}"
        if await submitter.registered(path) is None:
            raise UserError(f"--environment {text}: the target has none of that name; an image is HOST/IMAGE:TAG")
        return f"{resource_id(workspace)}/{path}"
    if "/" not in text:
        raise UserError(f"--environment {text}: expected NAME:VERSION, azureml://registries/..., or HOST/IMAGE:TAG")
    path = f"environments/{NAME}/versions/{_digest(text)}"
    if await submitter.registered(path) is None:
        await submitter.register(path, _resource({"image": text}))
    return f"{resource_id(workspace)}/{path}"


async def _register_code(submitter: Submitter, version: str) -> None:
    path = f"codes/{NAME}/versions/{version}"
    if await submitter.registered(path) is not None:
        return
    folder = f"azureml-replay/code/{version}"
    for name, data in shipped.code().items():
        await submitter.stage(f"{folder}/{name}", NewFile(path=name, data=data, content_type="text/x-python"))
    uri = await submitter.blob_url(folder)
    await submitter.register(path, _resource({"codeUri": uri, "properties": {"hash_sha256": version}}))


def _resource(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"properties": {"isAnonymous": False, "isArchived": False, **properties}}


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
