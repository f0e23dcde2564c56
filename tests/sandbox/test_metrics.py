"""The metric service, driven over the wire."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from azureml_sandbox.server.sandbox import Sandbox
from azureml_sandbox.world import Workspace, World
from sandbox.plane import Plane, error

TIME = "2024-05-13T08:37:06.7321234+00:00"
WAIT = "/experiments/train/runs/r1/metricsingest/wait"


def metric(name: str, *values: Any, **more: Any) -> dict[str, Any]:
    rows = [{"createdUtc": TIME, "step": step, "data": {name: value}} for step, value in enumerate(values)]
    return {"name": name, "columns": {name: "Double"}, "value": rows, **more}


def send(plane: Plane, *metrics: dict[str, Any], door: str = "batch", report: bool = True) -> requests.Response:
    return plane("metric", "POST", f"/runs/r1/{door}", body={"values": list(metrics), "reportErrors": report})


def read(plane: Plane, door: str = "full", **asked: Any) -> Any:
    return plane.document("metric", "POST", f"/runs/r1/{door}", body=asked)


def values(plane: Plane, name: str) -> list[Any]:
    return [row["data"][name] for row in read(plane, metricName=name)["value"]]


@pytest.fixture(autouse=True)
def run(plane: Plane) -> None:
    plane.put("r1")


def test_rows_come_back_as_they_were_sent(plane: Plane) -> None:
    """Id, time to the tick, step and value."""
    row = {"metricId": "m1", "createdUtc": TIME, "step": 7, "data": {"loss": 0.25}}

    assert send(plane, {"name": "loss", "columns": {"loss": "Double"}, "value": [row]}).status_code == 200

    assert read(plane, metricName="loss")["value"] == [row]


def test_a_series_says_where_it_lies_and_what_it_is(plane: Plane) -> None:
    """In the recorded form; there is no page token on the last page."""
    send(plane, metric("loss", 1.0))

    found = read(plane, metricName="loss")

    assert found.pop("value")
    assert found == {
        "dataContainerId": "dcid.r1",
        "name": "loss",
        "columns": {"loss": "Double"},
        "properties": {"uxMetricType": "azureml.v1.scalar", "dataLocation": None},
        "namespace": None,
        "standardSchemaId": None,
    }


def test_numbers_that_are_none_travel_as_strings(plane: Plane) -> None:
    """NaN and the infinities; -0.0 keeps its sign, a whole number becomes a double."""
    send(plane, metric("loss", "NaN", "Infinity", "-Infinity", -0.0, 3))

    raw = plane("metric", "POST", "/runs/r1/full", body={"metricName": "loss"}).text

    assert [part.split("}")[0] for part in raw.split('"data":{"loss":')[1:]] == [
        '"NaN"',
        '"Infinity"',
        '"-Infinity"',
        "-0.0",
        "3.0",
    ]


def test_a_step_may_be_none(plane: Plane) -> None:
    """None is not 0."""
    send(plane, {"name": "a", "columns": {"a": "Double"}, "value": [{"step": None, "data": {"a": 1}}]})

    assert [row["step"] for row in read(plane, metricName="a")["value"]] == [None]


def test_rows_are_appended_never_replaced(plane: Plane) -> None:
    """The same metricId twice is two rows."""
    row = {"metricId": "m1", "createdUtc": TIME, "step": 0, "data": {"a": 1.0}}
    for _ in range(2):
        send(plane, {"name": "a", "columns": {"a": "Double"}, "value": [row]})

    assert read(plane, metricName="a")["value"] == [row, row]


def test_tables_keep_columns_types_and_schema(plane: Plane) -> None:
    """Types may be sent in lower case, as azureml-core does; they are answered in Pascal case."""
    table = {
        "name": "t",
        "columns": {"i": "int", "s": "String", "b": "bool", "d": "double"},
        "properties": {"uxMetricType": "azureml.v1.table"},
        "standardSchemaId": "6d6f1c3e-0000-4000-8000-000000000001",
        "value": [{"data": {"i": 1, "s": "x", "b": True, "d": 0.5}}],
    }
    send(plane, table)

    found = read(plane, metricName="t")

    assert found["columns"] == {"i": "Int", "s": "String", "b": "Bool", "d": "Double"}
    assert found["properties"]["uxMetricType"] == "azureml.v1.table"
    assert found["standardSchemaId"] == table["standardSchemaId"]
    assert found["value"][0]["data"] == {"i": 1, "s": "x", "b": True, "d": 0.5}


def test_namespaces_are_apart(plane: Plane) -> None:
    """The same name in two namespaces is two metrics."""
    send(plane, metric("a", 1.0), metric("a", 2.0, namespace="n"))

    assert values(plane, "a") == [1.0]
    assert read(plane, metricName="a", metricNamespace="n")["value"][0]["data"] == {"a": 2.0}
    keys = [each["metricKey"] for each in read(plane, "list")["value"]]
    assert [(key["namespace"], key["name"]) for key in keys] == [(None, "a"), ("n", "a")]


def test_names_come_by_pages(plane: Plane) -> None:
    """Every name once."""
    send(plane, *(metric(f"m{index:02}", 1.0) for index in range(30)))

    first = read(plane, "list")
    second = read(plane, "list", continuationToken=first["continuationToken"])

    names = [each["metricKey"]["name"] for each in first["value"] + second["value"]]
    assert names == [f"m{index:02}" for index in range(30)]
    assert "continuationToken" not in second


def test_rows_come_by_pages_of_a_thousand(plane: Plane) -> None:
    """Every row once, in the order of logging."""
    for start in range(0, 1250, 250):
        rows = [{"createdUtc": TIME, "step": step, "data": {"a": 1.0}} for step in range(start, start + 250)]
        send(plane, {"name": "a", "columns": {"a": "Double"}, "value": rows})

    first = read(plane, metricName="a")
    second = read(plane, metricName="a", continuationToken=first["continuationToken"])

    assert (len(first["value"]), len(second["value"])) == (1000, 250)
    assert [row["step"] for row in first["value"] + second["value"]] == list(range(1250))
    assert "continuationToken" not in second


def test_rows_are_read_between_two_times(plane: Plane) -> None:
    """Both ends belong to it."""
    times = [f"2024-05-13T08:00:0{second}+00:00" for second in range(4)]
    rows = [{"createdUtc": time, "data": {"a": 1.0}} for time in times]
    send(plane, {"name": "a", "columns": {"a": "Double"}, "value": rows})

    found = read(plane, metricName="a", startTime=times[1], endTime=times[2])["value"]

    assert [row["createdUtc"] for row in found] == times[1:3]


def test_last_values_are_one_row_of_each(plane: Plane) -> None:
    """The row logged last."""
    send(plane, metric("a", 1.0, 2.0), metric("b", 3.0))

    found = read(plane, "lastvalues")["value"]

    assert [(each["name"], [row["data"] for row in each["value"]]) for each in found] == [
        ("a", [{"a": 2.0}]),
        ("b", [{"b": 3.0}]),
    ]


def test_a_metric_that_is_not_there_is_refused(plane: Plane) -> None:
    """404, as for a run that is not there."""
    assert plane("metric", "POST", "/runs/r1/full", body={"metricName": "a"}).status_code == 404
    assert plane("metric", "POST", "/runs/nobody/list", body={}).status_code == 404


def test_too_many_rows_of_a_name_are_refused_in_the_services_words(plane: Plane) -> None:
    """Per item: the others are stored."""
    answer = send(plane, metric("a", *range(251)), metric("b", *range(250)))

    (refused,) = answer.json()["errors"]
    assert answer.status_code == 207
    assert refused["metric"]["name"] == "a"
    assert "MetricV2Dto.Value/Count, Limit=250" in refused["errorResponse"]["error"]["message"]
    assert len(values(plane, "b")) == 250


def test_rows_of_a_name_count_over_the_whole_request(plane: Plane) -> None:
    """Splitting a name into two items does not help."""
    assert send(plane, metric("a", *range(200)), metric("a", *range(100))).status_code == 207
    assert len(values(plane, "a")) == 200


def test_without_report_errors_a_bad_item_refuses_the_whole(plane: Plane) -> None:
    """400, and nothing is stored."""
    answer = send(plane, metric("b", 1.0), metric("a", *range(251)), report=False)

    assert answer.status_code == 400
    assert "Limit=250" in error(answer)["message"]
    assert read(plane, "list") == {"value": []}


@pytest.mark.parametrize(
    "bad",
    [
        metric("a", None),
        metric("a", "1.0"),
        metric("a", True),
        metric("n" * 256, 1.0),
        metric("a", 1.0, columns={}),
        metric("a", 1.0, columns={"b": "Double"}),
        metric("a", 1.0, columns={"a": "Integer"}),
        metric("a", 1.0, dataContainerId="dcid.other"),
        metric("a", 1.5, columns={"a": "Int"}),
        metric("a", "x" * 256, columns={"a": "String"}),
        {"name": "a", "columns": {f"c{index}": "Double" for index in range(16)}, "value": []},
        {"name": "a", "columns": {"a": "Double"}, "value": [{"createdUtc": "now", "data": {"a": 1}}]},
        {"name": "a", "columns": {"a": "Double"}, "value": [{"step": 1.5, "data": {"a": 1}}]},
        {"columns": {"a": "Double"}, "value": []},
    ],
)
def test_a_metric_that_does_not_fit_is_refused(plane: Plane, bad: dict[str, Any]) -> None:
    """Types, lengths, columns; nothing of it is stored."""
    assert send(plane, bad).status_code == 207
    assert read(plane, "list") == {"value": []}


def test_a_name_keeps_its_columns(plane: Plane) -> None:
    """Rows with others are refused."""
    send(plane, metric("a", 1.0))

    assert send(plane, metric("a", "x", columns={"a": "String"})).status_code == 207


def test_a_run_has_at_most_fifty_names(plane: Plane) -> None:
    """A name that is there can still grow."""
    assert send(plane, *(metric(f"m{index}", 1.0) for index in range(50))).status_code == 200

    assert send(plane, metric("one more", 1.0)).status_code == 207
    assert send(plane, metric("m0", 2.0)).status_code == 200


def test_a_run_has_at_most_a_million_values_of_all_names(plane: Plane, world: World, home: Workspace) -> None:
    """Counted in rows, as the service counts `Value`."""
    send(plane, metric("a", 1.0), metric("b", 1.0))
    world.metrics._database.run("update series set rows = 499999 where workspace = ?", home.guid)

    full, over = send(plane, metric("a", 2.0), metric("b", 2.0)), send(plane, metric("c", 1.0))

    assert (full.status_code, over.status_code) == (200, 207)
    assert "Metrics/Values, Limit=1000000" in over.json()["errors"][0]["errorResponse"]["error"]["message"]


def test_a_reused_step_shows_the_metrics_of_its_owner(plane: Plane) -> None:
    """Metrics belong to the container, which two runs may share."""
    send(plane, metric("a", 1.0))
    plane.put("reused", dataContainerId="dcid.r1")

    found = plane.document("metric", "POST", "/runs/reused/full", body={"metricName": "a"})

    assert found["value"][0]["data"] == {"a": 1.0}


def test_rows_may_show_up_late(plane: Plane, calm: Sandbox) -> None:
    """Until then they are nowhere, and waiting answers 202."""
    calm.set_faults(ingestion_lag_ms=3_600_000)
    send(plane, metric("a", 1.0))

    assert read(plane, "list") == {"value": []}
    assert read(plane, "lastvalues") == {"value": []}
    assert plane("metric", "POST", "/runs/r1/full", body={"metricName": "a"}).status_code == 404
    assert plane("history", "GET", WAIT).status_code == 202


def test_waiting_ends_when_all_rows_can_be_read(plane: Plane, calm: Sandbox) -> None:
    """202 until then with an address to ask at, as azureml-core does, 200 after; below the experiment's name alone."""
    calm.set_faults(ingestion_lag_ms=200)
    send(plane, metric("a", 1.0))
    answer = plane("history", "GET", WAIT)
    assert answer.status_code == 202
    while answer.status_code == 202:
        path = answer.headers["Location"].partition("/workspaces/")[2].partition("/")[2]
        answer = plane("history", "GET", f"/{path}")

    assert (answer.status_code, plane("history", "GET", WAIT).status_code) == (200, 200)
    assert plane("history", "GET", "/runs/r1/metricsingest/wait").status_code == 501

    assert values(plane, "a") == [1.0]


def test_batchsync_is_readable_at_once(plane: Plane, calm: Sandbox) -> None:
    """However late the others are."""
    calm.set_faults(ingestion_lag_ms=3_600_000)

    assert send(plane, metric("a", 1.0), door="batchsync").status_code == 200

    assert values(plane, "a") == [1.0]
    assert plane("history", "GET", WAIT).status_code == 200

    calm.set_faults(strict=["no-batchsync"])
    lacking = send(plane, metric("a", 2.0), door="batchsync")
    assert (lacking.status_code, lacking.text, values(plane, "a")) == (404, "", [1.0])
