"""The verdict over a job cannot be fooled: one thing after another is changed in it, and each is named, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.objects import Held as Kept
from azureml_replay.azure.config import workspace_config
from azureml_replay.errors import IntegrityError
from azureml_replay.extraction.extract import ExtractOptions, extract
from azureml_replay.model import RunId
from azureml_replay.selection import Selection
from azureml_replay.synthetic.options import job_of
from azureml_replay.verbs import verify
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import ARTIFACT_STORE, RUN_ORIGIN, scalar
from e2e.library import migrated
from e2e.tampering import Change, Held, change, in_run, row
from e2e.test_code import coded
from e2e.test_named_losses import reference
from e2e.test_synthetic import opened, replayed

__all__ = ["coded"]

LOG = "outputs/original_logs/logs/a.txt"
Names = set[tuple[str, str, str]]
"""Run, what, kind."""


async def extracted(source: WorkspaceFile, folder: Path) -> None:
    """With the code."""
    async with opened(source) as reading:
        with Archive.create(folder, reading.ref) as archive:
            await extract(reading, archive, Selection(), options=ExtractOptions(code=True), width=8)


async def findings(source: WorkspaceFile, target: WorkspaceFile, folder: Path, *, deep: bool = True) -> Names:
    """What verify finds now."""
    async with opened(source) as reading, opened(target) as there:
        with Archive.open(folder) as archive:
            await verify(archive, there, Selection(), source=reading, deep=deep)
            found = list(archive.ledger(there.ref).findings())
    return {(one.run, one.what, one.kind) for one in found}


def other_bytes(run: str) -> Change:
    """Of the same length, under the MD5 that storage told before: only reading them tells."""

    def changed(held: Held) -> None:
        blob = held.blob(LOG, run)
        told = blob.get_blob_properties().content_settings
        blob.upload_blob(b"lag", overwrite=True)
        blob.set_http_headers(told)

    return changed


def new_metric(run: str) -> Change:
    """Which nobody planned."""
    return lambda held: held.world.metrics.append(held.guid, scalar(f"dcid.{run}", "new"), [row(0, 0.5, "new")])


def new_file(run: str) -> Change:
    """Below its outputs."""
    return lambda held: held.blobs.put(ARTIFACT_STORE, f"{RUN_ORIGIN}/dcid.{run}/outputs/new.txt", b"x")


def test_each_thing_that_changes_in_a_job_is_named(
    coded: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Nothing else is, and what was found before is found again."""
    target, folder = calm.add_workspace(), tmp_path / "archive"
    asyncio.run(extracted(coded, folder))
    done = asyncio.run(replayed(coded, target, folder))
    assert (done.completed, done.failed) == (1, ())
    with Archive.open(folder, write=False) as archive:
        child = job_of(archive.ledger(workspace_config(str(target.path)).ref), RunId("child"))
    assert child is not None
    found: Names = set()
    assert asyncio.run(findings(coded, target, folder)) == found

    change(calm, target, other_bytes(child))
    assert asyncio.run(findings(coded, target, folder, deep=False)) == found, "a look at checksums believes them"
    steps: list[tuple[Change, tuple[str, str, str]]] = [
        (lambda _: None, ("child", f"file {LOG}: bytes", "differs")),
        (new_metric(child), ("child", "metric new", "extra")),
        (new_file(child), ("child", "file outputs/new.txt", "extra")),
        (in_run(lambda run: {"tags": run["tags"] | {"team": "red"}}, child), ("child", "tag team", "extra")),
        (in_run(lambda _: {"displayName": "other"}, child), ("child", "display name", "differs")),
        (in_run(lambda _: {"status": "Failed"}, child), ("child", "status", "differs")),
        (below_its_sibling(child), ("child", "parent", "differs")),
    ]
    for how, named in steps:
        change(calm, target, how)
        found.add(named)
        assert asyncio.run(findings(coded, target, folder)) == found, named


def below_its_sibling(run: str) -> Change:
    """Another run below the same job is its parent now."""

    def changed(held: Held) -> None:
        below = [one for _, one in held.world.runs.children(held.guid, "root")]
        (sibling,) = (one for one in below if one["tags"].get("replay_role") == "self")
        held.world.runs.put(held.guid, held.run(run) | {"parentRunId": sibling["runId"]})

    return changed


@pytest.mark.parametrize("way", ["run", "job"])
def test_a_damaged_zip_of_code_is_no_proof(
    way: str, coded: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """The archive's own bytes are read, too, where bytes are compared: what they should be is nowhere else."""
    target, folder = calm.add_workspace(), tmp_path / "archive"
    asyncio.run(extracted(coded, folder))
    send: dict[str, Callable[[], object]] = {
        "run": lambda: asyncio.run(migrated(coded, target, folder)),
        "job": lambda: asyncio.run(replayed(coded, target, folder)),
    }
    send[way]()
    with Archive.open(folder, write=False) as archive:
        kept = archive.code(reference(archive))
    assert isinstance(kept, Kept)
    data = kept.file.read_bytes()
    kept.file.chmod(0o600)
    kept.file.write_bytes(bytes([data[0] ^ 1]) + data[1:])

    with pytest.raises(IntegrityError):
        asyncio.run(findings(coded, target, folder))
