"""Runs with every oddity that the service is known to answer, or that its documents allow. Pure.

One run an oddity, named after it, so that a test that fails says which one it was. What breaks the service's own
limits is here on purpose: such values were recorded (tags of 4 kB on sweeps), and a copier meets them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from azureml_sandbox import instants
from azureml_sandbox.rewriting import stable_guid
from azureml_sandbox.sample_jobs import job_document
from azureml_sandbox.sample_runs import SampledFile, SampledRun, empty_run, experiment, finished, scalar_properties
from azureml_sandbox.world import BLOB_STORE, RUN_ORIGIN, Document, Series, Workspace

_BEGIN = instants.parse("2022-11-30T23:59:59.9999999+00:00")
_BLOB_NAME = 1_024

TABLE = "azureml.v1.table"
"""`uxMetricType` of azureml-core's `log_table`; rows with columns of several types."""


def hostile_experiments(seed: int) -> Sequence[Document]:
    """One to hold them, and one that is archived."""
    return [_home(seed), _archived_home(seed)]


def hostile_runs(seed: int, workspace: Workspace) -> Iterator[SampledRun]:
    """All of them, parents first."""
    for number, (name, make) in enumerate(_ODDITIES.items()):
        run = _run(seed, name, number)
        made = make(run)
        job = job_document(workspace, made.run, "command", _home(seed)["name"]) if name == "system-tags" else None
        yield SampledRun(made.run, job, made.series, made.files)
    yield from _reused(seed)
    yield _archived(seed)
    yield from (_prefixed(seed, name) for name in ("job-1", "job-10"))


def _home(seed: int) -> Document:
    return experiment(f"hostile-{seed}")


def _archived_home(seed: int) -> Document:
    return experiment(f"hostile-{seed}-archived", archived="2023-01-01T00:00:00.5+00:00")


def _run(seed: int, name: str, number: int, parent: Document | None = None) -> Document:
    created = _BEGIN + number * 61 * instants.SECOND
    run = empty_run(f"hostile-{seed}-{name}", _home(seed)["experimentId"], created, parent)
    run |= {"displayName": name, "runType": "azureml.scriptrun"}
    return finished(run, "Completed", created + 1, created + 60 * instants.SECOND + 7)


def _rows(run: Document, column: str, values: Sequence[tuple[int | None, int, object]]) -> list[Document]:
    """(step, milliseconds since the run's creation, value)."""
    start = instants.parse(run["createdUtc"]) // instants.MILLISECOND
    return [
        {
            "metricId": stable_guid(run["runId"], column, position),
            "createdUtc": instants.text((start + later) * instants.MILLISECOND),
            "step": step,
            "data": {column: value},
        }
        for position, (step, later, value) in enumerate(values)
    ]


def _scalar(
    run: Document, name: str, values: Sequence[tuple[int | None, int, object]], namespace: str = ""
) -> tuple[Series, Sequence[Document]]:
    series = Series(run["dataContainerId"], name, namespace, {name: "Double"}, scalar_properties())
    return series, _rows(run, name, values)


def _not_finite(run: Document) -> SampledRun:
    """NaN and infinities travel as strings; -0.0 and the smallest double as numbers."""
    values = ["NaN", "Infinity", "-Infinity", -0.0, 5e-324, 1.7976931348623157e308]
    return SampledRun(run, series=[_scalar(run, "odd", [(step, step, value) for step, value in enumerate(values)])])


def _steps(run: Document) -> SampledRun:
    """No step, the same step and time again (equal value and other), a negative step, a huge one, out of order."""
    values = [(None, 5, 0.5), (0, 5, 0.5), (0, 5, 0.5), (0, 5, 0.25), (7, 4, 0.125), (-3, 9, 1.0), (2**53 + 1, 2, 2.0)]
    return SampledRun(run, series=[_scalar(run, "loss", values), _scalar(run, "unstepped", [(None, 1, 1.0)])])


def _null_tags(run: Document) -> SampledRun:
    """Null values are kept as null (recorded)."""
    return SampledRun(
        run | {"tags": {"empty_tag": None, "": "no key", "tag": ""}, "properties": {"empty_property": None}}
    )


