"""Assets on services that keep less of them, and what MLflow and a resubmission make of what arrived."""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
import zlib
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml  # type: ignore[import-untyped]
from azure.ai.ml import Input, command, dsl
from azure.ai.ml.entities import CommandComponent
from mlflow import MlflowClient

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.assets import NAME_TAKEN_OUT, NO_VERSION
from azureml_replay.archive.checking import check
from azureml_replay.cli.assets import rows_of
from azureml_replay.direct.assets import COPIED, UNLINKED
from azureml_replay.direct.options import AssetsSent
from azureml_replay.model import RunId
from azureml_replay.planning.asset_fit import ALIASES, TAKEN_OUT
from azureml_replay.planning.assets import REDACTED
from azureml_replay.verbs import MigrateOptions, verify
from azureml_sandbox.server.sandbox import Sandbox
from e2e.assets import SHORT, client_of, filled, listed, small
from e2e.library import configured, examined, migrated
from e2e.test_assets import EVERYTHING, called, token, written
from e2e.witness import tracking_uri
from sandbox.conftest import plane
from sandbox.jobs import API, CLUSTER, ENVIRONMENT, Jobs, jobs, shell
from sandbox.mlflow_client import tracking
from sandbox.plane import Plane
from sandbox.test_models import of_run
from sandbox.test_tracking_models import MODEL, register

__all__ = ["jobs", "plane", "tracking"]


