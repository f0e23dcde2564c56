"""Takes secrets out of documents before they are written: by the name of a value, and by the shape of a text (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from azureml_replay.disk.globs import fits
from azureml_replay.json_text import DEEPEST, TOO_DEEP
from azureml_replay.model import Json
from azureml_replay.redact.commands import in_list
from azureml_replay.redact.names import (
    holds_value,
    holds_variables,
    names_secret,
    tells_name,
    tells_secret_variable,
)
from azureml_replay.redact.shapes import COMMANDS_SINCE, DASHED_SINCE, HELD_SINCE, VERSION
from azureml_replay.redact.texts import STARS, hidden, hidden_path, text
from azureml_replay.redact.untouched import stays

_Path: TypeAlias = "tuple[str, ...]"
_NUMBERS = (int, float)
_PLAIN = (str, *_NUMBERS)
CUT_OFF = "/…"
"""The end of a path at which nothing was taken for a secret: what lies there is nested too deeply to be looked at."""
_SHOWN_OF_DEEP = 4
_PLACEHOLDER = re.compile(r"\$?(\(.*\)|\{.*\})")  # ${{inputs.x}}, $(TOKEN): names a secret, is none
_WORD = re.compile(r"(?i)true|false|none|null")  # `use_auth_token: "True"`: run history keeps a flag as a text
_NO_SECRETS = frozenset(
    {"integer", "int", "number", "float", "double", "boolean", "bool", "path"}
    | {"urifile", "urifolder", "mltable", "mlflowmodel", "custommodel", "tritonmodel"}
)
"""Types of inputs whose value is no text, though documents write it as one, or says where data are."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is taken out: by a version of the table, and by globs beside it."""

    globs: Sequence[str] = ()
    """More to redact, with all that lies below: each is held against a name and against its whole path."""
    version: int = VERSION

    def document(self, document: Json) -> tuple[Json, list[str]]:
        """The document without secrets, and the paths (`properties/x`) where one was. All else is unchanged.

        What is nested deeper than `json_text` reads is left out, here or where it was read: its path ends in `CUT_OFF`.
        """
        if not self.globs and stays(document, self.version):
            return document, []
        walk = _Walk(self)
        return walk.visit(document, (), _Why.NO), walk.found

    def text(self, value: str) -> str:
        """A text without secrets."""
        return text(value, self.version)

    def name(self, name: str) -> str:
        """A name (of a metric, a tag) without secrets: equal names stay equal, and others different."""
        return hidden(name, self.version)

    def path(self, path: str) -> str:
        """The path of a file without secrets, as `name`."""
        return hidden_path(path, self.version)


NEWEST = Rules()


def redact(document: Json, globs: Sequence[str] = ()) -> tuple[Json, list[str]]:
    """As `Rules.document`, by the newest version."""
    return Rules(globs).document(document)


class _Why(IntEnum):
    NO = 0
    NAME = 1  # texts only: `token: null`, `max_token: 512`; of `password: {…}` the keys that hold its value
    GLOB = 2  # whatever it is


