"""Bodies that a server reads whole, or none: it answers 200 either way."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from azureml_replay import json_text
from azureml_replay.comparison.runs import compare_runs
from azureml_replay.errors import Rejected
from azureml_replay.instants import Instant
from azureml_replay.mlflow.place import mlflow_place
from azureml_replay.mlflow.wire import decode, encode
from azureml_replay.mlflow.wire.ours import as_written
from azureml_replay.model import Points, Run, RunId, Series, SeriesKey
from azureml_replay.planning.plan import plan_unit
from azureml_replay.workspace.profile import MLFLOW
from unit.families import Family
from unit.planning.test_any_run import runs

RUN = RunId("0" * 32)
LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),))
TIME = 1_700_000_000_000 * 10_000
PROFILE = replace(MLFLOW, ref=mlflow_place("http://127.0.0.1:5000"))


def rows_of(*rows: Any) -> list[Mapping[str, Any]]:
    """As they go over the wire."""
    bodies = list(encode.rows(RUN, [Points.of(LOSS, list(rows))]))
    return [metric for body in bodies for metric in json.loads(json_text.dumps(body))["metrics"]]


@pytest.mark.parametrize(
    ("value", "there"),
    [(0.1, 0.1), (5e-324, 5e-324), (3, 3.0), (math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")],
)
def test_each_value_is_a_number_or_one_of_three_words(value: float, there: object) -> None:
    """Never a bare NaN, which a server takes for 0.0; never null, as orjson would write it."""
    (metric,) = rows_of((7, TIME, (value,)))

    assert metric == {"key": "loss", "value": there, "timestamp": 1_700_000_000_000, "step": 7}


@pytest.mark.parametrize(
    "row",
    [(2**63, TIME, (1.0,)), (1.5, TIME, (1.0,)), (True, TIME, (1.0,)), (0, TIME, ("nan",)), (0, TIME, (10**400,))],
)
def test_what_would_cut_a_request_is_refused_here(row: Any) -> None:
    """A refusal of the item, as a server's own would be."""
    with pytest.raises(Rejected) as refused:
        rows_of(row)
    assert refused.value.status == 400


@pytest.mark.parametrize("text", ["a\0b", "half \ud83d", 5, None, 1.5])
def test_texts_are_texts(text: Any) -> None:
    """Without NUL, on which PostgreSQL fails for ever, and without halves of surrogate pairs."""
    for wanted in ({text: "v"}, {"k": text}):
        if wanted == {"k": None}:
            continue
        with pytest.raises(Rejected):
            list(encode.batches(RUN, wanted))


def test_equal_rows_go_once_and_long_names_in_several_requests() -> None:
    """A NaN that is twice in a request is refused by servers up to 3.1."""
    assert len(rows_of((1, TIME, (math.nan,)), (1, TIME + 9_999, (math.nan,)), (1, TIME, (0.0,)))) == 2
    name = "漢" * 250
    long = Series(key=SeriesKey(name), columns=((name, "Double"),))
    points = Points.of(long, [(step, TIME, (1.0,)) for step in range(1_000)])
    bodies = list(encode.rows(RUN, [points] * 2))

    assert sum(len(body["metrics"]) for body in bodies) == 1_000
    assert all(len(json_text.dumps(body)) < 1_000_000 for body in bodies)


def test_a_request_has_a_hundred_pairs_at_most() -> None:
    """Tags and parameters together where both are few; by their bytes where they are long."""
    few = list(encode.batches(RUN, {"t": "1"}, {"p": "2"}))
    many = list(encode.batches(RUN, {str(at): "x" * 8_000 for at in range(250)}, {str(at): at for at in range(150)}))

    assert few == [{"run_id": RUN, "params": [{"key": "p", "value": "2"}], "tags": [{"key": "t", "value": "1"}]}]
    assert [len(body.get("tags", body.get("params", ()))) for body in many] == [100, 50, 100, 100, 50]
    wide = list(encode.batches(RUN, {str(at): "漢" * 5_000 for at in range(100)}))
    assert sum(len(body["tags"]) for body in wide) == 100
    assert all(len(json_text.dumps(body)) < 1_000_000 for body in wide)


