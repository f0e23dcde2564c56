"""What aiohttp is handed: the URL as it is, the proxy of the environment, trust as it says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest
from yarl import URL

from azureml_replay.errors import UserError
from azureml_replay.sending.transport import CHECK, ExactSession, open_transport, proxy_variable
from azureml_replay.workspace.trust import Trust


class Recording:
    """Stands where aiohttp's session does, and remembers."""

    def __init__(self) -> None:
        self.urls: list[URL] = []
        self.proxies: list[object] = []
        self.timeouts: list[object] = []

    async def request(self, _: str, url: URL, **options: Any) -> None:
        proxy = options.get("proxy")
        self.urls.append(url)
        self.timeouts.append(options.get("timeout"))
        self.proxies.append(proxy and (str(proxy), options.get("proxy_auth")))


@pytest.mark.parametrize("path", ["a/../b", "a//b", "a%2541", "%23%3F", "a/./b", "%C3%BC", "x?sig=a%2Bb%3D&p=a%2Fb"])
async def test_a_url_is_sent_as_it_is_written(path: str) -> None:
    """Normalised, it would be another blob's."""
    wire = Recording()
    await ExactSession(cast("aiohttp.ClientSession", wire)).request("GET", f"https://a.example/{path}")

    assert str(wire.urls[0]) == f"https://a.example/{path}"


async def test_the_proxy_is_the_environments_unless_a_host_is_exempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY is heard; plain HTTP, as the machine's metadata service speaks it, has a proxy of its own or none."""
    for name, value in {"https_proxy": "http://me:word@127.0.0.1:1", "no_proxy": "inside.example"}.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.upper(), value)
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    wire = Recording()
    session = ExactSession(cast("aiohttp.ClientSession", wire))
    for url in ("https://a.example/", "https://inside.example/", "http://169.254.169.254/"):
        await session.request("GET", url)

    assert wire.proxies == [("http://127.0.0.1:1", aiohttp.BasicAuth("me", "word")), None, None]


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_certificates_that_cannot_be_used_are_named(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable and the file, before anything is sent."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))

    with pytest.raises(UserError, match=f"SSL_CERT_FILE names {file}"):
        async with open_transport():
            pass


@pytest.mark.parametrize("kind", ["certificates", "own"])
async def test_certificates_of_one_workspace_are_named_by_what_named_them(kind: str, tmp_path: Path) -> None:
    """Beyond the environment's for all; a file that holds none is told with its variable."""
    file = tmp_path / "some.pem"
    file.write_text("no certificate")

    with pytest.raises(UserError, match=f"VARIABLE names {file}"):
        async with open_transport(Trust(**{kind: ("VARIABLE", str(file))})):  # type: ignore[arg-type]
            pass
    async with open_transport(Trust(anything=True)):
        pass


async def test_a_proxy_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its URL is not shown: it may hold a password."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:word@proxy")
    monkeypatch.setenv("https_proxy", "socks5://me:word@proxy")

    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    with pytest.raises(UserError, match="HTTPS_PROXY must begin with http") as raised:
        await ExactSession(cast("aiohttp.ClientSession", Recording())).request("GET", "https://a.example/")
    assert "word" not in str(raised.value)


class Gone(Exception):
    """Nothing may leave any more."""


@pytest.mark.parametrize(("no_after", "bodies"), [(0, 0), (1, 0), (2, 1), (3, 1), (None, 2)])
async def test_nothing_leaves_once_its_check_says_no(no_after: int | None, bodies: int) -> None:
    """Asked twice: with the connection in hand, new or used before, and when the body is about to be written.

    Two requests over one connection, each with a body; `no_after` so many calls the check says no. With the connection
    in hand its own word is heard; later it is an attempt that failed.
    """
    came, calls, failed = list[bytes](), 0, list[Exception]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(65_536):
            came.append(head)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    def check() -> None:
        nonlocal calls
        calls += 1
        if no_after is not None and calls > no_after:
            raise Gone

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/batch"
    async with server, open_transport() as transport:
        for _ in range(2):
            request = HttpRequest("POST", url, content=b"rows")
            try:
                await transport.send(request, **{CHECK: check})
            except (Gone, AzureError) as error:
                failed.append(error)
        await asyncio.sleep(0.1)

    assert len([one for one in came if one.endswith(b"rows")]) == bodies
    assert b"".join(came).count(b"POST") == bodies, "nor do headers leave alone"
    assert [isinstance(error, Gone) for error in failed] == {
        0: [True, True],
        1: [False, True],
        2: [True],
        3: [False],
    }.get(-1 if no_after is None else no_after, [])


@pytest.mark.parametrize(
    ("named", "used"),
    [
        ("proxy.example:3128", "http://proxy.example:3128"),
        ("me:word@proxy.example:3128", "http://proxy.example:3128"),
        ("127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://proxy.example", "http://proxy.example"),
    ],
)
async def test_a_proxy_needs_no_scheme(named: str, used: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for curl, requests and pip."""
    only_proxy(monkeypatch, "https_proxy", named)
    wire = Recording()

    await ExactSession(cast("aiohttp.ClientSession", wire)).request("GET", "https://a.example/")

    assert wire.proxies == [(used, aiohttp.BasicAuth("me", "word") if "@" in named else None)]
    assert proxy_variable("https://a.example/") == "HTTPS_PROXY"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("http://", "names no host"),
        ("https://proxy", "must begin with http://, not https://"),
        ("http://h:port", "is no URL"),
    ],
)
async def test_a_proxy_that_is_none_is_named(named: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    only_proxy(monkeypatch, "https_proxy", named)

    with pytest.raises(UserError, match=f"HTTPS_PROXY {said}"):
        await ExactSession(cast("aiohttp.ClientSession", Recording())).request("GET", "https://a.example/")


async def test_all_that_comes_before_a_request_has_one_limit() -> None:
    """A proxy that takes the connection and never answers; azure-core limits the connection alone."""
    wire = Recording()
    given = aiohttp.ClientTimeout(sock_connect=20, sock_read=120)

    await ExactSession(cast("aiohttp.ClientSession", wire)).request("GET", "https://a.example/", timeout=given)

    assert wire.timeouts == [aiohttp.ClientTimeout(connect=20, sock_connect=20, sock_read=120)]


def only_proxy(patch: pytest.MonkeyPatch, name: str, value: str) -> None:
    for one in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        patch.delenv(one, raising=False)
        patch.delenv(one.upper(), raising=False)
    patch.setenv(name, value)
