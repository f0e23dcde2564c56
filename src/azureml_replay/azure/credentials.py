"""How to log in to one workspace: azure-identity's credentials, over our own transport."""

from __future__ import annotations

import os
from collections.abc import Mapping

from azure.core.credentials_async import AsyncTokenCredential
from azure.identity.aio import (
    AzureCliCredential,
    CertificateCredential,
    ChainedTokenCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from azureml_replay.azure.config import WorkspaceConfig
from azureml_replay.errors import UserError
from azureml_replay.sending.sender import Transport

_PATIENCE = {"retry_connect": 0}
"""azure-identity's retries of a connection: none, as ours are around it. With its three, a dead host took 47 s."""


def credential_for(
    config: WorkspaceConfig, transport: Transport, environment: Mapping[str, str] | None = None
) -> AsyncTokenCredential:
    """A credential of its own for every workspace, so that two tenants work at once.

    Raises UserError where the chosen login lacks what it needs.
    """
    variables = os.environ if environment is None else environment
    kind = config.credential.kind
    if kind == "environment":
        return _required(_environment(config, transport, variables), _asked(config))
    if kind == "workload-identity":
        return _required(_workload(config, transport, variables), ["AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_ID"])
    if kind == "managed-identity":
        return _managed(config, transport)
    return _cli(config) if kind == "cli" else _first(config, transport, variables)


def _first(config: WorkspaceConfig, transport: Transport, variables: Mapping[str, str]) -> AsyncTokenCredential:
    """The first credential that the environment sets up; no other is tried, so that its failure is told as such."""
    for found in (_environment(config, transport, variables), _workload(config, transport, variables)):
        if found is not None:
            return found
    # Its own transport: the machine's metadata service answers on a link-local address, never through a proxy.
    return ChainedTokenCredential(ManagedIdentityCredential(client_id=config.credential.client_id), _cli(config))


def _asked(config: WorkspaceConfig) -> list[str]:
    prefix = config.credential.prefix or ""
    return [prefix + name for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")]


def _environment(
    config: WorkspaceConfig, transport: Transport, variables: Mapping[str, str]
) -> AsyncTokenCredential | None:
    prefix = config.credential.prefix or ""
    tenant = config.tenant_id or variables.get(f"{prefix}AZURE_TENANT_ID")
    client = variables.get(f"{prefix}AZURE_CLIENT_ID")
    secret = variables.get(f"{prefix}AZURE_CLIENT_SECRET")
    certificate = variables.get(f"{prefix}AZURE_CLIENT_CERTIFICATE_PATH")
    if tenant and client and secret:
        return ClientSecretCredential(
            tenant, client, secret, authority=config.cloud.login, transport=transport, **_PATIENCE
        )
    if tenant and client and certificate:
        password = variables.get(f"{prefix}AZURE_CLIENT_CERTIFICATE_PASSWORD")
        return CertificateCredential(
            tenant,
            client,
            certificate,
            password=password,
            authority=config.cloud.login,
            transport=transport,
            **_PATIENCE,
        )
    return None


def _workload(
    config: WorkspaceConfig, transport: Transport, variables: Mapping[str, str]
) -> AsyncTokenCredential | None:
    tenant = config.tenant_id or variables.get("AZURE_TENANT_ID")
    client = config.credential.client_id or variables.get("AZURE_CLIENT_ID")
    token_file = variables.get("AZURE_FEDERATED_TOKEN_FILE")
    if not (tenant and client and token_file):
        return None
    return WorkloadIdentityCredential(
        tenant_id=tenant,
        client_id=client,
        token_file_path=token_file,
        authority=config.cloud.login,
        transport=transport,
        **_PATIENCE,
    )


def _managed(config: WorkspaceConfig, transport: Transport) -> AsyncTokenCredential:
    return ManagedIdentityCredential(client_id=config.credential.client_id, transport=transport)


def _cli(config: WorkspaceConfig) -> AsyncTokenCredential:
    # The CLI's own default tenant is whatever was used last; `az account get-access-token` takes up to 10 s.
    return AzureCliCredential(tenant_id=config.tenant_id or "", process_timeout=30)


def _required(credential: AsyncTokenCredential | None, names: list[str]) -> AsyncTokenCredential:
    if credential is None:
        raise UserError(f"this login needs the environment variables {', '.join(names)}")
    return credential
