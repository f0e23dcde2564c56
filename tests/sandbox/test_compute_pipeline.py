"""Submitted pipelines run: in the order of their data, nested, with the refusals that were recorded."""

# No `from __future__ import annotations`: azure-ai-ml's dsl reads them, and wants no strings.
import json
import time
from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml import Input, Output, command, dsl
from azure.ai.ml.entities import Command, PipelineJob, PipelineJobSettings
from azure.ai.ml.exceptions import JobException
from azure.core.exceptions import HttpResponseError

from sandbox.jobs import API, CLUSTER, ENVIRONMENT, Jobs, jobs
from sandbox.test_arm import chain

__all__ = ["jobs"]

FOLDER = Output(type="uri_folder")
GIVEN = {"jobType": "Pipeline", "settings": {"default_compute": f"/x/computes/{CLUSTER}"}}


def step(line: str, **ports: Any) -> Any:
    """A component of one command; names of its ports tell their kind: `d_` data, `n_` a number, `o_` an output."""
    kinds = {"d": Input(type="uri_folder"), "n": Input(type="integer")}
    inputs = {name: kinds[name[0]] for name in ports.get("inputs", ())} | ports.get("optional", {})
    outputs = dict.fromkeys(ports.get("outputs", ()), FOLDER)
    return command(command=line, environment=ENVIRONMENT, inputs=inputs, outputs=outputs)


# Made anew for each use: azure-ai-ml keeps the id of where it registered one, and every test has its own workspace.
def write(n: Any) -> Any:
    return step("echo ${{inputs.n}} > ${{outputs.o}}/n.txt", inputs=["n"], outputs=["o"])(n=n)


def double(d: Any) -> Any:
    return step("echo $((2 * $(cat ${{inputs.d}}/n.txt))) > ${{outputs.o}}/n.txt", inputs=["d"], outputs=["o"])(d=d)


def show(d: Any) -> Any:
    return step("cat ${{inputs.d}}/n.txt", inputs=["d"])(d=d)


@dsl.pipeline()
def fourfold(d: Input(type="uri_folder")) -> dict[str, Any]:  # type: ignore[valid-type]
    once = double(d)
    twice = double(once.outputs.o)
    return {"result": twice.outputs.o}


@dsl.pipeline(default_compute=CLUSTER)
def two_levels(n: int = 5) -> dict[str, Any]:
    written = write(n)
    inner = fourfold(d=written.outputs.o)
    shown = show(inner.outputs.result)  # noqa: F841 - azure-ai-ml names the node after the variable
    return {"result": inner.outputs.result}


def component(home: Jobs, name: str, **spec: Any) -> str:
    """Registered by hand; its id."""
    given = {"type": "command", "name": name, "version": "1", "command": "true"} | spec
    answer = home.plane("arm", "PUT", f"/components/{name}/versions/1", API, {"properties": {"componentSpec": given}})
    assert answer.ok, answer.text
    return str(answer.json()["id"])


def literal(value: str) -> dict[str, str]:
    return {"job_input_type": "literal", "value": value}


def test_data_flows_through_both_levels(jobs: Jobs, tmp_path: Path) -> None:
    """Five doubled twice is twenty; a pipeline's output is its step's, told with that step's id (recorded)."""
    run = jobs.run(two_levels(n=5))
    children = jobs.children(run["runId"])
    grandchildren = jobs.children(children["inner"]["runId"])

    told = jobs.plane.post("/rundata", runId=run["runId"], selectRunMetadata=True)["runMetadata"]["outputs"]
    jobs.client.jobs.download(grandchildren["twice"]["runId"], download_path=tmp_path, output_name="o")

    assert run["status"] == "Completed"
    assert jobs.log(children["shown"]["runId"]) == "20\n"
    assert f"azureml_{grandchildren['twice']['runId']}_output_data_o/" in told["result"]["assetId"]
    assert (tmp_path / "named-outputs/o/n.txt").read_text() == "20\n"


def test_children_are_step_runs_below_the_run_around_them(jobs: Jobs) -> None:
    """Ids are the service's; properties, tags and types as recorded."""
    run = jobs.run(two_levels(n=1))
    children = jobs.children(run["runId"])
    inner = children["inner"]
    step_run = jobs.children(inner["runId"])["once"]

    assert [child["runType"] for child in (run, inner, step_run)] == [
        "azureml.PipelineRun",
        "azureml.PipelineRun",
        "azureml.StepRun",
    ]
    assert (step_run["parentRunId"], step_run["rootRunId"]) == (inner["runId"], run["runId"])
    assert step_run["properties"]["azureml.pipelinerunid"] == inner["runId"]
    assert step_run["properties"]["azureml.nodeid"] == step_run["tags"]["azureml.nodeid"]
    assert step_run["runTypeV2"]["attribution"] == "Aether"
    assert "azureml.isreused" not in step_run["properties"]
    assert json.loads(run["properties"]["azureml.pipelines.stages"])["Execution"]["Status"] == "Finished"


