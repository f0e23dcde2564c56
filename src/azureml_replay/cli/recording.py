"""Records in the archive how each command went that moves something."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from azureml_replay import redact
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.database import now
from azureml_replay.archive.sessions import Session, SessionPart
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.traffic import ServiceTraffic

Done = TypeVar("Done")
COUNTS = ("runs", "points", "files", "bytes", "findings", "omissions")
"""Fields of a verb's result that are recorded."""
DELETED = "deleted runs"
"""As what `deleted` is recorded, where there are any."""
FAILED_KEPT = 1_000
"""Runs of one verb whose errors are recorded: 100 KB, and more than anybody reads."""


class Connected(Protocol):
    """A workspace that was reached, with its traffic."""

    @property
    def ref(self) -> Place:
        """Which it is."""
        ...

    def traffic(self) -> Mapping[str, ServiceTraffic]:
        """The requests so far, by service."""
        ...


@dataclass(slots=True)
class Watch:
    """Times the verbs of one command."""

    parts: list[SessionPart] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    target: str = ""

    def did(self, verb: str, done: Done) -> Done:
        """Record that a verb ended now; the next one begins."""
        seconds, self.began = time.monotonic() - self.began, time.monotonic()
        counts = {name: count for name in COUNTS if isinstance(count := getattr(done, name, None), int)}
        if deleted := getattr(done, "deleted", 0):
            counts[DELETED] = deleted
        failed: Sequence[tuple[str, str]] = getattr(done, "failed", ())
        if failed:
            counts["failed"] = len(failed)
        some = {run: redact.text(why) for run, why in failed[:FAILED_KEPT]}
        self._end(verb, seconds, counts, some)
        return done

    def cut_off(self, command: str) -> None:
        """Record that a command about a target ended before any verb of it did."""
        if self.target and not self.parts:
            self._end(command, time.monotonic() - self.began, {}, {})

    def _end(self, verb: str, seconds: float, counts: Mapping[str, int], failed: Mapping[str, str]) -> None:
        part = SessionPart(verb=verb, seconds=round(seconds, 3), counts=counts, failed=failed, target=self.target)
        self.parts.append(part)


@contextmanager
def recorded(archive: Archive, command: str, **ends: Connected | None) -> Iterator[Watch]:
    """Record the command line now, and at the end how it went, also where it was interrupted or failed."""
    archive.log_command(sys.argv)
    reached = {side: end for side, end in ends.items() if end is not None}
    began, watch = now(), Watch(target=reached["target"].ref.key if "target" in reached else "")

    def keep(outcome: str) -> None:
        traffic = {f"{side} {name}": told for side, end in reached.items() for name, told in end.traffic().items()}
        archive.put_session(
            Session(
                command=command,
                began=began,
                ended=now(),
                outcome=outcome,
                parts=tuple(watch.parts),
                traffic=traffic,
            )
        )

    try:
        yield watch
    except BaseException as problem:
        stopped = isinstance(problem, KeyboardInterrupt | asyncio.CancelledError)
        watch.cut_off(command)
        keep("interrupted" if stopped else type(problem).__name__)
        raise
    keep("done")