def test_models_answer_to_mlflow_on_both_sides(
    tracking: MlflowClient, plane: Plane, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions with run, stage and source are found; a model of a run and one from disk are loaded and answer."""
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(MODEL)
    mlflow.pyfunc.save_model("saved", python_model="own.py", pip_requirements=[])
    run = tracking.create_run(tracking.create_experiment("train"))
    tracking.log_artifacts(run.info.run_id, "saved", "model")
    tracking.set_terminated(run.info.run_id)
    for _ in range(2):
        register(tracking, run.info.run_id, tags={"a": "1"})
    tracking.transition_model_version_stage("own", "2", "Production")
    tracking.create_registered_model("disk")
    tracking.create_model_version("disk", f"file://{tmp_path}/saved")
    target = sandbox.add_workspace()

    done = asyncio.run(migrated(plane.workspace, target, tmp_path / "archive", options=EVERYTHING))

    before = versions(tracking)
    uri = tracking_uri(target)
    mlflow.set_tracking_uri(uri)
    assert (done.verdict.findings, done.verdict.assets_equal) == (0, 3)
    assert versions(MlflowClient(uri)) == before
    assert {one[2] for one in before if one[0] == "own"} == {run.info.run_id}
    for side in (tracking_uri(plane.workspace), uri):
        assert searched(side, "") == ["disk:1", "own:2", "own:1"]
        assert searched(side, f"run_id = '{run.info.run_id}'") == ["own:2", "own:1"]
        assert searched(side, "name = 'disk'") == ["disk:1"]
    for model in ("models:/own/1", "models:/disk/1"):
        assert mlflow.pyfunc.load_model(model).predict(None) == "it works"


def searched(uri: str, asked: str) -> list[str]:
    """What MLflow's registry finds of models that are no prompts."""
    return [f"{one.name}:{one.version}" for one in MlflowClient(uri).search_model_versions(asked)]


def versions(client: MlflowClient) -> list[tuple[Any, ...]]:
    """One by one: MLflow 3 adds a filter to searches that the service refuses. Without the guid of an upload."""
    found = [client.get_model_version(*one) for one in (("own", "1"), ("own", "2"), ("disk", "1"))]
    return [
        (one.name, one.version, one.run_id, one.current_stage, str(one.source).partition("LocalUpload")[0], one.tags)
        for one in found
    ]


def test_a_service_that_keeps_less_is_told_of(plane: Plane, sandbox: Sandbox, calm: Sandbox, tmp_path: Path) -> None:
    """Dropped links, copied bytes and hidden graphs: an omission each, and no finding; again, nothing is written."""
    small(plane)
    calm.set_faults(strict=["drop-job-names", "replicate-models", "hide-component-graphs"])
    target, folder = calm.add_workspace(), tmp_path / "archive"

    done = asyncio.run(migrated(plane.workspace, target, folder, options=EVERYTHING))
    again = asyncio.run(migrated(plane.workspace, target, folder, options=EVERYTHING))
    calm.set_faults()

    reasons = done.verdict.reasons
    assert (done.verdict.findings, again.verdict.findings, again.replayed.assets.made) == (0, 0, 0)
    assert (done.verdict.assets, done.verdict.assets_equal) == (5, 5)
    assert reasons["the service does not show the graph of a pipeline component"] == 1
    assert reasons[UNLINKED.format("trained")] + reasons.get(COPIED, 0) == 2


def test_a_job_submitted_again_makes_no_second_asset(
    jobs: Jobs, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """With what it named in the source: environment and data by name and version, code by the hash of its bytes."""
    filled(jobs, tmp_path)
    target = sandbox.add_workspace()
    asyncio.run(migrated(jobs.plane.workspace, target, tmp_path / "archive", options=EVERYTHING))
    there = Plane(target, token())
    before = counts(there)

    client_of(target).jobs.create_or_update(
        command(
            command="true",
            code=str(tmp_path / "code"),
            environment="azureml:own-env:2",
            compute=CLUSTER,
            inputs={"d": Input(type="uri_file", path="azureml:numbers:1")},
        )
    )

    assert counts(there) == before


def counts(plane: Plane) -> dict[str, int]:
    """Versions by kind, of names that are listed."""
    found = {}
    for kind in ("codes", "environments", "components"):
        names = [one["name"] for one in plane.arm(f"/{kind}")["value"]]
        found[kind] = sum(len(plane.arm(f"/{kind}/{name}/versions")["value"]) for name in names)
    return found


def private(secret: str) -> dict[str, dict[str, Any]]:
    """Environments that have a secret in one place each: options of pip, in each spelling, and variables."""
    index = f"https://me:{secret}@pypi.example/simple"
    options = {
        "extra": f"--extra-index-url {index}",
        "equals": f"--index-url={index}",
        "short": f"-i {index}",
        "links": f"--find-links {index}",
        "package": f"own @ git+https://{secret}@git.example/own.git",
    }
    files = {name: {"dependencies": ["python=3.11", {"pip": [option, "own"]}]} for name, option in options.items()}
    files["variables"] = {"dependencies": ["python=3.11"], "variables": {"INDEX_PASSWORD": secret, "A": "1"}}
    return {
        **{name: {"image": "ubuntu", "condaFile": yaml.safe_dump(file)} for name, file in files.items()},
        "probe": {"image": "ubuntu", "inferenceConfig": {"livenessRoute": {"port": 1, "path": f"/?token={secret}"}}},
        "image": {"image": f"https://me:{secret}@images.example/own"},
    }


def test_what_had_a_secret_is_listed_and_not_made(plane: Plane, sandbox: Sandbox, tmp_path: Path) -> None:
    """A secret in what makes an asset: the archive has none of it, the target no such asset, and each has its line.

    One in a tag, a property or a description is taken out of that, and told.
    """
    secret = secrets.token_urlsafe(24)
    bad = private(secret)
    for name, said in bad.items():
        plane.document("arm", "PUT", f"/environments/{name}/versions/1", API, {"properties": said})
    spec = {"type": "command", "command": "true", "environment_variables": {"API_KEY": secret}, "name": "steps"}
    plane.document("arm", "PUT", "/components/steps/versions/1", API, {"properties": {"componentSpec": spec}})
    told = {"tags": {"password": secret}, "properties": {"p": f"token={secret}"}, "description": f"password={secret}"}
    plane.document("arm", "PUT", "/environments/told/versions/1", API, {"properties": {"image": "ubuntu", **told}})
    small(plane)
    target = sandbox.add_workspace()

    done = asyncio.run(migrated(plane.workspace, target, tmp_path / "archive", options=EVERYTHING))

    there = Plane(target, token())
    assert [there("arm", "GET", f"/environments/{one}/versions/1", API).status_code for one in bad] == [404] * len(bad)
    assert there("arm", "GET", "/components/steps/versions/1", API).status_code == 404
    assert done.verdict.reasons[REDACTED] == len(bad) + 1
    assert secret.encode() not in (tmp_path / "archive" / "archive.db").read_bytes()
    with Archive.open(tmp_path / "archive", write=False) as archive:
        redacted = {str(one.key) for one in archive.assets() if one.redacted}
        rows = rows_of(archive, archive.ledger(configured(target).ref))
        assert {f"{one.kind} {one.name}:1" for one in rows if one.detail == REDACTED} == redacted
    assert redacted == {*(f"environment {name}:1" for name in bad), "component steps:1"}
    assert listed(there) == listed(plane)
    assert secret not in json.dumps(there.arm("/environments/told/versions/1"))
    fields = ("tag password", "property p", "description")
    assert done.verdict.reasons["; ".join(f"{name}: {TAKEN_OUT}" for name in fields)] == 1
    assert done.verdict.findings == 0


def test_no_name_version_or_path_of_an_asset_has_a_secret(plane: Plane, sandbox: Sandbox, tmp_path: Path) -> None:
    """Of a known form: neither in the archive nor in the target. Each has its line, and so has what names it."""
    secret = f"hf_{secrets.token_hex(20)[:34]}"
    small(plane)
    folder = {"dataType": "uri_folder", "dataUri": f"{SHORT}d/"}
    said = {
        f"data/{secret}/versions/1": folder,
        f"data/version/versions/{secret}": folder,
        "data/path/versions/1": {**folder, "dataUri": f"{SHORT}{secret}/"},
        f"models/{secret}/versions/1": {"modelType": "custom_model", "modelUri": f"{SHORT}{secret}/m"},
        f"environments/{secret}/versions/1": {"image": "ubuntu"},
    }
    for path, one in said.items():
        plane.document("arm", "PUT", f"/{path}", API, {"properties": one})
    plane.document("arm", "PUT", f"/models/{secret}-empty", API, {"properties": {"description": "d"}})
    guid = plane.properties["workspaceId"]
    named = f"azureml://locations/westeurope/workspaces/{guid}/data/{secret}/versions/1"
    plane.put("naming", inputs={"d": {"assetId": named, "type": "UriFolder"}}, status="Completed")
    target, referenced = sandbox.add_workspace(), MigrateOptions(deep=True)

    done = asyncio.run(migrated(plane.workspace, target, tmp_path / "archive", options=EVERYTHING))
    fewer = asyncio.run(migrated(plane.workspace, target, tmp_path / "fewer", options=referenced))

    there = Plane(target, token())
    assert (done.verdict.reasons[REDACTED], done.verdict.reasons[NO_VERSION], done.verdict.findings) == (5, 1, 0)
    assert (fewer.verdict.reasons[NAME_TAKEN_OUT], fewer.verdict.findings) == (1, 0)
    for path in ("archive", "fewer"):
        assert secret.encode() not in (tmp_path / path / "archive.db").read_bytes() + records_of(tmp_path / path)
    assert secret not in json.dumps([there.arm(f"/{kind}") for kind in ("data", "models", "environments")])
    with Archive.open(tmp_path / "archive", write=False) as archive:
        (use,) = archive.asset_uses(RunId("naming"))
        assert use.key
        kept = archive.asset(use.key)
        assert kept
        assert kept.redacted
        assert check(archive).damages == ()


def test_no_default_and_no_input_whose_name_says_secret_goes_out(
    jobs: Jobs, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Of a job, a step and a component, by azure-ai-ml: what stands beside them goes, the component does not."""
    plane, target, archive = jobs.plane, sandbox.add_workspace(), tmp_path / "archive"
    secret = {name: secrets.token_hex(12) for name in ("default", "job", "pipeline", "step", "variable")}
    own = submitted(jobs, secret)

    done = asyncio.run(migrated(plane.workspace, target, archive, options=EVERYTHING))
    browsed = [json.dumps(document) for document in documents_of(Plane(target, token()), [own, "pipe"])]

    kept = b"".join([one.read_bytes() for one in archive.rglob("*") if one.is_file()]) + records_of(archive)
    for what, value in secret.items():
        assert value.encode() not in kept, f"that of the {what} is in the archive"
        assert not any(value in one for one in browsed), f"that of the {what} is in the target"
    assert b'"plain-default"' in kept
    assert any('"bert"' in one for one in browsed)
    assert (done.verdict.findings, done.verdict.reasons[REDACTED]) == (0, 1)
    with Archive.open(archive, write=False) as opened:
        assert [str(one.key) for one in opened.assets() if one.redacted] == ["component private:1"]
        told = [one.what for one in opened.omissions() if one.run == own]
    assert "value at job/properties/inputs/db_password/value" in told
    assert not any("lr" in one or "tokenizer" in one for one in told)


def submitted(jobs: Jobs, secret: dict[str, str]) -> str:
    """A job of its own, and a pipeline whose step is of a component; each is told secrets as inputs. The job's name."""
    types = {"db_password": secret["default"], "tokenizer": "plain-default"}
    component = CommandComponent(
        name="private",
        version="1",
        command="true",
        environment=ENVIRONMENT,
        inputs={name: Input(type="string", default=value) for name, value in types.items()},
    )
    registered = jobs.client.components.create_or_update(component)

    @dsl.pipeline(compute=CLUSTER)  # type: ignore[untyped-decorator]
    def pipe(db_password=secret["pipeline"]) -> None:  # type: ignore[no-untyped-def]
        bound = registered(db_password=db_password)
        bound.environment_variables = {"OTHER_TOKEN": secret["variable"]}
        registered(db_password=secret["step"])

    own = str(jobs.run(shell("true", inputs={"db_password": secret["job"], "tokenizer": "bert", "lr": 0.1}))["runId"])
    jobs.ended(jobs.submit(pipe(), "pipe"))
    return own


def documents_of(plane: Plane, runs: list[str]) -> list[Any]:
    """What run history tells of runs, of their children, and the file that tells their job."""
    mlflow.set_tracking_uri(tracking_uri(plane.workspace))
    found = list[Any]()
    for run in runs:
        path = mlflow.artifacts.download_artifacts(run_id=run, artifact_path="replay/job.json")
        children = [one["runId"] for one in plane.read(f"/runs/{run}/children")["value"]]
        found += [json.loads(Path(path).read_text()), *(plane.read(f"/runs/{one}/details") for one in (run, *children))]
    return found


def records_of(archive: Path) -> bytes:
    """Every compressed document."""
    with closing(sqlite3.connect(archive / "archive.db")) as db:
        tables = ("run_version", "job", "asset", "asset_container")
        found = [one for table in tables for (one,) in db.execute(f"select record from {table}")]  # noqa: S608
    return b"".join(map(zlib.decompress, found))


def test_models_are_linked_by_the_registry_where_arm_loses_their_run(
    plane: Plane, calm: Sandbox, tmp_path: Path
) -> None:
    """The first model tells that ARM does; the next version, and those of later calls, are made with their run.

    One whose version is a text has no such way: its property names the run, and an omission tells it.
    """
    small(plane)
    calm.set_faults(strict=["drop-job-names"])
    target, folder = calm.add_workspace(), tmp_path / "archive"
    uri = "azureml://jobs/trained/outputs/artifacts/paths/model/"

    first = asyncio.run(migrated(plane.workspace, target, folder, options=EVERYTHING))
    for version in ("3", "text"):
        body = {"properties": {"modelType": "mlflow_model", "modelUri": uri, "jobName": "trained", "stage": "Staging"}}
        calm.set_faults()
        plane.document("arm", "PUT", f"/models/own/versions/{version}", API, body)
        calm.set_faults(strict=["drop-job-names"])
    later, again = (asyncio.run(migrated(plane.workspace, target, folder, options=EVERYTHING)) for _ in range(2))
    calm.set_faults()

    there = Plane(target, token())
    told = {one["name"]: one["properties"] for one in there.arm("/models/own/versions", listViewType="All")["value"]}
    assert {name: one["jobName"] for name, one in told.items()} == {
        "1": "trained",
        "2": None,
        "3": "trained",
        "text": None,
    }
    assert told["3"]["stage"] == "Staging"
    unlinked = UNLINKED.format("trained")
    assert [one.verdict.reasons[unlinked] for one in (first, later, again)] == [1, 2, 2]
    assert (first.verdict.findings, later.verdict.findings, again.replayed.assets.made) == (0, 0, 0)


def test_aliases_come_along_where_a_target_was_seen_to_take_them(
    tracking: MlflowClient, plane: Plane, calm: Sandbox, tmp_path: Path
) -> None:
    """Till then each is an omission; afterwards MLflow's client finds the versions by them, and a change is told.

    One that leads to a version of somebody's there stays with that. Again, nothing is written.
    """
    small(plane)
    uri, (source, target) = of_run(plane, "trained"), (plane.workspace, calm.add_workspace())
    body = {"properties": {"modelType": "mlflow_model", "modelUri": uri}}
    plane.document("arm", "PUT", "/models/own/versions/3", API, body)
    calm.set_faults(strict=[f"model-aliases@{source.workspace_name}"])
    for alias, version in (("champion", "1"), ("next", "3"), ("theirs", "3")):
        tracking.set_registered_model_alias("own", alias, version)
    go = partial(migrated, source, target, tmp_path / "archive", options=EVERYTHING)
    there = MlflowClient(tracking_uri(target))

    before = asyncio.run(go())
    calm.set_faults(strict=["model-aliases"])
    asyncio.run(examined(source, target, tmp_path / "archive"))
    Plane(target, token()).document("arm", "PUT", "/models/own/versions/9", API, body)
    there.set_registered_model_alias("own", "theirs", "9")
    done = asyncio.run(go())
    writes = [written(calm, target)]
    again = asyncio.run(go())
    writes.append(written(calm, target))
    told = dict(there.get_registered_model("own").aliases)
    there.delete_registered_model_alias("own", "champion")
    gone = asyncio.run(called(target, tmp_path / "archive", verify))

    assert [before.verdict.reasons[ALIASES.format(names)] for names in ("champion", "next, theirs")] == [1, 1]
    assert before.verdict.findings == 0
    assert told == {"champion": "1", "next": "3", "theirs": "9"}
    assert done.replayed.assets.updated == 2
    assert (again.replayed.assets, writes[0]) == (AssetsSent(), writes[1])
    assert [one.what for one in again.verdict.first] == ["model own:3: alias theirs"]
    assert {one.what for one in gone.first} == {"model own:1: alias champion", "model own:3: alias theirs"}
