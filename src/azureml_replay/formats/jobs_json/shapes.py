"""What an entry of a jobs.json may hold: the one place where it is asked, so that all behind it may rely on it (pure).

The file is written by programs, and by people. What can be read in some way is no error here: a tag that is a number,
an hour that is a date. A list where an object belongs, a number that no column holds, half of a letter in a name are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from azureml_replay.archive.shapes import fields_of, is_object, is_text, list_of, maybe, object_of, row_of
from azureml_replay.formats.jobs_json.entry import Record
from azureml_replay.json_text import DEEPEST, is_deep, spaced

_SHOWN = 60
_STREAMED = ("artifacts", "metric_history")


class Expected(NamedTuple):
    """What a field may hold, and how people are told."""

    words: str
    fits: Callable[[Any], object]


def _is_name(value: object) -> bool:
    """A text that a row can be found by: of whole letters."""
    return isinstance(value, str) and _whole(value)


def _whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_size(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < 2**63


def _is_step(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _is_value(value: object) -> bool:
    """A cell of a metric; a whole number that no double holds would be refused by every reader of a Double."""
    return value is None or isinstance(value, str | float) or (isinstance(value, int) and abs(value) < 10**308)


def _is_row(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) >= 2
        and (value[0] is None or _is_step(value[0]))
        and (value[1] is None or isinstance(value[1], str))
        and all(map(_is_value, value[2:]))
    )


def _fields(**shapes: Callable[[Any], object]) -> Callable[[Any], object]:
    """An object, in which each of these keys that is there fits."""
    return lambda value: is_object(value) and all(fits(value[key]) for key, fits in shapes.items() if key in value)


_TEXT = Expected("a text", maybe(is_text))
_NAME = Expected("a text of whole letters", maybe(_is_name))
_OBJECT = Expected("an object", maybe(is_object))
_MANY = Expected("a list", maybe(list_of(lambda _: True)))
_HEX = maybe(lambda value: is_text(value) and _is_hex(value))
_FILE = _fields(
    path=_is_name,
    datastore=_is_name,
    location=_is_name,
    size_bytes=_is_size,
    md5=_HEX,
    etag=maybe(_is_name),
    content_type=maybe(_is_name),
    blob_type=maybe(_is_name),
    gone=maybe(_is_name),
    metadata=maybe(object_of(maybe(is_text))),
)
_METRIC = fields_of(
    {"name": _is_name, "columns": list_of(row_of(is_text, is_text)), "rows": list_of(_is_row)},
    dict.fromkeys(("namespace", "ux_type", "schema_id"), maybe(_is_name)),
)
_ASSET = _fields(asset_id=maybe(is_text), type=maybe(is_text))
_ASSETS = Expected("an object of assets", maybe(object_of(lambda value: not is_object(value) or _ASSET(value))))
EXPECTED: Mapping[str, Expected] = {
    **dict.fromkeys(("display_name", "description"), _TEXT),
    **dict.fromkeys(("name", "status", "experiment_name", "run_type", "lender", "container"), _NAME),
    **dict.fromkeys(("tags", "mlflow_tags", "job_properties", "mlflow_params", "mlflow_metrics"), _OBJECT),
    **dict.fromkeys(("run_parameters", "objective", "pipeline_sub_jobs"), _OBJECT),
    **dict.fromkeys(("run_inputs", "run_outputs"), _ASSETS),
    **dict.fromkeys(("child_run_ids", "mlflow_artifact_paths"), _MANY),
    "created_by": Expected("a person", lambda value: not is_text(value) or _whole(value)),
    "parent_job_name": Expected("a text of whole letters", lambda value: not is_text(value) or _whole(value)),
    "artifacts": Expected("a list of files", maybe(list_of(_FILE))),
    "metric_history": Expected("a list of metrics with columns and rows", maybe(list_of(_METRIC))),
}


def wrong(record: Record) -> str | None:
    """What of an entry cannot be read: the field and what it should be; None where all can."""
    for field, expected in EXPECTED.items():
        if field in record and not expected.fits(record[field]):
            return f"{field}: expected {expected.words}, not {_shown(record[field])}"
    deep = next((field for field, value in record.items() if field not in _STREAMED and is_deep(value)), None)
    return f"{deep}: nested more than {DEEPEST} levels deep" if deep is not None else None


def _is_hex(text: str) -> bool:
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return True


def _shown(value: object) -> str:
    text = spaced(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
