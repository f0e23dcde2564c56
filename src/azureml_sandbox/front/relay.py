"""Passes requests to `{account}.blob.core.windows.net` on to Azurite: bodies stream, paths stay byte by byte.

Azurite takes the account from the host name, so shared-key and SAS signatures stay valid, and Azurite checks both;
`admission.py` checks the rest. Azurite copies only from its own `host:port`, so a request that names a copy source is
rewritten to Azurite's path style, source included; its shared key is then checked here, and the request signed again.
"""

from __future__ import annotations

import hmac
import re
from functools import partial
from urllib.parse import parse_qs, unquote, urlsplit

import aiohttp
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from yarl import URL

from azureml_sandbox.front.admission import WRONG_SIGNATURE, Admission
from azureml_sandbox.front.pending_copies import PendingCopies
from azureml_sandbox.front.tunnel import METADATA, AsSent
from azureml_sandbox.protocol import limits, roles
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.login import TokenRefused
from azureml_sandbox.protocol.refusals import refuse, unauthorized
from azureml_sandbox.protocol.route import Effect
from azureml_sandbox.protocol.traffic import Asked
from azureml_sandbox.storage.shared_key import authorization
from azureml_sandbox.storage.storage import SUFFIX, Storage

_OF_THE_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "expect", "date"})
_SKIPPED = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")
_COPY, _COPY_TOKEN = "x-ms-copy-source", "x-ms-copy-source-authorization"
_READ = f"{roles.BLOBS}/containers/blobs/read"
_NOT_PUBLIC = Refused(409, "Public access is not permitted on this storage account.", ("CannotVerifyCopySource",))
"""A synchronous copy asks for its source's own signature or token, in the same account too (documented)."""
_TOO_LONG = Refused(400, "One of the request inputs is out of range.", ("OutOfRangeInput",))
"""The answer to any request for a blob whose name is too long (Azurite#398), 513 emoji included
(azure-storage-cpp#291)."""
_OWN_SOURCE = re.compile(rb"http://127\.0\.0\.1:\d+/([a-z0-9]+)/")


def blob_operation(method: str, query: str, *, copies: bool) -> tuple[str, Effect]:
    """A name for what a request does, `blob GET`, `blob list`, `blob PUT block copy`, `container PUT`; its effect."""
    asked = parse_qs(query, keep_blank_values=True)
    comp, restype = asked.get("comp", [""])[0], asked.get("restype", [""])[0]
    if comp == "list":
        return "blob list" if restype == "container" else "container list", "read"
    what = " ".join(filter(None, (restype or "blob", method, comp, "copy" if copies else "")))
    reads = method in {"GET", "HEAD"} or comp == "userdelegationkey"
    return what, "read" if reads else "write"


