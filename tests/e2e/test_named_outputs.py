"""Bytes that jobs write to named outputs lie beside their runs: they are carried as data, or told of."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from azure.ai.ml import Output

import azureml_replay as library
from azureml_replay.archive.archive import Archive
from azureml_replay.azure.workspace import connect
from azureml_replay.cli.status import AsTyped, lines
from azureml_replay.direct.options import AssetsSent, ReplayOptions
from azureml_replay.extraction.extract import ExtractOptions
from azureml_replay.model import Location
from azureml_replay.planning.assets import NO_ASSETS, NO_FILES
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.history import NAMED_OUTPUT
from azureml_replay.report_page.assets import AssetBook
from azureml_replay.report_page.blocks import Numbers
from azureml_replay.report_page.detail import Details
from azureml_replay.report_page.file_tables import FileTables
from azureml_replay.report_page.images import Pictures
from azureml_replay.report_page.tree import Known
from azureml_replay.selection import Selection
from azureml_replay.verbs import MigrateOptions
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.assets import client_of
from e2e.library import FastClock, configured, migrated
from sandbox.conftest import plane
from sandbox.jobs import Jobs, jobs, shell
from sandbox.test_compute_pipeline import two_levels

__all__ = ["jobs", "plane"]

FOLDER = Output(type="uri_folder")


def told(archive: Archive) -> Sequence[str]:
    """The outputs that a plan leaves out."""
    steps = library.plan(archive, Selection())
    return [one.what for step in steps for one in step.omissions if one.reason == NAMED_OUTPUT]


def test_each_named_output_is_an_omission_of_its_own(
    jobs: Jobs, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Without assets: of a job, of steps, of the pipeline that shows a step's; in plan, verify, report and status."""
    line = "echo 1 > ${{outputs.model}}/m.bin; echo 2 > ${{outputs.data}}/d.csv"
    lone = jobs.run(shell(line, outputs={"model": FOLDER, "data": FOLDER}))["runId"]
    pipeline = jobs.run(two_levels())
    assert pipeline["status"] == "Completed"

    left = MigrateOptions(extract=ExtractOptions(assets=NO_ASSETS), replay=ReplayOptions(assets=NO_ASSETS))
    done = asyncio.run(migrated(jobs.plane.workspace, sandbox.add_workspace(), tmp_path / "archive", options=left))

    with Archive.open(tmp_path / "archive", write=False) as archive:
        whats = told(archive)
        status = library.status(archive)
        (target,) = archive.targets()
        reported = [Known.of(archive, ledger).reasons[NAMED_OUTPUT] for ledger in (None, archive.ledger(target))]
        nothing = (frozenset[str](), {}, Pictures(archive, 0), FileTables(archive, 0), {})
        shown = [
            Details(archive, ledger, *nothing, AssetBook.of(archive, ledger, {})).of(lone, Numbers())
            for ledger in (None, archive.ledger(target))
        ]
    assert {f"output {name}, workspaceblobstore: azureml/{lone}/{name}/" for name in ("model", "data")} <= set(whats)
    assert sum(what.startswith("output o, workspaceblobstore: azureml/") for what in whats) == 3, "a step each"
    assert sum(what.startswith("output result, workspaceblobstore: azureml/") for what in whats) == 2, "shown above it"
    assert done.verdict.findings == 0
    assert done.verdict.reasons[NAMED_OUTPUT] == len(whats) == 7
    assert reported == [7, 7], "with a target and without one"
    assert all({NAMED_OUTPUT} <= {why for _, why, _ in one.omissions} for one in shown)
    assert status.targets[0].verdict.reasons[NAMED_OUTPUT] == 7
    shown_lines = lines(status, tmp_path / "archive", AsTyped({}, {}))
    assert any(f"7 x {NAMED_OUTPUT}" in str(line) for line in shown_lines)


def test_named_outputs_come_along(jobs: Jobs, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """Of a job, of steps and of the pipeline that shows one: at the same path, as data of their run; once for all."""
    line = "echo 1 > ${{outputs.model}}/m.bin; echo 2 > ${{outputs.data}}/d.csv"
    lone = jobs.run(shell(line, outputs={"model": FOLDER, "data": FOLDER}))["runId"]
    pipeline = jobs.run(two_levels())
    target = sandbox.add_workspace()

    done = asyncio.run(migrated(jobs.plane.workspace, target, tmp_path / "archive"))
    again = asyncio.run(migrated(jobs.plane.workspace, target, tmp_path / "archive"))

    assert pipeline["status"] == "Completed"
    assert (done.verdict.findings, done.replayed.assets.failed, done.replayed.assets.files) == (0, (), 5)
    assert NAMED_OUTPUT not in done.verdict.reasons
    assert (again.replayed.assets, again.verdict.findings) == (AssetsSent(), 0)
    with Archive.open(tmp_path / "archive", write=False) as archive:
        assert told(archive) == []
    names = [f"azureml_{lone}_output_data_{name}" for name in ("model", "data")]
    before, after = ([side.data.get(name, "1").path for name in names] for side in (jobs.client, client_of(target)))
    assert [str(path).partition("/datastores/")[2] for path in after] == [
        f"workspaceblobstore/paths/azureml/{lone}/{name}/" for name in ("model", "data")
    ]
    assert [str(path).partition("/datastores/")[2] for path in before] == [
        str(path).partition("/datastores/")[2] for path in after
    ]
    assert asyncio.run(bytes_of(target, f"azureml/{lone}/model/m.bin")) == b"1\n"


def test_a_choice_of_flags_is_not_for_ever(
    jobs: Jobs, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """An output that one replay left out is sent by the next that does not; until then it is an omission."""
    run = jobs.run(shell("echo 1 > ${{outputs.model}}/m.bin", outputs={"model": FOLDER}))["runId"]
    narrow = (ReplayOptions(files=FileChoice(artifacts=False)), ReplayOptions(assets=NO_ASSETS))
    for number, options in enumerate(narrow):
        target, folder = sandbox.add_workspace(), tmp_path / str(number)
        go = partial(migrated, jobs.plane.workspace, target, folder)

        left, whole = asyncio.run(go(options=MigrateOptions(replay=options))), asyncio.run(go())

        assert {NO_FILES, NAMED_OUTPUT} & left.verdict.reasons.keys()
        assert not {NO_FILES, NAMED_OUTPUT} & whole.verdict.reasons.keys()
        assert (whole.verdict.proves, whole.replayed.assets.files) == (True, 1)
        assert asyncio.run(bytes_of(target, f"azureml/{run}/model/m.bin")) == b"1\n"


async def bytes_of(workspace: WorkspaceFile, path: str, datastore: str = "workspaceblobstore") -> bytes:
    """As they lie in a datastore."""
    async with connect(configured(workspace), clock=FastClock()) as opened:
        return b"".join([piece async for piece in opened.read(Location(datastore, path))])
