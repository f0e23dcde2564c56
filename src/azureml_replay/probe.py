"""The throw-away run: what a target keeps of what is written, found out before the first real write.

Nobody who wrote this could try the live service. So the first use of a target writes one run into an experiment of
its own, reads it back through the doors that verify uses, hides it, and records which fields survived.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from uuid import uuid4

from azureml_replay.archive.archive import Archive
from azureml_replay.compare import identity
from azureml_replay.errors import NotFound, ServiceError, UserError
from azureml_replay.model import AssetReference, Instant, Json, Points, Run, RunId, Series, SeriesKey
from azureml_replay.workspace import NewFile, Refused, Target

EXPERIMENT = "azureml-replay-probe"
_START = Instant.parse("2020-02-29T12:34:56.1234567+00:00")
_END = Instant.parse("2020-02-29T13:34:56.7654321+00:00")
_SERIES = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),), ux_type="azureml.v1.scalar")
_ROWS = Points(_SERIES, [0, 7], [_START.ticks, _END.ticks], ([0.1, -0.0],))
_FILE = NewFile(path="outputs/probe.txt", data=b"azureml-replay", content_type="text/plain")

VITAL = ("id", "status", "points", "files")
"""Without these there is nothing to replay into."""
OPTIONAL = ("start", "end", "display_name", "description", "tags", "properties", "parameters", "hidden", "error")
"""Where one is lost, it becomes a planned omission of every run that has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a target was seen to keep."""

    run: RunId
    """The throw-away run, hidden afterwards."""
    lost: tuple[str, ...]
    """Of `VITAL` and `OPTIONAL`."""
    experiments: tuple[str, ...]
    """Names that the target had before the first write: their own description, tags and state are left alone."""
    added: tuple[str, ...]
    """Keys of tags and properties that the service put on the run by itself."""

    def to_json(self) -> Json:
        """As the archive keeps it."""
        return {
            "run": self.run,
            "lost": list(self.lost),
            "experiments": list(self.experiments),
            "added": list(self.added),
        }

    @classmethod
    def from_json(cls, document: Json) -> Probe:
        """Reads what `to_json` wrote. Raises TypeError or KeyError on anything else."""
        assert isinstance(document, dict)  # noqa: S101 - our own archive row; a type narrowing
        return cls(
            run=RunId(document["run"]),
            lost=tuple(document["lost"]),
            experiments=tuple(document["experiments"]),
            added=tuple(document["added"]),
        )


async def probed(archive: Archive, target: Target) -> Probe:
    """The target's probe: from the archive, or made now. Raises UserError where the target can't be replayed into."""
    known = archive.probe(target.ref)
    probe = Probe.from_json(known) if known is not None else await _probe(target)
    if known is None:
        archive.put_probe(target.ref, probe.to_json())
    vital = [name for name in VITAL if name in probe.lost]
    if vital:
        raise UserError(
            f"{target.ref} does not keep what direct replay needs ({', '.join(vital)}), "
            f"as the throw-away run {probe.run} showed; nothing was replayed"
        )
    return probe


async def _probe(target: Target) -> Probe:
    """Writes, reads back, compares. A second attempt makes a second throw-away run, hidden like the first."""
    run = _run()
    experiments = tuple(sorted([one.name async for page in target.experiments() for one in page]))
    refused = (await target.put_runs(EXPERIMENT, [run])).get(run.id)
    if isinstance(refused, ServiceError):
        raise refused
    if isinstance(refused, Refused):
        raise UserError(f"{target.ref} refuses runs with ids of the client's choice: {refused.reason}")
    await target.append_points(run.id, [_ROWS])
    await target.put_files(EXPERIMENT, run.id, [_FILE])
    await target.finish_runs(EXPERIMENT, [run])
    await target.settle(run.id)
    found = (await target.details([run.id])).get(run.id)
    if found is None:
        return Probe(run=run.id, lost=("id",), experiments=experiments, added=())
    lost = [name for name in ("status", *OPTIONAL) if not _kept(name, run, found.run)]
    lost += [] if await _points_kept(target, run.id) else ["points"]
    lost += [] if await _file_kept(target, found.run) else ["files"]
    added = (found.run.tags.keys() - run.tags.keys()) | (found.run.properties.keys() - run.properties.keys())
    return Probe(run=run.id, lost=tuple(lost), experiments=experiments, added=tuple(sorted(added)))


def _run() -> Run:
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
    )


def _kept(name: str, wrote: Run, read: Run) -> bool:
    expected, actual = getattr(wrote, name), getattr(read, name)
    if name in ("tags", "properties", "parameters"):
        return all(actual.get(key) == value for key, value in expected.items())  # the service adds its own
    if name == "error":
        return isinstance(actual, dict) and actual.get("message") == expected["message"]
    return bool(expected == actual)


async def _points_kept(target: Target, run: RunId) -> bool:
    rows: list[object] = []
    try:
        async for points in target.points(run, _SERIES):
            rows += map(identity, points.rows())
    except NotFound:
        return False
    return sorted(map(repr, rows)) == sorted(repr(identity(row)) for row in _ROWS.rows())


async def _file_kept(target: Target, run: Run) -> bool:
    listed: Sequence[str] = [artifact.path async for page in target.artifacts(run) for artifact in page]
    stored = [file async for page in target.stored(run.container) for file in page]
    md5 = hashlib.md5(_FILE.data, usedforsecurity=False).digest()
    return _FILE.path in listed and any(file.md5 == md5 for file in stored)


assert set(OPTIONAL) <= {field.name for field in fields(Run)}  # noqa: S101 - a name misspelt would be a check that can't fail