def served(run: Run, parent: str | None) -> Run:
    """The run as a server answers it, once all of it was written; made and ended by the bodies that go."""
    wanted = replace(run, id=RUN, parent=RunId(parent) if parent else None)
    made = json.loads(json_text.dumps(encode.created_run("1", wanted)))
    tags = {one["key"]: one["value"] for one in made["tags"]}
    parameters: dict[str, str] = {}
    for body in encode.batches(RUN, encode.ending_tags(wanted), wanted.parameters):
        tags |= {one["key"]: one["value"] for one in json.loads(json_text.dumps(body)).get("tags", ())}
        parameters |= {one["key"]: one["value"] for one in body.get("params", ())}
    end = encode.ended_run(wanted)
    info = {
        "run_id": RUN,
        "experiment_id": "1",
        "run_name": made["run_name"],
        "status": end["status"],
        "start_time": made.get("start_time", 0),
        **({"end_time": end["end_time"]} if end.get("end_time") else {}),
        "lifecycle_stage": "deleted" if wanted.hidden else "active",
    }
    data = {
        name: [{"key": key, "value": value} for key, value in some.items()]
        for name, some in (("tags", tags), ("params", parameters))
    }
    sets = encode.inputs(RUN, wanted)
    document = {"run": {"info": info, "data": data, "inputs": {"dataset_inputs": sets["datasets"] if sets else []}}}
    return as_written(decode.run(document, {"1": wanted.experiment}).run)


@settings(deadline=None)
@given(runs("root", None), runs("child", "root"))
def test_any_run_comes_back_as_it_was_planned(root: Run, child: Run) -> None:
    """Whatever a workspace may hold of a run: what the plan says is what is written and read."""
    family = Family([root, child])
    for step in plan_unit(family, root.id, profile=PROFILE):
        wanted = replace(step.run, id=RUN, parent=RunId("1" * 32) if step.run.parent else None)
        found = served(step.run, wanted.parent)

        assert list(compare_runs(wanted, found)) == []


def test_times_before_1970_and_a_status_of_no_name_come_back() -> None:
    """By a tag beside the server's word, until that says another one."""
    run = Run(
        id=RUN,
        experiment="e",
        status="Paused",
        start=Instant(-10_000),
        display_name="n",
        tags={"azureml_replay_source": "x"},
    )
    paused = served(run, None)

    assert (paused.status, paused.start) == ("Paused", Instant(-10_000))
    assert (
        as_written(replace(paused, status="Completed", tags={**run.tags, "azureml_replay.status": "Paused"})).status
        == "Completed"
    )


def test_a_run_that_somebody_restored_in_a_deleted_experiment_shows() -> None:
    """A server deletes all runs with their experiment: which of them were hidden by themselves, a tag tells."""
    hidden = Run(id=RUN, hidden=True, tags={"azureml_replay_source": "x", "azureml_replay.hidden": "yes"})
    seen = replace(hidden, tags={"azureml_replay_source": "x"})
    restored = replace(hidden, hidden=False)

    assert [as_written(one, archived=True).hidden for one in (hidden, seen, restored)] == [True, False, False]


def test_values_go_with_rows_where_one_request_takes_both() -> None:
    """1,000 items of all kinds together; else by requests of their own."""
    wanted = Run(id=RUN, tags={"a": "b"}, parameters={"lr": 0.1})
    few, many = (Points.of(LOSS, [(step, TIME, (1.0,)) for step in range(count)]) for count in (3, 999))

    (together,) = encode.rows_and_values([few], wanted)
    apart = list(encode.rows_and_values([many], wanted))

    assert {name: len(together[name]) for name in ("metrics", "params", "tags")} == {
        "metrics": 3,
        "params": 1,
        "tags": 1,
    }
    assert [sorted(body) for body in apart] == [["params", "run_id", "tags"], ["metrics", "run_id"]]
