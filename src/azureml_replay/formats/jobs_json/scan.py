"""Reads the entries of a jobs.json one at a time: the file may be larger than memory."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from azureml_replay.disk.inputs import refuse_irregular
from azureml_replay.errors import UserError
from azureml_replay.formats.jobs_json import shapes
from azureml_replay.formats.jobs_json.entry import Record

READ_BYTES = 1 << 20
LIST = "the list of jobs that extract_jobs writes"
EXPECTED = f"expected {LIST}"


def scan(path: Path) -> Iterator[tuple[int, int, Record]]:
    """Offset, length (in bytes) and content of each entry. Numbers may be NaN and Infinity.

    Raises UserError, one line, for a file that cannot be read, is not JSON, or is no list of named objects.
    """
    refuse_irregular(path, LIST)
    try:
        with path.open("rb") as file:
            yield from _Scan(path, file).entries()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file: python -m extractor.extract_jobs writes it") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: {EXPECTED}") from None
    except RecursionError:
        raise UserError(f"{path} is nested too deeply: {EXPECTED}") from None


def entry_at(path: Path, offset: int, length: int) -> Record:
    """One entry, read again. Raises UserError where the file has changed since."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            found = json.loads(file.read(length))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} changed while it was read: run the same command again") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} changed while it was read: run the same command again")
    return found


class _Scan:
    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path, self._file = path, file
        self._text, self._offset, self._line, self._ended = "", 0, 1, False
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._size = READ_BYTES

    def entries(self) -> Iterator[tuple[int, int, Record]]:
        self._skip("\ufeff")
        if self._next() != "[":
            raise self._wrong(f"{EXPECTED}, which begins with [" if self._text else f"it is empty: {EXPECTED}")
        self._skip("[")
        number = 0
        while (char := self._next()) != "]":
            if number and char != ",":
                raise self._wrong("a comma or ] is missing, or the file is cut off")
            if number:
                self._skip(",")
                self._next()
            number += 1
            yield self._entry(number)
        self._skip("]")
        if self._next():
            raise self._wrong("there is more after the end of the list")

    def _entry(self, number: int) -> tuple[int, int, Record]:
        value, end = self._value()
        if not isinstance(value, dict):
            raise self._wrong(f"entry {number} is no object: {EXPECTED}")
        if not isinstance(value.get("name"), str) or not value["name"]:
            raise self._wrong(f"entry {number} has no name: {EXPECTED}")
        if why := shapes.wrong(value):
            raise UserError(f"{self._path}: job {value['name']}, {why}")
        offset = self._offset
        return offset, self._consume(end), value

    def _value(self) -> tuple[object, int]:
        """The value that begins here and its length; more is read until it is whole, each time twice as much."""
        while True:
            try:
                value, end = json.JSONDecoder().raw_decode(self._text)
            except json.JSONDecodeError as error:
                if not self._more():
                    self._line += error.lineno - 1
                    raise self._wrong(f"not JSON, or cut off: {error.msg}") from None
                self._size *= 2
            except ValueError:  # Python reads no number of more than 4,300 digits
                raise self._wrong("a number has too many digits") from None
            else:
                self._size = READ_BYTES
                return value, end

    def _next(self) -> str:
        """The next character that is no white space; empty at the end of the file."""
        while True:
            blank = len(self._text) - len(self._text.lstrip(" \t\r\n"))
            self._consume(blank)
            if self._text:
                return self._text[0]
            if not self._more():
                return ""

    def _skip(self, char: str) -> None:
        if self._next() == char:
            self._consume(1)

    def _more(self) -> bool:
        if self._ended:
            return False
        data = self._file.read(self._size)
        self._ended = not data
        self._text += self._decode(data, final=self._ended)
        return not self._ended

    def _consume(self, count: int) -> int:
        """Drop characters from the buffer; the bytes that they take."""
        taken, self._text = self._text[:count], self._text[count:]
        size = len(taken.encode())
        self._offset += size
        self._line += taken.count("\n")
        return size

    def _wrong(self, why: str) -> UserError:
        return UserError(f"{self._path}, line {self._line}: {why}")
