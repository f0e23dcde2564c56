"""Secrets that were planted in the source are nowhere afterwards: not in archive, log, output or target."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path

import mlflow
import orjson
import pytest
import requests
from azure.identity import DefaultAzureCredential
from mlflow import MlflowClient

from azureml_replay import cli
from azureml_replay.archive.archive import Archive
from azureml_replay.redact import NEWEST
from azureml_sandbox.server.opened import opened
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.tampering import change, fill, in_pairs
from e2e.witness import ml_client, tracking_uri

RUN = "with-secrets"
CONTENT = "what the file says"


def planted() -> dict[str, str]:
    """Made now, so that none stands in the repository: what each is, and its value."""
    random = secrets.token_urlsafe(32)
    return {
        "signature": secrets.token_hex(20) + "%3D",
        "token": f"eyJ{secrets.token_urlsafe(20)}.eyJ{secrets.token_urlsafe(40)}.{secrets.token_urlsafe(43)}",
        "password": random,
        "account key": secrets.token_hex(43) + "==",
        "GitHub token": "gh" + "p_" + secrets.token_hex(18),
    }


def plant(sandbox: Sandbox, source: WorkspaceFile, secret: dict[str, str]) -> None:
    """A finished run and its job: a token in a document, a SAS in an input, a key in an environment variable."""
    url = f"https://account.blob.core.windows.net/data/x.csv?sv=2024-01-01&sig={secret['signature']}&sp=r"
    mlflow.set_tracking_uri(tracking_uri(source))
    client = MlflowClient()
    experiment = client.create_experiment("secrets")
    run = client.create_run(experiment, tags={"source": url}, run_name=RUN).info.run_id
    client.log_param(run, "data", url)
    token = secret["GitHub token"]
    client.log_metric(run, f"loss of {token}", 0.5)
    client.log_metric(run, "loss of another", 0.25)
    client.log_text(run, CONTENT, f"outputs/{token}/notes.txt")
    client.set_tag(run, f"tag {token}", "x")
    client.log_param(run, f"param {token}", f"x {token}")
    client.set_terminated(run)
    with opened(sandbox.folder, source.workspace_name) as (world, there):
        document = orjson.loads(orjson.dumps(world.runs.get(there.guid, run)))
        document["token"] = secret["token"]
        document["jobSpecification"] = {
            "inputs": {"data": {"uri": url}},
            "environmentVariables": {"DB_PASSWORD": secret["password"], "PLAIN": "kept"},
        }
        document["properties"]["connection"] = f"AccountName=a;AccountKey={secret['account key']};EndpointSuffix=x"
        world.runs.put(there.guid, document)


def texts_of(folder: Path) -> bytes:
    """All bytes below a folder, with every compressed document of the archive unpacked."""
    found = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    for database in folder.rglob("archive.db"):
        with closing(sqlite3.connect(database)) as db:
            records = db.execute("select record from run_version union all select record from job").fetchall()
        found += [zlib.decompress(record) for (record,) in records]
    return b"\n".join(found)


def texts_of_target(target: WorkspaceFile) -> bytes:
    """Every run document, as run history tells it, and every file's bytes."""
    token = DefaultAzureCredential().get_token("https://management.azure.com/.default").token
    workspace = ml_client(target).workspaces.get(target.workspace_name)
    found = []
    uri = str(workspace.mlflow_tracking_uri)
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    host, _, rest = uri.removeprefix("azureml://").partition("/mlflow/v2.0")
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id]):
            answer = requests.post(
                f"https://{host}/history/v1.0{rest.partition('?')[0]}/rundata",
                json={"runId": run.info.run_id, "selectRunMetadata": True, "selectRunDefinition": True,
                      "selectJobSpecification": True},
                headers={"Authorization": f"Bearer {token}"}, timeout=60,
            )  # fmt: skip
            found.append(answer.content)
            for artifact in client.list_artifacts(run.info.run_id, "replay"):
                path = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=artifact.path)
                found.append(Path(path).read_bytes())
    return b"\n".join(found)


def names_in_target(target: WorkspaceFile, token: str) -> tuple[set[str], str]:
    """The metrics of the run, and what the renamed file says."""
    mlflow.set_tracking_uri(tracking_uri(target))
    client = MlflowClient()
    (run,) = client.search_runs([one.experiment_id for one in client.search_experiments() if one.name == "secrets"])
    path = f"outputs/{NEWEST.name(token)}/notes.txt"
    read = Path(mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=path)).read_text()
    times = [len(client.get_metric_history(run.info.run_id, name)) for name in run.data.metrics]
    assert times == [1] * len(times)
    return set(run.data.metrics), read


