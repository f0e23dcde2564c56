"""`--code`: what azure-ai-ml uploaded for a job lies in the target's run, as a zip of the same files."""

from __future__ import annotations

import asyncio
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from azure.ai.ml.entities._assets import Code

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.objects import Held as HeldObject
from azureml_replay.azure.workspace import connect
from azureml_replay.extraction.extract import ExtractOptions, extract
from azureml_replay.model import CodeReference
from azureml_replay.planning.made_files import NO_CODE
from azureml_replay.selection import Selection
from azureml_replay.state import TargetStatus, status
from azureml_replay.synthetic.replay import SyntheticReplayed, replay_synthetic
from azureml_replay.verbs import MigrateOptions, verify
from azureml_replay.verification.verdict import Verdict
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import FastClock, configured, migrated
from e2e.tampering import Held, change, fill, in_run
from e2e.witness import look, ml_client
from environment import point_at

FILES = {"train.py": b"print('hello')\n", "lib/empty.py": b"", "lib/a b.py": b"x = 1\n"}


@pytest.fixture(scope="module")
def coded(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> WorkspaceFile:
    """A root that was submitted with code, and its child; changed by no test."""
    source, folder = sandbox.add_workspace(), tmp_path_factory.mktemp("code")
    (folder / "lib").mkdir()
    for path, data in FILES.items():
        (folder / path).write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        asset = ml_client(source)._code.create_or_update(Code(path=str(folder)))
    change(sandbox, source, fill)
    change(sandbox, source, in_run(lambda run: {"properties": run["properties"] | {"ContentSnapshotId": asset.name}}))
    return source


def test_code_arrives_as_a_zip_and_is_verified(
    coded: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """By the snapshot that the run names. Left out, it is said; a later call brings it; one more brings nothing."""
    source, target = coded, calm.add_workspace()
    options = MigrateOptions(extract=ExtractOptions(code=True), deep=True)

    without = asyncio.run(migrated(source, target, tmp_path / "archive"))
    told = asyncio.run(told_once_extracted(source, tmp_path / "archive"))
    done = asyncio.run(migrated(source, target, tmp_path / "archive", options=options))
    again = asyncio.run(migrated(source, target, tmp_path / "archive", options=options))

    assert (without.verdict.findings, without.verdict.reasons[NO_CODE]) == (0, 1)
    assert (told.verdict.equal, told.verdict.not_compared, told.left) == (1, 1, 1), "the zip is to be there now"
    assert (done.extracted.failed, done.replayed.failed, done.verdict.findings) == ((), (), 0)
    assert (done.extracted.runs, done.replayed.files) == (0, 1), "the run itself did not change"
    assert "code" not in str(done.verdict.reasons)
    assert again.replayed.files == 0

    def looks_alike(held: Held) -> None:
        with ZipFile(BytesIO(held.blob("replay/code.zip").download_blob().readall())) as zipped:
            assert {name: zipped.read(name) for name in zipped.namelist()} == FILES

    change(calm, target, looks_alike)


def test_what_another_archive_put_is_not_extra(
    coded: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """One archive with the code, one without, one target: the second finds the zip that the first one made.

    What nobody makes is extra all the same.
    """
    source, target = coded, calm.add_workspace()
    options = MigrateOptions(extract=ExtractOptions(code=True), deep=True)
    asyncio.run(migrated(source, target, tmp_path / "with", options=options))

    without = asyncio.run(migrated(source, target, tmp_path / "without"))
    change(calm, target, lambda held: held.blob("replay/code.zip.bak").upload_blob(b"x"))
    tampered = asyncio.run(migrated(source, target, tmp_path / "without"))
    first = asyncio.run(migrated(source, target, tmp_path / "with", options=options))

    assert without.verdict.findings == 0, without.verdict.first
    for verdict in (tampered.verdict, first.verdict):
        assert [one.what for one in verdict.first] == ["file replay/code.zip.bak"]


async def told_once_extracted(source: WorkspaceFile, folder: Path) -> TargetStatus:
    """What `status` says of the one target when `extract --code` alone was run."""
    end = configured(source)
    async with connect(end, clock=FastClock()) as reading:
        with Archive.create(folder, end.ref) as archive:
            await extract(reading, archive, Selection(), options=ExtractOptions(code=True))
            (told,) = status(archive).targets
    return told


async def submitted(
    source: WorkspaceFile, target: WorkspaceFile, folder: Path, *, code: bool = True
) -> tuple[SyntheticReplayed, Verdict]:
    """`extract --code`, then `replay --mode synthetic` and a deep verify."""
    ends = [configured(one) for one in (source, target)]
    async with connect(ends[0], clock=FastClock()) as reading, connect(ends[1], clock=FastClock()) as writing:
        with Archive.create(folder, ends[0].ref) as archive:
            await extract(reading, archive, Selection(), options=ExtractOptions(code=code))
            done = await replay_synthetic(archive, reading, writing, Selection())
            return done, await verify(archive, writing, Selection(), source=reading, deep=True)


def test_a_job_logs_it_as_one_of_its_outputs(
    coded: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """`--mode synthetic`: the zip is staged, put into the job's outputs by its step, and compared byte by byte."""
    target = calm.add_workspace()

    done, verdict = asyncio.run(submitted(coded, target, tmp_path / "archive"))

    assert (done.failed, done.completed, verdict.findings) == ((), 1, 0)
    assert NO_CODE not in verdict.reasons
    files = [digest for (_, path), digest in look(target).files.items() if path == "outputs/replay/code.zip"]
    with Archive.open(tmp_path / "archive", write=False) as archive:
        run = next(run for root in archive.units() for run in archive.unit(root) if run.id == "root")
        held = archive.code(CodeReference(snapshot=run.properties["ContentSnapshotId"]))
        assert isinstance(held, HeldObject)
        assert files == [held.sha256.hex()]


def test_what_another_archive_put_into_a_job_is_not_extra(
    coded: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """The zip, and the list of all files that names it; the archive that put them compares them as before."""
    target = calm.add_workspace()
    asyncio.run(submitted(coded, target, tmp_path / "with"))

    done, verdict = asyncio.run(submitted(coded, target, tmp_path / "without", code=False))
    _, own = asyncio.run(submitted(coded, target, tmp_path / "with"))

    assert (done.submitted, verdict.findings, own.findings) == (0, 0, 0), verdict.first
    assert own.own_files > verdict.own_files == 0


def test_a_job_that_was_put_without_it_is_not_equal_any_more(
    coded: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Its plan has a file more; `status` says so before anybody looks."""
    _, verdict = asyncio.run(submitted(coded, calm.add_workspace(), tmp_path / "archive", code=False))

    told = asyncio.run(told_once_extracted(coded, tmp_path / "archive"))

    assert (verdict.not_compared, verdict.findings) == (0, 0)
    assert told.verdict.not_compared == 1
