"""What a report says was refused takes nothing else along: neither other values, nor more points than it says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from azureml_replay.model import Row, Run, RunId
from azureml_replay.synthetic.expected import expected_of
from azureml_replay.synthetic.refused import RefusedRows, RefusedValue, RefusedValues, _values, progress_of
from azureml_replay.synthetic.step.points import StepProgress
from unit.families import Family, a_run

ROWS: list[Row] = [(step, 10_000 * step, (float(step),)) for step in range(5)]


def refused(*steps: int, name: str = "loss") -> list[RefusedValue]:
    return [RefusedValue("metric", name, "no", (step, step, float(step).hex())) for step in steps]


@pytest.mark.parametrize(
    ("values", "there", "left", "told"),
    [
        ([], [], [0, 1, 2, 3, 4], []),
        (refused(1, 3), [0, 2, 4], [0, 2, 4], [("metric loss: 2 rows", "no")]),
        (refused(1, 3), [0, 2], [0, 2, 4], [("metric loss: 2 rows", "no")]),
        (refused(1), [0, 1, 2, 3, 4], [0, 1, 2, 3, 4], []),
        (refused(1, name="other"), [0, 2, 3, 4], [0, 1, 2, 3, 4], []),
        ([RefusedValue("points", "", "then", count=2)], [0, 1], [0, 1, 4], [("metric loss: 2 rows", "then")]),
        (
            [*refused(4), RefusedValue("points", "", "then", count=1)],
            [0, 1],
            [0, 1, 3],
            [("metric loss: 2 rows", "no")],
        ),
    ],
)
def test_rows_are_left_out_that_were_refused_and_are_not_there(
    values: list[RefusedValue], there: list[int], left: list[int], told: list[tuple[str, str]]
) -> None:
    """One that is there is expected, one that lacks and was not refused too; unnamed ones as many as were counted."""
    rows = RefusedRows(RefusedValues(values))

    kept = rows.left("loss", ROWS, [ROWS[step] for step in there])

    assert [step for step, _, _ in kept] == left
    assert rows.omissions == told


def test_values_that_are_there_are_expected() -> None:
    """Somebody may have written them since; one that was not refused is never left out."""
    family = Family([a_run("r", description="d", tags={"a": "1", "b": "2"}, parameters={"p": "1", "q": "2"})])
    (wanted,) = expected_of(family.tree())
    told = [
        ("tag", "a"),
        ("tag", "b"),
        ("parameter", "p"),
        ("parameter", "q"),
        ("text", "description"),
        ("tag", "none"),
    ]
    values = RefusedValues([RefusedValue(kind, name, "no") for kind, name in told])
    bare = Run(id=RunId("x"), display_name=wanted.display_name)

    less, lost = values.without(wanted, bare)
    some, few = values.without(wanted, replace(bare, tags={"a": "1"}, parameters={"p": "1"}, description="d"))
    same, none = RefusedValues().without(wanted, bare)

    assert sorted(one.what for one in lost) == ["description", "parameter p", "parameter q", "tag a", "tag b"]
    assert {one.reason for one in lost} == {"the target refused it: no"}
    assert less.step is not None
    assert (less.description, {*wanted.tags} - {*less.tags}, less.step.run.parameters) == (None, {"a", "b"}, {})
    assert sorted(one.what for one in few) == ["parameter q", "tag b"]
    assert some.step is not None
    assert (some.description, some.tags["a"], some.step.run.parameters) == ("d", "1", {"p": "1"})
    assert (same, none) == (wanted, [])


@pytest.mark.parametrize(
    "said",
    [None, 5, "x", {}, [5], [{}], [{"kind": "tag"}], [{"kind": "tag", "name": 5, "reason": "x"}], [{"kind": []}],
     [{"kind": "metric", "name": "m", "reason": "x", "timestamp": "y", "value": 1}],
     [{"kind": "metric", "name": "m", "reason": "x", "timestamp": 1, "value": "four"}],
     [{"kind": "points", "reason": "x", "count": "many"}], [{"kind": "", "what": "values of run r", "reason": "x"}],
     [{"kind": "everything", "name": "x", "reason": "y"}]],
    ids=range(14),
)  # fmt: skip
def test_a_report_of_an_unforeseen_form_excuses_nothing(said: Any) -> None:
    """Anybody may have written it."""
    assert list(_values(said)) == []


def test_what_the_ledger_keeps_comes_back() -> None:
    values = [*refused(1), RefusedValue("tag", "a", "no"), RefusedValue("points", "", "then", count=3)]

    assert list(_values(json.loads(json.dumps([one.document() for one in values])))) == values


@pytest.mark.parametrize("tag", ["", "x", "1 refused x", "many"])
def test_progress_that_somebody_edited_is_none(tag: str) -> None:
    assert progress_of(tag) == StepProgress(0)
