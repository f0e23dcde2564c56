"""A server under examination: each step of reaching it by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from azureml_replay.errors import Remedy
from azureml_replay.mlflow.config import ServerConfig
from azureml_replay.mlflow.place import address_of
from azureml_replay.mlflow.target import MlflowTarget
from azureml_replay.mlflow.workspace import logger, sending
from azureml_replay.sending.sender import Sender
from azureml_replay.sending.transport import way_to
from azureml_replay.workspace.examined import StoreSeen


class ServerSubject:
    """`workspace.examined.Subject` for an MLflow server."""

    def __init__(self, config: ServerConfig, sender: Sender) -> None:
        """Asks nothing yet."""
        self.ref = config.ref
        self.host = address_of(config.ref)
        self._config, self._sender = config, sender
        self._opened: MlflowTarget | None = None

    def way(self) -> str:
        """The proxy for the server, as the environment names it."""
        return way_to(self.host)

    async def login(self) -> str:
        """Ask the server for anything; the user's name. Raises UserError where it does not let this login in."""
        self._opened = await MlflowTarget.opened(self._config, self._sender)
        return self._config.login.user or ""

    async def workspace(self) -> str:
        """The version that it names."""
        assert self._opened is not None  # noqa: S101 - asked after the login
        return self._opened.version

    async def enter(self) -> MlflowTarget:
        """The server, opened."""
        assert self._opened is not None  # noqa: S101 - asked after the login
        return self._opened

    def command(self, remedy: Remedy, store: StoreSeen | None = None) -> str:  # noqa: ARG002 - the seam's
        """What to do: a server's rights are given by whoever runs it."""
        return remedy.said


@asynccontextmanager
async def examined(
    config: ServerConfig, *, on_throttle: Callable[[str], None] = logger.warning
) -> AsyncIterator[ServerSubject]:
    """A server for `doctor`; asks nothing yet."""
    async with AsyncExitStack() as stack:
        yield ServerSubject(config, await stack.enter_async_context(sending(config, on_throttle=on_throttle)))
