"""More oddities: errors, absent times, wide metrics, datasets, addresses that act, secrets, strange places.

Each oddity has one run, as in `values.py` and `files.py`. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from azureml_sandbox import instants
from azureml_sandbox.fill.hostile.make import BEGIN, Metric, home, made, other_home, rows, scalar
from azureml_sandbox.fill.hostile.values import TABLE
from azureml_sandbox.fill.sample_jobs import job_document
from azureml_sandbox.fill.sample_runs import SampledFile, SampledRun, finished
from azureml_sandbox.guids import stable_guid
from azureml_sandbox.protocol import errors
from azureml_sandbox.world import BLOB_STORE, Document, Series, Workspace

_FIRST = 70


def more_oddities(seed: int, workspace: Workspace) -> Iterator[SampledRun]:
    """The runs with these oddities, parents first."""
    for number, (name, make) in enumerate(_ODDITIES.items()):
        each = make(made(seed, name, _FIRST + number))
        if name == "secrets":
            job = job_document(workspace, each.run, "command", home(seed)["name"])
            assert job is not None  # noqa: S101 - a command has one
            each = replace(each, job=job | {"properties": job["properties"] | _secret_job(each.run)})
        yield replace(each, oddity=make.__doc__ or "", omissions=_OMITTED.get(name, ()))
    yield from _reused_from_afar(seed)


def _no_times(run: Document) -> SampledRun:
    """The run is Completed, with neither start nor end."""
    unset = dict.fromkeys(("startTimeUtc", "endTimeUtc", "duration", "computeDuration"))
    return SampledRun(run | unset)


def _wide_metrics(run: Document) -> SampledRun:
    """A name and a cell above 255 characters, 20 columns where 15 fit, equal rows twice."""
    wide = {f"column {number:02}": "Double" for number in range(20)}
    twenty = Series(run["dataContainerId"], "wide", "", wide, {"uxMetricType": TABLE, "dataLocation": None})
    text = Series(run["dataContainerId"], "text", "", {"text": "String"}, {"uxMetricType": TABLE, "dataLocation": None})
    one = [row | {"data": dict.fromkeys(wide, 0.5)} for row in rows(run, "wide", [(0, 1, None)] * 2)]
    series: list[Metric] = [(twenty, one), (text, rows(run, "text", [(0, 1, "ü" * 400), (1, 2, "short")]))]
    return SampledRun(run, series=[*series, scalar(run, "n" * 300, [(0, 1, 0.5)])])


def _failed(run: Document) -> SampledRun:
    """The run failed; its error has every key that an error may have, and there are warnings."""
    root = errors.error_root(
        {
            "code": "UserError",
            "message": "Execution failed: größer als erlaubt.",
            "messageFormat": "Execution failed: {what}",
            "messageParameters": {"what": "größer als erlaubt."},
            "referenceCode": "PipelineHasStepJobFailed",
            "innerError": {"code": "BadArgument", "innerError": {"code": "ArgumentInvalid", "innerError": None}},
            "details": [errors.error_root({"code": "Detail", "message": "of two"})],
        }
    )
    source = {
        "correlation": {"operation": "0" * 32, "request": "1" * 16},
        "environment": "eastus",
        "location": "eastus",
    }
    error = {"error": root, **source, "time": run["endTimeUtc"], "componentName": "execution-worker"}
    warnings = [{"source": "Lifecycler", "message": f"Warning {number}"} for number in range(2)]
    return SampledRun(run | {"status": "Failed", "error": error, "warnings": warnings})


def _long_error(run: Document) -> SampledRun:
    """The error's message has 4,000 characters, of which 3,000 fit."""
    root = errors.error_root({"code": "UserError", "message": "Traceback… " * 364})
    unset: Document = dict.fromkeys(("correlation", "environment", "location", "componentName"))
    return SampledRun(run | {"status": "Failed", "error": {"error": root, **unset, "time": instants.UNSET}})


def _datasets(run: Document) -> SampledRun:
    """Inputs and outputs have asset ids; 210 input datasets, where 200 fit, and 25 output datasets, where 20 fit."""
    asset = "azureml://locations/westeurope/workspaces/home/data/azureml_{}_output_data_{}/versions/1"
    shown = {name: {"assetId": asset.format(run["runId"], name), "type": "UriFolder"} for name in ("default", "model")}
    used = [
        {
            "identifier": {"savedId": stable_guid(run["runId"], number), "registeredId": None},
            "consumptionType": "RunInput",
            "inputDetails": {"inputName": f"input{number}", "mechanism": "Mount", "pathOnCompute": None},
        }
        for number in range(210)
    ]
    kept = [
        {
            "identifier": {"savedId": stable_guid(run["runId"], "out", number)},
            "outputType": "RunOutput",
            "outputDetails": {"outputName": f"output{number}"},
        }
        for number in range(25)
    ]
    return SampledRun(run | {"inputs": shown, "outputs": shown, "inputDatasets": used, "outputDatasets": kept})


