"""Signed URLs, made here from a key that the workspace or the storage account gave us.

Each function loads the client that signs by itself: it takes 90 ms, and most commands sign nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from azureml_replay.azure.wire.decode_storage import Datastore, signed
from azureml_replay.workspace.put_files import SecretUrl

if TYPE_CHECKING:
    from azure.storage.blob import UserDelegationKey

LIFETIME = timedelta(hours=6)
"""Lifetime of every signature of ours: a file of many GB is copied in this time."""

CLOCK_SKEW = timedelta(minutes=15)
"""By which a key begins before now: a storage whose clock is behind ours takes no key that has not begun (documented:
"Create a user delegation SAS", best practices)."""


def container_sas(store: Datastore, key: str, now: datetime) -> str:
    """A signature for reading and listing a container."""
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    allowed = ContainerSasPermissions(read=True, list=True)
    return generate_container_sas(
        store.account, store.container, account_key=key, permission=allowed, expiry=now + LIFETIME
    )


def blob_url(
    store: Datastore, path: str, url: str, now: datetime, *, key: str | UserDelegationKey, write: bool = False
) -> SecretUrl:
    """A blob's `url`, signed with an account key or a delegated one: for reading, or for writing it anew."""
    from azure.storage.blob import BlobSasPermissions, generate_blob_sas

    allowed = BlobSasPermissions(create=True, write=True) if write else BlobSasPermissions(read=True)
    by = {"account_key": key} if isinstance(key, str) else {"user_delegation_key": key}
    sas = generate_blob_sas(store.account, store.container, path, permission=allowed, expiry=now + LIFETIME, **by)
    return signed(url, sas)


def removal_url(store: Datastore, path: str, url: str, now: datetime, *, key: str) -> SecretUrl:
    """A blob's `url`, signed for deleting it."""
    from azure.storage.blob import BlobSasPermissions, generate_blob_sas

    allowed = BlobSasPermissions(delete=True)
    sas = generate_blob_sas(
        store.account, store.container, path, account_key=key, permission=allowed, expiry=now + LIFETIME
    )
    return signed(url, sas)


def delegated_key(fields: Mapping[str, str]) -> UserDelegationKey:
    """The key in an answer of Get User Delegation Key."""
    from azure.storage.blob import UserDelegationKey

    key = UserDelegationKey()  # type: ignore[no-untyped-call]
    key.signed_oid, key.signed_tid = fields["SignedOid"], fields["SignedTid"]
    key.signed_start, key.signed_expiry = fields["SignedStart"], fields["SignedExpiry"]
    key.signed_service, key.signed_version = fields["SignedService"], fields["SignedVersion"]
    key.value = fields["Value"]
    return key
