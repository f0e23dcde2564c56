"""The files of one DIR that say whether it is served and how to reach its server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from azureml_sandbox.pki import Keys, private, write_private
from azureml_sandbox.problem import Problem
from azureml_sandbox.protocol.login import Principal


@dataclass(frozen=True, slots=True)
class Running:
    """A server, as `DIR/sandbox.json` describes it."""

    pid: int
    port: int
    secret: str
    """What requests to the control door carry."""


def record(folder: Path, running: Running) -> None:
    """Write `sandbox.json`: the server is ready."""
    write_private(folder / "sandbox.json", json.dumps(asdict(running)).encode())


def last(folder: Path) -> Running | None:
    """The server that ran last, running or not; None in a DIR that was never served."""
    file = folder / "sandbox.json"
    return Running(**json.loads(file.read_bytes())) if file.exists() else None


def running(folder: Path) -> Running:
    """The server of this DIR. Raises Problem where there is none."""
    found = last(folder)
    if found is None:
        raise Problem(f"{folder} holds no sandbox: start one with azureml-sandbox serve {folder} --background")
    if not is_locked(folder):
        raise Problem(f"{folder} is not served: start it with azureml-sandbox serve {folder} --background")
    return found


if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the DIR's lock, which the operating system releases with the process.

    Raises Problem where another one holds it.
    """
    with open(folder / ".lock", "a", opener=private) as file:
        try:
            _take(file.fileno())
        except OSError as error:
            found = last(folder)
            who = f" by process {found.pid} on port {found.port}" if found is not None else ""
            raise Problem(f"{folder} is served already{who}: end it with azureml-sandbox stop {folder}") from error
        yield


def is_locked(folder: Path) -> bool:
    """Whether a server is running over this DIR."""
    try:
        with locked(folder):
            return False
    except Problem:
        return True


def environment(folder: Path) -> dict[str, str]:
    """The variables that lead any unmodified Azure client here."""
    port = running(folder).port
    principal = Principal.obtain(folder / "principal.json")
    return {
        **connection_variables(folder, port),
        "AZURE_TENANT_ID": principal.tenant_id,
        "AZURE_CLIENT_ID": principal.client_id,
        "AZURE_CLIENT_SECRET": principal.client_secret,
    }


def connection_variables(folder: Path, port: int) -> dict[str, str]:
    """The variables that lead to the server on this port, without the login of its principal."""
    proxy, authority = f"http://127.0.0.1:{port}", str(Keys(folder.resolve()).authority)
    return {
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "REQUESTS_CA_BUNDLE": authority,
        "SSL_CERT_FILE": authority,
        "CURL_CA_BUNDLE": authority,
        "NODE_EXTRA_CA_CERTS": authority,
        "AZUREML_CURRENT_CLOUD": "AzureCloud",  # spares azureml-mlflow a request for the cloud's metadata
    }


VARIABLES = (
    "HTTPS_PROXY",
    "https_proxy",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "AZUREML_CURRENT_CLOUD",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
)
"""The names that `environment` gives, known without a server: a shell is led back after its sandbox stopped, too."""
BYPASSES = ("NO_PROXY", "no_proxy")
"""The variables to unset, which would lead clients past the sandbox."""
