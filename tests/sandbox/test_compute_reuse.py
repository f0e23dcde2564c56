"""Steps that are not computed again, and outputs that are registered as data."""

# No `from __future__ import annotations`: azure-ai-ml's dsl reads them, and wants no strings.
from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml import Input, Output, command, dsl

from sandbox.jobs import CLUSTER, ENVIRONMENT, Jobs, jobs, shell

__all__ = ["jobs"]

FOLDER = Output(type="uri_folder")


def write(*, deterministic: bool = True) -> Any:
    line = "echo ${{inputs.n}} > ${{outputs.o}}/n.txt && echo ran"
    ports = {"inputs": {"n": Input(type="integer")}, "outputs": {"o": FOLDER}}
    return command(command=line, environment=ENVIRONMENT, is_deterministic=deterministic, **ports)


def show() -> Any:
    kinds = {"d": Input(type="uri_folder")}
    return command(command="cat ${{inputs.d}}/n.txt", environment=ENVIRONMENT, inputs=kinds)


def chained(n: int, *, deterministic: bool = True, **settings: Any) -> Any:
    @dsl.pipeline(default_compute=CLUSTER, **settings)
    def pipeline() -> dict[str, Any]:
        first = write(deterministic=deterministic)(n=n)
        first.name = "first"
        show()(d=first.outputs.o).name = "second"
        return {"result": first.outputs.o}

    return pipeline()


def test_the_same_pipeline_again_shows_the_steps_that_ran(jobs: Jobs, tmp_path: Path) -> None:
    """With the original's files and outputs.

    Recorded: pipe-get-child-job 8, pipe-child-run-download 20.
    """
    before = jobs.run(chained(5))["runId"]
    originals = jobs.children(before)

    again = jobs.run(chained(5))
    children = jobs.children(again["runId"])
    jobs.client.jobs.download(children["first"]["runId"], download_path=tmp_path, output_name="o")

    assert again["status"] == "Completed"
    for name, child in children.items():
        original, told = originals[name], child["properties"]
        assert {key: told[key] for key in told if key.startswith(("azureml.isre", "azureml.reused"))} == {
            "azureml.isreused": "true",
            "azureml.reusedrunid": original["runId"],
            "azureml.reusednodeid": original["properties"]["azureml.nodeid"],
            "azureml.reusedpipeline": before,
            "azureml.reusedpipelinerunid": before,
        }
        assert child["dataContainerId"] == original["dataContainerId"]
        assert child["startTimeUtc"] == child["endTimeUtc"]
        assert child["runTypeV2"] == {
            "orchestrator": None,
            "traits": ["azureml.StepRun"],
            "attribution": None,
            "computeType": None,
        }
        assert (child["compute"], child["computeRequest"], child["duration"]) == (None, None, "00:00:00")
    assert jobs.log(children["second"]["runId"]) == "5\n"
    assert (tmp_path / "named-outputs/o/n.txt").read_text() == "5\n"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"n": 5}, {"n": 6}),
        ({"n": 5}, {"n": 5, "force_rerun": True}),
        ({"n": 5, "deterministic": False}, {"n": 5, "deterministic": False}),
    ],
    ids=["another input", "forced", "not deterministic"],
)
def test_what_changed_is_computed(jobs: Jobs, first: Any, second: Any) -> None:
    """And what was asked for in any case."""
    jobs.run(chained(**first))
    children = jobs.children(jobs.run(chained(**second))["runId"])

    assert [child["properties"].get("azureml.isreused") for child in children.values()] == [None, None]


def test_a_step_is_reused_in_its_own_pipeline(jobs: Jobs) -> None:
    """It waits for the other one (pipe-reuse 6)."""

    @dsl.pipeline(default_compute=CLUSTER)
    def pipeline() -> None:
        write()(n=1).name = "one"
        write()(n=1).name = "other"

    children = jobs.children(jobs.run(pipeline())["runId"])

    ran, reused = sorted(children.values(), key=lambda child: "azureml.isreused" in child["properties"])
    assert "azureml.isreused" not in ran["properties"]
    assert reused["properties"]["azureml.reusedrunid"] == ran["runId"]
    assert reused["dataContainerId"] == ran["dataContainerId"]


def test_a_failed_step_is_not_shown_again(jobs: Jobs) -> None:
    """It is computed each time."""

    @dsl.pipeline(default_compute=CLUSTER)
    def pipeline() -> None:
        command(command="exit 3", environment=ENVIRONMENT)().name = "failing"

    for _ in range(2):
        (child,) = jobs.children(jobs.run(pipeline())["runId"]).values()
        assert (child["status"], child["properties"].get("azureml.isreused")) == ("Failed", None)


def test_outputs_are_registered_as_data(jobs: Jobs) -> None:
    """A step's under its own name, a pipeline's under that of the pipeline; both where the step put them.

    Recorded: pipe-details-completed 23, 76-79.
    """

    @dsl.pipeline(default_compute=CLUSTER)
    def inner(n: int) -> dict[str, Any]:
        return {"deep": write()(n=n).outputs.o}

    @dsl.pipeline(default_compute=CLUSTER)
    def pipeline() -> dict[str, Any]:
        bound, free, nested = write()(n=1), write()(n=2), inner(n=3)
        bound.name, free.name, nested.name = "bound", "free", "nested"
        free.outputs.o.name, free.outputs.o.version = "free_data", "v"
        nested.outputs.deep.name, nested.outputs.deep.version = "deep_data", "7"
        return {"result": bound.outputs.o}

    job = pipeline()
    job.outputs.result.name, job.outputs.result.version = "result_data", "x1"
    run = jobs.run(job)
    children = jobs.children(run["runId"])
    (deep,) = jobs.children(children["nested"]["runId"]).values()

    for name, version, step in (
        ("result_data", "x1", children["bound"]),
        ("free_data", "v", children["free"]),
        ("deep_data", "7", deep),
    ):
        found = jobs.plane.arm(f"/data/{name}/versions/{version}")
        properties = found["properties"]
        assert properties["dataUri"].endswith(f"/datastores/workspaceblobstore/paths/azureml/{step['runId']}/o/")
        assert (properties["tags"], properties["properties"], properties["dataType"]) == (None, None, "uri_folder")
        assert "lastModifiedBy" not in found["systemData"]
        assert [data.name for data in jobs.client.data.list(name)] == [name]


def test_a_command_jobs_output_is_registered(jobs: Jobs) -> None:
    """Without a version it gets the next number; a job that failed registers none."""
    for line in ("true", "exit 1", "true"):
        jobs.run(shell(line, outputs={"o": Output(type="uri_folder", name="made")}))

    assert [item["name"] for item in jobs.plane.arm("/data/made/versions")["value"]] == ["2", "1"]
