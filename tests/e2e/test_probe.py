"""The throw-away run: written before anything else, believed afterwards."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import RunItem
from azureml_replay.model import RunId
from azureml_replay.planning.plan import plan
from azureml_replay.planning.summary import summarize
from azureml_replay.selection import Selection
from azureml_replay.target.probe import EXPERIMENT
from azureml_replay.target.profile import known_profile
from azureml_replay.workspace.profile import AZURE_ML, CREATED
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.histories import START_MS, small
from e2e.library import DiesAt, PowerCut, configured, migrated
from e2e.tampering import change, fill, in_run
from e2e.witness import look, ml_client, tracking_uri

DROPPED = "this target does not keep it, as the throw-away run showed"


def test_five_hidden_runs_per_target(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """A second migration from the same archive writes none."""
    target = calm.add_workspace()

    for _ in range(2):
        asyncio.run(migrated(small_history, target, tmp_path / "archive"))

    assert stages(target) == ["deleted"] * 5


@pytest.mark.parametrize("at", [2, 4, 7, 10])
def test_what_a_killed_call_left_to_be_seen_is_hidden_by_the_next(
    source: WorkspaceFile, calm: Sandbox, tmp_path: Path, at: int
) -> None:
    """Throw-away runs are shown from when they are made until they have ended."""
    target = calm.add_workspace()
    with pytest.raises(PowerCut):
        asyncio.run(migrated(source, target, tmp_path / "archive", cut=DiesAt(at, delivered=True, where=EXPERIMENT)))
    left = stages(target)

    assert asyncio.run(migrated(source, target, tmp_path / "archive")).verdict.proves
    assert set(stages(target)) == {"deleted"}
    assert len(stages(target)) == len(left) + 5
    with Archive.open(tmp_path / "archive", write=False) as archive:
        (ref,) = archive.targets()
        assert archive.ledger(ref).receipt(RunId(""), RunItem.THROWN) is None


def stages(target: WorkspaceFile) -> list[str]:
    """Of all throw-away runs there."""
    return [told["stage"] for told in look(target, files=False).runs.values() if told["experiment"] == EXPERIMENT]


@pytest.fixture
def source(calm: Sandbox, azure_env: dict[str, str]) -> WorkspaceFile:
    """A root with a child."""
    made = calm.add_workspace()
    change(calm, made, fill)
    return made


@pytest.mark.parametrize(
    ("variant", "lost"),
    [
        ("refuse-foreign-datasets", {"input datasets", "output datasets"}),
        ("refuse-null-values", {"tag null", "property unset"}),
        ("drop-null-values", {"tag null", "property unset"}),
        ("drop-properties", {"properties"}),
    ],
)
def test_what_the_interface_leaves_open_is_tried_first(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, variant: str, lost: set[str]
) -> None:
    """Refused or dropped: a planned omission with its reason, no finding, and no run is sent in vain."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    change(calm, source, in_run(lambda run: {"properties": run["properties"] | {"unset": None}}))
    calm.set_faults(strict=[f"{variant}@{target.workspace_name}"])

    done = asyncio.run(migrated(source, target, tmp_path / "archive"))

    assert (done.verdict.findings, done.replayed.failed, done.replayed.runs) == (0, (), 2)
    with Archive.open(tmp_path / "archive", write=False) as archive:
        (ref,) = archive.targets()
        said = {one.what: one.reason for one in archive.ledger(ref).planned_omissions()}
    assert lost <= said.keys()
    assert all("as the throw-away run showed" in said[what] for what in lost)
    assert ("tag null" in said) == ("null" in variant)


