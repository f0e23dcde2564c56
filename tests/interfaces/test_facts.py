"""The table is what the interface files say, and the checker finds what contradicts it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from interfaces import make
from interfaces.deviations import WITHOUT
from interfaces.held import FACTS, unknown

BATCH = "POST", "/metric/v2.0/runs/{run_id}/batch"
RUNS = "PATCH", "/history/v1.0/experimentids/{experiment_id}/batch/runs"
CHILDREN = "GET", "/history/v1.0/experimentids/{experiment_id}/runs/{run_id}/children"
REGISTER = "POST", "/artifact/v2.0/artifacts/register"
JOB = "PUT", "/jobs/{name}"
JOBS = "GET", "/jobs"
VERSION = "api-version=2024-04-01"
COMMAND = {"jobType": "Command", "command": "true", "environmentId": "e"}
ROW = {"metricId": "m", "createdUtc": "2024-01-01T00:00:00Z", "step": 1, "data": {"a": 1.0}}


@pytest.mark.skipif(not make.FOLDER.is_dir(), reason=f"no interface files in {make.FOLDER}")
def test_the_table_is_what_the_files_say() -> None:
    """`PYTHONPATH=src:tests python -m interfaces.make` writes it anew."""
    assert make.TABLE.read_text("utf-8") == make.text(make.table())


def test_every_route_is_known_from_somewhere() -> None:
    """From an interface file, or from what `deviations.py` names; nothing is named there in vain."""
    served = list(make.routes())
    assert [route for route in served if unknown(route)] == []
    assert set(json.loads(make.TABLE.read_text("utf-8"))["routes"]) <= set(served)
    lacking = [route for route in served if not FACTS.knows(route)]
    assert [one for one in WITHOUT if not any(re.fullmatch(one, route) for route in lacking)] == []


def found(route: tuple[str, str], body: Any = None, query: str = "", **answer: Any) -> list[str]:
    """The contradictions of a request, or of an answer where one is given."""
    text = json.dumps(body) if body is not None else ""
    told = {"status": 200, "answer": "", **answer}
    exchange = {"method": route[0], "route": route[1], "query": query, "request": text, **told}
    told_of = FACTS.of_answer(exchange) if answer else FACTS.of_request(exchange)
    return [f"{one.where}: {one.what}" for one in told_of]


@pytest.mark.parametrize(
    ("route", "body", "query", "expected"),
    [
        (BATCH, {"values": [{"name": "a", "columns": {"a": "Double"}, "value": [ROW]}]}, "", []),
        (BATCH, {"values": {}}, "", ["request/values: object, not a list"]),
        (BATCH, {"values": [{"name": 5}]}, "", ["request/values[]/name: integer, not string"]),
        (BATCH, {"reportErrors": 1}, "", ["request/reportErrors: integer, not boolean"]),
        (BATCH, {"reportErrors": None}, "", ["request/reportErrors: null"]),
        (BATCH, {"other": 1}, "", ["request/other: unknown"]),
        (
            BATCH,
            {"values": [{"columns": {"a": "Float"}}]},
            "",
            ["request/values[]/columns/{}: 'Float' is not in the enumeration"],
        ),
        (
            BATCH,
            {"values": [{"value": [ROW | {"createdUtc": "yesterday"}]}]},
            "",
            ["request/values[]/value[]/createdUtc: string, not date-time"],
        ),
        (RUNS, {"runs": [{"runId": "r", "tags": {"a": None}}]}, "", ["request/runs[]/tags/{}: null"]),
        (RUNS, {"runs": [{"hidden": "yes"}]}, "", ["request/runs[]/hidden: string, not boolean"]),
        (RUNS, [], "", ["request: list, not an object"]),
        (RUNS, None, "", []),
        (REGISTER, None, "", ["request: missing"]),
        (REGISTER, {"path": "a", "origin": "o"}, "", ["request/container: missing"]),
        (CHILDREN, None, "$top=5&$ContinuationToken=x", []),
        (CHILDREN, None, "$top=all&top=5", ["query/$top: string, not integer", "query/top: unknown"]),
        (CHILDREN, {}, "", ["request: has a body"]),
        (JOB, {"properties": COMMAND}, VERSION, []),
        (JOB, {"properties": COMMAND}, "", ["query/api-version: missing"]),
        (JOB, {"properties": {"jobType": "None"}}, VERSION, ["request/properties/jobType: 'None' chooses no type"]),
        (
            JOB,
            {"properties": {"jobType": "Command", "environmentId": "e"}},
            VERSION,
            ["request/properties/command: missing"],
        ),
    ],
)
def test_a_request_is_judged(route: tuple[str, str], body: Any, query: str, expected: list[str]) -> None:
    """A wrong kind, an unknown key, a missing one, a word that is none, null, a query's name: each with its place."""
    assert found(route, body, query) == expected


def test_an_answer_is_judged() -> None:
    """Its status, its body, and that an error has the error's form."""
    assert found(CHILDREN, answer='{"value": []}') == []
    assert found(CHILDREN, status=204) == ["204: not among the answers: 200, default"]
    assert found(CHILDREN, answer='{"value": [{"runId": 1}]}') == ["200/value[]/runId: integer, not string"]
    assert found(CHILDREN, status=404, answer='{"error": {"code": 7}}') == ["404/error/code: integer, not string"]
    assert found(CHILDREN, status=0) == []
    assert found(JOBS, answer='{"value": [{"properties": {"jobType": "Command"}}]}') == [
        "200/value[]/properties/command: missing",
        "200/value[]/properties/environmentId: missing",
    ]
