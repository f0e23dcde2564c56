"""Storage accounts of a sandbox, as clients reach them: with a key, a token or a SAS, under their public names."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from azure.core.credentials import TokenCredential
from azure.storage.blob import BlobSasPermissions, BlobServiceClient, generate_blob_sas

from azureml_sandbox.server.sandbox import WorkspaceFile

ARTIFACTS = "azureml"


def arm_address(workspace: WorkspaceFile) -> str:
    """The workspace's ARM URL."""
    return (
        f"https://management.azure.com/subscriptions/{workspace.subscription_id}/resourceGroups/"
        f"{workspace.resource_group}/providers/Microsoft.MachineLearningServices/workspaces/{workspace.workspace_name}"
    )


def arm(workspace: WorkspaceFile, credential: TokenCredential) -> dict[str, Any]:
    """The workspace's ARM document."""
    token = credential.get_token("https://management.azure.com/.default").token
    answer = requests.get(
        arm_address(workspace), {"api-version": "2024-04-01"}, headers={"Authorization": f"Bearer {token}"}, timeout=30
    )
    answer.raise_for_status()
    document: dict[str, Any] = answer.json()
    return document


class Account:
    """One workspace's storage account."""

    def __init__(self, folder: Path, workspace: WorkspaceFile, credential: TokenCredential) -> None:
        self.name = arm(workspace, credential)["properties"]["storageAccount"].rpartition("/")[2]
        self.key: str = json.loads((folder / "accounts.json").read_bytes())[self.name]
        self.url = f"https://{self.name}.blob.core.windows.net"
        self.credential = credential

    def client(self, kind: str) -> BlobServiceClient:
        """With the account's key, or as the logged-in principal."""
        return BlobServiceClient(self.url, credential=self.key if kind == "key" else self.credential)

    def sas_url(self, blob: str, hours: float = 1) -> str:
        """A read SAS as azure-ai-ml mints it: https only."""
        sas = generate_blob_sas(
            self.name,
            ARTIFACTS,
            blob,
            account_key=self.key,
            permission=BlobSasPermissions(read=True),
            expiry=datetime.now(UTC) + timedelta(hours=hours),
            protocol="https",
        )
        return f"{self.client('key').get_blob_client(ARTIFACTS, blob).url}?{sas}"
