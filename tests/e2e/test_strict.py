"""Services that behave otherwise: the history arrives all the same, or what is lost is planned, or verify names it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import mlflow
import pytest
from azure.ai.ml.constants import ListViewType
from mlflow import MlflowClient

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.workspace import AzureWorkspace, connect
from azureml_replay.errors import Forbidden
from azureml_replay.extraction.extract import extract
from azureml_replay.model import Experiment, Run, RunId
from azureml_replay.selection import Selection
from azureml_replay.target.probe import EXPERIMENT, Probe
from azureml_replay.verbs import Migrated
from azureml_sandbox.fill.sample import Wanted, sample
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import FastClock, configured, migrated
from e2e.witness import look, ml_client, tracking_uri


def arrives(source: WorkspaceFile, target: WorkspaceFile, folder: Path) -> Migrated:
    """Everything, once: a second call sends nothing."""
    done = asyncio.run(migrated(source, target, folder))
    assert (done.extracted.failed, done.replayed.failed, done.replayed.conflicts) == ((), (), ())
    assert done.verdict.findings == 0
    again = asyncio.run(migrated(source, target, folder))
    assert (again.replayed.runs, again.replayed.points, again.replayed.files, again.verdict.findings) == (0, 0, 0, 0)
    return done


def points_of_ours(target: WorkspaceFile) -> dict[tuple[str, str], list[tuple[int, int, str]]]:
    """As MLflow's own client reads them; without the throw-away run's."""
    points = look(target, files=False).points
    return {(run, name): rows for (run, name), rows in points.items() if not run.startswith(EXPERIMENT)}


def probed_before(source: WorkspaceFile, target: WorkspaceFile, folder: Path, *, late: bool = False) -> None:
    """An archive that remembers a target which kept everything; an older version's probe would be made anew."""
    with Archive.create(folder, configured(source).ref) as archive:
        run = RunId("probed-before")
        kept = Probe(run=run, lost=(), experiments=(), added=(), late=late, settles=False, created_at_start=True)
        archive.ledger(configured(target).ref).put_probe(kept.to_json())


@pytest.mark.parametrize("variant", ["history-runs-not-listed", "no-batchrundata", "no-runs-query", "no-shared-keys"])
def test_a_detour_loses_nothing(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, variant: str
) -> None:
    """On both sides: MLflow's own client sees in the target what the source has."""
    calm.set_faults(strict=[variant])
    target = calm.add_workspace()

    done = arrives(small_history, target, tmp_path / "archive")

    assert done.verdict.runs == 3
    assert points_of_ours(target) == look(small_history, files=False).points


@pytest.mark.parametrize("variant", [None, "url-safe-names-only"])
def test_an_experiment_whose_name_is_not_url_safe_arrives(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, variant: str | None
) -> None:
    """It is asked for; where the list hides it all the same, ARM's jobs name it."""
    source, target = calm.add_workspace(), calm.add_workspace()
    mlflow.set_tracking_uri(tracking_uri(source))
    mlflow.set_experiment("a b ü")
    with mlflow.start_run():
        mlflow.log_metric("loss", 0.5)
    calm.set_faults(strict=[variant] if variant else [])

    assert arrives(source, target, tmp_path / "archive").verdict.runs == 1


