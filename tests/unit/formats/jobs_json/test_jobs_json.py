"""jobs.json both ways: an archive's view of itself, and archives made from such files, the original tool's too."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.reading import FILES_LEFT_OUT
from azureml_replay.azure.place import azure_place, resource_id
from azureml_replay.cli.legacy import was_extracted
from azureml_replay.errors import UserError
from azureml_replay.formats.jobs_json import entry, parse
from azureml_replay.formats.jobs_json import scan as scanning
from azureml_replay.formats.jobs_json.index import JobsIndex
from azureml_replay.formats.jobs_json.parse import run_of
from azureml_replay.formats.jobs_json.scan import scan
from azureml_replay.formats.jobs_json.source import import_jobs
from azureml_replay.formats.jobs_json.write import Written, write_jobs
from azureml_replay.instants import Instant
from azureml_replay.model import (
    Artifact,
    AssetReference,
    Job,
    Location,
    Omission,
    Points,
    Row,
    Run,
    RunDetails,
    RunId,
    Series,
    SeriesKey,
    StoredFile,
)
from azureml_replay.planning.history import NAMED_OUTPUT
from azureml_replay.planning.plan import plan
from azureml_replay.selection import Selection
from azureml_replay.workspace.place import Place

SOURCE = azure_place("sub", "group", "source")
LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),), ux_type="azureml.v1.scalar", schema_id="s1")
TABLE = Series(key=SeriesKey("table", "space"), columns=(("a", "Double"), ("b", "String"), ("c", "Int")))
EMPTY = Series(key=SeriesKey("empty"), columns=(("empty", "Double"),))
ROWS: list[Row] = [
    (0, 16_000_000_000_000_001, (0.1,)),
    (7, 16_000_000_000_000_003, (math.nan,)),
    (7, 16_000_000_000_000_002, (-0.0,)),
    (None, None, (math.inf,)),
]
CELLS: list[Row] = [(1, 5, (-math.inf, "NaN", 2**60)), (1, 5, (None, None, None))]
HERE = "ExperimentRun/dcid.child/"
FILES = [
    Artifact(
        path="outputs/a#?%41.txt",
        location=Location("workspaceartifactstore", HERE + "x"),
        indexed=True,
        stored=None,
        gone="404 from storage at 2026-01-02T03:04:05Z; listed, not stored",
    ),
    Artifact(
        path="user_logs/é.txt",
        location=Location("workspaceartifactstore", HERE + "user_logs/é.txt"),
        indexed=False,
        stored=StoredFile(
            location=Location("workspaceartifactstore", HERE + "user_logs/é.txt"),
            size_bytes=0,
            md5=b"\x00" * 16,
            etag="0x1",
            content_type="text/plain",
            metadata={"a": "b"},
        ),
    ),
    Artifact(
        path="outputs/elsewhere",
        location=Location("otherstore", "some/where"),
        indexed=True,
        stored=StoredFile(location=Location("otherstore", "some/where"), size_bytes=5),
    ),
]
PARENT = Run(
    id=RunId("parent"),
    experiment="cats",
    status="Completed",
    kind="azureml.PipelineRun",
    created=Instant(16_000_000_000_000_007),
    start=Instant(16_000_000_000_000_007),
    end=Instant(16_000_000_010_000_007),
)
CHILD = Run(
    id=RunId("child"),
    parent=PARENT.id,
    experiment="cats",
    status="Failed",
    kind="azureml.StepRun",
    created=Instant(16_000_000_000_000_008),
    modified=Instant(16_000_000_000_000_009),
    display_name="学習",
    description="two\nlines",
    tags={"owner": None, "k": "v"},
    properties={"azureml.x": "True"},
    parameters={"lr": 0.1, "deep": {"a": [1]}},
    inputs={"data": AssetReference("azureml://data/1", "UriFolder")},
    outputs={"model": AssetReference("azureml://data/2", None)},
    input_datasets=[{"dataset": 1}],
    hidden=True,
    error={"code": "UserError", "message": "no"},
    creator="Ann",
)


def archive_of(folder: Path, *runs: Run, points: Sequence[Points] = (), files: Sequence[Artifact] = ()) -> Archive:
    """Points and files belong to the last run."""
    archive = Archive.create(folder, SOURCE)
    archive.put_listed(runs)
    archive.arrange()
    archive.select(run.id for run in runs)
    for run in runs:
        archive.begin(run.id)
        archive.put_details(RunDetails(run=run))
        if run is runs[-1]:
            archive.put_series(run.id, [piece.series for piece in points])
            archive.put_chunk(run.id, [piece for piece in points if len(piece)])
            archive.put_artifacts(run.id, files)
        archive.complete(run.id)
    return archive


def a_family(folder: Path) -> Archive:
    points = [Points.of(LOSS, ROWS), Points.of(TABLE, CELLS), Points.of(EMPTY, [])]
    archive = archive_of(folder, PARENT, CHILD, points=points, files=FILES)
    archive.put_jobs([Job(PARENT.id, {"name": "parent", "properties": {"jobType": "Pipeline", "settings": {"a": 1}}})])
    return archive


async def imported(path: Path, folder: Path, source: Place = SOURCE) -> Archive:
    archive = Archive.create(folder, source)
    done = await import_jobs(JobsIndex(path), archive, None)
    assert done is not None
    assert done.failed == ()
    return archive


def bits(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """NaN equals NaN, and -0.0 does not equal 0.0."""
    pack = [[struct.pack("<d", cell) if isinstance(cell, float) else cell for cell in row[2]] for row in rows]
    return [(row[0], row[1], cells) for row, cells in zip(rows, pack, strict=True)]


def rows_of(archive: Archive, run: RunId, key: SeriesKey) -> list[tuple[Any, ...]]:
    return bits([row for piece in archive.points(run, key) for row in piece.rows()])


def jobs_at(path: Path) -> dict[str, dict[str, Any]]:
    return {job["name"]: job for job in json.loads(path.read_text())}


def test_the_fields_are_the_originals(tmp_path: Path) -> None:
    """By name and in its order; ours come behind them."""
    with a_family(tmp_path / "archive") as archive:
        written = write_jobs(archive, tmp_path / "jobs.json")

    jobs = jobs_at(tmp_path / "jobs.json")
    assert written == Written(jobs=2, points=6, files=3, without_files=1)
    assert set(jobs["parent"]) == {*entry.FIELDS, *entry.ADDED}
    assert len(entry.FIELDS) == 57
    parent, child = jobs["parent"], jobs["child"]
    assert (parent["job_type"], parent["child_run_ids"], parent["pipeline_settings"]) == (
        "pipeline",
        ["child"],
        {"a": 1},
    )
    assert (parent["duration_seconds"], parent["start_time"]) == (1.0, "2020-09-13T12:26:40.0000007+00:00")
    assert parent["id"] == f"{resource_id(SOURCE)}/jobs/parent"
    assert (child["parent_job_name"], child["experiment_name"], child["status"]) == ("parent", "cats", "Failed")
    assert child["mlflow_metrics"] == {"loss": "NaN"}
    assert child["mlflow_artifact_paths"] == sorted(file.path for file in FILES)
    assert child["mlflow_params"] == {"lr": "0.1", "deep": "{'a': [1]}"}


async def test_written_and_read_again_nothing_is_lost(tmp_path: Path) -> None:
    """Runs, rows to the bit and the tick, files with sizes and checksums; also what lies in other datastores."""
    with a_family(tmp_path / "archive") as archive:
        write_jobs(archive, tmp_path / "jobs.json")
        again = await imported(tmp_path / "jobs.json", tmp_path / "again")

        for run in (PARENT, CHILD):
            there, here = again.run(run.id), archive.run(run.id)
            assert there is not None
            assert {f: getattr(there, f) for f in Run.__slots__ if f != "document"} == {
                f: getattr(here, f) for f in Run.__slots__ if f != "document"
            }
        assert list(again.artifacts(CHILD.id)) == list(archive.artifacts(CHILD.id))
        assert again.series(CHILD.id) == archive.series(CHILD.id)
        for series in (LOSS, TABLE):
            assert rows_of(again, CHILD.id, series.key) == rows_of(archive, CHILD.id, series.key)
        job = again.job(PARENT.id)
        assert job is not None
        assert job.document["properties"]["settings"] == {"a": 1}  # type: ignore[index,call-overload]
        assert list(again.omissions()) == []
        again.close()


async def test_a_reused_step_shows_what_its_owner_holds(tmp_path: Path) -> None:
    """As MLflow does: last values and paths; rows and files are the owner's, and are not there twice."""
    reused = replace(PARENT, id=RunId("reused"), lender=CHILD.id)
    with archive_of(tmp_path / "archive", reused, CHILD, points=[Points.of(LOSS, ROWS)], files=FILES) as archive:
        written = write_jobs(archive, tmp_path / "jobs.json")
        jobs = jobs_at(tmp_path / "jobs.json")
        again = await imported(tmp_path / "jobs.json", tmp_path / "again")

        for field in ("mlflow_metrics", "mlflow_artifact_paths"):
            assert jobs["reused"][field] == jobs["child"][field] != {}
        assert (jobs["reused"]["metric_history"], jobs["reused"]["artifacts"]) == ([], [])
        assert written.points == len(ROWS)
        assert again.run(RunId("reused")) is not None
        assert (again.series(RunId("reused")), list(again.artifacts(RunId("reused")))) == ([], [])
        again.close()


