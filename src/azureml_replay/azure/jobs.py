"""Submitting jobs to an Azure ML workspace, and staging what they mount: `synthetic.seam.Submitter`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from azure.core.credentials import AccessToken

from azureml_replay.azure.config import WorkspaceConfig
from azureml_replay.azure.place import resource_id
from azureml_replay.azure.services.arm import API_VERSION
from azureml_replay.azure.storage.files import Files
from azureml_replay.azure.storage.storage import Storage
from azureml_replay.azure.wire import decode, encode
from azureml_replay.errors import NotFound, Unavailable
from azureml_replay.model import Location, RunId, StoredFile
from azureml_replay.sending.limit import stated_wait_s
from azureml_replay.sending.sender import Answer, Sender, Service
from azureml_replay.workspace.jobs import STAGING_STORE, JobState
from azureml_replay.workspace.lease import Check, unchecked
from azureml_replay.workspace.put_files import PutFile

ASSET_VERSION = "2024-01-01-preview"
"""API version with which azure-ai-ml 1.35 sends pipelines and components (synthetic.md 2 and 3)."""
COMMAND_VERSION = "2025-01-01-preview"
"""API version with which it sends command jobs (synthetic.md 2.1)."""
RENEW_BEFORE_S = 300
DELETE_POLL_S = 2.0
"""Between two looks at a deletion, where the service states no wait: the interface file knows one of 10 s and more."""
DELETE_PATIENCE_S = 600.0


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

    async def delete_job(self, name: str) -> None:
        """Delete a job and wait until that is over. Repeatable. Raises NotFound, Rejected, Unavailable.

        A 202 leads to where to ask, 202 after 202, by a `Location` that may be signed and is followed as it stands.
        """
        url = self._url(f"jobs/{quote(name, safe='')}", API_VERSION)
        answer, waited_s = await self._sender.send(self._arm, "DELETE", url, repeatable=True), 0.0
        while answer.status == 202 and (later := self._later(url, answer)):
            if waited_s >= DELETE_PATIENCE_S:
                raise Unavailable(f"job {name} is still being deleted")
            wait_s = stated_wait_s(answer.headers.get("Retry-After"), "") or DELETE_POLL_S
            await self._sender.clock.sleep(wait_s)
            waited_s += wait_s
            try:
                answer, url = await self._sender.send(self._arm, "GET", later, repeatable=True), later
            except NotFound:
                return  # it may lead to the job itself (the interface file's example), or is forgotten once it is over

    def _later(self, url: str, answer: Answer) -> str | None:
        """Where to ask how far a deletion is; None where nothing says so. Our token goes to no other host."""
        told = answer.headers.get("Location")
        later = urljoin(url, told) if told else url if answer.method == "GET" else None
        if later is not None and urlsplit(later)[:2] != urlsplit(self._cloud.arm)[:2]:
            raise Unavailable(f"a deletion goes on at another host: {urlsplit(later).netloc}")
        return later

    async def log(self, run: RunId, values: Mapping[str, Any], *, check: Check = unchecked) -> None:
        """Log metrics, parameters and tags. NOT repeatable with metrics."""
        body, again = {"run_id": run, **values}, "metrics" not in values
        await self._sender.send(self._mlflow, "POST", self._log_batch, json=body, repeatable=again, check=check)

    async def blob_url(self, path: str) -> str:
        """The unsigned URL of a path in the staging store."""
        return await self._storage.url(Location(STAGING_STORE, path))

    async def stage(self, path: str, file: PutFile) -> None:
        """Write a file into the staging store. Repeatable."""
        await self._files.overwrite(file, Location(STAGING_STORE, path))

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
