"""The rows that `doctor` writes, and what it asks; `azure/examined.py` implements the questions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from azureml_replay.errors import Forbidden, Rejected, ServiceError, Unavailable, UserError
from azureml_replay.workspace.examined import StoreSeen, Subject

PROBES = {
    "way": "no proxy, or which one, is between here and the services",
    "login": "a token for the workspace's tenant",
    "workspace": "the resource manager shows the workspace",
    "hosts": "the data plane that discovery names answers",
    "experiments": "they can be listed",
    "jobs": "jobs can be listed",
    "runs": "the runs of an experiment can be listed",
    "runs and jobs": "every listed job is among the runs",
    "archived experiments": "the list of experiments has them",
    "hidden runs": "archived jobs are among the runs",
    "children": "the children of a listed run are among the runs",
    "paging": "small pages of runs go on to the same runs",
    "bulk details": "batchrundata answers",
    "metrics": "names and rows can be read",
    "metric names": "MLflow knows no metric that `list` does not name",
    "file index": "the files of a run can be listed",
    "datastores": "each can be opened",
    "storage keys": "listSecrets answers, and the account takes what it gives",
    "stored files": "the files of runs can be listed",
    "signing": "another storage account can be let in to read",
    "client ids": "a run can be made under an id of ours",
    "run status": "of which runs a client may say how they ended: without a type, External, with the source's",
    "made runs": "a run that a client makes is among the runs of its experiment",
    "points": "rows keep step, time and value",
    "files": "a file can be written to a run",
    "copy": "the target's storage reads the source's",
    "ends": "events end a run at once, with its own times",
    "fields": "what a run keeps of what is written",
    "write route": "by which runs are written: the history, or MLflow's routes",
    "past times": "how far back a start and an end may lie",
    "creation time": "what the target takes for it",
    "datasets": "a run may name datasets that this workspace never saved",
    "null values": "tags and properties without a value",
    "added keys": "tags and properties of the service's own",
    "settled rows": "how it is known that rows can be read: by batchsync, by wait, or by reading",
    "repeated points": "what a second sending of the same rows does",
    "later points": "a run that has ended says that it has changed",
    "batch sizes": "1,000 rows, 100 runs in a request",
    "model links": "a model keeps the run that it is sent with",
    "model places": "a model may lie among the files of a run",
    "moved models": "an MLflow model stays where it was sent to lie",
    "asset conflicts": "what a second sending of another content does, kind by kind",
    "asset stages": "a model keeps its stage when it is archived by the same request",
    "asset tags": "100 tags of 1,000 characters",
    "component graphs": "a pipeline component is answered with its graph",
    "output data": "what a second making of a run's output does",
    "input data": "of a run's input",
    "output models": "of an output that is a model",
    "input models": "of an input that is one",
    "run outputs": "a run that has ended takes other outputs",
    "text versions": "MLflow shows a model's version that is no number",
    "model aliases": "MLflow's registry knows them",
    "limits": "what the target takes beyond the documented limits",
}
"""Name of a probe -> what it asks. `docs/concepts/assumptions.md` says which assumption each of them tests."""

SERVER_PROBES = {
    "answers": "how long the server takes for one: with basic authentication 0.3 s",
    "removed files": "whether files can be taken back",
    "file names": "whether files of any name can be read back",
    "names": "which signs the names of metrics, parameters and tags may have",
}
"""What is asked of plain MLflow servers alone; of the others above what a server has."""


class Outcome(StrEnum):
    """The outcome of a probe."""

    OK = "ok"
    WARNING = "warning"
    """It works, with a loss or a detour that the text names."""
    MISSING = "missing"
    """Somebody has to mend it first."""
    UNKNOWN = "unknown"
    """Nothing there to look at, or nobody answered."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one probe saw, and what to do about it."""

    text: str
    outcome: Outcome = Outcome.OK
    todo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRow:
    """One line of the examination."""

    side: str
    """`source` or `target`."""
    probe: str
    """A name in `PROBES`, or `SERVER_PROBES`."""
    outcome: Outcome
    seen: str
    todo: str = ""
    """What to do where the outcome is not OK; may be a command."""
    unreachable: bool = False
    """True where nobody answered."""

    @property
    def fine(self) -> bool:
        """Nothing has to be done, and nothing is lost."""
        return self.outcome is Outcome.OK

    @property
    def pressing(self) -> bool:
        """Somebody should read it: it is missing, or works with a loss, or nobody answered."""
        return self.outcome in (Outcome.MISSING, Outcome.WARNING) or self.unreachable


@dataclass(slots=True)
class Sheet:
    """The rows of one side, collected as they are written."""

    side: str
    subject: Subject
    rows: list[ProbeRow] = field(default_factory=list)

    def note(self, probe: str, seen: Seen) -> None:
        """Write one row."""
        assert probe in PROBES or probe in SERVER_PROBES, probe  # noqa: S101 - a probe that no document explains
        self.rows.append(ProbeRow(side=self.side, probe=probe, outcome=seen.outcome, seen=seen.text, todo=seen.todo))

    async def check(self, probe: str, ask: Callable[[], Awaitable[Seen]], store: StoreSeen | None = None) -> bool:
        """Ask, and write the row whatever comes. False where something is missing or nobody answered."""
        try:
            seen = await ask()
        except Unavailable as error:
            todo = "open the way to that host (private endpoint, firewall, proxy), or try later"
            row = ProbeRow(
                side=self.side, probe=probe, outcome=Outcome.UNKNOWN, seen=str(error), todo=todo, unreachable=True
            )
            self.rows.append(row)
            return False
        except Forbidden as error:
            seen = self.forbidden(error, store=store)
        except UserError as error:
            seen = Seen(str(error), Outcome.MISSING)  # its message says what to do
        except Rejected as error:
            seen = Seen(str(error), Outcome.MISSING, "replay cannot do without it")
        except ServiceError as error:
            seen = Seen(str(error), Outcome.UNKNOWN, "try again")
        self.note(probe, seen)
        return seen.outcome is not Outcome.MISSING

    def forbidden(self, error: Forbidden, outcome: Outcome = Outcome.MISSING, store: StoreSeen | None = None) -> Seen:
        """What to write of a missing right: the right, and the command that grants a role with it."""
        about = f"{store.name}: " if store else ""
        if error.remedy is None:
            return Seen(f"{about}{error}", outcome, "ask for access")
        return Seen(f"{about}refused: {error.remedy.lacking}", outcome, self.subject.command(error.remedy, store))
