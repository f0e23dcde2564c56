"""Tables of odd values: what JSON writers stumble over."""

from __future__ import annotations

import json
from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.export import Format, export
from azureml_replay.model import Run, RunId, WorkspaceRef


def test_whole_numbers_of_any_size_and_broken_texts_are_exported(tmp_path: Path) -> None:
    """An archive holds both exactly, so its tables do."""
    with Archive.create(tmp_path / "archive", WorkspaceRef("sub", "group", "source")) as archive:
        archive.put_listed([Run(id=RunId("r1"), parameters={"big": [2**70], "broken": "\ud800"})])
        archive.select([RunId("r1")])
        archive.begin(RunId("r1"))
        archive.complete(RunId("r1"))

        done = export(archive, tmp_path / "tables", Format.JSONL)

    lines = (tmp_path / "tables" / "parameters.jsonl").read_text().splitlines()
    assert done.rows["parameters"] == 2
    assert {row["key"]: row["value"] for row in map(json.loads, lines)} == {"big": f"[{2**70}]", "broken": "\ud800"}
