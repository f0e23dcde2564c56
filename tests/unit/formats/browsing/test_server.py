"""What `browse` says before a server is there, and of one that ends; the rest is e2e/test_browse's."""

from __future__ import annotations

import socket
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.cli.command import run
from azureml_replay.errors import Exit, UserError
from azureml_replay.formats.browsing import server
from report.archives import SOURCE, a_run, put


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    with Archive.create(tmp_path / "history", SOURCE) as made:
        put(made, [a_run("r", experiment="name with / and ?")])
    return tmp_path / "history"


@pytest.fixture
def with_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the extra were installed."""
    monkeypatch.setattr(server, "version", lambda _: "3.0")
    monkeypatch.setattr(server, "entry_points", lambda **_: [1])


def test_without_the_extra_it_says_what_to_install(
    archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """MLflow's small sister, which the sandbox brings, has no server."""

    def lacking(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(server, "version", lacking)

    assert run(["browse", str(archive)]) == Exit.USER
    assert "pip install 'azureml-job-replayer[mlflow]'" in capsys.readouterr().err


def test_an_installation_that_tells_mlflow_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "version", lambda _: "3.0")
    monkeypatch.setattr(server, "entry_points", lambda **_: [])

    with pytest.raises(UserError, match="install this package again"):
        server.installed()


@pytest.mark.usefixtures("with_mlflow")
def test_a_port_that_is_taken_is_said(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind((server.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert run(["browse", str(archive), "--port", str(port)]) == Exit.USER

    assert f"--port {port}: Address already in use: give another one" in capsys.readouterr().err


@pytest.mark.usefixtures("with_mlflow")
def test_a_server_that_does_not_start_leaves_its_last_words(
    archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here the small sister's, which cannot serve."""
    monkeypatch.setenv("PYTHONPATH", "")

    assert run(["browse", str(archive)]) == Exit.USER
    assert "error: MLflow's server ended with " in capsys.readouterr().err


def test_the_page_is_that_of_the_runs(archive: Path, tmp_path: Path) -> None:
    """Of the experiment that was used last, whatever its name; of all where there are none."""
    with Archive.create(tmp_path / "empty", SOURCE):
        pass

    assert server._entrance(archive) == ("/name%20with%20%2F%20and%20%3F/runs", 1, 1)
    assert server._entrance(tmp_path / "empty") == ("", 0, 0)
