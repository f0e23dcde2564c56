"""The blobs of the sandbox's storage accounts, as the server's own handlers and jobs reach them: in Azurite directly.

Clients reach the same Azurite through `front/relay.py`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

import aiohttp
from azure.storage.blob import (
    AccountSasPermissions,
    ResourceTypes,
    generate_account_sas,
)
from yarl import URL

from azureml_sandbox.pki import write_private
from azureml_sandbox.storage.azurite import Azurite
from azureml_sandbox.storage.delegation import delegated_sas

SUFFIX = ".blob.core.windows.net"
VERSION = "2025-11-05"
"""The API version of azure-storage-blob 12.27, which Azurite 3.37 knows."""

# Azurite reads AZURITE_ACCOUNTS when it starts, so accounts for later workspaces are made in advance; 91 KB of 128.
_POOL = 800
_APPEND_BYTES = 4 * 1024 * 1024


class StorageError(Exception):
    """Azurite refused; the message holds its status, its error code and the request."""

    def __init__(self, status: int, code: str, request: str) -> None:
        super().__init__(f"{status} {code}: {request}")
        self.status, self.code = status, code


@dataclass(frozen=True, slots=True)
class Blob:
    """One entry of a listing."""

    name: str
    size_bytes: int
    content_md5: str | None
    """Base64, as stored; None where the blob was put in blocks or appended."""


def pool(file: Path) -> dict[str, str]:
    """Names and keys of this DIR's storage accounts, made on first use, readable by their owner only."""
    if not file.exists():
        names = (f"sandbox{secrets.token_hex(8)}" for _ in range(_POOL))
        accounts = {name: base64.b64encode(secrets.token_bytes(64)).decode() for name in names}
        write_private(file, json.dumps(accounts).encode())
    return {str(name): str(key) for name, key in json.loads(file.read_bytes()).items()}


