"""Where the bytes of a run's named outputs lie, from whatever document tells of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from azureml_replay.azure.wire.outputs import outputs_of
from azureml_replay.instants import Instant
from azureml_replay.model import AssetReference, Job, Json, Run, RunDetails, RunId

RUN = Run(id=RunId("r1"), status="Completed", start=Instant(0))
ASSET = "azureml://locations/eastus2/workspaces/guid/data/azureml_{}_output_data_{}/versions/1"
CONTAINER = "azureml://datastores/workspaceartifactstore/ExperimentRun/dcid.r1"


def of_job(outputs: Json, kind: str = "Command", run: Run = RUN) -> dict[str, str]:
    job = Job(run.id, {"properties": {"jobType": kind, "outputs": outputs}})
    return dict(outputs_of(RunDetails(run=run), job))


def of_run(definition: Json = None, run: Run = RUN, **outputs: str) -> dict[str, str]:
    shown = {name: AssetReference(asset, "UriFolder") for name, asset in outputs.items()}
    return dict(outputs_of(RunDetails(run=replace(run, outputs=shown), definition=definition), None))


def test_an_output_without_a_place_lies_under_the_jobs_name() -> None:
    """The service leaves `uri` null even when the job has completed."""
    assert of_job({"model": {"uri": None, "jobOutputType": "uri_folder"}, "default": {"uri": CONTAINER}}) == {
        "model": "workspaceblobstore: azureml/r1/model/"
    }


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("azureml://datastores/other/paths/out/${{name}}/${{output_name}}/", "other: out/r1/model/"),
        ("azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/other/paths/a/b", "other: a/b"),
        ("https://a.blob.core.windows.net/c/d", "https://a.blob.core.windows.net/c/d"),
    ],
)
def test_an_authors_place_is_told(uri: str, place: str) -> None:
    assert of_job({"model": {"uri": uri}}) == {"model": place}
    assert of_job({"model": {"uri": uri}}, kind="Pipeline") == {"model": place}


def test_a_default_output_that_was_sent_elsewhere_counts() -> None:
    """Its name says nothing: its place does."""
    assert of_job({"default": {"uri": "azureml://datastores/other/paths/x/"}}) == {"default": "other: x/"}
    assert of_job({"default": None}) == {}


def test_steps_tell_in_their_definition() -> None:
    """As recorded; the older SDK has datastore and path instead of a URI."""
    path = "azureml://datastores/workspaceblobstore/paths/azureml/${{name}}/out/"
    data = {
        "out": {"outputLocation": {"uri": {"path": path, "isFile": False}, "dataPath": None}},
        "old": {"outputLocation": {"uri": None, "dataPath": {"datastoreName": "ds", "relativePath": "dataset/r1/old"}}},
    }

    assert of_run({"outputData": data}, out=ASSET.format("r1", "out"), default=ASSET.format("r1", "default")) == {
        "out": "workspaceblobstore: azureml/r1/out/",
        "old": "ds: dataset/r1/old",
    }


def test_a_pipelines_outputs_lie_with_the_steps_that_wrote_them() -> None:
    """What run history shows has the step's id; what it does not show yet is told by the step alone."""
    shown = {"best": AssetReference(ASSET.format("step", "out"), None)}
    job = Job(RUN.id, {"properties": {"jobType": "Pipeline", "outputs": {"best": {"uri": None}, "lost": None}}})

    found = outputs_of(RunDetails(run=replace(RUN, outputs=shown)), job)

    assert found == {"best": "workspaceblobstore: azureml/step/out/"}


def test_a_reused_steps_outputs_lie_with_their_owner() -> None:
    """Its definition would put them under its own id."""
    data = {"out": {"outputLocation": {"uri": {"path": "azureml://datastores/b/paths/azureml/${{name}}/out/"}}}}
    reused = replace(RUN, lender=RunId("owner"))

    assert of_run({"outputData": data}, reused, out=ASSET.format("owner", "out")) == {
        "out": "workspaceblobstore: azureml/owner/out/"
    }


def test_a_registered_output_is_told_by_its_asset() -> None:
    asset = "azureml://locations/eastus2/workspaces/guid/data/model_a/versions/7"

    assert of_run(out=asset) == {"out": "data asset model_a version 7"}
    assert of_run(out="azureml://flow_outputs") == {}, "no place is made up"


def test_a_model_is_no_such_output() -> None:
    """Its bytes are the run's files, as a rule."""
    assert of_run(out="azureml://locations/eastus2/workspaces/guid/models/m/versions/7") == {}


def test_a_job_that_never_began_wrote_nothing() -> None:
    outputs = {"model": {"uri": None}}

    assert of_job(outputs, run=replace(RUN, status="Canceled", start=None)) == {}
    assert of_job(outputs, run=replace(RUN, status="Canceled"))
    assert of_job(outputs, run=replace(RUN, status="Completed", start=None))


@pytest.mark.parametrize("broken", [[], "x", 7, {"model": []}, {"model": {"outputLocation": []}}, {"model": "***"}])
def test_documents_of_unforeseen_form_raise_nothing(broken: Any) -> None:
    of_job(broken)
    of_run({"outputData": broken})
    of_run(broken)
    assert outputs_of(RunDetails(run=RUN), Job(RUN.id, broken)) == {}