class Relay:
    """Passes the requests of clients on to Azurite."""

    def __init__(self, storage: Storage, admission: Admission) -> None:
        self._storage, self._admission = storage, admission
        self._pending = PendingCopies()

    def to(self, asked: Asked, account: str, tenant_id: str) -> ASGIApp:
        """The answer to one request for this account: Azurite's, or a refusal in storage's form."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            headers = {name.decode(): value.decode(errors="replace") for name, value in scope["headers"]}
            try:
                url = self._admit(asked, account, scope, headers)
                passing = self._timely(account, scope, headers, self._pass_on(asked, url, headers))
            except TokenRefused as error:
                await unauthorized(asked, error, tenant_id)(scope, receive, send)
            except Refused as refused:
                await refuse(asked, refused)(scope, receive, send)
            else:
                await passing(scope, receive, send)

        return answer

    async def disturb(self, act: str, scope: Scope) -> None:
        """Change or remove the blob that a request reads (`declared_faults.SOURCES`); no effect where it reads none."""
        headers = {name.decode(): value.decode(errors="replace") for name, value in scope["headers"]}
        own = f"https://{headers['host']}{scope['raw_path'].decode('ascii')}" if scope["method"] == "GET" else ""
        parts = urlsplit(headers.get(_COPY, own))
        account = parts.netloc.removesuffix(":443").removesuffix(SUFFIX)
        container, _, blob = unquote(parts.path.removeprefix("/")).partition("/")
        if account in self._storage.accounts and blob:
            await (self._storage.change if act == "change-source" else self._storage.delete)(account, container, blob)

    def _timely(self, account: str, scope: Scope, headers: dict[str, str], answer: ASGIApp) -> ASGIApp:
        """The answer, or another one while a copy to this blob is pending.

        Raises Refused (409) where the request must wait.
        """
        path, query = scope["raw_path"].decode("ascii"), scope["query_string"].decode("ascii")
        container, _, blob = unquote(path.removeprefix("/")).partition("/")
        empty = partial(self._storage.empty, account, container, blob)
        hidden = self._pending.answering(account, scope, answer, empty)
        after_s = self._admission.declared().pending_copy_ms / 1000
        if hidden is None and after_s and _COPY in headers and not _at_once(query, headers):
            return self._pending.starting(account, path, after_s, answer)
        return hidden or answer

    def _admit(self, asked: Asked, account: str, scope: Scope, headers: dict[str, str]) -> URL:
        """The URL of the request at Azurite; the headers of a copy are changed in place."""
        path, query = scope["raw_path"].decode("ascii"), scope["query_string"].decode("ascii")
        self._admission.check(account, roles.action(asked), query, headers.get("authorization", ""))
        if limits.characters(unquote(path.removeprefix("/")).partition("/")[2]) > limits.BLOB_NAME:
            raise _TOO_LONG  # Azurite takes names of any length (its issue 398)
        if _COPY in headers:
            path = self._by_path(account, scope["method"], path, query, headers)
        return URL(f"http://{self._storage.address}{path}{'?' if query else ''}{query}", encoded=True)

    def _by_path(self, account: str, method: str, path: str, query: str, headers: dict[str, str]) -> str:
        """The path in Azurite's own style; the headers are changed in place. Raises Refused (403) for a wrong key."""
        given = headers.get("authorization", "")
        sign = partial(authorization, account, self._storage.account_key(account), method=method, query=query)
        if given.startswith("SharedKey") and not hmac.compare_digest(given, sign(path=path, headers=headers)):
            raise WRONG_SIGNATURE
        path = f"/{account}{path}"
        headers["host"] = self._storage.address
        token = headers.pop(_COPY_TOKEN, None)
        if token is None and "sig=" not in headers[_COPY] and _at_once(query, headers):
            raise _NOT_PUBLIC
        headers[_COPY] = self._source(headers[_COPY], token)
        if given.startswith("SharedKey"):
            headers["authorization"] = sign(path=path, headers=headers)
        return path

    def _source(self, source: str, token: str | None) -> str:
        """The copy source as Azurite addresses it; another host's stays as it is, and Azurite refuses it."""
        parts = urlsplit(source)
        account = parts.netloc.removesuffix(":443").removesuffix(SUFFIX)
        if account not in self._storage.accounts:
            return source
        query = parts.query
        try:
            self._admission.check(account, _READ, query, token or "")
        except Refused as refused:
            raise Refused(refused.status, refused.message, ("CannotVerifyCopySource",)) from refused
        if token is not None:  # Azurite accepts no token for a copy source: a SAS takes its place
            query += ("&" if query else "") + self._storage.full_access(account)
        return f"http://{self._storage.address}/{account}{parts.path}{'?' if query else ''}{query}"

    def _pass_on(self, asked: Asked, url: URL, headers: dict[str, str]) -> ASGIApp:
        sent = {name: value for name, value in headers.items() if name not in _OF_THE_HOP}
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        shared_key = headers.get("authorization", "").startswith("SharedKey")

        async def passing(scope: Scope, receive: Receive, send: Send) -> None:
            body = Request(scope, receive).stream() if has_body else None
            try:
                got = await self._storage.session.request(
                    scope["method"], url, headers=sent, data=body, skip_auto_headers=_SKIPPED, allow_redirects=False
                )
            except aiohttp.ClientConnectionError as error:
                await Response(f"Azurite does not answer: {error}", 502)(scope, receive, send)
                return
            async with got:
                if shared_key and _unsigned(got):
                    await refuse(asked, WRONG_SIGNATURE)(scope, receive, send)
                else:
                    await _answer(got, send)

        return passing


def _at_once(query: str, headers: dict[str, str]) -> bool:
    """Whether a copy is synchronous: by its header, or as a block."""
    return parse_qs(query).get("comp") == ["block"] or headers.get("x-ms-requires-sync", "").lower() == "true"


def _unsigned(got: aiohttp.ClientResponse) -> bool:
    """Whether Azurite refused a wrong key: as it takes bearer tokens too it says 400, the service 403."""
    return got.status == 400 and got.headers.get("x-ms-error-code") == "InvalidAuthenticationInfo"


async def _answer(got: aiohttp.ClientResponse, send: Send) -> None:
    headers = [(_name(name), value) for name, value in got.raw_headers if name.decode().lower() not in _OF_THE_HOP]
    if _COPY in got.headers:
        public = rb"https://\1" + SUFFIX.encode() + b"/"
        headers = [(name, _OWN_SOURCE.sub(public, value)) for name, value in headers]
    await send({"type": "http.response.start", "status": got.status, "headers": headers})
    async for part in got.content.iter_any():
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _name(name: bytes) -> bytes:
    return AsSent(name) if name[:10].lower() == METADATA else name.lower()
