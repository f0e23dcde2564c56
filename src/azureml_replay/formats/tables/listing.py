"""Lines with the verdict on each item -> a file, as they come: CSV, a JSON array, or an object a line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import IO

from azureml_replay import json_text
from azureml_replay.disk.outputs import new_text
from azureml_replay.errors import UserError
from azureml_replay.verification.each import DIFFER, ItemLine

Put = Callable[[ItemLine], None]


def check_suffix(flag: str, path: Path) -> None:
    """Raise UserError for a file whose name does not say in which form it is to be."""
    if path.suffix.lower() not in _FORMS:
        raise UserError(f"{flag} {path}: name a file that ends in {', '.join(_FORMS)}: standard output has the verdict")


def write_lines(lines: Iterable[ItemLine], *, combined: Path | None, differ: Path | None) -> None:
    """Every line into `combined`, what differs, lacks or is not compared into `differ`. The files appear when whole.

    Raises UserError where one cannot be written.
    """
    with ExitStack() as stack:
        everything = stack.enter_context(_file(combined)) if combined else None
        some = stack.enter_context(_file(differ)) if differ else None
        for line in lines:
            if everything:
                everything(line)
            if some and line.verdict in DIFFER:
                some(line)


@contextmanager
def _file(path: Path) -> Iterator[Put]:
    with new_text(path, errors="backslashreplace") as file, _FORMS[path.suffix.lower()](file) as put:
        yield put


@contextmanager
def _csv(file: IO[str]) -> Iterator[Put]:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(field.name for field in fields(ItemLine))
    yield lambda line: writer.writerow(astuple(line))


@contextmanager
def _array(file: IO[str]) -> Iterator[Put]:
    before = iter(("[\n",))

    def put(line: ItemLine) -> None:
        file.write(next(before, ",\n") + _object(line))

    yield put
    file.write(f"{next(before, '')}\n]\n")


@contextmanager
def _lines(file: IO[str]) -> Iterator[Put]:
    def put(line: ItemLine) -> None:
        file.write(_object(line) + "\n")

    yield put


def _object(line: ItemLine) -> str:
    return json_text.dumps(asdict(line)).decode().strip()


_FORMS = {".csv": _csv, ".json": _array, ".jsonl": _lines}
