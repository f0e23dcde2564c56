"""Units that were replayed directly, as jobs, both ways or not at all: one verify, each by its own check."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from azureml_replay.archive.archive import Archive
from azureml_replay.direct.options import OnConflict, ReplayOptions
from azureml_replay.direct.replay import replay
from azureml_replay.errors import UserError
from azureml_replay.selection import Selection
from azureml_replay.synthetic.replay import replay_synthetic
from azureml_replay.synthetic.step.points import PROGRESS
from azureml_replay.verbs import verify
from azureml_replay.verification.verdict import Verdict
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.histories import START_MS, small
from e2e.tampering import Held, change
from e2e.test_synthetic import extracted, opened
from e2e.witness import tracking_uri
from environment import point_at

JOBS = Selection(experiments=("small",))
"""A parent with two children."""
RUNS = Selection(experiments=("alone",))
"""A run by itself."""


@pytest.fixture(scope="module")
def source(sandbox: Sandbox) -> Iterator[WorkspaceFile]:
    """Two units, in an experiment each."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        workspace = sandbox.add_workspace()
        small(workspace)
        mlflow.set_tracking_uri(tracking_uri(workspace))
        client = MlflowClient()
        run = client.create_run(client.create_experiment("alone"), start_time=START_MS, run_name="alone").info.run_id
        client.log_metric(run, "loss", 0.5, START_MS + 1, 1)
        client.set_tag(run, "team", "red")
        client.set_terminated(run, "FINISHED", START_MS + 2)
        yield workspace


