"""No "all equal" of assets where they are not: each way in which it was said, and what mends it."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from azure.storage.blob import BlobBlock, ContainerClient, ContentSettings

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.merging.merge import merge
from azureml_replay.azure.workspace import connect
from azureml_replay.comparison.three_way import Prefer
from azureml_replay.direct.asset_files import OTHER_FILE
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.direct.replay import replay
from azureml_replay.errors import Exit
from azureml_replay.extraction.extract import ExtractOptions
from azureml_replay.planning.assets import (
    NO_ASSETS,
    NOT_READ,
    OWN_VALUES,
    RUN_ABSENT,
    UNLISTED,
    AssetChoice,
    AssetData,
    AssetName,
    AssetScope,
)
from azureml_replay.planning.files import ALL_FILES
from azureml_replay.selection import Selection
from azureml_replay.state import status
from azureml_replay.undoing import undo
from azureml_replay.verbs import MigrateOptions, _begun, dry_run, verify
from azureml_replay.verification.verdict import Verdict
from azureml_replay.workspace.mark import TAKEN_BACK
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.assets import SHORT, client_of, small
from e2e.library import DiesAt, FastClock, PowerCut, configured, migrated
from e2e.test_assets import EVERYTHING, called, extracted, page, token
from sandbox.conftest import plane
from sandbox.jobs import API
from sandbox.plane import Plane

__all__ = ["plane"]

ENVIRONMENT = "/environments/own/versions/1"
WEIGHTS = {"MLmodel": b"flavors: {}", "w.bin": b"weights"}
NAMED = AssetChoice(scope=AssetScope.NAMED, names=(AssetName("leaf"),))
LEAF = MigrateOptions(extract=ExtractOptions(assets=NAMED), replay=ReplayOptions(assets=NAMED))


def blobs(workspace: WorkspaceFile) -> ContainerClient:
    """The container of workspaceblobstore, by Microsoft's own client."""
    store = client_of(workspace).datastores.get("workspaceblobstore", include_secrets=True)
    account = f"https://{store.account_name}.blob.core.windows.net"
    return ContainerClient(account, store.container_name, credential=store.credentials.sas_token)


def disk(plane: Plane, version: str = "1", **properties: object) -> str:
    """A model from disk with two files; where they lie."""
    at = f"LocalUpload/of{version}/"
    for name, data in WEIGHTS.items():
        blobs(plane.workspace).upload_blob(at + name, data, overwrite=True)
    told = {"modelType": "custom_model", "modelUri": SHORT + at, **properties}
    plane.document("arm", "PUT", f"/models/disk/versions/{version}", API, {"properties": told})
    return at


def known(folder: Path) -> Verdict:
    """What `status` says."""
    with Archive.open(folder, write=False) as archive:
        told = status(archive).targets[0].verdict
    assert told is not None
    assert ("All equal" in page(folder)) is told.proves, "the report says what status says"
    return told


async def sent(source: WorkspaceFile, target: WorkspaceFile, folder: Path, options: ReplayOptions) -> None:
    """A replay alone."""
    async with (
        connect(configured(source), clock=FastClock()) as reading,
        connect(configured(target), clock=FastClock()) as writing,
    ):
        with Archive.open(folder) as archive:
            await replay(archive, reading, writing, options=options)


async def looked(source: WorkspaceFile, target: WorkspaceFile, folder: Path, *, deep: bool = True) -> Verdict:
    """`verify --deep` with the source at hand."""
    async with (
        connect(configured(source), clock=FastClock()) as reading,
        connect(configured(target), clock=FastClock()) as writing,
    ):
        with Archive.open(folder) as archive:
            return await verify(archive, writing, source=reading, deep=deep)


def told(verdict: Verdict) -> list[tuple[str, str]]:
    """What was found."""
    return sorted((one.what, one.kind) for one in verdict.first)