def test_planted_secrets_are_nowhere(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, monkeypatch) -> None:
    """Each is an omission that says where it was; what stands beside it is carried."""
    monkeypatch.chdir(tmp_path)
    source, target, secret = calm.add_workspace(), calm.add_workspace(), planted()
    plant(calm, source, secret)

    command = [str(Path(sys.executable).with_name("azureml-replay")), "migrate", "--debug", "--archive", "archive"]
    command += ["--source", str(source.path), "--target", str(target.path), "--json"]
    calls = (command, command, [*command, "--check-all", "--artifacts", "download"])
    ended = [subprocess.run(call, capture_output=True, check=False, env=dict(os.environ)) for call in calls]
    output = b"".join(one.stdout + one.stderr for one in ended)

    assert [one.returncode for one in ended] == [0, 0, 0], output.decode()
    first, again, anew = (json.loads(one.stdout) for one in ended)
    assert (first["extracted"]["runs"], again["extracted"]["runs"], anew["extracted"]["runs"]) == (1, 0, 1)
    assert (again["replayed"]["points"], anew["replayed"]["points"], anew["replayed"]["files"]) == (0, 0, 0)
    kept, arrived = texts_of(tmp_path), texts_of_target(target)
    for what, value in secret.items():
        for where, text in (
            ("archive or log", kept),
            ("target", arrived),
            ("output", output),
        ):
            assert value.encode() not in text, f"{what} is in {where}"
    assert b"account.blob.core.windows.net/data/x.csv" in arrived
    assert b"PLAIN" in arrived
    token = secret["GitHub token"]
    assert names_in_target(target, token) == ({f"loss of {NEWEST.name(token)}", "loss of another"}, CONTENT)
    assert first["verdict"]["omissions"] >= 4
    with closing(sqlite3.connect("archive/archive.db")) as db:
        assert db.execute("select count(*) from omission where reason like '%secret%'").fetchone()[0] >= 4


def test_what_is_to_be_taken_out_from_now_on_is_read_again(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, monkeypatch
) -> None:
    """`--redact` for runs that did not change: the archive has it no more, and no finding shows what the target has."""
    monkeypatch.chdir(tmp_path)
    source, target, pin = calm.add_workspace(), calm.add_workspace(), secrets.token_hex(8)
    change(calm, source, fill)
    change(calm, source, in_pairs("properties", {"pin": pin}))
    change(calm, source, in_pairs("tags", {"pin of a tag": pin}))

    command = [str(Path(sys.executable).with_name("azureml-replay")), "migrate", "--archive", "archive", "--json"]
    command += ["--source", str(source.path), "--target", str(target.path)]
    calls = (command, [*command, "--redact", "pin*"], command)
    ended = [subprocess.run(call, capture_output=True, check=False, env=dict(os.environ)) for call in calls]
    first, anew, again = (json.loads(one.stdout) for one in ended)

    assert first["extracted"]["runs"] == anew["extracted"]["runs"] == 2
    assert again["extracted"]["runs"] == 0
    assert [one.returncode for one in ended] == [0, 5, 5], "a property is written once: the target has it still"
    assert [one["what"] for one in anew["verdict"]["first"]] == ["property pin"]
    assert pin.encode() not in texts_of(tmp_path) + b"".join(one.stdout + one.stderr for one in ended)


@pytest.mark.parametrize("mode", ["direct", "synthetic"])
def test_nothing_is_sent_that_came_before_its_redaction(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: str
) -> None:
    """An extraction with `--redact` that is killed, or a merge, leaves runs as they came: these are extracted first."""
    source, target, pin = calm.add_workspace(), calm.add_workspace(), secrets.token_hex(8)
    change(calm, source, fill)
    change(calm, source, in_pairs("tags", {"pin": pin}))
    archive = tmp_path / "archive"
    extract = ["extract", "--source", str(source.path), "--archive", str(archive)]
    replay = ["replay", str(archive), "--source", str(source.path), "--target", str(target.path)]

    assert cli.run(extract) == 0
    with Archive.open(archive) as known:
        place = known.source
    Archive.create(archive, place, redact=["pin*"]).close()
    refused = cli.run([*replay, "--mode", mode])
    with opened(calm.folder, target.workspace_name) as (world, there):
        held = world.runs.get(there.guid, "root")

    assert (refused, held) == (2, None)
    assert "2 runs of" in capsys.readouterr().err
    assert (cli.run(extract), cli.run(replay)) == (0, 0)
    assert pin.encode() not in texts_of(tmp_path) + texts_of_target(target)
