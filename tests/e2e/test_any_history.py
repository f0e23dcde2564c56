"""Any history, really: through a running sandbox, by the product's own doors, and read back behind the service's."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.wire import decode
from azureml_replay.comparison.rows import identity
from azureml_replay.comparison.runs import compare_runs
from azureml_replay.comparison.shown import shown
from azureml_replay.instants import Instant
from azureml_replay.model import Points, Run
from azureml_replay.planning import lineage
from azureml_replay.planning.plan import plan
from azureml_replay.redact import redact
from azureml_replay.selection import Selection
from azureml_replay.verbs import MigrateOptions
from azureml_replay.workspace.profile import CREATED
from azureml_sandbox import instants
from azureml_sandbox.fill.sample_runs import empty_run, experiment
from azureml_sandbox.protocol import errors
from azureml_sandbox.server.sandbox import Sandbox
from azureml_sandbox.world import Document
from azureml_sandbox.world import Series as Held_Series
from e2e.library import migrated
from e2e.tampering import BEGIN, Held, change
from unit.planning.test_any_run import PLACE, runs, series_with_rows

ADDED = {"tag": {lineage.TAG}, "property": {lineage.PROPERTY}}


@dataclass(frozen=True)
class History:
    """A family, and what its root logged."""

    runs: Sequence[Run]
    logged: Sequence[Points]


@st.composite
def histories(draw: st.DrawFn) -> History:
    """A root and its children: limits broken, every kind of cell, rows that repeat; nothing that looks secret."""
    count = draw(st.integers(1, 3))
    family = [draw(runs(f"r{at}", "r0" if at else None).filter(is_plain)) for at in range(count)]
    logged = draw(st.lists(series_with_rows(), max_size=3, unique_by=lambda points: points.series.key))
    return History(family, logged)


def is_plain(run: Run) -> bool:
    """Redaction has tests of its own."""
    told = (run.tags, run.properties, run.parameters, run.input_datasets, run.output_datasets, run.error)
    return redact([*told, run.display_name, run.description])[1] == []


def document(run: Run, home: str, parent: Document | None) -> Document:
    """As run history keeps it."""
    return empty_run(run.id, home, BEGIN, parent) | {
        "status": run.status,
        "startTimeUtc": run.start and str(run.start),
        "endTimeUtc": run.end and str(run.end),
        "displayName": run.display_name,
        "description": run.description,
        "tags": run.tags,
        "properties": run.properties,
        "parameters": run.parameters,
        "inputs": {name: {"assetId": it.asset_id, "type": it.type} for name, it in run.inputs.items()},
        "outputs": {name: {"assetId": it.asset_id, "type": it.type} for name, it in run.outputs.items()},
        "inputDatasets": run.input_datasets or [],
        "outputDatasets": run.output_datasets or [],
        "hidden": run.hidden,
        "error": envelope(run),
    }


def envelope(run: Run) -> Document | None:
    """What, when and where."""
    if not isinstance(run.error, dict) or not isinstance(run.error_origin, dict | None):
        return None
    return {"error": errors.error_root(dict(run.error)) | run.error, **(run.error_origin or {})}


def held_series(points: Points) -> tuple[Held_Series, list[Document]]:
    """As the metric service keeps them."""
    series = points.series
    columns = [name for name, _ in series.columns]
    rows = [
        {
            "metricId": str(at),
            "createdUtc": str(Instant(ticks or 0)),
            "step": step,
            "data": dict(zip(columns, map(cell, values), strict=True)),
        }
        for at, (step, ticks, values) in enumerate(points.rows())
    ]
    properties = {"uxMetricType": series.ux_type, "dataLocation": None}
    namespace = series.key.namespace or ""
    held = Held_Series("dcid.r0", series.key.name, namespace, dict(series.columns), properties, series.schema_id, 0)
    return held, rows


def cell(value: Any) -> Any:
    """Numbers that JSON lacks travel as text."""
    if not isinstance(value, float) or value - value == 0.0:
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def write(held: Held, history: History) -> None:
    """Behind the service's back: it would refuse most of it."""
    home = experiment(PLACE[0])
    held.world.experiments.put(held.guid, home)
    root: Document | None = None
    for run in history.runs:
        made = document(run, home["experimentId"], root)
        held.world.runs.put(held.guid, made)
        root = root or made
    for points in history.logged:
        held.world.metrics.append(held.guid, *held_series(points))


def read(held: Held) -> tuple[dict[str, Run], dict[Any, Counter[Any]]]:
    """Runs by id, and rows as a multiset by name and namespace."""
    there = [held.world.runs.get(held.guid, f"r{at}") for at in range(3)]
    found = {one["runId"]: decode.run(one, PLACE[0]) for one in there if one}
    series = held.world.metrics.of_container(held.guid, "dcid.r0")
    rows = {
        (one.name, one.namespace): Counter(
            (row["step"], instants.parse(row["createdUtc"]), identity((0, 0, tuple(row["data"].values()))))
            for _, row in held.world.metrics.rows(held.guid, one)
        )
        for one in series
    }
    return found, rows


def migrate_and_compare(sandbox: Sandbox, folder: Path, history: History) -> None:
    """What arrives is equal, or differs exactly by the omissions that were listed."""
    source, target = sandbox.add_workspace(), sandbox.add_workspace()
    change(sandbox, source, lambda held: write(held, history))

    asked = Selection(include_active=True)
    done = asyncio.run(migrated(source, target, folder, selection=asked, options=MigrateOptions()))

    assert (done.extracted.failed, done.replayed.failed) == ((), ())
    sides: list[Any] = []
    for one in (source, target):
        change(sandbox, one, lambda held: sides.append(read(held)))
    (before, logged), (after, arrived) = sides
    with Archive.open(folder, write=False) as archive:
        assert [finding for there in archive.targets() for finding in archive.ledger(there).findings()] == []
        for step in plan(archive, Selection()):
            listed = {shown(one.what.removeprefix("text ")) for one in step.omissions if "metric" not in one.what}
            sent, there = before[step.source], after[step.source]
            differing = {one.what for one in compare_runs(sent, there, ignored=ADDED)}
            differing |= {CREATED} if sent.created != there.created else set()
            assert differing == listed
            if step.source == "r0":
                over = {(key.name, key.namespace or "") for key in step.overflow_series}
                assert {key: rows for key, rows in logged.items() if key not in over} == arrived


CALM = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],
}
"""Without shrinking: an example takes a second."""


@settings(max_examples=4, **CALM)
@given(history=histories())
def test_any_history_arrives_or_its_omissions_say_why(
    calm: Sandbox, azure_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory, history: History
) -> None:
    """A few examples a time; `make test-all` takes more."""
    migrate_and_compare(calm, tmp_path_factory.mktemp("any") / "archive", history)


@pytest.mark.slow
@settings(max_examples=60, **CALM)
@given(history=histories())
def test_many_histories_arrive_or_their_omissions_say_why(
    calm: Sandbox, azure_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory, history: History
) -> None:
    """As above."""
    migrate_and_compare(calm, tmp_path_factory.mktemp("many") / "archive", history)
