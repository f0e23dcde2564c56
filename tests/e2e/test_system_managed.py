"""A target that keeps the status of runs to itself: which form it takes, and what is lost where it takes none."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.comparison.three_way import RUN_TYPE
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.errors import UserError
from azureml_replay.model import RunForm, RunId
from azureml_replay.target.probe import EXPERIMENT, known_probe
from azureml_replay.verbs import Migrated, MigrateOptions
from azureml_replay.workspace.profile import CREATED
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import configured, migrated
from e2e.tampering import change, fill, in_pairs, in_run
from e2e.witness import look, ml_client

WORDS = "client is not permitted to update status for run. Status for this run is system managed"
ODD = "value-0f-n0-use"
KIND = "azureml.scriptrun"
TYPED = MigrateOptions(deep=True, replay=ReplayOptions(keep_run_type=True))


@pytest.fixture
def source(calm: Sandbox, azure_env: dict[str, str]) -> WorkspaceFile:
    """A root that completed and a child that failed, both of a type."""
    made = calm.add_workspace()
    change(calm, made, fill)
    for run in ("root", "child"):
        change(calm, made, lambda held, run=run: held.world.runs.put(held.guid, held.run(run) | {"runType": KIND}))
    return made


def probe_of(folder: Path, target: WorkspaceFile) -> tuple[RunForm, bool | None]:
    with Archive.open(folder, write=False) as archive:
        found = known_probe(archive.ledger(configured(target).ref))
    assert found is not None
    return found.form, found.type_kept


def omissions(folder: Path, target: WorkspaceFile) -> set[tuple[str, str, str]]:
    with Archive.open(folder, write=False) as archive:
        return {(one.run, one.what, one.reason) for one in archive.ledger(configured(target).ref).planned_omissions()}


def kinds(calm: Sandbox, target: WorkspaceFile) -> dict[str, object]:
    """Run -> type and orchestrator, of those that are ours."""
    told: dict[str, object] = {}

    def read(held: object) -> None:
        for name in ("root", "child"):
            run = held.run(name)  # type: ignore[attr-defined]
            told[name] = (run["runType"], run["runTypeV2"]["orchestrator"], run["status"])

    change(calm, target, read)
    return told


@pytest.mark.parametrize("at", ["", "-at-creation"])
@pytest.mark.parametrize(
    ("managed", "form", "orchestrator"),
    [(["typed"], RunForm.NEUTRAL, None), (["typed", "neutral"], RunForm.EXTERNAL, "External")],
)
def test_the_first_form_that_works_is_used(
    source: WorkspaceFile, calm: Sandbox, tmp_path: Path, at: str, managed: list[str], form: RunForm, orchestrator: str
) -> None:
    """No type, else External; and --keep-run-type writes none where the target was seen to refuse it."""
    calm.set_faults(strict=[f"system-managed-status{at}"], managed_runs=managed)
    target = calm.add_workspace()

    done = asyncio.run(migrated(source, target, tmp_path / "archive", options=TYPED))

    assert (done.replayed.failed, done.replayed.refused, done.verdict.findings, done.verdict.omissions) == (
        (),
        (),
        0,
        0,
    )
    assert probe_of(tmp_path / "archive", target) == (form, False)
    assert kinds(calm, target) == {"root": (None, orchestrator, "Completed"), "child": (None, orchestrator, "Failed")}
    told = look(target, files=False).runs.values()
    assert {one["stage"] for one in told if one["experiment"] == EXPERIMENT} == {"deleted"}


def test_replay_stops_where_no_form_works(source: WorkspaceFile, calm: Sandbox, tmp_path: Path) -> None:
    """Before the first real write, with the service's words and what to type instead."""
    calm.set_faults(strict=["system-managed-status"], managed_runs=["typed", "neutral", "external"])
    target = calm.add_workspace()

    with pytest.raises(UserError, match=f"(?s){WORDS}.*--mode synthetic"):
        asyncio.run(migrated(source, target, tmp_path / "archive"))

    told = look(target, files=False).runs.values()
    assert {(one["experiment"], one["stage"]) for one in told} == {(EXPERIMENT, "deleted")}


def carried_before(source: WorkspaceFile, calm: Sandbox, folder: Path) -> WorkspaceFile:
    """A target that let runs of each form be ended when it was tried, by an archive that holds the source."""
    target = calm.add_workspace()
    empty = calm.add_workspace()
    asyncio.run(migrated(source, empty, folder, options=TYPED))
    with Archive.open(folder) as archive:
        known = archive.ledger(configured(empty).ref).probe()
        assert known is not None
        archive.ledger(configured(target).ref).put_probe(known)
    return target