async def test_why_a_file_has_no_bytes_is_not_made_up(tmp_path: Path) -> None:
    """An entry of a version that kept no reason: nobody asked a storage when it was imported."""
    with a_family(tmp_path / "archive") as archive:
        write_jobs(archive, tmp_path / "jobs.json")
    jobs = json.loads((tmp_path / "jobs.json").read_text())
    for file in (file for job in jobs for file in job["artifacts"]):
        file.pop("gone", None)
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))

    with await imported(tmp_path / "jobs.json", tmp_path / "again") as again:
        reasons = {artifact.path: artifact.gone for artifact in again.artifacts(CHILD.id)}

    assert reasons == {FILES[0].path: "jobs.json lists no bytes for it", FILES[1].path: None, FILES[2].path: None}


def test_a_file_of_an_older_version_names_the_container() -> None:
    """Of the run whose files a reused step shows; its own says nothing."""
    ours = {"name": "child", "metric_history": {}, "status": "Completed"}
    told = [{"lender": "owner"}, {"container": "dcid.owner"}, {"container": "dcid.child"}, {"lender": None}, {}]

    found = [parse.run_of(ours | one, parent=None, experiment="e", step=False).lender for one in told]

    assert found == ["owner", "owner", None, None, None]


@settings(max_examples=25)  # an archive each
@given(st.lists(st.tuples(st.none() | st.integers(-(2**40), 2**40), st.floats()), max_size=30))
def test_the_last_value_is_of_the_highest_step(values: list[tuple[int | None, float]]) -> None:
    """As MLflow's run shows it; no step counts as step 0."""
    import tempfile

    rows: list[Row] = [(step, at, (value,)) for at, (step, value) in enumerate(values)]
    with tempfile.TemporaryDirectory() as folder:
        with archive_of(Path(folder) / "archive", CHILD, points=[Points.of(LOSS, rows)]) as archive:
            write_jobs(archive, Path(folder) / "jobs.json")
        shown = jobs_at(Path(folder) / "jobs.json")["child"]["mlflow_metrics"]

    best = max(enumerate(values), key=lambda pair: (pair[1][0] or 0, pair[0]), default=None)
    assert (best is None) == (shown == {})
    if best is not None:
        assert struct.pack("<d", float(shown["loss"])) == struct.pack("<d", best[1][1]) or math.isnan(best[1][1])


