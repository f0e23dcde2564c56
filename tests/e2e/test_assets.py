"""What runs refer to arrives: judged by azure-ai-ml on both sides."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from azure.ai.ml import MLClient
from azure.identity import EnvironmentCredential

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.workspace import connect
from azureml_replay.direct.asset_undo import OF_RUN
from azureml_replay.direct.options import AssetConflict, AssetsSent, ReplayOptions
from azureml_replay.errors import UserError
from azureml_replay.extraction.extract import ExtractOptions, extract
from azureml_replay.planning.assets import AssetChoice, AssetScope
from azureml_replay.report_page.write import report
from azureml_replay.state import status
from azureml_replay.undoing import undo
from azureml_replay.verbs import MigrateOptions, dry_run, verify
from azureml_replay.verification.each import DIFFER, ItemLine, Said, each
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.assets import CONDA, SHORT, built, client_of, filled, listed, small, told
from e2e.library import DiesAt, FastClock, PowerCut, configured, migrated
from sandbox.conftest import plane
from sandbox.jobs import API, Jobs, jobs
from sandbox.plane import Plane
from sandbox.test_models import of_run

ALL = AssetChoice(scope=AssetScope.ALL)
EVERYTHING = MigrateOptions(deep=True, extract=ExtractOptions(assets=ALL), replay=ReplayOptions(assets=ALL))
KINDS = "models|environments|components|data|codes"
__all__ = ["jobs", "plane"]


def test_assets_arrive_as_they_were(jobs: Jobs, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """Models of a run and from disk, environments, data, components and code: both sides answer alike.

    Again: nothing is written. Verify finds what somebody changes; undo archives what is ours, replay brings it back.
    """
    filled(jobs, tmp_path)
    built(jobs.client, tmp_path)
    source, target, folder = jobs.plane.workspace, sandbox.add_workspace(), tmp_path / "archive"

    done = asyncio.run(migrated(source, target, folder, options=EVERYTHING))
    there = client_of(target)
    before, after = told(jobs.client), told(there)
    again = asyncio.run(migrated(source, target, folder, options=EVERYTHING))

    assert before == after
    with Archive.open(folder, write=False) as archive:
        fresh, full = (configured(one).ref for one in (sandbox.add_workspace(), target))
        for place, left in ((None, None), (fresh, done.replayed.own_files), (full, 0)):
            planned = dry_run(archive, place, options=EVERYTHING.replay)
            assert (planned.runs, planned.files, planned.own_files) == (
                done.replayed.runs,
                done.replayed.files - done.replayed.own_files,
                done.replayed.own_files,
            ), "each run and file once, those that are sent late among them"
            assert (planned.left and planned.left.own_files) == left
    assert (done.verdict.files, done.verdict.own_files) == (done.replayed.files, done.replayed.own_files)
    assert (done.replayed.assets.made, done.replayed.assets.failed, done.replayed.assets.refused) == (12, (), ())
    assert (done.verdict.findings, done.verdict.assets, done.verdict.assets_equal) == (0, 12, 12)
    assert again.replayed.assets == AssetsSent()
    assert (again.verdict.findings, again.verdict.assets_equal) == (0, 12)
    there.models.download("disk", version="3", download_path=str(tmp_path / "down"))
    assert next((tmp_path / "down").rglob("data.bin")).read_bytes() == b"weights"
    changed_and_undone(source, target, folder, there)


def changed_and_undone(source: WorkspaceFile, target: WorkspaceFile, folder: Path, there: MLClient) -> None:
    """A tag that somebody adds is theirs: it is told, and keeps its asset from being archived."""
    model = there.models.get("disk", version="2")
    model.tags["mine"] = "yes"
    there.models.create_or_update(model)
    equal, plain = page(folder), Counter(one.verdict for one in lines(target, folder) if one.level == "asset")
    found = asyncio.run(called(target, folder, verify))
    differing = page(folder)
    edited = {one.item: one.verdict for one in lines(target, folder) if one.verdict in DIFFER}
    gone = asyncio.run(called(target, folder, undo))
    left = {one.version for one in there.models.list("disk")}
    back = asyncio.run(migrated(source, target, folder, options=EVERYTHING)).replayed
    told_again = {one.version: one.tags for one in there.models.list("disk")}

    assert [(one.what, one.kind, one.actual) for one in found.first] == [
        ("model disk:2: tag mine", "edited in target", "yes")
    ]
    assert "All equal: " in equal
    assert "12 assets" in equal
    assert "Not equal: 1 finding in 1 asset: " in differing, "the report says what verify says"
    assert "All equal" not in differing
    assert plain == {Said.EQUAL: 12}
    assert edited == dict.fromkeys(("model disk:2", "model disk:2: tag mine"), Said.DIFFERS), "and so does --differ"
    assert Counter(OF_RUN in why for _, why in gone.left) == {True: 1, False: 2}
    assert gone.assets == 8, "not the code of the job, and not what was archived already"
    assert left == {"2"}
    assert (back.assets.updated, back.assets.failed) == (8, ())
    assert told_again == {"2": {"v": "2", "mine": "yes"}, "3": {"v": "3"}}


def page(folder: Path) -> str:
    """The report of now."""
    with Archive.open(folder, write=False) as archive:
        report(archive, folder.parent / "report.html")
    return (folder.parent / "report.html").read_text()


def lines(target: WorkspaceFile, folder: Path) -> list[ItemLine]:
    """What `--combined` lists."""
    with Archive.open(folder, write=False) as archive:
        return list(each(archive, archive.ledger(configured(target).ref)))


async def called(target: WorkspaceFile, folder: Path, verb: Any) -> Any:
    """A verb on the archive and its target."""
    async with connect(configured(target), clock=FastClock()) as writing:
        with Archive.open(folder) as archive:
            return await verb(archive, writing)


async def extracted(source: WorkspaceFile, folder: Path, options: ExtractOptions = EVERYTHING.extract) -> None:
    """What is new at the source, and no replay."""
    async with connect(configured(source), clock=FastClock()) as reading:
        with Archive.open(folder) as archive:
            await extract(reading, archive, options=options)


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_any_request_nothing_is_lost_or_there_twice(
    plane: Plane, sandbox: Sandbox, tmp_path: Path, every: int
) -> None:
    """Before and after the delivery of each (or each seventh) request for an asset of the target; then run again."""
    small(plane)
    said = {"description": "churn", "tags": {"team": "a"}}
    plane.document("arm", "PUT", "/models/own", API, {"properties": said})
    wanted, died, at = listed(plane), True, 1
    while died:
        target, died = sandbox.add_workspace(), False
        run = partial(migrated, plane.workspace, target, tmp_path / str(at), options=EVERYTHING)
        for delivered in (False, True):
            cut = DiesAt(at, delivered=delivered, where=rf"{target.workspace_name}/({KINDS})/")
            try:
                asyncio.run(run(cut=cut))
            except PowerCut:
                died = True
        done = asyncio.run(run())
        before = written(sandbox, target)
        again = asyncio.run(run())

        there = Plane(target, token())
        assert (done.verdict.findings, done.verdict.assets_equal, done.replayed.assets.failed) == (0, 6, ()), at
        assert listed(there) == wanted, at
        assert said.items() <= there.arm("/models/own")["properties"].items(), at
        assert (again.replayed.assets, written(sandbox, target)) == (AssetsSent(), before), at
        at += every
    assert at > 14, "it would prove nothing"


def written(sandbox: Sandbox, workspace: WorkspaceFile) -> int:
    """Writes into a workspace, of any kind."""
    here = [one for one in sandbox.requests()["routes"] if one["workspace"] == workspace.workspace_name]
    return sum(one["count"] for one in here if one["effect"] == "write")


def token() -> str:
    return EnvironmentCredential().get_token("https://management.azure.com/.default").token


def test_what_the_target_has_of_its_own_is_never_overwritten(plane: Plane, sandbox: Sandbox, tmp_path: Path) -> None:
    """Equal: adopted. Another: nothing is written, it is left, or the source's gets another version; undo leaves it."""
    small(plane)
    target = sandbox.add_workspace()
    there = Plane(target, token())
    of_run(there, "theirs")
    there.put("theirs", status="Completed")
    image = {"properties": {"image": "ubuntu", "condaFile": yaml.safe_dump(CONDA)}}
    there.document("arm", "PUT", "/environments/own/versions/1", API, image)
    own = {"properties": {"modelType": "custom_model", "modelUri": f"{SHORT}other"}}
    there.document("arm", "PUT", "/models/own/versions/1", API, own)
    run = partial(migrated, plane.workspace, target)

    with pytest.raises(UserError, match=r"other assets under the names of model own:1: nothing was written"):
        asyncio.run(run(tmp_path / "a", options=EVERYTHING))
    untouched = there.arm("/components")["value"]
    left = asyncio.run(run(tmp_path / "a", options=with_conflict(AssetConflict.SKIP)))
    moved = asyncio.run(run(tmp_path / "b", options=with_conflict(AssetConflict.NEXT)))
    undone = asyncio.run(called(target, tmp_path / "b", undo))

    assert untouched == []
    assert (left.replayed.assets.adopted, left.replayed.assets.left) == (1, ("model own:1",))
    assert (moved.replayed.assets.made, moved.replayed.assets.failed) == (1, ())
    versions = there.arm("/models/own/versions", listViewType="All")["value"]
    assert [(one["name"], one["properties"]["isArchived"]) for one in versions] == [
        ("3", True),
        ("2", True),
        ("1", False),
    ]
    assert not there.arm("/environments/own/versions/1")["properties"]["isArchived"]
    assert undone.assets