def _system_tags(run: Document) -> SampledRun:
    """A sweep's platform configuration has more than 4 kB in one tag (recorded)."""
    tags = {"_aml_system_platform_config": json.dumps({"Definition": "x" * 4_096}), "mine": "keep me"}
    return SampledRun(run | {"tags": tags})


def _many_tags(run: Document) -> SampledRun:
    return SampledRun(run | {"tags": {f"tag {number:03}": f"wert {number} ü" for number in range(75)}})


def _many_properties(run: Document) -> SampledRun:
    properties = {f"azureml.property.{number}": ("True", "true")[number % 2] for number in range(75)}
    return SampledRun(run | {"properties": properties | {"long": "y" * 2_000}})


def _long_texts(run: Document) -> SampledRun:
    return SampledRun(run | {"displayName": "Ñandú 🦤 " * 40, "description": "Zeile\n\t<b>&amp;\u202e" * 500})


def _many_metrics(run: Document) -> SampledRun:
    names = [*(f"metric/{number:02}" for number in range(58)), "mit Leerzeichen (%)", "völlig 🚀"]
    return SampledRun(run, series=[_scalar(run, name, [(0, 1, 0.5)]) for name in names])


def _many_parameters(run: Document) -> SampledRun:
    """Parameters are any JSON in run history, not only strings."""
    kinds = {"number": 0.1, "flag": True, "list": [1, "a"], "nothing": None, "long": "z" * 600}
    return SampledRun(run | {"parameters": {f"p{number}": str(number) for number in range(250)} | kinds})


def _rich_metrics(run: Document) -> SampledRun:
    """Columns of several types, and the same name in two namespaces."""
    columns = {"epoch": "Int", "label": "String", "score": "Double", "ok": "Bool"}
    table = Series(run["dataContainerId"], "table", "", columns, {"uxMetricType": TABLE, "dataLocation": None})
    cells = [{"epoch": 2**40, "label": 'größer, "zitiert"\n', "score": "NaN", "ok": True}]
    cells += [{"epoch": number, "label": "", "score": number / 3, "ok": False} for number in range(3)]
    rows = [
        row | {"data": data}
        for row, data in zip(_rows(run, "table", [(None, 1, None)] * len(cells)), cells, strict=True)
    ]
    file = {"uxMetricType": "azureml.v1.confusion_matrix", "dataLocation": "aml://artifactId/outputs/matrix.json"}
    matrix = Series(run["dataContainerId"], "matrix", "", {"matrix": "Artifact"}, file)
    drawn = _rows(run, "matrix", [(None, 3, f"{RUN_ORIGIN}/{run['dataContainerId']}/outputs/matrix.json")])
    spaced = [_scalar(run, "loss", [(0, 2, 0.5)], namespace) for namespace in ("", "validation")]
    content = json.dumps({"schema_type": "confusion_matrix", "schema_version": "v1", "data": {"matrix": [[1]]}})
    return SampledRun(
        run,
        series=[(table, rows), (matrix, drawn), *spaced],
        files=[SampledFile("outputs/matrix.json", content.encode())],
    )


def _odd_names(run: Document) -> SampledRun:
    """Legal names that a careless client mangles. `..` stands inside a name, never as a name."""
    room = _BLOB_NAME - len(f"{RUN_ORIGIN}/{run['dataContainerId']}/outputs/")
    names = [
        "a#b.txt",
        "a?b=c.txt",
        "a%41.txt",
        "aA.txt",
        "a//b.txt",
        " a  b .txt",
        "ünï/文件 🚀.txt",
        "a..b",
        "a+b&c;d.txt",
    ]
    paths = [*(f"outputs/{name}" for name in names), "outputs/" + "x" * room, "replay/job.json", "replay/source/a.txt"]
    return SampledRun(run, files=[SampledFile(path, path.encode()) for path in paths])


