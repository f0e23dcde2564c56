"""The throw-away run, which shows what a target keeps, before the first real write.

The live service could not be tried while this was written. So the first use of a target writes one run into an
experiment of its own, reads it back as verify does, hides it, and records which fields survived.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from uuid import uuid4

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.cells import read_back
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.rows import identity
from azureml_replay.comparison.runs import beside_error
from azureml_replay.errors import Forbidden, NotFound, ServiceError, UserError
from azureml_replay.instants import Instant
from azureml_replay.model import AssetReference, Json, Points, Run, RunId, Series, SeriesKey
from azureml_replay.planning.lineage import made_experiment
from azureml_replay.terminal.hints import hint
from azureml_replay.workspace.lease import OWN_EXPERIMENT
from azureml_replay.workspace.limits import DOCUMENTED, Limits
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.put_files import NewFile
from azureml_replay.workspace.target import Outcome, Refused, Target

EXPERIMENT = OWN_EXPERIMENT
_START = Instant.parse("2020-02-29T12:34:56.1234567+00:00")
_END = Instant.parse("2020-02-29T13:34:56.7654321+00:00")
_SERIES = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),), ux_type="azureml.v1.scalar")
ROWS = Points(_SERIES, [0, 7], [_START.ticks, _END.ticks], ([0.1, -0.0],))
_FILE = NewFile(path="outputs/probe.txt", data=b"azureml-replay", content_type="text/plain")

VITAL = ("id", "status", "points", "files")
"""What a target must keep: otherwise replay stops."""
OPTIONAL = (
    *("start", "end", "display_name", "description", "tags", "properties", "parameters", "hidden"),
    *("error", "error_origin", "lender"),
)
"""Fields of Run that a target may lose: each becomes a planned omission of every run that has it."""
_OLD_NAMES = {"container": "lender"}
"""Names that earlier versions wrote -> names in `OPTIONAL`."""
_FIELDS = {name: name for name in (*VITAL, *OPTIONAL)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a target was seen to keep."""

    run: RunId
    """The throw-away run, hidden afterwards."""
    lost: tuple[str, ...]
    """Names in `VITAL` and `OPTIONAL` that the target does not keep."""
    experiments: tuple[str, ...]
    """Experiments that the target had before the first write: their description, tags and state are left alone."""
    added: tuple[str, ...]
    """Keys of tags and properties that the service added to the run by itself."""
    made: tuple[str, ...] = ()
    """Experiments that are ours, but were not sent by this ledger last: what they hold is looked at first."""
    late: bool = False
    """True where events show only some time later: replay waits for the ends that it sent."""
    created_at_start: bool | None = None
    """True where the run's creation time is the start that was sent; None where an older version made the probe."""
    lifted: Mapping[str, int] = field(default_factory=dict)
    """Name in `Limits` -> how much the target took beyond the documented limit (only `doctor` tries)."""

    @property
    def vital(self) -> tuple[str, ...]:
        """Names in `VITAL` that the target does not keep."""
        return tuple(name for name in VITAL if name in self.lost)

    @property
    def limits(self) -> Limits:
        """The limits of a run of this target."""
        return replace(DOCUMENTED, **self.lifted)

    def to_json(self) -> Json:
        """The probe as the archive keeps it."""
        return {
            "run": self.run,
            "lost": list(self.lost),
            "experiments": list(self.experiments),
            "added": list(self.added),
            "made": list(self.made),
            "late": self.late,
            "created_at_start": self.created_at_start,
            "lifted": dict(self.lifted),
        }

    @classmethod
    def from_json(cls, document: Json) -> Probe:
        """The probe in a document of `to_json`, of any version. Raises TypeError, KeyError for anything else."""
        assert isinstance(document, dict)  # noqa: S101 - our own archive row; a type narrowing
        return cls(
            run=RunId(document["run"]),
            lost=tuple(_FIELDS[_OLD_NAMES.get(name, name)] for name in document["lost"]),
            experiments=tuple(document["experiments"]),
            added=tuple(document["added"]),
            made=tuple(document.get("made", ())),
            late=document.get("late", False),
            created_at_start=document.get("created_at_start"),
            lifted=document.get("lifted", {}),
        )