class Storage:
    """All storage accounts of one sandbox. Every operation is one request to Azurite on loopback."""

    def __init__(self, accounts: Mapping[str, str], azurite: Azurite, session: aiohttp.ClientSession) -> None:
        self.accounts = accounts
        self.session = session
        self._azurite = azurite
        self._signed: dict[str, str] = {}

    @classmethod
    async def start(cls, folder: Path) -> Storage:
        """Start Azurite over `folder/azurite` with the accounts of `folder/accounts.json`."""
        accounts = pool(folder / "accounts.json")
        azurite = await Azurite.start(folder / "azurite", accounts)
        # Azurite closes idle connections after 5 s, whatever its options say; one may be in use again just then.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=3)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        return cls(
            accounts, azurite, aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        )

    async def stop(self) -> None:
        """Close the connections and stop Azurite; return when it has written its metadata."""
        await self.session.close()
        await self._azurite.stop()

    @property
    def address(self) -> str:
        """Azurite's own `host:port`."""
        return f"127.0.0.1:{self._azurite.port}"

    def account_key(self, account: str) -> str:
        """The account's key, base64. Raises KeyError for an account that is not the sandbox's."""
        return self.accounts[account]

    def sas_url(self, account: str, container: str, blob: str | None, permissions: str, hours: float) -> str:
        """The public URL of a blob, or of a container where `blob` is None, with the service's own SAS for it."""
        sas = delegated_sas(self.accounts, account, container, blob, permissions=permissions, hours=hours)
        return f"https://{account}{SUFFIX}{_path(container, blob)}?{sas}"

    def keyed_sas(self, account: str, permissions: str, hours: float) -> str:
        """A SAS for all containers of an account and their blobs, signed with its key.

        Raises KeyError for an account that is not the sandbox's.
        """
        return generate_account_sas(
            account,
            self.account_key(account),
            ResourceTypes(container=True, object=True),
            AccountSasPermissions.from_string(permissions),  # type: ignore[no-untyped-call]
            datetime.now(UTC) + timedelta(hours=hours),
        )

    async def create_container(self, account: str, container: str) -> None:
        """Create a container. Repeatable: a container that exists stays as it is."""
        await self._ask("PUT", account, _path(container), {"restype": "container"}, allowed=("ContainerAlreadyExists",))

    async def put(
        self,
        account: str,
        container: str,
        blob: str,
        data: bytes,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        append: bool = False,
    ) -> None:
        """Write a whole block blob with its MD5, or add to the end of an append blob, which is made if it is missing.

        Not repeatable with `append`.
        """
        headers = {"x-ms-blob-type": "AppendBlob" if append else "BlockBlob"}
        headers["x-ms-blob-content-type"] = content_type or "application/octet-stream"
        headers |= {f"x-ms-meta-{name}": value for name, value in (metadata or {}).items()}
        path = _path(container, blob)
        if not append:
            await self._ask("PUT", account, path, {}, headers | {"Content-MD5": _md5(data)}, data=data)
            return
        await self._ask("PUT", account, path, {}, headers | {"If-None-Match": "*"}, allowed=("BlobAlreadyExists",))
        for start in range(0, len(data), _APPEND_BYTES):
            part = data[start : start + _APPEND_BYTES]
            await self._ask("PUT", account, path, {"comp": "appendblock"}, {"Content-MD5": _md5(part)}, data=part)

    async def read(self, account: str, container: str, blob: str) -> bytes:
        """The whole content of a blob. Raises StorageError (404) where there is none."""
        return await self._ask("GET", account, _path(container, blob), {})

    async def exists(self, account: str, container: str, blob: str) -> bool:
        """Whether there is such a blob."""
        try:
            await self._ask("HEAD", account, _path(container, blob), {})
        except StorageError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def delete(self, account: str, container: str, blob: str) -> None:
        """Delete a blob. Repeatable: a blob that does not exist counts as deleted."""
        await self._ask("DELETE", account, _path(container, blob), {}, allowed=("BlobNotFound",))

    async def empty(self, account: str, container: str, blob: str) -> None:
        """Leave a block blob without a byte, whatever was there. Repeatable."""
        await self.delete(account, container, blob)  # whose type would stay
        await self.put(account, container, blob, b"")

    async def change(self, account: str, container: str, blob: str) -> None:
        """Add one byte to a blob; its kind, content type and metadata are kept. Not repeatable."""
        url = self._url(account, _path(container, blob), {})
        async with self.session.get(url, headers={"x-ms-version": VERSION}) as answer:
            data, headers = await answer.read(), answer.headers
        if answer.status == 404:
            return
        if headers["x-ms-blob-type"] == "AppendBlob":
            await self._ask("PUT", account, _path(container, blob), {"comp": "appendblock"}, data=b"\n")
            return
        metadata = {name[10:]: value for name, value in headers.items() if name[:10].lower() == "x-ms-meta-"}
        kind = headers.get("content-type")
        await self.put(account, container, blob, data + b"\n", content_type=kind, metadata=metadata)

    async def list(self, account: str, container: str, prefix: str = "") -> AsyncIterator[Blob]:
        """All blobs whose name begins with `prefix`, in the service's order."""
        query = {"restype": "container", "comp": "list", "prefix": prefix}
        while True:
            answer = await self._ask("GET", account, _path(container), query)
            page = ElementTree.fromstring(answer.decode("utf-8-sig"))  # noqa: S314 - Azurite wrote it
            for entry in page.iterfind("Blobs/Blob"):
                properties = entry.find("Properties")
                assert properties is not None  # noqa: S101 - every entry has them
                size, digest = properties.findtext("Content-Length"), properties.findtext("Content-MD5")
                yield Blob(entry.findtext("Name") or "", int(size or 0), digest or None)
            marker = page.findtext("NextMarker")
            if not marker:
                return
            query["marker"] = marker

    def full_access(self, account: str) -> str:
        """A query string that opens the whole account, for the sandbox's own use; it is signed once."""
        if account not in self._signed:
            self._signed[account] = generate_account_sas(
                account,
                self.account_key(account),
                ResourceTypes(service=True, container=True, object=True),
                AccountSasPermissions.from_string("rwdxylacuptfi"),  # type: ignore[no-untyped-call]
                datetime.now(UTC) + timedelta(days=3650),
            )
        return self._signed[account]

    async def _ask(
        self,
        method: str,
        account: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        *,
        data: bytes = b"",
        allowed: tuple[str, ...] = (),
    ) -> bytes:
        """The answer's body; empty for an error whose code is `allowed`. Raises StorageError for any other error."""
        url = self._url(account, path, query)
        sent = {"x-ms-version": VERSION, **(headers or {})}
        async with self.session.request(method, url, headers=sent, data=data or None) as answer:
            body = await answer.read()
        code = answer.headers.get("x-ms-error-code", "")
        if answer.status >= 400 and code not in allowed:
            raise StorageError(answer.status, code, f"{method} {account}{path}")
        return body if answer.status < 400 else b""

    def _url(self, account: str, path: str, query: Mapping[str, str]) -> URL:
        given = f"{urlencode(query)}&" if query else ""
        return URL(f"http://{self.address}/{account}{path}?{given}{self.full_access(account)}", encoded=True)


def _path(container: str, blob: str | None = None) -> str:
    return f"/{quote(container)}" + (f"/{quote(blob, safe='/~')}" if blob is not None else "")


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