def _acting(run: Document) -> SampledRun:
    """Its addresses act on the source: those that cancel it, services, a property with a URL."""
    base = f"https://westeurope.api.azureml.ms/studioservice/apiv2/runs/{run['runId']}"
    uris = {"cancelUri": f"{base}/Cancel", "completeUri": f"{base}/Complete", "diagnosticsUri": f"{base}/Diagnose"}
    acting = {"actionUris": {"Cancel": f"{base}/Cancel", "Diagnose": ""}, "properties": {"CancelUri": f"{base}/Cancel"}}
    service = {"type": "ray-dashboard", "endpoint": f"{base}/dashboard", "status": "Running"}
    return SampledRun(run | uris | acting | {"services": {"ray-dashboard": service}})


def _secrets(run: Document) -> SampledRun:
    """An input of its job has a SAS, and an environment variable has a name that says it is secret."""
    return SampledRun(run)


def _secret_job(run: Document) -> Document:
    signature = stable_guid(run["runId"], "signature").replace("-", "")
    address = f"https://somewhere.blob.core.windows.net/data/train.csv?sv=2021-08-06&sp=r&sig={signature}"
    given = {"description": None, "jobInputType": "uri_file", "mode": "ReadOnlyMount", "uri": address}
    return {"inputs": {"data": given}, "environmentVariables": {"API_KEY": signature, "EPOCHS": "20"}}


def _two_places(run: Document) -> SampledRun:
    """The index says that a path lies in another datastore, and its own place holds other bytes."""
    blob = f"azureml/{run['runId']}/result.json"
    return SampledRun(
        run,
        files=[
            SampledFile("outputs/result.json", b'{"place": "index"}', datastore=BLOB_STORE, blob=blob),
            SampledFile("outputs/result.json", b'{"place": "storage"}', indexed=False),
        ],
    )


def _reused_from_afar(seed: int) -> Iterator[SampledRun]:
    """A reused step whose owner lies in another experiment, below another pipeline; and the runs around them."""
    pipeline = made(seed, "pipeline-from-afar", 45) | {"runType": "azureml.PipelineRun"}
    elsewhere = {"experimentId": other_home(seed)["experimentId"]}
    far = made(seed, "owners-pipeline", 46) | elsewhere | {"runType": "azureml.PipelineRun"}
    owner = made(seed, "owner", 47, far) | elsewhere | {"runType": "azureml.StepRun"}
    step = finished(made(seed, "step-reused-from-afar", 48, pipeline), "Completed", BEGIN, BEGIN) | {
        "runType": "azureml.StepRun",
        "dataContainerId": owner["dataContainerId"],
        "properties": {
            "azureml.isreused": "true",
            "azureml.reusedrunid": owner["runId"],
            "azureml.reusedpipelinerunid": far["runId"],
        },
    }
    yield SampledRun(pipeline)
    yield SampledRun(far)
    yield SampledRun(
        owner, series=[scalar(owner, "loss", [(0, 1, 0.25)])], files=[SampledFile("outputs/model.bin", b"afar")]
    )
    yield SampledRun(
        step, oddity="A reused step whose owner lies in another experiment.", omissions=["dataContainerId"]
    )


_ODDITIES: Mapping[str, Callable[[Document], SampledRun]] = {
    "no-times": _no_times,
    "wide-metrics": _wide_metrics,
    "failed": _failed,
    "long-error": _long_error,
    "datasets": _datasets,
    "acting": _acting,
    "secrets": _secrets,
    "two-places": _two_places,
}
_OMITTED: Mapping[str, Sequence[str]] = {
    "wide-metrics": ["metrics"],
    "long-error": ["error"],
    "datasets": ["inputDatasets", "outputDatasets", "outputs"],
    "acting": ["actionUris", "cancelUri", "completeUri", "diagnosticsUri", "properties", "services"],
    "secrets": ["job"],
    "two-places": ["file outputs/result.json"],
}
"""What no target can have of each run; `values._OMITTED` says in which form."""
