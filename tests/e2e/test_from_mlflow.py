"""From a real MLflow server into an archive, and on into Azure ML; MLflow's own client is the witness."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from azureml_replay import cli
from azureml_replay.archive.archive import Archive
from azureml_replay.azure.workspace import connect as connect_azure
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.extraction.extract import Extracted, ExtractOptions, extract
from azureml_replay.instants import Instant
from azureml_replay.mlflow.config import server_config
from azureml_replay.mlflow.wire import ask
from azureml_replay.mlflow.workspace import connect
from azureml_replay.model import LOGGED_MODELS, RunId
from azureml_replay.planning.fit import JOB_FILE
from azureml_replay.planning.plan import plan
from azureml_replay.progress import SILENT, Progress, Silent
from azureml_replay.selection import Selection
from azureml_replay.sending.transport import open_transport
from azureml_replay.verbs import Migrated, MigrateOptions, dry_run, migrate
from azureml_sandbox.server.sandbox import WorkspaceFile
from e2e import mlflow_history as history
from e2e.library import DiesAt, FastClock, PowerCut, configured
from e2e.mlflow_history import Held
from e2e.mlflow_window import browsing
from mlflow_servers import NEWEST, OLDER, MlflowServer, serving
from servers.moving import kept, named, prefix_of, sent_now

STATUSES = {
    "FINISHED": "Completed",
    "FAILED": "Failed",
    "KILLED": "Canceled",
    "RUNNING": "Running",
    "SCHEDULED": "NotStarted",
}
TICKS_PER_MS = 10_000
NAME = "history/α"
WHOLE = ExtractOptions(download=True)


@pytest.fixture(scope="module")
def experiment(mlflow_source: MlflowServer) -> str:
    """The id of an experiment with a history that no test changes."""
    return history.logged(mlflow_source, NAME)


@pytest.fixture(autouse=True)
def impatient_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """What older servers give to nobody by MLflow's own way, its client asks for again for minutes."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


