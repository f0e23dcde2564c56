"""`--code`: what azure-ai-ml uploaded for a job lies in the target's run, as a zip of the same files."""

from __future__ import annotations

import asyncio
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

from azure.ai.ml.entities._assets import Code

from azureml_replay.extract import ExtractOptions
from azureml_replay.migrate import MigrateOptions
from azureml_replay.plan import NO_CODE
from azureml_sandbox.running import Sandbox
from e2e.library import migrated
from e2e.tampering import Held, change, fill, in_run
from e2e.witness import ml_client


def test_code_arrives_as_a_zip_and_is_verified(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """By the snapshot that the run names. Left out, it is said; a later call brings it; one more brings nothing."""
    source, target, folder = calm.add_workspace(), calm.add_workspace(), tmp_path / "code"
    (folder / "lib").mkdir(parents=True)
    files = {"train.py": b"print('hello')\n", "lib/empty.py": b"", "lib/a b.py": b"x = 1\n"}
    for path, data in files.items():
        (folder / path).write_bytes(data)
    asset = ml_client(source)._code.create_or_update(Code(path=str(folder)))
    change(calm, source, fill)
    change(calm, source, in_run(lambda run: {"properties": run["properties"] | {"ContentSnapshotId": asset.name}}))
    options = MigrateOptions(extract=ExtractOptions(code=True), deep=True)

    without = asyncio.run(migrated(source, target, tmp_path / "archive"))
    done = asyncio.run(migrated(source, target, tmp_path / "archive", options=options))
    again = asyncio.run(migrated(source, target, tmp_path / "archive", options=options))

    assert (without.verdict.findings, without.verdict.reasons[NO_CODE]) == (0, 1)
    assert (done.extracted.failed, done.replayed.failed, done.verdict.findings) == ((), (), 0)
    assert (done.extracted.runs, done.replayed.files) == (0, 1), "the run itself did not change"
    assert "code" not in str(done.verdict.reasons)
    assert again.replayed.files == 0

    def looks_alike(held: Held) -> None:
        with ZipFile(BytesIO(held.blob("replay/code.zip").download_blob().readall())) as zipped:
            assert {name: zipped.read(name) for name in zipped.namelist()} == files

    change(calm, target, looks_alike)
