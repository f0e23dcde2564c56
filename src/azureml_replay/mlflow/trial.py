"""The throw-away run of a server: what its version and its database keep, as nobody can tell from either alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from azureml_replay.errors import Rejected
from azureml_replay.instants import TICKS_PER_SECOND, Instant
from azureml_replay.mlflow.appending import RowAppender
from azureml_replay.mlflow.putting import Putting
from azureml_replay.mlflow.rest import Rest
from azureml_replay.mlflow.wire import ask, encode
from azureml_replay.mlflow.wire.ours import as_written
from azureml_replay.mlflow.writing import Writing
from azureml_replay.model import Points, Row, Run, RunId, Series, SeriesKey
from azureml_replay.workspace.lease import OWN_EXPERIMENT
from azureml_replay.workspace.mark import LINEAGE
from azureml_replay.workspace.put_files import NewFile
from azureml_replay.workspace.target import Outcome, Refused
from azureml_replay.workspace.tried import Trait, Tried

LONG_TAG = 8_000
"""Characters that MLflow takes since 2.22; before, and of experiments, it takes 5,000."""
_YEARS_S = 6 * 365 * 86_400
_SERIES = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),))
_TIME = Instant.parse("2020-02-29T12:34:56.123+00:00").ticks
_ROWS: Sequence[Row] = [(0, _TIME, (0.1,)), (7, _TIME, (5e-324,)), (-5, _TIME, (1.0,))]
_NAN: Sequence[Row] = [(1, _TIME, (math.nan,))]
_PLAIN, _UNICODE = "outputs/probe.txt", "outputs/probe ü漢.txt"
_DATA = b"azureml-replay"


@dataclass(slots=True)
class ServerTrial:
    """One throw-away run."""

    rest: Rest
    writing: Writing
    appending: RowAppender
    putting: Putting
    served: bool
    """False where nobody wants files there."""
    traits: set[Trait] = field(default_factory=set)
    lost: list[str] = field(default_factory=list)
    lifted: dict[str, int] = field(default_factory=dict)

    async def run(self) -> Tried:
        """Write it, read it back, hide it. Raises Rejected, Unavailable."""
        server = await self.rest.version()
        wanted = _wanted(self.rest.clock())
        made = await self.writing.make(OWN_EXPERIMENT, wanted)
        if isinstance(made, Refused):
            raise made.error("runs: ")
        wanted = replace(wanted, id=made)
        try:
            await self._write(wanted)
        finally:
            await self.writing.end([wanted])
        await self._read(wanted)
        return Tried(
            run=made, lost=tuple(self.lost), server=server, traits=frozenset(self.traits), lifted=dict(self.lifted)
        )

    async def _write(self, wanted: Run) -> None:
        _expect((await self.writing.update([wanted]))[wanted.id])
        if await self._takes(wanted.id, {"azureml_replay_long": "x" * LONG_TAG}):
            self.lifted["value"] = LONG_TAG
        if await self._takes(wanted.id, {"azureml_replay:colon": "x"}):
            self.traits.add(Trait.COLON)
        await self.appending.append(wanted.id, [Points.of(_SERIES, _ROWS)])
        for attempt in range(2):
            try:
                await self._log(wanted.id, _NAN)
            except Rejected:
                if not attempt:
                    raise
            else:
                self.traits |= {Trait.NAN_AGAIN} if attempt else set()
        if self.served:
            await self._put_files(wanted.id)

    async def _takes(self, run: RunId, tags: dict[str, str]) -> bool:
        """A tag alone: refused, or cut, as reading tells."""
        try:
            await self.writing.tag(run, tags)
        except Rejected:
            return False
        found = await self.rest.run(run, {})
        return found is not None and tags.items() <= found.run.tags.items()

    async def _log(self, run: RunId, rows: Sequence[Row]) -> None:
        for body in encode.rows(run, [Points.of(_SERIES, rows)]):
            await self.rest.send("POST", f"{ask.API}/runs/log-batch", json=body, repeatable=False)

    async def _put_files(self, run: RunId) -> None:
        outcome = (await self.putting.put(run, [NewFile(path=_PLAIN, data=_DATA)]))[_PLAIN]
        if isinstance(outcome, Refused):
            return
        _expect(outcome)
        self.traits.add(Trait.FILES)
        if await self.putting.content(run, _PLAIN) != _DATA:
            self.lost.append("files")
        unicode = (await self.putting.put(run, [NewFile(path=_UNICODE, data=_DATA)]))[_UNICODE]
        if unicode is None and await self.putting.content(run, _UNICODE) == _DATA:
            self.traits.add(Trait.UNICODE_PATHS)
        if (await self.putting.remove(run, [_UNICODE]))[_UNICODE] is None:
            self.traits.add(Trait.REMOVES_FILES)

    async def _read(self, wanted: Run) -> None:
        listed = await self.rest.run(wanted.id, {})
        if listed is None:
            self.lost.append("id")
            return
        found = as_written(listed.run)
        for name in ("status", "start", "end", "display_name", "description", "parameters", "hidden", "error"):
            if getattr(found, name) != getattr(wanted, name):
                self.lost.append(name)
        for name in ("tags", "properties"):
            if not getattr(wanted, name).items() <= getattr(found, name).items():
                self.lost.append(name)
        rows = [row async for page in self.rest.history(wanted.id, "loss") for row in page]
        if sorted(map(repr, rows)) != sorted(map(repr, (*_ROWS, *_NAN))):
            self.lost.append("points")


def _expect(outcome: Outcome) -> None:
    """Raises what is about the server, or what it refuses."""
    if isinstance(outcome, Refused):
        raise outcome.error("a throw-away run: ")
    if outcome is not None:
        raise outcome


def _wanted(now: Instant) -> Run:
    start = Instant((now.ticks // TICKS_PER_SECOND - _YEARS_S) * TICKS_PER_SECOND + 1_230_000)
    mark = {"azureml_replay_probe": "Ünïcode", "empty": ""}
    return Run(
        id=RunId("probe"),
        experiment=OWN_EXPERIMENT,
        status="Failed",
        start=start,
        end=start.after(300.641),
        display_name="throw-away run of azureml-replay",
        description="Written once to see what this server keeps; deleted, and of no further use.",
        creator="azureml-replay",
        tags=mark,
        properties={LINEAGE: "{}", "probe": "True"},
        parameters={"lr": "0.1"},
        error={"code": "UserError", "message": "a message"},
        hidden=True,
    )
