"""The front: who is let in, and that one socket serves tunnels, TLS and the control door."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
import requests

from azureml_sandbox.server import state
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from sandbox.accounts import arm_address


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


def test_secrets_are_readable_by_their_owner_only(sandbox: Sandbox) -> None:
    secret: list[Path] = [sandbox.folder / name for name in ("sandbox.json", "principal.json", "accounts.json")]
    secret += list((sandbox.folder / "pki").iterdir())

    assert {oct(file.stat().st_mode & 0o777) for file in secret} == {"0o600"}


def test_discovery_needs_no_token(azure_env: dict[str, str]) -> None:
    answer = requests.get("https://westeurope.api.azureml.ms/discovery", timeout=30)

    assert answer.json()["api"] == "https://westeurope.api.azureml.ms"
