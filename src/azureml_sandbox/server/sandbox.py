"""A sandbox that runs, from Python: start one, point clients at it, ask what they did, declare trouble, stop it."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azureml_sandbox.problem import Problem
from azureml_sandbox.server import state

_START_S, _STOP_S = 60, 10


@dataclass(frozen=True, slots=True)
class WorkspaceFile:
    """One workspace as clients name it."""

    path: Path
    """The WS file."""
    subscription_id: str
    resource_group: str
    workspace_name: str
    tenant_id: str

    @classmethod
    def read(cls, path: Path) -> WorkspaceFile:
        """Of a file that the server wrote."""
        return cls(path, **json.loads(path.read_bytes()))


class Sandbox:
    """The server of one DIR. `start` one, or take one that runs: `Sandbox(dir)`."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes] | None = None) -> None:
        self.folder = folder
        self._process = process

    @classmethod
    def start(cls, folder: Path, workspaces: Sequence[str] = (), *options: str, leashed: bool = True) -> Sandbox:
        """Serve this DIR with further options of `azureml-sandbox serve`; return when it is ready.

        Leashed, it stops when this process ends, however it ends. Problem with the server's own words where it fails.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        named = [argument for name in workspaces for argument in ("--workspace", name)]
        command = [sys.executable, "-m", "azureml_sandbox", "serve", str(folder), *named, *options]
        with (folder / "serve.log").open("ab") as log:
            said = log.tell()
            process = subprocess.Popen(  # noqa: S603 - ourselves
                [*command, "--leashed"] if leashed else command,
                stdin=subprocess.PIPE if leashed else subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _wait_until_ready(folder, process, said)
        return cls(folder, process if leashed else None)

    @property
    def env(self) -> dict[str, str]:
        """What leads clients here; `state.BYPASSES` must be unset."""
        return state.environment(self.folder)

    def workspace(self, name: str) -> WorkspaceFile:
        """A workspace that is there."""
        return WorkspaceFile.read(self.folder / f"{name}.json")

    def add_workspace(self, name: str | None = None, tenant_id: str | None = None) -> WorkspaceFile:
        """A new one, while running; its name is made up where none is given."""
        name = name or f"ws-{secrets.token_hex(5)}"
        self._ask("POST", "/sandbox/workspaces", {"name": name} | ({"tenant_id": tenant_id} if tenant_id else {}))
        return self.workspace(name)

    @property
    def storage(self) -> str:
        """Azurite's own `host:port`, plain HTTP, for measuring what it bears without us before it."""
        health: dict[str, str] = json.loads(self._ask("GET", "/sandbox/health"))
        return health["storage"]

    def requests(self) -> dict[str, Any]:
        """`{"total", "writes", "bytes", "most_in_flight", "routes": [...]}` since the last reset."""
        counted: dict[str, Any] = json.loads(self._ask("GET", "/sandbox/requests"))
        return counted

    def reset_requests(self) -> None:
        """Count anew."""
        self._ask("POST", "/sandbox/requests/reset")

    def set_faults(self, rules: Sequence[Mapping[str, Any]] = (), **declared: Any) -> None:  # noqa: ANN401 - JSON
        """Replace all declared trouble (`faults.py` says what there is); without arguments there is none."""
        self._ask("PUT", "/sandbox/faults", {"rules": list(rules), **declared})

    def stop(self) -> None:
        """Return when server and storage have saved and gone."""
        os.kill(state.running(self.folder).pid, signal.SIGTERM)
        self._wait_until_gone()

    def kill(self) -> None:
        """SIGKILL, as a power cut would; storage saves and leaves by itself."""
        os.kill(state.running(self.folder).pid, signal.SIGKILL)
        self._wait_until_gone()

    def _wait_until_gone(self) -> None:
        if self._process is not None:
            self._process.wait(_STOP_S)
        end = time.monotonic() + _STOP_S
        while state.is_locked(self.folder):
            if time.monotonic() > end:
                raise Problem(f"the server of {self.folder} did not stop within {_STOP_S} s")
            time.sleep(0.02)

    def _ask(self, method: str, path: str, document: object = None) -> bytes:
        """The control door; http.client, because it knows no proxy."""
        running = state.running(self.folder)
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
        body = json.dumps(document).encode() if document is not None else None
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {running.secret}"})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise Problem(json.loads(content)["error"])
        return content


def _wait_until_ready(folder: Path, process: subprocess.Popen[bytes], said: int) -> None:
    end = time.monotonic() + _START_S
    while (found := state.last(folder)) is None or found.pid != process.pid:
        if process.poll() is not None:
            words = (folder / "serve.log").read_bytes()[said:].decode(errors="replace").strip()
            raise Problem(words.rpartition("\n")[2] or f"the server ended with {process.returncode}")
        if time.monotonic() > end:
            process.kill()
            raise Problem(f"the server was not ready within {_START_S} s: see {folder / 'serve.log'}")
        time.sleep(0.02)
