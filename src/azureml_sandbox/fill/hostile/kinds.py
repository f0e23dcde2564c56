"""One run of every kind that is not a pipeline's or AutoML's. Pure.

Recorded: prompt-flow runs, MLflow runs, import and command jobs, sweeps and their trials (`HD_…_264` of the old SDK),
runDefinition of a step. From the swagger: distributions, spark. Assumed: runType and traits of sweeps, of spark and of
old-SDK script runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from azureml_sandbox import instants
from azureml_sandbox.fill.hostile.make import home, made, named, scalar
from azureml_sandbox.fill.sample_jobs import job_document
from azureml_sandbox.fill.sample_runs import SampledFile, SampledRun
from azureml_sandbox.fill.sample_shape import Type
from azureml_sandbox.guids import stable_guid
from azureml_sandbox.world import BLOB_STORE, Document, Workspace

_FIRST = 100
_COMMAND = ["scriptRun", "remote"]
_DISTRIBUTIONS: Mapping[str, Document] = {
    "mpi": {"distributionType": "Mpi", "processCountPerInstance": 2},
    "pytorch": {"distributionType": "PyTorch", "processCountPerInstance": 4},
    "tensorflow": {"distributionType": "TensorFlow", "parameterServerCount": 1, "workerCount": 2},
    "ray": {
        "distributionType": "Ray",
        "port": None,
        "address": None,
        "includeDashboard": None,
        "dashboardPort": None,
        "headNodeAdditionalArgs": None,
        "workerNodeAdditionalArgs": None,
    },
}


_FLOW_METRICS = {
    "__pf__.nodes.grade.completed": 2.0,
    "__pf__.lines.completed": 2.0,
    "__pf__.lines.failed": 0.0,
    "accuracy": 0.5,
}
"""As recorded of an evaluation (rh-metrics-lastvalues.json)."""


def v2(orchestrator: str | None, *traits: str, attribution: str | None = None, compute: str | None = None) -> Document:
    """`runTypeV2` of a run."""
    return {
        "runTypeV2": {
            "orchestrator": orchestrator,
            "traits": list(traits),
            "attribution": attribution,
            "computeType": compute,
        }
    }


def job(workspace: Workspace, run: Document, kind: Type, seed: int, **properties: object) -> Document:
    """The ARM job of a root run, with other properties than a usual one's."""
    document = job_document(workspace, run, kind, home(seed)["name"])
    assert document is not None  # noqa: S101 - these kinds have one
    return document | {"properties": document["properties"] | properties}


def odd_kinds(seed: int, workspace: Workspace) -> Iterator[SampledRun]:
    """The runs of these kinds, parents first."""
    yield from _commands(seed, workspace)
    yield from _sweep(seed, workspace)
    yield from _old_sdk(seed)
    yield from _tracked(seed)
    yield _prompt_flow(seed)
    yield _unforeseen(seed)


def _commands(seed: int, workspace: Workspace) -> Iterator[SampledRun]:
    remote = v2("Execution", *_COMMAND, attribution="azureml.scriptrun", compute="AmlcTrain")
    local = made(seed, "local", _FIRST) | v2("Execution", "scriptRun", "local")
    local |= {"target": "local", "properties": {"_azureml.ComputeTargetType": "local"}}
    yield SampledRun(
        local, job(workspace, local, "command", seed, computeId=None), oddity="A job on the caller's machine."
    )
    free = made(seed, "serverless", _FIRST + 1) | remote | {"target": "serverless"}
    queue = {"jobTier": "Standard", "priority": None}
    yield SampledRun(
        free, job(workspace, free, "command", seed, computeId=None, queueSettings=queue), oddity="A serverless job."
    )
    for number, (name, distribution) in enumerate(_DISTRIBUTIONS.items()):
        run = made(seed, f"distributed-{name}", _FIRST + 2 + number) | remote
        run |= {"computeRequest": {"nodeCount": 2, "gpuCount": 0}, "target": "cpu-cluster"}
        logs = [SampledFile(f"user_logs/std_log_process_{process:02}.txt", b"rank\n") for process in range(2)]
        yield SampledRun(
            run,
            job(workspace, run, "command", seed, distribution=distribution),
            files=logs,
            oddity=f"Distributed over processes ({distribution['distributionType']}), each with a log of its own.",
        )
    imported = made(seed, "import", _FIRST + 10) | v2(
        "Execution", *_COMMAND, attribution="azureml.scriptrun", compute="ADF"
    )
    yield SampledRun(imported, job(workspace, imported, "command", seed), oddity="An import job (Data Factory).")
    spark = made(seed, "spark", _FIRST + 11) | {"runType": "azureml.sparkrun"} | v2("Execution", "SparkRun", "remote")
    yield SampledRun(spark, _spark(workspace, spark, seed), oddity="A standalone spark job.")


