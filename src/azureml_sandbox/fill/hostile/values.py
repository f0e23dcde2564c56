"""Runs whose documents and metrics are odd, as the service is known to answer or as its documents allow. Pure.

Each oddity has one run, named after it, so that a failing test says which one it was. Values beyond the service's own
limits are here on purpose: such values were recorded (tags of 4 kB on sweeps), and a copier meets them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from azureml_sandbox import instants
from azureml_sandbox.fill.hostile.make import BEGIN, archived_home, home, made, rows, scalar
from azureml_sandbox.fill.sample_jobs import job_document
from azureml_sandbox.fill.sample_runs import SampledFile, SampledRun, finished
from azureml_sandbox.guids import stable_guid
from azureml_sandbox.world import RUN_ORIGIN, Document, Series, Workspace

TABLE = "azureml.v1.table"
"""The `uxMetricType` of azureml-core's `log_table`, whose rows have columns of several types."""


def odd_values(seed: int, workspace: Workspace) -> Iterator[SampledRun]:
    """The runs with odd documents and metrics, parents first."""
    for number, (name, make) in enumerate(_ODDITIES.items()):
        each = make(made(seed, name, number))
        if name in _JOBS:
            each = replace(each, job=job_document(workspace, each.run, "command", home(seed)["name"]))
        yield replace(each, oddity=make.__doc__ or "", omissions=_OMITTED.get(name, ()))
    yield from _reused(seed)
    yield _archived(seed)


def _not_finite(run: Document) -> SampledRun:
    """NaN and infinities travel as strings; -0.0 and the smallest double as numbers."""
    values = ["NaN", "Infinity", "-Infinity", -0.0, 5e-324, 1.7976931348623157e308]
    return SampledRun(run, series=[scalar(run, "odd", [(step, step, value) for step, value in enumerate(values)])])


def _steps(run: Document) -> SampledRun:
    """Rows without a step, with equal step and time (and equal or other value), negative, huge, out of order."""
    values = [(None, 5, 0.5), (0, 5, 0.5), (0, 5, 0.5), (0, 5, 0.25), (7, 4, 0.125), (-3, 9, 1.0), (2**53 + 1, 2, 2.0)]
    return SampledRun(run, series=[scalar(run, "loss", values), scalar(run, "unstepped", [(None, 1, 1.0)])])


def _null_tags(run: Document) -> SampledRun:
    """Tags and properties have null values, which the service keeps (recorded)."""
    return SampledRun(
        run | {"tags": {"empty_tag": None, "": "no key", "tag": ""}, "properties": {"empty_property": None}}
    )


def _system_tags(run: Document) -> SampledRun:
    """A sweep's platform configuration has more than 4 kB in one tag (recorded)."""
    tags = {"_aml_system_platform_config": json.dumps({"Definition": "x" * 4_096}), "mine": "keep me"}
    return SampledRun(run | {"tags": tags})


def _many_tags(run: Document) -> SampledRun:
    """75 tags, of which 50 fit."""
    return SampledRun(run | {"tags": {f"tag {number:03}": f"wert {number} ü" for number in range(75)}})


def _many_properties(run: Document) -> SampledRun:
    """76 properties, of which 50 fit; one is 2,000 characters long, and the case of booleans differs."""
    properties = {f"azureml.property.{number}": ("True", "true")[number % 2] for number in range(75)}
    return SampledRun(run | {"properties": properties | {"long": "y" * 2_000}})


def _long_texts(run: Document) -> SampledRun:
    """A display name above 256 characters, a description above 5,000, with markup and a direction override."""
    return SampledRun(run | {"displayName": "Ñandú 🦤 " * 40, "description": "Zeile\n\t<b>&amp;\u202e" * 500})


def _many_metrics(run: Document) -> SampledRun:
    """60 metric names, of which 50 fit; slashes, blanks, emoji in them."""
    names = [*(f"metric/{number:02}" for number in range(58)), "mit Leerzeichen (%)", "völlig 🚀"]
    return SampledRun(run, series=[scalar(run, name, [(0, 1, 0.5)]) for name in names])


def _many_parameters(run: Document) -> SampledRun:
    """255 parameters, of which 200 fit; some are numbers, lists and other JSON, as run history allows."""
    kinds = {"number": 0.1, "flag": True, "list": [1, "a"], "nothing": None, "long": "z" * 600}
    return SampledRun(run | {"parameters": {f"p{number}": str(number) for number in range(250)} | kinds})


