"""What users of tools like this one lose, line by line: each number is one way to lose it, each test would fail on it.

 1 only last values, at step 0 and now       test_01_curves_stay_curves
 2 parameters, tags, status, times unused    test_02_parameters_tags_status_and_times_arrive
 3 one refused metric loses the others       test_03_what_is_refused_fails_loudly_and_loses_nothing_else
 4 parent links and experiment names gone    test_04_families_stay_together
 5 trials dropped, or strangers              test_05_trials_come_with_the_flag_and_are_counted_without
 6 a pipeline's own values dropped           test_06_a_parent_keeps_its_own_values
 7 a failing read is an empty result         test_07_a_failing_read_is_no_empty_result; archived jobs: test_02
 8 a crash loses all, a repeat doubles all   test_08_the_map_is_kept; test_seed_commands: killed at any moment;
                                             test_seed_replays: again submits nothing
 9 the pager stops after one page            test_09_every_page_of_children; test_sizes, for all lists
10 names that overwrite, mangle, fail        test_10_files_keep_their_bytes_whatever_their_names
11 prefixes without a slash                  test_11_neighbours_are_not_taken_along
12 one request a blob; runs without files    test_12_files_are_listed_not_probed
13 client downloads, no checksum             test_13_files_go_from_storage_to_storage
14 signatures in files and inputs            test_14_no_signature_and_no_key_is_left_anywhere
15 the source's tags overwrite the lineage   test_15_a_replay_of_a_replay_points_at_its_source
16 exit code 0 whatever happened             test_16_refused_submissions_end_with_3; test_seed_commands: what is wrong
17 too many tags, long names fail            test_17_what_is_too_long_or_too_many_overflows
18 "429" anywhere is a throttle              test_18_a_429_in_a_name_is_no_throttle; test_http: the stated wait
19 only from the clone; flags without effect test_19_flags_do_what_they_say; test_seed_replays: dry run and hierarchy
20 one container, two uploads, two assets    test_20_one_container_a_run_and_one_component_for_all
21 four to six requests a job for no history test_21_few_requests_for_the_whole_history
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import mlflow
import pytest
import requests
from azure.identity import DefaultAzureCredential
from azure.storage.blob import ContainerClient
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import workspace_config
from azureml_replay.model import RunId
from azureml_replay.synthetic.options import job_of
from azureml_replay.workspace.place import Place
from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.test_seed_commands import configured, extract, jobs_of
from e2e.test_seed_replays import CONFIGS, originals, replay
from e2e.witness import Seen, look, ml_client, tracking_uri
from environment import point_at

ODD = "hostile-0-"
"""How the sample names its oddities."""
INPUT = ("--input", "data/jobs.json")


Files = dict[tuple[str, str], str]
"""(run, path) -> SHA-256 of the bytes, of the artifact store: MLflow's client cannot download every legal name."""


def files_in(workspace: WorkspaceFile) -> Files:
    """Asked of the storage, by its own client."""
    store = ml_client(workspace).datastores.get("workspaceartifactstore", include_secrets=True)
    account = f"https://{store.account_name}.blob.core.windows.net"
    with ContainerClient(account, store.container_name, credential=store.credentials.account_key) as container:
        return {
            tuple(blob.name.removeprefix("ExperimentRun/dcid.").split("/", 1)): sha256(  # type: ignore[misc]
                container.download_blob(blob.name).readall()
            ).hexdigest()
            for blob in container.list_blobs("ExperimentRun/dcid.")
        }


@dataclass(frozen=True)
class Done:
    """One replay of everything, by the document's two commands."""

    source: WorkspaceFile
    target: WorkspaceFile
    folder: Path
    there: Seen
    here: Seen
    files_there: Files
    files_here: Files
    extraction: list[dict[str, Any]]
    """The sandbox's count of requests, by route."""
    replay: list[dict[str, Any]]
    crafted: dict[str, str]
    """What the crafted runs are for -> their ids."""

    @property
    def ref(self) -> Place:
        return workspace_config(str(self.target.path)).ref

    def archive(self) -> Archive:
        return Archive.open(self.folder / "data" / "jobs.archive", write=False)

    def replay_of(self, original: str) -> tuple[str, dict[str, Any]]:
        """The one run that stands for it, and what MLflow tells of it."""
        ((name, told),) = originals(self.here)[original]
        return name, told

    def files_of(self, original: str) -> dict[str, str]:
        """Path -> digest, of its replay; a parent's lie with its `self`."""
        owners = {run for run, told in self.here.runs.items() if told["tags"].get("original_job_id") == original}
        return {path: digest for (run, path), digest in self.files_here.items() if run in owners}