def test_a_list_that_nobody_made_is_not_an_empty_one(tmp_path: Path) -> None:
    """Null where files were left out, as in the original's files."""
    with archive_of(tmp_path / "archive", PARENT) as archive:
        archive.put_omissions([Omission(PARENT.id, "files", FILES_LEFT_OUT)])
        archive.begin(PARENT.id)
        archive.put_omissions([Omission(PARENT.id, "files", FILES_LEFT_OUT)])
        archive.complete(PARENT.id)
        written = write_jobs(archive, tmp_path / "jobs.json")

    assert written == Written(jobs=1, left_out=1)
    assert jobs_at(tmp_path / "jobs.json")["parent"]["mlflow_artifact_paths"] is None


def test_only_the_units_asked_for(tmp_path: Path) -> None:
    other = Run(id=RunId("other"), status="Completed")
    with archive_of(tmp_path / "archive", other, PARENT) as archive:
        write_jobs(archive, tmp_path / "jobs.json", {other.id})
        assert set(jobs_at(tmp_path / "jobs.json")) == {"other"}
        write_jobs(archive, tmp_path / "jobs.json", set())
        assert jobs_at(tmp_path / "jobs.json") == {}


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stops in between leaves the old file, and nothing beside it."""
    path = tmp_path / "data" / "jobs.json"
    with a_family(tmp_path / "archive") as archive:
        write_jobs(archive, path)
        before = path.read_bytes()
        monkeypatch.setattr(Archive, "chunks", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            write_jobs(archive, path)

    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == ["jobs.json"]


# The original's files


def original(name: str, **fields: object) -> dict[str, Any]:
    """An entry as the original tool wrote it: every field, most of them null."""
    known = {
        "name": name,
        "id": f"{resource_id(SOURCE)}/jobs/{name}",
        "display_name": name,
        "job_type": "command",
        "status": "Completed",
        "experiment_name": "cats",
        "created_at": "2025-01-15T10:00:00+00:00",
        "end_time": "2025-01-15T10:05:00.250000+00:00",
        "mlflow_metrics": {},
        "mlflow_params": {},
        "mlflow_tags": {},
    }
    return dict.fromkeys(entry.FIELDS) | known | fields


def saved(tmp_path: Path, *jobs: dict[str, Any]) -> Path:
    path = tmp_path / "jobs.json"
    path.write_text(json.dumps(list(jobs), indent=2))
    return path


async def test_the_originals_last_values_become_single_points(tmp_path: Path) -> None:
    """Without a step, at the run's end; and it is said that the history is gone."""
    metrics = {"loss": 0.25, "bad": math.nan, "text": "high", "huge": 10**400}
    path = saved(tmp_path, original("a", mlflow_metrics=metrics, mlflow_params={"lr": "0.1"}, tags={"n": 5}))

    archive = await imported(path, tmp_path / "archive")

    run = archive.run(RunId("a"))
    assert run is not None
    assert (run.parameters, run.tags, run.kind) == ({"lr": "0.1"}, {"n": "5"}, "azureml.scriptrun")
    end = Instant.parse("2025-01-15T10:05:00.25Z").ticks
    assert rows_of(archive, run.id, SeriesKey("loss")) == bits([(None, end, (0.25,))])
    assert rows_of(archive, run.id, SeriesKey("bad")) == bits([(None, end, (math.nan,))])
    said = {omission.what: omission.reason for omission in archive.omissions()}
    assert "last value only" in said["history of metric loss"]
    assert said["metric text"] == "jobs.json holds 'high', which is no number"
    assert said["metric huge"].endswith("0..., which is no number")
    assert "--source" in said["files of any kind"]
    assert archive.imported() is not None
    archive.close()