def _rich_metrics(run: Document) -> SampledRun:
    """Columns of several types, a file behind one (dataLocation), the same name in two namespaces."""
    columns = {"epoch": "Int", "label": "String", "score": "Double", "ok": "Bool"}
    table = Series(run["dataContainerId"], "table", "", columns, {"uxMetricType": TABLE, "dataLocation": None})
    cells = [{"epoch": 2**40, "label": 'größer, "zitiert"\n', "score": "NaN", "ok": True}]
    cells += [{"epoch": number, "label": "", "score": number / 3, "ok": False} for number in range(3)]
    table_rows = [
        row | {"data": data}
        for row, data in zip(rows(run, "table", [(None, 1, None)] * len(cells)), cells, strict=True)
    ]
    file = {"uxMetricType": "azureml.v1.confusion_matrix", "dataLocation": "aml://artifactId/outputs/matrix.json"}
    matrix = Series(run["dataContainerId"], "matrix", "", {"matrix": "Artifact"}, file)
    drawn = rows(run, "matrix", [(None, 3, f"{RUN_ORIGIN}/{run['dataContainerId']}/outputs/matrix.json")])
    spaced = [scalar(run, "loss", [(0, 2, 0.5)], namespace) for namespace in ("", "validation")]
    content = json.dumps({"schema_type": "confusion_matrix", "schema_version": "v1", "data": {"matrix": [[1]]}})
    return SampledRun(
        run,
        series=[(table, table_rows), (matrix, drawn), *spaced],
        files=[SampledFile("outputs/matrix.json", content.encode())],
    )


def _orphan(run: Document) -> SampledRun:
    """Its parent and its root do not exist."""
    gone = {"parentRunId": f"{run['runId']}-gone", "rootRunId": f"{run['runId']}-gone"}
    return SampledRun(run | gone | {"parentRunUuid": stable_guid("gone"), "rootRunUuid": stable_guid("gone")})


def _running(run: Document) -> SampledRun:
    """The run has not ended: it has a start, no end and no durations."""
    unset = dict.fromkeys(("endTimeUtc", "duration", "computeDuration"))
    counting = {"lastStartTimeUtc": run["startTimeUtc"], "currentComputeTime": "00:00:00"}
    return SampledRun(run | unset | counting | {"status": "Running"}, series=[scalar(run, "loss", [(0, 1, 0.5)])])


def _unset_times(run: Document) -> SampledRun:
    """Canceled before it began, its end is .NET's "not set"; it has no display name."""
    unset = dict.fromkeys(("startTimeUtc", "duration", "computeDuration", "displayName"))
    return SampledRun(run | unset | {"status": "Canceled", "endTimeUtc": instants.UNSET})


def _reused(seed: int) -> Iterator[SampledRun]:
    """A pipeline whose second step never ran and shows the first step's metrics and files."""
    pipeline = made(seed, "pipeline", 40) | {"runType": "azureml.PipelineRun"}
    ran = made(seed, "step-that-ran", 41, pipeline) | {"runType": "azureml.StepRun"}
    again = finished(made(seed, "step-reused", 42, pipeline), "Completed", BEGIN, BEGIN) | {
        "runType": "azureml.StepRun",
        "dataContainerId": ran["dataContainerId"],
        "properties": {
            "azureml.isreused": "true",
            "azureml.reusedrunid": ran["runId"],
            "azureml.reusedpipelinerunid": pipeline["runId"],
        },
    }
    yield SampledRun(pipeline)
    yield SampledRun(
        ran, series=[scalar(ran, "loss", [(0, 1, 0.5)])], files=[SampledFile("outputs/model.bin", b"once")]
    )
    yield SampledRun(again, oddity="A reused step: metrics and files are another run's.", omissions=["dataContainerId"])


def _archived(seed: int) -> SampledRun:
    """Hidden, in an experiment that is archived too."""
    run = made(seed, "archived", 43)
    return SampledRun(
        run | {"hidden": True, "experimentId": archived_home(seed)["experimentId"]},
        oddity="Hidden, in an archived experiment.",
    )


_ODDITIES: Mapping[str, Callable[[Document], SampledRun]] = {
    "not-finite": _not_finite,
    "steps": _steps,
    "null-tags": _null_tags,
    "system-tags": _system_tags,
    "many-tags": _many_tags,
    "many-properties": _many_properties,
    "long-texts": _long_texts,
    "many-metrics": _many_metrics,
    "many-parameters": _many_parameters,
    "rich-metrics": _rich_metrics,
    "orphan": _orphan,
    "running": _running,
    "unset-times": _unset_times,
}
_JOBS = frozenset({"system-tags"})
"""The runs that ARM saw submitted."""
_OMITTED: Mapping[str, Sequence[str]] = {
    "system-tags": ["tags"],
    "many-tags": ["tags"],
    "many-properties": ["properties"],
    "long-texts": ["displayName", "description"],
    "many-metrics": ["metrics"],
    "many-parameters": ["parameters"],
    "rich-metrics": ["metrics"],
    "orphan": ["parentRunId"],
    "running": ["run"],
}
"""What a target with the documented limits cannot have of each run: keys of the run, `metrics`, `job`, `file PATH`, or
`run` where the run has not ended. The copier chooses which tags, properties, parameters and metric names are left out
beyond a limit."""
