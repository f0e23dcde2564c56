"""Logs are append blobs: storage copies them in blocks, no byte of them passes here, and other files go on as ever.

azure-storage-blob's own client writes them and reads the copies.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from azure.storage.blob import ContentSettings
from benchmarks.floor import BLOCK_LIST, COPY, COPY_BLOCK, READ
from benchmarks.measure import by_route

from azureml_replay.azure.storage import files
from azureml_replay.direct.replay import replay
from azureml_replay.selection import Selection
from azureml_replay.target.trial import probed
from azureml_replay.verbs import verify
from azureml_replay.workspace.put_files import NewFile
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import RUN_ORIGIN
from e2e.library import DiesAt, PowerCut
from e2e.tampering import HOME, Held, change, fill
from e2e.test_bytes_restless import Ends, between

MIB = 1024 * 1024
LOGS = {
    "logs/azureml/stderrlogs.txt": b"",
    "logs/azureml/stdoutlogs.txt": b"epoch 1\n",
    "logs/azureml/executionlogs.txt": b"[2022-12-01T00:00:00Z] line\r\n" * 200_000,
}
PAGES = {"outputs/disk.vhd": b"p" * 1024}
BLOCKS = {f"outputs/{at}.bin": bytes([at]) * (at + 1) for at in range(5)}
EVERYTHING = LOGS | PAGES | BLOCKS
OF_FILL = Counter({COPY: 2, COPY_BLOCK: 1, BLOCK_LIST: 1})
"""Two files of the root, one of them empty, and a log of its child."""
EXPECTED = OF_FILL + Counter({COPY: len(BLOCKS), COPY_BLOCK: len(LOGS) - 1 + len(PAGES), BLOCK_LIST: len(LOGS) + 1})


def written(held: Held) -> None:
    """The root's files, as a job's agents write them: a log grows, in pieces of 4 MiB at most."""
    for path, data in EVERYTHING.items():
        held.world.artifacts.register(held.guid, (RUN_ORIGIN, "dcid.root"), path)
        blob, kind = held.blob(path), ContentSettings(content_type="text/plain")
        if path in LOGS:
            blob.create_append_blob(content_settings=kind, metadata={"Kind": "log"})
            for start in range(0, len(data), 4 * MIB):
                blob.append_block(data[start : start + 4 * MIB])
        else:
            blob.upload_blob(data, blob_type="PageBlob" if path in PAGES else "BlockBlob", content_settings=kind)


def read_back(held: Held) -> None:
    """Block blobs all, with the same bytes, content type and metadata."""
    for path, data in EVERYTHING.items():
        there = held.blob(path).get_blob_properties()
        assert (held.blob(path).download_blob().readall() == data, there.blob_type) == (True, "BlockBlob")
        assert there.content_settings.content_type == "text/plain"
        assert there.metadata == ({"Kind": "log"} if path in LOGS else {})


@pytest.fixture(scope="module")
def source(sandbox: Sandbox) -> WorkspaceFile:
    """Changed by no test."""
    made = sandbox.add_workspace()
    change(sandbox, made, fill)
    change(sandbox, made, written)
    return made


async def sent(calm: Sandbox, ends: Ends) -> Counter[str]:
    """A replay without failures, what it asked storage that has to do with copies, and a deep verify."""
    await probed(ends.archive, ends.target)
    calm.reset_requests()
    done = await replay(ends.archive, ends.source, ends.target, Selection(), width=8)
    routes = by_route(calm.requests())
    verdict = await verify(ends.archive, ends.target, Selection(), source=ends.source, deep=True)
    assert (done.failed, verdict.findings, verdict.unverifiable) == ((), 0, 0)
    return Counter({name: count for name, count in routes.items() if name in {*EXPECTED, READ} and count})


async def test_no_byte_of_a_log_passes_here(
    source: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """A block and a list for each log, a list for an empty one, one request for each other file, and no refusal."""
    async with between(calm, source, tmp_path / "archive") as ends:
        asked = await sent(calm, ends)
        again = await sent(calm, ends)

    assert (asked, again) == (EXPECTED, Counter())
    change(calm, ends.into, read_back)


async def test_types_that_nobody_told_are_found_by_a_refusal_which_spoils_no_other_file(
    source: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """As of an archive of format 17: one request more for each log."""
    async with between(calm, source, tmp_path / "archive") as ends:
        with ends.archive._transaction():
            ends.archive._execute("update artifact set blob_type = null")
        asked = await sent(calm, ends)

    refused = len(LOGS) + len(PAGES) + 1
    assert asked == EXPECTED + Counter({COPY: refused})


async def test_one_refusal_condemns_no_host(
    source: WorkspaceFile,
    calm: Sandbox,
    azure_env: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The file that storage could not fetch goes through us, those after it do not."""
    monkeypatch.setattr(files, "FILES_AT_ONCE", 1)
    async with between(calm, source, tmp_path / "archive") as ends:
        calm.set_faults([{"match": {"service": "blob", "route": "blob PUT copy"}, "times": 1, "do": "refuse-copy"}])
        asked = await sent(calm, ends)

    assert asked == EXPECTED + Counter({READ: 1})


@pytest.mark.parametrize("at", range(1, 5))
@pytest.mark.parametrize("delivered", [True, False])
async def test_a_kill_between_a_block_and_its_list(
    at: int, delivered: bool, source: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """The next call brings what lacks."""
    dies = DiesAt(at, delivered=delivered, where="comp=block")
    async with between(calm, source, tmp_path / "archive", writing=dies) as ends:
        with pytest.raises(PowerCut):
            await replay(ends.archive, ends.source, ends.target, Selection(), width=8)
        dies.left = 0
        asked = await sent(calm, ends)

    assert READ not in asked
    change(calm, ends.into, read_back)


async def test_a_blob_of_another_type_is_replaced(
    source: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Where a target's file is to be overwritten: no write changes the type of a blob."""
    path = "outputs/0.bin"

    def another(held: Held) -> None:
        held.blob(path).delete_blob()
        held.blob(path).upload_blob(b"theirs", blob_type="AppendBlob")
        held.blob(path).create_snapshot()  # which would keep it from being removed

    async with between(calm, source, tmp_path / "archive") as ends:
        await sent(calm, ends)
        change(calm, ends.into, another)
        (root,) = ends.archive.units()
        outcome = await ends.target.put_files(HOME, root, [NewFile(path=path, data=b"ours")])

        assert (outcome, await ends.there(path)) == ({path: None}, b"ours")
