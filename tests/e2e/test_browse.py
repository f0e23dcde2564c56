"""An archive in MLflow's own window: MLflow's server and pages, its own client, and a browser are the witnesses."""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

import jsonschema
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from playwright.sync_api import Page, expect

from azureml_replay.cli.json_schema import json_schema
from azureml_replay.formats.browsing.server import Window
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from browser import launched
from e2e import mlflow_window
from e2e.histories import START_MS
from e2e.mlflow_window import Browsing, browsing
from e2e.own_environment import NotInstallable

REFUSED = "an archive is read-only: nothing can be written"
NOT_OURS = {"users/current"}
"""Requests of MLflow's pages that its own server of 3.17.2 does not answer, whatever it shows:
`test_a_store_of_mlflows_own_says_the_same` sees them fail without us."""


@pytest.fixture(scope="module")
def archive(small_history: WorkspaceFile, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small history with the bytes of its files."""
    folder = tmp_path_factory.mktemp("browsed")
    flags = ("--source", small_history.path, "--archive", "history", "--artifacts", "download", "--quiet")
    command = [sys.executable, "-m", "azureml_replay", "extract", *map(str, flags)]
    subprocess.run(command, cwd=folder, env=os.environ | sandbox.env, check=True)
    return folder / "history"


@pytest.fixture(scope="module")
def opened(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browsing]:
    """The newest MLflow's window; one server for all looks at it."""
    with _window(archive, tmp_path_factory.mktemp("window"), mlflow_window.NEWEST) as found:
        yield found


def _window(archive: Path, folder: Path, version: str) -> Any:
    try:
        mlflow_window.installed(version)
    except NotInstallable as why:
        pytest.skip(str(why))
    return browsing(archive, folder, version)


def _runs(client: MlflowClient, **how: Any) -> dict[str, Any]:
    experiment = client.get_experiment_by_name("small")
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id], **how)}


def _asked(opened: Browsing, path: str) -> bytes:
    """As a page asks: a client of 3 asks servers of 2 for what they do not have."""
    with urlopen(f"{opened.said['tracking_uri']}/{path}") as answer:  # noqa: S310 - our own server
        return bytes(answer.read())


def looked_at_by_a_client(opened: Browsing) -> None:
    """What MLflow's own client answers of the archive, with nothing of ours beside it."""
    client = MlflowClient(opened.said["tracking_uri"])
    runs = _runs(client)
    parent, child, failed = (runs[name] for name in ("parent", "child 0", "child 1"))

    jsonschema.validate(opened.said, json_schema(Window))  # as docs/reference/json.md says
    assert opened.said["url"].endswith(f"/#/experiments/{parent.info.experiment_id}/runs")
    assert (opened.said["runs"], list(runs)) == (3, ["child 1", *sorted(("parent", "child 0"), key=_id_of(runs))])
    assert (parent.info.status, failed.info.status) == ("FINISHED", "FAILED")
    assert (parent.info.start_time, parent.info.end_time) == (START_MS, START_MS + 120_000)
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert (parent.data.params, parent.data.tags["team"]) == ({"lr": "0.1"}, "blue")
    assert (child.data.metrics["acc"], parent.data.metrics["loss"]) == (1.0, 1 / 300)

    points = client.get_metric_history(parent.info.run_id, "loss")
    assert [(point.step, point.timestamp, point.value) for point in points] == [
        (step, START_MS + 1_000 * step, 1 / (step + 1)) for step in range(300)
    ]
    odd = [point.value for point in client.get_metric_history(child.info.run_id, "loss")]
    assert (math.isnan(odd[0]), odd[1:]) == (True, [math.inf, 0.0, 1e-320])

    assert list(_runs(client, filter_string="metrics.loss > 0.001 and params.lr = '0.1'")) == ["parent"]
    assert list(_runs(client, filter_string="tags.k = 'v'", order_by=["attributes.start_time ASC"])) == [
        *("child 0", "child 1")
    ]
    pages = [client.search_runs([parent.info.experiment_id], max_results=2)]
    pages.append(client.search_runs([parent.info.experiment_id], max_results=2, page_token=pages[0].token))
    assert [run.info.run_name for page in pages for run in page] == list(runs)
    assert pages[1].token in (None, "")

    listed = _asked(opened, f"api/2.0/mlflow/artifacts/list?run_id={child.info.run_id}&path=outputs")
    assert json.loads(listed)["files"] == [{"path": "outputs/notes.txt", "is_dir": False, "file_size": 51}]
    notes = _asked(opened, f"get-artifact?run_uuid={child.info.run_id}&path=outputs/notes.txt")
    assert notes == b"notes of child 0\n" * 3
    assert list(client.search_registered_models()) == []


def _id_of(runs: dict[str, Any]) -> Any:
    return lambda name: runs[name].info.run_id


def writes_nothing(opened: Browsing) -> None:
    """Whatever a client wants to change is refused, with our sentence."""
    client = MlflowClient(opened.said["tracking_uri"])
    run = _runs(client)["parent"].info
    for write in (
        lambda: client.create_experiment("new"),
        lambda: client.create_run(run.experiment_id),
        lambda: client.log_metric(run.run_id, "loss", 1.0),
        lambda: client.set_tag(run.run_id, "k", "w"),
        lambda: client.delete_run(run.run_id),
        lambda: client.create_registered_model("new"),
    ):
        with pytest.raises(MlflowException, match=REFUSED):
            write()


