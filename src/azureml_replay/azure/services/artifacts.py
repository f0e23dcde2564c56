"""The artifact service: the index of a run's files, and where new ones may be written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from azureml_replay.azure.services.pages import pages
from azureml_replay.azure.wire import decode, encode
from azureml_replay.azure.wire.places import RUN_FILES, container_of
from azureml_replay.errors import Rejected
from azureml_replay.model import Artifact, Location, Run, RunId
from azureml_replay.sending.sender import Sender, Service


class ArtifactIndex:
    """Reads and writes one workspace's index of artifacts."""

    def __init__(self, sender: Sender, api: str, arm_id: str, scope: str) -> None:
        """`api` is the data plane's host, `arm_id` the workspace's resource id, `scope` what tokens are for."""
        self._sender = sender
        self._history = f"{api}/history/v1.0{quote(arm_id)}"
        self._generic = f"{api}/artifact/v2.0{quote(arm_id)}/artifacts/{RUN_FILES}"
        self._register = f"{api}/artifact/v2.0{quote(arm_id)}/artifacts/register"
        self._service = Service("artifact", scope)

    async def listed(self, run: Run) -> AsyncIterator[Sequence[Artifact]]:
        """The index of a run's container, by pages: by run, as azureml-mlflow asks; by container for a reused step."""
        url = self._of_container(run.lender) if run.lender else self._of_run(run.experiment, run.id)

        async def ask(before: decode.Page | None) -> decode.Page:
            token = f"?continuationToken={quote(before.token, safe='')}" if before and before.token else ""
            return decode.page(await self._get(url + token))

        async for page in pages(ask):
            yield [decode.artifact(item) for item in page.items]

    async def entries(
        self, experiment: str, run: RunId, paths: Sequence[str]
    ) -> tuple[Mapping[str, str], Mapping[str, decode.Problem]]:
        """Make index entries; path -> URL to write to, and path -> why not. Repeatable: an entry is made once."""
        url = f"{self._of_run(experiment, run)}/batch/metadata"
        body = encode.artifact_paths(paths)
        answer = await self._sender.send(self._service, "POST", url, json=body, repeatable=True)
        return decode.write_urls(answer.json())

    async def register(self, run: RunId, path: str, place: Location) -> bool:
        """Make an entry for bytes that are there (responses.md 7); False where the path is taken. Repeatable."""
        return await self._registered(encode.registration(run, path, place))

    async def register_upload(self, place: Location) -> None:
        """Make an entry for what a client uploaded without a run: by it alone MLflow finds such files. Repeatable."""
        origin, _, below = place.path.partition("/")
        container, _, path = below.partition("/")
        await self._registered(encode.entry(origin, container, path, place))

    async def _registered(self, body: encode.Body) -> bool:
        try:
            await self._sender.send(self._service, "POST", self._register, json=body, repeatable=True)
        except Rejected as error:
            if error.status == 409:
                return False
            raise
        return True

    async def write_url(self, run: RunId, path: str) -> str:
        """The URL at which a file that has an entry can be written again: promised by the interface file alone."""
        url = f"{self._of_container(run)}/write?path={quote(path, safe='')}"
        return decode.content_url(await self._get(url))

    async def remove(self, run: RunId, paths: Sequence[str]) -> None:
        """Delete index entries for good. Repeatable where the service passes over entries that are not there.

        The route stands in the interface file alone.
        """
        url = f"{self._of_container(run)}/batch/metadata:delete?hardDelete=true"
        await self._sender.send(self._service, "POST", url, json=encode.artifact_paths(paths), repeatable=True)

    def _of_run(self, experiment: str, run: RunId) -> str:
        return f"{self._history}/experiments/{quote(experiment, safe='')}/runs/{quote(run, safe='')}/artifacts"

    def _of_container(self, run: RunId) -> str:
        return f"{self._generic}/{quote(container_of(run), safe='')}"

    async def _get(self, url: str) -> Any:  # noqa: ANN401 decode.py gives it a type
        return (await self._sender.send(self._service, "GET", url, repeatable=True)).json()
