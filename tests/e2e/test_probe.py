"""The throw-away run: written before anything else, believed afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.errors import UserError
from azureml_replay.planning.plan import plan
from azureml_replay.planning.summary import summarize
from azureml_replay.selection import Selection
from azureml_replay.target.probe import EXPERIMENT
from azureml_replay.target.profile import known_profile
from azureml_replay.workspace.profile import AZURE_ML
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import migrated
from e2e.tampering import change, fill, in_run
from e2e.witness import look

DROPPED = "this target does not keep it, as the throw-away run showed"


def test_three_hidden_runs_per_target(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """A second migration from the same archive writes none."""
    target = calm.add_workspace()

    for _ in range(2):
        asyncio.run(migrated(small_history, target, tmp_path / "archive"))

    probes = [told for told in look(target, files=False).runs.values() if told["experiment"] == EXPERIMENT]
    assert [told["stage"] for told in probes] == ["deleted"] * 3


def test_a_target_that_refuses_our_ids_is_left_alone(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Replay stops before the first real write, with the reason."""
    calm.set_faults(strict=["refuse-client-ids"])
    target = calm.add_workspace()

    with pytest.raises(UserError, match="refuses runs with ids of the client's choice"):
        asyncio.run(migrated(small_history, target, tmp_path / "archive"))

    calm.set_faults()
    assert look(target, files=False).runs == {}


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
    ("variant", "lost"), [("ignore-start-times", {"start", "end"}), ("drop-properties", {"properties"})]
)
def test_what_a_target_does_not_keep_is_planned_as_an_omission(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, variant: str, lost: set[str]
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
        assert set(said) == lost
        assert len(said) == 3 * len(lost)