async def probed(archive: Archive, target: Target) -> Probe:
    """The target's probe: from the archive, or made now. Raises UserError where the target can't be replayed into."""
    ledger = archive.ledger(target.ref)
    probe = known_probe(ledger)
    if probe is None:
        probe = await _probe(target, archive.source, frozenset(one.name for one in archive.experiments()))
        if not probe.vital:  # otherwise the next call tries again: the loss may have been passing
            ledger.put_probe(probe.to_json())
    if probe.vital:
        raise UserError(
            f"{target.ref} does not keep what direct replay needs ({', '.join(probe.vital)}), "
            f"as the throw-away run {probe.run} showed; nothing was replayed. Where that was passing, "
            f"`{hint('doctor', '--archive', archive.folder, '--target', target.ref)}` looks again"
        )
    return probe


def known_probe(ledger: TargetLedger) -> Probe | None:
    """The probe that an earlier replay or `doctor` made, None where there is none."""
    known = ledger.probe()
    if known is None:
        return None
    with read_back(f"what {ledger.target} was seen to keep"):
        return Probe.from_json(known)


def note_made(ledger: TargetLedger, names: Collection[str]) -> None:
    """Note that experiments are ours whatever the ledger says of them later. Repeatable."""
    probe = known_probe(ledger)
    if probe is not None and not set(names) <= set(probe.made):
        ledger.put_probe(replace(probe, made=tuple(sorted({*probe.made, *names}))).to_json())


async def _probe(target: Target, source: Place, planned: frozenset[str]) -> Probe:
    """Write a throw-away run, read it back, compare. A second call makes a second run, hidden like the first."""
    before = await experiments_held(target, source, planned)
    thrown = ThrowAway(target)
    await thrown.create()
    try:
        await thrown.append()
        await thrown.put_file()
    finally:
        late = await thrown.finish()  # in `finally`: the run is hidden also where something was refused
    return replace(await thrown.read(), experiments=before.own, made=before.made, late=late)


@dataclass(frozen=True, slots=True)
class ExperimentsHeld:
    """The names of a target's experiments."""

    own: tuple[str, ...]
    made: tuple[str, ...]
    """Those that say that a replay from the same source made them."""


async def experiments_held(
    target: Target, source: Place | None, planned: frozenset[str] = frozenset()
) -> ExperimentsHeld:
    """Experiments that the target has; of `planned` also those that its list leaves out, as it may archived ones."""
    held = {one.name: one async for page in target.experiments() for one in page}
    for name in sorted(planned - held.keys()):
        found = await target.experiment(name)
        held |= {name: found} if found is not None else {}
    made = {name for name, one in held.items() if source is not None and made_experiment(one, source)}
    return ExperimentsHeld(own=tuple(sorted(held.keys() - made)), made=tuple(sorted(made)))


def throw_away_run() -> Run:
    """A run with a value in every field that can be carried."""
    return Run(
        id=RunId(f"azureml-replay-probe-{uuid4().hex[:12]}"),
        experiment=EXPERIMENT,
        status="Failed",
        start=_START,
        end=_END,
        display_name="throw-away run of azureml-replay",
        description="Written once to see which fields this workspace keeps; hidden, and safe to delete.",
        tags={"azureml_replay_probe": "Ünïcode", "empty": ""},
        properties={"azureml_replay_probe": "True"},
        parameters={"lr": "0.1"},
        inputs={},
        outputs=dict[str, AssetReference](),
        hidden=True,
        error={"code": "UserError", "message": "a message"},
        error_origin={"time": str(_END), "componentName": "azureml-replay", "environment": "e", "location": "l"},
    )


