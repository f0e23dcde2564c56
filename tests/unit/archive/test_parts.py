"""A part of an archive says of its runs what the whole says."""

from __future__ import annotations

from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.model import Run, RunId
from azureml_replay.planning.parts import cut
from azureml_replay.workspace.asset import AssetKey, AssetKind, AssetUse
from unit.archive.full import R1, R2, SOURCE, TARGET, full

NAMED = "azureml://locations/elsewhere/workspaces/other/models/m/versions/1"


def test_a_part_plans_as_the_whole(tmp_path: Path) -> None:
    """With what a target's ledger says of runs, and how the target's runs name assets."""
    with Archive.open(full(tmp_path / "whole")) as whole:
        whole.put_uses(R1, [AssetUse("outputs.m.uri", NAMED, key=AssetKey(AssetKind.MODEL, "m", "1"))])
        with Archive.create(tmp_path / "part", SOURCE) as part:
            part.take_part(whole, [R1, R2], TARGET, ())
            histories = [list(one.histories(None, TARGET)) for one in (part, whole)]

    named = {one.text for history in histories[0] for one in history.references}
    assert histories[0] == histories[1]
    assert named == {"azureml://locations/here/workspaces/guid/models/m/versions/2"}


def test_a_step_that_shows_files_of_another_unit_goes_with_that_unit(tmp_path: Path) -> None:
    """Among selected runs alone; so does the child of an owner, whose unit it is."""
    runs = [
        Run(id=RunId("owner"), experiment="e"),
        Run(id=RunId("owner-step"), experiment="e", parent=RunId("owner")),
        Run(id=RunId("borrower"), experiment="e"),
        Run(id=RunId("borrower-step"), experiment="e", parent=RunId("borrower"), lender=RunId("owner-step")),
        Run(id=RunId("self"), experiment="e"),
        Run(id=RunId("self-step"), experiment="e", parent=RunId("self"), lender=RunId("self")),
        Run(id=RunId("left"), experiment="e", lender=RunId("self")),
    ]
    with Archive.create(tmp_path / "a", SOURCE) as archive:
        archive.put_listed(runs)
        archive.arrange()
        archive.select([one.id for one in runs if one.id != "left"])
        links = list(archive.unit_links())
        parts = cut(archive.unit_weights(pending=True), links)
        found = [set(archive.runs_of_units(part.units)) for part in parts]

    assert links == [(RunId("borrower"), RunId("owner"))]
    assert found == [{"owner", "owner-step", "borrower", "borrower-step"}, {"self", "self-step"}]
