"""What the contract writes, how it reads it back, and what it expects of a target: by `profile` and `features`."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Mapping, Sequence

from azureml_replay.instants import Instant
from azureml_replay.model import AssetReference, Experiment, Location, Row, Run, RunId, Series, SeriesKey, StoredFile
from azureml_replay.planning.names import fit_path
from azureml_replay.workspace.mark import SOURCE_TAG
from azureml_replay.workspace.profile import RowRule, TargetProfile
from azureml_replay.workspace.source import Source
from azureml_replay.workspace.target import Target
from contract.subjects import Features, Subject

EXPERIMENT = "history/α #1"
START = Instant.parse("2023-05-06T07:08:09.1234567+00:00")
END = Instant.parse("2023-05-06T08:00:00.0000001+00:00")
RUN = RunId("run-1")
LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),), ux_type="azureml.v1.scalar")
LONG, FOLDERS = 902, 122
"""Characters of the longest path, where storage takes so many, and of the folders that may stand before it there."""
NOT_WRITTEN = {
    *("created", "modified", "creator", "kind", "lender", "document", "unknown", "error", "warnings", "inputs"),
}
WRITTEN = [field.name for field in dataclasses.fields(Run) if field.name not in NOT_WRITTEN]
"""Fields of Run that a plain read shows as they were written; the others have tests of their own."""


def names(target: Target) -> list[str]:
    """Paths of files: hard ones, and the longest, as planning fits them to the target."""
    limits = target.profile.limits
    longest = min(LONG, limits.artifact_path, limits.blob_name - FOLDERS)
    hard = [
        "outputs/a b#?%41//ü.txt",
        "user_logs/std_log.txt",
        "a..b/..c",
        "dots/a+b&c=d;e'f\"g<h>.txt",
        "emoji😀",
        "x/" + "y" * (longest - 2),
    ]
    return [fit_path(name, target.profile.paths) for name in hard]


def history() -> list[Run]:
    """A parent with children of every end."""
    parent = Run(
        id=RunId("parent"),
        experiment=EXPERIMENT,
        status="Completed",
        start=START,
        end=END,
        display_name="Displayed",
        description="What it is for",
        tags={"owner": "me", "empty": None},
        properties={"azureml.DevPlatv2": "true", "azureml.enforceRerun": "True"},
        parameters={"lr": "0.1"},
        inputs={"data": AssetReference("azureml://locations/x/data/d/versions/1", "UriFolder")},
    )
    child = dataclasses.replace(parent, parent=parent.id, inputs={})
    error = {"code": "UserError", "message": "boom"}
    return [
        parent,
        dataclasses.replace(child, id=RunId("failed"), status="Failed", error=error),
        dataclasses.replace(child, id=RunId("canceled"), status="Canceled", hidden=True),
        dataclasses.replace(child, id=RunId("lost"), status="NotResponding"),
        dataclasses.replace(child, id=RunId("going"), status="Running", end=None),
    ]


def bearing_its_id(target: Target, run: Run) -> Run:
    """The run with the tag by which it is found where ids are the target's."""
    return run if target.profile.ids == "ours" else dataclasses.replace(run, tags={**run.tags, SOURCE_TAG: run.id})


async def opened_again(target: Target, runs: Sequence[Run]) -> None:
    """Those that are hidden are shown, where nothing can be written to them otherwise."""
    hidden = [run.id for run in runs if run.hidden]
    if target.profile.closes and hidden:
        assert set((await target.hide_runs(EXPERIMENT, hidden, hidden=False)).values()) == {None}


async def begin(subject: Subject, target: Target, *runs: Run) -> list[Run]:
    """Runs that are there and under way, under the ids that the target knows them by."""
    await target.put_experiment(Experiment(id="", name=EXPERIMENT))
    ids: dict[RunId | None, RunId] = {}
    begun = []
    for run in runs or (Run(id=RUN),):
        own = bearing_its_id(target, run)
        asked = dataclasses.replace(own, parent=ids.get(run.parent, run.parent), lender=ids.get(run.lender, run.lender))
        assert await target.put_runs(EXPERIMENT, [asked]) == {run.id: None}
        ids[run.id] = await subject.id_of(target, run.id)
        begun.append(dataclasses.replace(asked, id=ids[run.id]))
    return begun


async def begin_one(subject: Subject, target: Target) -> RunId:
    """One plain run."""
    (run,) = await begin(subject, target)
    return run.id


async def finish(target: Target, runs: Sequence[Run]) -> None:
    """Every run shows its end, at once or, where the profile says so, some time later."""
    assert await target.finish_runs(EXPERIMENT, runs) == {run.id: None for run in runs}
    if target.profile.ends_late:
        assert list(await target.without_end(runs)) == []


async def everything(target: Source) -> dict[RunId, Run]:
    """All runs of all experiments."""
    found: dict[RunId, Run] = {}
    async for experiments in target.experiments():
        for experiment in experiments:
            async for runs in target.runs(experiment):
                found.update({run.id: run for run in runs})
    return found


async def rows_of(target: Source, run: RunId, series: Series) -> list[Row]:
    """In the service's order."""
    return [row async for points in target.points(run, series) for row in points.rows()]


async def files_of(target: Source, run: RunId) -> dict[str, StoredFile]:
    """Blobs by their path in the run."""
    pages = [page async for page in target.stored(run)]
    return {file.path: file.stored for page in pages for file in page if file.stored}


async def content(target: Source, file: StoredFile) -> bytes:
    """All bytes."""
    return b"".join([piece async for piece in target.read(file.location)])


def expect_as_written(target: Target, there: Run, wanted: Run) -> None:
    """Every field that the target keeps is as it was written; what it adds by itself is no difference."""
    for name in WRITTEN:
        if target.profile.keeps(name):
            shown = _without_added(target, getattr(there, name))
            assert shown == kept_value(target.profile, getattr(wanted, name)), (wanted.id, name)


def kept_value(profile: TargetProfile, value: object) -> object:
    """A field's value as it comes back."""
    if isinstance(value, Instant):
        return Instant(value.ticks // profile.tick * profile.tick)
    if isinstance(value, Mapping) and profile.plain:
        return {key: "" if one is None else one for key, one in value.items()}
    if isinstance(value, Mapping) and not profile.nulls:
        return {key: one for key, one in value.items() if one is not None}
    return value


def kept_rows(rule: RowRule, rows: Sequence[Row]) -> list[Row]:
    """Rows as they come back, in no order."""
    kept = [_kept_row(rule, row) for row in rows]
    return kept if rule.repeats else list({repr(row): row for row in kept}.values())


def _kept_row(rule: RowRule, row: Row) -> Row:
    step, ticks, values = row
    stepped = 0 if step is None and not rule.stepless else step
    shown = values if rule.every_double else tuple(map(_finite, values))
    return stepped, None if ticks is None else ticks // rule.tick * rule.tick, shown


def _finite(value: object) -> float:
    assert isinstance(value, float)
    return math.copysign(sys.float_info.max, value) if math.isinf(value) else value + 0.0


def kept_file(features: Features, file: StoredFile) -> StoredFile:
    """As another storage shows it: all but its place, its version, and what its kind does not keep."""
    bare = StoredFile(location=Location("", ""), size_bytes=file.size_bytes)
    lost = {name: getattr(bare, name) for name in features.lost_of_files | {"etag", "location"}}
    return dataclasses.replace(file, **lost)


def _without_added(target: Target, value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    return {key: one for key, one in value.items() if key not in target.profile.added}
