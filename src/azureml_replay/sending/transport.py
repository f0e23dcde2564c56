"""One aiohttp session for everything that is sent for one workspace; azure-core's transport over it."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace, TracebackType
from typing import Any, cast

import aiohttp
from aiohttp.helpers import (  # type: ignore[attr-defined]  # two are urllib's: whoever imports that could send
    basicauth_from_netrc,
    getproxies,
    netrc_from_env,
    proxy_bypass,
    strip_auth_from_url,
)
from azure.core.pipeline.transport import AioHttpTransport
from yarl import URL

from azureml_replay.errors import UserError
from azureml_replay.workspace.trust import Trust

CONNECT_TIMEOUT_S = 20
READ_TIMEOUT_S = 120
"""Seconds between two pieces of an answer. A server-side copy of 256 MiB answers only at its end."""
PIECE_BYTES = 1024 * 1024
"""Bytes of a body read at once: 16,400 pieces of azure-core's 4 KiB were a third of the work of a relay."""


CHECK = "trace_request_ctx"
"""An option of requests, by aiohttp's own name: called without arguments when nothing has left yet (`_checking`)."""


class ExactSession:
    """A session that sends a URL as it is written, through the proxy that the environment names for its host.

    azure-core hands aiohttp a string, which aiohttp would normalise: a blob named `a/../b` or `a//b` would be another.
    """

    auto_decompress = False

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """The environment is read once a host: aiohttp's `trust_env` reads it for each request, in 336 µs, not 73."""
        self._session = session
        self._proxies: dict[str, dict[str, Any]] = {}

    async def request(self, method: str, url: str, **options: Any) -> aiohttp.ClientResponse:  # noqa: ANN401 aiohttp's own
        """The `request` of aiohttp. Raises UserError where the environment names a proxy that cannot be used."""
        exact = URL(url, encoded=True)
        return await self._session.request(method, exact, **{**options, **_bounded(options), **self._proxy(exact)})

    async def __aenter__(self) -> ExactSession:
        """Does nothing: the session is open already, and azure-core enters it with every request."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Does nothing: whoever made the session closes it."""

    def _proxy(self, url: URL) -> dict[str, Any]:
        origin = f"{url.scheme}://{url.authority}"
        if origin not in self._proxies:
            self._proxies[origin] = _proxy_for(url)
        return self._proxies[origin]


@asynccontextmanager
async def open_transport(trust: Trust = Trust()) -> AsyncIterator[AioHttpTransport]:  # noqa: B008 - frozen
    """The transport that `connect` uses, to be wrapped by callers. Honours HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE.

    `trust` says what this workspace needs beyond them.

    Raises UserError where a certificate file of the environment cannot be used.
    """
    connector = aiohttp.TCPConnector(limit=0, ssl=_trusted(os.environ, trust), ttl_dns_cache=300)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=jar, auto_decompress=False, trace_configs=[_checking()]
    ) as session:
        exact = cast("aiohttp.ClientSession", ExactSession(session))
        yield AioHttpTransport(
            session=exact,
            session_owner=False,
            connection_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            connection_data_block_size=PIECE_BYTES,
        )


def _checking() -> aiohttp.TraceConfig:
    """What a request brings as its `CHECK` is called with the connection in hand, and again as its body is written.

    Connecting may take seconds, and aiohttp writes the body in a task of its own, which waits for its turn. Whatever
    is raised then is an attempt that may have been made, for the headers wait for the body.
    """

    async def ask(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        if context.trace_request_ctx is not None:
            context.trace_request_ctx()

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(ask)
    trace.on_connection_reuseconn.append(ask)
    trace.on_request_chunk_sent.append(ask)  # in spite of its name: before the bytes are
    return trace


def _bounded(options: Mapping[str, Any]) -> dict[str, Any]:
    """The time limits with one for all that comes before a request: a proxy may take a connection and never answer."""
    given = options.get("timeout")
    if not isinstance(given, aiohttp.ClientTimeout):
        return {}
    timeout = aiohttp.ClientTimeout(
        connect=CONNECT_TIMEOUT_S, sock_connect=given.sock_connect, sock_read=given.sock_read
    )
    return {"timeout": timeout}


def proxy_variable(url: str) -> str | None:
    """The name of the environment's variable that names the proxy for a URL; None where none does."""
    exact = URL(url, encoded=True)
    return f"{exact.scheme.upper()}_PROXY" if _proxy_named(exact) else None


def way_to(url: str) -> str:
    """How requests for a URL go, in words: which proxy, by which variable; a login in it is not shown.

    Raises UserError where that proxy cannot be used.
    """
    exact = URL(url, encoded=True)
    options = _proxy_for(exact)
    past = os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
    if not options:
        return "no proxy" + (f" (NO_PROXY is {past})" if past else "")
    return f"through the proxy {options['proxy']}, which {proxy_variable(url)} names" + (
        f"; not to {past}, by NO_PROXY" if past else ""
    )


def _proxy_named(url: URL) -> str | None:
    """The proxy for a URL as HTTPS_PROXY (HTTP_PROXY, ALL_PROXY) and NO_PROXY have it."""
    if url.host is None or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    return proxies.get(url.scheme) or proxies.get("all")


def _proxy_for(url: URL) -> dict[str, Any]:
    """The same as options of aiohttp; `host:port` alone is of http, as for every other tool. It may hold a password."""
    named = _proxy_named(url)
    if not named:
        return {}
    variable = f"{url.scheme.upper()}_PROXY"
    try:
        proxy, login = strip_auth_from_url(URL(named if "://" in named else f"http://{named}"))
    except ValueError:
        raise UserError(f"{variable} is no URL: expected http://HOST:PORT") from None
    if proxy.scheme != "http":
        raise UserError(f"{variable} must begin with http://, not {proxy.scheme}://")
    if not proxy.host:
        raise UserError(f"{variable} names no host: expected http://HOST:PORT")
    return {"proxy": proxy, "proxy_auth": login or _from_netrc(proxy.host)}


def _from_netrc(host: str) -> aiohttp.BasicAuth | None:
    try:
        return basicauth_from_netrc(netrc_from_env(), host)
    except LookupError:
        return None


def _trusted(environment: Mapping[str, str], trust: Trust) -> ssl.SSLContext:
    name = next((name for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE") if environment.get(name)), None)
    said, file = (name, environment[name]) if name else ("", None)
    said, file = trust.certificates or (said, file)
    try:
        context = ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"{said} names {file}, which holds no certificates to trust: {error}") from error
    if trust.own is not None:
        _show_own(context, *trust.own)
    if trust.anything:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _show_own(context: ssl.SSLContext, said: str, file: str) -> None:
    try:
        context.load_cert_chain(file, password=_no_password)
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"{said} names {file}, which holds no certificate with its key: {error}") from error


def _no_password() -> str:
    """Without it, a key that wants one would be asked for at the terminal."""
    return ""
