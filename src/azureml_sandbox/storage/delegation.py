"""The SAS that the service itself hands out, signed with a user delegation key as its recorded log URLs are.

Azurite derives such keys from a seed that everybody can read in its source. `start.js` gives it a seed of this DIR's
own, so that only this module makes keys, and Azurite for clients that ask it with a token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from azure.storage.blob import (
    BlobSasPermissions,
    ContainerSasPermissions,
    UserDelegationKey,
    generate_blob_sas,
    generate_container_sas,
)

SERVICE, SERVICE_TENANT = "00000000-0000-4000-8000-0000000000a1", "00000000-0000-4000-8000-0000000000a2"
"""The signer of the service's SAS: object id and tenant of Azure Machine Learning's own application (made up)."""

_VERSION = "2019-07-07"
"""`skv` of the recorded SAS."""
_EARLIER = timedelta(minutes=10)
"""A SAS is valid from ten minutes before it was made on, as recorded."""


def seed(accounts: Mapping[str, str]) -> str:
    """The seed of this DIR's delegation keys; it is as secret as the accounts' keys."""
    return hashlib.sha256("\n".join(sorted(accounts.values())).encode()).hexdigest()


def delegated_sas(
    accounts: Mapping[str, str], account: str, container: str, blob: str | None, *, permissions: str, hours: float
) -> str:
    """A SAS for a blob, or for a container where `blob` is None; `permissions` are the service's letters, as `rwc`."""
    now = datetime.now(UTC)
    start, expiry = now - _EARLIER, now + timedelta(hours=hours)
    key = _key(accounts, start, expiry)
    if blob is None:
        allowed = ContainerSasPermissions.from_string(permissions)
        return generate_container_sas(
            account, container, user_delegation_key=key, permission=allowed, start=start, expiry=expiry
        )
    granted = BlobSasPermissions.from_string(permissions)
    return generate_blob_sas(
        account, container, blob, user_delegation_key=key, permission=granted, start=start, expiry=expiry
    )


def _key(accounts: Mapping[str, str], start: datetime, expiry: datetime) -> UserDelegationKey:
    """The delegation key as Azurite derives it (`getUserDelegationKeyValue` of 3.37)."""
    key = UserDelegationKey()  # type: ignore[no-untyped-call]
    key.signed_oid, key.signed_tid = SERVICE, SERVICE_TENANT
    key.signed_start, key.signed_expiry = (when.strftime("%Y-%m-%dT%H:%M:%SZ") for when in (start, expiry))
    key.signed_service, key.signed_version = "b", _VERSION
    text = "\n".join((SERVICE, SERVICE_TENANT, key.signed_start, key.signed_expiry, "b", _VERSION))
    key.value = base64.b64encode(hmac.new(seed(accounts).encode(), text.encode(), hashlib.sha256).digest()).decode()
    return key
