"""Runs the server of one DIR from start to stop: Azurite, the state, the cluster, the app and its proxy."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import uvicorn

from azureml_sandbox import provision
from azureml_sandbox.compute import NODES
from azureml_sandbox.compute.cluster import Cluster
from azureml_sandbox.front.app import App
from azureml_sandbox.front.control import Control
from azureml_sandbox.front.faults import Faults
from azureml_sandbox.front.routes import Routes
from azureml_sandbox.front.tunnel import Door
from azureml_sandbox.pki import Keys
from azureml_sandbox.problem import Problem
from azureml_sandbox.protocol.declared_faults import Declared
from azureml_sandbox.protocol.journal import Journal
from azureml_sandbox.protocol.login import Login, Principal
from azureml_sandbox.protocol.traffic import Traffic
from azureml_sandbox.server import state
from azureml_sandbox.storage import azurite
from azureml_sandbox.storage.storage import Storage
from azureml_sandbox.world import World

DEFAULT_WORKSPACES = ("source", "target")


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of a server."""

    workspaces: tuple[str, ...] = ()
    """Names of workspaces to add where they are missing; in a new DIR none means `source` and `target`."""
    tenants: Mapping[str, str] = field(default_factory=dict)
    """Workspace name to tenant id; the principal's own tenant where there is no entry."""
    port: int = 0
    """0: the port of the last time if it is free, else any."""
    latency_ms: float = 0
    declared: Declared = field(default_factory=Declared)
    nodes: int = NODES
    """How many submitted commands run at a time."""
    leashed: bool = False
    """Stop when stdin ends, so that a server does not outlive the tests that started it."""


def run(folder: Path, options: Options, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `say` gets a line when the server is ready.

    Raises:
        Problem: the DIR is served already, the port is taken, a workspace cannot be added, Azurite does not start.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with state.locked(folder):
        try:
            azurite.install(say)  # into Python's own environment, which others may use
            os.umask(0o077)  # what lies in DIR is its owner's: state, blobs, files of jobs
            handler = logging.FileHandler(folder / "serve.log")
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
            logging.basicConfig(level=logging.WARNING, handlers=[handler])
            asyncio.run(_serve(folder, options, say))
        except (provision.Unusable, azurite.Unavailable) as error:
            raise Problem(str(error)) from error


async def _serve(folder: Path, options: Options, say: Callable[[str], None]) -> None:
    keys = Keys(folder)
    keys.obtain()
    listening = _listen(folder, options.port)
    async with _storage(folder) as storage:
        with contextlib.closing(World.open(folder / "world.db")) as world:
            principal = Principal.obtain(folder / "principal.json")
            login = Login(principal, keys.token_key(), {each.tenant_id for each in world.workspaces()})
            await _workspaces(options, partial(_add, folder=folder, world=world, storage=storage, login=login), world)
            secret = secrets.token_urlsafe(24)
            app = _app(folder, secret, options, world=world, storage=storage, login=login)
            door = Door(keys.tls(), storage.accounts.__contains__)
            ready = state.Running(os.getpid(), listening.getsockname()[1], secret)
            app.state.cluster = cluster = _cluster(
                folder, ready.port, options, world=world, storage=storage, login=login
            )
            names = ", ".join(sorted(each.name for each in world.workspaces()))
            server = Server(
                _config(app, door),
                partial(_announce, folder, ready, partial(say, f"Ready: {names} at 127.0.0.1:{ready.port}")),
            )
            server.obey_signals(leashed=options.leashed)
            try:
                await server.serve(sockets=[listening])
            finally:
                await cluster.stop()


_add = provision.add_workspace


@contextlib.asynccontextmanager
async def _storage(folder: Path) -> AsyncIterator[Storage]:
    storage = await Storage.start(folder)
    try:
        yield storage
    finally:
        await storage.stop()


async def _workspaces(options: Options, add: Callable[..., Any], world: World) -> None:
    """Add the workspaces that are asked for and missing."""
    there = {each.name: each.tenant_id for each in world.workspaces()}
    wanted = options.workspaces or (() if there else DEFAULT_WORKSPACES)
    for name, tenant_id in options.tenants.items():
        if name not in wanted and name not in there:
            raise provision.Unusable(
                f"--tenant {name}={tenant_id}: there is no workspace {name}; add --workspace {name}"
            )
        if there.get(name, tenant_id) != tenant_id:
            raise provision.Unusable(f"--tenant {name}={tenant_id}: workspace {name} is in tenant {there[name]}")
    for name in wanted:
        if name not in there:
            await add(name, options.tenants.get(name))


def _app(folder: Path, secret: str, options: Options, *, world: World, storage: Storage, login: Login) -> App:
    faults, traffic, journal = Faults(Declared()), Traffic(), Journal(folder)
    control = Control(
        folder, secret, world=world, storage=storage, login=login, faults=faults, traffic=traffic, journal=journal
    )
    control.declare(options.declared)
    return App(
        world=world,
        storage=storage,
        login=login,
        faults=faults,
        traffic=traffic,
        journal=journal,
        control=control,
        routes=Routes(),
        latency_ms=options.latency_ms,
    )


def _cluster(folder: Path, port: int, options: Options, *, world: World, storage: Storage, login: Login) -> Cluster:
    surroundings, jobs = state.connection_variables(folder, port), folder.resolve() / "jobs"
    cluster = Cluster(jobs, surroundings, nodes=options.nodes, world=world, storage=storage, login=login)
    cluster.recover()
    return cluster


def _listen(folder: Path, port: int) -> socket.socket:
    """A socket on loopback only, because submitted commands run here."""
    before = state.last(folder)
    if port == 0 and before is not None:
        with contextlib.suppress(OSError):  # another process took it meanwhile: any port will do
            return socket.create_server(("127.0.0.1", before.port))
    try:
        return socket.create_server(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        raise Problem(f"--port {port}: {error}; leave out --port for a free one") from error


def _config(app: App, door: Door) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", door.tunnel),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=120,  # longer than a client's pool keeps a connection: the service's own is minutes
        timeout_graceful_shutdown=1,
    )


def _announce(folder: Path, ready: state.Running, say: Callable[[], None]) -> None:
    state.record(folder, ready)
    say()


class Server(uvicorn.Server):
    """uvicorn's server, which tells when it is ready and leaves the process to end in its own way."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then report readiness; uvicorn calls this."""
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: uvicorn would raise the signal again at its end, before Azurite has saved."""
        yield

    def obey_signals(self, *, leashed: bool) -> None:
        """Let SIGTERM and SIGINT end the server, and the end of stdin where it is leashed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        if leashed:
            loop.add_reader(sys.stdin.fileno(), self._read_leash)

    def end(self) -> None:
        """Ask the server to stop."""
        self.should_exit = True

    def _read_leash(self) -> None:
        if not os.read(sys.stdin.fileno(), 1):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            self.end()