def with_conflict(on_conflict: AssetConflict) -> MigrateOptions:
    return replace(EVERYTHING, replay=ReplayOptions(assets=ALL, on_asset_conflict=on_conflict))


def test_what_could_not_be_made_is_not_equal(plane: Plane, sandbox: Sandbox, tmp_path: Path) -> None:
    """Where models, or an environment and what names it, fail, all runs are equal, and what they refer to is absent.

    What changed at the source since it was compared is not equal either, before anybody looks.
    """
    small(plane)
    source, target, folder = plane.workspace, sandbox.add_workspace(), tmp_path / "archive"
    refused = {"workspace": target.workspace_name, "method": "PUT", "path": "/(models|environments)/"}
    sandbox.set_faults([{"match": refused, "do": "status", "status": 403}])
    failed = asyncio.run(migrated(source, target, folder, options=EVERYTHING))
    sandbox.set_faults()
    missed = asyncio.run(called(target, folder, verify))
    whole = asyncio.run(migrated(source, target, folder, options=EVERYTHING))
    changed = {"dataType": "uri_file", "dataUri": f"{SHORT}numbers.csv", "description": "other numbers"}
    plane.document("arm", "PUT", "/data/numbers/versions/1", API, {"properties": changed})
    asyncio.run(extracted(source, folder))
    with Archive.open(folder, write=False) as archive:
        stale = status(archive).targets[0].verdict

    assert len(failed.replayed.assets.failed) == 5, "two components waited for the environment"
    assert (failed.verdict.proves, missed.proves, missed.findings) == (False, False, 5)
    assert (whole.verdict.proves, whole.verdict.assets_equal) == (True, 6)
    assert (stale.proves, stale.assets_equal, stale.assets_not_compared) == (False, 5, 1)
