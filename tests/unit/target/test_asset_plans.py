"""A plan of assets reads the archive by pages, however many there are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import AssetReceipt, AssetState
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.azure.place import azure_place
from azureml_replay.cli.asset_lines import PACE, planned_assets
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.instants import Instant
from azureml_replay.model import Location, RunId, StoredFile
from azureml_replay.planning.asset_choices import CarriedAssets
from azureml_replay.planning.asset_fit import NO_PROPERTIES, NUMBERED, STAGE
from azureml_replay.planning.asset_names import digest_of_name
from azureml_replay.planning.assets import (
    NO_FILES,
    NO_FILES_THERE,
    RUN_LEFT,
    UNKNOWN_THERE,
    UNLINKED,
    AssetChoice,
    AssetData,
    AssetName,
    AssetScope,
    OutputBytes,
    digest_of_asset,
    joined,
)
from azureml_replay.planning.files import FileChoice
from azureml_replay.selection import Selection
from azureml_replay.target.asset_plans import figures
from azureml_replay.target.probe import Probe, keep_probe
from azureml_replay.verification.verdict import verdict
from azureml_replay.workspace.asset import Asset, AssetContainer, AssetKey, AssetKind
from azureml_replay.workspace.place import Place

MANY = 2_000
SERVER = Place("mlflow", "http://127.0.0.1:5000", "127.0.0.1:5000")
ALL = ReplayOptions(assets=AssetChoice(scope=AssetScope.ALL))


def test_many_versions_take_few_questions(tmp_path: Path) -> None:
    """10,000 take a second: of 1,000 a page each, and some for the whole. How long their writes take is told."""
    source, target = azure_place("sub", "group", "source"), azure_place("sub", "group", "target")
    with Archive.create(tmp_path / "archive", source) as archive:
        archive.put_assets(
            Asset(key=AssetKey(AssetKind.MODEL, f"m{at % 100}", str(at)), content={"lies": at}, created=Instant(at))
            for at in range(MANY)
        )
        asked: list[str] = []
        archive._db.set_trace_callback(asked.append)
        planned = figures(archive, archive.ledger(target), Selection(), ALL).plan
        archive._db.set_trace_callback(None)

    assert planned
    assert planned.kinds == {"model": {"create": MANY}}
    assert len(asked) <= 21
    (lines,) = planned_assets(planned)
    assert (planned.least_s, f"at least 3 minutes: {PACE}") == (180, lines.below[1].label)


def test_a_folder_counts_once_whoever_leads_to_it(tmp_path: Path) -> None:
    """What a run takes in is the output of another one: it comes before or behind it, and has no files itself."""
    source, target = azure_place("sub", "group", "source"), azure_place("sub", "group", "target")
    folder, run = Location("workspaceblobstore", "azureml/b/o/"), RunId("b")
    file = StoredFile(location=replace(folder, path=f"{folder.path}one.bin"), size_bytes=20)
    key = AssetKey(AssetKind.DATA, "azureml_b_output_data_o", "1")
    made = Asset(key=key, content={}, run=run, output="o", owns_bytes=True, place=folder)
    taken = [replace(made, key=replace(key, name=name), output=None, input="o") for name in ("a", "z")]
    with Archive.create(tmp_path / "archive", source) as archive:
        archive.put_assets([made, *(replace(one, owns_bytes=False) for one in taken)])
        archive.put_asset_files(made.key, [file])
        ledger = archive.ledger(target)
        ledger.mark(run, [RunItem.CREATE], State.SENT)
        planned = figures(archive, ledger, Selection(), ALL).plan

    assert planned
    assert (planned.files, planned.bytes) == (1, 20)


def test_kinds_that_a_target_does_not_know_are_omissions(tmp_path: Path) -> None:
    """Whatever a replay chose: in plan and verdict, by the kind of the target's workspace."""
    source, server = azure_place("sub", "group", "source"), SERVER
    keys = [AssetKey(AssetKind.ENVIRONMENT, "e", "1"), AssetKey(AssetKind.DATA, "azureml_r_output_data_o", "1")]
    with Archive.create(tmp_path / "archive", source) as archive:
        archive.put_assets(
            Asset(key=key, content={}, output="o" if key.kind is AssetKind.DATA else None, owns_bytes=True)
            for key in keys
        )
        ledger = archive.ledger(server)
        ledger.choose_assets(CarriedAssets(assets=ALL.assets).to_json())
        planned, found = figures(archive, ledger, Selection(), ALL).plan, verdict(archive, ledger)

    assert planned
    assert planned.omitted == tuple((str(key), UNKNOWN_THERE) for key in keys)
    assert (found.reasons, found.assets, found.proves) == ({UNKNOWN_THERE: 2}, 0, False)


