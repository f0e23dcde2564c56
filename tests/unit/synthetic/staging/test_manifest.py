"""What a node's folder holds: points by requests, places of files, what is left out."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.model import (
    Artifact,
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
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.plan import Step, plan_unit
from azureml_replay.synthetic.expected import as_kept
from azureml_replay.synthetic.staging.batches import holdable, is_scalar, metric, parts, requests
from azureml_replay.synthetic.staging.documents import METRICS_FILE, documents
from azureml_replay.synthetic.staging.manifest import FILES_FILE, StagedPoints, encoded, layout, manifest, point_parts
from azureml_replay.synthetic.staging.paths import Places, place_of, refusal
from azureml_replay.synthetic.tree.nodes import Node
from azureml_replay.workspace.put_files import HeldFile, NewFile

RUN = RunId("original")
ROOM = 900


class Contents:
    """An archive of one run."""

    def __init__(self, files: dict[str, int], points: dict[str, list[Row]]) -> None:
        self.files, self.rows = files, points

    def artifacts(self, run: RunId) -> Iterator[Artifact]:
        for path, size in sorted(self.files.items()):
            place = Location("store", path)
            yield Artifact(path=path, location=place, indexed=True, stored=StoredFile(location=place, size_bytes=size))

    def points(self, run: RunId, key: SeriesKey) -> Iterator[Points]:
        yield Points.of(scalar(key.name), self.rows[key.name])


def scalar(name: str) -> Series:
    return Series(key=SeriesKey(name), columns=((name, "Double"),))


def step(contents: Contents) -> Step:
    series = tuple((scalar(name), len(rows)) for name, rows in contents.rows.items())
    run = Run(id=RUN, tags={"a": "b"}, description="told", parameters={"n": 3, "s": "x"})
    return Step(source=RUN, unit=RUN, depth=0, run=run, series=series, files=len(contents.files), bytes=0, room=900)


def leaf(contents: Contents, key: str = "train") -> Node:
    return Node(key=key, kind="leaf", source=RUN, display_name="x", step=step(contents))


def curve(length: int) -> list[Row]:
    return [(at, 17_000_000_000_000_000 + 12_345 * at, (float(at),)) for at in range(length)]


@given(st.lists(st.integers(min_value=0, max_value=1300), max_size=12))
def test_requests_hold_what_the_service_takes_and_lose_nothing(lengths: list[int]) -> None:
    """At most 1,000 rows and 250 of a name; every point once, each name's in its order."""
    series = {f"m{at}": [metric(f"m{at}", row) for row in curve(length)] for at, length in enumerate(lengths)}

    batches = list(requests(iter(rows) for rows in series.values()))

    for batch in batches:
        assert 0 < len(batch) <= 1000
        assert max(Counter(point["key"] for point in batch).values()) <= 250
    sent = [point for batch in batches for point in batch]
    assert {name: [point for point in sent if point["key"] == name] for name in series} == series


def test_many_short_series_share_a_request() -> None:
    """50 names of 10 rows are one request, not 50."""
    series = [iter([metric(f"m{at}", row) for row in curve(10)]) for at in range(50)]

    assert [len(batch) for batch in requests(series)] == [500]


@pytest.mark.parametrize(
    ("value", "wire"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity"), (-0.0, -0.0), (7, 7.0)]
)
def test_a_point_on_the_wire(value: float, wire: float | str) -> None:
    """Values as MLflow's JSON has them; time in whole milliseconds."""
    point = metric("m", (3, 17_000_000_000_000_009_999, (value,)))

    assert point == {"key": "m", "value": wire, "timestamp": 1_700_000_000_000_000, "step": 3}
    assert str(point["value"]) == str(wire)


def test_what_mlflow_keeps_of_a_row_is_compared_to_the_bit() -> None:
    """-0.0 is not 0.0, whoever lost the sign."""
    rows: list[Row] = [(None, 10_000, (-0.0,)), (1, 29_999, (7,)), (2, None, (1.0,))]

    assert [(step, time, str(value)) for step, time, (value,) in as_kept(rows)] == [
        (0, 10_000, "-0.0"),
        (1, 20_000, "7.0"),
    ]


def test_no_step_is_not_sent_as_one() -> None:
    """The service has its own word for it."""
    assert "step" not in metric("m", (None, 10_000, (1.0,)))


@pytest.mark.parametrize(
    "series",
    [
        Series(key=SeriesKey("t"), columns=(("x", "Double"), ("y", "Double"))),
        Series(key=SeriesKey("t"), columns=(("t", "String"),)),
        Series(key=SeriesKey("t", "space"), columns=(("t", "Double"),)),
        Series(key=SeriesKey("t"), columns=(("t", "Double"),), ux_type="azureml.v1.list"),
        Series(key=SeriesKey("t"), columns=()),
    ],
    ids=["two columns", "text", "namespace", "list", "no columns"],
)
def test_rich_metrics_are_no_points(series: Series) -> None:
    """They become a file."""
    assert not is_scalar(series)


def test_whole_numbers_are_points() -> None:
    """The service's word for their column is `Int` (run-history.json)."""
    assert is_scalar(Series(key=SeriesKey("m"), columns=(("m", "Int"),), ux_type="azureml.v1.scalar"))


def test_rows_that_are_no_double_with_a_time_are_no_points() -> None:
    """An empty cell, a truth value, a number beyond the doubles, no time."""
    rows: list[Row] = [(1, 1, (None,)), (2, 1, (True,)), (3, 1, (2**53 + 1,)), (4, None, (1.0,)), (5, 20_000, (2**53,))]

    assert [point["step"] for point in holdable("m", [Points.of(scalar("m"), rows)])] == [5]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("outputs/x", "outputs/x"),
        ("outputs/outputs/x", "outputs/outputs/x"),
        ("outputs_old/x", "outputs/other/outputs_old/x"),
        ("outputs", "outputs/other/outputs"),
        ("user_logs/std_log.txt", "outputs/original_logs/user_logs/std_log.txt"),
        ("azureml-logs/70.txt", "outputs/original_logs/azureml-logs/70.txt"),
        ("logs_mine/x", "outputs/other/logs_mine/x"),
        ("model/MLmodel", "outputs/other/model/MLmodel"),
        ("replay/job.json", "outputs/other/replay/job.json"),
    ],
)
def test_where_files_go(path: str, place: str) -> None:
    """As FIDELITY's synthetic column says."""
    assert place_of(path) == place


