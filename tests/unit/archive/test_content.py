"""What is put into an archive comes out of it; a new generation replaces the old one at once or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.documents import KEPT, REDACTED, UNREAD
from azureml_replay.archive.reading import FILE_GONE
from azureml_replay.archive.records import pack, unpack
from azureml_replay.azure.place import azure_place
from azureml_replay.instants import Instant
from azureml_replay.model import (
    ROWS_PER_CHUNK,
    Artifact,
    AssetReference,
    Experiment,
    FileTotals,
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
from azureml_replay.redact import names_secret
from azureml_replay.selection import ACTIVE

SOURCE = azure_place("sub", "group", "source")
R1 = RunId("r1")
LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),), ux_type="azureml.v1.scalar")
ACC = Series(key=SeriesKey("acc", "eval"), columns=(("acc", "Double"), ("n", "Int")))


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.create(tmp_path / "archive", SOURCE) as made:
        yield made


def run(name: str, parent: str | None = None, *, born: int | None = None, **more: Any) -> Run:
    created = None if born is None else Instant(born)
    return Run(
        id=RunId(name), parent=parent and RunId(parent), experiment="e", status="Completed", created=created, **more
    )


def put(archive: Archive, *runs: Run) -> None:
    archive.put_listed(runs)
    archive.arrange()
    archive.select([one.id for one in runs])


def extract(archive: Archive, one: Run, *pieces: Points, files: tuple[Artifact, ...] = ()) -> None:
    archive.begin(one.id)
    archive.put_details(RunDetails(run=one))
    archive.put_series(one.id, [piece.series for piece in pieces])
    archive.put_chunk(one.id, pieces)
    archive.put_artifacts(one.id, files)
    archive.complete(one.id)


def told(pieces: Iterable[Points]) -> list[tuple[Series, list[Row]]]:
    """What pieces say, however their columns are held."""
    return [(piece.series, list(piece.rows())) for piece in pieces]


def losses(*values: float) -> Points:
    return Points.of(LOSS, [(step, 100 + step, (value,)) for step, value in enumerate(values)])


TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "Zs")), max_size=10)
NAME = TEXT.filter(lambda name: not names_secret(name))  # Hypothesis draws from the words of the code under test
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3),
    max_leaves=8,
)
TIME = st.none() | st.integers(-(10**17), 10**18).map(Instant)
TAGS = st.dictionaries(NAME, st.none() | TEXT, max_size=3)
ASSETS = st.dictionaries(NAME, st.builds(AssetReference, TEXT, st.none() | TEXT), max_size=2)
RUN = st.builds(
    Run, id=st.just(R1), parent=st.none() | TEXT.map(RunId), experiment=TEXT, status=TEXT, start=TIME, end=TIME,
    display_name=st.none() | TEXT, description=st.none() | TEXT, tags=TAGS, properties=TAGS,
    parameters=st.dictionaries(NAME, JSON, max_size=3), inputs=ASSETS, outputs=ASSETS, input_datasets=JSON,
    output_datasets=JSON, hidden=st.booleans(), error=JSON, error_origin=JSON, created=TIME, modified=TIME,
    creator=st.none() | TEXT, kind=st.none() | TEXT, traits=st.lists(TEXT, max_size=2).map(tuple),
    lender=st.none() | TEXT.map(RunId), document=JSON, warnings=JSON, unknown=st.lists(TEXT, max_size=2).map(tuple),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RUN, JSON, JSON, st.dictionaries(NAME, JSON, max_size=2))
def test_a_run_comes_out_as_it_went_in(
    archive: Archive, one: Run, definition: Any, specification: Any, more: dict[str, Any]
) -> None:
    put(archive, one)
    assert list(archive.pending_ids()) == [one.id]
    details = RunDetails(run=one, definition=definition, specification=specification, more=more)

    archive.begin(R1)
    archive.put_details(details)
    archive.complete(R1)

    assert archive.details(R1) == details
    archive._execute("delete from run")  # the next example begins anew
    archive._execute("delete from run_version")


@pytest.mark.parametrize(
    ("container", "lender"), [("dcid.owner", "owner"), ("dcid.a.b", "a.b"), ("dcid.r1", None), ("", None)]
)
def test_an_archive_of_an_older_version_names_the_container(
    archive: Archive, container: str, lender: str | None
) -> None:
    """Behind its first dot stands the run whose files a reused step shows."""
    put(archive, run("r1"))
    archive.begin(R1)
    archive.put_details(RunDetails(run=run("r1")))
    archive.complete(R1)
    (record,) = archive._one("select record from run_version where run = 'r1'")
    fields = unpack(record, "run r1")
    del fields["lender"]
    archive._execute("update run_version set record = ?", (pack({**fields, "container": container})[0],))

    found = archive.run(R1)

    assert found is not None
    assert found.lender == lender


def test_experiments_and_jobs_come_out_as_they_went_in(archive: Archive) -> None:
    one = Experiment(id="1", name="a", tags={"x": None}, archived=Instant(5), document={"k": [1]}, unknown=("k",))
    archive.put_experiments([one, Experiment(id="2", name="b")])
    archive.put_jobs([Job(R1, {"properties": {"x": 2**70}}, ("properties x",))])

    assert list(archive.experiments()) == [one, Experiment(id="2", name="b")]
    assert archive.experiment("a") == one
    assert archive.experiment("c") is None
    assert archive.job(R1) == Job(R1, {"properties": {"x": 2**70}}, ("properties x",))
    assert list(archive.jobs_missing_runs()) == [R1]
    put(archive, run("r1"))
    assert list(archive.jobs_missing_runs()) == []


FREE = st.dictionaries(NAME, JSON.filter(lambda value: value not in (None, {}, [])), max_size=2)
NAMES = st.lists(TEXT, max_size=2).map(tuple)
STORED = st.builds(
    StoredFile, location=st.just(Location("s", "p")), size_bytes=st.integers(0, 2**62),
    md5=st.none() | st.binary(min_size=16, max_size=16), etag=st.none() | TEXT, content_type=st.none() | TEXT,
    metadata=st.dictionaries(NAME, TEXT, max_size=2), unknown=NAMES,
)  # fmt: skip
FILE = st.builds(
    Artifact, path=TEXT, location=st.just(Location("s", "p")), indexed=st.booleans(), stored=st.none() | STORED,
    more=FREE, unknown=NAMES,
)  # fmt: skip
EXPERIMENT = st.builds(
    Experiment, id=TEXT, name=TEXT, description=st.none() | TEXT, tags=TAGS, archived=TIME, document=JSON, unknown=NAMES
)
SERIES = st.builds(
    Series, key=st.builds(SeriesKey, TEXT, st.none() | TEXT),
    columns=st.dictionaries(TEXT, TEXT, min_size=1, max_size=2).map(lambda made: tuple(made.items())),
    ux_type=st.none() | TEXT, schema_id=st.none() | TEXT, more=FREE, unknown=NAMES,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    FILE, EXPERIMENT, st.builds(Job, st.just(R1), JSON, NAMES), st.lists(SERIES, max_size=3, unique_by=lambda s: s.key)
)
def test_files_experiments_jobs_and_series_come_out_as_they_went_in(
    archive: Archive, file: Artifact, one: Experiment, job: Job, logged: list[Series]
) -> None:
    archive_with(archive, "r1").begin(R1)
    archive.put_artifacts(R1, [file])
    archive.put_experiments([one])
    archive.put_jobs([job])
    archive.put_series(R1, logged)
    archive.complete(R1)

    assert list(archive.artifacts(R1)) == [file]
    assert archive.experiment(one.name) == one
    assert archive.job(R1) == job
    assert [series for series, _ in archive.series(R1)] == logged
    for table in ("run", "run_version", "artifact", "experiment", "series", "omission"):
        archive._execute(f"delete from {table}")  # noqa: S608  # the next example begins anew


def test_points_come_out_by_chunk_and_by_name(archive: Archive) -> None:
    acc = Points.of(ACC, [(None, 1, (0.5, 3)), (None, 2, (float("inf"), None))])
    put(archive, run("r1"))
    archive.begin(R1)
    archive.put_series(R1, [replace(LOSS, ux_type=None), ACC])
    archive.put_chunk(R1, [losses(1.0, 2.0), acc])
    archive.put_chunk(R1, [losses(3.0)])
    archive.complete(R1)

    chunks = [(seq, told(pieces)) for seq, pieces in archive.chunks(R1)]
    assert chunks == [(0, told([losses(1.0, 2.0), acc])), (1, told([losses(3.0)]))]
    assert [told(archive.chunk(R1, seq)) for seq in (0, 1)] == [pieces for _, pieces in chunks]
    assert archive.series(R1) == [(LOSS, 3), (ACC, 2)]
    assert told(archive.points(R1, LOSS.key)) == told([losses(1.0, 2.0), losses(3.0)])
    assert told(archive.points(R1, ACC.key)) == told([acc])
    assert list(archive.points(R1, SeriesKey("acc"))) == []
    assert archive.chunk_payloads(R1).keys() == {0, 1}


def test_equal_rows_of_another_name_are_another_chunk(archive: Archive) -> None:
    """What was sent as `loss` was not sent as the name that has its number now."""
    put(archive, run("r1"))
    extract(archive, run("r1"), losses(1.0, 2.0))
    before = archive.chunk_payloads(R1)
    extract(archive, run("r1"), losses(1.0, 2.0))
    again = archive.chunk_payloads(R1)
    extract(archive, run("r1"), replace(losses(1.0, 2.0), series=replace(LOSS, key=SeriesKey("other"))))

    assert before == again
    assert before != archive.chunk_payloads(R1)


def test_a_series_whose_columns_change_midway_keeps_every_row(archive: Archive) -> None:
    wide = replace(LOSS, columns=(("loss", "Double"), ("lr", "Double")))
    extract(archive_with(archive, "r1"), run("r1"), losses(1.0), Points.of(wide, [(2, 3, (1.0, 2.0))]))

    assert archive.series(R1) == [(LOSS, 1), (wide, 1)]
    assert [points.series for points in archive.points(R1, LOSS.key)] == [LOSS, wide]


def archive_with(archive: Archive, *names: str) -> Archive:
    put(archive, *map(run, names))
    return archive


def test_a_chunk_has_its_limit(archive: Archive) -> None:
    archive_with(archive, "r1")
    with pytest.raises(ValueError, match="at most 10000"):
        archive.put_chunk(R1, [losses(*[0.0] * ROWS_PER_CHUNK), losses(1.0)])


def test_files_come_out_by_path_with_both_places_of_one_path(archive: Archive) -> None:
    def file(path: str, store: str, *, indexed: bool = True, size: int | None = 5, **more: Any) -> Artifact:
        place = Location(store, f"ExperimentRun/dcid.r1/{path}")
        stored = None if size is None else StoredFile(location=place, size_bytes=size, **more)
        return Artifact(path=path, location=place, indexed=indexed, stored=stored)

    files = (
        file("b", "s", md5=b"0123", etag="e", content_type="text/plain", metadata={"Case": "kept"}),
        file("b", "other", indexed=False),
        file("a#?%41/..", "s", size=None),
        file("", "s", size=0),
    )
    extract(archive_with(archive, "r1"), run("r1"), files=files)

    assert list(archive.artifacts(R1)) == [files[3], files[2], files[1], files[0]]
    assert archive.artifact_totals(R1) == FileTotals(files=3, bytes=10, lost=1, twice=1, longest=1, unnamed=1)
    assert list(archive.lost_files(R1)) == [files[2]]


def test_twenty_thousand_files_of_a_run_come_by_pages(archive: Archive) -> None:
    archive_with(archive, "r1").begin(R1)
    for page in range(40):
        paths = [f"outputs/{page * 500 + at:05}" for at in range(500)]
        files = [Artifact(path=p, location=Location("s", p), indexed=True, stored=None) for p in paths]
        archive.put_artifacts(R1, files)
    archive.complete(R1)

    assert [file.path for file in archive.artifacts(R1)] == [f"outputs/{at:05}" for at in range(20_000)]


def test_the_storage_listing_is_kept_by_container_until_cleared(archive: Archive) -> None:
    files = [StoredFile(location=Location("s", f"ExperimentRun/dcid.r1/{name}"), size_bytes=1) for name in "ab"]
    archive.put_stored("dcid.r1", files)
    archive.put_stored("dcid.r2", files[:1])

    assert list(archive.stored("dcid.r1")) == files
    archive.clear_stored()
    assert list(archive.stored("dcid.r1")) == []


def test_old_content_stays_readable_until_the_new_is_complete(archive: Archive) -> None:
    old, new = run("r1", modified=Instant(1)), run("r1", modified=Instant(2), tags={"x": "1"})
    put(archive, old)
    archive.put_omissions([Omission(R1, "file a", "gone")])
    extract(archive, old, losses(1.0))
    archive.put_listed([new])

    assert list(archive.pending_ids()) == [R1]
    archive.begin(R1)
    archive.put_details(RunDetails(run=new))
    archive.put_omissions([Omission(R1, "file b", "gone")])
    archive.put_chunk(R1, [losses(2.0)])
    assert (archive.run(R1), told(archive.points(R1, LOSS.key))) == (old, told([losses(1.0)]))
    assert (archive.totals().points, list(archive.omissions())) == (1, [])

    archive.complete(R1)
    assert (archive.run(R1), told(archive.points(R1, LOSS.key))) == (new, told([losses(2.0)]))
    assert list(archive.omissions()) == [Omission(R1, "file b", "gone")]
    assert archive._one("select count(*) from chunk") == (1,)
    assert list(archive.pending_ids()) == []


def test_what_an_interrupted_extraction_staged_is_dropped_by_the_next(archive: Archive) -> None:
    archive_with(archive, "r1").begin(R1)
    archive.put_chunk(R1, [losses(9.0, 9.0)])
    archive.put_omissions([Omission(R1, "x", "y")])

    extract(archive, run("r1"), losses(1.0))

    assert told(archive.points(R1, LOSS.key)) == told([losses(1.0)])
    assert archive.series(R1) == [(LOSS, 1)]
    assert list(archive.omissions()) == []


def test_a_run_can_be_extracted_again_without_being_listed_again(archive: Archive) -> None:
    extract(archive_with(archive, "r1"), run("r1"), losses(1.0))

    archive.begin(R1)
    archive.complete(R1)

    assert archive.run(R1) == run("r1")
    assert archive.series(R1) == []


@pytest.mark.parametrize(
    ("change", "again"),
    [({}, False), ({"tags": {"x": "1"}}, True), ({"modified": Instant(9)}, True), ({"status": "Failed"}, True)],
)
def test_listed_again_only_changed_runs_need_extraction(archive: Archive, change: dict[str, Any], again: bool) -> None:
    """`modified`, `status` and `tags` tell; and what was selected stays so."""
    extract(archive_with(archive, "r1"), run("r1"))

    archive.put_listed([replace(run("r1"), **change)])

    assert bool(list(archive.pending_ids())) is again
    assert [row.extracted for row in archive.listing()] == [not again]
    assert [one.id for one in archive.unit(R1)] == [R1]


def test_selection_sees_what_was_listed_last(archive: Archive) -> None:
    extract(archive_with(archive, "r1"), run("r1"))

    archive.put_listed([run("r1", tags={"team": "x"}, modified=Instant(9))])

    assert [row.tags for row in archive.listing()] == [{"team": "x"}]


def test_active_runs_are_read_again_every_time(archive: Archive) -> None:
    """They log on without their document changing."""
    active = replace(run("r1"), status="Running")
    put(archive, active)
    extract(archive, active)

    archive.put_listed([active])

    assert list(archive.pending_ids()) == [R1]


def test_units_come_newest_first_and_parents_before_children(archive: Archive) -> None:
    family = [run("c2", "p", born=9), run("c1", "p", born=8), run("g", "c1", born=7), run("p", born=1)]
    runs = [run("old", born=0), run("new", born=5), *family, run("lost", "nobody", born=3), run("unborn")]
    put(archive, *runs)
    for one in runs:
        if one.id != "c2":
            extract(archive, one)

    assert list(archive.units()) == ["new", "lost", "p", "old", "unborn"]
    assert list(archive.units(newest_first=False)) == ["unborn", "old", "p", "lost", "new"]
    assert [one.id for one in archive.unit(RunId("p"))] == ["p", "c1", "g"]
    assert list(archive.lacking(RunId("p"))) == ["c2"]
    assert [(row.id, row.unit, row.depth) for row in archive.listing() if row.unit == "p"] == [
        ("p", "p", 0),
        ("c1", "p", 1),
        ("c2", "p", 1),
        ("g", "p", 2),
    ]


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.none() | st.sampled_from("abcdefghi"), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_run_has_a_unit_whatever_its_parents_say(archive: Archive, parents: dict[str, str | None]) -> None:
    """Absent parents, runs that are their own parents, and cycles."""
    archive._execute("delete from run")
    put(archive, *(run(name, parent) for name, parent in parents.items()))

    rows = {row.id: row for row in archive.listing()}

    assert rows.keys() == parents.keys()
    for row in rows.values():
        if row.depth:
            above = rows[RunId(parents[row.id] or "")]
            assert (above.unit, above.depth) == (row.unit, row.depth - 1)
        else:
            assert row.unit == row.id


def test_a_cycle_begins_at_its_smallest_id(archive: Archive) -> None:
    put(archive, run("a", "c"), run("b", "d"), run("c", "d"), run("d", "c"))

    assert [(row.id, row.depth) for row in archive.listing()] == [("c", 0), ("a", 1), ("d", 1), ("b", 2)]


def test_only_selected_runs_count_and_the_others_can_be_forgotten(archive: Archive) -> None:
    archive.put_listed([run("a"), run("b")])
    archive.put_jobs([Job(RunId("a"), {}), Job(RunId("b"), {}), Job(RunId("c"), {})])
    archive.arrange()
    archive.select([RunId("a")])
    archive.put_omissions([Omission(RunId("b"), "run", "cut by --depth")])

    assert list(archive.pending_ids()) == ["a"]
    assert [row.id for row in archive.listing()] == ["a", "b"]
    assert archive.totals().runs == 1

    archive.forget_unselected()
    assert [row.id for row in archive.listing()] == ["a"]
    assert (archive.job(RunId("b")), archive.job(RunId("a"))) == (None, Job(RunId("a"), {}))
    assert list(archive.jobs_missing_runs()) == ["c"]
    assert list(archive.omissions()) == [Omission(RunId("b"), "run", "cut by --depth")]

    put(archive, run("b"))
    assert list(archive.omissions()) == []


def test_pending_can_be_worked_off_while_it_is_read(archive: Archive) -> None:
    """More runs than a page, some of which fail: each comes once."""
    names = [f"r{at:04}" for at in range(1_200)]
    put(archive, *map(run, names))

    seen = []
    for one in archive.pending_ids():
        seen.append(one)
        if not one.endswith("7"):
            extract(archive, run(one))

    assert sorted(seen) == names
    assert archive.totals().pending == 120


def test_totals_and_unknown_keys(archive: Archive) -> None:
    archive.put_experiments([Experiment(id="1", name="a", unknown=("e",))])
    one, two = run("r1", unknown=("k", "l")), run("r2", unknown=("k",))
    put(archive, one, two, run("r3", unknown=("k",)))
    extract(archive, one, losses(1.0, 2.0))
    extract(archive, two)

    totals = archive.totals()

    assert (totals.experiments, totals.runs, totals.extracted, totals.pending) == (1, 3, 2, 1)
    assert (totals.series, totals.points, totals.files, totals.bytes, totals.omissions) == (1, 2, 0, 0, 0)
    assert list(archive.unknown_keys()) == [("experiment", "e", 1), ("run", "k", 2), ("run", "l", 1)]


def test_what_was_never_extracted_is_none_or_empty(archive: Archive) -> None:
    archive_with(archive, "r1")

    assert archive.run(R1) is None
    assert archive.run(RunId("nobody")) is None
    assert (list(archive.units()), list(archive.unit(R1)), archive.series(R1)) == ([], [], [])
    with pytest.raises(LookupError, match="nobody"):
        archive.begin(RunId("nobody"))


def test_what_stands_beside_metrics_and_files_is_kept_and_each_value_an_omission(archive: Archive) -> None:
    """No target takes it. Names of keys that nobody knows are counted; a secret among the values is stars."""
    series = replace(
        LOSS, more={"dataLocation": "https://s/x?sig=abc%3D", "novelty": 1}, unknown=("novelty", "row odd")
    )
    place = Location("store", "p")
    blob = StoredFile(location=place, size_bytes=1, unknown=("Colour",))
    file = Artifact(path="p", location=place, indexed=True, stored=blob, more={"tags": {"a": "b"}}, unknown=("also",))
    put(archive, run("r1"))
    archive.begin(R1)
    archive.put_stored("dcid.r1", [blob])
    archive.put_chunk(R1, [replace(losses(1.0), series=series)])
    archive.put_series(R1, [series])
    archive.put_artifacts(R1, [file])
    archive.complete(R1)

    ((kept, _),) = archive.series(R1)
    assert (kept.more, kept.unknown) == ({"dataLocation": "https://s/x?sig=***", "novelty": 1}, series.unknown)
    assert list(archive.artifacts(R1)) == [file]
    assert list(archive.stored("dcid.r1")) == [blob]
    assert {(omission.what, omission.reason) for omission in archive.omissions()} == {
        ("metric loss: dataLocation", KEPT),
        ("metric loss: novelty", KEPT),
        ("metric loss: row odd", UNREAD),
        ("value at metric loss: dataLocation", REDACTED),
        ("file p: tags", KEPT),
        ("file p: also", UNREAD),
        ("file p: Colour", UNREAD),
    }
    assert archive.unknown() == {"metric novelty": 1, "metric row odd": 1, "file also": 1, "stored file Colour": 1}


def test_the_longest_text_of_a_series_is_known_without_its_rows(archive: Archive) -> None:
    """Over all its chunks; counted from the rows where an older version had not."""
    words = Series(key=SeriesKey("words"), columns=(("w", "String"),))
    put(archive, run("r1"))
    archive.begin(R1)
    archive.put_chunk(R1, [Points.of(words, [(0, 1, ("x" * 300,)), (1, 2, (None,))]), losses(1.0)])
    archive.put_chunk(R1, [Points.of(words, [(2, 3, ("y",))])])
    archive.complete(R1)

    assert {one.key.name: one.longest_text for one, _ in archive.series(R1)} == {"words": 300, "loss": 0}
    archive._execute("update series set longest_text = null")
    assert {one.key.name: one.longest_text for one, _ in archive.series(R1)} == {"words": 300, "loss": 0}


def test_what_was_named_and_waits_is_remembered_until_it_is_selected(archive: Archive) -> None:
    archive.put_listed([Run(id=RunId("busy")), Run(id=RunId("here"))])
    archive.select([RunId("here")])

    archive.leave_out({RunId("busy"): ACTIVE, RunId("here"): ACTIVE})
    archive.forget_unselected()

    assert archive.left_out(["busy", "here", "none"]) == {"busy": ACTIVE}
    assert [(one.run, one.reason) for one in archive.omissions()] == [("busy", ACTIVE)]

    archive.put_listed([Run(id=RunId("busy"))])
    archive.select([RunId("busy")])
    assert archive.left_out(["busy"]) == {}


def test_files_that_no_extraction_looked_at_stay_with_what_was_taken_out_of_them(archive: Archive) -> None:
    """Of a file that is not listed any more only its name stays, and that it was there."""
    place = Location("s", "ExperimentRun/dcid.r1/a.txt")
    stored = StoredFile(location=place, size_bytes=1, etag="e", metadata={"sas": "sig=" + "a" * 43 + "%3D"})
    file = Artifact(path="a.txt", location=place, indexed=True, stored=stored, more={"tags": {"x": "1"}})
    archive_with(archive, "r1")
    extract(archive, run("r1"), losses(1.0), files=(file,))
    kept, lacks = list(archive.artifacts(R1)), {(one.what, one.reason) for one in archive.omissions()}
    assert {what for what, _ in lacks} == {"metadata sas of file a.txt", "file a.txt: tags"}

    archive.begin(R1)
    archive.put_details(RunDetails(run=run("r1")))
    archive.put_omissions([Omission(R1, "metric loss", "its rows were not found")])
    archive.complete(R1)
    archive.begin(R1)
    archive.keep_artifacts(R1)
    archive.complete(R1)
    assert (list(archive.artifacts(R1)), list(archive.omissions())) == ([], []), "there was nothing to keep"

    extract(archive, run("r1"), files=(file,))
    for keep in (archive.keep_artifacts, archive.keep_artifacts):
        archive.begin(R1)
        keep(R1)
        archive.complete(R1)
        assert list(archive.artifacts(R1)) == kept
        assert {(one.what, one.reason) for one in archive.omissions()} == lacks
    archive.begin(R1)
    archive.keep_disappeared(R1)
    archive.complete(R1)
    assert [(one.path, one.stored, one.gone) for one in archive.artifacts(R1)] == [("a.txt", None, FILE_GONE)]
    archive.check()


def test_what_is_written_together_is_written_all_or_nothing(archive: Archive) -> None:
    put(archive, run("a"), run("b"))

    def both() -> None:
        with archive.together():
            extract(archive, run("a"), losses(1.0))
            extract(archive, run("nobody"), losses(2.0))

    with pytest.raises(LookupError):
        both()
    assert [archive.generation(one) for one in (RunId("a"), RunId("b"))] == [0, 0]

    with archive.together():
        extract(archive, run("a"), losses(1.0))
    extract(archive, run("b"), losses(2.0))
    assert [archive.generation(one) for one in (RunId("a"), RunId("b"))] == [1, 1]


def test_what_has_to_be_on_the_disk_at_once_is_no_part_of_something_longer(archive: Archive) -> None:
    with pytest.raises(RuntimeError, match="on the disk"), archive.together(), archive._transaction(durable=True):
        pass


def test_owners_of_what_pending_runs_show_are_known_by_the_listing_and_by_an_earlier_one(archive: Archive) -> None:
    archive.begin_listing()
    put(archive, run("a", born=1, lender=RunId("x")), run("b", born=2))
    archive.begin_listing()
    put(archive, run("c", born=3, lender=RunId("y")), run("d", born=4, lender=RunId("z")))
    extract(archive, run("d", lender=RunId("z")))

    assert list(archive.lenders()) == ["y", "x"]


def test_a_series_keeps_its_number_and_what_is_told_of_it_later(archive: Archive) -> None:
    put(archive, run("r1"))
    plain = replace(LOSS, ux_type=None)
    named = Points.of(replace(LOSS, schema_id="s"), [(0, 1, (0.5,))])
    other = Points.of(replace(LOSS, ux_type="other"), [(0, 1, (0.5,))])
    archive.begin(R1)
    archive.put_details(RunDetails(run=run("r1")))
    archive.put_series(R1, [ACC, plain])
    archive.put_chunk(R1, [Points.of(plain, [(0, 1, (0.5,))]), named, Points.of(LOSS, [(0, 1, (0.5,))]), other])
    archive.put_series(R1, [plain, ACC])
    archive.complete(R1)

    told = [(one.key.name, one.ux_type, one.schema_id, rows) for one, rows in archive.series(R1)]
    assert told == [("acc", None, None, 0), ("loss", LOSS.ux_type, "s", 3), ("loss", "other", None, 1)]