def test_arm_shows_a_child_without_properties(jobs: Jobs) -> None:
    """azure-ai-ml then asks run history; the list has the pipeline only."""
    name = jobs.run(two_levels())["runId"]
    child = next(iter(jobs.children(name).values()))["runId"]

    assert "properties" not in jobs.plane.arm(f"/jobs/{child}")
    assert jobs.client.jobs.get(child).status == "Completed"
    assert [job["name"] for job in jobs.plane.arm("/jobs")["value"]] == [name]
    assert len(list(jobs.client.jobs.list(parent_job_name=name))) == 3


def test_optional_inputs_and_defaults(jobs: Jobs) -> None:
    """`$[[…]]` stays only where its input has a value."""
    ports = {"a": Input(type="string", optional=True), "b": Input(type="string", default="B")}
    say = step("echo $[[a=${{inputs.a}}]] b=${{inputs.b}}", optional=ports)

    @dsl.pipeline(default_compute=CLUSTER)
    def pipeline() -> None:
        say().name = "without"
        say(a="A", b="C").name = "given"

    children = jobs.children(jobs.run(pipeline())["runId"])

    assert jobs.log(children["without"]["runId"]) == "b=B\n"
    assert jobs.log(children["given"]["runId"]) == "a=A b=C\n"


def test_a_failed_step_fails_the_pipeline_and_ends_the_others(jobs: Jobs) -> None:
    """In the recorded words, which azure-ai-ml raises. Where nothing is said, the others go on (see below)."""

    @dsl.pipeline(default_compute=CLUSTER, continue_on_step_failure=False)
    def pipeline() -> None:
        step("exit 3")().name = "failing"
        step("sleep 60")().name = "sleeping"

    name = jobs.submit(pipeline())
    run = jobs.ended(name)

    assert (run["status"], run["error"]["error"]["referenceCode"]) == ("Failed", "PipelineHasStepJobFailed")
    ends = {display: child["status"] for display, child in jobs.children(name).items()}
    assert ends == {"failing": "Failed", "sleeping": "Canceled"}
    with pytest.raises(JobException, match="Pipeline has some failed steps"):
        jobs.client.jobs.stream(name)


@pytest.mark.parametrize("asked", [True, None])
def test_steps_that_do_not_need_a_failed_one_go_on(jobs: Jobs, asked: bool | None) -> None:
    """`continue_on_step_failure`, which is so by default: only what depends on it is left out."""

    @dsl.pipeline(default_compute=CLUSTER, continue_on_step_failure=asked)
    def pipeline() -> None:
        broken = step("exit 1", outputs=["o"])()
        broken.name = "broken"
        show(broken.outputs.o).name = "depending"
        first = write(1)
        first.name = "first"
        show(first.outputs.o).name = "second"

    run = jobs.run(pipeline())

    ends = {display: child["status"] for display, child in jobs.children(run["runId"]).items()}
    assert run["status"] == "Failed"
    assert ends == {"broken": "Failed", "depending": "Canceled", "first": "Completed", "second": "Completed"}


def test_cancel_ends_every_level(jobs: Jobs) -> None:
    """Steps that run and steps that never will; a second cancel, of what has ended, is refused (183 times recorded)."""

    @dsl.pipeline()
    def inner() -> None:
        step("sleep 60")().name = "sleeping"

    @dsl.pipeline(default_compute=CLUSTER)
    def outer() -> None:
        inner().name = "inner"

    name = jobs.submit(outer())
    while not (found := jobs.children(name)) or not (below := jobs.children(found["inner"]["runId"])):
        time.sleep(0.05)
    jobs.when(below["sleeping"]["runId"], {"Running"})

    assert jobs.cancel(name).status_code == 202
    ended = jobs.ended(name)
    refused = jobs.cancel(name)

    ends = [jobs.plane.read(f"/runs/{run['runId']}")["status"] for run in (ended, *found.values(), *below.values())]
    assert ends == ["Canceled"] * 3
    assert refused.status_code == 400
    assert chain(refused)[-1] == "CancelPipelineRunInTerminalStatus"


def test_a_pipeline_made_from_a_component_runs_its_graph(jobs: Jobs) -> None:
    """`componentId` and no nodes of its own."""
    write = component(
        jobs,
        "write",
        command="echo ${{inputs.n}} > ${{outputs.o}}/n",
        inputs={"n": {"type": "integer", "default": 7}},
        outputs={"o": {"type": "uri_folder"}},
    )
    nodes = {"only": {"componentId": write, "inputs": {"n": literal("${{parent.inputs.n}}")}}}
    graph = component(jobs, "graph", type="pipeline", inputs={"n": {"type": "integer", "default": 8}}, jobs=nodes)

    assert jobs.put("p", **GIVEN, componentId=graph).status_code == 201
    assert jobs.ended("p")["status"] == "Completed"
    assert list(jobs.children("p")) == ["only"]


