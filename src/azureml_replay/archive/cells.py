"""What each column of the archive may hold, and the one place that looks: rows are checked as they are read.

What a column may hold is declared by the tables themselves (number, text, bytes, null) and, where that is not all, by
`_SHAPES`. A cell that holds anything else is damage, named by its table, column and row, so that nothing behind the
archive has to be ready for it. Checking takes 0.1 µs a cell; columns of JSON are parsed once for equal texts.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache, lru_cache
from typing import Any, NamedTuple

from azureml_replay.archive.schema import MIGRATIONS
from azureml_replay.archive.shapes import (
    NAMES,
    TEXTS,
    Shape,
    fields_of,
    is_number,
    is_object,
    is_stamp,
    is_text,
    list_of,
    maybe,
    object_of,
    row_of,
)
from azureml_replay.errors import IntegrityError
from azureml_replay.instants import Instant
from azureml_replay.json_text import loads_marked
from azureml_replay.workspace.asset import AssetKind, OutsideKind

_TYPES: Mapping[str, type] = {"integer": int, "text": str, "blob": bytes}
_TABLE = re.compile(r"\b(?:from|join|into|update)\s+(\w+)", re.IGNORECASE)
_DEEPEST = 1_000_000
"""Levels of a tree of runs; the page and the terminal indent by them."""
_MOMENTS = range(Instant.parse("0001-01-01T00:00:00").ticks, Instant.parse("9999-12-31T23:59:59").ticks)


class Column(NamedTuple):
    """What the cells of one column may hold."""

    table: str
    kinds: tuple[type, ...]
    shape: Shape | None


_Looked = tuple[int, tuple[type, ...], Shape | None, tuple[Column, ...]]


def _json(shape: Shape) -> Shape:
    @lru_cache(maxsize=1_000)
    def is_json(text: str) -> bool:
        try:
            return bool(shape(loads_marked(text)))
        except (ValueError, RecursionError):
            return False

    return is_json


def _at_least(lowest: int) -> Shape:
    return lambda number: bool(number >= lowest)


def _anything(_: object) -> bool:
    return True


_COUNT, _NAMES, _MORE, _METADATA = _at_least(0), _json(NAMES), _json(is_object), _json(TEXTS)
_COLUMNS = _json(list_of(row_of(is_text, is_text)))
_PART = fields_of(
    {"verb": is_text, "seconds": is_number, "counts": object_of(is_number)}, {"failed": object_of(is_text)}
)
_TRAFFIC = fields_of({"requests": is_number, "refused": is_number, "widths": list_of(row_of(is_number, is_number))})
_COUNTED = dict.fromkeys(
    ("generation", "number", "rows", "seq", "first_series", "last_series", "size_bytes", "differing", "longest_text"),
    _COUNT,
)
_STAMPS = ("created", "modified", "began", "ended", "command_log.at")
_ITEM_STATES, _RUN_STATES = frozenset({"sending", "sent", "refused"}), frozenset({"listed", "extracted"})
_WAYS = frozenset({"run", "job", "experiment", "home", "others", "asset"})
_ASPECTS = frozenset({"fields", "points", "files", "bytes", "children"})
_LOOKED = fields_of(
    {"against": is_text, "look": is_number, "at": _MOMENTS.__contains__, "counts": object_of(is_number)}
)
_SIZE = maybe(is_number)


def _is_choice(value: Any) -> bool:  # noqa: ANN401  # JSON as it was read
    """As a choice of files is written, which may hold further ones."""
    told = fields_of(
        {"artifacts": lambda one: isinstance(one, bool), "globs": NAMES},
        {"most_bytes": _SIZE, "budget": _SIZE, "others": list_of(_is_choice)},
    )
    return bool(told(value))


CARRIED = fields_of(
    {},
    {
        "files": _is_choice,
        "refused": object_of(list_of(is_object)),
        "names": list_of(is_text),
        "assets": list_of(is_object),
    },
)
"""What was to go into a target, as `Evidence.carry` notes it."""
_ASSETS = frozenset(kind.value for kind in AssetKind)
_OF_ASSETS = ("asset", "asset_container", "asset_ref", "asset_lack", "asset_file", "asset_receipt")
_PLACE = re.compile(r"https?://[^\s/?#]+[^\s#]*|[^/]+/[^/]+/[^/]+")
"""The name of a place: the address of a server, or three names. Another kind of workspace joins here."""
_SHAPES: Mapping[str, Shape] = {
    **_COUNTED,
    **dict.fromkeys(_STAMPS, is_stamp),
    **dict.fromkeys(("unknown", "stored_unknown"), _NAMES),
    "more": _MORE,
    "metadata": _METADATA,
    "columns": _COLUMNS,
    "archive.format_version": _at_least(1),
    **dict.fromkeys(("archive.name", "target.name"), _PLACE.fullmatch),
    "run.tags": _json(TEXTS),
    "run.state": _RUN_STATES.__contains__,
    "run.depth": range(_DEEPEST).__contains__,
    "receipt.state": _ITEM_STATES.__contains__,
    **dict.fromkeys(("receipt.at", "edit.since", "edit.accepted_at"), _MOMENTS.__contains__),
    **dict.fromkeys(("evidence.way", "finding.way", "planned_omission.way"), _WAYS.__contains__),
    **{f"evidence.{aspect}": _json(_LOOKED) for aspect in _ASPECTS},
    "evidence.carried": _json(CARRIED),
    "finding.aspect": _ASPECTS.__contains__,
    "look.aspects": _json(list_of(_ASPECTS.__contains__)),
    **dict.fromkeys(("look.units", "look.experiments"), _NAMES),
    "target.probe": _json(is_object),
    **{f"{table}.kind": _ASSETS.__contains__ for table in _OF_ASSETS},
    "asset_ref.outside": frozenset(kind.value for kind in OutsideKind).__contains__,
    "asset_extraction.kinds": lambda text: _ASSETS.issuperset(text.split()),
    "asset_receipt.state": frozenset({"sending", "sent", "adopted", "left", "refused", "undone"}).__contains__,
    "asset_receipt.fields": _json(is_object),
    **dict.fromkeys(("asset_receipt.at", "asset.read_at", "asset_container.read_at"), _MOMENTS.__contains__),
    "examination.rows": _json(_anything),
    "session.parts": _json(list_of(_PART)),
    "session.traffic": _json(object_of(_TRAFFIC)),
}
"""What a column may hold beyond its type, by `table.column`, or by the column where it is the same in every table."""


def sound(sql: str, names: Sequence[str], rows: Sequence[Any], where: str) -> None:
    """Look at the cells of rows that a query gave. Raises IntegrityError at the first that is damaged.

    A result's column is a table's by its name: those of expressions are not looked at.
    """
    columns = _columns(sql, tuple(names))
    if not columns:
        return
    for row in rows:
        for at, kinds, shape, options in columns:
            cell = row[at]
            if cell.__class__ in kinds and (shape is None or cell is None or shape(cell)):
                continue  # spelt out: a call a cell took a third more
            if not any(_holds(option, cell) for option in options):
                raise _damage(options, names, at, row, where)


def _holds(column: Column, cell: object) -> bool:
    return cell.__class__ in column.kinds and (cell is None or column.shape is None or bool(column.shape(cell)))


def _damage(options: Sequence[Column], names: Sequence[str], at: int, row: Sequence[Any], where: str) -> IntegrityError:
    tables = " or ".join(dict.fromkeys(option.table for option in options))
    keys = [f"{name} {row[i]}" for i, name in enumerate(names) if name in _KEYS and i != at and is_text(row[i])]
    whose = f" of {keys[0]}" if keys else ""
    shown = repr(row[at])
    held = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    return IntegrityError(f"{where} is damaged: table {tables}, column {names[at]}{whose} holds {held}")


_KEYS = ("run", "id", "path", "item", "reference", "name", "command")
"""Columns that name a row for people."""
_SHOWN = 60


@lru_cache(maxsize=1_000)
def _columns(sql: str, names: tuple[str, ...]) -> tuple[_Looked, ...]:
    """Of each column of a result that is of a table: its place, what the likeliest may hold, and all that it may be."""
    known = _declared()
    tables = [table for table in dict.fromkeys(_TABLE.findall(sql)) if table in known]
    outer = "left join" in sql.lower()
    each = [[_or_null(known[table][name], outer=outer) for table in tables if name in known[table]] for name in names]
    return tuple((at, one[0].kinds, one[0].shape, tuple(one)) for at, one in enumerate(each) if one)


def _or_null(column: Column, *, outer: bool) -> Column:
    """Of a table that may have no row for the other's."""
    return column._replace(kinds=(*column.kinds, type(None))) if outer else column


