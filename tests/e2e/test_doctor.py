"""`doctor`: what stands in the way of a migration, and what to do about it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from azure.identity import EnvironmentCredential

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import resource_id
from azureml_replay.errors import Exit, UserError
from azureml_replay.target.diagnosis.doctor import Diagnosis
from azureml_replay.target.diagnosis.limits import FACTOR, SERIES_PER_REQUEST
from azureml_replay.target.diagnosis.sheet import PROBES, Outcome, ProbeRow
from azureml_replay.target.probe import EXPERIMENT, Probe
from azureml_replay.workspace.limits import DOCUMENTED
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import configured, examined, migrated
from e2e.witness import look
from sandbox.plane import Plane

ML = "Microsoft.MachineLearningServices/workspaces"
BLOBS = "Microsoft.Storage/storageAccounts/blobServices"
DOCUMENT = Path(__file__).parents[2] / "docs" / "concepts" / "assumptions.md"


def rows(found: Diagnosis, probe: str, side: str = "target") -> list[ProbeRow]:
    return [row for row in found.rows if (row.side, row.probe) == (side, probe)]


def test_nothing_stands_in_the_way(small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str]) -> None:
    """Every probe has its row; the source is only read; what was written to the target is hidden."""
    target = calm.add_workspace()

    found = asyncio.run(examined(small_history, target))

    assert found.exit is Exit.OK
    assert {row.probe for row in found.rows} == set(PROBES)
    assert [row for row in found.rows if row.outcome is Outcome.MISSING or row.unreachable] == []
    writes = {each["workspace"] for each in calm.requests()["routes"] if each["effect"] == "write"}
    assert writes == {target.workspace_name}
    batches = sum(one["count"] for one in calm.requests()["routes"] if one["route"].endswith("/runs/{run_id}/batch"))
    assert batches == 3 + FACTOR * DOCUMENTED.metric_names // SERIES_PER_REQUEST
    told = look(target, files=False).runs.values()
    assert [each["stage"] for each in told if each["experiment"] == EXPERIMENT] == ["deleted"] * 9


@pytest.mark.parametrize(
    ("variant", "probe", "outcome", "said"),
    [
        ("refuse-client-ids", "client ids", Outcome.WARNING, "refuses runs with ids of the client's choice"),
        ("refuse-client-ids", "write route", Outcome.WARNING, "MLflow's routes, under ids of the target's own"),
        ("ignore-start-times", "write route", Outcome.WARNING, "MLflow's routes, under ids of the target's own"),
        ("created-now", "write route", Outcome.OK, "the history, under ids of ours"),
        ("ignore-start-times", "fields", Outcome.WARNING, "does not keep: start, end"),
        ("ignore-start-times", "past times", Outcome.WARNING, "no start and no end is kept"),
        ("recent-times-only", "past times", Outcome.WARNING, "keeps times up to 30 days back"),
        ("system-managed-status", "run status", Outcome.WARNING, "system's affair for runs with: the source's type"),
        ("created-now", "creation time", Outcome.WARNING, "created when it is written"),
        ("drop-properties", "fields", Outcome.WARNING, "does not keep: properties"),
        ("delay-events", "ends", Outcome.WARNING, "the end showed some time after it was sent"),
        ("lose-metric-ids", "repeated points", Outcome.OK, "are there twice"),
        ("active-experiments-only", "archived experiments", Outcome.WARNING, "an archived experiment is not listed"),
        ("refuse-foreign-datasets", "datasets", Outcome.WARNING, "does not keep: input datasets, output datasets"),
        (
            "refuse-null-values",
            "null values",
            Outcome.WARNING,
            "tags and properties whose value is null",
        ),
        ("drop-null-values", "null values", Outcome.WARNING, "tags and properties whose value is null"),
        ("history-runs-not-listed", "made runs", Outcome.OK, "a run that a client makes is listed"),
        ("no-batchrundata", "bulk details", Outcome.WARNING, "batchrundata is not spoken"),
        ("no-shared-keys", "storage keys", Outcome.OK, "workspaceartifactstore: opened by this login"),
        ("drop-job-names", "model links", Outcome.WARNING, "loses the run that it is sent with"),
        ("replicate-models", "moved models", Outcome.WARNING, "copied to a place of the service's"),
        ("hide-component-graphs", "component graphs", Outcome.WARNING, "does not show the graph"),
        ("overwrite-assets", "asset conflicts", Outcome.WARNING, "component: what was there is overwritten"),
        ("few-asset-tags", "asset tags", Outcome.WARNING, "100 tags of 1,000 characters are refused"),
        ("drop-archived-stages", "asset stages", Outcome.WARNING, "sent together, stage is lost"),
        ("text-model-versions", "text versions", Outcome.OK, "MLflow shows a model's version that is no number"),
        ("model-aliases", "model aliases", Outcome.OK, "registry knows aliases"),
        ("repeat-outputs", "output data", Outcome.WARNING, "makes another version"),
        ("no-unregistered-assets", "input models", Outcome.WARNING, "no route that makes what stands for inputs"),
        ("fixed-run-outputs", "run outputs", Outcome.WARNING, "takes no other outputs"),
    ],
)
def test_a_service_that_behaves_otherwise_is_told_as_such(
    calm: Sandbox, azure_env: dict[str, str], variant: str, probe: str, outcome: Outcome, said: str
) -> None:
    """Only what stops replay makes the command fail."""
    target = calm.add_workspace()
    calm.set_faults(strict=[f"{variant}@{target.workspace_name}"])

    found = asyncio.run(examined(None, target))

    assert [row for row in rows(found, probe) if row.outcome is outcome and said in row.seen]
    assert found.exit is (Exit.USER if outcome is Outcome.MISSING else Exit.OK)


def test_what_assets_keep_is_seen_and_archived(calm: Sandbox, azure_env: dict[str, str]) -> None:
    """The other way of each; what was made is archived, and made anew the second time. A role that lacks is said."""
    target = calm.add_workspace()
    plane = Plane(target, EnvironmentCredential().get_token("https://management.azure.com/.default").token)

    first, second = (asyncio.run(examined(None, target)) for _ in range(2))
    calm.set_faults(denied=[{"action": f"{ML}/models/versions/write"}])
    denied = asyncio.run(examined(None, target))

    for found in (first, second):
        assert {row.probe: row.seen for row in found.rows if row.probe in OF_ASSETS} == OF_ASSETS
    for kind in ("models", "environments", "components", "data"):
        shown = [one["name"] for one in plane.arm(f"/{kind}")["value"] if one["name"].startswith(EXPERIMENT)]
        assert [plane.arm(f"/{kind}/{name}/versions")["value"] for name in shown] == [[]] * len(shown), kind
    (row,) = rows(denied, "model places")
    assert (row.outcome, "AzureML Data Scientist" in row.todo) == (Outcome.WARNING, True)
    assert denied.exit is Exit.OK


OF_ASSETS = {
    "model places": "a model may lie among the files of a run",
    "model links": "a model keeps the run that it is sent with",
    "moved models": "an MLflow model stays where it was sent to lie",
    "component graphs": "a pipeline component is answered with its graph",
    "asset conflicts": "model, data, environment, component: refused",
    "asset tags": "100 tags of 1,000 characters are kept",
    "asset stages": "a model that is archived keeps its stage",
    "text versions": "MLflow shows no model's version that is no number",
    "model aliases": "MLflow's registry knows no aliases",
    **dict.fromkeys(
        ("output data", "input data", "output models", "input models"), "a second making leads to the first"
    ),
    "run outputs": "a run that has ended takes other outputs",
}


def test_metrics_that_only_mlflow_names_are_told(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str]
) -> None:
    calm.set_faults(strict=["no-metric-list"])

    found = asyncio.run(examined(small_history, None))

    (row,) = rows(found, "metric names", "source")
    assert (row.outcome, found.exit) == (Outcome.WARNING, Exit.OK)


@pytest.mark.parametrize(
    ("action", "probe", "role"),
    [
        (f"{ML}/read", "workspace", "Reader"),
        (f"{ML}/jobs/read", "jobs", "Reader"),
        (f"{ML}/datastores/read", "datastores", "Reader"),
        (f"{ML}/experiments/read", "experiments", "Reader"),
        (f"{ML}/experiments/runs/read", "runs", "Reader"),
    ],
)
def test_a_role_that_the_source_lacks_comes_with_its_command(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], action: str, probe: str, role: str
) -> None:
    """Who, which role, and where; each action on its own."""
    calm.set_faults(denied=[{"workspace": small_history.workspace_name, "action": action}])

    found = asyncio.run(examined(small_history, None))

    (row,) = [row for row in found.rows if row.outcome is Outcome.MISSING][:1]
    assert (row.probe, found.exit) == (probe, Exit.USER)
    assert action in row.seen
    scope = resource_id(configured(small_history).ref)
    assert re.fullmatch(
        rf'az role assignment create --assignee [0-9a-f-]{{36}} --role "{role}" --scope {scope}', row.todo
    )


@pytest.mark.parametrize(
    ("action", "probe"),
    [
        (f"{ML}/experiments/runs/write", "client ids"),
        (f"{ML}/metadata/artifacts/write", "files"),
        (f"{ML}/experiments/write", "archived experiments"),
    ],
)
def test_a_role_that_the_target_lacks_comes_with_its_command(
    calm: Sandbox, azure_env: dict[str, str], action: str, probe: str
) -> None:
    """What was written before the refusal is hidden all the same."""
    target = calm.add_workspace()
    calm.set_faults(denied=[{"workspace": target.workspace_name, "action": action}])

    found = asyncio.run(examined(None, target))

    assert [row.probe for row in found.rows if row.outcome is Outcome.MISSING][:1] == [probe]
    assert '--role "AzureML Data Scientist"' in rows(found, probe)[-1].todo
    calm.set_faults()
    assert {each["stage"] for each in look(target, files=False).runs.values()} <= {"deleted"}


def test_secrets_that_may_not_be_seen_are_no_obstacle(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str]
) -> None:
    """The login opens the storage; the role is named all the same."""
    action = f"{ML}/datastores/listSecrets/action"
    calm.set_faults(denied=[{"workspace": small_history.workspace_name, "action": action}])

    found = asyncio.run(examined(small_history, None))

    told = rows(found, "storage keys", "source")
    assert {row.outcome for row in told} == {Outcome.WARNING}
    assert all('--role "AzureML Data Scientist"' in row.todo for row in told)
    assert found.exit is Exit.OK


def test_storage_that_neither_key_nor_login_opens(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str]
) -> None:
    """The role on the storage account is named, with the account's resource id."""
    secrets, blobs = (
        f"{ML}/datastores/listSecrets/action",
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
    )
    name = small_history.workspace_name
    calm.set_faults(denied=[{"workspace": name, "action": one} for one in (secrets, blobs)])

    found = asyncio.run(examined(small_history, None))

    (row,) = rows(found, "stored files", "source")
    assert (row.outcome, found.exit) == (Outcome.MISSING, Exit.USER)
    assert '--role "Storage Blob Data Reader" --scope /subscriptions/' in row.todo
    assert "/providers/Microsoft.Storage/storageAccounts/" in row.todo