def test_metrics_that_only_mlflow_names_come_and_the_doubt_is_said(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Whether a run has others nobody can tell: an omission of every run."""
    calm.set_faults(strict=["no-metric-list"])
    target = calm.add_workspace()

    done = arrives(small_history, target, tmp_path / "archive")

    assert points_of_ours(target) == look(small_history, files=False).points
    assert done.verdict.reasons["the metric service names none, MLflow names scalars"] == 3


def test_lost_metric_ids_double_no_point(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """The first answer to appended points is lost: the target is asked by value, not by id."""
    target = calm.add_workspace()
    lost = {
        "match": {"path": "/runs/[^/]*/batch(sync)?$", "workspace": target.workspace_name},
        "after": 2,  # the throw-away run's
        "do": "reset-after",
        "times": 2,
    }
    calm.set_faults([lost], strict=["lose-metric-ids"])

    arrives(small_history, target, tmp_path / "archive")

    assert points_of_ours(target) == look(small_history, files=False).points


def test_late_ends_are_waited_for(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """The throw-away run showed that they are late; verify then finds every end."""
    target = calm.add_workspace()
    calm.set_faults(strict=[f"delay-events@{target.workspace_name}"], event_lag_ms=700)

    arrives(small_history, target, tmp_path / "archive")

    with Archive.open(tmp_path / "archive", write=False) as archive:
        (ref,) = archive.targets()
        assert Probe.from_json(archive.ledger(ref).probe()).late


def test_ends_that_do_not_come_are_left_to_the_next_call(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Nothing is believed that cannot be read; later nothing is sent twice."""
    target = calm.add_workspace()
    probed_before(small_history, target, tmp_path / "archive", late=True)
    calm.set_faults(strict=[f"delay-events@{target.workspace_name}"], event_lag_ms=5_000)

    first = asyncio.run(migrated(small_history, target, tmp_path / "archive"))
    assert {why for _, why in first.replayed.failed} == {"its end was sent and does not show yet"}

    calm.set_faults()
    done = asyncio.run(migrated(small_history, target, tmp_path / "archive"))
    while done.replayed.failed:
        done = asyncio.run(migrated(small_history, target, tmp_path / "archive"))
    assert (done.verdict.findings, done.replayed.points) == (0, 0)


@pytest.fixture
def with_archived(sandbox: Sandbox, azure_env: dict[str, str]) -> WorkspaceFile:
    """Two experiments, one of them archived since, each with a run."""
    workspace = sandbox.add_workspace()
    mlflow.set_tracking_uri(tracking_uri(workspace))
    client = MlflowClient()
    for name in ("old", "new"):
        run = client.create_run(client.create_experiment(name, tags={"team": "blue"})).info.run_id
        client.log_metric(run, "loss", 0.5)
        client.set_terminated(run)
    client.delete_experiment(client.get_experiment_by_name("old").experiment_id)
    return workspace


def test_archived_experiments_that_no_list_has_come_along(
    with_archived: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Found through ARM's jobs; they arrive archived, with their tags, and verify asks for them by name."""
    calm.set_faults(strict=["active-experiments-only"])
    target = calm.add_workspace()

    done = arrives(with_archived, target, tmp_path / "archive")

    calm.set_faults()
    assert done.verdict.runs == 2
    there = look(target, files=False).experiments
    assert {name: there[name]["stage"] for name in ("old", "new")} == {"old": "deleted", "new": "active"}
    assert there["old"]["tags"].items() >= {"team": "blue"}.items()


def test_an_archived_experiment_that_was_there_before_keeps_its_own(
    with_archived: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Also where the list of experiments leaves it out: it is asked for by name before the first write."""
    target = calm.add_workspace()
    mlflow.set_tracking_uri(tracking_uri(target))
    client = MlflowClient()
    client.delete_experiment(client.create_experiment("old", tags={"team": "theirs"}))
    calm.set_faults(strict=["active-experiments-only"])

    done = asyncio.run(migrated(with_archived, target, tmp_path / "archive"))

    calm.set_faults()
    assert done.verdict.findings == 0
    assert look(target, files=False).experiments["old"]["tags"]["team"] == "theirs"


class ListsNoChildren(AzureWorkspace):
    """A service whose `runs:query` knows roots only."""

    async def runs(self, experiment: Experiment) -> AsyncIterator[Sequence[Run]]:
        async for page in super().runs(experiment):
            yield [run for run in page if run.parent is None]


def test_children_that_no_list_has_are_asked_for(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipeline without listed children gives it away; then every run is asked."""
    source = calm.add_workspace()
    sample(calm.folder, source.workspace_name, Wanted(runs=12, seed=1, experiments=1, series=0, artifacts=0))

    async def found() -> int:
        config = configured(source)
        async with connect(config, clock=FastClock()) as workspace:
            monkeypatch.setattr(workspace, "__class__", ListsNoChildren)
            with Archive.create(tmp_path / "archive", config.ref) as archive:
                return (await extract(workspace, archive, Selection())).runs

    assert asyncio.run(found()) == 12


@pytest.mark.parametrize(
    ("variant", "lost"), [("ignore-start-times", {"start", "end"}), ("drop-properties", {"lineage"})]
)
def test_a_loss_that_nobody_foresaw_is_a_finding(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, variant: str, lost: set[str]
) -> None:
    """The target kept everything when it was probed, and does so no more: each run is named."""
    target = calm.add_workspace()
    probed_before(small_history, target, tmp_path / "archive")
    calm.set_faults(strict=[variant])

    done = asyncio.run(migrated(small_history, target, tmp_path / "archive"))

    assert done.replayed.failed == ()
    with Archive.open(tmp_path / "archive", write=False) as archive:
        found = list(archive.ledger(configured(target).ref).findings())
    assert lost <= {finding.what for finding in found}, found
    assert len({finding.run for finding in found}) == 3


def test_a_role_that_is_missing_stops_with_its_name(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Before anything is written; granted later, the same command goes on."""
    target = calm.add_workspace()
    action = "Microsoft.MachineLearningServices/workspaces/metadata/artifacts/write"
    calm.set_faults(denied=[{"workspace": target.workspace_name, "action": action}])

    with pytest.raises(Forbidden, match=action):
        asyncio.run(migrated(small_history, target, tmp_path / "archive"))
    assert list(ml_client(target).jobs.list(list_view_type=ListViewType.ACTIVE_ONLY)) == []

    calm.set_faults()
    arrives(small_history, target, tmp_path / "archive")