def crafted(source: WorkspaceFile) -> dict[str, str]:
    """A three-level family with values of its own on each level, a replay of a replay, a run with a NaN."""
    mlflow.set_tracking_uri(tracking_uri(source))
    client = MlflowClient()
    experiment = client.create_experiment("crafted")
    made: dict[str, str] = {}
    for name, parent in (("top", None), ("middle", "top"), ("bottom", "middle"), ("again", None), ("nan", None)):
        tags = {"mlflow.parentRunId": made[parent]} if parent else {}
        made[name] = run = client.create_run(experiment, 1_700_000_000_000, tags, name).info.run_id
        curve = [Metric("loss", 1 / (step + 1), 1_700_000_000_000 + 1_000 * step, step) for step in range(200)]
        client.log_batch(run, curve, [Param("level", name)], [RunTag("team", "blue")])
    client.set_tag(made["again"], "original_job_id", "older")
    client.log_batch(made["nan"], [Metric("bad", float("nan"), 1, 0), Metric("zz", 2.5, 1, 0)])
    for run in made.values():
        client.set_terminated(run, "FINISHED", 1_700_000_900_000)
    return made


@pytest.fixture(scope="module")
def done(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    """Every oddity that the sandbox knows, families of every kind, and the crafted ones, from end to end."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        source, target = sandbox.add_workspace(), sandbox.add_workspace()
        wanted = Wanted(runs=24, experiments=1, series=1, points=3, artifacts=2)
        sample(sandbox.folder, source.workspace_name, wanted, hostile=("values", "files"))
        made = crafted(source)
        folder = configured(tmp_path_factory.mktemp("again"), source=source, target=target)
        (folder / "tmp").mkdir()
        patch.setenv("TMPDIR", str(folder / "tmp"))
        sandbox.reset_requests()
        succeeded(extract(folder, "--output", "data/jobs.json"))
        extraction = sandbox.requests()["routes"]
        sandbox.reset_requests()
        succeeded(replay(folder, *CONFIGS, *INPUT, "--expand-automl-trials"))
        replaying = sandbox.requests()["routes"]
        seen = look(source, files=False), look(target, files=False), files_in(source), files_in(target)
        yield Done(source, target, folder, *seen, extraction, replaying, made)


def succeeded(process: subprocess.CompletedProcess[str]) -> None:
    assert process.returncode == 0, process.stderr


def count(routes: list[dict[str, Any]], workspace: WorkspaceFile, word: str) -> int:
    """Requests of a workspace whose method and route hold the word."""
    return sum(
        one["count"]
        for one in routes
        if one["workspace"] == workspace.workspace_name and word in f"{one['method']} {one['route']}"
    )


def test_01_curves_stay_curves(done: Done) -> None:
    """200 points are 200 points, with the steps and times they had."""
    name, _ = done.replay_of(done.crafted["top"])

    assert done.here.points[name, "loss"] == done.there.points[done.crafted["top"], "loss"]
    assert len({step for step, _, _ in done.here.points[name, "loss"]}) == 200


def test_02_parameters_tags_status_and_times_arrive(done: Done) -> None:
    """Of every run, archived ones too; what the target's own clock and state overwrite is in tags."""
    jobs = jobs_of(done.folder / "data" / "jobs.json")
    assert f"{ODD}archived" in jobs
    for original, job in jobs.items():
        _, told = done.replay_of(original)
        assert told["tags"]["original_status"] == job["status"]
        assert told["tags"].get("original_start_time") == job["start_time"]
    _, top = done.replay_of(done.crafted["top"])
    assert (top["params"], top["tags"]["team"]) == ({"level": "top"}, "blue")


def test_03_what_is_refused_fails_loudly_and_loses_nothing_else(
    done: Done, calm: Sandbox, azure_env, tmp_path: Path
) -> None:
    """NaN arrives. Where the target refuses what a step sends, what it took stays, and nobody says Completed."""
    name, _ = done.replay_of(done.crafted["nan"])
    assert [bits for *_, bits in done.here.points[name, "bad"]] == ["nan"]

    target = calm.add_workspace()
    folder = configured(tmp_path / "user", source=done.source, target=target)
    succeeded(extract(folder, "--output", "data/jobs.json", "--include", done.crafted["nan"]))
    match = {"path": "log-batch", "workspace": target.workspace_name}
    calm.set_faults([{"match": match, "after": 1, "do": "status", "status": 400}])
    refused = replay(folder, *CONFIGS, *INPUT)
    seen = look(target, files=False)

    assert refused.returncode == 3, refused.stdout
    assert [told["status"] for told in seen.runs.values()] == ["FAILED"]
    assert {metric for _, metric in seen.points} == {"loss", "bad", "zz"}
    assert any(path.endswith("replay/refused.json") for _, path in files_in(target))

    calm.set_faults()
    succeeded(replay(folder, *CONFIGS, *INPUT))
    again = look(target, files=False)
    whole = [run for run, told in originals(again)[done.crafted["nan"]] if told["status"] == "FINISHED"]
    assert len(whole) == 1
    assert {metric for run, metric in again.points if run == whole[0]} == {"loss", "bad", "zz"}


def test_04_families_stay_together(done: Done) -> None:
    """Three levels, each below the right one, in the experiment of its name."""
    names = {level: done.replay_of(run) for level, run in done.crafted.items()}

    assert names["middle"][1]["tags"]["mlflow.parentRunId"] == names["top"][0]
    assert names["bottom"][1]["tags"]["mlflow.parentRunId"] == names["middle"][0]
    assert {told["experiment"] for _, told in names.values()} == {"crafted"}
    tags = names["bottom"][1]["tags"]
    assert (tags["original_parent_job_id"], tags["original_pipeline_depth"]) == (done.crafted["middle"], "2")


def test_05_trials_come_with_the_flag_and_are_counted_without(done: Done) -> None:
    """Below their own parent, told as trials; or named by the parent that stands alone."""
    jobs = jobs_of(done.folder / "data" / "jobs.json")
    parents = {name for name, job in jobs.items() if job["job_type"] in ("sweep", "automl") and job["child_run_ids"]}
    trials = [child for parent in parents for child in jobs[parent]["child_run_ids"]]
    assert trials
    for trial in trials:
        _, told = done.replay_of(trial)
        assert told["tags"]["automl_role"] in ("automl_trial", "automl_auxiliary")
        parent, above = done.replay_of(jobs[trial]["parent_job_name"])
        assert told["tags"]["mlflow.parentRunId"] == parent
        assert above["tags"]["automl_role"] == "automl_parent"

    planned = replay(done.folder, "--target", "sub/group/other", *INPUT, "--dry-run")
    assert f"{len(trials)} x a child of an AutoML or sweep job" in planned.stdout


def test_06_a_parent_keeps_its_own_values(done: Done) -> None:
    """Metrics and parameters on its own run, though it has children."""
    for level in ("top", "middle"):
        name, told = done.replay_of(done.crafted[level])
        assert len(done.here.points[name, "loss"]) == 200
        assert told["params"]["level"] == level


def test_07_a_failing_read_is_no_empty_result(done: Done, calm: Sandbox, azure_env, tmp_path: Path) -> None:
    """A run whose metrics cannot be read is named, is not in the file, and the command does not end with 0."""
    folder = configured(tmp_path, source=done.source)
    match = {"path": f"{done.crafted['nan']}/list", "workspace": done.source.workspace_name}
    calm.set_faults([{"match": match, "do": "status", "status": 403}])

    failed = extract(folder, "--output", "data/jobs.json")

    assert failed.returncode == 3
    assert f"failed: {done.crafted['nan']}" in failed.stderr
    jobs = jobs_of(folder / "data" / "jobs.json")
    assert done.crafted["nan"] not in jobs
    assert len(jobs) == len(jobs_of(done.folder / "data" / "jobs.json")) - 1
    calm.set_faults()
    succeeded(extract(folder, "--output", "data/jobs.json"))
    assert done.crafted["nan"] in jobs_of(folder / "data" / "jobs.json")


def test_08_the_map_is_kept(done: Done) -> None:
    """From every original to its job, in the archive and on the run itself."""
    with done.archive() as archive:
        known = {root: job_of(archive.ledger(done.ref), RunId(root)) for root in archive.units()}

    assert known
    assert all(bound == done.replay_of(root)[0] for root, bound in known.items())


def test_09_every_page_of_children(sandbox: Sandbox, azure_env, tmp_path: Path) -> None:
    """A parent with more children than any page holds."""
    source = sandbox.add_workspace()
    wanted = Wanted(runs=251, children=250, experiments=1, series=0, points=0, artifacts=0)
    sample(sandbox.folder, source.workspace_name, wanted)
    folder = configured(tmp_path, source=source)

    succeeded(extract(folder, "--output", "jobs.json"))

    assert max(len(job["child_run_ids"]) for job in jobs_of(folder / "jobs.json").values()) > 200


def test_10_files_keep_their_bytes_whatever_their_names(done: Done) -> None:
    """`#`, `?`, `%41`, `..` inside a name, another alphabet, `outputs/outputs/x` beside `outputs/x`.

    One file that is gone takes neither the others nor the metrics with it; what no disk can hold is said.
    """
    for oddity in ("odd-names", "job-1", "kinds-of-blobs", "disagreeing"):
        wanted = Counter(
            digest
            for (run, path), digest in done.files_there.items()
            if run == ODD + oddity and "//" not in path and len(path) < 256
        )
        assert wanted
        assert wanted <= Counter(done.files_of(ODD + oddity).values()), oddity
    assert sha256(b'{"line": 1}\n').hexdigest() in done.files_of(f"{ODD}elsewhere").values()
    kept = done.files_of(f"{ODD}disagreeing")
    assert {"outputs/agreed.bin", "outputs/stored_but_not_listed.bin"} <= kept.keys()
    with done.archive() as archive:
        said = [one.what for one in archive.ledger(done.ref).planned_omissions() if one.run == f"{ODD}odd-names"]
    unholdable = [
        path for run, path in done.files_there if run == f"{ODD}odd-names" and ("//" in path or len(path) > 255)
    ]
    assert len(unholdable) == 2
    assert all(f"file {path}" in said for path in unholdable)


def test_11_neighbours_are_not_taken_along(done: Done) -> None:
    """Neither `outputs_old` as `outputs`, nor job-10's files as job-1's."""
    one, ten = done.files_of(f"{ODD}job-1"), done.files_of(f"{ODD}job-10")
    there = done.files_there

    assert one["outputs/a.txt"] == there[f"{ODD}job-1", "outputs/a.txt"]
    assert one["outputs/outputs/a.txt"] == there[f"{ODD}job-1", "outputs/outputs/a.txt"]
    assert there[f"{ODD}job-1", "outputs_old/a.txt"] in {
        digest for path, digest in one.items() if path.startswith("outputs/other/")
    }
    own = {digest for path, digest in one.items() if "/replay/" not in path}
    assert not own & {digest for path, digest in ten.items() if "/replay/" not in path}


def test_12_files_are_listed_not_probed(done: Done) -> None:
    """A handful of listings for all containers; a request of its own for a file in another datastore alone."""
    assert count(done.extraction, done.source, "HEAD blob") <= 2
    assert count(done.extraction, done.source, "GET blob list") <= 3
    without = [job for job in jobs_of(done.folder / "data" / "jobs.json").values() if not job["mlflow_artifact_paths"]]
    assert len(without) > 3


def test_13_files_go_from_storage_to_storage(done: Done) -> None:
    """Nothing is downloaded from the source, and every byte was compared by the step."""
    files = sum(len(job["mlflow_artifact_paths"]) for job in jobs_of(done.folder / "data" / "jobs.json").values())

    assert count(done.replay, done.source, "GET blob GET") == 0
    unholdable = 3  # one is gone, and no disk holds the names of two
    ways = ("PUT blob PUT copy", "PUT blob PUT blocklist")  # whole, or in blocks, as logs are
    assert sum(count(done.replay, done.target, way) for way in ways) == files - unholdable


def arm_jobs(workspace: WorkspaceFile) -> list[str]:
    """Every job's document as ARM has it: inputs, settings, graph."""
    token = DefaultAzureCredential().get_token("https://management.azure.com/.default").token
    names = workspace.subscription_id, workspace.resource_group, workspace.workspace_name
    url: str | None = (
        "https://management.azure.com/subscriptions/{}/resourceGroups/{}/providers/"
        "Microsoft.MachineLearningServices/workspaces/{}/jobs?api-version=2024-04-01"
    ).format(*names)
    found: list[str] = []
    while url:
        page = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=60).json()
        found += [json.dumps(job) for job in page["value"]]
        url = page.get("nextLink")
    return found


