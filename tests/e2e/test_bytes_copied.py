"""From storage to storage, or through us where it cannot be; large files go on in the middle after a kill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import workspace_config
from azureml_replay.azure.storage import blocks, files
from azureml_replay.azure.workspace import AzureWorkspace, connect
from azureml_replay.errors import Exit
from azureml_replay.model import Location
from azureml_replay.selection import Selection
from azureml_replay.sending.transport import open_transport
from azureml_replay.verbs import Migrated, MigrateOptions, migrate
from azureml_replay.workspace.put_files import SecretUrl
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import RUN_ORIGIN
from e2e.library import DiesAt, FastClock, PowerCut
from e2e.tampering import FILE, Held, change, fill
from e2e.test_bytes import LARGE, SIZE, kept, large, sent
from environment import point_at

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def heavy(sandbox: Sandbox) -> Iterator[WorkspaceFile]:
    """A history with a file of 6 MiB and 5 bytes; changed by no test."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        made = sandbox.add_workspace()
        change(sandbox, made, fill)
        change(sandbox, made, large(SIZE))
        yield made


async def moved(
    source: WorkspaceFile, target: WorkspaceFile, folder: Path, *, into: Any = None, width: int = 8
) -> Migrated:
    """A migration with a deep verify; `into` is what the target is spoken to through."""
    async with AsyncExitStack() as stack:
        wires: list[Any] = [await stack.enter_async_context(open_transport()) for _ in range(2)]
        through = [wires[0], into.over(wires[1]) if into else wires[1]]
        configs = [workspace_config(str(one.path)) for one in (source, target)]
        reading, writing = [
            await stack.enter_async_context(connect(config, transport=wire, parallel=width, clock=FastClock()))
            for config, wire in zip(configs, through, strict=True)
        ]
        archive = stack.enter_context(Archive.create(folder, configs[0].ref))
        return await migrate(reading, writing, archive, Selection(), options=MigrateOptions(deep=True), width=width)


@pytest.fixture
def out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """URLs that open nothing: the target's storage is refused by the source's, as by a private endpoint."""

    async def unsigned(self: AzureWorkspace, location: Location) -> SecretUrl:
        return SecretUrl(await self._storage.url(location))

    monkeypatch.setattr(AzureWorkspace, "readable_url", unsigned)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """1 MiB, one at a time, on both ways."""
    monkeypatch.setattr(files, "WHOLE_COPY_BYTES", MIB)
    monkeypatch.setattr(blocks, "COPIED_BLOCK_BYTES", MIB)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", MIB)
    monkeypatch.setattr(blocks, "BLOCKS_AT_ONCE", 1)


async def test_bytes_go_through_us_where_storage_does_not_reach_storage(
    heavy: WorkspaceFile,
    calm: Sandbox,
    azure_env: dict[str, str],
    tmp_path: Path,
    out_of_reach: None,
    small_blocks: None,
) -> None:
    """All equal, with type and metadata; what was learnt from the first refusals spares the others."""
    target = calm.add_workspace()
    done = await moved(heavy, target, tmp_path / "archive")

    assert (done.replayed.failed, done.verdict.findings, done.verdict.unverifiable) == ((), 0, 0)

    def looks_alike(held: Held) -> None:
        there = held.blob(LARGE).get_blob_properties()
        assert there.metadata == {"Kind": "large"}

    change(calm, target, looks_alike)


async def test_an_upload_from_the_archive_goes_on_in_the_middle_after_a_kill(
    heavy: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, small_blocks: None
) -> None:
    """As a copy does, and with the source gone."""
    folder, target = tmp_path / "archive", calm.add_workspace()
    await kept(heavy, folder)
    with pytest.raises(PowerCut):
        await sent(folder, target, Blocks(4))

    rest = Blocks()
    done, verdict = await sent(folder, target, rest)

    assert (done.failed, verdict.findings, verdict.unverifiable) == ((), 0, 0)
    assert rest.taken == 3


