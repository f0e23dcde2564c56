"""What MLflow shows of a run: its five states, its milliseconds, its latest points."""

from __future__ import annotations

import math

import pytest

from azureml_replay.formats.browsing.shown import ShownInput, curves_of, history, shown_run
from azureml_replay.instants import Instant
from azureml_replay.model import AssetReference, Points, Row, Run, RunId, Series, SeriesKey

MS = 10_000
LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),))
TABLE = Series(key=SeriesKey("table", "ns"), columns=(("a", "Int"), ("b", "Double"), ("text", "String")))


def last(*pieces: Points) -> dict[str, tuple[int, int, float]]:
    return dict(shown_run(Run(id=RunId("r")), pieces).last)


def points(*rows: Row, series: Series = LOSS) -> Points:
    return Points.of(series, rows)


@pytest.mark.parametrize(
    ("status", "shown", "exact"),
    [
        ("Completed", "FINISHED", None),
        ("Failed", "FAILED", None),
        ("Canceled", "KILLED", None),
        ("Queued", "SCHEDULED", "Queued"),
        ("NotResponding", "RUNNING", "NotResponding"),
    ],
)
def test_a_status_that_mlflow_lacks_stands_in_a_tag(status: str, shown: str, exact: str | None) -> None:
    found = shown_run(Run(id=RunId("r"), status=status), ())

    assert (found.status, found.tags.get("azureml_replay.status")) == (shown, exact)


def test_what_mlflow_has_no_field_for_becomes_tags() -> None:
    """The run's own tags win; only the parent is ours to say."""
    run = Run(
        id=RunId("r"),
        parent=RunId("p"),
        experiment="e",
        display_name="nice",
        description="why",
        creator="ann",
        kind="azureml.StepRun",
        created=Instant(7 * MS + 9_999),
        tags={"k": None, "mlflow.user": "bob", "mlflow.parentRunId": "elsewhere"},
        properties={"azureml.git.branch": "main", "plain": "x"},
        parameters={"lr": "0.1", "layers": [1, 2], "none": None},
        inputs={"data": AssetReference("azureml://data/versions/1", "UriFolder")},
        error={"code": "UserError"},
    )

    found = shown_run(run, ())

    assert (found.name, found.user, found.start_ms, found.end_ms) == ("nice", "ann", 7, None)
    assert found.tags == {
        "azureml.git.branch": "main",
        "azureml.plain": "x",
        "mlflow.runName": "nice",
        "mlflow.user": "bob",
        "mlflow.note.content": "why",
        "azureml.runType": "azureml.StepRun",
        "azureml_replay.error": '{"code":"UserError"}',
        "k": "",
        "mlflow.parentRunId": "p",
    }
    assert found.params == {"lr": "0.1", "layers": "[1,2]", "none": "null"}
    (given,) = found.inputs
    assert given == ShownInput("data", given.digest, "UriFolder", "azureml://data/versions/1")
    assert len(given.digest) == 8


def test_the_latest_point_is_of_the_highest_step_then_time_then_value() -> None:
    """As MLflow's own stores have it, in whatever order and pieces they were logged."""
    assert last(points((0, 5 * MS, (1.0,)), (1, 6 * MS, (2.0,)))) == {"loss": (6, 1, 2.0)}
    assert last(points((9, 5 * MS, (1.0,)), (1, 6 * MS, (2.0,)))) == {"loss": (5, 9, 1.0)}
    assert last(points((1, 5 * MS, (1.0,)), (1, 6 * MS, (0.5,)))) == {"loss": (6, 1, 0.5)}
    assert last(points((1, 5 * MS, (math.nan,)), (1, 5 * MS, (0.5,)))) == {"loss": (5, 1, 0.5)}
    assert last(points((3, 5 * MS, (3.0,))), points((2, 9 * MS, (2.0,)))) == {"loss": (5, 3, 3.0)}
    assert last(points((None, 5 * MS, (3.0,)), (None, 6 * MS, (4.0,)))) == {"loss": (6, 0, 4.0)}
    assert last(points((1, None, (3.0,)), (2, None, (None,)))) == {"loss": (0, 1, 3.0)}
    assert last(points((1, 5 * MS, (None,)))) == {}


def test_each_column_of_numbers_is_a_curve() -> None:
    """Of a table by the names of both; texts are none."""
    assert list(curves_of(TABLE)) == [("ns/table/a", 0), ("ns/table/b", 1)]
    assert curves_of(Series(key=SeriesKey(""), columns=(("", "Double"),))) == []
    rows = points((None, 3 * MS, (10**400, 1.5, "x")), (None, 2 * MS, (-(10**400), None, "y")), series=TABLE)

    assert history([rows], "ns/table/a") == [(2, 0, -math.inf), (3, 0, math.inf)]
    assert history([rows], "ns/table/b") == [(3, 0, 1.5)]
    assert history([rows], "ns/table/text") == []


def test_a_history_is_in_mlflows_order_and_keeps_equal_rows() -> None:
    rows = points((1, 2 * MS, (1.0,)), (0, 2 * MS, (math.nan,)), (0, 2 * MS, (4.0,)), (0, 2 * MS, (4.0,)))

    found = history([rows], "loss")

    assert [(ms, step) for ms, step, _ in found] == [(2, 0), (2, 0), (2, 0), (2, 1)]
    assert found[:2] == [(2, 0, 4.0)] * 2
    assert math.isnan(found[2][2])
