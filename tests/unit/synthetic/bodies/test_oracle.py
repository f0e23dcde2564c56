"""azure-ai-ml's own classes build the bodies that we build by hand."""

from __future__ import annotations

import re
from typing import Any

import pytest
from azure.ai.ml import Input, Output, command
from azure.ai.ml.entities import (
    Command,
    CommandComponent,
    Pipeline,
    PipelineComponent,
    PipelineJob,
    PipelineJobSettings,
)

from azureml_replay.synthetic.bodies.graph import COMMAND, JobPlace, Submission, step_component, submission
from azureml_replay.synthetic.tree.nodes import Tree
from azureml_replay.synthetic.tree.ports import UP_PORTS
from unit.families import Family, a_run, output
from unit.sdk import WORKSPACE, client

ROOT_URI = "azureml://datastores/workspaceblobstore/paths/replay/p/"
PLACE = JobPlace(
    workspace=WORKSPACE,
    compute="serverless",
    datastore="workspaceblobstore",
    code=f"{WORKSPACE}/codes/c/versions/1",
    environment=f"{WORKSPACE}/environments/e/versions/1",
    component=f"{WORKSPACE}/components/replay_step/versions/1",
)
GRAPH = re.compile(r"(?<=azureml_anonymous/versions/)[-0-9a-f]{36}")
ROOT = {"root": "${{parent.inputs.root}}"}


def leaf(key: str, shown: str, *, gives: str = "", **up: str) -> Command:
    """An instance of the step component."""
    outputs = {"out": f"${{{{parent.outputs.{gives}}}}}"} if gives else {}
    name = key.rpartition("/")[2]
    inputs = {**ROOT, "key": key, **up}
    return Command(component=PLACE.component, name=name, display_name=shown, inputs=inputs, outputs=outputs)


def group(name: str, shown: str, jobs: dict[str, Any], given: list[str], **up: str) -> Pipeline:
    """A nested pipeline: a component of its own, with the ports that edges need."""
    folder: Any = {"type": "uri_folder"}
    graph = PipelineComponent(
        name="azureml_anonymous",
        display_name=shown,
        inputs={port: Input(type="uri_folder") for port in ("root", *up)},
        outputs=dict.fromkeys(given, folder),
        jobs=jobs,
    )
    return Pipeline(component=graph, name=name, display_name=shown, inputs={**ROOT, **up})


def a_tree() -> Tree:
    """first -> inner(take -> deep(make)) -> last, with a `self` at each level."""
    jobs: Any = {
        "first": {"inputs": {}},
        "inner": {"type": "pipeline", "inputs": {"x": {"value": output("first")}}},
        "last": {"inputs": {"y": {"value": output("inner", "model")}}},
    }
    inner: Any = {
        "jobs": {
            "take": {"inputs": {"a": {"value": "${{parent.inputs.x}}"}}},
            "deep": {
                "inputs": {"b": {"value": output("take")}},
                "outputs": {"c": {"value": "${{parent.outputs.model}}"}},
            },
        }
    }
    runs = [a_run("p", display_name="Whole", description="why", tags={"team": "blue"})]
    runs += [a_run(name, "p", display_name=name) for name in ("first", "inner", "last")]
    runs += [a_run(name, "inner", display_name=name) for name in ("take", "deep")]
    runs += [a_run("make", "deep", display_name="Make it")]
    family = Family(runs, graphs={"p": {"jobs": jobs}}, definitions={"inner": inner}, logged={("p", "loss"): [1.0]})
    return family.tree()