def test_files_that_storage_does_not_let_in(calm: Sandbox, azure_env: dict[str, str]) -> None:
    """The role is the storage's, not the workspace's."""
    target = calm.add_workspace()
    match = {"service": "blob", "method": "PUT", "workspace": target.workspace_name}
    calm.set_faults([{"match": match, "do": "status", "status": 403}])

    found = asyncio.run(examined(None, target))

    (row,) = rows(found, "files")
    assert (row.outcome, row.seen) == (Outcome.MISSING, f"refused: {BLOBS}/containers/blobs/write")
    assert '--role "Storage Blob Data Contributor" --scope /subscriptions/' in row.todo


@pytest.mark.parametrize("service", ["arm", "history"])
def test_a_service_that_does_not_answer_is_told_from_one_that_refuses(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], service: str
) -> None:
    """Exit code 3; the rows before it stay."""
    calm.set_faults([{"match": {"service": service}, "do": "status", "status": 503}])

    found = asyncio.run(examined(small_history, None))

    assert found.exit is Exit.SERVICE
    assert rows(found, "login", "source")[0].outcome is Outcome.OK
    assert [row for row in found.rows if row.unreachable and row.outcome is Outcome.UNKNOWN]


def test_replay_goes_by_what_doctor_found(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """It writes no throw-away run of its own; what the target held before its first write stays what it was then."""
    target = calm.add_workspace()
    calm.set_faults(strict=[f"drop-properties@{target.workspace_name}"])

    found = asyncio.run(examined(small_history, target, tmp_path / "archive"))
    done = asyncio.run(migrated(small_history, target, tmp_path / "archive"))
    asyncio.run(examined(small_history, target, tmp_path / "archive"))

    assert (done.verdict.findings, done.replayed.runs) == (0, 3)
    with Archive.open(tmp_path / "archive", write=False) as archive:
        ref = configured(target).ref
        kept = archive.examination(ref, "target")
        assert isinstance(kept, list)
        assert len(kept) == len([row for row in found.rows if row.side == "target"])
        assert {omission.what for omission in archive.ledger(ref).planned_omissions()} == {"properties"}
        assert "small" not in Probe.from_json(archive.ledger(ref).probe()).experiments
    probes = [told for told in look(target, files=False).runs.values() if told["experiment"] == EXPERIMENT]
    assert len(probes) == 18, "nine of each examination, none of replay's"
    assert asyncio.run(migrated(small_history, target, tmp_path / "archive")).verdict.findings == 0


def test_replay_stops_with_what_doctor_found(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Nothing is written to a target that was seen to lose what cannot be done without."""
    target = calm.add_workspace()
    calm.set_faults(strict=[f"delay-events@{target.workspace_name}"], event_lag_ms=60_000)
    found = asyncio.run(examined(small_history, target, tmp_path / "archive"))
    calm.reset_requests()

    with pytest.raises(UserError, match="does not keep what direct replay needs \\(status\\)"):
        asyncio.run(migrated(small_history, target, tmp_path / "archive"))

    assert (rows(found, "fields")[0].outcome, found.exit) == (Outcome.MISSING, Exit.USER)
    assert calm.requests()["writes"] == 0


@pytest.mark.parametrize("by_doctor", [True, False], ids=["doctor", "replay"])
def test_one_bad_day_blocks_a_target_for_no_longer(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, by_doctor: bool
) -> None:
    """What a replay's own throw-away run lost is asked again by the next call; what doctor saw, by the next doctor."""
    target = calm.add_workspace()
    calm.set_faults(strict=[f"delay-events@{target.workspace_name}"], event_lag_ms=60_000)
    if by_doctor:
        asyncio.run(examined(small_history, target, tmp_path / "archive"))
    with pytest.raises(UserError, match=r"`azureml-replay doctor --archive .* looks again"):
        asyncio.run(migrated(small_history, target, tmp_path / "archive"))

    calm.set_faults()
    if by_doctor:
        asyncio.run(examined(small_history, target, tmp_path / "archive"))

    assert asyncio.run(migrated(small_history, target, tmp_path / "archive")).verdict.proves


def command(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    called = [sys.executable, "-m", "azureml_replay", "doctor", *arguments]
    return subprocess.run(called, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_line(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """A table, or one line of JSON; an exit code for scripts; nothing to examine is bad input."""
    env = {**os.environ, **azure_env}
    source = str(small_history.path)

    table = command("--source", source, env=env)
    told = command("--source", source, "--json", "--quiet", env=env)
    nothing = command(env=env)

    assert (table.returncode, told.returncode, nothing.returncode) == (0, 0, 2), table.stderr
    assert "nothing stands in the way" in table.stdout
    document = json.loads(told.stdout)
    assert {"side", "probe", "outcome", "seen", "todo", "unreachable"} == document["rows"][0].keys()
    assert (told.stderr, nothing.stderr.count("\n")) == ("", 1)
    assert "give --source, --target or both" in nothing.stderr


def test_each_probe_is_named_by_the_assumption_that_it_tests() -> None:
    """And no assumption names a probe that nobody makes."""
    tables = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    named = {name for line in tables for name in re.findall(r"\*([a-z ]+)\*", line.split("|")[-2])}

    assert named == set(PROBES)
