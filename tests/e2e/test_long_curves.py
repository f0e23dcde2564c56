"""Curves that fill many chunks of the archive: rows of several share requests, and a run that stopped goes on."""

from __future__ import annotations

import asyncio
from itertools import count, takewhile
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.extraction.extract import ExtractOptions
from azureml_replay.verbs import MigrateOptions
from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted, nodes
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import scalar
from e2e.library import DiesAt, PowerCut, cut_and_continue, migrated
from e2e.tampering import Held, change, row

LONG = Wanted(runs=1, children=0, series=3, points=700, artifacts=0)
CHUNK = 300
APPEND = r"/metric/v2\.0/.*/batch(sync)?$"


@pytest.fixture
def long_history(calm: Sandbox, azure_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> WorkspaceFile:
    """One run whose three curves lie in nine chunks, so that each request takes rows of several."""
    for reader in ("azure.services.metrics", "extraction.metrics"):
        monkeypatch.setattr(f"azureml_replay.{reader}.ROWS_PER_CHUNK", 300)
    source = calm.add_workspace()
    sample(calm.folder, source.workspace_name, LONG)
    return source


@pytest.mark.parametrize(
    "delivered", [pytest.param(False, marks=pytest.mark.slow), True], ids=["before-delivery", "after-delivery"]
)
def test_cut_while_chunks_of_several_curves_are_open(
    long_history: WorkspaceFile, calm: Sandbox, tmp_path: Path, delivered: bool
) -> None:
    """At each request for rows: what was begun is asked about, the rest sent. The first two are a throw-away run's."""
    cuts = (DiesAt(at, delivered=delivered, where=APPEND) for at in count(1))
    died = takewhile(
        lambda cut: cut_and_continue(
            long_history, calm.add_workspace(), tmp_path / str(cut.left), cut, (1, 3 * LONG.points)
        ),
        cuts,
    )

    assert len(list(died)) == 2 + 3


def test_answers_lost_while_chunks_of_several_curves_are_open(
    long_history: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """Every second request for rows arrives and its answer does not: nothing is lost, nothing twice."""
    target = calm.add_workspace()
    match = {"workspace": target.workspace_name, "service": "metric", "path": "/batch(sync)?$"}
    calm.set_faults([{"match": match, "do": "reset-after", "every": 2}])

    done = asyncio.run(migrated(long_history, target, tmp_path / "archive"))

    assert (done.verdict.findings, done.verdict.points, done.replayed.failed) == (0, 3 * LONG.points, ())


def test_chunks_that_never_left_are_not_asked_about_one_by_one(
    long_history: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """After the first request each curve is read once as a whole, and once for the chunk of it that was begun."""
    target = calm.add_workspace()
    with pytest.raises(PowerCut):
        asyncio.run(migrated(long_history, target, tmp_path / "archive", cut=DiesAt(3, delivered=True, where=APPEND)))
    calm.reset_requests()

    asyncio.run(migrated(long_history, target, tmp_path / "archive"))

    read = [row for row in calm.requests()["routes"] if row["workspace"] == target.workspace_name]
    assert sum(row["count"] for row in read if row["route"].endswith("/full")) == 3 + 3 + 3  # and verify


def read(calm: Sandbox, workspace: WorkspaceFile) -> int:
    """Pages of rows that were asked for since the count began."""
    asked = [one for one in calm.requests()["routes"] if one["workspace"] == workspace.workspace_name]
    return sum(one["count"] for one in asked if one["route"].endswith("/full"))


def test_the_chunks_are_the_same_ones_whichever_curve_comes_first(
    long_history: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """Where one is held up, the others go down meanwhile; their numbers, the chunks and their digests stay."""
    held = []
    for every in (1, 2, 3):
        calm.set_faults([{"match": {"path": "/full$"}, "do": "delay", "delay_ms": 50, "every": every}])
        folder = tmp_path / f"archive-{every}"
        asyncio.run(migrated(long_history, calm.add_workspace(), folder))
        with Archive.open(folder, write=False) as archive:
            ((run, series),) = [(one, archive.series(one)) for one in archive.units()]
            held.append((series, sorted((one.digest, one.rows) for one in archive.chunk_payloads(run).values())))

    assert held[0] == held[1] == held[2]
    assert len(held[0][1]) == 3 * 2 + 1  # the rest of each curve, 100 rows, shares a chunk


def test_a_curve_that_has_grown_leaves_the_chunks_of_others_as_they_were(
    long_history: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """A chunk more of one: those behind it have other numbers now, and are neither asked about nor sent."""
    target, folder = calm.add_workspace(), tmp_path / "archive"
    options = MigrateOptions(extract=ExtractOptions(check_all=True))
    asyncio.run(migrated(long_history, target, folder, options=options))

    def grown(held: Held) -> None:
        (run,) = nodes(LONG)
        more = [row(step, 0.5, "accuracy") for step in range(LONG.points, LONG.points + CHUNK)]
        held.world.metrics.append(held.guid, scalar(f"dcid.{run.run_id}", "accuracy"), more)

    change(calm, long_history, grown)
    calm.reset_requests()
    done = asyncio.run(migrated(long_history, target, folder, options=options))

    assert (done.verdict.findings, done.replayed.points, done.replayed.failed) == (0, CHUNK, ())
    assert read(calm, target) == 3 + (1 + 3) + 3  # what is there; of the new chunk, and of that of the rests; verify
