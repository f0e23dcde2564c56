"""Any run and any metric, planned, written in the words of the wire, held by the sandbox's rules and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from azureml_replay.azure.wire import decode, decode_metrics, encode
from azureml_replay.comparison.rows import identity
from azureml_replay.comparison.runs import compare_runs
from azureml_replay.comparison.shown import shown
from azureml_replay.instants import Instant
from azureml_replay.model import AssetReference, Points, Run, RunId, Series, SeriesKey
from azureml_replay.planning import lineage
from azureml_replay.planning.plan import Step, plan_unit
from azureml_sandbox import instants
from azureml_sandbox.history import run_document, run_events
from azureml_sandbox.metrics import metric_rows
from unit.families import Family

USER: Mapping[str, Any] = {"userObjectId": "u", "userName": "Ada"}
NOW = instants.parse("2024-05-06T07:08:09.1234567+00:00")
PLACE = ("e", "experiment-id")

CHARACTERS = st.characters(exclude_categories=["Cs"])
SHORT = st.text(CHARACTERS, max_size=6)
LONG = st.tuples(st.sampled_from("äx"), st.integers(90, 6_000)).map(lambda made: made[0] * made[1])
TEXT = SHORT | LONG
KEY = SHORT.filter(lambda key: key not in ("CancelUri", lineage.TAG, lineage.PROPERTY))
PAIRS = st.dictionaries(KEY | LONG, st.none() | TEXT, max_size=5)
MANY = st.integers(0, 60).map(lambda count: {f"_aml_system_{number}": str(number) for number in range(count)})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | SHORT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SHORT, inner, max_size=3),
    max_leaves=4,
)
PARAMETERS = st.dictionaries(KEY, JSON, max_size=4) | st.integers(195, 205).map(
    lambda count: {f"p{number}": number for number in range(count)}
)
TICKS = st.integers(instants.parse("1970-01-01T00:00:00Z"), instants.parse("2100-01-01T00:00:00Z"))
TIMES = st.none() | TICKS.map(Instant)
ASSETS = st.dictionaries(KEY, st.builds(AssetReference, SHORT, st.none() | SHORT), max_size=2)
SAVED = st.fixed_dictionaries({}, optional={"savedId": SHORT, "registeredId": st.none() | SHORT})
DATASETS = st.none() | st.lists(st.fixed_dictionaries({"identifier": SAVED}), min_size=1, max_size=2)
MANY_DATASETS = st.integers(18, 205).map(lambda count: [{"identifier": {"savedId": str(at)}} for at in range(count)])
ERRORS = st.none() | st.fixed_dictionaries({"code": st.none() | SHORT, "message": st.none() | TEXT})
ORIGINS = st.none() | st.fixed_dictionaries(
    {}, optional={"time": TIMES.filter(bool).map(str), "componentName": SHORT, "correlation": st.just({"request": "r"})}
)

ADDED = {"tag": {lineage.TAG}, "property": {lineage.PROPERTY}}


@st.composite
def runs(draw: st.DrawFn, name: str, parent: str | None) -> Run:
    """Whatever the service may answer of a run, its limits broken too."""
    return Run(
        id=RunId(name),
        parent=RunId(parent) if parent else None,
        experiment=PLACE[0],
        status=draw(st.sampled_from(sorted(run_document.STATUSES))),
        start=draw(TIMES),
        end=draw(TIMES),
        display_name=draw(st.none() | TEXT),
        description=draw(st.none() | TEXT),
        tags={**draw(PAIRS), **draw(MANY)},
        properties={**draw(PAIRS), **draw(MANY)},
        parameters=draw(PARAMETERS),
        inputs=draw(ASSETS),
        outputs=draw(ASSETS),
        input_datasets=draw(DATASETS | MANY_DATASETS),
        output_datasets=draw(DATASETS | MANY_DATASETS),
        hidden=draw(st.booleans()),
        error=(error := draw(ERRORS)),
        error_origin=draw(ORIGINS) if error else None,
    )


class Service:
    """The sandbox's rules for runs, without its doors."""

    def __init__(self) -> None:
        self.runs: dict[str, Any] = {}

    def written(self, body: encode.Body) -> None:
        """PATCH batch/runs."""
        for change in wire(body)["runs"]:
            run_id, parent = change["runId"], change.get("parentRunId")
            stored = self.runs.get(run_id)
            if stored is None:
                above = self.runs[parent] if parent else None
                stored = run_document.new(run_id, PLACE[1], dict(USER), NOW, above)
            self.runs[run_id] = run_document.modified(stored, change, dict(USER), NOW)

    def told(self, body: encode.Body) -> None:
        """POST batch/events."""
        for one in wire(body)["events"]:
            run_id = run_events.subject(one)
            assert run_id is not None
            self.runs[run_id] = run_events.after_event(self.runs[run_id], one, dict(USER), NOW)

    def read(self, run: RunId) -> Run:
        """What rundata answers of it."""
        return decode.run(wire(self.runs[run]), PLACE[0])