_NOT_OF_SPARK = {"command", "limits", "distribution", "parameters", "autologgerSettings"}


def _spark(workspace: Workspace, run: Document, seed: int) -> Document:
    """The ARM job of a spark run, in the form in which a schedule's spark job was recorded."""
    usual = job(workspace, run, "command", seed)
    kept = {key: value for key, value in usual["properties"].items() if key not in _NOT_OF_SPARK}
    spark = {
        "jobType": "Spark",
        "resources": {"instanceType": "standard_e4s_v3", "runtimeVersion": "3.2.0"},
        "entry": {"sparkJobEntryType": "SparkJobPythonEntry", "file": "main.py"},
        "args": "--file_input ${{inputs.file_input}}",
        "codeId": f"{workspace.arm_id}/codes/{stable_guid('code', seed)}/versions/1",
        "conf": {"spark.driver.cores": "1", "spark.executor.instances": "2"},
        "identity": {"identityType": "UserIdentity"},
        "pyFiles": None,
        "jars": None,
        "files": None,
        "archives": None,
        "environmentId": None,
    }
    return usual | {"properties": kept | spark}


def _sweep(seed: int, workspace: Workspace) -> Iterator[SampledRun]:
    values = [{"lr": 0.01, "conv_size": 5}, {"lr": 0.05, "conv_size": 7}]
    sweep = (
        made(seed, "sweep", _FIRST + 20) | {"runType": "azureml.sweep"} | v2("HyperDrive", "HyperDrive", "DevPlatv2")
    )
    sweep |= {
        "properties": {"runTemplate": "HyperDrive", "azureml.runsource": "hyperdrive", "resume_from": "null"},
        "tags": {
            "_aml_system_platform_config": json.dumps({"Definition": {"Overrides": "x" * 4_200}}),
            "_aml_system_primary_metric_config": '{"name":"accuracy","goal":"maximize"}',
            **{f"_aml_system_{sweep['runId']}_{number}": json.dumps(each) for number, each in enumerate(values)},
        },
    }
    yield SampledRun(
        sweep,
        job(workspace, sweep, "sweep", seed),
        oddity="A sweep, with a tag for each trial and one above 4 kB.",
        omissions=["tags"],
    )
    for number, each in enumerate(values):
        yield _trial(seed, sweep, number, each)


def _trial(seed: int, parent: Document, number: int, values: Document) -> SampledRun:
    run = named(seed, f"{parent['runId']}_{number}", f"trial {number}", _FIRST + 21, parent)
    run |= v2("Execution", *_COMMAND, attribution="HyperDrive", compute="AmlcTrain")
    text = json.dumps(values)
    run |= {"tags": {"hyperparameters": text, "_aml_system_hyperparameters": text}, "parameters": values}
    points = [scalar(run, "accuracy", [(step, step, step / 3) for step in range(3)])]
    return SampledRun(run, series=points, oddity="A trial: parameters are numbers, not strings.")


