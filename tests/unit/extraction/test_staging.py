"""A run's writes go down together, and none of them where one fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.extraction.staging import Staging
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