@dataclass(slots=True)
class ThrowAway:
    """One run in the experiment `azureml-replay-probe`, step by step.

    Every step raises UserError (the target refuses what replay needs), Forbidden (a role lacks) or Unavailable.
    """

    target: Target
    run: Run = field(default_factory=throw_away_run)

    @property
    def borrower(self) -> Run:
        """A second run, which shows the files of the first one as a reused step does."""
        return replace(self.run, id=RunId(f"{self.run.id}-reused"), lender=self.run.id)

    async def create(self) -> None:
        """Create the run under an id of ours, then the borrower, which a target may refuse."""
        outcome = (await self.target.put_runs(EXPERIMENT, [self.run])).get(self.run.id)
        self._expect(outcome, "runs with ids of the client's choice")
        await self.target.put_runs(EXPERIMENT, [self.borrower])

    async def append(self) -> None:
        """Append two points."""
        refused = await self.target.append_points(self.run.id, [ROWS])
        self._expect(refused.get(0), "metric rows with times and steps of their own")

    async def put_file(self) -> None:
        """Write a file of a few bytes."""
        outcome = (await self.target.put_files(EXPERIMENT, self.run.id, [_FILE])).get(_FILE.path)
        self._expect(outcome, "files of runs")

    async def finish(self) -> bool:
        """End the run and hide it. True where the end showed only after some time."""
        outcome = (await self.target.finish_runs(EXPERIMENT, [self.run, self.borrower])).get(self.run.id)
        self._expect(outcome, "ends of runs with times of their own")
        found = (await self.target.details([self.run.id])).get(self.run.id)
        if found is None or found.run.status == self.run.status:
            return False
        return not await self.target.without_end([self.run])

    async def read(self) -> Probe:
        """Read the run back; what is there of it."""
        await self.target.settle(self.run.id)
        details = await self.target.details([self.run.id, self.borrower.id])
        found, borrower = details.get(self.run.id), details.get(self.borrower.id)
        if found is None:
            return Probe(run=self.run.id, lost=("id",), experiments=(), added=())
        told = replace(found.run, lender=borrower.run.lender if borrower else None)
        lost = [name for name in ("status", *OPTIONAL) if not _kept(name, self.borrower, told)]
        lost += [] if await self._points_kept() else ["points"]
        lost += [] if await self._file_kept(found.run) else ["files"]
        added = (found.run.tags.keys() - self.run.tags.keys()) | (
            found.run.properties.keys() - self.run.properties.keys()
        )
        return Probe(
            run=self.run.id,
            lost=tuple(lost),
            experiments=(),
            added=tuple(sorted(added)),
            created_at_start=found.run.created == self.run.start,
        )

    async def rows(self) -> list[str]:
        """The identities of the points that are there, sorted."""
        found: list[str] = []
        try:
            async for points in self.target.points(self.run.id, _SERIES):
                found += [repr(identity(row)) for row in points.rows()]
        except NotFound:
            return []
        return sorted(found)

    async def _points_kept(self) -> bool:
        return await self.rows() == sorted(repr(identity(row)) for row in ROWS.rows())

    async def _file_kept(self, run: Run) -> bool:
        listed: Sequence[str] = [artifact.path async for page in self.target.artifacts(run) for artifact in page]
        stored = [one.stored async for page in self.target.stored(run.id) for one in page if one.stored]
        md5 = hashlib.md5(_FILE.data, usedforsecurity=False).digest()
        return _FILE.path in listed and any(file.md5 == md5 for file in stored)

    def _expect(self, outcome: Outcome, what: str) -> None:
        if isinstance(outcome, ServiceError):
            raise outcome
        if isinstance(outcome, Refused) and outcome.status in (401, 403):
            needs = f" (needs {outcome.remedy.lacking})" if outcome.remedy else ""
            raise Forbidden(f"{outcome.reason}{needs}", status=outcome.status, remedy=outcome.remedy)
        if isinstance(outcome, Refused):
            raise UserError(f"{self.target.ref} refuses {what}: {outcome.reason}")


def _kept(name: str, wrote: Run, read: Run) -> bool:
    expected, actual = getattr(wrote, name), getattr(read, name)
    if name in ("tags", "properties", "parameters"):
        return all(actual.get(key) == value for key, value in expected.items())  # the service adds its own
    if name == "error":
        return isinstance(actual, dict) and actual.get("message") == expected["message"]
    if name == "error_origin":
        return all(beside_error(read).get(key) == value for key, value in beside_error(wrote).items())
    return bool(expected == actual)


assert set(OPTIONAL) <= {field.name for field in fields(Run)}  # noqa: S101 - a name misspelt would be a check that can't fail