def _old_sdk(seed: int) -> Iterator[SampledRun]:
    """Runs of the old SDK, which MLflow never saw; their ids have forms of their own."""
    script = named(seed, f"train_{1_669_852_800 + seed}_{stable_guid('old', seed)[:8]}", "old-sdk", _FIRST + 30)
    definition = {"script": "train.py", "arguments": ["--lr", "0.1"], "framework": "Python", "target": "cpu-cluster"}
    script |= {"runDefinition": definition, "scriptName": "train.py", "name": "train"} | v2("Execution", *_COMMAND)
    images = [SampledFile("plot_1669852860.png", b"\x89PNG\r\n\x1a\n", content_type="image/png")]
    yield SampledRun(
        script, series=[scalar(script, "loss", [(None, 1, 0.5)])], files=images, oddity="A script run of the old SDK."
    )
    guid = stable_guid("hyperdrive", seed)
    hyper = named(seed, f"HD_{guid}", "hyperdrive", _FIRST + 31) | {"runType": "hyperdrive"}
    hyper |= v2("HyperDrive", "hyperdrive") | {"properties": {"runTemplate": "HyperDrive"}}
    yield SampledRun(hyper, oddity="HyperDrive of the old SDK.")
    for number in range(2):
        yield _trial(seed, hyper, number, {"i": number + 364})


def _tracked(seed: int) -> Iterator[SampledRun]:
    """A run that MLflow made and its child: without runType, times in milliseconds."""
    at = instants.parse("2022-12-01T01:02:03.456+00:00")
    top = named(seed, stable_guid("mlflow", seed), "mlflow", _FIRST + 40)
    below = named(seed, stable_guid("mlflow child", seed), "mlflow child", _FIRST + 41, top)
    for made_by_mlflow in (top, below):
        run = (
            made_by_mlflow
            | v2(None, "mlflow")
            | {
                "runType": None,
                "createdUtc": instants.text(at),
                "parameters": {"lr": "0.1"},
                "tags": {"mlflow.user": "sample", "mlflow.rootRunId": top["runId"]},
                "properties": {"mlflow.artifactUri": f"azureml://artifacts/{made_by_mlflow['runId']}"},
            }
        )
        yield SampledRun(run, series=[scalar(run, "acc", [(0, 0, 1.0)])], oddity="MLflow made it outside any job.")


def _prompt_flow(seed: int) -> SampledRun:
    run = made(seed, "promptflow", _FIRST + 50) | {"runType": "azureml.promptflow.FlowRun"}
    run |= v2(None, attribution="PromptFlow", compute="MIR_v2")
    flow = "azureml.promptflow"
    asset = "azureml://locations/westeurope/workspaces/home/data/azureml_{}_output_data_{}/versions/1"
    run |= {
        "properties": {
            f"{flow}.definition_file_name": "flow.dag.yaml",
            f"{flow}.flow_lineage_id": stable_guid("lineage", seed),
            f"{flow}.input_data": "azureml:data:1",
            f"{flow}.total_tokens": "0",
            "_azureml.evaluation_run": "azureml.promptflow",
        },
        "outputs": {
            name: {"assetId": asset.format(run["runId"], name), "type": "UriFolder"}
            for name in ("debug_info", "flow_outputs")
        },
    }
    lines = b'{"line_number": 0, "answer": "4"}\n{"line_number": 1, "answer": "5"}\n'
    return SampledRun(
        run,
        series=[scalar(run, name, [(0, 0, value)]) for name, value in _FLOW_METRICS.items()],
        files=[
            SampledFile(
                "instance_results.jsonl",
                lines,
                datastore=BLOB_STORE,
                blob=f"promptflow/PromptFlowArtifacts/{run['runId']}/instance_results.jsonl",
            )
        ],
        oddity="A prompt-flow run: its counts are metrics, its answers a file in another datastore.",
        omissions=["outputs"],
    )


def _unforeseen(seed: int) -> SampledRun:
    """A run with a type and a key that no document names."""
    run = made(seed, "unforeseen", _FIRST + 51) | {"runType": "azureml.somethingNew"}
    run |= v2("SomethingNew", "somethingNew") | {"somethingNew": {"nested": [1, None, "ü"]}}
    return SampledRun(run, oddity="A kind that nobody foresaw, with a key that no interface file has.")
