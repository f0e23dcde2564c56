"""Bytes of files: kept in the archive, sent without the source, through us where storage does not reach storage."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive import objects
from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import workspace_config
from azureml_replay.azure.storage import storage
from azureml_replay.azure.workspace import AzureWorkspace, connect
from azureml_replay.cli import run
from azureml_replay.direct.options import Replayed
from azureml_replay.direct.replay import replay
from azureml_replay.errors import Exit, IntegrityError
from azureml_replay.extraction import download
from azureml_replay.extraction.extract import Extracted, ExtractOptions, extract
from azureml_replay.model import RunId
from azureml_replay.selection import Selection
from azureml_replay.sending.transport import open_transport
from azureml_replay.verbs import verify
from azureml_replay.verification.verdict import Verdict
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import Document
from e2e.library import DiesAt, FastClock, PowerCut
from e2e.tampering import FILE, Held, change, fill

DOWNLOAD = ExtractOptions(download=True)


async def opened(stack: AsyncExitStack, workspace: WorkspaceFile, cut: DiesAt | None = None) -> AzureWorkspace:
    """A workspace; with `cut`, spoken to through it."""
    wire: Any = await stack.enter_async_context(open_transport())
    config = workspace_config(str(workspace.path))
    through = cut.over(wire) if cut else wire
    return await stack.enter_async_context(connect(config, transport=through, clock=FastClock()))


async def kept(source: WorkspaceFile, folder: Path, cut: DiesAt | None = None) -> Extracted:
    """`extract --artifacts download`."""
    async with AsyncExitStack() as stack:
        reading = await opened(stack, source, cut)
        archive = stack.enter_context(Archive.create(folder, reading.ref))
        return await extract(reading, archive, Selection(), options=DOWNLOAD, width=8)


async def sent(folder: Path, target: WorkspaceFile, cut: DiesAt | None = None) -> tuple[Replayed, Verdict]:
    """Replay and a deep verify, without a source."""
    async with AsyncExitStack() as stack:
        writing = await opened(stack, target, cut)
        archive = stack.enter_context(Archive.open(folder))
        done = await replay(archive, None, writing, Selection(), width=8)
        return done, await verify(archive, writing, Selection(), deep=True)


@pytest.fixture(scope="module")
def source(sandbox: Sandbox) -> WorkspaceFile:
    """A root with two files and a child with a log; changed by no test."""
    made = sandbox.add_workspace()
    change(sandbox, made, fill)
    return made


async def test_the_source_is_needed_no_more(
    source: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Every byte is in the archive once; replay and the deep verify find it there. A second extract brings nothing."""
    folder = tmp_path / "archive"
    first = await kept(source, folder)
    again = await kept(source, folder)
    calm.reset_requests()

    done, verdict = await sent(folder, calm.add_workspace())

    assert (first.kept, first.kept_bytes, again.kept) == (3, 14, 0)
    assert (done.failed, verdict.findings, verdict.unverifiable) == ((), 0, 0)
    assert source.workspace_name not in {route["workspace"] for route in calm.requests()["routes"]}


