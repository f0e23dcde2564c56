"""The roots as a stranger reckons them, with sqlite3 and hashlib alone, from what docs/concepts/archive-format.md says.

Nothing of the product is used beyond writing the archive and asking `check` what it reckoned. Points are read by the
reader that stands in the document.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.checking import check
from old_archives import NUMBERS, unpacked
from unit.archive.full import full

DOCUMENT = (Path(__file__).parents[3] / "docs" / "concepts" / "archive-format.md").read_text()
ROOTS = DOCUMENT.partition("\n## Roots\n")[2].partition("\n## ")[0]


@pytest.fixture(params=["made", NUMBERS[-1]])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """One with a row in every table; and one as commands wrote it."""
    at = tmp_path / "archive"
    return full(at) if request.param == "made" else unpacked(request.param, at)


def test_the_roots_are_as_written_down(folder: Path) -> None:
    """Content and proof, line by line from the tables of the document."""
    with Archive.open(folder, write=False) as archive:
        found = check(archive)
        kept = archive.content_root()
    database = sqlite3.connect(folder / "archive.db")
    content, proof = documented()

    assert found.damages == ()
    assert root(lines(database, content, None)) == found.content.reckoned == kept
    for (number,), one in zip(database.execute("select id from target order by id"), found.proofs, strict=True):
        assert root(lines(database, proof, number)) == one.root.reckoned == one.root.kept


def test_the_digests_of_runs_are_as_written_down(folder: Path) -> None:
    """All five of each."""
    Archive.open(folder).close()
    database = sqlite3.connect(folder / "archive.db")
    database.row_factory = sqlite3.Row

    runs = database.execute("select id, generation, content_digest from run").fetchall()

    assert len(runs) > 1
    for run, generation, told in runs:
        parts = (documents, series, files, omissions, moments)
        assert b"".join(blake("".join(part(database, run, generation)).encode()) for part in parts) == told


def documented() -> tuple[dict[str, str], dict[str, str]]:
    """The cells of a line by table, of the content and of the proof."""
    content, _, proof = ROOTS.partition("The proof root of a target is of its rows of")
    rows = (re.findall(r"^\| ([a-z_]+) \| (.*) \| .*\|$", half, re.MULTILINE) for half in (content, proof))
    return dict(next(rows)), dict(next(rows))


def lines(database: sqlite3.Connection, tables: dict[str, str], target: int | None) -> Iterator[str]:
    only = {"omission": "origin in ('job', 'experiment', 'workspace')", "content": "sha256 is not null"}
    for table, told in tables.items():
        names = [re.sub(r"the first (\d+) bytes of (\w+)", r"substr(\2, 1, \1)", name) for name in told.split(", ")]
        where = only.get(table, "1") if target is None else f"{'id' if table == 'target' else 'target'} = {target}"
        plain = ", ".join(name.rstrip("{}~") if "(" not in name else name for name in names)
        for row in database.execute(f"select {plain} from {table} where {where}"):  # noqa: S608  # of our document
            yield written([table, *(cell(value, name) for value, name in zip(row, names, strict=True))])


def cell(value: Any, name: str) -> Any:
    if value is None:
        return None
    if name.endswith("{}"):
        return {"json": exact(json.loads(value))}
    if name.endswith("~"):
        return {"json": exact(json.loads(zlib.decompress(value)))}
    return {"bytes": value.hex()} if isinstance(value, bytes) else value


def exact(value: Any) -> Any:
    if isinstance(value, float):
        return {"float": struct.pack(">d", value).hex()}
    if isinstance(value, list):
        return [exact(one) for one in value]
    if isinstance(value, dict):
        inner = {key: exact(one) for key, one in value.items()}
        return {"object": inner} if list(inner) in (["float"], ["object"]) else inner
    return value


def written(line: list[Any]) -> str:
    return json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def root(of: Iterator[str]) -> str:
    total = sum(int.from_bytes(hashlib.shake_256(line.encode()).digest(256), "little") for line in of) % 2**2048
    return blake(total.to_bytes(256, "little")).hex()


def blake(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()


def rows(database: sqlite3.Connection, table: str, run: str, generation: int, rest: str = "") -> list[sqlite3.Row]:
    asked = f"select * from {table} where run = ? and generation = ? {rest}"  # noqa: S608  # our own words
    return database.execute(asked, (run, generation)).fetchall()


def cells(row: sqlite3.Row, names: str) -> list[Any]:
    return [cell(row[name.rstrip("{}~")], name) for name in names.split(", ")]


def documents(database: sqlite3.Connection, run: str, generation: int) -> Iterator[str]:
    for row in rows(database, "run_version", run, generation):
        yield written(["run_version", *cells(row, "unknown{}, record~, record_bytes")]) + "\n"


def series(database: sqlite3.Connection, run: str, generation: int) -> Iterator[str]:
    names = "name, namespace, columns{}, ux_type, schema_id, rows, more{}, unknown{}, longest_text"
    found = rows(database, "series", run, generation)
    for row in sorted(found, key=lambda row: (row["name"], row["namespace"] or "", row["number"])):
        points = {"bytes": points_digest(database, run, generation, row["number"]).hex()}
        yield written(["series", *cells(row, names), points]) + "\n"


def points_digest(database: sqlite3.Connection, run: str, generation: int, number: int) -> bytes:
    (code,) = re.findall("```python\n(.*?)```", DOCUMENT, re.DOTALL)
    reader: dict[str, Any] = {}
    exec(code, reader)  # noqa: S102  # our own document
    columns: list[list[Any]] = []
    for chunk in rows(database, "chunk", run, generation, "order by seq"):
        body = reader["Body"](zlib.decompress(chunk["data"][1:]))
        pieces = list(zip(body.ints(), body.ints(), body.ints(), strict=True))
        steps, times, values = (iter(list(body.column())) for _ in range(3))
        for whose, count, width in pieces:
            piece = [[next(steps) for _ in range(count)], [next(times) for _ in range(count)]]
            piece += [[next(values) for _ in range(count)] for _ in range(width)]
            if whose == number:
                columns = [one + more for one, more in zip(columns or [[]] * len(piece), piece, strict=True)]
    kinds_and_values = [(bytes(map(kind, column)), b"".join(map(plain, column))) for column in columns]
    return blake(b"".join(blake(part) for pair in kinds_and_values for part in pair))


def kind(value: Any) -> int:
    if isinstance(value, bool) or value is None:
        return {None: 0, False: 1, True: 2}[value]
    if isinstance(value, int):
        return 4 if -(2**63) <= value < 2**63 else 5
    return 3 if isinstance(value, float) else 6


def plain(value: Any) -> bytes:
    text = value.encode() if isinstance(value, str) else f"{value:x}".encode() if kind(value) == 5 else b""
    return {
        3: lambda: struct.pack("<d", value),
        4: lambda: struct.pack("<q", value),
        5: lambda: struct.pack("<Q", len(text)) + text,
        6: lambda: struct.pack("<Q", len(text)) + text,
    }.get(kind(value), lambda: b"")()


def files(database: sqlite3.Connection, run: str, generation: int) -> Iterator[str]:
    names = (
        "path, datastore, location, indexed, size_bytes, md5, etag, content_type, "
        "more{}, unknown{}, metadata{}, stored_unknown{}"
    )
    for row in rows(database, "artifact", run, generation, "order by path, datastore, location"):
        kind = [row["blob_type"]] if row["blob_type"] else []
        yield written(["artifact", *cells(row, names), *kind]) + "\n"


def omissions(database: sqlite3.Connection, run: str, generation: int) -> Iterator[str]:
    only = "and origin in ('extract', 'document') order by origin, what, reason"
    for row in rows(database, "omission", run, generation, only):
        yield written(["omission", *cells(row, "origin, what, reason")]) + "\n"


def moments(database: sqlite3.Connection, run: str, generation: int) -> Iterator[str]:
    for row in rows(database, "artifact", run, generation, "and gone is not null order by path, datastore, location"):
        yield written(["gone", *cells(row, "path, datastore, location, gone")]) + "\n"
