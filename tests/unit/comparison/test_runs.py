"""What is missing and what differs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.comparison import runs
from azureml_replay.comparison.files import compare_files
from azureml_replay.comparison.missing import Missing
from azureml_replay.comparison.rows import compare_points, compare_series, identity
from azureml_replay.comparison.runs import compare_runs
from azureml_replay.instants import Instant
from azureml_replay.model import (
    AssetReference,
    Finding,
    Location,
    Points,
    Row,
    Run,
    RunId,
    Series,
    SeriesKey,
    StoredFile,
)

R1 = RunId("r1")
LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),))
VALUE = st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf, -math.inf, 0.1])
ROW: st.SearchStrategy[Row] = st.tuples(st.none() | st.integers(0, 3), st.integers(0, 2), st.tuples(VALUE))
ROWS = st.lists(ROW, max_size=12)


def ids(rows: list[Row]) -> list[runs.Identity]:
    return [identity(row) for row in rows]


def missing(expected: list[Row], actual: list[Row], *, also: Sequence[Row] = ()) -> list[Row]:
    """As a chunk is asked about: in two pieces, and what is there by pages."""
    half = len(expected) // 2
    asked = Missing([Points.of(LOSS, expected[:half]), Points.of(LOSS, expected[half:])])
    asked.also_sent(Points.of(LOSS, list(also)))
    for at in range(0, len(actual), 3):
        asked.there(Points.of(LOSS, actual[at : at + 3]))
    asked.there(Points.of(replace(LOSS, key=SeriesKey("another")), expected))
    return [row for piece in asked.rows() for row in piece.rows()]


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        (math.nan, float("nan"), True),
        (0.0, -0.0, False),
        (1, 1.0, True),
        (1, True, False),
        (0, None, False),
        (1, "1", False),
        ("None", None, False),
        (2**53 + 1, float(2**53), False),
        (10**400, 10**400, True),
        (math.inf, -math.inf, False),
        (0.1, 0.1 + 2**-56, False),
    ],
)
def test_values_are_one_when_their_bits_are(a: Any, b: Any, equal: bool) -> None:
    assert equal is (identity((1, 1, (a,))) == identity((1, 1, (b,))))


def test_a_whole_number_in_a_double_column_is_the_double_it_stands_for() -> None:
    """Services write a double of 2^53 + 1 either way."""
    assert identity((1, 1, (2**53 + 1,)), ["Double"]) == identity((1, 1, (float(2**53),)), ["Double"])
    assert identity((1, 1, (2**53 + 1,)), ["Int"]) != identity((1, 1, (2**53,)), ["Int"])


def test_no_step_is_not_step_zero() -> None:
    assert identity((None, 1, (1.0,))) != identity((0, 1, (1.0,)))


@given(ROWS, ROWS)
def test_what_is_missing_completes_what_is_there(sent: list[Row], more: list[Row]) -> None:
    """Sending exactly `missing` makes a half-sent series whole, whatever else is there; repeats count."""
    expected = sent + more

    lacking = missing(expected, sent)

    assert sorted(map(repr, ids(more))) == sorted(map(repr, ids(lacking)))
    assert missing(expected, [*sent, *lacking]) == []


@given(ROWS, ROWS)
def test_what_is_missing_is_the_difference_of_multisets(expected: list[Row], actual: list[Row]) -> None:
    """Whatever else is there, repeats counted; no step is not step 0, NaN is NaN."""
    assert Counter(ids(missing(expected, actual))) == Counter(ids(expected)) - Counter(ids(actual))


@given(ROWS, ROWS)
def test_what_is_missing_keeps_its_order(expected: list[Row], actual: list[Row]) -> None:
    lacking, rest = ids(missing(expected, actual)), iter(ids(expected))

    assert all(any(row == other for other in rest) for row in lacking)


@given(ROWS, ROWS)
def test_equal_rows_that_were_sent_beside_them_are_not_taken_for_those(expected: list[Row], also: list[Row]) -> None:
    """Where only the others arrived, all lack; where both did, none."""
    assert ids(missing(expected, also, also=also)) == ids(expected)
    assert missing(expected, expected + also, also=also) == []


@given(ROWS, ROWS)
def test_point_findings_are_as_many_as_the_rows_that_differ(a: list[Row], b: list[Row]) -> None:
    """A row that differs is one finding, not an absent and an extra one."""
    found = list(compare_points(a, b, LOSS, run=R1, named=100))

    assert max(len(missing(a, b)), len(missing(b, a))) <= len(found) <= len(missing(a, b)) + len(missing(b, a))
    assert sum(f.kind != "extra" for f in found) == len(missing(a, b))


def test_differing_points_are_named_by_step_and_the_rest_is_counted() -> None:
    expected: list[Row] = [(step, step, (float(step),)) for step in range(20)]
    actual: list[Row] = [(step, step, (math.nan if step in (3, 7) else float(step),)) for step in range(10)]

    findings = list(compare_points(expected, reversed(actual), LOSS, run=R1, named=3))

    assert findings == [
        Finding(R1, "metric loss step 3", "differs", "3.0 at tick 3", "nan at tick 3"),
        Finding(R1, "metric loss step 7", "differs", "7.0 at tick 7", "nan at tick 7"),
        Finding(R1, "metric loss step 10", "absent", "10.0 at tick 10", ""),
        Finding(R1, "metric loss: 9 more rows", "differs", "9 of them absent", "0 of them extra"),
    ]


def test_a_moved_time_is_a_difference() -> None:
    (finding,) = compare_points([(1, 5, (0.5,))], [(1, 6, (0.5,))], LOSS, run=R1)

    assert finding == Finding(R1, "metric loss step 1", "differs", "0.5 at tick 5", "0.5 at tick 6")


def test_series_are_compared_by_columns_and_drawing() -> None:
    other = replace(LOSS, columns=(("loss", "Int"),), ux_type="azureml.v1.scalar")

    assert list(compare_series(R1, LOSS, LOSS)) == []
    assert [(f.what, f.kind) for f in compare_series(R1, LOSS, other)] == [
        ("columns of metric loss", "differs"),
    ], "a service gives a type where it was told none"
    assert [(f.what, f.kind) for f in compare_series(R1, other, LOSS)] == [
        ("columns of metric loss", "differs"),
        ("type of metric loss", "absent"),
    ]


FULL = Run(
    id=R1,
    parent=RunId("p"),
    experiment="e",
    status="Failed",
    start=Instant(1),
    end=Instant(2),
    display_name="d",
    description="text",
    tags={"owner": "a", "none": None},
    properties={"p": "True"},
    parameters={"lr": 0.1, "deep": {"a": [1, True]}},
    inputs={"in": AssetReference("azureml://a", "UriFile")},
    outputs={"out": AssetReference("azureml://b", None)},
    input_datasets=[{"id": 1}],
    output_datasets=[{"id": 2}],
    hidden=True,
    lender=RunId("owner"),
    error={"code": "UserError", "message": "no", "innerError": {"code": "x"}},
    error_origin={"time": "2024-01-02T03:04:05.6+00:00", "componentName": "run-history"},
)
CHANGES: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"parent": None}, [("parent", "absent")]),
    ({"experiment": "f"}, [("experiment", "differs")]),
    ({"status": "Completed"}, [("status", "differs")]),
    ({"start": Instant(3)}, [("start", "differs")]),
    ({"end": None}, [("end", "absent")]),
    ({"display_name": "x"}, [("display name", "differs")]),
    ({"description": ""}, [("description", "differs")]),
    ({"tags": {"owner": "a"}}, [("tag none", "absent")]),
    ({"tags": {"owner": "a", "none": "", "more": "1"}}, [("tag none", "differs"), ("tag more", "extra")]),
    ({"properties": {"p": "true"}}, [("property p", "differs")]),
    ({"parameters": {"lr": 0.1, "deep": {"a": [1, 1]}}}, [("parameter deep", "differs")]),
    ({"inputs": {}}, [("input in", "absent")]),
    ({"outputs": {"out": AssetReference("azureml://b", "UriFile")}}, [("output out", "differs")]),
    ({"input_datasets": []}, [("input datasets", "absent")]),
    ({"output_datasets": [{"id": 3}]}, [("output datasets", "differs")]),
    ({"hidden": False}, [("hidden", "differs")]),
    ({"lender": None}, [("files and metrics of", "absent")]),
    ({"lender": RunId("other")}, [("files and metrics of", "differs")]),
    (
        {"error": {"code": "ServiceError", "innerError": {"code": "x", "innerError": None}}},
        [("error code", "differs"), ("error message", "absent")],
    ),
    ({"error": {"code": "UserError", "message": "no"}}, [("error innerError", "absent")]),
    ({"error_origin": {"componentName": "mfe"}}, [("error time", "absent"), ("error componentName", "differs")]),
    ({"error_origin": {"time": "2024-01-02T03:04:05.6Z", "componentName": "run-history", "location": "x"}}, []),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_each_carried_field_is_compared(change: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    findings = compare_runs(FULL, replace(FULL, **change))

    assert [(finding.what, finding.kind) for finding in findings] == expected


def test_the_changes_above_cover_every_field_that_a_run_carries() -> None:
    names = [field.name for field in fields(Run)]

    assert {name for change, _ in CHANGES for name in change} == set(names[1 : names.index("error_origin") + 1])


def test_equal_runs_have_no_findings_whatever_the_server_owns() -> None:
    there = replace(
        FULL,
        created=Instant(9),
        creator="x",
        kind="y",
        document={"z": 1},
        parameters={"lr": 0.1, "deep": {"a": [1.0, True]}},
    )

    assert list(compare_runs(FULL, there)) == []


def test_lineage_is_no_extra_but_a_changed_value_of_it_is_told() -> None:
    there = replace(FULL, tags={**FULL.tags, "original_job_id": "r1"}, properties={"p": "x"})

    assert [finding.what for finding in compare_runs(FULL, there, {"tag": {"original_job_id"}, "property": {"p"}})] == [
        "property p"
    ]


def test_findings_are_short_and_hold_no_secret() -> None:
    wanted = replace(FULL, tags={"long": "x" * 500, "dbPassword": "hidden", "url": "https://h/p?sig=abc&x=1"})

    shown = [finding.expected for finding in compare_runs(wanted, replace(FULL, tags={}))]

    assert shown == ["x" * 119 + "…", "***", "https://h/p?sig=***&x=1"]


def stored(size: int, md5: bytes | None) -> StoredFile:
    return StoredFile(location=Location("d", "p"), size_bytes=size, md5=md5)


def test_files_by_size_and_md5_and_what_could_not_be_verified() -> None:
    expected = {
        "same": stored(1, b"a"),
        "other": stored(1, b"a"),
        "size": stored(1, None),
        "gone": stored(1, b"a"),
        "log": stored(1, None),
    }
    actual = {
        "same": stored(1, b"a"),
        "other": stored(1, b"b"),
        "size": stored(2, b"a"),
        "log": stored(1, b"a"),
        "more": stored(3, None),
    }

    findings, unverifiable = compare_files(R1, expected.items(), actual)

    assert unverifiable == 1
    assert [(finding.what, finding.kind) for finding in findings] == [
        ("file other", "differs"),
        ("file size", "differs"),
        ("file gone", "absent"),
        ("file more", "extra"),
    ]
