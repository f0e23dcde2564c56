"""Files of an MLflow server, replaced by as many bytes: it lists them as before, and only reading them tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.workspace import connect as connect_azure
from azureml_replay.connection import connect
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.extraction.extract import Extracted, ExtractOptions, extract
from azureml_replay.model import RunId
from azureml_replay.planning.assets import NO_ASSETS, AssetChoice, AssetName, AssetScope
from azureml_replay.selection import Selection
from azureml_replay.verbs import Migrated, MigrateOptions, migrate, verify
from azureml_replay.verification.verdict import Verdict
from azureml_replay.workspace.target import Target
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import FastClock, configured
from e2e.tampering import change, overwrite
from mlflow_servers import MlflowServer
from servers.moving import named, opened

FILE = "a/x.txt"
KEPT = ExtractOptions(download=True)
AGAIN = ExtractOptions(download=True, check_all=True)


@dataclass
class Bench:
    """A source with two runs of one file each, an archive, and where it goes."""

    server: MlflowServer
    target: WorkspaceFile | Path
    folder: Path
    name: str
    assets: AssetChoice = NO_ASSETS
    runs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = MlflowClient(self.server.url)
        experiment = self.client.create_experiment(self.name)
        for at in range(2):
            run = self.client.create_run(experiment, run_name=f"run {at}").info.run_id
            self.runs.append(run)
            self.write(f"bytes{at}", at)
            self.client.set_terminated(run)

    @property
    def chosen(self) -> Selection:
        return Selection(experiments=(self.name,))

    def write(self, text: str, at: int = 0) -> None:
        """The source's file."""
        self.client.log_text(self.runs[at], text, FILE)

    @asynccontextmanager
    async def there(self) -> AsyncIterator[Target]:
        if isinstance(self.target, Path):
            async with opened(self.target) as server:
                yield server
        else:
            async with connect_azure(configured(self.target), clock=FastClock()) as workspace:
                yield workspace

    def migrate(self, extracting: ExtractOptions = ExtractOptions()) -> Migrated:
        """One, that reads all bytes."""
        extracting, replaying = replace(extracting, assets=self.assets), ReplayOptions(assets=self.assets)
        chosen = MigrateOptions(deep=True, extract=extracting, replay=replaying)

        async def go() -> Migrated:
            async with connect(self.server.url) as source, self.there() as target:
                with Archive.create(self.folder, source.ref) as archive:
                    return await migrate(source, target, archive, self.chosen, options=chosen)

        return asyncio.run(go())

    def extract(self, options: ExtractOptions) -> Extracted:
        async def go() -> Extracted:
            async with connect(self.server.url) as source:
                with Archive.create(self.folder, source.ref) as archive:
                    return await extract(source, archive, self.chosen, options=options)

        return asyncio.run(go())

    def verify(self, **options: Any) -> Verdict:
        async def go() -> Verdict:
            async with self.there() as target:
                with Archive.open(self.folder) as archive:
                    return await verify(archive, target, self.chosen, **options)

        return asyncio.run(go())


@pytest.fixture(params=["workspace", "server"])
def bench(
    request: pytest.FixtureRequest,
    calm: Sandbox,
    azure_env: dict[str, str],
    mlflow_source: MlflowServer,
    mlflow_server: MlflowServer,
    tmp_path: Path,
) -> Bench:
    """Into either kind of target."""
    target = calm.add_workspace() if request.param == "workspace" else named(mlflow_server, tmp_path)
    return Bench(mlflow_source, target, tmp_path / "kept", f"same size {tmp_path.name}")


def kinds(verdict: Verdict) -> set[tuple[str, str, str]]:
    return {(one.run, one.what, one.kind) for one in verdict.first}


