"""A run's writes go down together, and none of them where one fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.extraction.staging import RUNS_TOGETHER, FinishedRuns, Staging
from azureml_replay.model import Omission, Run, RunDetails, RunId

ONE = Run(id=RunId("a"), experiment="e", status="Completed")


def test_nothing_of_a_run_is_written_before_all_of_it_can_be(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        archive.put_listed([ONE])
        archive.arrange()
        archive.select([ONE.id])
        staging = Staging.of(archive, RunDetails(run=ONE, definition={"new": True}))
        staging.omit(Omission(ONE.id, "files", "left out"))
        staging.add(lambda: archive.complete(ONE.id))
        assert archive.generation(ONE.id) == 0

        failing = Staging.of(archive, RunDetails(run=ONE, definition={"broken": True}))
        failing.add(lambda: archive.complete(RunId("nobody")))
        with pytest.raises(LookupError):
            failing.flush()
        assert [one.definition for one in [archive.details(ONE.id)] if one] == []

        staging.flush()
        found = archive.details(ONE.id)
        assert found is not None
        assert found.definition == {"new": True}
        assert archive.lacks(ONE.id, "left out")
        staging.flush()
        assert archive.generation(ONE.id) == 1


def staged(archive: Archive, number: int, *, rows: int = 0) -> Staging:
    """A run of which only its end lacks."""
    run = Run(id=RunId(f"r{number}"), experiment="e", status="Completed")
    archive.put_listed([run])
    archive.select([run.id])
    staging = Staging.of(archive, RunDetails(run=run))
    staging.points = rows
    staging.add(lambda: archive.complete(run.id))
    return staging


def extracted(archive: Archive) -> list[str]:
    return sorted(archive.extracted_ids())


def test_finished_runs_are_written_together_and_counted_once_they_are_there(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        seen: list[tuple[str, int]] = []
        finished = FinishedRuns(archive, lambda one: seen.append((one.run, archive.generation(one.run))), RUNS_TOGETHER)
        runs = [staged(archive, at) for at in range(RUNS_TOGETHER + 2)]

        for one in runs[:-2]:
            assert (extracted(archive), seen) == ([], [])
            finished.add(one)
        assert len(extracted(archive)) == RUNS_TOGETHER
        assert seen == [(one.run, 1) for one in runs[:-2]]

        for one in runs[-2:]:
            finished.add(one)
        assert len(extracted(archive)) == RUNS_TOGETHER
        finished.flush()
        finished.flush()
        assert seen == [(one.run, 1) for one in runs]


@pytest.mark.parametrize("rows", [0, 10_001])
def test_a_large_run_does_not_wait_for_others(tmp_path: Path, rows: int) -> None:
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        finished, small, large = (
            FinishedRuns(archive, lambda _: None, RUNS_TOGETHER),
            staged(archive, 1),
            staged(archive, 2, rows=rows),
        )
        if not rows:
            large.flush()
        finished.add(small)
        assert "r1" not in extracted(archive)
        finished.add(large)
        assert extracted(archive) == ["r1", "r2"]


def test_where_one_fails_none_is_written_and_none_counted(tmp_path: Path) -> None:
    """What fails is the archive itself: the disk is full."""
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        seen = list[str]()
        broken = staged(archive, 2)
        finished = FinishedRuns(archive, lambda one: seen.append(one.run), RUNS_TOGETHER)
        broken.add(lambda: archive.complete(RunId("nobody")))
        finished.add(staged(archive, 1))
        finished.add(broken)
        with pytest.raises(LookupError):
            finished.flush()
        finished.flush()

        assert (extracted(archive), seen) == ([], [])


def test_a_run_that_took_requests_is_written_as_soon_as_it_is_there(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        finished = FinishedRuns(archive, lambda _: None)
        finished.add(staged(archive, 1))

        assert extracted(archive) == ["r1"]
