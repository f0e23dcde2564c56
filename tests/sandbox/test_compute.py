"""Submitted commands run: their data, logs, outputs, states and ends."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from azure.ai.ml import Input, Output
from azure.ai.ml.entities import CommandJobLimits, Data
from azure.ai.ml.exceptions import JobException

from sandbox.jobs import API, CLUSTER, ENVIRONMENT, Jobs, alive, jobs, python, shell
from sandbox.test_arm import chain

__all__ = ["jobs"]

LOGGING = """
import mlflow
mlflow.log_metrics({"loss": 0.5}, step=1)
mlflow.log_metrics({"loss": 0.25}, step=2)
mlflow.log_param("lr", 0.1)
mlflow.set_tag("stage", "trial")
mlflow.log_text("twice", "notes/said.txt")
"""
ENVIRON = "import json, os, sys; print(json.dumps([dict(os.environ), sys.executable, os.getcwd()]))"


def test_a_command_runs_with_its_code_and_leaves_outputs_and_a_log(jobs: Jobs, tmp_path: Path) -> None:
    """`outputs/` and the log are the run's artifacts."""
    script = "open('outputs/model.txt', 'w').write('weights'); print('trained')"

    run = jobs.run(python(tmp_path, script))
    jobs.client.jobs.download(run["runId"], download_path=tmp_path / "got")

    found = {path.name: path.read_text() for path in (tmp_path / "got").rglob("*.txt")}
    assert (run["status"], run["runType"]) == ("Completed", "azureml.scriptrun")
    assert found == {"model.txt": "weights", "std_log.txt": "trained\n"}
    assert run["startTimeUtc"] < run["endTimeUtc"]


def test_a_log_can_be_read_while_the_job_runs(jobs: Jobs, tmp_path: Path) -> None:
    """It is an append blob that grows."""
    flag = tmp_path / "go"
    name = jobs.submit(shell(f"echo first; until [ -e {flag} ]; do sleep 0.05; done; echo second"))

    while "first" not in jobs.log(name):
        time.sleep(0.05)
    running = jobs.plane.read(f"/runs/{name}")
    flag.touch()
    jobs.ended(name)

    assert (running["status"], running["endTimeUtc"], running["duration"]) == ("Running", None, None)
    assert jobs.log(name) == "first\nsecond\n"


