"""The front: who is let in, and that one socket serves tunnels, TLS and the control door."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from azure.identity import EnvironmentCredential

from azureml_sandbox.protocol import limits
from azureml_sandbox.server import state
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from environment import point_at
from sandbox.accounts import arm_address
from sandbox.jobs import Jobs, shell
from sandbox.plane import Plane


def say(sandbox: Sandbox, words: bytes) -> bytes:
    """What the socket answers first."""
    with socket.create_connection(("127.0.0.1", state.running(sandbox.folder).port), 10) as connection:
        connection.sendall(words)
        return connection.recv(4096)


def connect(sandbox: Sandbox, host: str, port: int = 443) -> bytes:
    return say(sandbox, b"CONNECT %s:%d HTTP/1.1\r\nHost: x\r\n\r\n" % (host.encode(), port)).split(b"\r\n")[0]


@pytest.mark.parametrize(
    "host",
    [
        "management.azure.com",
        "login.microsoftonline.com",
        "westeurope.api.azureml.ms",
        "westeurope.experiments.azureml.net",
    ],
)
def test_public_hosts_of_the_service_are_let_in(sandbox: Sandbox, host: str) -> None:
    assert connect(sandbox, host) == b"HTTP/1.1 200 Connection established"


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "management.azure.com.example.org",
        "xmanagement.azure.com",
        "api.azureml.ms",
        "experiments.azureml.net",
        "notours.blob.core.windows.net",
        "127.0.0.1",
    ],
)
def test_every_other_host_is_refused(sandbox: Sandbox, host: str) -> None:
    assert connect(sandbox, host) == b"HTTP/1.1 403 Forbidden"


def test_only_port_443_is_tunnelled(sandbox: Sandbox) -> None:
    assert connect(sandbox, "management.azure.com", 80) == b"HTTP/1.1 403 Forbidden"


def test_tls_before_the_tunnel_stands_is_refused(sandbox: Sandbox) -> None:
    answer = say(sandbox, b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n\x16\x03\x01")

    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_request_in_the_handshakes_last_flight_is_answered(sandbox: Sandbox) -> None:
    """TLS 1.3 lets a client send its request together with Finished: nothing of it may be lost."""
    context = ssl.create_default_context(cafile=sandbox.env["SSL_CERT_FILE"])
    for _ in range(20):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing, server_hostname="management.azure.com")
        with socket.create_connection(("127.0.0.1", state.running(sandbox.folder).port), 10) as connection:
            connection.sendall(b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
            done = False
            while not done:
                try:
                    client.do_handshake()
                    done = True
                    client.write(b"GET /nowhere HTTP/1.1\r\nHost: management.azure.com\r\nConnection: close\r\n\r\n")
                except ssl.SSLWantReadError:
                    pass
                connection.sendall(outgoing.read())
                if not done:
                    incoming.write(connection.recv(16_384))
            answer = b""
            while b"501" not in answer:
                received = connection.recv(16_384)
                assert received, "closed without an answer"
                incoming.write(received)
                try:
                    answer += client.read(16_384)
                except ssl.SSLWantReadError:
                    continue


def test_what_is_not_spoken_is_said(azure_env: dict[str, str]) -> None:
    answer = requests.get("https://management.azure.com/tenants", timeout=30)

    assert (answer.status_code, answer.json()) == (
        501,
        {"error": {"code": "SandboxNotImplemented", "message": "GET /tenants"}},
    )


def test_browsers_are_refused(workspace: WorkspaceFile, azure_env: dict[str, str]) -> None:
    """The server runs submitted commands: no page may talk to it."""
    answer = requests.get(arm_address(workspace), headers={"Origin": "https://example.org"}, timeout=30)

    assert answer.status_code == 403


def test_the_control_door_wants_its_secret(sandbox: Sandbox) -> None:
    answer = say(sandbox, b"GET /sandbox/requests HTTP/1.1\r\nHost: x\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 401 ")


def test_the_control_door_is_not_reached_through_a_tunnel(sandbox: Sandbox, azure_env: dict[str, str]) -> None:
    secret = {"Authorization": f"Bearer {state.running(sandbox.folder).secret}"}

    answer = requests.get("https://management.azure.com/sandbox/requests", headers=secret, timeout=30)

    assert answer.status_code == 501


def test_what_lies_in_its_folder_is_its_owners_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets, state, blobs, logs, and what a job makes while it runs: files 0600, folders 0700."""
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o022)
    try:
        served = Sandbox.start(tmp_path / "own", ["own"])
    finally:
        os.umask(before)
    point_at(served, monkeypatch)
    token = EnvironmentCredential().get_token("https://management.azure.com/.default").token
    jobs = Jobs(Plane(served.workspace("own"), token))
    name = jobs.submit(shell("echo 1 > outputs/a; mkdir outputs/b; sleep 60"))
    while not (made := [path for path in served.folder.rglob("outputs/b") if path.is_dir()]):
        time.sleep(0.05)
    shared = [path for path in served.folder.rglob("*") if path.exists() and path.stat().st_mode & 0o077]
    jobs.cancel(name)
    jobs.ended(name)
    served.stop()

    assert (len(made), shared) == (1, [])


def test_discovery_needs_no_token(azure_env: dict[str, str]) -> None:
    answer = requests.get("https://westeurope.api.azureml.ms/discovery", timeout=30)

    assert answer.json()["api"] == "https://westeurope.api.azureml.ms"


@pytest.mark.parametrize("host", ["management.azure.com", "westeurope.api.azureml.ms", "login.microsoftonline.com"])
def test_a_body_that_is_too_large_is_refused_unread(sandbox: Sandbox, azure_env: dict[str, str], host: str) -> None:
    """Nothing of 300 MB was sent when the answer came."""
    trust = ssl.create_default_context(cafile=azure_env["SSL_CERT_FILE"])
    connection = http.client.HTTPSConnection("127.0.0.1", state.running(sandbox.folder).port, timeout=30, context=trust)
    connection.set_tunnel(host, 443)

    connection.putrequest("POST", "/x/oauth2/v2.0/token")
    connection.putheader("Content-Length", "300000000")
    connection.endheaders()
    answer = connection.getresponse()

    assert (answer.status, answer.getheader("connection")) == (413, "close")


def test_a_body_without_a_length_is_refused_when_it_is_too_long(plane: Plane) -> None:
    """In the service's form; a little less is read to its end."""

    def chunks(size: int) -> Iterator[bytes]:
        for _ in range(size // 1_000_000):
            yield b" " * 1_000_000

    url = f"https://management.azure.com{plane.path}/jobs/x?api-version=2024-04-01"
    long = plane.session.put(url, data=chunks(limits.BODY_BYTES + 1_000_000), timeout=30)
    short = plane.session.put(url, data=chunks(limits.BODY_BYTES - 1_000_000), timeout=30)

    assert (long.status_code, long.json()["error"]["code"], short.status_code) == (413, "UserError", 400)