@pytest.mark.parametrize(
    "path", ["outputs/../x", "..", "outputs//x", "/x", "outputs/x/", "outputs/./x", "a\0b", "é" * 130]
)
def test_names_that_cannot_be(path: str) -> None:
    """What leads out of the folder, or what no file system holds."""
    assert refusal(path, ROOM)


@pytest.mark.parametrize("path", ["a#b?c%41", "a..b/..c", "déjà vu.txt", "a\\b", "x" * 240])
def test_odd_names_that_can_be(path: str) -> None:
    """Two dots inside of a name lead nowhere."""
    assert refusal(path, ROOM) is None


@given(st.lists(st.lists(st.sampled_from(["a", "b", "a_2", "outputs"]), min_size=1, max_size=4).map("/".join)))
def test_places_are_never_shared(paths: list[str]) -> None:
    """No file has another's place, and none is where a folder must be."""
    places = Places()

    taken = [places.take(path) for path in paths]

    assert len(set(taken)) == len(taken)
    folders = {str(folder) for place in taken for folder in PurePosixPath(place).parents}
    assert not folders & set(taken)


@pytest.mark.parametrize(("key", "longest"), [("train", 64), ("self", len(RUN) + 16)])
def test_a_name_that_no_storage_holds_is_left_out(key: str, longest: int) -> None:
    """A step's run has an id of the service's, a command job the original's or a longer one; a folder comes before."""
    room = 1_024 - len(f"ExperimentRun/dcid.{'x' * longest}/outputs/other/") - len("_1234567")
    folders = "f" * 200 + "/" + "f" * 200 + "/" + "f" * 200 + "/" + "f" * 200 + "/"
    fits = folders.ljust(room, "x")
    contents = Contents({fits: 1, fits + "x": 1}, {})

    laid = layout(contents, leaf(contents, key), [], FileChoice())

    assert [file.artifact.path for file in laid.files if file.artifact] == [fits]
    assert [omission.what for omission in laid.omissions] == [f"file {fits}x"]


def test_bytes_that_the_archive_holds_are_read_when_they_are_staged() -> None:
    """A zip of code may have 300 MB: laying it out reads none of it."""
    place = StoredFile(location=Location("", "replay/code.zip"), size_bytes=300 << 20, md5=b"m" * 16)
    held = HeldFile(path="replay/code.zip", stored=place, pieces=_not_now)

    (file, _) = layout(Contents({}, {}), leaf(Contents({}, {})), [held], FileChoice()).files

    assert (file.to, file.size_bytes, file.md5) == ("outputs/replay/code.zip", 300 << 20, b"m" * 16)
    assert file.made == HeldFile(path=file.staged, stored=place, pieces=_not_now)


def _not_now(_: int) -> Iterator[bytes]:
    raise AssertionError("read too early")


def test_what_lies_in_a_folder() -> None:
    """Ours, the source's, collisions suffixed, and the table of them all."""
    contents = Contents({"outputs/replay/job.json": 1, "user_logs/x": 2, "../y": 3}, {})
    made = [NewFile(path="replay/job.json", data=b"{}")]

    laid = layout(contents, leaf(contents), made, FileChoice())

    assert {file.to: file.artifact.path if file.artifact else None for file in laid.files} == {
        "outputs/replay/job.json": None,
        "outputs/replay/job_2.json": "outputs/replay/job.json",
        "outputs/original_logs/user_logs/x": "user_logs/x",
        FILES_FILE: None,
    }
    assert laid.omissions == (Omission(RUN, "file ../y", "its name would lead out of its folder"),)
    assert len({file.staged for file in laid.files}) == len(laid.files)