@pytest.fixture(scope="module")
def archive(sandbox: Sandbox, source: WorkspaceFile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Both units, extracted; every test takes a copy."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        folder = tmp_path_factory.mktemp("extracted") / "archive"
        asyncio.run(extracted(source, folder))
        yield folder


@pytest.fixture
def mine(archive: Path, tmp_path: Path, azure_env: dict[str, str]) -> Path:
    return shutil.copytree(archive, tmp_path / "archive")


async def as_jobs(source: WorkspaceFile, target: WorkspaceFile, folder: Path, selection: Selection) -> None:
    async with opened(source) as reading, opened(target) as writing:
        with Archive.open(folder) as archive:
            done = await replay_synthetic(archive, reading, writing, selection, width=8)
            assert (done.failed, done.verdict and done.verdict.findings) == ((), 0)


async def as_runs(
    source: WorkspaceFile,
    target: WorkspaceFile,
    folder: Path,
    selection: Selection,
    on_conflict: OnConflict = OnConflict.FAIL,
) -> None:
    async with opened(source) as reading, opened(target) as writing:
        with Archive.open(folder) as archive:
            options = ReplayOptions(on_conflict=on_conflict)
            done = await replay(archive, reading, writing, selection, options=options, width=8)
            assert (done.failed, done.conflicts) == ((), ())


def verified(target: WorkspaceFile, folder: Path, selection: Selection = Selection()) -> Verdict:
    async def whole() -> Verdict:
        async with opened(target) as there:
            with Archive.open(folder) as archive:
                return await verify(archive, there, selection, width=8)

    return asyncio.run(whole())


def edited(held: Held, experiment: str, tags: dict[str, str]) -> None:
    """Somebody edits the tags of every run of an experiment."""
    home = held.world.experiments.named(held.guid, experiment)
    assert home is not None
    for run in list(held.world.runs.of_experiment(held.guid, home["experimentId"])):
        held.world.runs.put(held.guid, run | {"tags": run["tags"] | tags})


def test_what_was_never_replayed_is_absent(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, mine: Path
) -> None:
    """One unit stands as a job, the other nowhere: looked for and not there. The chosen unit alone is equal."""
    asyncio.run(as_jobs(source, workspace, mine, JOBS))

    everything, job, other = (verified(workspace, mine, chosen) for chosen in (Selection(), JOBS, RUNS))

    assert [(one.what, one.kind) for one in everything.first] == [
        ("run", "absent"),
        ("experiment alone", "absent"),
    ]
    assert (everything.proves, everything.runs) == (False, job.runs + 1)
    assert (job.proves, job.findings) == (True, 0)
    assert (other.proves, other.findings) == (False, 2)


def test_jobs_of_another_archive_are_not_held_against_this_one(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, mine: Path, tmp_path: Path
) -> None:
    """They stand for its runs in their own way. Being looked at makes the workspace no target."""
    other = shutil.copytree(mine, tmp_path / "other")
    asyncio.run(as_jobs(source, workspace, mine, JOBS))

    with pytest.raises(UserError, match=r"jobs of another archive stand in .* verify that one, or replay"):
        verified(workspace, other)

    with Archive.open(other, write=False) as archive:
        assert archive.targets() == []


def test_a_unit_each(source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, mine: Path) -> None:
    """Each by its own check, whatever the order; an edit on either side is seen."""
    asyncio.run(as_runs(source, workspace, mine, RUNS))
    asyncio.run(as_jobs(source, workspace, mine, JOBS))

    both = verified(workspace, mine)
    assert (both.proves, both.findings, both.runs) == (True, 0, 1 + verified(workspace, mine, JOBS).runs)
    assert both.points == verified(workspace, mine, JOBS).points + 1

    change(calm, workspace, lambda held: edited(held, "alone", {"team": "green"}))
    assert [one.what for one in verified(workspace, mine).first] == ["tag team"]
    assert verified(workspace, mine, JOBS).findings == 0


def test_one_unit_both_ways(source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, mine: Path) -> None:
    """Its runs and its job are both compared; what one comparison found, the other does not take back."""
    asyncio.run(as_runs(source, workspace, mine, JOBS))
    runs = verified(workspace, mine, JOBS)
    asyncio.run(as_jobs(source, workspace, mine, JOBS))

    both = verified(workspace, mine, JOBS)
    assert (both.proves, both.findings) == (True, 0)
    assert both.runs == runs.runs
    assert both.points == 2 * runs.points + OF_THE_PARENT

    change(calm, workspace, lambda held: edited(held, "small", {"team": "green"}))
    again = verified(workspace, mine, JOBS)
    with Archive.open(mine, write=False) as archive:
        (target,) = archive.targets()
        kept = list(archive.ledger(target).findings())

    assert again.findings == len(kept) > 0
    assert {one.kind for one in kept} == {"edited in target", "differs", "extra"}, "as a run, and as a job"


OF_THE_PARENT = 300
"""Rows that a job holds twice: its own run logs them, and so does the step that stands for it."""


def test_two_targets(source: WorkspaceFile, calm: Sandbox, mine: Path) -> None:
    """As a job in one, as runs in another: each target by its own ledger."""
    first, second = calm.add_workspace(), calm.add_workspace()
    asyncio.run(as_jobs(source, first, mine, JOBS))
    asyncio.run(as_runs(source, second, mine, Selection()))

    assert verified(first, mine).findings == 2
    assert verified(second, mine).proves
    assert verified(first, mine, JOBS).proves


def test_one_unit_both_ways_the_job_first(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, mine: Path
) -> None:
    """The job has the original's name, the runs get new ids; the job's own steps are no strangers below them."""
    asyncio.run(as_jobs(source, workspace, mine, JOBS))
    asyncio.run(as_runs(source, workspace, mine, JOBS, on_conflict=OnConflict.RENAME))

    both = verified(workspace, mine, JOBS)

    assert (both.proves, both.findings) == (True, 0), both.first


def test_a_parents_points_are_not_sent_twice(
    source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, mine: Path
) -> None:
    """Somebody removes the tag that says how far a parent's points came: what is there is counted instead."""
    asyncio.run(as_jobs(source, workspace, mine, JOBS))

    def untagged(held: Held) -> None:
        home = held.world.experiments.named(held.guid, "small")
        assert home is not None
        for run in list(held.world.runs.of_experiment(held.guid, home["experimentId"])):
            held.world.runs.put(held.guid, run | {"tags": {k: v for k, v in run["tags"].items() if k != PROGRESS}})

    change(calm, workspace, untagged)
    asyncio.run(as_jobs(source, workspace, mine, JOBS))

    assert verified(workspace, mine, JOBS).findings == 0
