"""Blobs written from another process than the server: through its front, to the Azurite that clients reach.

The server must run, because Azurite runs as its child. Kinds of blobs matter: appended ones and block lists have no
MD5, as most of the service's logs have none (23 of 29 recorded).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.core.credentials import AzureSasCredential
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import (
    AccountSasPermissions,
    BlobBlock,
    BlobServiceClient,
    ContentSettings,
    ResourceTypes,
    generate_account_sas,
)

from azureml_sandbox import state
from azureml_sandbox.storage import SUFFIX, pool
from azureml_sandbox.world import Workspace

_BLOCK_BYTES = 4 * 1024 * 1024


class Blobs:
    """The storage account of one workspace."""

    def __init__(self, client: BlobServiceClient, containers: Mapping[str, str]) -> None:
        self._client, self._containers = client, containers

    @classmethod
    def of(cls, folder: Path, workspace: Workspace) -> Blobs:
        """The account behind this workspace of the sandbox that runs over `folder`. state.Problem where none runs."""
        proxy = f"http://127.0.0.1:{state.running(folder).port}"
        key = pool(folder / "accounts.json")[workspace.account]
        sas = generate_account_sas(
            workspace.account,
            key,
            ResourceTypes(container=True, object=True),
            AccountSasPermissions(read=True, list=True, write=True, delete=True, add=True, create=True),
            datetime.now(UTC) + timedelta(days=1),
        )
        client = BlobServiceClient(
            f"https://{workspace.account}{SUFFIX}",
            AzureSasCredential(sas),
            proxies={"https": proxy},
            connection_verify=str(folder / "ca.pem"),
            use_env_settings=False,  # another sandbox's proxy may be exported
        )
        return cls(client, workspace.containers)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def read(self, datastore: str, name: str) -> bytes | None:
        """The bytes of a blob; None where there is none."""
        try:
            return self._client.get_blob_client(self._containers[datastore], name).download_blob().readall()
        except ResourceNotFoundError:
            return None

    def names(self, datastore: str, prefix: str = "") -> Iterator[str]:
        """Of all blobs that begin so."""
        container = self._client.get_container_client(self._containers[datastore])
        return iter(container.list_blob_names(name_starts_with=prefix))

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
        """Write a blob whole, over one that is there: as one block with its MD5, as a block list, or appended."""
        blob = self._client.get_blob_client(self._containers[datastore], name)
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
