"""The tables are as released and as written down; the documented reader reads what we write."""

from __future__ import annotations

import hashlib
import math
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive import schema
from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.model import Points, Run, RunDetails, RunId, Series, SeriesKey

DOCUMENT = (Path(__file__).parents[3] / "docs" / "concepts" / "archive-format.md").read_text()
RELEASED: list[str] = [
    "9611e7e531d0d104",
    "1656e0764db1706e",
    "c65ecc234c4b1a4c",
    "f6fc41197cecefa0",
    "50c4c526910f019f",
    "4dd354a8e3c3d3b4",
    "48558f3fa670f583",
    "a00e16b0cba0911f",
    "b5cf6b71509fe303",
    "33462151529fbd78",
    "fc0d03d2e3efb221",
    "a72f3225830d8cc4",
    "d89078535441d663",
    "d554e2459892e4f6",
    "fe60026836865aea",
    "eac1c5d12d79bb68",
    "28ed7edbc98bbd05",
    "558bc6d7e39a8608",
    "2cc394d85ec7af18",
    "a5fbdaec7a8da89b",
    "76c44d62b7ca1cae",
    "bf4ceb3d9e921201",
]
"""Digest of every migration, without comments and spaces. A released one never changes: append another."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    one = Series(key=SeriesKey("loss"), columns=(("a", "Double"), ("b", "String")))
    other = Series(key=SeriesKey("other"), columns=(("c", "Int"),))
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        run = Run(id=RunId("r1"), properties={"kept": "True"})
        archive.put_listed([run])
        archive.select([run.id])
        archive.begin(run.id)
        archive.put_details(RunDetails(run=run))
        archive.put_chunk(
            RunId("r1"), [Points.of(other, [(0, 5, (2**63 - 1,)), (1, 6, (-(2**63),))]), Points.of(one, ROWS)]
        )
        archive.put_chunk(RunId("r1"), [Points.of(one, ROWS[:1])])
        archive.complete(RunId("r1"))
    return tmp_path / "archive"


ROWS: list[Any] = [
    (None, 17_000_000_000_000_001, (0.1, "é")),
    (2, 16_000_000_000_000_000, (-math.inf, None)),
    (2, 16_000_000_000_000_000, (2**70, "")),
]


def test_released_migrations_never_change() -> None:
    plain = ["".join(re.sub("--.*", "", migration).split()) for migration in schema.MIGRATIONS]

    assert [hashlib.sha256(text.encode()).hexdigest()[:16] for text in plain] == RELEASED


def test_every_table_and_column_is_documented(folder: Path) -> None:
    documented = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", DOCUMENT, re.MULTILINE))
    database = sqlite3.connect(folder / "archive.db")
    tables = [name for (name,) in database.execute("select name from sqlite_schema where type = 'table'")]
    real = {}
    for table in tables:
        columns = database.execute(f"pragma table_info({table})").fetchall()
        real[table] = ", ".join(f"{name}{'' if strict or key else '?'}" for _, name, _, strict, _, key in columns)

    assert documented == real


def test_a_new_archive_has_a_receipt_of_every_migration(folder: Path) -> None:
    database = sqlite3.connect(folder / "archive.db")

    assert database.execute("select number from migration").fetchall() == [(at + 1,) for at in range(len(RELEASED))]
    assert database.execute("select format_version from archive").fetchone() == (schema.FORMAT_VERSION,)
    with pytest.raises(sqlite3.IntegrityError):
        database.execute("insert into archive select 2, format_version, '', '', '', '', '', 2 from archive")


def test_the_documented_reader_reads_what_we_write(folder: Path) -> None:
    (code,) = re.findall("```python\n(.*?)```", DOCUMENT, re.DOTALL)
    reader: dict[str, Any] = {}
    exec(code, reader)  # noqa: S102  # our own document

    assert list(reader["points"](folder, "r1", "loss")) == [*ROWS, ROWS[0]]
    assert list(reader["points"](folder, "r1", "other")) == [(0, 5, (2**63 - 1,)), (1, 6, (-(2**63),))]


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="needs the sqlite3 shell")
def test_the_documented_shell_lines_work(folder: Path) -> None:
    lines = re.findall(r'^sqlite3 archive\.db "(.*)"$', DOCUMENT, re.MULTILINE)

    told = [
        subprocess.run(["sqlite3", folder / "archive.db", sql], capture_output=True, text=True, check=True)
        for sql in lines
    ]

    assert len(told) == 3
    assert told[0].stdout == "||1\n"
    assert told[2].stdout == '{"kept":"True"}\n'
