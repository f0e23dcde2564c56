"""The original tool's second command, as its document gives it: real jobs in the target, judged by other clients."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.test_seed_commands import command, configured, extract, jobs_of, run
from e2e.witness import Seen, look, tracking_uri
from environment import point_at

CONFIGS = ("--source", "config/source_config.json", "--target", "config/target_config.json")


def replay(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The document's second phase."""
    return run("replayer.build_pipeline", *arguments, folder=folder)


def originals(seen: Seen) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """By the tag that the document promises: the replays of each original. A parent's `self` stands for nobody."""
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for name, told in seen.runs.items():
        if "original_job_id" in told["tags"] and told["tags"].get("replay_role") != "self":
            found.setdefault(told["tags"]["original_job_id"], []).append((name, told))
    return found


@pytest.fixture(scope="module")
def replayed(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Seen, Seen, Path]]:
    """What the clients see of a source and of its replay, and the folder where both commands ran."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        source, target = sandbox.add_workspace(), sandbox.add_workspace()
        sample(sandbox.folder, source.workspace_name, Wanted(runs=30, experiments=2, series=2, points=4, artifacts=2))
        folder = configured(tmp_path_factory.mktemp("replayed"), source=source, target=target)
        assert extract(folder, "--output", "data/jobs.json").returncode == 0
        done = replay(folder, *CONFIGS, "--input", "data/jobs.json", "--expand-automl-trials")
        assert done.returncode == 0, done.stderr
        yield look(source), look(target), folder


def test_every_original_has_one_completed_replay_under_its_parent(replayed) -> None:
    """Whatever its own status was, which is a tag; trials too, with the flag."""
    there, here, _ = replayed
    found = originals(here)

    assert {name: len(replays) for name, replays in found.items()} == dict.fromkeys(there.runs, 1)
    for original, told in there.runs.items():
        ((name, replay),) = found[original]
        assert replay["status"] == "FINISHED"
        assert replay["experiment"] == told["experiment"]
        parent = told["tags"].get("mlflow.parentRunId")
        assert replay["tags"].get("mlflow.parentRunId") == (found[parent][0][0] if parent else None), name
    depths = {replay["tags"]["original_pipeline_depth"] for ((_, replay),) in found.values()}
    assert {"0", "1", "2"} <= depths


def test_every_point_and_parameter_is_on_the_replay(replayed) -> None:
    """Step, time and bits of every point."""
    there, here, _ = replayed
    name_of = {original: replays[0][0] for original, replays in originals(here).items()}

    assert {(name_of[run], name): rows for (run, name), rows in there.points.items()}.items() <= here.points.items()
    assert len(there.points) == 60
    for original, told in there.runs.items():
        assert told["params"].items() <= here.runs[name_of[original]]["params"].items()


def test_every_file_lies_under_the_replays_outputs(replayed) -> None:
    """By its bytes: a parent's lie with its `self`."""
    there, here, _ = replayed

    bytes_of = {
        (here.runs[run]["tags"].get("original_job_id"), digest)
        for (run, path), digest in here.files.items()
        if path.startswith("outputs/")
    }
    assert {(run, digest) for (run, _), digest in there.files.items()} <= bytes_of
    assert len(there.files) == 60


def test_again_submits_nothing(replayed, calm: Sandbox, azure_env) -> None:
    """No job twice; the verdict stands."""
    *_, folder = replayed

    again = replay(folder, *CONFIGS, "--input", "data/jobs.json", "--expand-automl-trials")

    assert again.returncode == 0, again.stderr
    assert "0 submitted now" in again.stdout
    assert not [r for r in calm.requests()["routes"] if r["method"] == "PUT" and "/jobs/" in r["route"]]


