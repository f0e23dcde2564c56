"""Azure Resource Manager: the workspace, its jobs and its datastores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from azureml_replay.azure.config import Cloud
from azureml_replay.azure.place import resource_id
from azureml_replay.azure.services.pages import pages
from azureml_replay.azure.wire import decode, decode_storage
from azureml_replay.errors import Rejected, UserError
from azureml_replay.model import Job
from azureml_replay.sending.sender import Sender, Service
from azureml_replay.workspace.examined import JobSeen, StoreSeen
from azureml_replay.workspace.lease import Check
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.reader import Document

API_VERSION = "2024-04-01"
"""The newest API version that was recorded; the fields of a job follow the version asked for (responses.md 1.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlane:
    """What a workspace's discovery document says."""

    api: str
    """The data plane's host."""
    studio: str | None
    """The address of Studio; None where the cloud names none."""
    guid: str = ""
    """By which URIs name the workspace; empty where it does not say."""
    region: str = ""


class Arm:
    """Reads the resources of one workspace from ARM."""

    def __init__(self, sender: Sender, cloud: Cloud, ref: Place) -> None:
        """Asks nothing yet."""
        self._sender = sender
        self._cloud = cloud
        self._ref = ref
        self.scope = cloud.arm_scope
        self._service = Service("arm", cloud.arm_scope)

    async def workspace(self) -> Document:
        """The workspace's own resource. Raises Rejected."""
        document: Document = await self._get(self._url(""))
        return document

    async def places(self) -> DataPlane:
        """The addresses of the data plane and of Studio, from the workspace's own discovery URL.

        Raises UserError where the workspace is not there or this login may not see it.
        """
        try:
            workspace = await self.workspace()
        except Rejected as error:
            reasons = {
                404: "there is no such workspace",
                401: "this login is refused",
                403: error.remedy.said if error.remedy else "this login has no role",
            }
            reason = reasons.get(error.status, "the workspace cannot be read")
            raise UserError(f"{self._ref}: {reason}: {error.args[0]}") from error
        discovery = await self._sender.send(
            Service("discovery", None), "GET", decode.discovery_url(workspace), repeatable=True
        )
        found = discovery.json()
        guid, region = decode.workspace_names(workspace)
        return DataPlane(api=decode.api_url(found), studio=decode.studio_url(found), guid=guid, region=region)

    async def jobs(self) -> AsyncIterator[Sequence[Job]]:
        """Root jobs, archived ones too, by pages."""
        graphs: dict[str, Document | None] = {}
        async for page in self.listed("/jobs", "&listViewType=All"):
            for item in page.items:
                await self._learn_graphs(decode.nested_components(item), graphs)
            yield [decode.job(item, graphs) for item in page.items]

    async def _learn_graphs(self, components: Iterable[str], graphs: dict[str, Document | None]) -> None:
        """Add the graphs of nested pipelines from their components (responses.md 1.2); each is asked for once."""
        ahead = list(components)
        while ahead:
            component = ahead.pop(0)
            if component in graphs:
                continue
            try:
                document = await self._get(f"{self._cloud.arm}{quote(component)}?api-version={API_VERSION}")
            except Rejected:
                graphs[component] = None  # deleted, or not visible to this login: what it held stays unknown
                continue
            graphs[component] = document
            ahead = [*decode.nested_components(document), *ahead]

    async def resource(self, arm_id: str) -> Mapping[str, Any]:
        """The document of any resource, by its id. Raises NotFound, Rejected."""
        document: Mapping[str, Any] = await self._get(f"{self._cloud.arm}{quote(arm_id)}?api-version={API_VERSION}")
        return document

    async def below(self, path: str) -> Document:
        """The document of a resource by its path below the workspace. Raises NotFound, Rejected."""
        document: Document = await self._get(self._url(path))
        return document

    async def put(self, path: str, body: Mapping[str, Any], check: Check, *, repeatable: bool) -> Document:
        """Put a resource below the workspace; what the service answers. Raises Rejected; Uncertain as `Sender.send`."""
        answer = await self._sender.send(
            self._service, "PUT", self._url(path), json=body, repeatable=repeatable, check=check
        )
        document: Document = answer.json()
        return document

    async def datastore(self, name: str) -> decode_storage.Datastore:
        """A datastore's account and container. Raises NotFound, or Rejected where it holds no blobs."""
        document = await self._get(self._url(f"/datastores/{quote(name, safe='')}"))
        return decode_storage.datastore(document, self._cloud.storage_suffix)

    async def datastores(self) -> AsyncIterator[Sequence[StoreSeen]]:
        """All datastores, by pages."""
        async for page in self.listed("/datastores"):
            yield [decode_storage.store_seen(item) for item in page.items]

    async def jobs_seen(self) -> AsyncIterator[Sequence[JobSeen]]:
        """Root jobs, archived ones too, by pages, without their graphs."""
        async for page in self.listed("/jobs", "&listViewType=All"):
            yield [decode.job_seen(item) for item in page.items]

    async def secret(self, name: str) -> decode_storage.Secret:
        """A datastore's key or SAS; an empty one where it has none. Raises Rejected without the role to see it."""
        url = self._url(f"/datastores/{quote(name, safe='')}/listSecrets")
        answer = await self._sender.send(self._service, "POST", url, repeatable=True)
        return decode_storage.secret(answer.json())

    def listed(self, below: str, query: str = "") -> AsyncIterator[decode.Page]:
        """A list of the workspace, by pages."""

        async def ask(before: decode.Page | None) -> decode.Page:
            url = before.link if before and before.link else self._url(below, query)
            return decode.page(await self._get(url))

        return pages(ask)

    def _url(self, below: str, query: str = "") -> str:
        return f"{self._cloud.arm}{quote(resource_id(self._ref))}{below}?api-version={API_VERSION}{query}"

    async def _get(self, url: str) -> Any:  # noqa: ANN401 decode.py gives it a type
        if urlsplit(url).netloc != urlsplit(self._cloud.arm).netloc:  # our token goes to no other host
            raise Rejected(f"a list of {self._cloud.arm} goes on at another host: {urlsplit(url).netloc}")
        return (await self._sender.send(self._service, "GET", url, repeatable=True)).json()
