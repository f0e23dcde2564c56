"""A plan of assets reads the archive by pages, however many there are."""

from __future__ import annotations

from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.instants import Instant
from azureml_replay.planning.asset_choices import CarriedAssets
from azureml_replay.planning.assets import (
    UNKNOWN_THERE,
    AssetChoice,
    AssetData,
    AssetName,
    AssetScope,
    OutputBytes,
)
from azureml_replay.planning.files import FileChoice
from azureml_replay.selection import Selection
from azureml_replay.target.asset_plans import figures
from azureml_replay.verification.verdict import verdict
from azureml_replay.workspace.asset import Asset, AssetKey, AssetKind
from azureml_replay.workspace.place import Place

MANY = 2_000
ALL = ReplayOptions(assets=AssetChoice(scope=AssetScope.ALL))


def test_many_versions_take_few_questions(tmp_path: Path) -> None:
    """10,000 take a second: of 1,000 a page each, and some for the whole."""
    source, target = azure_place("sub", "group", "source"), azure_place("sub", "group", "target")
    with Archive.create(tmp_path / "archive", source) as archive:
        archive.put_assets(
            Asset(key=AssetKey(AssetKind.MODEL, f"m{at % 100}", str(at)), content={"lies": at}, created=Instant(at))
            for at in range(MANY)
        )
        asked: list[str] = []
        archive._db.set_trace_callback(asked.append)
        planned = figures(archive, archive.ledger(target), Selection(), ALL)
        archive._db.set_trace_callback(None)

    assert planned
    assert planned.kinds == {"model": {"create": MANY}}
    assert len(asked) < 20


def test_kinds_that_a_target_does_not_know_are_omissions(tmp_path: Path) -> None:
    """Whatever a replay chose: in plan and verdict, by the kind of the target's workspace."""
    source, server = azure_place("sub", "group", "source"), Place("mlflow", "http://127.0.0.1:5000", "127.0.0.1:5000")
    keys = [AssetKey(AssetKind.ENVIRONMENT, "e", "1"), AssetKey(AssetKind.DATA, "azureml_r_output_data_o", "1")]
    with Archive.create(tmp_path / "archive", source) as archive:
        archive.put_assets(
            Asset(key=key, content={}, output="o" if key.kind is AssetKind.DATA else None, owns_bytes=True)
            for key in keys
        )
        ledger = archive.ledger(server)
        ledger.choose_assets(CarriedAssets(assets=ALL.assets).to_json())
        planned, found = figures(archive, ledger, Selection(), ALL), verdict(archive, ledger)

    assert planned
    assert planned.omitted == tuple((str(key), UNKNOWN_THERE) for key in keys)
    assert (found.reasons, found.assets, found.proves) == ({UNKNOWN_THERE: 2}, 0, False)


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