async def test_the_originals_named_outputs_are_told(tmp_path: Path) -> None:
    """Their bytes are nobody's; the place is the author's, or the service's own."""
    outputs = {
        "model": "<azure.ai.ml.entities.Output>",
        "data": {"type": "uri_folder", "path": "azureml://datastores/d/paths/x/"},
    }
    archive = await imported(saved(tmp_path, original("a", job_outputs=outputs)), tmp_path / "archive")

    told = {one.what for step in plan(archive, Selection()) for one in step.omissions if one.reason == NAMED_OUTPUT}

    assert told == {"output model, workspaceblobstore: azureml/a/model/", "output data, d: x/"}
    archive.close()


FAMILIES = {
    "its own word": [original("p", job_type="pipeline"), original("c", parent_job_name="p")],
    "the step's pipeline": [
        original("p", job_type="pipeline"),
        original("c", job_properties={"azureml.pipelinerunid": "p"}),
    ],
    "the step's pipeline, by the other property": [
        original("p", job_type="pipeline"),
        original("c", job_properties={"azureml.pipeline": "p"}),
    ],
    "a nested pipeline, which has no type": [
        original("p", job_type="base"),
        original("c", job_properties={"azureml.pipelinerunid": "p"}),
    ],
    "MLflow's tag": [original("p"), original("c", mlflow_tags={"mlflow.parentRunId": "p"})],
    "the parent's list": [original("p", child_run_ids=["c"]), original("c")],
    "the graph, by name": [original("p", job_type="pipeline", pipeline_sub_jobs={"n": {"name": "c"}}), original("c")],
    "the graph, by node": [
        original("p", job_type="pipeline", pipeline_sub_jobs={"train": {}}),
        original("c", job_type="base", display_name="train"),
    ],
}


