"""A plan of assets reads the archive by pages, however many there are."""

from __future__ import annotations

from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.instants import Instant
from azureml_replay.planning.assets import AssetChoice, AssetScope
from azureml_replay.selection import Selection
from azureml_replay.target.asset_plans import figures
from azureml_replay.workspace.asset import Asset, AssetKey, AssetKind

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
