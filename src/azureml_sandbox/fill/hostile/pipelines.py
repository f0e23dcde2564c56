"""Pipeline runs of every origin, and one with every kind of node. Pure.

Recorded: command, parallel, spark, sweep, import, nested and AutoML nodes as submitted; steps that ran; a pipeline of a
batch endpoint (no graph) and of a component (`jobs` empty). From azure-ai-ml's source: data transfer, `if_else`,
`do_while`, `parallel_for`, and how their runs are nested (assumption: under the pipeline, an iteration a run).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from azureml_sandbox.fill.hostile.kinds import job, v2
from azureml_sandbox.fill.hostile.make import made, named, scalar
from azureml_sandbox.fill.sample_runs import SampledFile, SampledRun
from azureml_sandbox.guids import stable_guid
from azureml_sandbox.world import Document, Workspace

_FIRST = 200
_TRAITS = ("azureml.PipelineRun", "MFE", "HTTP", "DevPlatv2")
_STEP = ("azureml.StepRun", "scriptRun", "remote", "AlmostCommonRuntime", "OsType:Linux", "CommonRuntime")
_RAW = {"raw": {"job_input_type": "literal", "value": "${{parent.inputs.raw}}"}}
_AUTOML = {
    "type": "automl",
    "task": "text_ner",
    "primary_metric": "accuracy",
    "log_verbosity": "info",
    "limits": {"max_trials": 1, "max_nodes": 1, "timeout_minutes": 60},
    "training_data": "${{parent.inputs.raw}}",
    "validation_data": "${{parent.inputs.raw}}",
    "tags": {},
    "properties": {},
    "outputs": {},
}
_SWEEP = {
    "type": "sweep",
    "limits": {"max_total_trials": 1},
    "sampling_algorithm": "random",
    "objective": {"goal": "maximize", "primary_metric": "AUC"},
    "search_space": {"number": {"values": [2, 3], "type": "choice"}},
    "inputs": _RAW,
}
_PARALLEL = {
    "type": "parallel",
    "resources": {"instance_count": 3},
    "error_threshold": -1,
    "mini_batch_error_threshold": 1,
    "mini_batch_size": 1,
    "max_concurrency_per_instance": 1,
    "input_data": "${{inputs.raw}}",
    "inputs": _RAW,
    "task": {
        "type": "run_function",
        "code": "azureml:code:1",
        "entry_script": "score.py",
        "environment": "azureml:e:1",
    },
}
_SPARK = {
    "type": "spark",
    "resources": {"instance_type": "standard_e4s_v3", "runtime_version": "3.2.0"},
    "identity": {"identity_type": "UserIdentity"},
    "conf": {"spark.driver.cores": 2, "spark.driver.memory": "1g"},
    "entry": {"spark_job_entry_type": "SparkJobPythonEntry", "file": "main.py"},
}
_NODES: Mapping[str, Document] = {
    "prep": {"type": "command", "inputs": _RAW},
    "batch": _PARALLEL,
    "kmeans": _SPARK,
    "tune": _SWEEP,
    "automl": _AUTOML,
    "load": {"inputs": {"type": {"job_input_type": "literal", "value": "azuresqldb"}}},
    "copy": {"type": "data_transfer", "task": "copy_data", "data_copy_mode": "merge_with_overwrite"},
    "bring": {"type": "data_transfer", "task": "import_data", "source": {"type": "database"}},
    "send": {"type": "data_transfer", "task": "export_data", "sink": {"type": "file_system"}},
    "inner": {"type": "pipeline", "inputs": {}},
    "choose": {
        "type": "if_else",
        "condition": "${{parent.jobs.prep.outputs.ok}}",
        "true_block": "${{parent.jobs.inner}}",
    },
    "loop": {"type": "do_while", "body": "${{parent.jobs.prep}}", "limits": {"max_iteration_count": 2}},
    "each": {"type": "parallel_for", "body": "${{parent.jobs.prep}}", "items": '[{"a": 1}, {"a": 2}]'},
}
_NO_COMPONENT = frozenset({"automl", "if_else", "do_while", "parallel_for"})


def odd_pipelines(seed: int, workspace: Workspace) -> Iterator[SampledRun]:
    """The pipelines and the runs below them, parents first."""
    yield from _of_every_node(seed, workspace)
    origins: Mapping[str, tuple[str, Document]] = {
        "dsl": ("Built with the DSL.", {"settings": {"_source": "DSL", "force_rerun": True}, "jobs": {}}),
        "component": (
            "Made from a component: its graph is there, not here.",
            {"componentId": _component(workspace), "jobs": {}},
        ),
        "batch-endpoint": (
            "Made by a batch endpoint: ARM knows neither graph nor settings.",
            dict.fromkeys(("settings", "jobs", "inputs", "outputs")),
        ),
    }
    for number, (name, (oddity, properties)) in enumerate(origins.items()):
        run = _pipeline(made(seed, f"pipeline-{name}", _FIRST + 50 + number))
        yield SampledRun(run, job(workspace, run, "pipeline", seed, **properties), oddity=oddity)


def _of_every_node(seed: int, workspace: Workspace) -> Iterator[SampledRun]:
    top = _pipeline(made(seed, "pipeline-of-every-node", _FIRST))
    nodes = {name: _submitted(name, node, _component(workspace)) for name, node in _NODES.items()}
    given = {"raw": {"description": None, "jobInputType": "literal", "value": "1"}}
    document = job(workspace, top, "pipeline", seed, jobs=nodes, inputs=given, outputs={})
    yield SampledRun(
        top, document, series=[scalar(top, "loss", [(0, 1, 0.5)])], oddity="A pipeline with a metric of its own."
    )
    for number, (name, node) in enumerate(_NODES.items()):
        yield from _node(seed, _FIRST + 1 + number, name, node, top)


def _submitted(name: str, node: Document, component: str) -> Document:
    """A node of the graph as submitted: a sweep names its component below `trial` (recorded)."""
    if node.get("type") == "sweep":
        return {"name": name, **node, "trial": {"componentId": component}}
    return {"name": name, **node} | ({} if node.get("type") in _NO_COMPONENT else {"componentId": component})


def _node(seed: int, number: int, name: str, node: Document, top: Document) -> Iterator[SampledRun]:
    kind = node.get("type", "import")
    run = named(seed, stable_guid("hostile node", seed, name), name, number, top)
    said = f"A node of type {kind}" + (f" ({node['task']})" if isinstance(node.get("task"), str) else "")
    if kind in {"pipeline", "do_while", "parallel_for", "if_else"}:
        yield SampledRun(_pipeline(run) | {"displayName": name}, oddity=f"{said}, with steps of its own.")
        for turn in range(2 if kind != "if_else" else 1):
            below = named(seed, stable_guid("hostile step", seed, name, turn), f"{name}[{turn}]", number, run)
            yield SampledRun(
                _step(below, top, name), series=[scalar(below, "loss", [(turn, 1, 0.5)])], oddity=f"A step of {name}."
            )
        return
    step = _step(run, top, name)
    if kind == "parallel":
        step["properties"] |= {"azureml.parallelrunstep": "true"}
    yield SampledRun(step, files=[SampledFile("outputs/out.txt", name.encode())], oddity=f"{said}.")
    if kind in {"sweep", "automl"}:
        trial = named(seed, f"{run['runId']}_0", f"{name} 0", number, run)
        trial |= v2("Execution", "scriptRun", attribution={"sweep": "HyperDrive", "automl": "AutoML"}[kind])
        yield SampledRun(trial, series=[scalar(trial, "AUC", [(0, 1, 0.9)])], oddity=f"A trial of {name}.")


def _pipeline(run: Document) -> Document:
    properties = {
        "azureml.DevPlatv2": "true",
        "azureml.runsource": "azureml.PipelineRun",
        "azureml.parameters": '{"raw":"1"}',
        "azureml.continue_on_step_failure": "False",
        "runSource": "Unavailable",
    }
    return run | {"runType": "azureml.PipelineRun", "properties": properties} | v2("Pipeline", *_TRAITS)


def _step(run: Document, top: Document, name: str) -> Document:
    """The run of a step, as recorded; the definition is the v1 form that `details` shows."""
    node = stable_guid("node", run["runId"])[:8]
    properties = {
        "ContentSnapshotId": stable_guid("snapshot", name),
        "StepType": "PythonScriptStep",
        "azureml.moduleName": name,
        "azureml.nodeid": node,
        "azureml.pipeline": top["runId"],
        "azureml.pipelinerunid": top["runId"],
        "azureml.runsource": "azureml.StepRun",
        "azureml.pipelineComponent": "masterescloud",
    }
    definition = {"script": None, "command": f"python {name}.py", "framework": "Python", "communicator": "None"}
    typed = {"runType": "azureml.StepRun", "name": name, "properties": properties, "runDefinition": definition}
    tags = {"tags": {"azureml.nodeid": node, "azureml.pipeline": top["runId"]}}
    return run | typed | tags | v2("Execution", *_STEP, attribution="Aether", compute="AmlcTrain")


def _component(workspace: Workspace) -> str:
    return f"{workspace.arm_id}/components/azureml_anonymous/versions/{stable_guid('component')}"