class _Walk:
    def __init__(self, rules: Rules) -> None:
        self._globs, self._version, self.found = rules.globs, rules.version, list[str]()

    def visit(self, value: Json, path: _Path, why: _Why) -> Json:
        # First, as most values are plain: asking whether they are a Mapping takes a µs each, half of a document's time.
        if value is None or isinstance(value, _PLAIN):
            return self._plain(value, path, why)
        if len(path) >= DEEPEST:
            return self._cut_off(path)
        if isinstance(value, Mapping):
            names = _NamesSecret(value, path, self._version, named=why is _Why.NAME)
            return {
                self._name(key, path): item
                if item is None or (isinstance(item, _NUMBERS) and not self._globs)  # holds no text, whatever its name
                else self.visit(item, (*path, key), self._why(key, path, why, names))
                for key, item in value.items()
            }
        items = self._command_line(value, path) if self._version >= COMMANDS_SINCE else value
        return [self.visit(item, (*path, str(at)), self._in_list(value, at, why)) for at, item in enumerate(items)]

    def _command_line(self, items: Sequence[Json], path: _Path) -> Sequence[Json]:
        """A list of arguments without the password that a known command takes there."""
        found = dict(in_list(items, self._version))
        for at, begin in found.items():
            if str(items[at])[begin:] != STARS:
                self.found.append("/".join(self._shown((*path, str(at)))))
        if not found:
            return items
        return [str(item)[: found[at]] + STARS if at in found else item for at, item in enumerate(items)]

    def _name(self, key: str, path: _Path) -> str:
        name = hidden(key, self._version)
        if name is not key and name != key:
            self.found.append("/".join((*self._shown(path), f"{name} (its name)")))
        return name

    def _shown(self, path: _Path) -> list[str]:
        return [hidden(name, self._version) for name in path]

    def _cut_off(self, path: _Path) -> Json:
        at = "/".join(self._shown(path[:_SHOWN_OF_DEEP])) + CUT_OFF
        self.found += [] if at in self.found else [at]
        return TOO_DEEP

    def _plain(self, value: Json, path: _Path, why: _Why) -> Json:
        if value == TOO_DEEP:
            return self._cut_off(path)
        clean = self._clean(value, why) if why else text(value, self._version) if isinstance(value, str) else value
        if clean is not value and clean != value:
            self.found.append("/".join(self._shown(path)))
        return clean

    def _clean(self, value: Json, why: _Why) -> Json:
        if why == _Why.GLOB:
            return None if value is None else STARS
        if not isinstance(value, str):
            return value
        return STARS if why == _Why.NAME and self._tells_something(value) else text(value, self._version)

    def _tells_something(self, value: str) -> bool:
        """False for a text that cannot be what its name says: none, one that names a secret, a flag."""
        return bool(value) and not (
            _PLACEHOLDER.fullmatch(value) or (self._version >= HELD_SINCE and _WORD.fullmatch(value))
        )

    def _why(self, key: str, path: _Path, above: _Why, names: _NamesSecret) -> _Why:
        if self._globs and (above == _Why.GLOB or self._globbed((*path, key))):
            return _Why.GLOB
        return _Why.NAME if names(key) else _Why.NO

    def _in_list(self, items: Sequence[Json], at: int, above: _Why) -> _Why:
        """A command line's `--password` names what follows it."""
        before = items[at - 1] if at and self._version > 1 else None
        dash = "-" if self._version >= DASHED_SINCE else "--"
        if above is not _Why.NO or not isinstance(before, str) or not before.startswith(dash) or "=" in before:
            return above
        here = items[at]
        follows = not (isinstance(here, str) and here.startswith(dash)) and names_secret(before)
        return _Why.NAME if follows else above

    def _globbed(self, path: _Path) -> bool:
        return any(fits(path[-1], glob) or fits("/".join(path), glob) for glob in self._globs)


class _NamesSecret:
    """Says which keys of one mapping name a secret: by themselves, or as environment variables do.

    Of {"name": "HF_TOKEN", "value": …}, as MLflow and compute specs write it, `value` is such a key; so is `default` of
    {"db_password": {"type": "string", "default": …}}, a mapping below a name that says secret (`named`).
    """

    def __init__(self, mapping: Mapping[str, Json], path: _Path, version: int, *, named: bool) -> None:
        self._version, self._environment = version, any(map(holds_variables, path[-2:]))
        self._pair = self._held = False
        if version >= HELD_SINCE:
            self._held = (named or self._tells(mapping)) and not _is_typed(mapping)
        elif "value" in mapping:
            name = mapping.get("name", mapping.get("key"))
            self._pair = isinstance(name, str) and self._named(name)

    def __call__(self, key: str) -> bool:
        return (
            names_secret(key, self._version)
            or (self._environment and self._named(key))
            or (self._held and holds_value(key))
            or (self._pair and key == "value")
        )

    def _tells(self, mapping: Mapping[str, Json]) -> bool:
        return any(isinstance(name, str) and tells_name(key) and self._named(name) for key, name in mapping.items())

    def _named(self, name: str) -> bool:
        if names_secret(name, self._version):
            return True
        return self._environment and tells_secret_variable(name)


def _is_typed(mapping: Mapping[str, Json]) -> bool:
    """True for what is declared a number, a flag or data."""
    types = (one for name, one in mapping.items() if name.lower().endswith("type"))
    return any(isinstance(one, str) and one.replace("_", "").lower() in _NO_SECRETS for one in types)