def test_14_no_signature_and_no_key_is_left_anywhere(done: Done, tmp_path: Path) -> None:
    """Not in a job, a run, a replayed file, the archive, the log or a temporary file."""
    secret = os.environ["AZURE_CLIENT_SECRET"]
    documents = arm_jobs(done.target)
    assert len(documents) > 20
    told = json.dumps(done.here.runs)
    local = [path.read_bytes().decode("latin-1") for path in done.folder.rglob("*") if path.is_file()]

    for text in (*documents, told, *local):
        assert "sig=" not in text
        assert "AccountKey" not in text
        assert secret not in text


def test_15_a_replay_of_a_replay_points_at_its_source(done: Done) -> None:
    """Its tag names the run of this source; what the run said of itself is kept beside it."""
    _, told = done.replay_of(done.crafted["again"])

    assert told["tags"]["original_job_id"] == done.crafted["again"]
    assert "older" in json.dumps(told["tags"])


def test_16_refused_submissions_end_with_3(done: Done, calm: Sandbox, azure_env, tmp_path: Path) -> None:
    """Submitted is not done, and not submitted even less."""
    target = calm.add_workspace()
    folder = configured(tmp_path, source=done.source, target=target)
    succeeded(extract(folder, "--output", "data/jobs.json", "--include", done.crafted["again"]))
    match = {"method": "PUT", "path": "/jobs/", "workspace": target.workspace_name}
    calm.set_faults([{"match": match, "do": "status", "status": 403}])

    refused = replay(folder, *CONFIGS, *INPUT)

    assert refused.returncode == 3
    assert f"failed: {done.crafted['again']}" in refused.stderr


