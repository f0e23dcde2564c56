"""Reads tables among a run's files, where the archive holds their bytes: CSV, TSV, what MLflow's `log_table` wrote."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from azureml_replay import json_text, redact
from azureml_replay.archive.archive import Archive
from azureml_replay.model import Artifact, Json
from azureml_replay.report_page.facts import FileTable

TABLES_SHOWN = 3
"""Of one run: the others are rows in the list of files."""
TABLE_BYTES = 200_000
"""Bytes of the largest file looked into."""
ROWS_SHOWN, COLUMNS_SHOWN, CELL_SHOWN = 50, 20, 200
"""Of one table; characters of one cell. A page lists files, it is no place to work in them."""
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


@dataclass(slots=True)
class FileTables:
    """Reads tables among the files of runs, as long as there is room."""

    archive: Archive
    room: int | None
    """Characters of tables that may still be given; None: any number."""

    def among(self, artifacts: Iterable[Artifact]) -> Iterator[FileTable]:
        """The first tables of one run."""
        left = TABLES_SHOWN
        for artifact in artifacts:
            if not left or (self.room is not None and self.room <= 0):
                return
            sheet = self._of(artifact)
            if sheet is not None:
                left -= 1
                if self.room is not None:
                    self.room -= sum(len(cell) for row in (sheet.columns, *sheet.rows) for cell in row)
                yield sheet

    def _of(self, artifact: Artifact) -> FileTable | None:
        path = artifact.path.lower()
        ending = path[path.rfind(".") :]
        if ending not in {*_DELIMITERS, ".json"} or artifact.stored is None:
            return None
        held = self.archive.held(artifact.stored)
        if held is None or held.size_bytes > TABLE_BYTES:
            return None
        data = b"".join(held.pieces())
        try:
            rows = _of_json(data) if ending == ".json" else list(_of_text(data, _DELIMITERS[ending]))
        except (ValueError, csv.Error):
            return None
        return _shown(artifact.path, rows) if len(rows) > 1 else None


def _of_text(data: bytes, delimiter: str) -> Iterator[list[str]]:
    """The lines that have cells. Raises ValueError where they are no text, csv.Error where they are no table."""
    lines = data.decode("utf-8-sig").splitlines(keepends=True)
    return (row for row in csv.reader(lines, delimiter=delimiter, strict=True) if row)


def _of_json(data: bytes) -> list[list[str]]:
    """MLflow's form: `columns` and `data`, a list of rows. Empty for any other document."""
    document = json_text.loads(data)
    if not isinstance(document, Mapping):
        return []
    columns, rows = document.get("columns"), document.get("data")
    if not isinstance(columns, list) or not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        return []
    return [[_cell(one) for one in row] for row in (columns, *rows)]


def _cell(value: Json) -> str:
    return value if isinstance(value, str) else json_text.compact(value)


def _shown(path: str, rows: list[list[str]]) -> FileTable | None:
    """The beginning, without secrets. None where rows have more cells than there are headings: that is no table."""
    columns = rows[0]
    if any(len(row) > len(columns) for row in rows):
        return None
    secret = [redact.names_secret(name) for name in columns]
    shown = range(min(len(columns), COLUMNS_SHOWN))

    def cells(row: list[str]) -> tuple[str, ...]:
        return tuple(_clean(row[at], secret=secret[at]) if at < len(row) else "" for at in shown)

    return FileTable(
        path=path,
        columns=tuple(_clean(columns[at], secret=False) for at in shown),
        rows=tuple(map(cells, islice(rows, 1, 1 + ROWS_SHOWN))),
        of=len(rows) - 1,
        of_columns=len(columns),
    )


def _clean(cell: str, *, secret: bool) -> str:
    if secret and cell:
        return redact.STARS
    text = redact.text(cell)
    return text if len(text) <= CELL_SHOWN else f"{text[:CELL_SHOWN]}…"