async def test_killed_at_every_request_of_a_download(
    source: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """What the archive believes is there, whenever the power goes; the next call brings the rest."""
    at, was_cut = 0, True
    while was_cut:
        at += 1
        was_cut, folder = False, tmp_path / str(at)
        try:
            await kept(source, folder, DiesAt(at, delivered=bool(at % 2)))
        except PowerCut:
            was_cut = True
        if (folder / "archive.db").exists():
            with Archive.open(folder) as archive:
                archive.check()
        await kept(source, folder)
        with Archive.open(folder) as archive:
            archive.check()
            assert archive.lacks_bytes() == (0, 0)
    assert at > 15, "an extraction takes more requests than that: the cuts did not reach its end"


LARGE = "outputs/large.bin"


def large(size: int, *, path: str = LARGE) -> Callable[[Held], None]:
    """A file of the root, in blocks and so without an MD5."""

    def changed(held: Held) -> None:
        held.world.artifacts.register(held.guid, ("ExperimentRun", "dcid.root"), path)
        client = held.blob(path)
        client._config.max_single_put_size = client._config.max_block_size = 1024 * 1024
        client.upload_blob(content_of(size), overwrite=True, metadata={"Kind": "large"})

    return changed


def content_of(size: int) -> bytes:
    """Bytes that do not repeat."""
    return hashlib.shake_256(b"large").digest(size)


BLOBS = r"\.blob\."
"""Requests for bytes."""
SIZE = 6 * 1024 * 1024 + 5


@pytest.fixture(scope="module")
def heavy(sandbox: Sandbox) -> WorkspaceFile:
    """The same with a file of 6 MiB, and one of equal content; changed by no test."""
    made = sandbox.add_workspace()
    for how in (fill, large(SIZE), large(SIZE, path="outputs/twin.bin")):
        change(sandbox, made, how)
    return made


async def test_a_large_download_goes_on_in_the_middle(
    heavy: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was synced is not read again; content that two files share lies there once."""
    monkeypatch.setattr(objects, "SYNC_BYTES", 1024 * 1024)
    monkeypatch.setattr(storage, "RANGE_BYTES", 1024 * 1024)
    monkeypatch.setattr(download, "FILES_AT_ONCE", 1)
    folder = tmp_path / "archive"
    whole = DiesAt(0, delivered=False, where=BLOBS)
    await kept(heavy, tmp_path / "whole", whole)
    with pytest.raises(PowerCut):
        await kept(heavy, folder, DiesAt(whole.count - 3, delivered=True, where=BLOBS))

    done = await kept(heavy, folder)

    assert (done.kept, done.kept_bytes) == (1, 3 * 1024 * 1024 + 5)
    objects_there = sorted(file.name for file in (folder / "artifacts").glob("??/*"))
    assert hashlib.sha256(content_of(SIZE)).hexdigest() in objects_there
    assert len(objects_there) == 4, "three small contents, and one that two large files share"
    with Archive.open(folder) as archive:
        archive.check()


async def test_a_damaged_file_ends_the_command_and_is_not_written(
    heavy: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """A byte that changed, in a small file and in the last block of a large one; a file that is gone.

    Runs of which nothing is damaged are sent whole all the same.
    """
    await kept(heavy, tmp_path / "archive")
    for number, (path, damage) in enumerate([(FILE, _flip), (LARGE, _flip), (LARGE, Path.unlink)]):
        folder, target = shutil.copytree(tmp_path / "archive", tmp_path / str(number)), calm.add_workspace()
        with Archive.open(folder) as archive:
            damage(_object(archive, path))
            with pytest.raises(IntegrityError):
                archive.check()

        with pytest.raises(IntegrityError):
            await sent(folder, target)

        change(calm, target, lambda held, path=path: _absent(held.blob(path)))
        change(calm, target, lambda held: _ended(held.run("child")))


def test_a_damaged_object_ends_commands_with_4(
    source: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, monkeypatch, capsys
) -> None:
    """`verify --deep` reads what the archive holds too; each says in one line which object it is, and what to do."""
    monkeypatch.chdir(tmp_path)
    target, later = calm.add_workspace(), calm.add_workspace()
    assert run(["extract", "--source", str(source.path), "--archive", "kept", "--artifacts", "download"]) == Exit.OK
    assert run(["replay", "kept", "--target", str(target.path)]) == Exit.OK
    assert run(["verify", "kept", "--target", str(target.path), "--deep"]) == Exit.OK
    with Archive.open(Path("kept")) as archive:
        damaged = _object(archive, FILE)
    _flip(damaged)
    capsys.readouterr()

    for line in (
        ["verify", "kept", "--target", str(target.path), "--deep"],
        ["replay", "kept", "--target", str(later.path)],
    ):
        code = run([*line, "--quiet"])
        said = capsys.readouterr()
        assert (code, said.out, said.err.count("\n")) == (Exit.INTEGRITY, "", 1), said
        assert damaged.name in said.err
        assert "is damaged" in said.err
        assert "restore a copy of the archive" in said.err


def _object(archive: Archive, path: str) -> Path:
    found = next(artifact for artifact in archive.artifacts(RunId("root")) if artifact.path == path)
    held = archive.held(found.stored) if found.stored else None
    assert held is not None
    return held.file


def _flip(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def _ended(run: Document) -> None:
    assert run["status"] == "Failed"


def _absent(blob: Any) -> None:
    assert not blob.exists()