@pytest.mark.parametrize("hint", FAMILIES)
async def test_parents_are_found_again(tmp_path: Path, hint: str) -> None:
    """The original threw them away; every trace that its fields hold counts."""
    archive = await imported(saved(tmp_path, *FAMILIES[hint]), tmp_path / "archive")

    assert {row.id: (row.parent, row.depth) for row in archive.listing()} == {"p": (None, 0), "c": ("p", 1)}
    archive.close()


@pytest.mark.parametrize("key", ["azureml.pipelinerunid", "azureml.pipeline"])
async def test_a_command_does_not_become_a_pipeline_by_a_property(tmp_path: Path, key: str) -> None:
    """A copied job bears the properties of its original: the next trace counts, or none."""
    jobs = [
        *(original("cmd"), original("copy", job_properties={key: "cmd"})),
        original("p", job_type="pipeline", child_run_ids=["listed"]),
        original("listed", job_properties={key: "cmd"}),
        original("nested", job_properties={key: "cmd"}, mlflow_tags={"mlflow.parentRunId": "cmd"}),
        original("gone", job_properties={key: "not here"}),
    ]

    parents = JobsIndex(saved(tmp_path, *jobs)).parents

    assert parents == {"listed": "p", "nested": "cmd", "gone": "not here"}


UNSET = ("-62135596800000", -62135596800000, "-62135596800", "0001-01-01T00:00:00+00:00", "0001-01-01 00:00:00")
MOMENTS = {
    "2025-01-15T10:00:00.25+00:00": ("2025-01-15T10:00:00.25Z", "text"),
    "1736935200": ("2025-01-15T10:00:00Z", "seconds as text"),
    1736935200: ("2025-01-15T10:00:00Z", "seconds"),
    1736935200.25: ("2025-01-15T10:00:00.25Z", "seconds and a part"),
    "1736935200250": ("2025-01-15T10:00:00.25Z", "milliseconds"),
    1736935200250000: ("2025-01-15T10:00:00.25Z", "microseconds"),
    1736935200250000100: ("2025-01-15T10:00:00.2500001Z", "nanoseconds"),
    "20250115": ("2025-01-15T00:00:00Z", "a day without dashes"),
}


