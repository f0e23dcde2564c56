"""The verdict cannot be fooled: whatever single thing changes in the target, verify names it and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import workspace_config
from azureml_replay.azure.place import resource_id
from azureml_replay.azure.workspace import connect
from azureml_replay.comparison.three_way import REMOVED
from azureml_replay.planning.lineage import PROPERTY
from azureml_replay.selection import Selection
from azureml_replay.sending.transport import open_transport
from azureml_replay.verbs import verify
from azureml_sandbox import instants
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import RUN_ORIGIN, Document, scalar
from e2e.library import FastClock, migrated
from e2e.tampering import (
    BEGIN,
    BYTES,
    FILE,
    HOME,
    OTHER_BYTES,
    Change,
    change,
    extra_run,
    file_bytes,
    fill,
    in_error,
    in_home,
    in_pairs,
    in_row,
    in_rows,
    in_run,
    in_series,
    index_of,
    lineage_told,
    log_bytes,
    move_run,
    row,
)
from environment import point_at

Names = set[tuple[str, str, str]]
"""Run, what, kind."""


@dataclass(frozen=True)
class Case:
    """One change, and all that verify is to say of it."""

    change: Change
    named: Names
    deep: bool = True


def of_root(what: str, kind: str = "differs") -> Names:
    """One finding of the root."""
    return {("root", what, kind)}


def of_home(what: str, kind: str = "edited in target") -> Names:
    """One finding of the experiment."""
    return {("", f"experiment {HOME}{what}", kind)}


STEP = "metric loss step 3"
EDITED = "edited in target"
CASES = {
    "nothing": Case(lambda held: None, set()),
    "nothing, at a glance": Case(lambda held: None, set(), deep=False),
    "a point's value by one bit": Case(in_row(data={"loss": float.fromhex("0x1.5555555555554p-3")}), of_root(STEP)),
    "a point's value becomes NaN": Case(in_row(data={"loss": "NaN"}), of_root(STEP)),
    "a step": Case(in_row(step=9), of_root(STEP, "absent") | of_root("metric loss step 9", "extra")),
    "a step where there was none": Case(
        in_rows(lambda rows: [rows[0] | {"step": 0}], "stepless"),
        of_root("metric stepless step 0", "extra") | of_root(f"metric stepless at tick {BEGIN}", "absent"),
    ),
    "a point's time": Case(in_row(createdUtc=instants.text(BEGIN + 3_001)), of_root(STEP)),
    "a missing point": Case(in_rows(lambda rows: [one for one in rows if one["step"] != 3]), of_root(STEP, "absent")),
    "all points of a name": Case(
        in_rows(lambda rows: [], "stepless"), of_root(f"metric stepless at tick {BEGIN}", "absent")
    ),
    "an extra point": Case(in_rows(lambda rows: [*rows, row(7, 0.5)]), of_root("metric loss step 7", "extra")),
    "a point twice": Case(in_rows(lambda rows: [*rows, rows[3]]), of_root(STEP, "extra")),
    "an extra metric": Case(
        lambda held: held.world.metrics.append(held.guid, scalar("dcid.root", "new"), [row(0, 0.5, "new")]),
        of_root("metric new", "extra"),
    ),
    "how a metric is drawn": Case(
        in_series(properties={"uxMetricType": "azureml.v1.table"}), of_root("type of metric loss")
    ),
    "a metric's schema": Case(
        in_series(standard_schema_id="5f0e6a7e-6a0b-4f43-9a3d-2d7c8e1b9c55"), of_root("schema of metric loss", "extra")
    ),
    "a column's type": Case(in_series(columns={"loss": "Int"}), of_root("columns of metric loss")),
    "a tag's value": Case(in_pairs("tags", {"team": "red"}), of_root("tag team", EDITED)),
    "a tag's case": Case(in_pairs("tags", {"team": "Blue"}), of_root("tag team", EDITED)),
    "a tag's null": Case(in_pairs("tags", {"null": ""}), of_root("tag null", EDITED)),
    "a missing tag": Case(in_pairs("tags", {}, "team"), of_root("tag team", EDITED)),
    "an extra tag": Case(in_pairs("tags", {"new": "1"}), of_root("tag new", EDITED)),
    "the lineage tag": Case(in_pairs("tags", {"original_job_id": "other"}), of_root("tag original_job_id", EDITED)),
    "a property": Case(in_pairs("properties", {"Kept": "true"}), of_root("property Kept")),
    "a missing property": Case(in_pairs("properties", {}, "Kept"), of_root("property Kept", "absent")),
    "an extra property": Case(in_pairs("properties", {"new": "1"}), of_root("property new", "extra")),
    "the lineage property": Case(in_pairs("properties", {}, PROPERTY), of_root("lineage")),
    "what the lineage says": Case(in_run(lineage_told), of_root("lineage: created")),
    "a parameter": Case(in_pairs("parameters", {"lr": "0.10"}), of_root("parameter lr")),
    "a missing parameter": Case(in_pairs("parameters", {}, "lr"), of_root("parameter lr", "absent")),
    "an input": Case(
        in_run(lambda run: {"inputs": {"data": {"assetId": "azureml://data/2", "type": "UriFolder"}}}),
        of_root("input data"),
    ),
    "an output": Case(in_run(lambda run: {"outputs": None}), of_root("output model", "absent")),
    "an input dataset": Case(in_run(lambda run: {"inputDatasets": []}), of_root("input datasets", "absent")),
    "an output dataset": Case(
        in_run(lambda run: {"outputDatasets": [{"identifier": {"savedId": "p"}}]}), of_root("output datasets")
    ),
    "start by a tick": Case(in_run(lambda run: {"startTimeUtc": instants.text(BEGIN + 2)}), of_root("start")),
    "end by a tick": Case(in_run(lambda run: {"endTimeUtc": instants.text(BEGIN + 10**9 - 1)}), of_root("end")),
    "no end": Case(in_run(lambda run: {"endTimeUtc": None}), of_root("end", "absent")),
    "status": Case(in_run(lambda run: {"status": "Failed"}), of_root("status", EDITED)),
    "parent": Case(in_run(lambda run: {"parentRunId": None}, "child"), {("child", "parent", "absent")}),
    "display name": Case(in_run(lambda run: {"displayName": "The root"}), of_root("display name", EDITED)),
    "description": Case(in_run(lambda run: {"description": ""}), of_root("description", EDITED)),
    "hidden": Case(in_run(lambda run: {"hidden": True}), of_root("hidden", EDITED)),
    "error message": Case(
        in_error(lambda error: {"error": error["error"] | {"message": "it broke!"}}),
        {("child", "error message", "differs")},
    ),
    "when an error was noticed": Case(
        in_error(lambda error: {"time": "2023-04-05T06:07:09.1234568+00:00"}),
        {("child", "error time", "differs")},
    ),
    "where an error was noticed": Case(
        in_error(lambda error: {"componentName": None}),
        {("child", "error componentName", "absent")},
    ),
    "no error": Case(
        in_run(lambda run: {"error": None}, "child"),
        {("child", f"error {part}", "absent") for part in ("message", "code", "time", "componentName")},
    ),
    "a file's byte": Case(
        file_bytes(OTHER_BYTES), of_root(f"file {FILE}", EDITED) | of_root(f"file {FILE}: bytes"), deep=True
    ),
    "a file's byte, at a glance": Case(file_bytes(OTHER_BYTES), of_root(f"file {FILE}", EDITED), deep=False),
    "a file's byte under the old MD5": Case(file_bytes(OTHER_BYTES, told=BYTES), of_root(f"file {FILE}: bytes")),
    "a file's length, at a glance": Case(file_bytes(BYTES + b"\n"), of_root(f"file {FILE}", EDITED), deep=False),
    "a log's byte, which has no MD5": Case(
        log_bytes(b"lag"),
        {("child", "file logs/a.txt: bytes", "differs")},
    ),
    "what the job was": Case(
        lambda held: held.blob("replay/job.json").upload_blob(b"{}", overwrite=True),
        of_root("file replay/job.json", EDITED) | of_root("file replay/job.json: bytes"),
    ),
    "a missing file": Case(lambda held: held.blob(FILE).delete_blob(), of_root(f"file {FILE}", "absent")),
    "an extra file": Case(
        lambda held: held.blob("outputs/new").upload_blob(b"x"), of_root("file outputs/new", "extra")
    ),
    "a missing index entry": Case(
        lambda held: bool(held.world.artifacts.delete(held.guid, (RUN_ORIGIN, "dcid.root"), FILE)) or None,
        of_root(f"file {FILE}: index entry", "absent"),
    ),
    "an index entry that leads elsewhere": Case(
        lambda held: index_of(held, FILE, relative_path=f"{RUN_ORIGIN}/dcid.root/outputs/empty.txt"),
        of_root(f"file {FILE}: index entry"),
    ),
    "an extra index entry": Case(
        lambda held: index_of(held, "outputs/ghost"), of_root("file outputs/ghost: index entry", "extra")
    ),
    "a missing child run": Case(
        lambda held: held.world.runs.delete(held.guid, "child"), {("child", "run", REMOVED)}
    ),
    "a missing root run": Case(lambda held: held.world.runs.delete(held.guid, "root"), of_root("run", REMOVED)),
    "a run's experiment": Case(move_run, {("child", "experiment", "differs")}),
    "an extra child run": Case(extra_run, {("", "run stranger", "extra")}),
    "an experiment's name": Case(
        in_home(name="renamed"),
        of_home("", "absent") | of_root("experiment") | {("child", "experiment", "differs")},
    ),
    "an experiment's description": Case(in_home(description="something else"), of_home(": description")),
    "an experiment's missing description": Case(in_home(description=None), of_home(": description")),
    "an experiment's tag": Case(in_home(tags={"area": "sound"}), of_home(": tag area")),
    "an experiment's extra tag": Case(in_home(tags={"area": "vision", "a": "b"}), of_home(": tag a")),
    "an experiment archived": Case(in_home(archivedTime="2024-01-01T00:00:00+00:00"), of_home(": state")),
}  # fmt: skip


@pytest.fixture(scope="module")
def source(sandbox: Sandbox) -> Iterator[WorkspaceFile]:
    """Filled once, changed by no test."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        made = sandbox.add_workspace()
        change(sandbox, made, fill)
        yield made