@pytest.mark.parametrize(
    ("at", "kind"), [("-at-creation", (None, None)), ("", (KIND, "External"))], ids=["made", "ended"]
)
def test_a_run_that_is_refused_for_its_type_is_written_without_it(
    source: WorkspaceFile, calm: Sandbox, tmp_path: Path, at: str, kind: tuple[str | None, str | None]
) -> None:
    """Once more, with the type in its lineage alone: a planned omission; a second call sends nothing."""
    target = carried_before(source, calm, tmp_path / "archive")
    calm.set_faults(strict=[f"system-managed-status{at}"])

    done = again = asyncio.run(migrated(source, target, tmp_path / "archive", options=TYPED))
    calm.reset_requests()
    again = asyncio.run(migrated(source, target, tmp_path / "archive", options=TYPED))

    reason = f"the target refused it: {WORDS}; the source's stands in the property azureml_replay"
    assert (done.replayed.failed, done.verdict.findings, done.verdict.runs) == ((), 0, 2)
    assert omissions(tmp_path / "archive", target) == {(run, f"run type {KIND}", reason) for run in ("root", "child")}
    assert kinds(calm, target) == {"root": (*kind, "Completed"), "child": (*kind, "Failed")}
    assert (again.replayed.runs, again.verdict.findings, calm.requests()["writes"]) == (0, 0, 0)
    assert f'"type":"{KIND}"' in ml_client(target).jobs.get("root").properties["azureml_replay"]


def test_a_value_that_is_refused_besides_costs_no_more_than_itself(
    source: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """The run is made without both, and what it was made with is known: a value alone leaves it its type."""
    change(calm, source, in_pairs("tags", {"odd": ODD}))
    target = carried_before(source, calm, tmp_path / "archive")
    alone = carried_before(source, calm, tmp_path / "alone")
    calm.set_faults(strict=[f"system-managed-status-at-creation@{target.workspace_name}"], unwanted=[ODD])

    both = asyncio.run(migrated(source, target, tmp_path / "archive", options=TYPED))
    one = asyncio.run(migrated(source, alone, tmp_path / "alone", options=TYPED))

    assert [(done.replayed.failed, done.verdict.findings, done.verdict.runs) for done in (both, one)] == [
        ((), 0, 2)
    ] * 2
    told = {
        folder: {what for _, what, _ in omissions(tmp_path / folder, to)}
        for folder, to in (("archive", target), ("alone", alone))
    }
    assert told == {"archive": {"tag odd", f"run type {KIND}"}, "alone": {"tag odd"}}
    with Archive.open(tmp_path / "alone", write=False) as archive:
        sent = archive.ledger(configured(alone).ref).sent(RunId("root"))
    assert sent is not None
    assert (sent[RUN_TYPE], CREATED in sent) == (KIND, True)


def test_a_run_whose_end_is_refused_in_every_form_arrives_without_it(
    source: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """Status is the loss, with the service's words; points, files and the end's time are there."""
    target = carried_before(source, calm, tmp_path / "archive")
    calm.set_faults(strict=["system-managed-status"], managed_runs=["typed", "neutral", "external"])

    done = asyncio.run(migrated(source, target, tmp_path / "archive"))
    again: Migrated = asyncio.run(migrated(source, target, tmp_path / "archive"))

    reason = f"the target refused it: {WORDS}; kept in replay/overflow.json"
    assert (done.replayed.failed, done.verdict.findings, done.verdict.runs) == ((), 0, 2)
    assert omissions(tmp_path / "archive", target) == {(run, "text status", reason) for run in ("root", "child")}
    assert kinds(calm, target) == dict.fromkeys(("root", "child"), (None, None, "Running"))
    assert (again.replayed.runs, again.replayed.points, again.replayed.files, again.verdict.findings) == (0, 0, 0, 0)


def test_a_run_that_may_not_be_made_is_left_out(source: WorkspaceFile, calm: Sandbox, tmp_path: Path) -> None:
    """With its reason; those below it too."""
    target = carried_before(source, calm, tmp_path / "archive")
    calm.set_faults(strict=["system-managed-status-at-creation"], managed_runs=["typed", "neutral"])

    done = asyncio.run(migrated(source, target, tmp_path / "archive"))

    assert (done.replayed.failed, done.verdict.findings) == ((), 0)
    assert omissions(tmp_path / "archive", target) == {
        ("root", "run", f"the target refused it: {WORDS}"),
        ("child", "run", "its parent root was refused"),
    }

    calm.set_faults()
    edited = in_run(lambda run: {"tags": run["tags"] | {"since": "edited"}}, "root")
    change(calm, source, edited)
    later = asyncio.run(migrated(source, target, tmp_path / "archive"))
    assert (later.replayed.runs, later.verdict.findings, later.verdict.equal, later.verdict.exit) == (2, 0, 2, 0)
    assert omissions(tmp_path / "archive", target) == set()