@cache
def _declared() -> Mapping[str, Mapping[str, Column]]:
    """Table -> column, as the migrations leave them."""
    return {
        table: {name: _column(table, name, *rest[:4]) for name, *rest in columns}
        for table, columns in declared_tables().items()
    }


def tables_of(database: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Table -> its columns: name, type, whether it is needed, default, place in the key, whether it is reckoned."""
    tables = database.execute("select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'")
    return {
        name: [row[1:] for row in database.execute("select * from pragma_table_xinfo(?)", (name,))]
        for (name,) in tables.fetchall()
    }


@cache
def declared_tables() -> Mapping[str, list[tuple[Any, ...]]]:
    """`tables_of` an archive, as the migrations leave them: 2 ms, once."""
    with closing(sqlite3.connect(":memory:")) as database:
        for migration in MIGRATIONS:
            database.executescript(migration)
        return tables_of(database)


def _column(table: str, name: str, kind: str, needed: int, _: object, key: int) -> Column:
    kinds = (_TYPES[kind.lower()],) if needed or key else (_TYPES[kind.lower()], type(None))
    return Column(table, kinds, _SHAPES.get(f"{table}.{name}") or _SHAPES.get(name))


def shaped(value: Any, shape: Shape, whose: str) -> Any:  # noqa: ANN401  # JSON as it was read
    """A document of the archive that has this shape. Raises IntegrityError for any other."""
    if not shape(value):
        raise IntegrityError(f"the archived document of {whose} is damaged: it is not as it was written")
    return value


@contextmanager
def read_back(what: str) -> Iterator[None]:
    """For the reading of what one of our own writers wrote: where it cannot be read, IntegrityError names it."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError) as problem:
        raise IntegrityError(f"{what} in the archive is damaged: not as it was written ({problem!r})") from problem