@pytest.mark.parametrize(
    ("choice", "left"),
    [
        (FileChoice(most_bytes=10), {"outputs/big"}),
        (FileChoice(globs=("outputs/*",)), {"model/small"}),
        (FileChoice(globs=("*small", "*/big")), set()),
        (FileChoice(budget=11), {"outputs/big"}),
        (FileChoice(budget=0), {"outputs/big", "outputs/small", "model/small"}),
        (FileChoice(budget=10, globs=("outputs/*",)), {"model/small", "outputs/big"}),
    ],
)
def test_what_is_left_out_is_an_omission(choice: FileChoice, left: set[str]) -> None:
    """`--max-file-size`, `--files` and `--artifact-budget`."""
    contents = Contents({"outputs/big": 11, "outputs/small": 10, "model/small": 1}, {})

    laid = layout(contents, leaf(contents), [], choice)

    assert {omission.what for omission in laid.omissions} == {f"file {path}" for path in left}
    assert {file.artifact.path for file in laid.files if file.artifact} == contents.files.keys() - left


def test_the_manifest_says_all_that_the_step_logs() -> None:
    """Points by file, parameters as texts, tags, description, files, and the parent's tags."""
    contents = Contents({"outputs/x": 1}, {"loss": curve(3)})
    one = step(contents)
    node = Node(key="self", kind="self", source=RUN, display_name="x", step=one, tags={"a": "b"})
    laid = layout(contents, node, [], FileChoice())

    told = manifest(node, {"role": "group"}, laid, StagedPoints(["points-0000.jsonl"], 3))

    assert json.loads(json.dumps(told)) == {
        "run": "original",
        "rows": 3,
        "points": ["points-0000.jsonl"],
        "parameters": {"n": "3", "s": "x"},
        "tags": {"a": "b", "mlflow.note.content": "told"},
        "files": [
            {"from": file.staged, "to": file.to, "size": file.size_bytes, "md5": file.md5.hex() if file.md5 else None}
            for file in laid.files
        ],
        "parent": {"role": "group", "mlflow.note.content": "told"},
        "points_refused": {},
        "files_refused": {},
    }
    ((data, rows),) = point_parts(contents, one)
    assert (rows, len(json.loads(data))) == (3, 3)


def test_every_text_and_number_of_python_is_staged() -> None:
    """The original tool's jobs.json may hold any: half of a surrogate pair, whole numbers beyond 64 bits."""
    contents = Contents({}, {"\ud800": curve(1)})
    one = step(contents)
    one = replace(one, run=replace(one.run, parameters={"big": [2**70], "broken": "\udfff"}))
    node = Node(key="self", kind="self", source=RUN, display_name="\ud800", step=one, tags={"\ud800": "b"})

    told = json.loads(encoded(manifest(node, None, layout(contents, node, [], FileChoice()), StagedPoints(rows=1))))

    assert told["parameters"] == {"big": f"[{2**70}]", "broken": "\udfff"}
    assert "\ud800" in told["tags"]
    ((data, _),) = point_parts(contents, one)
    assert json.loads(data)[0]["key"] == "\ud800"


def test_a_name_whose_columns_change_midway_is_logged_once_and_as_what_it_was(tmp_path: Path) -> None:
    """Doubles and whole numbers are points, each once; the row of two columns goes into the file, and nowhere else."""
    shapes = [("loss", "Double")], [("loss", "Double"), ("lr", "Double")], [("loss", "Int")]
    rows: list[tuple[float, ...]] = [(0.5,), (0.25, 0.1), (3,)]
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        archive.put_listed([Run(id=RUN)])
        archive.select([RUN])
        archive.begin(RUN)
        archive.put_details(RunDetails(run=Run(id=RUN)))
        for at, (columns, row) in enumerate(zip(shapes, rows, strict=True)):
            shape = Series(key=SeriesKey("loss"), columns=tuple(columns))
            archive.put_chunk(RUN, [Points.of(shape, [(at, 10_000, row)])])
        archive.complete(RUN)
        (one,) = plan_unit(archive, RUN)

        ((data, count),) = point_parts(archive, one)
        (rich,) = [file for file in documents(archive, one) if file.path == METRICS_FILE]

    assert (count, [(point["step"], point["value"]) for point in json.loads(data)]) == (2, [(0, 0.5), (2, 3.0)])
    assert isinstance(rich, NewFile)
    assert [series["rows"] for series in json.loads(rich.data)] == [[[1, 10_000, ["0.25", "0.1"]]]]


def test_a_part_is_a_file_of_whole_requests() -> None:
    """64 requests each: a million points are 16 files, read line by line."""
    batches = [[metric("m", (at, 10_000, (1.0,)))] for at in range(130)]

    found = list(parts(batches))

    assert [rows for _, rows in found] == [64, 64, 2]
    assert all(len(json.loads(line)) == 1 for data, _ in found for line in data.splitlines())