def test_azure_ai_ml_streams_a_running_job(jobs: Jobs, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own way: URLs it signs itself, until the job has ended."""
    jobs.client.jobs.stream(jobs.submit(shell("echo hello from the node; sleep 3")))

    said = capsys.readouterr().out
    assert "Streaming user_logs/std_log.txt" in said
    assert "hello from the node" in said


def test_a_job_goes_through_the_recorded_states(jobs: Jobs) -> None:
    """The answer of the PUT says Starting; ARM and run history agree at the end."""
    submitted = jobs.client.jobs.create_or_update(shell("true"))
    ended = jobs.ended(submitted.name)

    assert submitted.status == "Starting"
    assert ended["statusRevision"] == 5  # Preparing, Queued, Running, Finalizing, Completed
    assert jobs.client.jobs.get(submitted.name).status == ended["status"] == "Completed"


def test_inputs_are_what_the_command_names(jobs: Jobs, tmp_path: Path) -> None:
    """Literals, a file, a folder, a data asset, and one that is only pointed at."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_text("A")
    asset = jobs.client.data.create_or_update(Data(name="asset", version="1", type="uri_folder", path=tmp_path / "in"))
    inputs = {
        "n": 3,
        "file": Input(type="uri_file", path=str(tmp_path / "in/a.txt")),
        "folder": Input(type="uri_folder", path=str(tmp_path / "in")),
        "asset": Input(type="uri_folder", path="azureml:asset:1"),
        "direct": Input(type="uri_folder", path="azureml://datastores/workspaceblobstore/paths/x/", mode="direct"),
    }
    line = (
        "echo ${{inputs.n}} $(cat ${{inputs.file}}) $(cat ${{inputs.folder}}/a.txt) $(ls ${{inputs.asset}})"
        " ${{inputs.direct}}"
    )

    run = jobs.run(shell(line, inputs=inputs))

    assert jobs.log(run["runId"]) == "3 A A a.txt azureml://datastores/workspaceblobstore/paths/x/\n"
    assert asset.path.startswith("azureml://subscriptions/")


def test_what_cannot_be_read_fails_the_job(jobs: Jobs) -> None:
    """An input that points nowhere."""
    nowhere = Input(type="uri_file", path="azureml://datastores/workspaceblobstore/paths/nowhere.txt")

    run = jobs.run(shell("cat ${{inputs.x}}", inputs={"x": nowhere}))

    assert run["status"] == "Failed"
    assert "nowhere.txt" in run["error"]["error"]["message"]


def test_a_blob_name_is_no_command(jobs: Jobs, tmp_path: Path) -> None:
    """A file's name is data: what a shell would run in it is not passed on."""
    odd = tmp_path / "a$(touch pwned).txt"
    odd.write_text("x")

    run = jobs.run(shell('cat "${{inputs.x}}"; ls', inputs={"x": Input(type="uri_file", path=str(odd))}))

    assert run["status"] == "Completed"
    assert "pwned" not in jobs.log(run["runId"]).split()


def test_a_named_output_can_be_downloaded_and_read_by_the_next_job(jobs: Jobs, tmp_path: Path) -> None:
    """It lies at `azureml/{job}/{output}/` of the default datastore."""
    line = "echo 42 > ${{outputs.answer}}/n.txt"
    first = jobs.run(shell(line, outputs={"answer": Output(type="uri_folder")}))["runId"]
    place = f"azureml://datastores/workspaceblobstore/paths/azureml/{first}/answer/"

    jobs.client.jobs.download(first, download_path=tmp_path, output_name="answer")
    second = jobs.run(shell("cat ${{inputs.x}}/n.txt", inputs={"x": Input(type="uri_folder", path=place)}))

    assert (tmp_path / "named-outputs/answer/n.txt").read_text() == "42\n"
    assert jobs.log(second["runId"]) == "42\n"


def test_outputs_are_told_as_assets_that_resolve(jobs: Jobs) -> None:
    """`UriFile` and `UriFolder`, as recorded; only rundata and details tell them."""
    outputs = {"file": Output(type="uri_file"), "folder": Output(type="uri_folder")}
    name = jobs.run(shell("echo 1 > ${{outputs.file}}; echo 2 > ${{outputs.folder}}/b", outputs=outputs))["runId"]

    told = jobs.plane.post("/rundata", runId=name, selectRunMetadata=True)["runMetadata"]["outputs"]
    asked = {"values": [output["assetId"] for output in told.values()]}
    resolved = jobs.plane.document("data", "POST", "/dataversion/batchGetResolvedUris", body=asked)["values"]

    assert {key: output["type"] for key, output in told.items()} == {
        "default": "UriFolder",
        "file": "UriFile",
        "folder": "UriFolder",
    }
    assert len(resolved) == 3
    assert jobs.plane.read(f"/runs/{name}")["outputs"] is None


def test_mlflow_in_a_job_logs_into_the_jobs_run(jobs: Jobs, tmp_path: Path) -> None:
    """An unmodified script: no login, no run id, no ending of its own."""
    run = jobs.run(python(tmp_path, LOGGING))

    rows = jobs.plane.document("metric", "POST", f"/runs/{run['runId']}/full", body={"metricName": "loss"})
    listed = jobs.plane.read(f"/experiments/compute/runs/{run['runId']}/artifacts")["value"]
    assert [(row["step"], row["data"]["loss"]) for row in rows["value"]] == [(1, 0.5), (2, 0.25)]
    assert (run["status"], run["tags"]["stage"]) == ("Completed", "trial")
    assert run["parameters"] == {"lr": "0.1"}
    assert {entry["path"] for entry in listed} == {"notes/said.txt", "user_logs/std_log.txt"}


def test_a_command_that_exits_with_an_error_has_failed(jobs: Jobs) -> None:
    """Run history holds the exit code and the log's end; azure-ai-ml raises it."""
    name = jobs.submit(shell("echo the reason >&2; exit 3"))
    run = jobs.ended(name)

    message = run["error"]["error"]["message"]
    assert (run["status"], run["error"]["error"]["code"]) == ("Failed", "UserError")
    assert "status code 3" in message
    assert "the reason" in message
    with pytest.raises(JobException, match="status code 3"):
        jobs.client.jobs.stream(name)


def test_a_command_that_takes_longer_than_its_limit_has_failed(jobs: Jobs) -> None:
    """Its timeout is its reason."""
    job = shell("sleep 60")
    job.limits = CommandJobLimits(timeout=1)

    run = jobs.run(job)

    assert run["status"] == "Failed"
    assert "1 s" in run["error"]["error"]["message"]


def test_cancel_ends_the_process_and_all_it_started(jobs: Jobs, tmp_path: Path) -> None:
    """Even one that does not listen; what it had left is kept."""
    pids = tmp_path / "pids"
    line = (
        f"trap '' TERM; sleep 60 & echo $! > {pids}; echo kept > outputs/a.txt; echo $$ >> {pids}; sleep 60; sleep 60"
    )
    name = jobs.submit(shell(line))
    while not pids.exists() or len(pids.read_text().split()) < 2:
        time.sleep(0.05)

    poller = jobs.client.jobs.begin_cancel(name)
    requested = jobs.plane.read(f"/runs/{name}")["status"]
    run = jobs.when(name, {"Canceled"})

    assert requested == "CancelRequested"
    assert not poller.done()
    assert [pid for pid in map(int, pids.read_text().split()) if alive(pid)] == []
    assert run["endTimeUtc"] is not None
    listed = jobs.plane.read(f"/experiments/compute/runs/{name}/artifacts")["value"]
    assert "outputs/a.txt" in {entry["path"] for entry in listed}


def test_cancel_is_an_operation_to_poll(jobs: Jobs) -> None:
    """202 with `null`, then 202 `{}`, then 200 and nothing; a command that has ended answers 200."""
    name = jobs.submit(shell("sleep 60"))
    jobs.when(name, {"Running"})

    asked = jobs.cancel(name)
    location = asked.headers["Location"]
    polls = [jobs.plane.session.get(location, timeout=30)]
    while polls[-1].status_code == 202:
        time.sleep(0.05)
        polls.append(jobs.plane.session.get(location, timeout=30))

    assert (asked.status_code, asked.text, "Retry-After" in asked.headers) == (202, "null", False)
    assert "/locations/" in location
    assert {poll.text for poll in polls[:-1]} <= {"{}"}
    assert (polls[-1].status_code, polls[-1].text) == (200, "")
    assert (jobs.cancel(name).status_code, jobs.cancel(name).text) == (200, "")


def test_run_history_cancels_what_computes(jobs: Jobs) -> None:
    """The other door to the same process."""
    name = jobs.submit(shell("sleep 60"))
    jobs.when(name, {"Running"})

    jobs.plane.document("history", "POST", f"/experiments/compute/runs/{name}/cancel")

    assert jobs.ended(name)["status"] == "Canceled"


def test_a_job_sees_its_own_variables_and_no_credentials(jobs: Jobs, tmp_path: Path) -> None:
    """The ones that azureml-mlflow reads, the submitter's own, and this Python; no login, no PYTHONPATH."""
    run = jobs.run(python(tmp_path, ENVIRON, environment_variables={"MY_OWN": "1"}))

    seen, executable, cwd = json.loads(jobs.log(run["runId"]))
    assert (seen["MLFLOW_RUN_ID"], seen["AZUREML_RUN_ID"], seen["MY_OWN"]) == (run["runId"], run["runId"], "1")
    assert seen["MLFLOW_EXPERIMENT_ID"] == run["experimentId"]
    assert not [name for name in seen if name.startswith("AZURE_") or name == "PYTHONPATH"]
    assert Path(executable).parent == Path(os.sys.executable).parent
    assert cwd.endswith(f"{run['runId']}/wd")


def test_no_more_jobs_run_at_a_time_than_there_are_nodes(jobs: Jobs, tmp_path: Path) -> None:
    """Two; the others wait as Queued."""
    here = tmp_path / "running"
    here.mkdir()
    line = f"touch {here}/$AZUREML_RUN_ID; ls {here} | wc -l; sleep 0.5; rm {here}/$AZUREML_RUN_ID"
    names = [jobs.submit(shell(line)) for _ in range(5)]

    seen = [int(jobs.log(jobs.ended(name)["runId"])) for name in names]

    assert max(seen) == 2


def test_put_on_a_taken_name_is_an_update(jobs: Jobs) -> None:
    """200; tags are merged and nothing runs again (recorded 11 times)."""
    given = {"jobType": "Command", "command": "echo once", "environmentId": ENVIRONMENT}
    created = jobs.put("job-1", **given, tags={"a": "1"}, properties={"p": "1"})
    first = jobs.ended("job-1")

    updated = jobs.put("job-1", **given, tags={"b": "2"}, properties={"p": "1"}, displayName="renamed")

    assert (created.status_code, updated.status_code) == (201, 200)
    assert created.headers["Location"].endswith("/jobs/job-1?api-version=2024-04-01")
    assert updated.json()["properties"]["tags"] == {**first["tags"], "b": "2"}
    assert updated.json()["properties"]["displayName"] == "renamed"
    assert jobs.log("job-1") == "once\n"


def test_a_job_is_archived_by_put(jobs: Jobs) -> None:
    """`isArchived`, and the list leaves it out."""
    given = {"jobType": "Command", "command": "true"}
    jobs.put("job-1", **given)
    jobs.ended("job-1")

    jobs.put("job-1", **given, isArchived=True)

    assert jobs.plane.arm("/jobs/job-1")["properties"]["isArchived"]
    assert jobs.plane.arm("/jobs")["value"] == []


@pytest.mark.parametrize(
    ("given", "status", "last"),
    [
        ({"jobType": "AutoML"}, 501, "SandboxNotImplemented"),
        ({"jobType": "Command"}, 400, "ArgumentBlankOrEmpty"),
        ({"jobType": "Command", "command": "echo ${{inputs.x}}"}, 400, "InvalidExpressionInJob"),
        ({"jobType": "Command", "command": "true", "computeId": "/x/computes/no"}, 404, "ComputeNotFound"),
    ],
)
def test_a_job_that_cannot_run_is_refused_and_not_there(
    jobs: Jobs, given: dict[str, str], status: int, last: str
) -> None:
    """Before anything is written."""
    answer = jobs.put("job-1", **given)

    assert (answer.status_code, chain(answer)[-1]) == (status, last)
    assert jobs.plane("arm", "GET", "/jobs/job-1", API).status_code == 404


def test_every_workspace_has_a_cluster(jobs: Jobs) -> None:
    """azure-ai-ml asks for it before it submits; another one is not there."""
    assert jobs.client.compute.get(CLUSTER).type == "amlcompute"
    assert jobs.plane("arm", "GET", "/computes/other", API).status_code == 404
