"""How commands went: when, how much they moved, how often the services throttled them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from azureml_replay.archive.database import Database
from azureml_replay.archive.records import dumps, loads
from azureml_replay.instants import Instant
from azureml_replay.workspace.traffic import ServiceTraffic


class Sessions(Database):
    """The part of an archive that every command writes at its end."""

    def put_session(self, session: Session) -> None:
        """Add a session. NOT repeatable: appends."""
        parts = dumps([asdict(part) for part in session.parts]).decode()
        traffic = dumps({name: asdict(told) for name, told in session.traffic.items()}).decode()
        row = (session.command, str(session.began), str(session.ended), session.outcome, parts, traffic)
        with self._transaction():
            self._execute(
                "insert into session (command, began, ended, outcome, parts, traffic) values (?, ?, ?, ?, ?, ?)", row
            )

    def sessions(self, newest: int = 100) -> list[Session]:
        """The newest sessions, at most so many, the oldest of them first."""
        rows = self._all(
            "select command, began, ended, outcome, parts, traffic from session order by id desc limit ?", (newest,)
        )
        return [_session(*row) for row in reversed(rows)]


def _session(command: str, began: str, ended: str, *rest: str) -> Session:
    outcome, parts, traffic = rest
    return Session(
        command=command,
        began=Instant.parse(began),
        ended=Instant.parse(ended),
        outcome=outcome,
        parts=tuple(SessionPart(**part) for part in loads(parts)),
        traffic={name: _traffic(**told) for name, told in loads(traffic).items()},
    )


def _traffic(requests: int, refused: int, widths: list[list[int]]) -> ServiceTraffic:
    return ServiceTraffic(requests, refused, [(at_ms, width) for at_ms, width in widths])


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPart:
    """One verb of a command: `extract`, `replay` or `verify`; `migrate` has all three."""

    verb: str
    seconds: float
    counts: Mapping[str, int]
    """How much the verb moved or compared, by `runs`, `points`, `files`, `bytes`, `findings`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command, from its start to its end, also where it failed or was interrupted."""

    command: str
    began: Instant
    ended: Instant
    outcome: str
    """`done`, `interrupted`, or the kind of error that ended it."""
    parts: tuple[SessionPart, ...]
    traffic: Mapping[str, ServiceTraffic]
    """`source SERVICE` or `target SERVICE` -> what was asked of it."""