def test_mlflows_own_client_sees_the_archive(opened: Browsing, tmp_path: Path) -> None:
    """Its files too, which it fetches from the server: it has no plugin."""
    looked_at_by_a_client(opened)
    client = MlflowClient(opened.said["tracking_uri"])
    run = _runs(client)["child 1"].info.run_id
    brought = client.download_artifacts(run, "outputs/notes.txt", str(tmp_path))

    assert [file.path for file in client.list_artifacts(run)] == ["outputs"]
    assert Path(brought).read_text() == "notes of child 1\n" * 3


def test_a_client_changes_nothing(opened: Browsing) -> None:
    writes_nothing(opened)


@dataclass
class Looked:
    """A page of MLflow's, and what went wrong on it."""

    page: Page
    said: list[str] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def window() -> Iterator[Looked]:
    """One page for all looks: MLflow's scripts take two seconds to load."""
    with launched() as chromium:
        found = Looked(chromium.new_page(viewport={"width": 1440, "height": 900}))
        found.page.set_default_timeout(30_000)
        expect.set_options(timeout=30_000)
        found.page.on("console", lambda told: found.said.append(told.text) if told.type == "error" else None)
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        found.page.on(
            "response", lambda answer: found.failed.add(urlsplit(answer.url).path) if answer.status >= 400 else None
        )
        yield found
        expect.set_options(timeout=5_000)


def test_mlflows_pages_show_it(opened: Browsing, window: Looked) -> None:
    """The list, the runs below a run, a curve, a file, and runs beside each other; nothing fails on the way."""
    page, (server, _, inside) = window.page, opened.said["url"].partition("/#/")
    home = f"{server}/#/{inside.removesuffix('/runs')}"
    runs = {name: run.info.run_id for name, run in _runs(MlflowClient(server)).items()}

    page.goto(opened.said["url"])
    _link(page, "parent").wait_for()
    assert not _link(page, "child 0").is_visible()
    page.locator(".ag-row button").first.click()
    _link(page, "child 0").wait_for()

    both, home_id = json.dumps([runs["parent"], runs["child 0"]]), json.dumps([home.rpartition("/")[2]])
    _leads(page, f"{server}/#/compare-runs?runs={quote(both)}&experiments={quote(home_id)}")
    expect(page.locator("body")).to_contain_text("Run details")
    expect(page.locator("body")).to_contain_text("0.003")

    _leads(page, f"{home}/runs/{runs['parent']}/model-metrics")
    expect(page.locator(".js-plotly-plot .scatterlayer path.js-line").first).to_be_visible()

    _leads(page, f"{home}/runs/{runs['child 0']}/artifacts/outputs/notes.txt")
    expect(page.locator("body")).to_contain_text("notes of child 0")

    failed = {path for path in window.failed if not path.endswith(tuple(NOT_OURS))}
    told = [text for text in window.said if not text.startswith("Failed to load resource")]
    assert (failed, told) == (set(), [])


def _leads(page: Page, url: str) -> None:
    """As a link within the page does: its own last redirection may still be under way."""
    page.evaluate("url => { location.href = url }", url)


def _link(page: Page, name: str) -> Any:
    return page.get_by_role("link", name=name, exact=True)


def test_ctrl_c_ends_it_and_its_server(archive: Path, opened: Browsing, window: Looked, tmp_path: Path) -> None:
    """With 0, as that is how it ends; nobody listens any more, and nothing of it is left."""
    window.page.goto("about:blank")
    port = urlsplit(opened.said["tracking_uri"]).port
    before = sorted(archive.rglob("*"))

    code, told = opened.ends()

    assert (code, '"error"' in told) == (0, False)
    assert f"open {opened.said['url']} in a browser" in told
    with socket.socket() as trial:
        assert trial.connect_ex(("127.0.0.1", port)) != 0
    assert [path for path in sorted(archive.rglob("*")) if path not in before] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", mlflow_window.OLDER)
def test_older_versions_show_it_too(archive: Path, tmp_path: Path, version: str) -> None:
    """By the same source; the lowest that the extra allows among them."""
    with _window(archive, tmp_path, version) as found:
        assert found.said["mlflow"] == version
        looked_at_by_a_client(found)
        writes_nothing(found)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_store_of_mlflows_own_says_the_same(window: Looked, tmp_path: Path) -> None:
    """What fails on its pages without us, so that nothing else is forgiven above."""
    python = mlflow_window.installed()
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    where = ("--backend-store-uri", f"sqlite:///{tmp_path}/own.db", "--host", "127.0.0.1", "--port", str(port))
    command = [str(python), "-m", "mlflow", "server", *where, "--workers", "1"]
    quiet = mlflow_window.environment(tmp_path / "known") | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = subprocess.Popen(command, cwd=tmp_path, env=quiet, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        next(line for line in process.stderr if "Uvicorn running" in line)
        client = MlflowClient(f"http://127.0.0.1:{port}")
        client.create_run("0", run_name="one")
        window.failed.clear()
        with window.page.expect_response(lambda answer: answer.url.endswith("users/current")):
            window.page.goto(f"http://127.0.0.1:{port}/#/experiments/0/runs")
        window.page.goto("about:blank")
    finally:
        process.terminate()
        process.communicate(timeout=30)

    assert {path for path in window.failed if path.endswith(tuple(NOT_OURS))} == window.failed != set()
    shutil.rmtree(tmp_path / "known")