def wire(document: Any) -> Any:
    """As it arrives."""
    return orjson.loads(orjson.dumps(document))


def replayed(steps: list[Step]) -> list[Run]:
    """In the order of replay: all runs, parents first, then their ends."""
    service, planned = Service(), [step.run for step in steps]
    for run in planned:
        service.written(encode.create_runs([run]))
    service.told(encode.finish_events(planned, Instant(NOW)))
    service.written(encode.finish_states(planned))
    return [service.read(run.id) for run in planned]


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(runs("root", None), runs("child", "root"))
def test_a_run_arrives_whole_or_without_what_was_planned(root: Run, child: Run) -> None:
    """No request is refused; what is read back is what was planned, and differs from the source as listed."""
    steps = list(plan_unit(Family([root, child]), root.id))

    for original, step, back in zip((root, child), steps, replayed(steps), strict=True):
        assert list(compare_runs(step.run, back)) == []
        added = {lineage.TAG, lineage.PROPERTY}
        differing = {
            finding.what for finding in compare_runs(original, back, ignored=dict.fromkeys(("tag", "property"), added))
        }
        listed = {shown(omission.what.removeprefix("text ")) for omission in step.omissions}
        event(f"omissions: {bool(listed)}")
        assert differing == listed


@given(runs("orphan", "gone"))
def test_a_parent_that_is_gone_is_listed(run: Run) -> None:
    """The run becomes a root."""
    nothing: dict[str, Any] = {"error": None, "error_origin": None}
    bare = replace(run, **nothing, tags={}, properties={}, parameters={}, display_name=None, description=None)
    bare = replace(bare, input_datasets=None, output_datasets=None)

    (step,) = plan_unit(Family([bare]), bare.id)
    (back,) = replayed([step])

    assert [finding.what for finding in compare_runs(bare, back, ignored=ADDED)] == ["parent"]
    assert [omission.what for omission in step.omissions] == ["parent gone"]


CELLS: Mapping[str, st.SearchStrategy[Any]] = {
    "Double": st.floats(),
    "Int": st.integers(-(2**63), 2**63 - 1),
    "Bool": st.booleans(),
    "String": st.text(CHARACTERS, max_size=255),
}
STEPS = st.none() | st.integers(-(2**63), 2**63 - 1)


@st.composite
def series_with_rows(draw: st.DrawFn) -> Points:
    """One request's worth: columns of any type, steps and times of any kind, rows that repeat."""
    columns = tuple(draw(st.dictionaries(SHORT, st.sampled_from(sorted(CELLS)), min_size=1, max_size=4)).items())
    row = st.tuples(STEPS, TICKS, st.tuples(*(CELLS[kind] for _, kind in columns)))
    key = SeriesKey(draw(SHORT.filter(bool)), draw(st.none() | SHORT.filter(bool)))
    series = Series(key=key, columns=columns, ux_type=draw(st.none() | SHORT), schema_id=draw(st.none() | SHORT))
    rows = draw(st.lists(row, min_size=1, max_size=6))
    return Points.of(series, [*rows, rows[0]])


@given(series_with_rows())
def test_any_rows_arrive_to_the_bit(points: Points) -> None:
    """Through the sandbox's rules for metrics: NaN, infinities, -0.0, no step, 64-bit integers, columns in order."""
    body, _ = encode.metric_batch(RunId("r"), [points])
    (metric,) = wire(body)["values"]
    held = metric_rows.series(metric, "dcid.r")
    answer = {
        "name": held.name,
        "namespace": held.namespace or None,
        "columns": held.columns,
        "properties": held.properties,
        "standardSchemaId": held.standard_schema_id,
        "value": metric_rows.rows(metric, held.columns, NOW),
    }

    back = decode_metrics.rows(wire(answer))

    kinds = [kind for _, kind in points.series.columns]
    drawn = points.series.ux_type or back.series.ux_type  # a service gives scalars their type
    assert back.series == replace(points.series, ux_type=drawn)
    assert [identity(row, kinds) for row in back.rows] == [identity(row, kinds) for row in points.rows()]
