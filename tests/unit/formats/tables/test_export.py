"""Tables of odd values: what JSON writers stumble over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.cli import run
from azureml_replay.formats.tables import Format, export
from azureml_replay.model import Run, RunDetails, RunId

BROKEN = {"big": [2**70], "broken": "\ud800", "broken too": "a \udfff b", "emoji": "🚀"}


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """An archive of a run with a whole number beyond 64 bits, and texts that are no Unicode."""
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        archive.put_listed([Run(id=RunId("r1"), parameters=BROKEN)])
        archive.select([RunId("r1")])
        archive.begin(RunId("r1"))
        archive.put_details(RunDetails(run=Run(id=RunId("r1"), parameters=BROKEN)))
        archive.complete(RunId("r1"))
    return tmp_path / "archive"


def test_whole_numbers_of_any_size_and_broken_texts_are_exported(odd: Path, tmp_path: Path) -> None:
    """An archive holds both exactly, so its tables do."""
    with Archive.open(odd, write=False) as archive:
        done = export(archive, tmp_path / "tables", Format.JSONL)

    lines = (tmp_path / "tables" / "parameters.jsonl").read_text().splitlines()
    assert (done.rows["parameters"], done.escaped) == (4, 0)
    assert {row["key"]: row["value"] for row in map(json.loads, lines)} == BROKEN | {"big": f"[{2**70}]"}


def test_parquet_escapes_what_utf_8_cannot_hold_and_says_so(
    odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every row is there, and no other text is touched."""
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.chdir(tmp_path)

    assert run(["export", str(odd), "--format", "parquet", "--output", "tables"]) == 0

    rows = parquet.read_table(tmp_path / "tables" / "parameters.parquet").to_pylist()
    assert {row["key"]: row["value"] for row in rows} == {
        "big": f"[{2**70}]",
        "broken": r"\ud800",
        "broken too": r"a \udfff b",
        "emoji": "🚀",
    }
    assert "cannot hold it: 2" in capsys.readouterr().out