@pytest.mark.parametrize(
    ("variant", "lost", "beside"),
    [
        ("created-now", set(), {CREATED}),
        ("drop-properties", {"properties"}, set()),
    ],
)
def test_what_a_target_does_not_keep_is_planned_as_an_omission(
    small_history: WorkspaceFile,
    calm: Sandbox,
    azure_env: dict[str, str],
    tmp_path: Path,
    variant: str,
    lost: set[str],
    beside: set[str],
) -> None:
    """Said for each run that has it, and no finding; a second migration still knows its own runs."""
    calm.set_faults(strict=[variant])
    target = calm.add_workspace()

    for folder in ("archive", "another"):
        done = asyncio.run(migrated(small_history, target, tmp_path / folder))

        assert (done.verdict.findings, done.replayed.conflicts, done.replayed.failed) == (0, (), ())
        with Archive.open(tmp_path / folder, write=False) as archive:
            (ref,) = archive.targets()
            said = [omission.what for omission in archive.ledger(ref).planned_omissions()]
            for wanted in (ref, None):
                profile = known_profile(archive.ledger(wanted)) if wanted else AZURE_ML
                planned = summarize(plan(archive, Selection(), profile=profile))
                assert planned.reasons.get(DROPPED, 0) == (3 * len(lost) if wanted else 0)
        assert set(said) == lost | beside
        assert len(said) == 3 * len(lost | beside)


def test_azure_ai_ml_sees_runs_created_at_the_start_that_mlflow_gave_them(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Starts of 2023, to the millisecond, on both sides. A target that is otherwise than it was tried: a finding."""
    target = calm.add_workspace()

    done = asyncio.run(migrated(small_history, target, tmp_path / "archive"))

    assert (done.verdict.findings, done.verdict.omissions) == (0, 0)
    runs = look(small_history, files=False).runs
    before, after = ({run: made_at(side, run) for run in runs} for side in (small_history, target))
    assert before == after
    assert set(after.values()) == {datetime.fromtimestamp((START_MS + late) / 1_000, UTC) for late in (0, 1)}

    other = calm.add_workspace()
    with Archive.open(tmp_path / "archive") as archive:
        known = archive.ledger(configured(target).ref).probe()
        archive.ledger(configured(other).ref).put_probe(known)
    calm.set_faults(strict=["created-now"])
    asyncio.run(migrated(small_history, other, tmp_path / "archive"))
    with Archive.open(tmp_path / "archive", write=False) as archive:
        found = list(archive.ledger(configured(other).ref).findings())
    assert [(one.what, one.expected[:10]) for one in found] == [(CREATED, "2023-11-14")] * 3


@pytest.mark.parametrize(("kept_days", "back"), [(100, 30 * 86_400), (1, 600)])
def test_times_too_far_back_for_a_target_are_planned_omissions(
    small_history: WorkspaceFile,
    calm: Sandbox,
    azure_env: dict[str, str],
    tmp_path: Path,
    kept_days: int,
    back: int,
) -> None:
    """As far as was seen: those of 2023 go, a run of this minute keeps its own, and nothing is a finding."""
    calm.set_faults(strict=["recent-times-only"], kept_days=kept_days)
    source, target = calm.add_workspace(), calm.add_workspace()
    small(source)
    fresh = just_run(source)

    done = asyncio.run(migrated(source, target, tmp_path / "archive"))

    assert (done.verdict.findings, done.replayed.failed, done.verdict.runs) == (0, (), 4)
    with Archive.open(tmp_path / "archive", write=False) as archive:
        ledger = archive.ledger(configured(target).ref)
        said = Counter(one.what for one in ledger.planned_omissions())
        oldest = known_profile(ledger).oldest["start"]
    assert said == {"start": 3, "end": 3, CREATED: 3}
    assert 0 <= datetime.now(UTC).timestamp() - oldest.ticks / 10**7 - back < 300
    seen = [look(side, files=False).runs[fresh] for side in (source, target)]
    assert seen[0]["start"] == seen[1]["start"]
    assert seen[0]["end"] == seen[1]["end"]


def just_run(workspace: WorkspaceFile) -> str:
    """A run that MLflow made and ended now."""
    mlflow.set_tracking_uri(tracking_uri(workspace))
    client = MlflowClient()
    run: str = client.create_run(client.get_experiment_by_name("small").experiment_id).info.run_id
    client.set_terminated(run, "FINISHED")
    return run


def made_at(workspace: WorkspaceFile, run: str) -> datetime:
    """As azure-ai-ml tells it."""
    made: datetime = ml_client(workspace).jobs.get(run).creation_context.created_at
    return made