def test_17_what_is_too_long_or_too_many_overflows(done: Done) -> None:
    """60 tags, long texts, 400 parameters, too many metrics: a completed job, and a file with what had no room."""
    for oddity in ("many-tags", "long-texts", "many-parameters", "many-metrics", "system-tags"):
        _, told = done.replay_of(ODD + oddity)
        assert told["status"] == "FINISHED"
        assert any(path.endswith("overflow.json") for path in done.files_of(ODD + oddity)), oddity


def test_18_a_429_in_a_name_is_no_throttle(done: Done, calm: Sandbox, azure_env, tmp_path: Path) -> None:
    """A refusal whose text says 429 is asked once; a real one, by its status, again and again until it ends."""
    folder = configured(tmp_path, source=done.source)

    missing = extract(folder, "--output", "jobs.json", "--include", "run-429-429")
    assert missing.returncode == 2
    assert "run-429-429" in missing.stderr

    match = {"path": "experiments:query", "workspace": done.source.workspace_name}
    calm.reset_requests()
    calm.set_faults([{"match": match, "times": 1, "do": "status", "status": 503}])
    succeeded(extract(folder, "--output", "jobs.json", "--limit", "1"))
    assert count(calm.requests()["routes"], done.source, "experiments:query") == 2


def test_19_flags_do_what_they_say(done: Done, calm: Sandbox, azure_env, tmp_path: Path) -> None:
    """--no-artifacts leaves a file that can be replayed; --no-copy-artifacts leaves the files, and nothing else."""
    run = done.crafted["bottom"]
    job = f"{ODD}job-1"
    for number, (extracting, replaying) in enumerate([(["--no-artifacts"], []), ([], ["--no-copy-artifacts"])]):
        target = calm.add_workspace()
        folder = configured(tmp_path / str(number), source=done.source, target=target)
        named = f"{job},{done.crafted['top']}"
        succeeded(extract(folder, "--output", "data/jobs.json", "--include", named, *extracting))
        succeeded(replay(folder, *CONFIGS, *INPUT, *replaying))
        here = look(target, files=False)
        carried = {digest for (_, path), digest in files_in(target).items() if path.startswith("outputs/")}
        assert not carried & {digest for (name, _), digest in done.files_there.items() if name == job}
        ((name, _),) = originals(here)[run]
        assert len(here.points[name, "loss"]) == 200


