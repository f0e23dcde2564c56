"""Workers as tasks of Ray, on this machine or a cluster: the only file that imports it.

Tried with 2.60. What Ray would start anew by itself is turned off, since only the driver starts attempts. On this
machine it listens on loopback alone; whoever reaches a cluster runs code there, so tokens are asked for. Arguments hold
no secrets, since a cluster keeps and shows them: every worker logs in with what its node has.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from azureml_replay.crew.engine import Channel, WorkerLost
from azureml_replay.crew.messages import Answer, Request, Setup
from azureml_replay.errors import UserError
from azureml_replay.version import __version__

EXTRA = "--engine ray needs the extra `ray`: pip install 'azureml-job-replayer[ray]'"
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_DEDUP_LOGS": "0"}
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Binds everything to 127.0.0.1. Without it `ray.init` listens on all addresses of a Linux machine."""
ASKED_S = 0.5
"""How long one look into a worker's letter box takes."""
STARTING_S = 120.0
"""For a cluster that has to make room for a worker."""


def imported(*, local: bool) -> Any:  # noqa: ANN401  # Ray has types for few of its functions
    """Ray, with what has to be said before it is imported. Raises UserError where it is not installed."""
    for name, value in (_QUIET | _LOOPBACK if local else _QUIET).items():
        os.environ.setdefault(name, value)
    try:
        return import_module("ray")
    except ImportError as error:
        raise UserError(EXTRA) from error


@dataclass(slots=True)
class Ray:
    """Starts tasks, each of which is one worker for the whole command."""

    address: str | None
    """Of a cluster; None: one that begins and ends with the command, on this machine."""
    count: int
    shares_disk: bool = False
    _ray: Any = None
    _box: Any = None
    _run: Any = None
    _begun: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def worker(self, setup: Setup) -> AsyncIterator[Channel]:
        """One task. Raises UserError for a cluster of other versions."""
        async with self._turn:
            if self._box is None:
                self._start()
            number, self._begun = self._begun, self._begun + 1
        task = self._run.remote(self._box, number, setup)
        try:
            yield BoxChannel(self._ray, self._box, task, number, local=self.address is None)
        finally:
            with suppress(Exception):  # the cluster may be gone; a task that ended cannot be cancelled
                self._ray.cancel(task, force=True)

    async def close(self) -> None:
        """Ends the connection, and with it all tasks; a cluster of this machine ends too."""
        if self._ray is not None:
            self._ray.shutdown()
            self._ray = self._box = None

    def _start(self) -> None:
        local = self.address is None
        self._ray = ray = imported(local=local)
        before = os.umask(0o077)  # it writes its token where others could read it
        try:
            ray.init(
                address="local" if local else self.address,
                log_to_driver=False,
                logging_level="error",
                **({"include_dashboard": False, "num_cpus": self.count} if local else {}),
            )
        except Exception as error:
            raise UserError(f"--ray-address {self.address or 'local'}: {str(error).strip().splitlines()[0]}") from error
        finally:
            os.umask(before)
        remote = ray.remote(num_cpus=1, max_retries=0, max_calls=1)
        self._refuse_others(ray.get(ray.remote(num_cpus=0, max_retries=0)(_versions).remote()))
        self._box = ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0)(LetterBox).remote()
        self._run = remote(_work)

    def _refuse_others(self, theirs: tuple[str, ...]) -> None:
        names = ("Python", "Ray", "azureml-job-replayer")
        for name, mine, other in zip(names, _versions(), theirs, strict=True):
            if mine != other:
                raise UserError(
                    f"--ray-address {self.address}: the cluster has {name} {other}, this machine {mine}: "
                    "install the same version on both"
                )


def _versions() -> tuple[str, ...]:
    ray = import_module("ray")  # in the cluster, too
    return f"{sys.version_info[0]}.{sys.version_info[1]}", ray.__version__, __version__


def _work(box: Any, number: int, setup: Setup) -> None:  # noqa: ANN401  # an actor of Ray's
    """One worker, in the process that Ray gives it."""
    from azureml_replay.crew.worker import work  # noqa: PLC0415  # 0.5 s of imports

    async def call(request: Request) -> Answer:
        answer: Answer = await box.ask.remote(number, request)
        return answer

    asyncio.run(work(setup, call))


class LetterBox:
    """An actor between the workers and their driver, to whom no connection leads but his own."""

    def __init__(self) -> None:
        """Empty."""
        self._asked: dict[int, asyncio.Queue[Request]] = {}
        self._answered: dict[int, asyncio.Queue[Answer]] = {}

    async def ask(self, number: int, request: Request) -> Answer:
        """A worker's question; returns with the answer."""
        self._asked.setdefault(number, asyncio.Queue()).put_nowait(request)
        return await self._answered.setdefault(number, asyncio.Queue()).get()

    async def take(self, number: int, within_s: float) -> Request | None:
        """For the driver: what a worker asks; None where it asks nothing for so long."""
        try:
            async with asyncio.timeout(within_s):
                return await self._asked.setdefault(number, asyncio.Queue()).get()
        except TimeoutError:
            return None

    async def answer(self, number: int, answer: Answer) -> None:
        """The driver's."""
        self._answered.setdefault(number, asyncio.Queue()).put_nowait(answer)


@dataclass(slots=True)
class BoxChannel:
    """To one task."""

    ray: Any
    box: Any
    task: Any
    number: int
    local: bool
    heard_once: bool = False

    async def heard(self, within_s: float) -> Request:
        """The next question. Of a task that says nothing nobody can tell whether it lives, but on this machine."""
        left_s = within_s if self.heard_once else max(within_s, STARTING_S)
        while left_s > 0:
            try:
                request: Request | None = await self.box.take.remote(self.number, ASKED_S)
            except self.ray.exceptions.RayError as error:
                raise WorkerLost("the cluster does not answer", reaped=False) from error
            if request is not None:
                self.heard_once = True
                return request
            self._look()
            left_s -= ASKED_S
        raise WorkerLost(f"it said nothing for {within_s:.0f} s", reaped=False)

    async def answer(self, answer: Answer) -> None:
        """The answer to the last one."""
        try:
            await self.box.answer.remote(self.number, answer)
        except self.ray.exceptions.RayError as error:
            raise WorkerLost("the cluster does not answer", reaped=False) from error

    def _look(self) -> None:
        """Raises WorkerLost for a task that has ended, which it does not without being told."""
        ended, _ = self.ray.wait([self.task], timeout=0)
        if not ended:
            return
        try:
            self.ray.get(self.task)
        except self.ray.exceptions.RayTaskError as error:  # its own process said so
            raise WorkerLost(f"it ended: {str(error).strip().splitlines()[-1]}", reaped=True) from error
        except self.ray.exceptions.RayError as error:
            raise WorkerLost("its process ended", reaped=self.local) from error
        raise WorkerLost("it ended", reaped=True)
