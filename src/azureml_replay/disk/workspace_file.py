"""Reads the file that names a workspace: a JSON object, with comments where somebody wrote some.

What the keys mean is for the kind of workspace to say; what is wrong with the file is one line everywhere.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from azureml_replay.disk.inputs import text_of
from azureml_replay.errors import UserError

MOST_BYTES = 1_000_000
"""Of such a file: Studio's has 120."""
_STRING = r'"(?:\\.|[^"\\\n])*"?'
# Without an end, both reach as far as they can: sought again from each beginning, 30 MB took a minute.
_COMMENT = re.compile(_STRING + r"|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_TRAILING_COMMA = re.compile(_STRING + r"|,(?=\s*[}\]])")


def is_file_name(text: str) -> bool:
    """True for a text that names a file, there or not; a folder counts, which is told by itself."""
    return text.lower().endswith(".json") or os.path.lexists(text)  # exists() raises on a name that is too long


def document_of(path: Path, keys: str) -> Mapping[str, Any]:
    """The object in a file; `keys` says which it should have. Raises UserError, one line: file, place, what to do."""
    origin, text = str(path), _text(path)
    if not text.strip():
        raise UserError(f"{origin} is empty: expected a JSON object with {keys}")
    try:
        document = json.loads(without_comments(text))
    except json.JSONDecodeError as error:
        raise UserError(f"{origin}, line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise UserError(f"{origin}: not a workspace file: nested too deeply") from None
    except ValueError:  # Python reads no number of more than 4,300 digits
        raise UserError(f"{origin}: not a workspace file: a number has too many digits") from None
    if not isinstance(document, dict):
        raise UserError(f"{origin}: expected a JSON object with {keys}, not {kind_of(document)}")
    return document


def _text(path: Path) -> str:
    if path.is_dir():
        raise UserError(f"{path} is a directory: name the config.json inside it")
    try:
        return text_of(path, most_bytes=MOST_BYTES, what="a config.json as Studio downloads it")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file: download config.json from the workspace's page in Studio") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def without_comments(text: str) -> str:
    """JSON without its `//` and `/* */` comments and trailing commas; lines and columns stay where they are."""
    return _TRAILING_COMMA.sub(_blank, _COMMENT.sub(_blank, text))


def _blank(found: re.Match[str]) -> str:
    piece = found.group()
    return piece if piece.startswith('"') else re.sub(r"[^\n]", " ", piece)


def refuse_near_misses(document: Iterable[str], known: Collection[str], where: str) -> None:
    """Raise UserError for a key that is nearly a known one: a misspelt option would be ignored. Other keys may be."""
    plain = {key.replace("_", ""): key for key in known}
    for key in document:
        if key in known:
            continue
        near = get_close_matches(re.sub(r"[^a-z]", "", key.lower()), plain, n=1, cutoff=0.75)
        if near:
            raise UserError(f"{where}: unknown key {key!r}: did you mean {plain[near[0]]!r}?")


def refuse_unknown(fields: Mapping[str, object], known: Collection[str], where: str) -> None:
    """Raise UserError for a key that is not known."""
    for key in fields:
        if key not in known:
            raise UserError(f"{where}: unknown key {key!r}: expected {', '.join(known)}")


def optional_text(values: Mapping[str, object], key: str, where: str) -> str | None:
    """A text without spaces around it; None where the key is not there, or null. Raises UserError."""
    value = values.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise UserError(f"{where}: {key} must be a text, not {kind_of(value)}")
    if not value.strip():
        raise UserError(f"{where}: {key} is empty: fill it in or remove it")
    return value.strip()


def kind_of(value: object) -> str:
    """The kind of a value in JSON's words."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