def _kinds_of_blobs(run: Document) -> SampledRun:
    """Empty files answer a ranged read with 416; append blobs and block lists have no MD5 (all recorded)."""
    return SampledRun(
        run,
        files=[
            SampledFile("outputs/empty.bin", b""),
            SampledFile("logs/azureml/stderrlogs.txt", b"", append=True),
            SampledFile("logs/azureml/executionlogs.txt", b"[2022-12-01T00:00:00Z] line\r\n" * 40, append=True),
            SampledFile("system_logs/lifecycler/lifecycler.log", b"block list\n" * 900, digested=False),
            SampledFile("user_logs/std_log.txt", b"\xff\xfe not text \x00"),
        ],
    )


def _elsewhere(run: Document) -> SampledRun:
    """Registered where it lies, in another datastore than the artifact store (recorded)."""
    blob = f"promptflow/PromptFlowArtifacts/{run['runId']}/instance_results.jsonl"
    return SampledRun(
        run, files=[SampledFile("instance_results.jsonl", b'{"line": 1}\n', datastore=BLOB_STORE, blob=blob)]
    )


def _disagreeing(run: Document) -> SampledRun:
    """The index has an entry without a blob, storage a blob without an entry."""
    return SampledRun(
        run,
        files=[
            SampledFile("outputs/listed_but_gone.bin", None),
            SampledFile("outputs/stored_but_not_listed.bin", b"nobody registered me", indexed=False),
            SampledFile("outputs/agreed.bin", b"both"),
        ],
    )


def _orphan(run: Document) -> SampledRun:
    """Its parent is not there, nor its root."""
    gone = {"parentRunId": f"{run['runId']}-gone", "rootRunId": f"{run['runId']}-gone"}
    return SampledRun(run | gone | {"parentRunUuid": stable_guid("gone"), "rootRunUuid": stable_guid("gone")})


def _running(run: Document) -> SampledRun:
    """Not finished: times without an end, no durations."""
    unset = dict.fromkeys(("endTimeUtc", "duration", "computeDuration"))
    counting = {"lastStartTimeUtc": run["startTimeUtc"], "currentComputeTime": "00:00:00"}
    return SampledRun(run | unset | counting | {"status": "Running"}, series=[_scalar(run, "loss", [(0, 1, 0.5)])])


def _unset_times(run: Document) -> SampledRun:
    """Canceled before it began, with .NET's "not set"; and no display name."""
    unset = dict.fromkeys(("startTimeUtc", "duration", "computeDuration", "displayName"))
    return SampledRun(run | unset | {"status": "Canceled", "endTimeUtc": instants.UNSET})


def _reused(seed: int) -> Iterator[SampledRun]:
    """A pipeline whose second step never ran: it shows the first one's metrics and files."""
    pipeline = _run(seed, "pipeline", 40) | {"runType": "azureml.PipelineRun"}
    ran = _run(seed, "step-that-ran", 41, pipeline) | {"runType": "azureml.StepRun"}
    again = finished(_run(seed, "step-reused", 42, pipeline), "Completed", _BEGIN, _BEGIN) | {
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
        ran, series=[_scalar(ran, "loss", [(0, 1, 0.5)])], files=[SampledFile("outputs/model.bin", b"once")]
    )
    yield SampledRun(again)


def _archived(seed: int) -> SampledRun:
    """Hidden, in an experiment that is archived too."""
    run = _run(seed, "archived", 43)
    return SampledRun(run | {"hidden": True, "experimentId": _archived_home(seed)["experimentId"]})


def _prefixed(seed: int, name: str) -> SampledRun:
    """`dcid.…job-1` is a prefix of `dcid.…job-10`, and `outputs` of `outputs_old`."""
    run = _run(seed, name, 44)
    files = [
        SampledFile(path, f"{name} {path}".encode())
        for path in ("outputs/a.txt", "outputs_old/a.txt", "outputs/outputs/a.txt")
    ]
    return SampledRun(run, files=files)


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
    "odd-names": _odd_names,
    "kinds-of-blobs": _kinds_of_blobs,
    "elsewhere": _elsewhere,
    "disagreeing": _disagreeing,
    "orphan": _orphan,
    "running": _running,
    "unset-times": _unset_times,
}
