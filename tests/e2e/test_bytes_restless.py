"""Files that vanish or change between their listing and their copy, and paths that name two of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import workspace_config
from azureml_replay.azure.workspace import AzureWorkspace, connect
from azureml_replay.direct.options import Replayed, ReplayOptions
from azureml_replay.direct.replay import replay
from azureml_replay.extraction.extract import ExtractOptions, extract
from azureml_replay.model import RunId
from azureml_replay.planning.files import ALL_FILES, FileChoice
from azureml_replay.selection import Selection
from azureml_replay.sending.transport import open_transport
from azureml_replay.synthetic.replay import replay_synthetic
from azureml_replay.verbs import verify
from azureml_replay.verification.verdict import Verdict
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import ARTIFACT_STORE
from e2e.library import DiesAt, FastClock
from e2e.tampering import FILE, Held, change, fill, index_of

ROOT = RunId("root")
NOW = b"other weights"


@dataclass
class Ends:
    """An archive of a workspace, and a target."""

    archive: Archive
    source: AzureWorkspace
    target: AzureWorkspace
    into: WorkspaceFile
    """The target."""

    async def sent(self, files: FileChoice = ALL_FILES) -> tuple[Replayed, Verdict]:
        """Replay and a deep verify."""
        options = ReplayOptions(files=files)
        done = await replay(self.archive, self.source, self.target, Selection(), options=options, width=8)
        verdict = await verify(
            self.archive, self.target, Selection(), source=self.source, deep=True, files=options.files
        )
        return done, verdict

    def omitted(self) -> list[tuple[str, str]]:
        """Of the root, as planned."""
        return [
            (one.what, one.reason)
            for one in self.archive.ledger(self.target.ref).planned_omissions()
            if one.run == ROOT
        ]

    async def there(self, path: str) -> bytes:
        """A file of the root in the target."""
        pages = [page async for page in self.target.stored(RunId("root"))]
        location = next(file.location for page in pages for file in page if file.location.path.endswith(f"/{path}"))
        return b"".join([piece async for piece in self.target.read(location)])


class Meddling(DiesAt):
    """Does something to the source just before the first request that it is to interrupt."""

    def __init__(self, where: str, do: Callable[[], None]) -> None:
        super().__init__(0, delivered=True)
        self.where, self.do, self.done = where, do, False

    async def send(self, request: Any, **options: Any) -> Any:
        """As the inner transport."""
        assert self.inner is not None
        if not self.done and self.where in f"{request.method} {request.url} {dict(request.headers)}":
            self.done = True
            self.do()
        return await self.inner.send(request, **options)


@asynccontextmanager
async def between(
    sandbox: Sandbox, source: WorkspaceFile, folder: Path, *, reading: Any = None, writing: Any = None, **more: Any
) -> AsyncIterator[Ends]:
    """After the extraction, before the replay."""
    async with AsyncExitStack() as stack:

        async def opened(workspace: WorkspaceFile, through: Any) -> AzureWorkspace:
            wire: Any = await stack.enter_async_context(open_transport())
            config = workspace_config(str(workspace.path))
            over = through.over(wire) if through else wire
            return await stack.enter_async_context(connect(config, transport=over, clock=FastClock()))

        into = sandbox.add_workspace()
        origin, target = await opened(source, reading), await opened(into, writing)
        archive = stack.enter_context(Archive.create(folder, origin.ref))
        done = await extract(origin, archive, Selection(), options=ExtractOptions(**more), width=8)
        assert done.failed == ()
        yield Ends(archive, origin, target, into)


@pytest.fixture
def restless(calm: Sandbox, azure_env: dict[str, str]) -> WorkspaceFile:
    """A history whose files a test may touch."""
    made = calm.add_workspace()
    change(calm, made, fill)
    return made


def gone(held: Held) -> None:
    held.blob(FILE).delete_blob()


def changed(held: Held) -> None:
    held.blob(FILE).upload_blob(NOW, overwrite=True)


async def test_a_file_that_vanished_is_an_omission_with_what_storage_said(
    restless: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """No run fails for it; the others arrive, and a second call has nothing to do."""
    async with between(calm, restless, tmp_path / "archive") as ends:
        change(calm, restless, gone)
        done, verdict = await ends.sent()
        again, _ = await ends.sent()

        assert (done.failed, verdict.findings, again.files) == ((), 0, 0)
        [(what, reason)] = ends.omitted()
        assert what == f"file {FILE}"
        assert reason.startswith("404 from storage at 20")
        assert reason.endswith("; listed, not stored")


async def test_a_file_that_changed_is_taken_as_it_is_now(
    restless: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """And the archive says so, so that verify agrees."""
    async with between(calm, restless, tmp_path / "archive") as ends:
        change(calm, restless, changed)
        done, verdict = await ends.sent()

        assert (done.failed, verdict.findings, ends.omitted()) == ((), 0, [])
        assert await ends.there(FILE) == NOW


@pytest.mark.parametrize(("how", "kept"), [(gone, 2), (changed, 3)])
async def test_a_file_that_does_not_hold_still_while_it_is_downloaded(
    restless: WorkspaceFile, calm: Sandbox, tmp_path: Path, how: Callable[[Held], None], kept: int
) -> None:
    """As for a copy: gone with its reason, or as it is now."""
    meddling = Meddling("x-ms-range", lambda: change(calm, restless, how))
    async with between(calm, restless, tmp_path / "archive", reading=meddling, download=True) as ends:
        assert meddling.done
        assert ends.archive.lacks_bytes() == (0, 0)
        assert len([1 for _ in (tmp_path / "archive" / "artifacts").glob("??/*")]) == kept
        ends.source = None  # type: ignore[assignment]  # nobody asks it any more
        done, verdict = await ends.sent()

        assert (done.failed, verdict.findings, len(ends.omitted())) == ((), 0, 3 - kept)


@pytest.mark.parametrize("download", [False, True])
async def test_index_and_storage_that_name_two_files_for_one_path(
    restless: WorkspaceFile, calm: Sandbox, tmp_path: Path, download: bool
) -> None:
    """The index's is at the path, the storage's beside it, and it is said."""

    def elsewhere(held: Held) -> None:
        held.blobs.put(ARTIFACT_STORE, "elsewhere/model", b"registered")
        index_of(held, FILE, relative_path="elsewhere/model")

    change(calm, restless, elsewhere)
    async with between(calm, restless, tmp_path / "archive", download=download) as ends:
        done, verdict = await ends.sent()

        assert (done.failed, verdict.findings) == ((), 0)
        assert await ends.there(FILE) == b"registered"
        assert await ends.there(f"replay/unindexed/{FILE}") == b"weights \x00\x01\x02"
        assert [what for what, _ in ends.omitted()] == [f"path of a second file {FILE}"]


async def test_what_files_and_max_file_size_leave_out_is_an_omission(
    restless: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """It is not sent, and not missed; once all was sent, it is not found too much either."""
    async with between(calm, restless, tmp_path / "archive") as ends:
        small = FileChoice(most_bytes=3, globs=("outputs/*",))
        done, verdict = await ends.sent(small)

        assert (done.failed, verdict.findings, done.files) == ((), 0, 2)
        assert ends.omitted() == [(f"file {FILE}", "left out by --max-file-size")]
        assert verdict.reasons["left out by --files"] == 1

        done, verdict = await ends.sent()
        assert (done.files, verdict.findings, ends.omitted()) == (2, 0, [])
        assert (await ends.sent(small))[1].findings == 0


@pytest.mark.parametrize(("how", "omitted"), [(gone, 1), (changed, 0)])
async def test_what_jobs_are_staged_from_does_not_hold_still(
    restless: WorkspaceFile, calm: Sandbox, tmp_path: Path, how: Callable[[Held], None], omitted: int
) -> None:
    """A job logs the file as it is now, or tells that it is gone; it does not fail for it."""
    meddling = Meddling("x-ms-copy-source", lambda: change(calm, restless, how))
    async with between(calm, restless, tmp_path / "archive", writing=meddling) as ends:
        done = await replay_synthetic(ends.archive, ends.source, ends.target, Selection(), width=8)

        assert meddling.done
        assert done.failed == ()
        assert done.verdict is not None
        assert done.verdict.findings == 0
        assert len([1 for _, reason in ends.omitted() if "from storage at" in reason]) == omitted