def test_an_input_may_be_part_of_a_longer_string(jobs: Jobs) -> None:
    """Names below a prefix."""
    say = component(jobs, "say", command="echo ${{inputs.text}}", inputs={"text": {"type": "string"}})
    nodes = {"only": {"componentId": say, "inputs": {"text": literal("${{parent.inputs.prefix}}inner/")}}}
    inputs = {"prefix": {"jobInputType": "literal", "value": "a/"}}

    jobs.put("p", **GIVEN, jobs=nodes, inputs=inputs)
    jobs.ended("p")

    assert jobs.log(jobs.children("p")["only"]["runId"]) == "a/inner/\n"


@pytest.mark.parametrize(
    ("text", "status", "last", "words"),
    [
        ("${{parent.name}}", 400, "InvalidExpressionInJob", "Only parent.inputs, parent.jobs"),
        ("${{parent.inputs.nobody}}", 400, "InvalidExpressionInJob", "nobody"),
        ("${{parent.jobs.nobody.outputs.o}}", 400, "InvalidExpressionInJob", "nobody"),
        ("${{parent.jobs.a.outputs.nobody}}", 400, "InvalidExpressionInJob", "nobody"),
        ("${{parent.jobs.a.outputs.o}}", 400, "Cycle", "cycle"),
    ],
)
def test_a_binding_that_leads_nowhere_is_refused(jobs: Jobs, text: str, status: int, last: str, words: str) -> None:
    """Before anything is written."""
    ports = {"inputs": {"x": {"type": "string"}}, "outputs": {"o": {"type": "uri_folder"}}}
    nodes = {"a": {"componentId": component(jobs, "c", **ports), "inputs": {"x": literal(text)}}}

    answer = jobs.put("p", **GIVEN, jobs=nodes)

    assert (answer.status_code, chain(answer)[-1]) == (status, last)
    assert words in answer.json()["error"]["message"]
    assert jobs.plane("arm", "GET", "/jobs/p", API).status_code == 404


@pytest.mark.parametrize("given", [{"y": literal("1")}, {}])
def test_inputs_must_fit_the_component(jobs: Jobs, given: dict[str, Any]) -> None:
    """One that it does not have, as recorded; one that it needs."""
    node = {"componentId": component(jobs, "c", inputs={"x": {"type": "string"}}), "inputs": given}

    answer = jobs.put("p", **GIVEN, jobs={"a": node})

    assert (answer.status_code, chain(answer)[-1]) == (400, "InvalidComponentJobInput")


def test_a_missing_component_is_refused_in_the_recorded_words(jobs: Jobs) -> None:
    """404, and the whole id; one code alone has no chain (pipe-404-component-missing 6)."""
    missing = f"{jobs.plane.path}/components/basic/versions/non_existent"

    answer = jobs.put("p", **GIVEN, jobs={"a": {"componentId": missing}})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NotFound")
    expected = f"key: {missing}, Message: Not found component basic (version: non_existent)."
    assert answer.json()["error"]["message"] == expected
    assert "InnerError" not in {item["type"] for item in answer.json()["error"]["additionalInfo"]}


def test_nodes_of_other_types_are_not_spoken(jobs: Jobs) -> None:
    """And not taken for commands."""
    assert jobs.put("p", **GIVEN, jobs={"a": {"type": "parallel"}}).status_code == 501


def test_another_graph_under_a_taken_name_is_refused(jobs: Jobs) -> None:
    """The same graph again is an update."""
    nodes = {"a": {"componentId": component(jobs, "c")}}
    first = jobs.put("p", **GIVEN, jobs=nodes)
    jobs.ended("p")

    same, other = jobs.put("p", **GIVEN, jobs=nodes), jobs.put("p", **GIVEN, jobs={"b": nodes["a"]})

    assert (first.status_code, same.status_code, other.status_code) == (201, 200, 400)
    assert chain(other)[-1] == "JobPropertyImmutable"


def test_azure_ai_ml_reports_a_refusal(jobs: Jobs) -> None:
    """What it did not check itself."""
    gone = Command(component=f"{jobs.plane.path}/components/gone/versions/1", inputs={})
    pipeline = PipelineJob(jobs={"a": gone}, settings=PipelineJobSettings(default_compute=CLUSTER))

    with pytest.raises(HttpResponseError, match="Not found component gone"):
        jobs.submit(pipeline)
