"""Finds in running text what is held below a name that says secret: `"api_key": {"value": "…"}`, also in YAML (pure).

As `documents` does in a document; here the value has to look the part as well, as it has to right behind such a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from azureml_replay.redact.finders import Place
from azureml_replay.redact.named import (
    TAIL,
    after_colon,
    has_names,
    name_before,
    passes,
    quoted,
    says_nothing,
    says_secret,
)
from azureml_replay.redact.names import holds_value, tells_name

_BREAK = r"(?:\r?\n|\\{1,16}(?:r\\{1,16})?n)"
_ABOVE = re.compile(
    rf"(?i)(?P<tail>{TAIL})(?P<close>\\{{0,16}}[\"'])?"
    r"(?:\s{0,4}:"
    rf"(?:[ \t]{{0,4}}(?:#[^\r\n\\]{{0,200}})?(?P<lines>(?={_BREAK}[ ]))"
    r"|\s{0,8}(?:\[?\{|(?P<items>(?=\[))))"
    r"|(?P<beside>\s{0,4},))"
)
_BESIDE = re.compile(r"(\w{1,40})\\{0,16}[\"']\s{0,4}:\s{0,4}\\{0,16}[\"']\Z")
_PART = re.compile(r"(?:[^\"'{}\[\]\\]|\\{1,16}[nrt]){0,400}(?:(?P<bracket>[{}\[\]])|(?P<quote>\\{0,16}[\"']))")
_OPEN = re.compile(r"(\\{0,16})([\"'])")
_COLON = re.compile(r"\s{0,4}:\s{0,8}(?P<list>\[)?\s{0,40}")
_COMMA = re.compile(r"\s{0,40},\s{0,40}")
_LINE = re.compile(rf"{_BREAK}(?P<indent> *)(?:(?P<quote>\\{{0,16}}[\"']?)(?P<key>\w{{1,40}})(?P=quote):[ \t]{{0,4}})?")
_TO_BREAK = re.compile(r"[^\r\n\\]{0,400}")
_LONGEST, _MOST_PARTS, _MOST_LINES, _MOST_ITEMS = 4_000, 60, 20, 20
"""Characters of what a name holds, its brackets and texts, its lines, and items of a list, that are read."""


def held_values(value: str) -> Iterator[Place]:
    """The values, defaults and choices that are held below names that say secret, or beside them in a pair."""
    if not has_names(value):  # 1 µs; the pattern takes 11 for a URL of 160 characters
        return
    for found in _ABOVE.finditer(value):
        name = name_before(value, found.start(), found.end("tail"))
        if not says_secret(name) or (found["beside"] and not _is_told(value, found, name)):
            continue
        held = value[found.end() : found.end() + _LONGEST]
        lines, items = found["lines"] is not None, found["items"] is not None
        for start, end in _in_lines(held, name) if lines else _in_brackets(held) if items else _in_braces(held):
            if not says_nothing(held, start) and passes(held[start:end], name, closed=bool(found["close"])):
                yield found.end() + start, found.end() + end


def _is_told(value: str, found: re.Match[str], name: str) -> bool:
    """True of `"name": "HF_TOKEN",`: the name is a value itself, of what stands beside it."""
    start = found.end("tail") - len(name)
    before = _BESIDE.search(value[max(0, start - 100) : start]) if found["close"] else None
    return before is not None and tells_name(before[1])


def _in_braces(held: str) -> Iterator[Place]:
    """What the keys of a mapping hold that hold a value, up to its end; what lies deeper is not theirs."""
    at = depth = 0
    for _ in range(_MOST_PARTS):
        part = _PART.match(held, at)
        if part is None:
            return
        if part["bracket"]:
            at, depth = part.end(), depth + (1 if part["bracket"] in "{[" else -1)
            if depth < 0:
                return
            continue
        place, at = _quoted(held, part.start("quote"))
        if place is None:
            return
        colon = _COLON.match(held, at)
        if colon and not depth and holds_value(held[slice(*place)]):
            yield from _items(held, colon)


def _in_brackets(held: str) -> Iterator[Place]:
    """The texts of a list, and of its lists: what a sweep chooses from is `["choice", [["a", "b"]]]`."""
    at = depth = 0
    for _ in range(_MOST_PARTS):
        part = _PART.match(held, at)
        if part is None or part["bracket"] in ("{", "}"):
            return
        if part["bracket"]:
            at, depth = part.end(), depth + (1 if part["bracket"] == "[" else -1)
            if depth <= 0:
                return
            continue
        place, at = _quoted(held, part.start("quote"))
        if place is None:
            return
        if held[slice(*place)] != "choice":
            yield place


def _items(held: str, colon: re.Match[str]) -> Iterator[Place]:
    """The text behind a colon, or those of its list."""
    at = colon.end()
    for _ in range(_MOST_ITEMS if colon["list"] else 1):
        place, end = _quoted(held, at)
        if place is None:
            return
        yield place
        comma = _COMMA.match(held, end)
        if comma is None:
            return
        at = comma.end()


def _quoted(held: str, at: int) -> tuple[Place | None, int]:
    """The place of a text in quotes that begins here, and where it ends with them."""
    opened = _OPEN.match(held, at)
    place = quoted(held, opened) if opened else None
    return place, place[1] + len(opened.group()) if place and opened else at


def _in_lines(held: str, name: str) -> Iterator[Place]:
    """What is held on the lines below a name in YAML: by keys that are indented as the first is."""
    at, indent = 0, None
    for _ in range(_MOST_LINES):
        line = _LINE.match(held, at)
        if line is None:
            return
        here, at = len(line["indent"]), line.end()
        indent = here if indent is None else indent
        if here < indent:
            return
        if here == indent and line["key"] and holds_value(line["key"]):
            place = _on_line(held, at, name)
            if place:
                yield place
                at = place[1]
        rest = _TO_BREAK.match(held, at)
        at = rest.end() if rest else at


def _on_line(held: str, at: int, name: str) -> Place | None:
    place, _ = _quoted(held, at)
    return place or (None if says_nothing(held, at) else after_colon(held, at, name))
