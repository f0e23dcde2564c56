"""One aiohttp session for everything that one workspace sends; azure-core's transport over it."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from azure.core.pipeline.transport import AioHttpTransport
from yarl import URL

from azureml_replay.errors import UserError

CONNECT_TIMEOUT_S = 20
READ_TIMEOUT_S = 120
"""Between two pieces of an answer. A server-side copy of 256 MiB answers at its end."""


class ExactSession:
    """A session that sends a URL as it is written, through the proxy that the environment names for its host.

    azure-core hands aiohttp a string, which aiohttp would normalise: a blob named `a/../b` or `a//b` would be another.
    """

    auto_decompress = False

    def __init__(self, session: aiohttp.ClientSession, proxies: Mapping[str, str]) -> None:
        """`proxies` maps a scheme to a proxy's URL, read once: aiohttp's `trust_env` costs 336 µs a request, not 73."""
        self._session = session
        self._proxies = proxies
        self._proxy_of: dict[str, str | None] = {}

    async def request(self, method: str, url: str, **options: Any) -> aiohttp.ClientResponse:  # noqa: ANN401 aiohttp's own
        """As aiohttp's `request`."""
        exact = URL(url, encoded=True)
        options["proxy"] = options.get("proxy") or self._proxy(exact)
        return await self._session.request(method, exact, **options)

    async def __aenter__(self) -> ExactSession:
        """The session is open already; azure-core enters it with every request."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Whoever made the session closes it."""

    def _proxy(self, url: URL) -> str | None:
        origin = f"{url.scheme}://{url.authority}"
        if origin not in self._proxy_of:
            bypassed = proxy_bypass(url.host or "")
            self._proxy_of[origin] = None if bypassed else self._proxies.get(url.scheme)
        return self._proxy_of[origin]


@asynccontextmanager
async def open_transport() -> AsyncIterator[AioHttpTransport]:
    """The transport that `connect` uses, for whoever wants to wrap it. Honours HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE.

    Raises UserError where a certificate file or a proxy of the environment cannot be used.
    """
    connector = aiohttp.TCPConnector(limit=0, ssl=_trusted(os.environ), ttl_dns_cache=300)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, auto_decompress=False) as session:
        exact = cast("aiohttp.ClientSession", ExactSession(session, _proxies()))
        yield AioHttpTransport(
            session=exact, session_owner=False, connection_timeout=CONNECT_TIMEOUT_S, read_timeout=READ_TIMEOUT_S
        )


def _proxies() -> Mapping[str, str]:
    found = {scheme: url for scheme, url in getproxies().items() if scheme in ("http", "https")}
    for scheme, url in found.items():
        if urlsplit(url).scheme not in ("http", "https"):
            raise UserError(f"{scheme.upper()}_PROXY must begin with http:// or https://")
    return found


def _trusted(environment: Mapping[str, str]) -> ssl.SSLContext:
    name = next((name for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE") if environment.get(name)), None)
    if name is None:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cafile=environment[name])
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"{name} names {environment[name]}, which holds no certificates to trust: {error}") from error
