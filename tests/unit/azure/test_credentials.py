"""Which login a workspace gets."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from azure.identity.aio import (
    AzureCliCredential,
    ChainedTokenCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from azureml_replay.azure.config import CredentialChoice, CredentialKind, WorkspaceConfig
from azureml_replay.azure.credentials import credential_for
from azureml_replay.azure.place import azure_place
from azureml_replay.errors import UserError
from unit.scripted import Scripted

REF = azure_place("s", "g", "w")
TENANT = "6e0f2c1a-0000-4000-8000-000000000001"


def config(kind: CredentialKind, prefix: str | None = None, tenant: str | None = TENANT) -> WorkspaceConfig:
    return WorkspaceConfig(ref=REF, tenant_id=tenant, credential=CredentialChoice(kind, prefix, None))


def variables(prefix: str = "") -> dict[str, str]:
    return {f"{prefix}AZURE_CLIENT_ID": "client", f"{prefix}AZURE_CLIENT_SECRET": secrets.token_hex()}


def tried(credential: object) -> list[type]:
    assert isinstance(credential, ChainedTokenCredential)
    return [type(each) for each in credential.credentials]


def test_by_default_what_the_environment_sets_up_is_used_alone(tmp_path: Path) -> None:
    """Environment, then workload identity; only where neither is set up, the machine's identity and then the CLI."""
    token_file = {"AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token"), "AZURE_CLIENT_ID": "app"}

    assert tried(credential_for(config("default"), Scripted(), {})) == [ManagedIdentityCredential, AzureCliCredential]
    assert isinstance(credential_for(config("default"), Scripted(), token_file), WorkloadIdentityCredential)
    assert isinstance(credential_for(config("default"), Scripted(), variables() | token_file), ClientSecretCredential)


def test_a_prefix_chooses_other_variables() -> None:
    """So that source and target log in as two principals."""
    chosen = config("environment", "TARGET_")

    assert isinstance(credential_for(chosen, Scripted(), variables("TARGET_")), ClientSecretCredential)
    with pytest.raises(UserError, match="TARGET_AZURE_CLIENT_SECRET"):
        credential_for(chosen, Scripted(), variables())


def test_a_login_that_lacks_its_tenant_is_refused() -> None:
    """Named in the file or in the environment."""
    with pytest.raises(UserError, match="AZURE_TENANT_ID"):
        credential_for(config("environment", tenant=None), Scripted(), variables())
    named = {**variables(), "AZURE_TENANT_ID": TENANT}
    assert isinstance(credential_for(config("environment", tenant=None), Scripted(), named), ClientSecretCredential)


def test_two_workspaces_never_share_a_login() -> None:
    """Two tenants work at once."""
    one, two = (credential_for(config("environment"), Scripted(), variables()) for _ in range(2))

    assert one is not two


@pytest.mark.parametrize(
    ("kind", "made"), [("cli", AzureCliCredential), ("managed-identity", ManagedIdentityCredential)]
)
def test_the_named_login_alone_is_used(kind: CredentialKind, made: type) -> None:
    """No chain hides why it failed."""
    assert isinstance(credential_for(config(kind), Scripted(), variables()), made)
    with pytest.raises(UserError, match="AZURE_FEDERATED_TOKEN_FILE"):
        credential_for(config("workload-identity"), Scripted(), {})