def test_what_was_taken_back_is_not_equal(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Not after a replay without assets, nor with an older archive's word for it; the next replay brings it back.

    Whichever archive took it back, and whichever sends it again: the asset itself says that it was `undo`.
    """
    disk(plane)
    source, target, folder = plane.workspace, sandbox.add_workspace(), tmp_path / "archive"
    asyncio.run(migrated(source, target, folder, options=EVERYTHING))
    shutil.copytree(folder, tmp_path / "before")

    asyncio.run(called(target, folder, undo))
    undone = known(folder)
    asyncio.run(sent(source, target, folder, ReplayOptions(assets=NO_ASSETS)))
    found = asyncio.run(looked(source, target, folder))
    with Archive.open(folder) as archive:
        merge(archive, [tmp_path / "before"])
    with Archive.open(tmp_path / "before") as archive:
        merge(archive, [folder])
    merged = [known(one) for one in (folder, tmp_path / "before")]
    back = asyncio.run(migrated(source, target, folder, options=MigrateOptions()))
    asyncio.run(called(target, shutil.copytree(folder, tmp_path / "other"), undo))
    by_another = asyncio.run(looked(source, target, folder))
    again = asyncio.run(migrated(source, target, folder, options=MigrateOptions()))
    asyncio.run(called(target, folder, undo))
    fresh = asyncio.run(migrated(source, target, tmp_path / "fresh", options=EVERYTHING))
    there = Plane(target, token()).arm("/models/disk/versions/1")["properties"]

    assert (told(by_another), again.verdict.proves) == ([("model disk:1: archived", TAKEN_BACK)], True)
    assert (fresh.verdict.proves, there["isArchived"], there["tags"]) == (True, False, {})
    assert (undone.proves, undone.complete, undone.assets_equal) == (False, False, 0)
    assert (told(found), found.exit) == ([("model disk:1: archived", TAKEN_BACK)], Exit.FINDINGS)
    assert [(one.proves, one.assets_equal) for one in merged] == [(False, 0)] * 2
    assert (back.verdict.proves, back.verdict.assets_equal) == (True, 1)


def test_what_came_later_is_not_compared(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """A version that an extraction brings is left to send: in status, plan and report; verify misses it.

    A replay that names no assets sends it, as the one before took all; and whoever read it last wins a merge.
    """
    disk(plane)
    source, target, folder = plane.workspace, sandbox.add_workspace(), tmp_path / "archive"
    asyncio.run(migrated(source, target, folder, options=EVERYTHING))
    older, other = (shutil.copytree(folder, tmp_path / name) for name in ("older", "other"))
    disk(plane, "2")
    disk(plane, "1", description="newer")
    asyncio.run(extracted(source, folder))

    later = known(folder)
    with Archive.open(folder, write=False) as archive:
        planned = dry_run(archive, configured(target).ref)
    missed = asyncio.run(looked(source, target, folder))
    for ours, theirs in ((older, folder), (other, older)):
        with Archive.open(ours) as archive:
            merge(archive, [theirs])
            assert archive.content_root() == root_of(folder)
        assert told_of(known(ours)) == told_of(missed)
    asyncio.run(sent(source, target, folder, ReplayOptions()))
    last = asyncio.run(looked(source, target, folder))

    assert (later.proves, later.assets, later.assets_equal, later.assets_not_compared) == (False, 2, 0, 2)
    assert planned.assets is not None
    assert planned.assets.to_send == 2
    assert (told(missed), missed.exit) == (
        [("model disk:1: description", "differs"), ("model disk:2", "absent")],
        Exit.FINDINGS,
    )
    assert (last.proves, last.assets_equal) == (True, 2)


def told_of(verdict: Verdict) -> tuple[int, int, int]:
    return verdict.findings, verdict.assets_equal, verdict.assets_not_compared


def root_of(folder: Path) -> str:
    with Archive.open(folder, write=False) as archive:
        return str(archive.content_root())


def test_bytes_of_assets_are_compared(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Equal size and a checksum that is kept, a file more, a file of equal bytes with another word for them.

    Changed at the source they are sent again, over what was sent, and never over what somebody put there.
    """
    at = disk(plane)
    source, target, folder = plane.workspace, sandbox.add_workspace(), tmp_path / "archive"
    mine, theirs = blobs(source), blobs(target)
    mine.get_blob_client(f"{at}w.bin").set_http_headers(ContentSettings())
    asyncio.run(migrated(source, target, folder, options=EVERYTHING))
    good = theirs.get_blob_client(f"{at}MLmodel").get_blob_properties().content_settings
    theirs.upload_blob(f"{at}MLmodel", b"flavors: []", overwrite=True)
    theirs.get_blob_client(f"{at}MLmodel").set_http_headers(ContentSettings(content_md5=good.content_md5))
    theirs.upload_blob(f"{at}more.txt", b"more")

    seen = asyncio.run(looked(source, target, folder, deep=False))
    read = asyncio.run(looked(source, target, folder))
    kept = asyncio.run(looked(source, target, folder, deep=False))
    theirs.delete_blob(f"{at}more.txt")
    theirs.upload_blob(f"{at}MLmodel", WEIGHTS["MLmodel"], overwrite=True)
    mended = asyncio.run(looked(source, target, folder))
    mine.upload_blob(f"{at}w.bin", b"other, longer weights", overwrite=True)
    mine.upload_blob(f"{at}new.bin", b"new")
    asyncio.run(extracted(source, folder))
    changed = known(folder)
    again = asyncio.run(migrated(source, target, folder, options=EVERYTHING))
    theirs.upload_blob(f"{at}w.bin", b"somebody's", overwrite=True)
    mine.upload_blob(f"{at}w.bin", b"the third", overwrite=True)
    both = asyncio.run(migrated(source, target, folder, options=EVERYTHING))

    assert told(seen) == [("model disk:1: file more.txt", "extra")]
    everything = [("model disk:1: file MLmodel: bytes", "differs"), ("model disk:1: file more.txt", "extra")]
    assert told(read) == told(kept) == everything, "what is known of bytes stands until they are read again"
    assert (mended.proves, mended.unverifiable) == (True, 0)
    assert (changed.proves, changed.assets_not_compared) == (False, 1)
    assert (again.replayed.assets.files, again.verdict.proves) == (2, True)
    assert theirs.download_blob(f"{at}w.bin").readall() == b"somebody's"
    assert both.replayed.assets.failed
    assert told(both.verdict) == [("model disk:1: file w.bin", "differs")]


def test_a_copy_of_a_models_bytes_is_compared(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], calm: Sandbox, tmp_path: Path
) -> None:
    """Where the service keeps the bytes of a run's model at another place, they are looked for there."""
    small(plane)
    calm.set_faults(strict=["replicate-models"])
    target, folder = calm.add_workspace(), tmp_path / "archive"
    done = asyncio.run(migrated(plane.workspace, target, folder, options=EVERYTHING))
    calm.set_faults()
    copies = sorted(one.name for one in blobs(target).list_blobs() if "ServiceReplicated" in one.name)
    blobs(target).delete_blob(copies[0])
    blobs(target).upload_blob(copies[-1], b"WEIGHTS", overwrite=True)

    found = asyncio.run(looked(plane.workspace, target, folder))

    assert done.verdict.findings == 0
    assert {one.what.rpartition(": file ")[2] for one in found.first} == {"MLmodel", "data.bin"}