def test_the_logs_lie_where_the_document_says(replayed) -> None:
    *_, folder = replayed

    assert list((folder / "logs").glob("replayer_*.log"))
    assert list((folder / "logs").glob("extract_jobs_*.log"))


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No login in the environment, and no way out of the machine."""
    for name in [*os.environ]:
        if name.startswith("AZURE_"):
            monkeypatch.delenv(name)
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def test_a_dry_run_needs_no_login(replayed, nowhere: None, tmp_path: Path) -> None:
    """Tree and sums, and nothing is written: not even beside a file that stands alone."""
    *_, folder = replayed
    alone = configured(tmp_path / "alone", target=WorkspaceFile.read(folder / "config" / "target_config.json"))
    (alone / "jobs.json").write_bytes((folder / "data" / "jobs.json").read_bytes())

    beside = replay(folder, *CONFIGS, "--input", "data/jobs.json", "--dry-run", "--limit", "2")
    flags = ("--dry-run", "--expand-automl-trials")
    lone = replay(alone, "--target", "config/target_config.json", "--input", "jobs.json", *flags)

    assert (beside.returncode, lone.returncode) == (0, 0), beside.stderr + lone.stderr
    assert "2 jobs for " in beside.stdout
    assert "0 to submit\n└── 2 jobs there already" in beside.stdout
    assert "240 points" in lone.stdout
    assert sorted(path.name for path in alone.iterdir()) == ["config", "jobs.json", "logs"]


def test_the_hierarchy_is_drawn(replayed, nowhere: None) -> None:
    """Every original once, under its parent, with its type and status."""
    there, _, folder = replayed

    drawn = replay(
        folder, *CONFIGS, "--input", "data/jobs.json", "--debug-hierarchy", "--expand-automl-trials", "--dry-run"
    )

    assert drawn.returncode == 0, drawn.stderr
    assert all(drawn.stdout.count(f"{run} [") == 1 for run in there.runs)


@pytest.mark.slow
def test_a_lone_file_is_replayed_with_its_history(replayed, sandbox: Sandbox, azure_env, tmp_path: Path) -> None:
    """Points whole; with --source its files too, without it they stay behind, and that is said."""
    there, _, folder = replayed
    source = WorkspaceFile.read(folder / "config" / "source_config.json")
    for files, limit in ((True, "3"), (False, "1")):
        target = sandbox.add_workspace()
        alone = configured(tmp_path / str(files), source=source, target=target)
        (alone / "jobs.json").write_bytes((folder / "data" / "jobs.json").read_bytes())
        given = CONFIGS if files else CONFIGS[2:]

        done = replay(alone, *given, "--input", "jobs.json", "--limit", limit, "--expand-automl-trials")

        assert done.returncode == 0, done.stderr
        here = look(target)
        name_of = {original: replays[0][0] for original, replays in originals(here).items()}
        expected = {(name_of[run], name): rows for (run, name), rows in there.points.items() if run in name_of}
        assert expected
        assert expected.items() <= here.points.items()
        carried = {digest for (_, path), digest in here.files.items() if path.startswith("outputs/")}
        wanted = {digest for (run, _), digest in there.files.items() if run in name_of}
        assert (wanted <= carried) == files
        assert ("files stay behind: --source" in done.stderr) != files


def test_entries_taken_out_of_the_file_are_not_replayed(replayed, sandbox: Sandbox, azure_env, tmp_path: Path) -> None:
    """The file is what the user reads and edits; the archive beside it is where the values come from."""
    *_, folder = replayed
    target = sandbox.add_workspace()
    copy = configured(
        tmp_path / "copy", source=WorkspaceFile.read(folder / "config" / "source_config.json"), target=target
    )
    assert extract(copy, "--output", "data/jobs.json").returncode == 0
    jobs = jobs_of(copy / "data" / "jobs.json")
    kept = next(name for name, job in jobs.items() if job["parent_job_name"] is None and job["job_type"] == "command")
    (copy / "data" / "jobs.json").write_text(json.dumps([jobs[kept]]))
    roots = [name for name, job in jobs.items() if job["parent_job_name"] is None and name != kept]
    assert len(roots) > 1
    left = f"{len(roots)} jobs of the archive are not in data/jobs.json"

    planned = replay(copy, *CONFIGS, "--input", "data/jobs.json", "--dry-run")
    done = replay(copy, *CONFIGS, "--input", "data/jobs.json", "--no-copy-artifacts", "--source-container", "azureml")

    assert done.returncode == 0, done.stderr
    assert set(originals(look(target, files=False))) == {kept}
    (copy / "data" / "none.json").write_text("[]")
    (copy / "data" / "jobs.json").write_text("[]")
    for name in ("jobs.json", "none.json"):  # beside its archive, and alone
        refused = replay(copy, *CONFIGS, "--input", f"data/{name}")
        assert refused.returncode == 2, refused.stderr
        assert "names no job" in refused.stderr
    assert "--source-container azureml has no effect" in done.stderr
    for one in (planned, done):  # taken, and said by name; the verdict is about no more than it says
        (told,) = [line for line in one.stderr.splitlines() if left in line]
        assert all(name in told for name in roots)
    (verdict,) = [line for line in done.stdout.splitlines() if "all equal" in line]
    part = f"of {len(roots) + 1} jobs of the archive those in data/jobs.json, without {len(roots)}: "
    assert part in verdict


@pytest.fixture(scope="module")
def sampled(sandbox: Sandbox) -> WorkspaceFile:
    """Families of several kinds; nobody changes it."""
    source = sandbox.add_workspace()
    sample(sandbox.folder, source.workspace_name, Wanted(runs=30, experiments=2, series=2, points=4, artifacts=2))
    return source


def test_it_ends_with_what_stands_for_what(sampled: WorkspaceFile, sandbox: Sandbox, azure_env, tmp_path: Path) -> None:
    """A line for each submission, the tree that was asked for before them, the verdict's next command, the links.

    Again: what differs by now is named, with exit code 5.
    """
    target = sandbox.add_workspace()
    folder = configured(tmp_path / "user", source=sampled, target=target)
    assert extract(folder, "--output", "jobs.json").returncode == 0

    done = replay(folder, *CONFIGS, "--input", "jobs.json", "--limit", "2", "--debug-hierarchy")

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    stands = [line.split() for line in lines if " -> " in line]
    assert [line.split() for line in lines[-2:]] == stands, "the list is the end"
    assert len(stands) == 2
    log = next((folder / "logs").glob("replayer_*.log")).read_text()
    for original, _, job, page in stands:
        assert f"/runs/{job}?wsid=/subscriptions/{target.subscription_id}/" in page
        assert f"submitted: {original} -> {job}" in done.stderr
        assert f"submitted: {original} -> {job}" in log
        assert any(line.startswith(f"{original} [") for line in lines), "the tree of the originals"
    assert "each of them: azureml-replay report jobs.archive" in done.stdout

    mlflow.set_tracking_uri(tracking_uri(target))
    MlflowClient().set_tag(stands[0][2], "original_status", "made up")
    again = replay(folder, *CONFIGS, "--input", "jobs.json", "--limit", "2")

    assert again.returncode == 5, again.stderr
    assert 'tag original_status: "' in again.stdout
    assert " -> " in again.stdout.splitlines()[-1]
    assert "submitted: " not in again.stderr


@pytest.mark.parametrize("flags", [("--max-file-size", "1"), ("--no-copy-artifacts",)], ids=" ".join)
def test_a_dry_run_counts_what_the_replay_will_leave_behind(
    sampled: WorkspaceFile, sandbox: Sandbox, azure_env, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    """By reason; and it shows what is sent: tags, command, compute."""
    folder = configured(tmp_path / "user", source=sampled, target=sandbox.add_workspace())
    assert extract(folder, "--output", "jobs.json").returncode == 0
    given = (*CONFIGS, "--input", "jobs.json", "--limit", "1", *flags)

    dry, done = replay(folder, *given, "--dry-run"), replay(folder, *given)

    assert (dry.returncode, done.returncode) == (0, 0), dry.stderr + done.stderr
    reasons = [{line.strip("├└─│ ") for line in one.stdout.splitlines() if " x " in line} for one in (dry, done)]
    assert reasons[0] == reasons[1]
    last = [one.stderr.splitlines()[-1] for one in (dry, done)]
    assert last[0] == f"Next: python -m replayer.build_pipeline {' '.join(given)}", "the same in earnest"
    assert last[1].startswith("Next: azureml-replay report jobs.archive --target ")
    assert any("left out by" in reason for reason in reasons[0])
    assert "compute: serverless" in dry.stdout
    assert "command: python -m azureml_replay.synthetic.step" in dry.stdout
    assert "original_job_id = " in dry.stdout


def test_flags_of_trials_without_the_flag_for_trials_are_told(replayed, nowhere: None, tmp_path: Path) -> None:
    """And a metric that no trial has."""
    *_, there = replayed
    folder = configured(tmp_path / "alone", target=WorkspaceFile.read(there / "config" / "target_config.json"))
    (folder / "jobs.json").write_bytes((there / "data" / "jobs.json").read_bytes())
    given = (*CONFIGS[2:], "--input", "jobs.json", "--dry-run")
    idle = ("--replay-automl-max-trials", "1", "--replay-automl-top-metric", "none such")

    without, with_ = replay(folder, *given, *idle), replay(folder, *given, *idle, "--expand-automl-trials")

    for flag in idle[::2]:
        assert f"{flag} has no effect without --expand-automl-trials" in without.stderr
    assert "has no effect" not in with_.stderr
    assert "no trial logged a metric none such: its trials keep the order of their numbers" in with_.stderr


def test_a_run_that_ends_in_an_error_has_its_log_too(replayed, nowhere: None, tmp_path: Path) -> None:
    """The line that the terminal shows stands in it."""
    *_, there = replayed
    folder = configured(tmp_path / "user", source=WorkspaceFile.read(there / "config" / "source_config.json"))

    done = extract(folder, "--output", "jobs.json")

    (log,) = (folder / "logs").glob("extract_jobs_*.log")
    assert done.returncode in (2, 3)
    assert done.stderr.strip().splitlines()[-1].removeprefix("error: ") in log.read_text()


def test_entries_that_were_edited_by_hand_are_refused(replayed, nowhere: None, tmp_path: Path) -> None:
    """By job and field; a child that was taken out or added too. Alone in a folder, the same file is taken as it is."""
    *_, folder = replayed
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    file = copy / "data" / "jobs.json"
    jobs = jobs_of(file)
    child = next(name for name, job in jobs.items() if job["parent_job_name"] is not None)
    again = ("--input", "data/jobs.json", "--dry-run")

    file.write_text(json.dumps([*jobs.values()], indent=1))
    laid_out_anew = replay(copy, *CONFIGS, *again)
    file.write_text(json.dumps([job for name, job in jobs.items() if name != child]))
    lacking = replay(copy, *CONFIGS, *again)
    file.write_text(json.dumps([*jobs.values(), {**jobs[child], "name": "added-by-hand"}]))
    added = replay(copy, *CONFIGS, *again)
    jobs[child]["tags"] = {"team": "edited"}
    file.write_text(json.dumps([*jobs.values()]))
    edited = replay(copy, *CONFIGS, *again)
    shutil.rmtree(copy / "data" / "jobs.archive")
    alone = replay(copy, *CONFIGS, *again)

    assert (laid_out_anew.returncode, alone.returncode) == (0, 0), laid_out_anew.stderr + alone.stderr
    assert (added.returncode, "names added-by-hand, which the archive" in added.stderr) == (2, True), added.stderr
    assert (lacking.returncode, f"lacks job {child}" in lacking.stderr) == (2, True), lacking.stderr
    assert (edited.returncode, f"tags of job {child} was edited by hand" in edited.stderr) == (2, True), edited.stderr


def the_originals(workspace: WorkspaceFile) -> list[dict[str, Any]]:
    """A file as the original tool wrote it: steps without parents, last values, folders for files."""
    at = (
        f"/subscriptions/{workspace.subscription_id}/resourceGroups/{workspace.resource_group}/providers/"
        f"Microsoft.MachineLearningServices/workspaces/{workspace.workspace_name}/jobs/"
    )
    common = {"status": "JobStatus.COMPLETED", "created_at": "2025-01-15T10:00:00+00:00", "mlflow_params": {"lr": "1"}}
    pipeline = {"name": "pipe", "job_type": "pipeline", "experiment_name": "cats", "pipeline_sub_jobs": {"train": {}}}
    step = {"name": "step", "job_type": "base", "display_name": "train", "experiment_name": None}
    lone = {"name": "lone", "job_type": "command", "experiment_name": "dogs", "tags": {"original_job_id": "older"}}
    return [
        {**common, **pipeline, "id": at + "pipe", "mlflow_metrics": {"loss": 0.5}},
        {**common, **step, "id": at + "step", "mlflow_metrics": {"loss": float("nan"), "acc": 0.9}},
        {**common, **lone, "id": at + "lone", "mlflow_metrics": {}, "mlflow_artifact_paths": ["outputs/", "logs/"]},
    ]


def test_the_originals_own_file_is_replayed(sandbox: Sandbox, azure_env, tmp_path: Path) -> None:
    """Steps under the pipeline that their node names tell of, last values as points, and what lacks is counted."""
    source, target = sandbox.add_workspace(), sandbox.add_workspace()
    folder = configured(tmp_path / "user", target=target)
    (folder / "jobs.json").write_text(json.dumps(the_originals(source), indent=2))

    command = ("--target", "config/target_config.json", "--input", "jobs.json")
    done, planned = replay(folder, *command), replay(folder, *command, "--dry-run")

    assert done.returncode == 0, done.stderr
    here = look(target, files=False)
    name_of = {original: replays[0][0] for original, replays in originals(here).items()}
    assert set(name_of) == {"pipe", "step", "lone"}
    assert here.runs[name_of["step"]]["tags"]["mlflow.parentRunId"] == name_of["pipe"]
    assert [bits for *_, bits in here.points[name_of["step"], "loss"]] == ["nan"]
    assert [float.fromhex(bits) for *_, bits in here.points[name_of["step"], "acc"]] == [0.9]
    assert here.runs[name_of["step"]]["experiment"] == "cats"
    assert "3 x jobs.json holds the last value only" in planned.stdout


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ("[", [], "jobs.json, line 1"),
        ('[{"name": "a"}]', [], "say with --source"),
        (None, [], "no such file"),
        ("[]", ["--target", "none.json"], "none.json"),
        ("[]", ["--replay-automl-trial-sampling", "worst"], "worst"),
        ("[]", ["--limit", "-1"], "--limit"),
    ],
)
def test_what_is_wrong_is_one_line(
    replayed, nowhere: None, tmp_path: Path, text: str | None, arguments: list[str], says: str
) -> None:
    """Exit code 2, and the file or flag in it."""
    *_, folder = replayed
    alone = configured(tmp_path / "alone", target=WorkspaceFile.read(folder / "config" / "target_config.json"))
    if text is not None:
        (alone / "jobs.json").write_text(text)

    done = replay(alone, "--target", "config/target_config.json", "--input", "jobs.json", *arguments)

    assert done.returncode == 2, done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")
    assert says in done.stderr


def test_the_modules_help_names_the_documents_flags() -> None:
    """Word for word."""
    flags = {
        "extractor.extract_jobs": (
            "--source --output --include --include-file --limit --parallel --no-artifacts --include-active"
        ),
        "replayer.build_pipeline": (
            "--input --source --target --limit --dry-run --expand-automl-trials --replay-automl-max-trials "
            "--replay-automl-top-metric --replay-automl-trial-sampling --copy-artifacts --no-copy-artifacts "
            "--debug-hierarchy --source-container --seed --artifact-budget"
        ),
    }
    for module, names in flags.items():
        told = subprocess.run(command(module, "--help"), capture_output=True, text=True, check=True).stdout
        assert not [name for name in names.split() if name not in told.replace("\n", " ")]