def test_what_a_server_has_not_of_a_model_is_told_once(tmp_path: Path) -> None:
    """Its own number and an unknown stage as losses, the link to another run beside them; of its name, too."""
    model = trained("0.1", stage="Development")
    container = AssetContainer(kind=AssetKind.MODEL, name="m", properties={"a": "b"})
    reasons = [NUMBERED.format(1), STAGE.format("Development"), UNLINKED.format("trained")]
    of_name = f"property a: {NO_PROPERTIES}"
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        archive.put_assets([model])
        archive.put_asset_container(container)
        ledger = with_run(archive.ledger(SERVER))
        before = figures(archive, ledger, Selection(), ALL).plan
        name = AssetKey(AssetKind.MODEL, "m", "")
        for key, planned, detail in (
            (model.key, digest_of_asset(model), joined(reasons)),
            (name, digest_of_name(container), of_name),
        ):
            there = AssetKey(AssetKind.MODEL, "m", "1" if key.version else "")
            ledger.put_asset_receipt(
                AssetReceipt(key=key, state=AssetState.SENT, there=there, planned=planned, detail=detail)
            )
        after, found = figures(archive, ledger, Selection(), ALL).plan, verdict(archive, ledger)

    assert before
    assert after
    lost = (("model m:0.1", reasons[0]), ("model m:0.1", reasons[1]), ("model m", of_name))
    assert (before.omitted, before.lost) == ((), lost)
    assert (after.omitted, after.lost) == ((("model m:0.1", reasons[2]),), lost)
    assert set(found.reasons) == {joined(reasons), of_name}


def test_models_stay_where_a_server_gets_no_files_of_their_runs(tmp_path: Path) -> None:
    """Whether it serves none, flags leave them out, or the run does not come: in the plan, and in the verdict."""
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        archive.put_assets([trained("1")])
        told = [reasons_of(archive, archive.ledger(SERVER), ALL)]
        ledger = with_run(archive.ledger(SERVER))
        told.append(reasons_of(archive, ledger, replace(ALL, files=FileChoice(artifacts=False))))
        probe = Probe(run=RunId("r"), lost=(), experiments=(), added=(), server="3.0", traits=frozenset())
        keep_probe(ledger, probe)
        told.append(reasons_of(archive, ledger, ALL))
        ledger.choose_assets(CarriedAssets(assets=ALL.assets).to_json())
        found = verdict(archive, ledger)

    assert told == [RUN_LEFT.format("trained"), NO_FILES, NO_FILES_THERE]
    assert (found.reasons, found.assets) == ({NO_FILES_THERE: 1}, 0)


def trained(version: str, **values: Any) -> Asset:
    """A model whose bytes are files of a run."""
    key, run = AssetKey(AssetKind.MODEL, "m", version), RunId("trained")
    return Asset(key=key, content={}, run=run, files_of=run, run_path="model", owns_bytes=True, **values)


def with_run(ledger: TargetLedger) -> TargetLedger:
    """The run that it is about was sent."""
    ledger.mark(RunId("trained"), [RunItem.CREATE], State.SENT)
    return ledger


def reasons_of(archive: Archive, ledger: TargetLedger, options: ReplayOptions) -> str:
    """Why its one asset is left out."""
    planned = figures(archive, ledger, Selection(), options).plan
    assert planned
    ((_, reason),) = planned.omitted
    return reason


def test_choices_come_back_as_they_were_noted(tmp_path: Path) -> None:
    """Each once, whichever call noted it."""
    named = AssetChoice(
        scope=AssetScope.NAMED,
        kinds=frozenset({AssetKind.MODEL}),
        names=(AssetName("n"), AssetName("m", "1")),
        data=AssetData.ALL,
        outputs=OutputBytes.REFERENCE,
        most_bytes=5,
    )
    choices = [CarriedAssets(assets=named, files=FileChoice(artifacts=False, budget=7)), CarriedAssets()]
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        ledger = archive.ledger(azure_place("sub", "group", "target"))
        for one in (*choices, *choices):
            ledger.choose_assets(one.to_json())
        told = ledger.asset_choices()

    assert list(map(CarriedAssets.from_json, told)) == choices