@pytest.mark.parametrize("field", parse.TIMES)
@pytest.mark.parametrize("value", UNSET)
async def test_a_time_that_was_not_set_is_no_time_and_is_told(tmp_path: Path, field: str, value: object) -> None:
    """The original made such numbers of .NET's first day; one of them stops no file."""
    path = saved(tmp_path, original("a", **{field: value}), original("b", **{field: None}))

    archive = await imported(path, tmp_path / "archive")

    run = archive.run(RunId("a"))
    attribute = {"created_at": "created", "last_modified_at": "modified"}.get(field, field.removesuffix("_time"))
    assert run is not None
    assert getattr(run, attribute) is None
    told = [one for one in archive.omissions() if one.what == field.replace("_", " ")]
    assert told == [Omission(run.id, field.replace("_", " "), parse.UNSET.format(repr(value)))]
    archive.close()


NO_DATES = ("yesterday", "31.05.2024", "2024-02-30", "-", "12:00", 10**400, "9" * 400, float("nan"), -1e300)


@pytest.mark.parametrize("field", ["start_time", "created_at"])
@pytest.mark.parametrize("value", NO_DATES, ids=range(len(NO_DATES)))
async def test_what_is_no_date_is_no_time_and_is_told(tmp_path: Path, field: str, value: object) -> None:
    """It stops neither the file nor its job, and nobody guesses; in one of our own entries neither."""
    with a_family(tmp_path / "family") as family:
        write_jobs(family, tmp_path / "ours.json")
    ours = [{**one, field: value} for one in json.loads((tmp_path / "ours.json").read_text())]
    path = saved(tmp_path, original("a", **{field: value}), original("b"), *ours)

    with await imported(path, tmp_path / "archive") as archive:
        runs = [archive.run(RunId(name)) for name in ("a", "b", PARENT.id, CHILD.id)]
        told = {(one.run, one.what): one.reason for one in archive.omissions() if "no date" in one.reason}

    assert all(run is not None for run in runs)
    assert [getattr(run, {"start_time": "start", "created_at": "created"}[field]) for run in (runs[0], *runs[2:])] == [
        None
    ] * 3
    shown = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:80]}..."
    assert told == {(name, field.replace("_", " ")): parse.NO_DATE.format(shown) for name in ("a", PARENT.id, CHILD.id)}


@pytest.mark.parametrize("value", MOMENTS)
async def test_numbers_since_1970_are_times(tmp_path: Path, value: object) -> None:
    """Their unit is told by their size."""
    archive = await imported(saved(tmp_path, original("a", start_time=value)), tmp_path / "archive")

    run = archive.run(RunId("a"))
    assert run is not None
    assert run.start == Instant.parse(MOMENTS[value][0]), MOMENTS[value][1]  # type: ignore[index]
    archive.close()


async def test_of_two_entries_of_a_job_the_last_one_counts(tmp_path: Path) -> None:
    """And the command says which job it was; what the first one said of parents, files and its workspace is void."""
    first = original("a", display_name="old", parent_job_name="b", mlflow_artifact_paths=["x"], id="/elsewhere")
    path = saved(tmp_path, first, original("b"), original("a", display_name="new"))

    index = JobsIndex(path)
    archive = await imported(path, tmp_path / "archive")

    run = archive.run(RunId("a"))
    assert (list(index.twice), len(index.places), index.parents, index.source()) == (["a"], 2, {}, SOURCE)
    assert (index.file_lists.jobs, index.file_lists.without_logs) == (2, 0)
    assert run is not None
    assert run.display_name == "new"
    archive.close()


