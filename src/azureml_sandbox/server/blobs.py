"""Writes and reads blobs from another process than the server: through its proxy, in the Azurite that clients reach.

The server must be running, because Azurite runs as its child. Kinds of blobs matter: appended ones and block lists
have no MD5, as most of the service's logs have none (23 of 29 recorded).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobBlock, ContainerClient, ContentSettings

from azureml_sandbox.server import state
from azureml_sandbox.storage.delegation import delegated_sas
from azureml_sandbox.storage.storage import SUFFIX, pool
from azureml_sandbox.world import Workspace

_BLOCK_BYTES = 4 * 1024 * 1024
_SAS_HOURS = 24


class Blobs:
    """The containers of one workspace, by datastore."""

    def __init__(self, containers: Mapping[str, ContainerClient]) -> None:
        self._containers = containers

    @classmethod
    def of(cls, folder: Path, workspace: Workspace) -> Blobs:
        """The containers of this workspace of the sandbox that runs over `folder`. Raises Problem where none runs."""
        proxy, accounts = f"http://127.0.0.1:{state.running(folder).port}", pool(folder / "accounts.json")
        containers = {}
        for datastore, container in workspace.containers.items():
            sas = delegated_sas(accounts, workspace.account, container, None, permissions="racwdl", hours=_SAS_HOURS)
            containers[datastore] = ContainerClient.from_container_url(
                f"https://{workspace.account}{SUFFIX}/{container}?{sas}",
                proxies={"https": proxy},
                connection_verify=str(folder / "ca.pem"),
                use_env_settings=False,  # another sandbox's proxy may be exported
            )
        return cls(containers)

    def close(self) -> None:
        """Close the connections."""
        for container in self._containers.values():
            container.close()

    def read(self, datastore: str, name: str) -> bytes | None:
        """The bytes of a blob; None where there is none."""
        try:
            return self._containers[datastore].get_blob_client(name).download_blob().readall()
        except ResourceNotFoundError:
            return None

    def names(self, datastore: str, prefix: str = "") -> Iterator[str]:
        """The names of all blobs whose name begins with `prefix`."""
        return iter(self._containers[datastore].list_blob_names(name_starts_with=prefix))

    def sizes(self, datastore: str, prefix: str) -> Iterator[tuple[str, int]]:
        """Name and size in bytes of all blobs whose name begins with `prefix`."""
        return ((blob.name, blob.size) for blob in self._containers[datastore].list_blobs(name_starts_with=prefix))

    def put(
        self,
        datastore: str,
        name: str,
        data: bytes,
        *,
        append: bool = False,
        digested: bool = True,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Write a whole blob as one block with its MD5, as a block list, or appended. Repeatable: it is replaced."""
        blob = self._containers[datastore].get_blob_client(name)
        settings, meta = ContentSettings(content_type=content_type), dict(metadata or {})
        parts = [data[at : at + _BLOCK_BYTES] for at in range(0, len(data), _BLOCK_BYTES)]
        if append:
            blob.create_append_blob(settings, meta)
            for part in parts:
                blob.append_block(part)
        elif digested:
            blob.upload_blob(data, overwrite=True, content_settings=settings, metadata=meta)
        else:
            names = [base64.b64encode(b"%08d" % at).decode() for at in range(len(parts))]
            for block, part in zip(names, parts, strict=True):
                blob.stage_block(block, part)
            blob.commit_block_list([BlobBlock(block) for block in names], settings, meta)
