"""Code snapshots: a code asset's folder in a datastore, or the content service's snapshot."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from urllib.parse import quote, urlsplit

from azureml_replay.azure.services.arm import Arm
from azureml_replay.azure.storage.storage import Storage, beside
from azureml_replay.azure.wire import decode_storage, encode
from azureml_replay.errors import NotFound, Rejected
from azureml_replay.model import CodeReference, Location
from azureml_replay.sending.sender import NOT_SPOKEN, Service
from azureml_replay.workspace.put_files import SecretUrl

logger = logging.getLogger("azureml_replay")

STORE = "workspaceblobstore"
"""The datastore whose account holds code, every asset in a container of its own (code-create-get.json)."""
NO_STORE = "the service has no code store"
"""What is told where no host answers for snapshots; the log has the request."""
NOT_FOUND = 404


class Code:
    """Reads the code that one workspace's runs were submitted with."""

    def __init__(self, arm: Arm, storage: Storage, api: str, arm_id: str, scope: str) -> None:
        """`api` is the data plane's host, `arm_id` the workspace's resource id, `scope` what tokens are for."""
        self._sender, self._arm, self._storage, self._arm_id = storage.sender, arm, storage, arm_id
        self._snapshots = f"{api}/content/v2.0{quote(arm_id)}/snapshots/sas"
        self._content = Service("content", scope)

    async def pieces(self, reference: CodeReference) -> AsyncIterator[tuple[str, bytes]]:
        """Path and bytes of each file, 4 MiB at most at a time, by path. Raises NotFound, Rejected: not to be had."""
        async for piece in await self._files(reference):
            yield piece

    async def _files(self, reference: CodeReference) -> AsyncIterator[tuple[str, bytes]]:
        """The asset that the job names, else the snapshot, else an asset of the snapshot's id: no recording tells."""
        try:
            if reference.asset:
                return self._of_folder(await self._folder(reference.asset))
            return self._of_snapshot(await self._snapshot(reference.snapshot or ""))
        except Rejected:
            if not reference.snapshot:
                raise
            try:
                if reference.asset:
                    return self._of_snapshot(await self._snapshot(reference.snapshot))
                asset = f"{self._arm_id}/codes/{reference.snapshot}/versions/1"
                return self._of_folder(await self._folder(asset))
            except Rejected as other:
                logger.debug("the code of %s has no second way: %s", reference.key, other)
            raise

    async def _folder(self, asset: str) -> Location:
        try:
            uri = decode_storage.code_uri(await self._arm.resource(asset))
        except NotFound as error:
            logger.info("the code asset %s: %s", asset, error)
            raise NotFound("the workspace has no such code asset any more") from error
        return decode_storage.datastore_path(uri) or await self._in_store(uri)

    async def _in_store(self, uri: str) -> Location:
        """Where a URI `https://account.blob…/container/folder` leads: the recorded form, with a port."""
        host, path = urlsplit(uri).hostname or "", urlsplit(uri).path.lstrip("/")
        store = await self._arm.datastore(STORE)
        if host != urlsplit(store.account_url).hostname:
            raise Rejected(f"the code lies in no storage of the workspace: {host}")
        container, _, folder = path.partition("/")
        return Location(beside(STORE, container), folder)

    async def _of_folder(self, folder: Location) -> AsyncIterator[tuple[str, bytes]]:
        prefix, found = folder.path.rstrip("/") + "/", False
        async for page in self._storage.listed(folder.datastore, prefix):
            for file in page:
                found, path = True, file.location.path.removeprefix(prefix)
                yield path, b""
                async for data in self._storage.read(file.location, etag=file.etag):
                    yield path, data
        if not found:
            raise NotFound(f"no file lies in {folder.datastore}/{prefix}", status=404)

    async def _snapshot(self, snapshot: str) -> Sequence[tuple[str, SecretUrl]]:
        """Path and signed URL of each file of a snapshot: a tree, recorded in responses.md 7."""
        body = encode.snapshot_files(snapshot)
        try:
            answer = await self._sender.send(self._content, "POST", self._snapshots, json=body, repeatable=True)
        except Rejected as error:
            if error.status not in NOT_SPOKEN or (error.status == NOT_FOUND and error.code):
                raise
            logger.info("the snapshot %s: %s", snapshot, error)
            raise Rejected(NO_STORE) from error
        return sorted(decode_storage.snapshot_files(answer.json()))

    async def _of_snapshot(self, files: Sequence[tuple[str, SecretUrl]]) -> AsyncIterator[tuple[str, bytes]]:
        for path, url in files:
            yield path, b""
            async for data in self._storage.read_signed(url):
                yield path, data