class Heard(Silent):
    """Hears what is said."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        self.say = hear  # type: ignore[method-assign]


async def extracted(
    server: MlflowServer,
    folder: Path,
    *,
    name: str = NAME,
    options: ExtractOptions = WHOLE,
    cut: DiesAt | None = None,
    progress: Progress = SILENT,
) -> Extracted:
    """One `extract` of an experiment, active runs too."""
    config = server_config(server.url, {})
    async with open_transport() as wire:
        through = cut.over(wire) if cut else wire
        async with connect(config, transport=through, clock=FastClock()) as source:  # type: ignore[arg-type]
            with Archive.create(folder, source.ref) as archive:
                selection = Selection(experiments=(name,), include_active=True)
                return await extract(source, archive, selection, options=options, width=8, progress=progress)


def expect_held(archive: Archive, held: Held) -> None:
    """The archive says of a run what MLflow's client says."""
    run, info = archive.run(RunId(held.info.run_id)), held.info
    assert run is not None
    assert run.status == STATUSES[info.status]
    assert (run.start, run.end) == (_instant(info.start_time), _instant(info.end_time))
    assert (run.display_name, run.creator, run.hidden) == (
        info.run_name,
        info.user_id,
        info.lifecycle_stage == "deleted",
    )
    named = {"mlflow.runName": run.display_name, "mlflow.note.content": run.description}
    assert run.tags | {key: value for key, value in named.items() if key in held.tags} == held.tags
    assert run.parameters == held.params
    assert run.parent == held.tags.get("mlflow.parentRunId")
    rows = {
        series.key.name: {
            (step, (ticks or 0) // TICKS_PER_MS, history.bits(float(value or 0)))
            for points in archive.points(run.id, series.key)
            for step, ticks, (value,) in points.rows()
        }
        for series, _ in archive.series(run.id)
    }
    assert rows == held.points
    files = {file.path: file for file in archive.artifacts(run.id)}
    sizes = {path: file.stored.size_bytes for path, file in files.items() if file.stored}
    assert sizes == {path: size for path, size in held.files.items() if path not in history.UNREADABLE}
    assert files.keys() == held.files.keys()


def _instant(ms: int | None) -> Instant | None:
    return None if ms is None else Instant(ms * TICKS_PER_MS)


async def test_an_archive_holds_what_mlflows_client_shows(
    mlflow_source: MlflowServer, experiment: str, tmp_path: Path
) -> None:
    """Every run, deleted ones too: times, status, tags, params, points to the bit, files with their bytes."""
    await expect_whole(mlflow_source, experiment, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("version", OLDER)
async def test_so_it_does_of_older_servers(version: str, tmp_path: Path) -> None:
    """From the first that has all routes, by way of the last before 3 and the first whose histories have pages."""
    with serving(tmp_path, version) as server:
        await expect_whole(server, history.logged(server, NAME), tmp_path)


@pytest.mark.slow
async def test_so_it_does_where_the_server_serves_no_files(tmp_path: Path) -> None:
    """Then its pages show them all the same, by the way that we take."""
    flags = ("--no-serve-artifacts", "--default-artifact-root", str(tmp_path / "artifacts"))
    with serving(tmp_path, NEWEST, *flags) as server:
        await expect_whole(server, history.logged(server, NAME), tmp_path)


async def expect_whole(server: MlflowServer, experiment: str, folder: Path) -> None:
    """An archive of the experiment holds all that the client shows, and the bytes of files."""
    done = await extracted(server, folder / "kept")

    held = list(history.everything(server, experiment))
    assert (done.runs, done.failed) == (len(held), ())
    with Archive.open(folder / "kept") as archive:
        for one in held:
            expect_held(archive, one)
        (hostile,) = (one for one in held if one.info.run_name == "hostile")
        expect_bytes(server, archive, RunId(hostile.info.run_id), folder)
        known = archive.experiment(NAME)
        assert known is not None
        assert (known.description, known.tags, known.archived) == ("what it is for", {"team": "ü"}, None)


def expect_bytes(server: MlflowServer, archive: Archive, run: RunId, folder: Path) -> None:
    """The archive has the bytes of all files of a run, but of those that no server gives, for which it says why."""
    files = {artifact.path: artifact for artifact in archive.artifacts(run)}
    assert files.keys() == history.FILES.keys() | history.UNREADABLE.keys()
    for path, why in history.UNREADABLE.items():
        assert why in (files[path].gone or "")
    for path, data in history.FILES.items():
        stored = files[path].stored
        kept = archive.held(stored) if stored else None
        assert kept is not None, path
        assert b"".join(kept.pieces(1 << 20)) == data
        assert history.content(server, run, path, folder) in (None, data)
    assert archive.run(run).input_datasets  # type: ignore[union-attr]


async def test_a_second_extract_brings_what_changed(mlflow_source: MlflowServer, tmp_path: Path) -> None:
    """Servers tell no time of change: tags, points and files that came after a run's end are seen all the same."""
    client = MlflowClient(mlflow_source.url)
    experiment = client.create_experiment("changing")
    runs = [client.create_run(experiment, run_name=f"run {at}").info.run_id for at in range(4)]
    for run in runs:
        client.log_metric(run, "loss", 0.5, history.START_MS, 1)
        client.set_terminated(run)
    assert (await extracted(mlflow_source, tmp_path / "kept", name="changing")).runs == 4
    assert (await extracted(mlflow_source, tmp_path / "kept", name="changing")).runs == 0

    client.set_tag(runs[0], "owner", "me")
    client.log_metric(runs[1], "loss", 0.25, history.START_MS + 1, 2)
    client.log_text(runs[2], "late", "late.txt")
    again = await extracted(mlflow_source, tmp_path / "kept", name="changing")

    assert (again.runs, again.points, again.files) == (3, 4, 1)
    client.delete_run(runs[3])
    client.delete_experiment(experiment)
    assert (await extracted(mlflow_source, tmp_path / "kept", name="changing")).runs == 4
    with Archive.open(tmp_path / "kept") as archive:
        assert all(archive.run(RunId(run)).hidden for run in runs)  # type: ignore[union-attr]
        assert archive.experiment("changing").archived is not None  # type: ignore[union-attr]


async def test_a_point_at_an_earlier_step_is_said_to_be_unseen(mlflow_source: MlflowServer, tmp_path: Path) -> None:
    """A server shows the last point of a metric alone: what came before it is found where all is read again."""
    client = MlflowClient(mlflow_source.url)
    run = client.create_run(client.create_experiment("earlier")).info.run_id
    for step in (1, 3):
        client.log_metric(run, "loss", 0.5, history.START_MS, step)
    client.set_terminated(run)
    await extracted(mlflow_source, tmp_path / "kept", name="earlier")
    client.log_metric(run, "loss", 0.25, history.START_MS, 2)
    said: list[str] = []

    quick = await extracted(mlflow_source, tmp_path / "kept", name="earlier", progress=Heard(said.append))
    whole = await extracted(
        mlflow_source,
        tmp_path / "kept",
        name="earlier",
        options=replace(WHOLE, check_all=True),
        progress=Heard(said.append),
    )

    assert (quick.points, whole.points) == (0, 3)
    assert [line.partition(":")[0] for line in said] == ["1 run that ended"]


def test_https_at_a_server_that_speaks_none(
    mlflow_source: MlflowServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is tried again: it will never be another answer."""
    for name in ("HTTPS_PROXY", "https_proxy"):  # as other tests here lead to a sandbox
        monkeypatch.delenv(name, raising=False)
    secure = mlflow_source.url.replace("http://", "https://")

    assert cli.run(["extract", "--source", secure, "--archive", str(tmp_path / "kept")]) == 2
    assert f"{secure.removeprefix('https://')} speaks no https" in capsys.readouterr().err


async def test_what_mlflow_3_has_beside_runs_is_a_document_and_named(
    mlflow_source: MlflowServer, tmp_path: Path
) -> None:
    """A logged model's document goes along with its run, its files stay, and the plan says so; traces are counted."""
    experiment = MlflowClient(mlflow_source.url).create_experiment("models")
    run, model = history.with_model(mlflow_source, experiment)
    history.with_trace(mlflow_source, experiment)

    await extracted(mlflow_source, tmp_path / "kept", name="models")

    with Archive.open(tmp_path / "kept") as archive:
        details = archive.details(RunId(run))
        assert details is not None
        document: Any = details.more[LOGGED_MODELS]
        told = document[model]
        assert (told["name"], told["tags"], told["parameters"]) == ("forest", {"team": "ü"}, {"depth": "3"})
        (step,) = plan(archive, Selection())
        assert [one.what for one in step.omissions] == [f"logged model {model}"]
        assert JOB_FILE in step.own_files
        known: Any = archive.experiment("models")
        assert [trace["request_metadata"] for trace in known.document["traces"]] == [{"mlflow.sourceRun": "a run"}]
        assert ("experiment", "traces", 1) in set(archive.unknown_keys())


@pytest.mark.parametrize("points", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
async def test_histories_that_bulk_would_cut_are_whole(
    mlflow_source: MlflowServer, tmp_path: Path, points: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows without a step, of which nobody knows how many: an answer in bulk ends somewhere, and does not say so."""
    if points < ask.ROWS_IN_BULK:
        monkeypatch.setattr(ask, "ROWS_IN_BULK", points // 2)
        monkeypatch.setattr(ask, "ROWS_PER_PAGE", points // 4)
    client, name = MlflowClient(mlflow_source.url), f"long curves {points}"
    experiment = client.create_experiment(name)
    long = history.long_curve(mlflow_source, experiment, points)
    short = client.create_run(experiment, run_name="short").info.run_id
    client.log_metric(short, "long", 0.5, history.START_MS, 0)
    client.set_terminated(short)

    done = await extracted(mlflow_source, tmp_path / "kept", name=name)

    assert done.points == points + 1
    held = {one.info.run_id: one for one in history.everything(mlflow_source, experiment)}
    with Archive.open(tmp_path / "kept") as archive:
        expect_held(archive, held[long])
        expect_held(archive, held[short])


async def test_killed_at_any_request_it_continues(mlflow_source: MlflowServer, experiment: str, tmp_path: Path) -> None:
    """The archive is then the same as one that nobody interrupted, to the last bit."""
    counted = DiesAt(0, delivered=True)
    await extracted(mlflow_source, tmp_path / "whole", cut=counted)
    for at in range(1, counted.count, max(1, counted.count // 8)):
        folder = tmp_path / str(at)
        with pytest.raises(PowerCut):
            await extracted(mlflow_source, folder, cut=DiesAt(at, delivered=bool(at % 2)))
        await extracted(mlflow_source, folder)
        assert root_of(folder) == root_of(tmp_path / "whole"), at


@pytest.mark.slow
async def test_an_archive_of_a_server_opens_in_mlflows_window(
    mlflow_source: MlflowServer, experiment: str, tmp_path: Path
) -> None:
    """The archive shows MLflow's client what the server itself does, but for a user whom no tag named."""
    await extracted(mlflow_source, tmp_path / "kept")
    there = {run.info.run_id: run for run in runs_of(mlflow_source.url)}

    with browsing(tmp_path / "kept", tmp_path) as window:
        here = {run.info.run_id: run for run in runs_of(window.said["tracking_uri"])}

    assert here.keys() == there.keys()
    for run, shown in here.items():
        own = there[run]
        for name in ("status", "start_time", "end_time", "run_name", "lifecycle_stage", "user_id", "experiment_id"):
            assert getattr(shown.info, name) == getattr(own.info, name), (run, name)
        assert (shown.data.params, shown.data.metrics.keys()) == (own.data.params, own.data.metrics.keys())
        ours = {key: value for key, value in shown.data.tags.items() if not key.startswith("azureml_replay")}
        assert {"mlflow.user": shown.info.user_id} | own.data.tags == {"mlflow.user": shown.info.user_id} | ours


def runs_of(uri: str) -> list[Any]:
    """All runs of the history, as MLflow's client lists them."""
    client = MlflowClient(uri)
    (found,) = (one for one in client.search_experiments(ViewType.ALL) if one.name == NAME)
    return list(client.search_runs([found.experiment_id], run_view_type=ViewType.ALL, max_results=1_000))


def root_of(folder: Path) -> str:
    """What tells that two archives hold the same."""
    with Archive.open(folder, write=False) as archive:
        return archive.content_root()


async def carried(server: MlflowServer, target: WorkspaceFile, folder: Path) -> Migrated:
    """One `migrate` of the experiment; files pass through, none are kept."""
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(connect(server_config(server.url, {}), clock=FastClock()))
        there = await stack.enter_async_context(connect_azure(configured(target), clock=FastClock()))
        archive = stack.enter_context(Archive.create(folder, source.ref))
        selection = Selection(experiments=(NAME,), include_active=True)
        return await migrate(source, there, archive, selection, options=MigrateOptions(deep=True), width=8)  # type: ignore[arg-type]


@pytest.mark.usefixtures("azure_env")
def test_a_server_moves_into_a_workspace_and_on_to_another_server(
    mlflow_source: MlflowServer, experiment: str, mlflow_server: MlflowServer, workspace: WorkspaceFile, tmp_path: Path
) -> None:
    """With the server's run ids; all equal, byte for byte; a second run sends nothing. Then from the workspace on."""
    done = asyncio.run(carried(mlflow_source, workspace, tmp_path / "kept"))
    ids = {one.info.run_id for one in history.everything(mlflow_source, experiment)}

    assert (done.verdict.findings, done.replayed.failed, done.verdict.runs) == (0, (), len(ids))
    with Archive.open(tmp_path / "kept", write=False) as archive:
        ledger = archive.ledger(configured(workspace).ref)
        assert {ledger.target_id(RunId(run)) or run for run in ids} == ids
        selection = Selection(experiments=(NAME,))
        reasons = " ".join(dry_run(archive, ledger.target, selection, options=ReplayOptions()).reasons)
        assert all(why in reasons for why in ("a backslash", "another kind of workspace", *history.UNREADABLE.values()))
    again = asyncio.run(carried(mlflow_source, workspace, tmp_path / "kept"))
    assert (again.replayed.runs, again.replayed.points, again.replayed.files, again.verdict.findings) == (0, 0, 0, 0)
    back = asyncio.run(kept(workspace, tmp_path / "back"))
    expect_same_behind(mlflow_source, experiment, back, named(mlflow_server, tmp_path), mlflow_server)


def expect_same_behind(source: MlflowServer, experiment: str, back: Path, target: Path, server: MlflowServer) -> None:
    """What Azure ML can hold is the same on a server behind the workspace, by MLflow's own client on both."""
    done = sent_now(back, target)

    assert (done.verdict.findings, done.replayed.failed) == (0, ())
    home = MlflowClient(server.url).get_experiment_by_name(prefix_of(target) + NAME)
    assert (home.tags["mlflow.note.content"], home.tags["team"]) == ("what it is for", "ü")
    behind = {one.tags["original_job_id"]: one for one in history.everything(server, home.experiment_id)}
    first = {one.info.run_id: one for one in history.everything(source, experiment)}
    assert behind.keys() == first.keys()
    for run, one in first.items():
        expect_same(one, behind[run], behind)
        for path in ("plain.txt", "sub/日本 é😀.txt", "large.bin"):
            if path in one.files:
                assert history.content(server, behind[run].info.run_id, path, back) == history.FILES[path]


def expect_same(one: Held, other: Held, back: dict[str, Held]) -> None:
    """A run of both servers, but its creator, long tags, and files of names that Azure ML or the client cannot have."""
    for name in ("status", "start_time", "end_time", "run_name", "lifecycle_stage"):
        assert getattr(other.info, name) == getattr(one.info, name), (one.info.run_name, name)
    parent = one.tags.get("mlflow.parentRunId")
    tags = one.tags | ({"mlflow.parentRunId": back[parent].info.run_id} if parent else {})
    assert {key: value for key, value in tags.items() if len(value) <= AZURE_TAG}.items() <= other.tags.items()
    assert (other.params, other.points) == (one.params, one.points)
    same = {path: size for path, size in one.files.items() if path not in history.UNREADABLE | NOT_BEHIND}
    assert {path: size for path, size in other.files.items() if not path.startswith("replay/")} == same


AZURE_TAG = 1_000
NOT_BEHIND = {history.BACKSLASH: "no name in Azure ML", "sub/deep/a b?&=+;'.txt": "MLflow's client cuts it at its ?"}
"""Files of the source that are elsewhere, or nowhere, behind the workspace."""