async def test_trials_are_found_by_their_names(tmp_path: Path) -> None:
    """Of sweeps and AutoML; a job that only looks so is left alone, and so is one that two pipelines could own."""
    jobs = [
        *(original("hd", job_type="sweep"), original("hd_0"), original("hd_12"), original("hd_x")),
        *(original("ml", job_type="automl"), original("ml_setup"), original("ml_0")),
        *(original("cmd"), original("cmd_1")),
        *(original(f"p{n}", job_type="pipeline", pipeline_sub_jobs={"train": {}}) for n in (1, 2)),
        original("step", job_type="base", display_name="train"),
    ]

    parents = JobsIndex(saved(tmp_path, *jobs)).parents

    assert parents == {"hd_0": "hd", "hd_12": "hd", "ml_setup": "ml", "ml_0": "ml"}


async def test_what_the_original_wrote_of_children_is_put_right(tmp_path: Path) -> None:
    """The experiment's id instead of its name; a status with its class; the text of a dict for a person."""
    guid = "0f8fad5b-d9cb-469f-a165-70867728950e"
    child = original(
        "c",
        job_type="base",
        parent_job_name="p",
        experiment_name=guid,
        status="JobStatus.CANCEL_REQUESTED",
        created_by="{'user_object_id': '1', 'user_name': 'Ann Lee'}",
        start_time="2025-01-15 10:00:00.123",
    )

    archive = await imported(saved(tmp_path, original("p", job_type="pipeline"), child), tmp_path / "archive")

    run = archive.run(RunId("c"))
    assert run is not None
    assert (run.experiment, run.status, run.creator, run.kind) == (
        "cats",
        "CancelRequested",
        "Ann Lee",
        "azureml.StepRun",
    )
    assert run.start == Instant.parse("2025-01-15T10:00:00.123Z")
    assert "experiment" in {omission.what for omission in archive.omissions() if omission.run == "c"}
    archive.close()


@pytest.mark.parametrize("said", ["{" + "-" * 100_000 + "1}", "{" + "(" * 5_000, "{1: 2, no dict}", "{\0"])
def test_a_person_that_only_looks_like_a_dict_is_a_text(said: str) -> None:
    """Python gives up on some of them with an error of its own."""
    assert run_of(original("a", created_by=said), parent=None, experiment="e", step=False).creator == said


async def test_read_again_only_when_it_changed(tmp_path: Path) -> None:
    """The same file adds nothing; another one takes the place of what was there."""
    path = saved(tmp_path, original("a", mlflow_metrics={"loss": 1}))
    archive = await imported(path, tmp_path / "archive")
    assert await import_jobs(JobsIndex(path), archive, None) is None

    saved(tmp_path, original("a", mlflow_metrics={"loss": 2}))
    again = await import_jobs(JobsIndex(path), archive, None)

    assert again is not None
    assert (again.runs, rows_of(archive, RunId("a"), SeriesKey("loss"))[0][2]) == (1, [struct.pack("<d", 2)])
    archive.close()


