"""Killed at any request to a real MLflow server, the next run ends equal: nothing lost, nothing twice."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from e2e.library import DiesAt, PowerCut
from mlflow_servers import OLDER, MlflowServer, serving
from servers.moving import bindings, copied, findings, named, prefix_of, sent_now
from servers.seen import look

FEW = (12, 20, 27, 34)
"""Of some 60 requests: the trial, a lease, a creation, values, rows, files."""
SOME = 6
"""Of an older server's requests each sixth is cut."""


def cut_and_continue(small: Path, server: MlflowServer, folder: Path, at: int, *, delivered: bool) -> bool:
    """Dies once, then runs undisturbed; what MLflow's own client sees then is there once. Says whether it died."""
    folder.mkdir()
    history, target = copied(small, folder / "history"), named(server, folder)
    was_cut = False
    try:
        sent_now(history, target, cut=DiesAt(at, delivered=delivered))
    except PowerCut:
        was_cut = True

    done = sent_now(history, target)

    assert (done.replayed.failed, findings(history, target)) == ((), []), (at, delivered)
    seen = look(server.url, prefix_of(target), files=False)
    assert sorted(bindings(history, target).values()) == sorted(seen.runs), (at, delivered)
    assert sorted(len(rows) for run in seen.runs.values() for rows in run.points.values()) == [1, 1, 4, 4, 8, 8, 300]
    return was_cut


@pytest.mark.parametrize("delivered", [False, True], ids=["before-delivery", "after-delivery"])
def test_cut_at_a_few_requests(small: Path, mlflow_server: MlflowServer, tmp_path: Path, delivered: bool) -> None:
    """Each into experiments of its own."""
    for at in FEW[delivered::2]:
        assert cut_and_continue(small, mlflow_server, tmp_path / str(at), at, delivered=delivered)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("delivered", [False, True], ids=["before-delivery", "after-delivery"])
@pytest.mark.parametrize("version", ["newest", *OLDER])
def test_cut_at_every_request(
    small: Path, mlflow_server: MlflowServer, tmp_path: Path, version: str, delivered: bool
) -> None:
    """Each of the newest server's, and some of those that refuse a NaN which is there already."""

    def sweep(server: MlflowServer, every: int) -> int:
        for at in count(1 + (every > 1 and delivered), every):
            if not cut_and_continue(small, server, tmp_path / str(at), at, delivered=delivered):
                return at
        raise AssertionError

    if version == "newest":
        assert sweep(mlflow_server, 1) > 40
        return
    with serving(tmp_path, version) as older:
        assert sweep(older, SOME) > 40