async def findings(source: WorkspaceFile, target: WorkspaceFile, folder: Path, *, deep: bool) -> tuple[int, Names]:
    """What the verdict counts, and what the archive then lists."""
    configs = [workspace_config(str(one.path)) for one in (source, target)]
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(open_transport())
        ends = [
            await stack.enter_async_context(connect(config, transport=wire, clock=FastClock())) for config in configs
        ]
        archive = stack.enter_context(Archive.open(folder))
        verdict = await verify(archive, ends[1], Selection(), source=ends[0], deep=deep)
        found = list(archive.ledger(configs[1].ref).findings())
    return verdict.findings, {(one.run, one.what, one.kind) for one in found}


@pytest.mark.parametrize("name", CASES)
def test_one_thing_changed_is_named(
    name: str, source: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """After a migration without a finding; nothing else is named, and the verdict counts it."""
    case, target = CASES[name], calm.add_workspace()
    done = asyncio.run(migrated(source, target, tmp_path / "archive"))
    assert (done.verdict.runs, done.verdict.points, done.verdict.findings) == (2, 11, 0)

    change(calm, target, case.change)
    counted, named = asyncio.run(findings(source, target, tmp_path / "archive", deep=case.deep))

    assert named == case.named
    assert counted == len(case.named)


def test_a_place_in_the_source_is_named(
    source: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """What would lead MLflow to the source's files is found; the target's own place, which no plan names, is not."""
    target = calm.add_workspace()
    asyncio.run(migrated(source, target, tmp_path / "archive"))
    for workspace, expected in ((target, set()), (source, of_root("property mlflow.artifactUri"))):
        place = f"azureml://host/mlflow/v2.0{resource_id(workspace_config(str(workspace.path)).ref)}/experiments/0/runs/root"
        change(calm, target, in_pairs("properties", {"mlflow.artifactUri": place}))

        assert asyncio.run(findings(source, target, tmp_path / "archive", deep=False)) == (len(expected), expected)


def test_an_experiment_that_the_target_had_keeps_its_own(
    source: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Described and tagged by others before: untouched, and told as omissions, not as findings.

    One that they archived is shown again: it would hide runs that the source shows.
    """
    target, theirs = calm.add_workspace(), {"description": "theirs", "tags": {"a": "b"}, "archivedTime": ARCHIVED}
    change(calm, target, lambda held: held.world.experiments.obtain(held.guid, HOME) and in_home(**theirs)(held))

    done = asyncio.run(migrated(source, target, tmp_path / "archive"))

    assert (done.replayed.failed, done.verdict.findings, done.verdict.omissions) == ((), 0, 2)
    change(calm, target, lambda held: _is(held.home(), theirs | {"archivedTime": None}))
    change(calm, target, in_home(archivedTime=ARCHIVED))
    hidden = ("", f"experiment {HOME}: state", "differs")
    assert asyncio.run(findings(source, target, tmp_path / "archive", deep=False)) == (1, {hidden})


ARCHIVED = "2024-01-01T00:00:00+00:00"


def _is(document: Document, expected: Document) -> None:
    assert {key: document[key] for key in expected} == expected
