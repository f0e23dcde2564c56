"""The seam for whatever runs workers: it starts them, carries messages, and says when one has ended."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from azureml_replay.crew.messages import Answer, Request, Setup


class WorkerLost(Exception):
    """A worker ended, or says nothing any more."""

    def __init__(self, why: str, *, reaped: bool) -> None:
        """`reaped`: it is known to be dead."""
        super().__init__(why)
        self.reaped = reaped


class Channel(Protocol):
    """To one worker."""

    async def heard(self, within_s: float) -> Request:
        """What it asks next. Raises WorkerLost, also where it says nothing for so long."""
        ...

    async def answer(self, answer: Answer) -> None:
        """Answers the last request. Raises WorkerLost."""
        ...


class Engine(Protocol):
    """Starts workers. Only the driver starts attempts: what an engine would start anew by itself is turned off."""

    shares_disk: bool
    """Workers open folders of this machine."""

    def worker(self, setup: Setup) -> AbstractAsyncContextManager[Channel]:
        """Starts one; at the end it is told to end, and ended where it does not. Raises UserError."""
        ...

    async def close(self) -> None:
        """Lets go of all that was started. Repeatable."""
        ...