async def test_an_import_that_was_cut_off_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is half read is not taken for the whole."""
    path = saved(tmp_path, original("a", mlflow_metrics={"loss": 1}), original("b", mlflow_metrics={"loss": 2}))
    with monkeypatch.context() as patch, Archive.create(tmp_path / "archive", SOURCE) as archive:
        complete = Archive.complete
        patch.setattr(Archive, "complete", lambda self, run: complete(self, run) if run == "a" else cut_off())
        with pytest.raises(PowerCut):
            await import_jobs(JobsIndex(path), archive, None, width=1)
    assert not was_extracted(tmp_path / "archive")

    archive = await imported(path, tmp_path / "archive")

    assert [rows_of(archive, RunId(run), SeriesKey("loss"))[0][2] for run in ("a", "b")] == [
        [struct.pack("<d", value)] for value in (1, 2)
    ]
    archive.close()


class PowerCut(BaseException):
    """The process is gone: nothing of ours may catch it."""


def cut_off() -> None:
    raise PowerCut


def test_the_source_is_in_the_ids(tmp_path: Path) -> None:
    """Whatever their case; where they disagree or say nothing, --source must."""
    loud = original("b", id=f"{resource_id(SOURCE).upper()}/jobs/b")
    assert JobsIndex(saved(tmp_path, original("a"), loud)).source() == SOURCE

    other = azure_place("sub", "group", "elsewhere")
    for jobs in ([original("a", id=None)], [original("a"), original("b", id=f"{resource_id(other)}/jobs/b")]):
        with pytest.raises(UserError, match="--source"):
            JobsIndex(saved(tmp_path, *jobs)).source()


BAD = {
    "": "line 1: it is empty",
    "   \n": "it is empty",
    "{}": r"expected the list of jobs that extract_jobs writes, which begins with \[",
    "[1]": "entry 1 is no object",
    '[{"id": 1}]': "entry 1 has no name",
    '[{"name": ""}]': "entry 1 has no name",
    '[{"name": "a"} {"name": "b"}]': "a comma or ] is missing",
    '[\n{"name": "a"},\n{"name": ': "line 3: not JSON, or cut off",
    '[{"name": "a"}': "a comma or ] is missing, or the file is cut off",
    '[{"name": "a"},]': "not JSON",
    '[{"name": "a"}] x': "there is more after the end",
    "[" * 100_000: "nested too deeply",
    '[{"name": "a", "mlflow_metrics": {"x": ' + "1" * 5_000 + "}}]": "a number has too many digits",
}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_bad_file_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "jobs.json"
    path.write_text(text)

    with pytest.raises(UserError, match=BAD[text]) as error:
        JobsIndex(path)

    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_no_file_no_text_no_folder(tmp_path: Path) -> None:
    (tmp_path / "latin.json").write_bytes('[{"name": "é"}]'.encode("latin-1"))
    for name, why in (("none.json", "no such file"), (".", "cannot be read"), ("latin.json", "not UTF-8")):
        with pytest.raises(UserError, match=why):
            JobsIndex(tmp_path / name)


LOSS_ENTRY = {"name": "loss", "namespace": None, "columns": [["loss", "Double"]]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("created_at", ["2024-05-31"]), ("end_time", True), ("start_time", {})),
        *(("status", 7), ("tags", ["a"]), ("mlflow_metrics", 3), ("artifacts", [{}])),
        *(("child_run_ids", 12345), ("mlflow_artifact_paths", "outputs/"), ("artifacts", {}), ("metric_history", 1)),
        ("artifacts", [{"path": "a", "datastore": "d", "location": "l", "indexed": True, "size_bytes": 10**400}]),
        ("metric_history", [{**LOSS_ENTRY, "rows": [[10**30, None, 1]]}]),
        ("metric_history", [{**LOSS_ENTRY, "rows": [[1.5, None, 1]]}]),
        ("metric_history", [{**LOSS_ENTRY, "rows": [[0, None, 10**400]]}]),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_a_field_that_cannot_be_read_is_named(tmp_path: Path, field: str, value: object) -> None:
    """After the path that the user gave, whatever the file is called."""
    path = saved(tmp_path, original("a", **{field: value})).rename(tmp_path / "mine.json")

    with pytest.raises(UserError, match=f"job a, {field}: ") as error:
        await imported(path, tmp_path / "archive")

    assert str(error.value).startswith(f"{path}: job a")


@given(st.data())
def test_entries_are_found_at_any_size_of_reading(data: st.DataObject) -> None:
    """Offsets are of bytes, whatever the letters; a byte order mark and any spaces are allowed."""
    import tempfile

    names = data.draw(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), unique=True, max_size=6))
    text = json.dumps([{"name": name} for name in names], ensure_ascii=data.draw(st.booleans()), indent=1)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "READ_BYTES", data.draw(st.integers(1, 20)))
        path = Path(folder) / "jobs.json"
        path.write_text(data.draw(st.sampled_from(["", "\ufeff", "\n \t"])) + text, encoding="utf-8")

        found = list(scan(path))
        assert [record["name"] for *_, record in found] == names
        assert [scanning.entry_at(path, offset, length) for offset, length, _ in found] == [one[2] for one in found]