def test_an_extraction_that_failed_leaves_assets_open(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """An environment that a component names could not be read, files could not be listed, and killed while they are.

    Nothing is made without its files; the next extraction brings what lacks, and the next replay sends it.
    """
    at = disk(plane)
    body = {"type": "command", "command": "true", "environment": f"{plane.path}/environments/own/versions/1"}
    for path, told in (("/environments/own", {"image": "ubuntu"}), ("/components/leaf", {"componentSpec": body})):
        plane.document("arm", "PUT", f"{path}/versions/1", API, {"properties": told})
    source, target = plane.workspace, sandbox.add_workspace()
    failing = {"failed": ("/azureml-blobstore", EVERYTHING), "unread": ("/environments/own/versions/", LEAF)}
    for name, (path, options) in failing.items():
        match = {"workspace": source.workspace_name, "method": "GET", "path": path}
        sandbox.set_faults([{"match": match, "do": "status", "status": 503}])
        asyncio.run(migrated(source, target, tmp_path / name, options=options))
    sandbox.set_faults()
    with suppress(PowerCut):
        cut = DiesAt(1, delivered=False, where=f"comp=list.*{at[:11]}")
        asyncio.run(migrated(source, target, tmp_path / "killed", options=EVERYTHING, cut=cut))
    seen = {}
    for name, options in (("failed", EVERYTHING), ("unread", LEAF), ("killed", EVERYTHING)):
        asyncio.run(sent(source, target, tmp_path / name, options.replay))
        seen[name] = asyncio.run(looked(source, target, tmp_path / name))
        known(tmp_path / name)
    made = Plane(target, token())("arm", "GET", "/models/disk/versions/1", API).status_code
    whole = [asyncio.run(migrated(source, target, tmp_path / name, options=EVERYTHING)) for name in seen]

    assert ({one.exit for one in seen.values()}, made) == ({Exit.SERVICE}, 404)
    assert {name: [*one.uncompared] for name, one in seen.items()} == {
        "failed": [UNLISTED],
        "unread": [NOT_READ],
        "killed": [UNLISTED],
    }
    assert [(one.verdict.proves, one.verdict.assets_equal) for one in whole] == [(True, 3)] * 3


def test_values_of_assets_are_compared_whoever_made_them(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """What an equal one of the target's has of its own is told as that; what changes later is a finding.

    A name that somebody archives as a whole hides every version of it.
    """
    disk(plane, tags={"v": "1"})
    plane.document("arm", "PUT", ENVIRONMENT, API, {"properties": {"image": "ubuntu", "tags": {"e": "1"}}})
    target, folder = sandbox.add_workspace(), tmp_path / "archive"
    there = Plane(target, token())
    own = {"image": "ubuntu", "tags": {"e": "theirs", "x": "y"}}
    there.document("arm", "PUT", ENVIRONMENT, API, {"properties": own})

    done = asyncio.run(migrated(plane.workspace, target, folder, options=EVERYTHING))
    there.document("arm", "PUT", ENVIRONMENT, API, {"properties": {**own, "isArchived": True}})
    model = there.arm("/models/disk/versions/1")["properties"]
    model["properties"]["mine"] = "x"
    there.document("arm", "PUT", "/models/disk/versions/1", API, {"properties": model})
    client_of(target).models.archive("disk")
    found = asyncio.run(looked(plane.workspace, target, folder))

    adopted = OWN_VALUES.format("tag e, tag x")
    assert (done.verdict.proves, done.verdict.reasons) == (True, {adopted: 1})
    assert (found.changes, found.unseen) == (3, 0), "all was seen there as it was sent"
    assert told(found) == [
        ("environment own:1: archived", "edited in target"),
        ("model disk: archived", "edited in target"),
        ("model disk:1: property mine", "edited in target"),
    ]


def test_a_model_is_linked_once_its_run_is_there(plane: Plane, sandbox: Sandbox, tmp_path: Path) -> None:
    """Made without its run it is an omission, until the run comes along: in the same call, or in one before."""
    small(plane)
    plane.put("other", status="Completed")
    source, target = plane.workspace, sandbox.add_workspace()
    one = Selection(include=("other",))
    absent = asyncio.run(migrated(source, target, tmp_path / "archive", selection=one, options=EVERYTHING))
    no_assets = replace(EVERYTHING, replay=ReplayOptions(assets=NO_ASSETS))
    between = asyncio.run(migrated(source, target, tmp_path / "archive", options=no_assets))
    linked = asyncio.run(migrated(source, target, tmp_path / "archive", options=EVERYTHING))
    again = asyncio.run(migrated(source, target, tmp_path / "archive", options=EVERYTHING))

    versions = Plane(target, token()).arm("/models/own/versions", listViewType="All")["value"]
    assert absent.verdict.reasons[RUN_ABSENT.format("trained")] == 2
    assert [what for what, _ in told(between.verdict)] == ["model own:1: run", "model own:2: run"]
    assert [version["properties"]["jobName"] for version in versions] == ["trained"] * 2
    assert (linked.verdict.proves, RUN_ABSENT.format("trained") in linked.verdict.reasons) == (True, False)
    assert (again.replayed.assets.updated, again.verdict.proves) == (0, True)


def put_unsummed(workspace: WorkspaceFile, path: str, data: bytes) -> None:
    """Bytes of which storage keeps no MD5, as of whatever is uploaded in blocks."""
    blob = blobs(workspace).get_blob_client(path)
    blob.stage_block("MDAwMQ==", data)
    blob.commit_block_list([BlobBlock("MDAwMQ==")], content_settings=ContentSettings(content_md5=None))


def test_a_file_without_a_checksum_that_changed_is_sent_or_told(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """As many bytes as before, on a side that keeps no MD5: the ETag tells that it changed, the bytes that it differs.

    What somebody put in its place, which has one, is left alone, and told, until the source is preferred.
    """
    source, target, folder = plane.workspace, sandbox.add_workspace(), tmp_path / "archive"
    weights = f"{disk(plane)}w.bin"
    put_unsummed(source, weights, b"weights")
    assert asyncio.run(migrated(source, target, folder, options=EVERYTHING)).verdict.proves

    put_unsummed(source, weights, b"WEIGHTS")
    asyncio.run(extracted(source, folder))
    between = known(folder)
    first = asyncio.run(migrated(source, target, folder, options=EVERYTHING))
    arrived = blobs(target).download_blob(weights).readall()
    put_unsummed(source, weights, b"wEIGHTs")
    blobs(target).upload_blob(weights, b"another", overwrite=True)
    left = asyncio.run(migrated(source, target, folder, options=EVERYTHING))
    kept = blobs(target).download_blob(weights).readall()
    preferred = ReplayOptions(assets=AssetChoice(scope=AssetScope.ALL), prefer=Prefer.SOURCE)
    prefer = MigrateOptions(replay=preferred, deep=True)  # bytes were found to differ: these are to be read again
    done = asyncio.run(migrated(source, target, folder, options=prefer))

    assert (between.proves, first.verdict.proves, arrived) == (False, True, b"WEIGHTS")
    assert (left.verdict.exit is Exit.OK, kept) == (False, b"another")
    assert blobs(target).download_blob(weights).readall() == b"wEIGHTs"
    assert (done.verdict.proves, asyncio.run(looked(source, target, folder)).exit) == (True, Exit.OK)


def test_an_equal_file_that_was_there_before_is_never_written_over(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """It was the target's own, and still is once the source has another one: that is told."""
    source, target, folder = plane.workspace, sandbox.add_workspace(), tmp_path / "archive"
    weights = f"{disk(plane)}w.bin"
    blobs(target).upload_blob(weights, WEIGHTS["w.bin"], overwrite=True)
    assert asyncio.run(migrated(source, target, folder, options=EVERYTHING)).verdict.proves

    blobs(source).upload_blob(weights, b"WEIGHTS", overwrite=True)
    left = asyncio.run(migrated(source, target, folder, options=EVERYTHING))

    assert (left.verdict.exit, left.replayed.assets.failed) == (
        Exit.FINDINGS,
        (("model disk:1", OTHER_FILE.format(f"workspaceblobstore: {weights}")),),
    )
    assert blobs(target).download_blob(weights).readall() == WEIGHTS["w.bin"]


def test_a_file_without_a_checksum_that_somebody_replaced_is_theirs(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """As many bytes, and no MD5 on either side: the ETag tells that somebody wrote there, as of a run's files."""
    source, target, folder = plane.workspace, sandbox.add_workspace(), tmp_path / "archive"
    weights = f"{disk(plane)}w.bin"
    put_unsummed(source, weights, b"weights")
    assert asyncio.run(migrated(source, target, folder, options=EVERYTHING)).verdict.proves

    put_unsummed(target, weights, b"another")
    edited = [asyncio.run(looked(source, target, folder, deep=deep)) for deep in (False, True)]
    alone = asyncio.run(called(target, folder, verify))
    put_unsummed(source, weights, b"WEIGHTS")
    left = asyncio.run(migrated(source, target, folder, options=EVERYTHING))
    kept = blobs(target).download_blob(weights).readall()

    bytes_of = "model disk:1: file w.bin: bytes"
    assert [told(one) for one in edited] == [[(bytes_of, "differs")]] * 2
    assert told(alone) == [(bytes_of, "differs")], "a finding about bytes stands until they are read again"
    assert (left.verdict.exit, kept) == (Exit.FINDINGS, b"another")
    preferred = replace(EVERYTHING, replay=replace(EVERYTHING.replay, prefer=Prefer.SOURCE))
    assert asyncio.run(migrated(source, target, folder, options=preferred)).verdict.proves
    assert blobs(target).download_blob(weights).readall() == b"WEIGHTS"


def test_bytes_that_came_once_come_again_without_the_flag(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """What an earlier call carried stays to be carried; until it has come, what lies there is of another content."""
    source, target, folder = plane.workspace, sandbox.add_workspace(), tmp_path / "archive"
    put_unsummed(source, "tab/x.csv", b"1111")
    data = {"dataType": "uri_folder", "dataUri": SHORT + "tab/"}
    plane.document("arm", "PUT", "/data/tab/versions/1", API, {"properties": data})
    everything = AssetChoice(scope=AssetScope.ALL, data=AssetData.WORKSPACE)
    options = MigrateOptions(extract=ExtractOptions(assets=everything), replay=ReplayOptions(assets=everything))
    assert asyncio.run(migrated(source, target, folder, options=options)).verdict.proves

    put_unsummed(source, "tab/x.csv", b"2222")
    asyncio.run(extracted(source, folder, options.extract))
    before = asyncio.run(looked(source, target, folder, deep=False))
    asyncio.run(sent(source, target, folder, ReplayOptions()))
    after = asyncio.run(looked(source, target, folder, deep=False))

    assert (before.exit is Exit.OK, blobs(target).download_blob("tab/x.csv").readall()) == (False, b"2222")
    assert after.proves


def test_a_look_at_a_selection_that_was_killed_proves_nothing_of_its_assets(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Whatever it was to look at and did not is not compared."""
    small(plane)
    disk(plane)
    source, target, folder = plane.workspace, sandbox.add_workspace(), tmp_path / "archive"
    assert asyncio.run(migrated(source, target, folder, options=EVERYTHING)).verdict.proves

    with Archive.open(folder) as archive:
        ledger, one = archive.ledger(configured(target).ref), Selection(include=("trained",))
        _begun(archive, ledger, one, ["trained"], ALL_FILES, deep=False)
    killed = known(folder)

    assert (killed.proves, killed.runs > 0) == (False, True)
    assert killed.assets_not_compared > 0
    assert asyncio.run(looked(source, target, folder)).proves


def test_what_the_source_lost_stays_required_as_it_was_sent(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """An omission while it stands in the target, a finding once it is gone there, or somebody's; all of them too."""
    source, target, folder = plane.workspace, sandbox.add_workspace(), tmp_path / "archive"
    at = disk(plane, modelUri=f"{SHORT}LocalUpload/of1")
    put_unsummed(source, f"{at}w.bin", b"weights")
    assert asyncio.run(migrated(source, target, folder, options=EVERYTHING)).verdict.proves

    blobs(source).delete_blob(f"{at}w.bin")
    lost = asyncio.run(migrated(source, target, folder, options=EVERYTHING)).verdict
    blobs(target).upload_blob(f"{at}w.bin", b"another", overwrite=True)
    edited = asyncio.run(looked(source, target, folder))
    blobs(target).delete_blob(f"{at}w.bin")
    gone = asyncio.run(looked(source, target, folder))
    blobs(source).delete_blob(f"{at}MLmodel")
    emptied = asyncio.run(migrated(source, target, folder, options=EVERYTHING)).verdict

    assert (told(lost), sum(lost.reasons.values())) == ([], 1)
    assert told(edited) == [("model disk:1: file w.bin", "extra")]
    assert told(gone) == [("model disk:1: file w.bin", "absent")]
    assert told(emptied) == told(gone)
