"""The original document's troubleshooting table: each symptom tells its cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.imports import Imported
from azureml_replay.azure.place import azure_place
from azureml_replay.cli.legacy import archive_beside, refuse_imported, was_extracted
from azureml_replay.errors import UserError
from azureml_replay.formats.jobs_json.symptoms import (
    SLOW_AFTER_S,
    FileLists,
    Watched,
    empty_outputs,
    long_replay,
    missing_jobs,
    missing_logs,
    several_entries,
)
from azureml_replay.progress import SILENT
from azureml_replay.selection import Selection


class Heard:
    """A progress that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    expect, done = SILENT.expect, SILENT.done

    def say(self, text: str) -> None:
        self.said.append(text)


def test_empty_outputs_name_what_was_skipped() -> None:
    skipped, none = FileLists(5, 2, 0, 0), FileLists(5, 0, 3, 0)

    assert "no list of files for 2 of 5 jobs" in next(empty_outputs(skipped))
    assert "--no-artifacts" in next(empty_outputs(skipped))
    assert "no files in the source for 3 of 5 jobs" in next(empty_outputs(none))
    assert not [*empty_outputs(FileLists(5, 0, 0, 0))]


def test_missing_logs_say_whether_the_source_has_them() -> None:
    assert next(missing_logs(FileLists(5, 0, 0, 4))) == "files, but no logs in the source for 4 of 5 jobs"
    assert not [*missing_logs(FileLists(5, 0, 0, 0))]


def test_missing_jobs_name_the_flags() -> None:
    named = Selection(include=("a",), limit=1)

    assert [*missing_jobs(9, 1, 0, named)] == [
        "the file holds 1 of 9 top-level jobs: --include and --limit left the others out"
    ]
    assert "still active" in (active := next(missing_jobs(9, 9, 2, Selection())))
    assert "--include-active" in active, "a flag that extract_jobs has"
    assert not [*missing_jobs(9, 9, 0, Selection(limit=9))]


def test_a_long_replay_names_its_files() -> None:
    assert "12 files with 2.5 GB" in next(long_replay(12, 2_500_000_000))
    assert not [*long_replay(10**6, 999_999_999)]


def test_slowness_is_explained_once_and_not_too_early() -> None:
    now = iter([0.0, SLOW_AFTER_S, SLOW_AFTER_S + 1, SLOW_AFTER_S + 2])
    heard = Heard()
    watched = Watched(heard, "use --parallel", clock=lambda: next(now))

    for expected in ([], ["use --parallel"], ["use --parallel"]):
        watched.done("runs")
        assert heard.said == expected


def test_an_imported_archive_is_not_taken_for_an_extracted_one(tmp_path: Path) -> None:
    """It would look complete, and never be filled."""
    folder = archive_beside(tmp_path / "jobs.json")
    refuse_imported(folder)
    assert not was_extracted(folder)
    with Archive.create(folder, azure_place("s", "g", "w")) as archive:
        assert was_extracted(folder)
        archive.mark_imported(Imported("old/jobs.json", b"", files=False))

    assert not was_extracted(folder)
    with pytest.raises(UserError, match=r"was made from old/jobs\.json"):
        refuse_imported(folder)


def test_jobs_with_several_entries_are_named_and_the_many_counted() -> None:
    assert list(several_entries(["a"])) == ["job a has several entries: the last one counts"]
    assert list(several_entries([f"j{n}" for n in range(25)]))[-1] == "and 5 more jobs with several entries"
    assert list(several_entries([])) == []
