"""Runs in the order of their start, page by page, while somebody else writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.timeline import Span
from azureml_replay.azure.place import azure_place
from azureml_replay.instants import Instant
from azureml_replay.model import Run, RunId
from report.archives import put as extracted

SOURCE = azure_place("sub", "group", "source")


def put(archive: Archive, *runs: Run) -> None:
    """As extract leaves them, without files."""
    extracted(archive, runs, files=())


def a_run(name: str, start: int | None, experiment: str = "one", **more: object) -> Run:
    began = None if start is None else Instant(start)
    fields = {"id": RunId(name), "experiment": experiment, "start": began, "created": Instant(5)}
    return Run(**(fields | {"status": "Completed"} | more))  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five runs of two experiments: two begin together, one never began, one is hidden, one cannot be read quickly."""
    with Archive.create(tmp_path / "history", SOURCE) as archive:
        put(
            archive,
            a_run("b", 30),
            a_run("a", 30),
            a_run("never", None),
            a_run("hidden", 99, hidden=True),
            a_run("other", 40, "two", tags={"half": "\ud800", 'x"start":"y': '"start":"1999-01-01T00:00:00Z"'}),
        )
    return tmp_path / "history"


@pytest.fixture
def archive(folder: Path) -> Iterator[Archive]:
    """Opened to be read."""
    with Archive.open(folder, write=False) as opened:
        assert opened.renew_timeline() == 5
        yield opened


def test_pages_hold_every_run_once_in_order(archive: Archive) -> None:
    """Both ways; runs that began together by their ids, and one that never began where it was created."""
    for newest_first, names in ((True, ["other", "a", "b", "never"]), (False, ["never", "a", "b", "other"])):
        found, after = [], None
        while page := archive.timeline(["one", "two"], hidden=[False], newest_first=newest_first, after=after, most=2):
            found += [place.run for place in page]
            after = page[-1].at, page[-1].run
        assert found == names


def test_without_a_limit_there_are_all(archive: Archive) -> None:
    """The last one too; hidden ones where they are wanted."""
    shown = archive.timeline(["one", "two"], hidden=[False])
    every = archive.timeline(["one"], hidden=[False, True])

    assert [place.run for place in shown] == ["other", "a", "b", "never"]
    assert [place.run for place in every] == ["hidden", "a", "b", "never"]


def test_an_experiment_at_a_glance(archive: Archive) -> None:
    assert list(archive.spans()) == [Span("one", 5, 99, 4), Span("two", 40, 40, 1)]


def test_what_another_connection_writes_is_taken_in(folder: Path, archive: Archive) -> None:
    """New runs, and runs whose content is another one now; nothing where nothing changed."""
    before, changes = archive.begun(RunId("a")), archive.changes()
    assert (archive.renew_timeline(), archive.changes()) == (0, changes)

    with Archive.open(folder) as writing:
        put(writing, a_run("a", 70), a_run("new", 60))

    assert archive.changes() != changes
    assert archive.renew_timeline() == 2
    assert [place.run for place in archive.timeline(["one"], hidden=[False])] == ["a", "new", "b", "never"]
    assert archive.begun(RunId("a")) != before
    assert archive.begun(RunId("nobody")) is None