def built_with_classes(tree: Tree) -> PipelineJob:
    """The same pipeline, its wiring written out."""
    deep = group(
        "deep",
        "deep",
        {
            "self": leaf("inner/deep/self", "deep", gives="out0", up0="${{parent.inputs.up0}}"),
            "make_it": leaf("inner/deep/make_it", "Make it"),
        },
        ["out0"],
        up0=output("take", "out"),
    )
    deep.outputs["out0"] = "${{parent.outputs.out0}}"
    inner = group(
        "inner",
        "inner",
        {
            "self": leaf("inner/self", "inner"),
            "take": leaf("inner/take", "take", up0="${{parent.inputs.up0}}"),
            "deep": deep,
        },
        ["out0"],
        up0=output("first", "out"),
    )
    return PipelineJob(
        name="p",
        display_name="Whole",
        description="why",
        experiment_name="exp",
        tags=dict(tree.tags),
        properties={"azureml.git.dirty": "None", **tree.properties},
        inputs={"root": Input(type="uri_folder", path=ROOT_URI, mode="ro_mount")},
        settings=PipelineJobSettings(
            default_compute="serverless",
            default_datastore="workspaceblobstore",
            force_rerun=True,
            continue_on_step_failure=True,
        ),
        jobs={
            "self": leaf("self", "Whole"),
            "first": leaf("first", "first"),
            "inner": inner,
            "last": leaf("last", "last", up0=output("inner", "out0")),
        },
    )


def comparable(requests: dict[str, Any]) -> dict[str, Any]:
    """Without what must differ.

    Hash functions do, so graphs are named by their order. The classes would write the operator's git remote into the
    job's properties, but for a git property of its own: it is taken out again.
    """
    names: dict[str, str] = {}

    def numbered(value: Any) -> Any:
        if isinstance(value, dict):
            return {numbered(key): numbered(item) for key, item in value.items()}
        if isinstance(value, str):
            return GRAPH.sub(lambda found: names.setdefault(found[0], str(len(names))), value)
        return value

    plain = numbered(requests)
    for body in plain.values():
        body["properties"].get("properties", {}).pop("azureml.git.dirty", None)
    return plain


def ours(tree: Tree, whole: Submission) -> dict[str, Any]:
    """As path -> body, in the order of sending."""
    return {**{graph.id: graph.body for graph in whole.graphs}, f"{WORKSPACE}/jobs/{tree.job_name}": whole.body}


def test_a_nested_pipeline_is_what_the_classes_send() -> None:
    """Job and both graphs, key for key."""
    tree = a_tree()
    ml, recorder = client()

    ml.jobs.create_or_update(built_with_classes(tree))

    assert comparable(ours(tree, submission(tree, PLACE, ROOT_URI))) == comparable(recorder.put)
    assert len(recorder.put) == 3


@pytest.mark.parametrize("compute", ["serverless", "cpu-cluster"])
def test_a_command_job_is_what_the_classes_send(compute: str) -> None:
    """One that stands alone. Validation would ask for the cluster; skipping it changes no body."""
    tree = Family([a_run("r1", display_name="Solo")]).tree()
    place = JobPlace(**{**{name: getattr(PLACE, name) for name in JobPlace.__slots__}, "compute": compute})
    ml, recorder = client()
    job = command(
        name="r1",
        display_name="Solo",
        experiment_name="exp",
        tags=dict(tree.tags),
        command=COMMAND,
        code=PLACE.code,
        environment=PLACE.environment,
        inputs={"root": Input(type="uri_folder", path=ROOT_URI, mode="ro_mount"), "key": "self"},
        instance_count=1,
        **({} if compute == "serverless" else {"compute": compute}),
    )
    job.properties = {"azureml.git.dirty": "None", **tree.properties}

    ml.jobs.create_or_update(job, skip_validation=True)

    assert comparable(ours(tree, submission(tree, place, ROOT_URI))) == comparable(recorder.put)


def test_the_step_component_is_what_the_classes_send() -> None:
    """Its hash of the client's is of what they hash: ours names the step's code."""
    ml, recorder = client()
    up = {f"up{at}": Input(type="uri_folder", mode="direct", optional=True) for at in range(UP_PORTS)}
    component = CommandComponent(
        name="replay_step",
        version="1",
        display_name="Replay step",
        is_deterministic=False,
        command=f"{COMMAND} --out ${{{{outputs.out}}}}",
        code=PLACE.code,
        environment=PLACE.environment,
        inputs={"root": Input(type="uri_folder", mode="ro_mount"), "key": Input(type="string"), **up},
        outputs={"out": Output(type="uri_folder", mode="upload")},
        instance_count=1,
    )

    ml.components.create_or_update(component)

    (path, theirs), *more = recorder.put.items()
    assert (path, more) == (PLACE.component, [])
    theirs["properties"]["properties"]["client_component_hash"] = "digest"
    assert step_component("replay_step", "1", PLACE, "digest") == theirs