def test_20_one_container_a_run_and_one_component_for_all(done: Done) -> None:
    """No upload and no data asset of a job's own: the code once, the step once, a graph once for each shape."""
    assert count(done.replay, done.target, "PUT /codes/") == 1
    assert count(done.replay, done.target, "/data/") == 0
    roots = [job for job in jobs_of(done.folder / "data" / "jobs.json").values() if job["parent_job_name"] is None]
    assert count(done.replay, done.target, "PUT /components/") < len(roots) / 2
    extra = [told for told in done.here.runs.values() if told["tags"].get("replay_role") == "self"]
    parents = [job for job in jobs_of(done.folder / "data" / "jobs.json").values() if job["child_run_ids"]]
    assert len(extra) <= len(parents)


def test_21_few_requests_for_the_whole_history(done: Done) -> None:
    """Whole curves cost about as many requests as there are metrics; everything else comes in bulk."""
    jobs = jobs_of(done.folder / "data" / "jobs.json")
    series = sum(len(job["metric_history"]) for job in jobs.values())
    asked = sum(one["count"] for one in done.extraction)

    lists = 2 * len(jobs)  # the metrics' names, the index of files
    assert asked <= series + lists + 40
    assert sum(one["count"] for one in done.extraction if "token" in one["route"]) <= 3
