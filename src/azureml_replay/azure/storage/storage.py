"""Blob storage behind a workspace's datastores: listed, read, removed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from azureml_replay.azure.services.arm import Arm
from azureml_replay.azure.storage import sas
from azureml_replay.azure.wire import decode_storage, encode
from azureml_replay.azure.wire.decode_storage import Datastore, Secret, signed
from azureml_replay.errors import Forbidden, NotFound, Rejected
from azureml_replay.model import Location, StoredFile
from azureml_replay.redact import NEWEST, has_replacement
from azureml_replay.sending.sender import Answer, Sender, Service
from azureml_replay.workspace.put_files import SecretUrl

if TYPE_CHECKING:
    from azure.storage.blob import UserDelegationKey

RANGE_BYTES = 4 * 1024 * 1024
BLOBS_PER_PAGE = 5_000
"""The most that storage gives in one page."""
SIGNED_FOR_LESS = timedelta(hours=1)
"""A signature with less time left than this is renewed before it is used."""
SERVICE_SAS_LIFETIME = timedelta(hours=1)
"""Lifetime of a SAS that the workspace hands out instead of a key, as azure-ai-ml asks for it."""
STORAGE_VERSION = "2023-11-03"
"""The storage API version that goes with a token; a SAS carries its own."""


@dataclass(frozen=True, slots=True)
class Access:
    """A container, and what opens it."""

    store: Datastore
    secret: Secret
    sas: str | None
    """The SAS for reading and listing; None: the login's own token is used."""
    until: datetime


@dataclass(frozen=True, slots=True)
class Door:
    """A URL of a blob or a container, and the service that answers there."""

    url: SecretUrl
    service: Service


