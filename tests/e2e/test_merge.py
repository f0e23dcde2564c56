"""Two archives of one source, each of which brought a part into one target: merged they are one migration."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.checking import check
from azureml_replay.azure.config import workspace_config
from azureml_replay.cli.app import app
from azureml_replay.model import RunId
from azureml_replay.selection import Selection
from azureml_replay.state import TargetStatus, status
from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import DiesAt, PowerCut, migrated
from e2e.test_refused import judged
from e2e.test_synthetic import extracted


def merge(*words: str | Path, code: int = 0) -> str:
    """As it is typed."""
    ended = CliRunner().invoke(app, ["merge", *map(str, words)])
    assert ended.exit_code == code, ended.output
    return ended.stdout


def root_of(folder: Path) -> str:
    """The content root of an archive without damage."""
    with Archive.open(folder, write=False) as archive:
        found = check(archive, read_data=True)
        assert found.damages == ()
        assert {one.root.kept == one.root.reckoned for one in found.proofs} <= {True}
    return found.content.kept


def at_target(folder: Path) -> TargetStatus:
    with Archive.open(folder, write=False) as archive:
        (one,) = status(archive).targets
    return one


@pytest.fixture
def filled(calm: Sandbox, azure_env: dict[str, str]) -> WorkspaceFile:
    """Some trees of runs."""
    source = calm.add_workspace()
    sample(calm.folder, source.workspace_name, Wanted(runs=24, experiments=2, series=2, points=4, artifacts=2))
    return source


def test_parts_of_one_migration(calm: Sandbox, filled: WorkspaceFile, tmp_path: Path) -> None:
    """Overlapping; one of them was killed in the middle of its replay, and its machine is gone."""
    target, whole, one, two = calm.add_workspace(), *(tmp_path / name for name in ("whole", "one", "two"))
    asyncio.run(extracted(filled, whole))
    with Archive.open(whole, write=False) as archive:
        units = [*archive.units()]
        runs = sum(1 for _ in archive.listing())
    assert len(units) >= 4
    half = len(units) // 2
    asyncio.run(migrated(filled, target, one, selection=chosen(units[: half + 1])))
    cut = DiesAt(2, delivered=True, where=rf"metric/v2\.0/.*/{target.workspace_name}/")
    with pytest.raises(PowerCut):
        asyncio.run(migrated(filled, target, two, selection=chosen(units[half:]), cut=cut))
    before = root_of(whole)

    rehearsed = json.loads(merge(one, two, "--dry-run", "--json"))
    told = json.loads(merge(one, two, "--json"))

    assert told == rehearsed
    assert (told["renewed"], told["same"] > 0) == (0, True)
    assert root_of(one) == before
    assert at_target(one).extracted == runs
    assert 0 < at_target(one).left < runs
    done = asyncio.run(migrated(filled, target, one))
    assert (done.replayed.failed, done.verdict.exit, done.verdict.equal) == ((), 0, runs)
    assert at_target(one).left == 0

    # the other way round nothing is left to send: all that is missing is a look at all of it
    merge(two, one)
    calm.reset_requests()
    again = asyncio.run(migrated(filled, target, two))

    assert root_of(two) == before
    assert calm.requests()["writes"] == 0
    assert (again.replayed.runs, again.replayed.points, again.replayed.files) == (0, 0, 0)
    assert (again.verdict.exit, again.verdict.equal) == (0, runs)


def test_two_halves_that_both_were_proven(calm: Sandbox, filled: WorkspaceFile, tmp_path: Path) -> None:
    """What each compared counts; open is only whether anything stands below a run that nobody sent."""
    target, one, two = calm.add_workspace(), tmp_path / "one", tmp_path / "two"
    asyncio.run(extracted(filled, tmp_path / "whole"))
    with Archive.open(tmp_path / "whole", write=False) as archive:
        units = [*archive.units()]
    for folder, some in ((one, units[::2]), (two, units[1::2])):
        asyncio.run(migrated(filled, target, folder, selection=chosen(some)))

    said = merge(one, two)

    assert said.startswith("1 archive merged: ")
    known = at_target(one)
    assert (known.left, known.verified, known.differing) == (0, known.extracted, 0)
    assert (known.verdict.not_compared, known.verdict.experiments_not_compared > 0) == (0, True)
    calm.reset_requests()
    verdict = asyncio.run(judged(target, one))
    assert (verdict.exit, verdict.proves) == (0, True)
    again = asyncio.run(migrated(filled, target, one))
    assert calm.requests()["writes"] == 0
    assert (again.verdict.exit, again.replayed.runs) == (0, 0)
    assert root_of(one) == root_of(tmp_path / "whole")
    assert json.loads(merge(one, two, "--json"))["receipts"] == 0
    with Archive.open(one, write=False) as archive:
        assert archive.sessions()[-1].command == "merge"
        assert status(archive).last_command.command == "merge"  # type: ignore[union-attr]
        assert workspace_config(str(target.path)).ref in archive.targets()


def chosen(units: list[RunId]) -> Selection:
    return Selection(include=tuple(units))