def test_what_a_look_finds_at_the_source_is_sent_by_the_next_replay(bench: Bench) -> None:
    """The archive has no bytes, and no list shows the change: who has read both sides knows that the file is due."""
    assert bench.migrate().verdict.proves
    for text in ("BYTES0", "Bytes0"):
        bench.write(text)

        found = bench.migrate()
        assert (found.replayed.files, found.verdict.exit) == (0, 5)
        assert kinds(found.verdict) == {(bench.runs[0], f"file {FILE}: bytes", "differs")}
        assert bench.verify().exit == 5

        mended = bench.migrate()
        assert (mended.replayed.files, mended.replayed.kept, mended.verdict.proves) == (1, (), True)
    assert bench.migrate().replayed.files == 0


def test_what_somebody_wrote_into_the_target_meanwhile_stays(
    calm: Sandbox, azure_env: dict[str, str], mlflow_source: MlflowServer, tmp_path: Path
) -> None:
    """Both changed: it is found each time, and nothing is written over it."""
    target = calm.add_workspace()
    bench = Bench(mlflow_source, target, tmp_path / "kept", f"both {tmp_path.name}")
    bench.migrate()
    bench.write("BYTES0")
    change(calm, target, lambda held: overwrite(held.blob(FILE, bench.runs[0]), b"theirs"))

    for _ in range(2):
        done = bench.migrate()
        assert (done.replayed.files, done.replayed.kept, done.verdict.exit) == (0, (), 5)


def test_so_is_a_file_of_an_asset(
    calm: Sandbox, azure_env: dict[str, str], mlflow_source: MlflowServer, tmp_path: Path
) -> None:
    """Of a model whose run stays behind: its files are its own then."""
    name = f"model {tmp_path.name}"
    choice = AssetChoice(scope=AssetScope.NAMED, names=(AssetName(name),))
    bench = Bench(mlflow_source, calm.add_workspace(), tmp_path / "kept", f"assets {tmp_path.name}", choice)
    client = bench.client
    run = client.create_run(client.create_experiment(f"beside {name}"))
    client.log_text(run.info.run_id, "weights", "model/weights.bin")
    client.create_registered_model(name)
    client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id)
    first = bench.migrate()
    assert (first.replayed.assets.files, first.verdict.findings) == (1, 0)

    client.log_text(run.info.run_id, "WEIGHTS", "model/weights.bin")
    found = bench.migrate()
    assert (found.replayed.assets.files, found.verdict.exit) == (0, 5)
    mended = bench.migrate()
    assert (mended.replayed.assets.files, mended.verdict.findings) == (1, 0)
    assert bench.migrate().replayed.assets.files == 0

    bench.migrate(KEPT)
    client.log_text(run.info.run_id, "Weights", "model/weights.bin")
    for options, figures in ((AGAIN, (1, 1)), (AGAIN, (0, 0))):
        done = bench.migrate(options)
        assert (done.extracted.kept, done.replayed.assets.files) == figures
        assert done.verdict.findings == 0


def test_check_all_reads_kept_bytes_again(bench: Bench) -> None:
    """Without it nothing tells; with it what changed is kept, sent and compared, and what did not is not."""
    assert bench.migrate(KEPT).verdict.proves
    bench.write("BYTES0")
    assert bench.migrate(KEPT).replayed.files == 0

    found = bench.extract(AGAIN)
    assert (found.kept, found.failed) == (1, ())
    assert bench.verify().exit == 5
    assert {(one.run, one.kind) for one in bench.verify(deep=True).first} == {(bench.runs[0], "differs")}
    sent = bench.migrate(KEPT)
    assert (sent.replayed.files, sent.replayed.kept, sent.verdict.proves) == (1, (), True)

    for options in (AGAIN, KEPT, ExtractOptions(check_all=True)):
        again = bench.migrate(options)
        assert (again.extracted.kept, again.replayed.files, again.verdict.proves) == (0, 0, True)
    with Archive.open(bench.folder, write=False) as archive:
        assert archive.checked(read_data=True).damages == ()
        (held,) = (archive.held(one.stored) for one in archive.artifacts(RunId(bench.runs[0])) if one.stored)
        assert held is not None
        assert b"".join(held.pieces()) == b"BYTES0"

    bench.write("longer than before")
    grown = bench.migrate(KEPT)
    assert (grown.extracted.kept, grown.replayed.files, grown.verdict.proves) == (1, 1, True)
