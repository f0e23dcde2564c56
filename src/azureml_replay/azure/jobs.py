"""Submitting jobs to an Azure ML workspace, and staging what they mount: `synthetic.seam.Submitter`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from azure.core.credentials import AccessToken

from azureml_replay.azure.config import WorkspaceConfig
from azureml_replay.azure.place import resource_id
from azureml_replay.azure.sending.sender import Sender, Service
from azureml_replay.azure.storage.files import Files
from azureml_replay.azure.storage.storage import Storage
from azureml_replay.azure.wire import decode, encode
from azureml_replay.errors import NotFound
from azureml_replay.model import Location, RunId, StoredFile
from azureml_replay.workspace.jobs import STAGING_STORE, JobState
from azureml_replay.workspace.lease import Check, unchecked
from azureml_replay.workspace.put_files import PutFile

ASSET_VERSION = "2024-01-01-preview"
"""API version with which azure-ai-ml 1.35 sends pipelines and components (synthetic.md 2 and 3)."""
COMMAND_VERSION = "2025-01-01-preview"
"""API version with which it sends command jobs (synthetic.md 2.1)."""
RENEW_BEFORE_S = 300


class AzureSubmitter:
    """Submits jobs to one workspace, and stages files in it."""

    def __init__(self, sender: Sender, config: WorkspaceConfig, api: str, *, storage: Storage, files: Files) -> None:
        """`api` is the data plane's host."""
        cloud, ref = config.cloud, config.ref
        self._sender, self._cloud, self._storage, self._files = sender, cloud, storage, files
        self._arm = Service("arm", cloud.arm_scope)
        self._mlflow = Service("mlflow", cloud.arm_scope)
        self._resources = f"{cloud.arm}{quote(resource_id(ref))}"
        self._log_batch = f"{api}/mlflow/v2.0{quote(resource_id(ref))}/api/2.0/mlflow/runs/log-batch"
        self._token: AccessToken | None = None

    async def registered(self, path: str) -> Mapping[str, Any] | None:
        """The resource at a path below the workspace, None where there is none."""
        return await self._get(path, ASSET_VERSION)

    async def register(self, path: str, body: Mapping[str, Any]) -> str:
        """Put a resource; the ARM id that the service gave it. Repeatable."""
        url = self._url(path, ASSET_VERSION)
        answer = await self._sender.send(self._arm, "PUT", url, json=body, repeatable=True)
        return decode.resource_id(answer.json())

    async def job(self, name: str) -> JobState | None:
        """The job of a name, None where there is none."""
        document = await self._get(f"jobs/{quote(name, safe='')}", ASSET_VERSION)
        return None if document is None else decode.job_state(document)

    async def put_job(self, name: str, body: Mapping[str, Any], *, check: Check = unchecked) -> None:
        """Start a job. NOT repeatable. A pipeline carries a second token, for the service that runs its steps."""
        pipeline = encode.is_pipeline(body)
        url = self._url(f"jobs/{quote(name, safe='')}", ASSET_VERSION if pipeline else COMMAND_VERSION)
        headers = {"x-azureml-token": await self._service_token()} if pipeline else {}
        await self._sender.send(self._arm, "PUT", url, json=body, headers=headers, repeatable=False, check=check)

    async def log(self, run: RunId, values: Mapping[str, Any], *, check: Check = unchecked) -> None:
        """Log metrics, parameters and tags. NOT repeatable with metrics."""
        body, again = {"run_id": run, **values}, "metrics" not in values
        await self._sender.send(self._mlflow, "POST", self._log_batch, json=body, repeatable=again, check=check)

    async def blob_url(self, path: str) -> str:
        """The unsigned URL of a path in the staging store."""
        return await self._storage.url(Location(STAGING_STORE, path))

    async def stage(self, path: str, file: PutFile) -> None:
        """Write a file into the staging store. Repeatable."""
        at = Location(STAGING_STORE, path)
        await self._files.write(await self._storage.writable(at), file, at)

    def staged(self, prefix: str) -> AsyncIterator[Sequence[StoredFile]]:
        """The files in the staging store under a prefix, by pages."""
        return self._storage.listed(STAGING_STORE, prefix)

    async def unstage(self, path: str) -> None:
        """Remove a file from the staging store. Repeatable."""
        await self._storage.remove(Location(STAGING_STORE, path))

    def _url(self, path: str, version: str) -> str:
        return f"{self._resources}/{path}?api-version={version}"

    async def _get(self, path: str, version: str) -> Mapping[str, Any] | None:
        try:
            answer = await self._sender.send(self._arm, "GET", self._url(path, version), repeatable=True)
        except NotFound:
            return None
        document: Mapping[str, Any] = answer.json()
        return document

    async def _service_token(self) -> str:
        """The second token, kept: a login through the Azure CLI starts a process for each one."""
        now = self._sender.clock.now().timestamp()
        if self._token is None or self._token.expires_on - RENEW_BEFORE_S < now:
            self._token = await self._sender.token(self._cloud.ml_scope)
        return self._token.token
