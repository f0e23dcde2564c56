"""Changes that no list shows: runs that are gone, and files that were written again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.extraction.changes import Recheck
from azureml_replay.model import Artifact, Location, Run, RunDetails, RunId, StoredFile
from azureml_replay.progress import SILENT

HERE, GONE, LATE = RunId("here"), RunId("gone"), RunId("late")
PLACE = Location("artifacts", "here/outputs/a.txt")
STORED = StoredFile(location=PLACE, size_bytes=3, etag="first")


class Known:
    """A source that knows some runs."""

    def __init__(self, *runs: RunId) -> None:
        self.runs = runs
        self.asked: list[RunId] = []

    async def details(self, runs: Sequence[RunId]) -> Mapping[RunId, RunDetails]:
        self.asked += runs
        return {
            run: RunDetails(run=Run(id=run, experiment="e", status="Completed")) for run in runs if run in self.runs
        }

    def place(self, run: RunId, path: str) -> Location:
        return Location("artifacts", f"{run}/{path}")


class Listed:
    """The storage's listing of every run."""

    def __init__(self, *files: StoredFile) -> None:
        self.files = files

    async def stored(self, run: RunId) -> AsyncIterator[Artifact]:
        for file in self.files:
            if file.location.path.startswith(f"{run}/"):
                yield Artifact(path="outputs/a.txt", location=file.location, indexed=False, stored=file)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Three runs at rest; one of them has a file."""
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        runs = [Run(id=name, experiment="e", status="Completed") for name in (HERE, GONE, LATE)]
        archive.put_listed(runs)
        archive.arrange()
        archive.select([run.id for run in runs])
        for run in runs:
            archive.begin(run.id)
            archive.put_details(RunDetails(run=run))
            if run.id == HERE:
                archive.put_artifacts(
                    HERE, [Artifact(path="outputs/a.txt", location=PLACE, indexed=True, stored=STORED)]
                )
            archive.complete(run.id)
        yield archive


@pytest.mark.parametrize(
    ("there", "again"),
    [
        ([STORED], []),
        ([replace(STORED, etag="second")], [HERE]),
        ([], [HERE]),
        ([STORED, replace(STORED, location=Location("artifacts", "late/outputs/b.txt"))], [LATE]),
        ([replace(STORED, location=Location("artifacts", "here/outputs/b.txt"))], [HERE]),
    ],
    ids=["the same", "written again", "removed", "a new one", "moved"],
)
async def test_a_file_that_is_another_brings_its_run_again(
    archive: Archive, there: list[StoredFile], again: list[RunId]
) -> None:
    """By place and ETag: the size may be the same."""
    await Recheck(Known(), archive, SILENT).files(Listed(*there))  # type: ignore[arg-type]

    assert [run for run in (HERE, GONE, LATE) if not archive.is_at_rest(run)] == again


async def test_runs_that_no_list_names_are_asked_for_by_themselves(archive: Archive) -> None:
    """One that the source still knows is not gone; one that it does not know is an omission, and stays here."""
    archive.begin_listing()
    archive.put_listed([Run(id=HERE, experiment="e", status="Completed")])
    source = Known(HERE, LATE)

    gone = await Recheck(source, archive, SILENT).disappeared()  # type: ignore[arg-type]

    assert (sorted(source.asked), gone) == ([GONE, LATE], {GONE})
    assert [one.run for one in archive.omissions() if one.what == "run"] == [GONE]
    assert archive.run(GONE) is not None