class Storage:
    """The containers of one workspace."""

    def __init__(self, sender: Sender, arm: Arm, scope: str) -> None:
        """`scope` is that of tokens for storage, used where a datastore has neither key nor SAS."""
        self.sender = sender
        self._arm = arm
        self._scope = scope
        self._accesses: dict[str, Access] = {}
        self._delegated: dict[str, tuple[UserDelegationKey, datetime]] = {}
        self._turn = asyncio.Lock()

    async def listed(
        self, datastore: str, prefix: str, most: int = BLOBS_PER_PAGE
    ) -> AsyncIterator[Sequence[StoredFile]]:
        """The blobs below a prefix, by pages of at most `most`, in name order."""
        marker = ""
        while True:
            door = await self._container(datastore)
            query = f"restype=container&comp=list&include=metadata&maxresults={most}"
            query += f"&prefix={quote(prefix, safe='')}&marker={quote(marker, safe='')}"
            page = decode_storage.blobs((await self.ask(door, "GET", query=query)).body, datastore)
            yield page.files
            if not page.marker:
                return
            marker = page.marker

    async def true_place(self, location: Location) -> Location:
        """The place of the blob that a location means in which a secret was replaced; else the location itself.

        Blobs are told apart by listing the folder: of the secret only its digest is known.
        """
        if not has_replacement(location.path):
            return location
        begun = location.path[: location.path.index("redacted-")]
        folder = begun[: begun.rfind("/") + 1]
        meant = NEWEST.path(location.path[len(folder) :])
        found = location
        async for page in self.listed(location.datastore, folder):
            for file in page:
                if file.location == location:
                    return location
                if NEWEST.path(file.location.path[len(folder) :]) == meant:
                    found = file.location
        return found

    async def properties(self, location: Location) -> StoredFile | None:
        """The properties of one blob, None where it is gone."""
        door = await self._blob(
            await self.true_place(location)
        )  # outside the try: an unknown datastore is no missing file
        try:
            answer = await self.ask(door, "HEAD")
        except NotFound:
            return None
        return decode_storage.blob_headers(location, answer.headers)

    async def read(
        self, location: Location, *, start: int = 0, stop: int | None = None, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        """A blob's bytes, range by range, all of one version: Rejected (412) where it changes meanwhile."""
        place = await self.true_place(location)
        async for data in self._ranges(partial(self._blob, place), start=start, stop=stop, etag=etag):
            yield data

    async def read_signed(self, url: str) -> AsyncIterator[bytes]:
        """The bytes of a blob at a signed URL that a service handed out, as `read`."""

        async def door() -> Door:
            return self.door(url)

        async for data in self._ranges(door):
            yield data

    async def _ranges(
        self, door: Callable[[], Awaitable[Door]], *, start: int = 0, stop: int | None = None, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        offset, pinned = start, {"If-Match": f'"{etag}"'} if etag else {}
        while stop is None or offset < stop:
            until = offset + RANGE_BYTES if stop is None else min(offset + RANGE_BYTES, stop)
            wanted = {"x-ms-range": f"bytes={offset}-{until - 1}", "Accept-Encoding": "identity"}
            try:
                answer = await self.ask(await door(), "GET", headers={**wanted, **pinned}, raw=True)
            except Rejected as error:
                if error.status == 416 and offset == 0:
                    return  # an empty blob has no first byte (responses.md 7)
                raise
            if answer.body:
                yield answer.body
            offset += len(answer.body)
            pinned = {"If-Match": answer.headers["ETag"]}
            if answer.status == 200 or offset >= int(answer.headers["Content-Range"].rpartition("/")[2]):
                return

    async def uncommitted(self, location: Location) -> bytes:
        """The answer of Get Block List: what an interrupted upload left. Raises NotFound where it left nothing."""
        query = "comp=blocklist&blocklisttype=uncommitted"
        return (await self.ask(await self._blob(location), "GET", query=query)).body

    async def readable_url(self, location: Location) -> SecretUrl:
        """A URL that another storage service can read the blob at for some hours."""
        location = await self.true_place(location)
        access = await self._access(location.datastore)
        url, now = blob_url(access.store, location.path), self.sender.clock.now()
        if access.secret.sas:
            return signed(url, access.secret.sas)
        key = access.secret.key or await self._delegated_key(access.store)
        return sas.blob_url(access.store, location.path, url, now, key=key)

    async def writable(self, location: Location) -> Door:
        """A URL to write a blob at, whether it exists or not, with the datastore's own credentials."""
        access = await self._access(location.datastore)
        url = blob_url(access.store, location.path)
        if access.secret.key:
            now = self.sender.clock.now()
            url = sas.blob_url(access.store, location.path, url, now, key=access.secret.key, write=True)
            return Door(url, self._service(access.store.account, signed=True))
        return self._door(access, url)

    async def url(self, location: Location) -> str:
        """The unsigned URL of a blob."""
        return blob_url((await self._access(location.datastore)).store, location.path)

    async def removable(self, location: Location) -> Door:
        """A URL to delete a blob at, with the datastore's own credentials."""
        access = await self._access(location.datastore)
        url = blob_url(access.store, location.path)
        if access.secret.key:
            now = self.sender.clock.now()
            url = sas.removal_url(access.store, location.path, url, now, key=access.secret.key)
            return Door(url, self._service(access.store.account, signed=True))
        return self._door(access, url)

    async def remove(self, location: Location) -> None:
        """Delete a blob and its snapshots. Repeatable: one that is gone is no error."""
        door = await self.removable(location)  # outside the try: an unknown datastore is no missing blob
        try:
            await self.ask(door, "DELETE", headers=encode.REMOVAL_HEADERS)
        except NotFound:
            return

    def door(self, url: str) -> Door:
        """The door at a signed URL that a service handed out."""
        return Door(SecretUrl(url), self._service((urlsplit(url).hostname or "").partition(".")[0], signed=True))

    async def ask(
        self,
        door: Door,
        method: str,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        raw: bool = False,
    ) -> Answer:
        """Send a request to storage. All of them are repeatable: a blob holds what was put last."""
        url = str(door.url)
        if query:
            url += ("&" if "?" in url else "?") + query
        always = encode.storage_headers(STORAGE_VERSION, self.sender.clock.now())
        return await self.sender.send(
            door.service, method, url, headers={**always, **(headers or {})}, data=data, raw=raw, repeatable=True
        )

    async def opened_by(self, datastore: str) -> str:
        """What opens the container: `account key`, `SAS`, or `this login` where there is neither, or none is taken.

        Raises Forbidden where the login may not see what the datastore has.
        """
        try:
            await self._arm.secret(datastore)
        except Forbidden:
            raise
        except Rejected:
            pass  # a datastore without credentials has nothing to list (400)
        access = await self._access(datastore)
        return "account key" if access.secret.key else "SAS" if access.sas else "this login"

    async def _container(self, datastore: str) -> Door:
        access = await self._access(datastore)
        return self._door(access, access.store.url)

    async def _blob(self, location: Location) -> Door:
        access = await self._access(location.datastore)
        return self._door(access, blob_url(access.store, location.path))

    def _door(self, access: Access, url: str) -> Door:
        opened = signed(url, access.sas) if access.sas else SecretUrl(url)
        return Door(opened, self._service(access.store.account, signed=access.sas is not None))

    def _service(self, account: str, *, signed: bool) -> Service:
        return Service(f"blob {account}", None if signed else self._scope)

    async def _access(self, datastore: str) -> Access:
        async with self._turn:
            found, now = self._accesses.get(datastore), self.sender.clock.now()
            if found is None or found.until <= now:
                found = self._accesses[datastore] = await self._opened(datastore, now)
            return found

    async def _opened(self, datastore: str, now: datetime) -> Access:
        name, _, container = datastore.partition("/")
        store = await self._arm.datastore(name)
        store = replace(store, container=container) if container else store
        try:
            secret = await self._arm.secret(name)
        except Rejected:
            secret = Secret()  # it may not be seen: the own login may open the container, as azure-ai-ml tries too
        if secret.key:
            signature = sas.container_sas(store, secret.key, now)
            access = Access(store, secret, signature, now + sas.LIFETIME - SIGNED_FOR_LESS)
        else:
            secret = Secret() if container else secret  # a SAS opens no other container than its own
            access = Access(store, secret, secret.sas, now + SERVICE_SAS_LIFETIME / 2)
        return access if await self._takes(access) else Access(store, Secret(), None, access.until)

    async def _takes(self, access: Access) -> bool:
        """False where the account takes no signatures of its keys: a copy that fails for it would not say so."""
        if access.sas is None:
            return True
        try:
            await self.ask(
                self._door(access, access.store.url), "GET", query="restype=container&comp=list&maxresults=1"
            )
        except Rejected as error:
            return error.code != decode_storage.NO_KEYS
        return True

    async def _delegated_key(self, store: Datastore) -> UserDelegationKey:
        now = self.sender.clock.now()
        found = self._delegated.get(store.account)
        if found is None or found[1] <= now:
            door = Door(SecretUrl(f"{store.account_url}/"), self._service(store.account, signed=False))
            body = encode.delegation_key_request(now - sas.CLOCK_SKEW, now + sas.LIFETIME)
            query = "restype=service&comp=userdelegationkey"
            answer = await self.ask(door, "POST", query=query, headers=encode.XML_HEADERS, data=body)
            key = sas.delegated_key(decode_storage.delegation_key(answer.body))
            found = self._delegated[store.account] = (key, now + sas.LIFETIME - SIGNED_FOR_LESS)
        return found[0]


def beside(datastore: str, container: str) -> str:
    """A name for another container of a datastore's account, which its key opens too, and so may the own login."""
    return f"{datastore}/{container}"


def blob_url(store: Datastore, path: str) -> str:
    """The URL of a blob, every character of its name encoded once: `#`, `?`, `%` and `//` are legal in names."""
    return f"{store.url}/{quote(path, safe='/')}"