@pytest.mark.parametrize("through_us", [False, True], ids=["server-to-server", "through-us"])
async def test_a_large_file_goes_on_in_the_middle_after_a_kill(
    heavy: WorkspaceFile,
    calm: Sandbox,
    azure_env: dict[str, str],
    tmp_path: Path,
    small_blocks: None,
    request: pytest.FixtureRequest,
    through_us: bool,
) -> None:
    """Blocks that storage kept are not sent again: seven in all, and one of a log that storage copies itself."""
    if through_us:
        request.getfixturevalue("out_of_reach")
    target, folder = calm.add_workspace(), tmp_path / "archive"
    with pytest.raises(PowerCut):
        await moved(heavy, target, folder, into=Blocks(4))

    rest = Blocks()
    done = await moved(heavy, target, folder, into=rest)

    assert (done.replayed.failed, done.verdict.findings) == ((), 0)
    assert rest.taken == (3 if through_us else 4)


@pytest.mark.parametrize("way", ["server-to-server", "through-us", "kept"])
async def test_what_lies_in_the_container_of_a_new_run_stays(
    heavy: WorkspaceFile,
    calm: Sandbox,
    azure_env: dict[str, str],
    tmp_path: Path,
    small_blocks: None,
    request: pytest.FixtureRequest,
    way: str,
) -> None:
    """A run of others that shows it, or one that was deleted, left it: no look before, and no byte is written over."""
    if way == "through-us":
        request.getfixturevalue("out_of_reach")
    target, folder = calm.add_workspace(), tmp_path / "archive"
    left = {FILE: b"theirs", LARGE: b"theirs", "outputs/empty.txt": b"", "outputs/more.txt": b"more"}

    def leave(held: Held) -> None:
        held.world.artifacts.register(held.guid, (RUN_ORIGIN, "dcid.root"), FILE)
        for path, data in left.items():
            held.blob(path).upload_blob(data, metadata={"whose": "theirs"})
        held.blob("logs/a.txt", "child").upload_blob(b"theirs", blob_type="AppendBlob")

    change(calm, target, leave)
    if way == "kept":
        await kept(heavy, folder)
        replayed, verdict = await sent(folder, target)
    else:
        done = await moved(heavy, target, folder)
        replayed, verdict = done.replayed, done.verdict

    stayed = {("root", f"file {FILE}"), ("root", f"file {LARGE}"), ("child", "file logs/a.txt")}
    assert ({*replayed.kept}, replayed.failed) == (stayed, ())
    assert verdict.exit == Exit.FINDINGS
    with Archive.open(folder, write=False) as archive:
        found = {
            (one.run, one.what) for one in archive.ledger(archive.targets()[0]).findings() if one.kind == "differs"
        }
    assert {one for one in found if one[1].startswith("file ") and not one[1].endswith(": bytes")} == stayed

    def look(held: Held) -> None:
        for path, data in left.items():
            there = held.blob(path)
            assert there.download_blob().readall() == data
            assert there.get_blob_properties().metadata == {"whose": "theirs"}
        assert held.blob("logs/a.txt", "child").download_blob().readall() == b"theirs"

    change(calm, target, look)
    if way == "kept":
        again, _ = await sent(folder, target)
        assert {*again.kept} == stayed
        change(calm, target, look)


class Blocks(DiesAt):
    """Counts blocks that were taken; cuts the power after so many, unless that is 0."""

    def __init__(self, most: int = 0) -> None:
        super().__init__(0, delivered=True)
        self.most, self.taken = most, 0

    async def send(self, request: Any, **options: Any) -> Any:
        """As the inner transport, until the cut."""
        assert self.inner is not None
        if 0 < self.most <= self.taken:
            raise PowerCut
        response = await self.inner.send(request, **options)
        self.taken += "comp=block&" in request.url and response.status_code == 201
        if 0 < self.most <= self.taken:
            raise PowerCut
        return response
