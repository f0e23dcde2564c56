"""Servers that take no files, or to which none shall go: they are planned omissions, and everything else arrives."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_replay.planning.files import NOT_SERVED
from mlflow_servers import NEWEST, MlflowServer, serving
from servers.moving import copied, findings, named, omissions, prefix_of, sent_again, sent_now
from servers.seen import SeenRun, look


def expect_runs_alone(small: Path, server: MlflowServer, folder: Path, target: Path) -> None:
    """All runs and rows, no files, and each run says so."""
    history = copied(small, folder / "history")

    done = sent_now(history, target)

    assert (done.figures, done.replayed.failed, findings(history, target)) == ((3, 326, 0), (), [])
    left = [one for one in omissions(history, target) if one.reason == NOT_SERVED]
    assert {one.what for one in left} >= {"1 file", "file replay/rows.json"}
    assert {one.run for one in left} == {run.tags["original_job_id"] for run in _seen(server, target)}
    again = sent_again(history, target)
    assert (again.runs, again.points, again.files) == (0, 0, 0)


def _seen(server: MlflowServer, target: Path) -> list[SeenRun]:
    return list(look(server.url, prefix_of(target), files=False).runs.values())


def test_no_file_goes_where_the_file_says_so(small: Path, mlflow_server: MlflowServer, tmp_path: Path) -> None:
    """`artifacts: none`."""
    expect_runs_alone(small, mlflow_server, tmp_path, named(mlflow_server, tmp_path, artifacts="none"))


@pytest.mark.slow
def test_no_file_goes_to_a_server_that_serves_none(small: Path, tmp_path: Path) -> None:
    """Its storage's own clients write there; the throw-away run tells."""
    with serving(tmp_path, NEWEST, "--no-serve-artifacts", "--default-artifact-root", str(tmp_path / "root")) as server:
        expect_runs_alone(small, server, tmp_path, named(server, tmp_path))
