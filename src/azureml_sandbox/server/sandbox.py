"""A sandbox from Python: start its server, point clients at it, ask what they did, declare faults, stop it."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azureml_sandbox.pki import private
from azureml_sandbox.problem import Problem
from azureml_sandbox.protocol import journal
from azureml_sandbox.server import state
from azureml_sandbox.server.own import python

_START_S, _STOP_S = 60, 10


@dataclass(frozen=True, slots=True)
class WorkspaceFile:
    """One workspace as clients name it: the file `<name>.json` and its content."""

    path: Path
    """The file itself."""
    subscription_id: str
    resource_group: str
    workspace_name: str
    tenant_id: str

    @classmethod
    def read(cls, path: Path) -> WorkspaceFile:
        """The workspace in a file that the server wrote."""
        return cls(path, **json.loads(path.read_bytes()))


class Sandbox:
    """The server of one DIR: `Sandbox.start(dir)` starts it, `Sandbox(dir)` is one that is running."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes] | None = None) -> None:
        self.folder = folder
        self._process = process

    @classmethod
    def start(cls, folder: Path, workspaces: Sequence[str] = (), *options: str, leashed: bool = True) -> Sandbox:
        """Start a server for this DIR with further options of `azureml-sandbox serve`; return when it is ready.

        A leashed server stops when this process ends, however it ends. Raises Problem, in the server's words, where it
        fails.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        named = [argument for name in workspaces for argument in ("--workspace", name)]
        command = python("azureml_sandbox", "serve", str(folder), *named, *options)
        with open(folder / "serve.log", "ab", opener=private) as log:
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
        """The variables that lead clients here; those in `state.BYPASSES` must be unset."""
        return state.environment(self.folder)

    def workspace(self, name: str) -> WorkspaceFile:
        """A workspace that exists."""
        return WorkspaceFile.read(self.folder / f"{name}.json")

    def add_workspace(self, name: str | None = None, tenant_id: str | None = None) -> WorkspaceFile:
        """Add a workspace to the running server; its name is made up where none is given."""
        name = name or f"ws-{secrets.token_hex(5)}"
        self._ask("POST", "/sandbox/workspaces", {"name": name} | ({"tenant_id": tenant_id} if tenant_id else {}))
        return self.workspace(name)

    @property
    def storage(self) -> str:
        """Azurite's own `host:port`, plain HTTP, to measure it without the proxy."""
        health: dict[str, str] = json.loads(self._ask("GET", "/sandbox/health"))
        return health["storage"]

    def requests(self) -> dict[str, Any]:
        """`{"total", "writes", "bytes", "most_in_flight", "routes": [...]}` since the last reset."""
        counted: dict[str, Any] = json.loads(self._ask("GET", "/sandbox/requests"))
        return counted

    def reset_requests(self) -> None:
        """Set the counts to 0."""
        self._ask("POST", "/sandbox/requests/reset")

    @contextmanager
    def recorded(self) -> Iterator[list[dict[str, Any]]]:
        """What is asked and answered meanwhile, storage and login aside; the list is filled at the end.

        `protocol/journal.py` says what an exchange looks like.
        """
        exchanges: list[dict[str, Any]] = []
        self._ask("PUT", "/sandbox/journal")
        try:
            yield exchanges
        finally:
            self._ask("DELETE", "/sandbox/journal")
            path = self.folder / journal.NAME
            exchanges += map(json.loads, path.read_bytes().splitlines())
            path.unlink()

    def set_faults(self, rules: Sequence[Mapping[str, Any]] = (), **declared: Any) -> None:  # noqa: ANN401 - JSON
        """Replace all declared faults (`protocol/declared_faults.py` lists them); without arguments there are none."""
        self._ask("PUT", "/sandbox/faults", {"rules": list(rules), **declared})

    def stop(self) -> None:
        """Stop the server; return when it and its storage have saved and ended."""
        os.kill(state.running(self.folder).pid, signal.SIGTERM)
        self._wait_until_gone()

    def kill(self) -> None:
        """End the server with SIGKILL, like a power cut; its storage saves and ends by itself."""
        pid = state.running(self.folder).pid
        if sys.platform == "win32":
            os.kill(pid, signal.SIGTERM)  # which ends a process at once there
        else:
            os.kill(pid, signal.SIGKILL)
        self._wait_until_gone()

    def _wait_until_gone(self) -> None:
        if self._process is not None:
            self._process.wait(_STOP_S)
        end = time.monotonic() + _STOP_S
        while state.is_locked(self.folder):
            if time.monotonic() > end:
                raise Problem(
                    f"the server of {self.folder} did not stop within {_STOP_S} s: see {self.folder / 'serve.log'}"
                )
            time.sleep(0.02)

    def _ask(self, method: str, path: str, document: object = None) -> bytes:
        """Send one request to the control door, with http.client because it knows no proxy.

        Raises Problem where it refuses.
        """
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
            ended = f"the server of {folder} ended with exit code {process.returncode}: see {folder / 'serve.log'}"
            raise Problem(words.rpartition("\n")[2] or ended)
        if time.monotonic() > end:
            process.kill()
            raise Problem(f"the server was not ready within {_START_S} s: see {folder / 'serve.log'}")
        time.sleep(0.02)
