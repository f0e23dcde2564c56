"""How commands went: when, how much they moved, how often the services throttled them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from azureml_replay.archive.database import Database
from azureml_replay.archive.records import dumps, loads
from azureml_replay.instants import Instant
from azureml_replay.model import RunId
from azureml_replay.workspace.place import Place
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
            "select command, began, ended, outcome, parts, traffic from session order by began desc, id desc limit ?",
            (newest,),
        )
        return [_session(*row) for row in reversed(rows)]

    def command_lines(self, newest: int = 50) -> list[CommandLine]:
        """The newest command lines that were begun, at most so many, the newest of them first."""
        rows = self._all("select at, command from command_log order by at desc, id desc limit ?", (newest,))
        return [CommandLine(Instant.parse(at), _words(line)) for at, line in rows]

    def failures(self) -> dict[RunId, str]:
        """Runs that extractions could not bring, with the last error: those that wait, and all of the newest one."""
        newest, older = dict[RunId, str](), dict[RunId, str]()
        for session in self.sessions():
            for part in session.parts:
                if part.verb == "extract":
                    older |= newest
                    newest = {RunId(run): why for run, why in part.failed.items()}
        waiting = self._among("select id from run where id in", list(older), "and selected and state = 'listed'")
        return {RunId(run): older[RunId(run)] for (run,) in waiting} | newest


def _words(line: str) -> tuple[str, ...]:
    """As they were typed; of a line that another program wrote, none."""
    try:
        return tuple(shlex.split(line))
    except ValueError:
        return ()


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


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What was typed, and when it began to work on the archive."""

    at: Instant
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPart:
    """One verb of a command: `extract`, `replay` or `verify`; `migrate` has all three."""

    verb: str
    seconds: float
    counts: Mapping[str, int]
    """How much the verb moved or compared, by `runs`, `points`, `files`, `bytes`, `findings`, `failed`."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Of runs that could not be brought or sent, some with their error."""
    target: str = ""
    """The key of the workspace that the command wrote into, or compared; empty of `extract`, and of older archives."""


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

    def concerns(self, target: Place) -> bool:
        """False where it wrote into another workspace, or compared another one."""
        return all(part.target in ("", target.key) for part in self.parts)
