"""What servers answer, and what they might: nothing that is stored is read as something else."""

from __future__ import annotations

import math
from typing import Any

import pytest

from azureml_replay.errors import Rejected
from azureml_replay.instants import Instant
from azureml_replay.mlflow.wire import decode
from azureml_replay.model import Run

NAMES = {"1": "first"}
INFO = {"run_id": "a" * 32, "experiment_id": "1", "status": "FINISHED", "start_time": 1_700_000_000_123}


def run(info: dict[str, Any] | None = None, **parts: Any) -> Run:
    """The run of a document."""
    ((found,), _) = decode.runs({"runs": [{"info": INFO | (info or {}), **parts}]}, NAMES)
    return found.run


def pairs(**values: str) -> list[dict[str, str]]:
    """As servers list them."""
    return [{"key": key, "value": value} for key, value in values.items()]


def test_a_run_is_read_as_it_stands() -> None:
    """Times in milliseconds; what MLflow keeps in tags of its own becomes what it means."""
    tags = {
        "mlflow.runName": "shown",
        "mlflow.note.content": "a note",
        "mlflow.parentRunId": "b" * 32,
        "mlflow.user": "bob",
        "own": "1",
    }
    found = run({"run_name": "shown", "end_time": 1_700_000_000_456, "user_id": "ann"}, data={"tags": pairs(**tags)})

    assert (found.start, found.end, found.created) == (
        Instant(17_000_000_001_230_000),
        Instant(17_000_000_004_560_000),
        Instant(17_000_000_001_230_000),
    )
    assert (found.experiment, found.status, found.display_name, found.description) == (
        "first",
        "Completed",
        "shown",
        "a note",
    )
    assert (found.parent, found.creator) == ("b" * 32, "ann")
    assert found.tags == {"mlflow.parentRunId": "b" * 32, "mlflow.user": "bob", "own": "1"}
    assert [one.key for one in found.references] == ["mlflow.parentRunId"]
    assert found.unknown == ()


@pytest.mark.parametrize(
    ("info", "tags", "field", "value"),
    [
        ({"start_time": 0}, {}, "start", None),
        ({"end_time": 0}, {}, "end", None),
        ({"start_time": -1}, {}, "start", Instant(-10_000)),
        ({"status": "NEW"}, {}, "status", "NEW"),
        ({"lifecycle_stage": "deleted"}, {}, "hidden", True),
        ({}, {"mlflow.parentRunId": "a" * 32}, "parent", None),
        ({}, {"mlflow.parentRunId": "any text"}, "parent", "any text"),
        ({}, {"mlflow.runName": "by tag"}, "display_name", "by tag"),
        ({}, {"mlflow.user": "bob"}, "creator", "bob"),
        ({"experiment_id": "9"}, {}, "experiment", ""),
    ],
)
def test_what_servers_take(info: dict[str, Any], tags: dict[str, str], field: str, value: object) -> None:
    """A zero stands for no time; a run may name itself, or anything, as its parent."""
    assert getattr(run(info, data={"tags": pairs(**tags)}), field) == value


def test_what_is_new_or_unreadable_is_named() -> None:
    """It is counted, and stops nothing."""
    found = run({"end_time": 2**63 - 1, "mood": "good"}, data={"spans": []}, future={"a": 1})

    assert found.end is None
    assert found.unknown == ("future", "info mood", "data spans", "unreadable end_time")
    with pytest.raises(Rejected):
        decode.runs({"runs": [{"data": {}}]}, NAMES)


def test_values_are_told_by_names_that_may_be_secret() -> None:
    """In a list of pairs nobody could say which value is a password's; the document has them by name."""
    found = run(data={"tags": pairs(password="x"), "params": pairs(api_key="y"), "metrics": []})

    assert found.document["tags"] == {"password": "x"}  # type: ignore[call-overload,index]
    assert found.document["parameters"] == {"api_key": "y"}  # type: ignore[call-overload,index]
    assert "data" not in found.document  # type: ignore[operator]


def test_rows_keep_every_bit() -> None:
    """NaN is a text from one route and bare from another; a time beyond the calendar is none."""
    alone = b'{"metrics": [{"key": "m", "value": "NaN", "timestamp": 1, "step": -5}]}'
    rows, token = decode.history(decode.loaded(alone))
    bulk = b'{"metrics": [{"key": "m", "run_id": "a", "value": NaN, "timestamp": 1, "step": -5}]}'

    assert token is None
    assert [(step, ticks) for step, ticks, _ in rows] == [(-5, 10_000)]
    assert all(math.isnan(values[0]) for _, _, values in [*rows, *decode.histories(decode.loaded(bulk))["a"]])  # type: ignore[index,arg-type]
    far, _ = decode.history({"metrics": [{"key": "m", "value": 5e-324, "timestamp": 2**63 - 1, "step": 2**63 - 1}]})
    assert list(far) == [(2**63 - 1, None, (5e-324,))]
    assert decode.as_read(decode.scalar("m"), far).unknown == ("row timestamp",)
    assert decode.history({}) == ([], None)
    with pytest.raises(ValueError, match="Expecting value"):
        decode.loaded(b"<html>")


def test_rows_of_one_moment_have_an_order() -> None:
    """The same from both routes: an archive of them is the same."""
    rows = [(1, 0, (math.nan,)), (1, 0, (2.0,)), (0, 0, (3.0,)), (1, 0, (1.0,)), (5, None, (0.0,))]

    assert [row[:2] for row in sorted(rows, key=decode.in_order)] == [(0, 0), (1, 0), (1, 0), (1, 0), (5, None)]
    assert [row[2] for row in sorted(rows[:4], key=decode.in_order)][:3] == [(3.0,), (1.0,), (2.0,)]


@pytest.mark.parametrize("path", ["a#b", "p%41.txt", "100%25", "tab\there", "new\nline"])
def test_files_that_no_server_gives_are_told_by_name(path: str) -> None:
    """Tried on four versions: asking would end in a failure of the server."""
    assert decode.why_unreadable(path)


@pytest.mark.parametrize(
    "path", ["100%", "pct%zz", "日本/é😀", "a b?&=+;'", ".hidden", "a..b/..c", 'q"<>*:~', "back\\slash"]
)
def test_all_others_are_given(path: str) -> None:
    """The same four versions gave their bytes."""
    assert decode.why_unreadable(path) is None


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"}', "RESOURCE_DOES_NOT_EXIST", "no"),
        (b"<html><title>502 Bad Gateway</title></html>", "", "502 Bad Gateway"),
        (b"Permission denied", "", "Permission denied"),
        (b"", "", ""),
        (b"[]", "", ""),
    ],
)
def test_a_refusal_is_read_in_any_form(body: bytes, code: str, message: str) -> None:
    """A server's own, or a page of what stands before it."""
    found = decode.problem(body)

    assert (found.code, found.message) == (code, message)
