"""Finds passwords that stand behind an option of a known command: `curl -u user:…`, `mysql -p…` (pure).

Such an option means anything else elsewhere (`mkdir -p`, `python -u`): it counts behind its command only, as far as
that goes. A list of arguments is a command line too, as a document's list and in the text of one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from azureml_replay.redact.finders import Place
from azureml_replay.redact.named import quoted, says_nothing
from azureml_replay.redact.programs import COMMANDS, Operand, Program

_BY_NAME: Mapping[str, Sequence[Program]] = {
    name: [one for one in COMMANDS.values() if name in one.names]
    for name in dict.fromkeys(name for one in COMMANDS.values() for name in one.names)
}
_BEFORE = r"(?:(?<![\w.@%-])|(?<=\\[nrt]))"
_AFTER = r"(?:\.exe)?(?=[^\S\r\n]|\\{0,16}[\"'])"
_GAP = re.compile(r"(?:[^\S\r\n]|\\\r?\n|\\(?=[^\S\r\n])|\\{3,16}n){1,16}|\s{0,4},\s{0,8}(?=\\{0,16}[\"'])")
"""Between words: spaces and continued lines, or what is between two texts of a list."""
_QUOTE = re.compile(r"(\\{0,16})([\"'])")
_BARE = re.compile(r"[^\s\"'`\\;|&<>]+")
_LONGEST, _MOST_WORDS = 4_000, 60
"""Characters and words of a command that are read."""
_CLOSING = ((")", "("), ("]", "["), ("}", "{"))


def finder(key: str) -> Callable[[str], Iterator[Place]]:
    """What finds the passwords of one command in a text."""
    command = COMMANDS[key]
    return partial(_in_text, command, re.compile(rf"{_BEFORE}(?:{'|'.join(command.names)}){_AFTER}"))


def in_list(items: Sequence[object], version: int) -> list[tuple[int, int]]:
    """The items of a list of arguments that hold a password, and where it begins in each."""
    for at, item in enumerate(items):
        commands = _known(_name(item), version) if isinstance(item, str) else ()
        if commands:
            words = [one if isinstance(one, str) else "" for one in items[at + 1 : at + 1 + _MOST_WORDS]]
            found = {place: begin for one in commands for place, begin in _among(one, words)}
            return [(at + 1 + place, begin) for place, begin in sorted(found.items())]
    return []


def _known(name: str, version: int) -> Sequence[Program]:
    """The commands of a name that a version of the table knows."""
    return [one for one in _BY_NAME.get(name, ()) if one.since <= version]


def _name(word: str) -> str:
    """The name of a program that was called by its path."""
    return word[max(word.rfind("/"), word.rfind("\\")) + 1 :].removesuffix(".exe")


def _in_text(command: Program, name: re.Pattern[str], value: str) -> Iterator[Place]:
    read = 0
    for found in name.finditer(value):
        if found.start() < read:
            continue  # it is part of a word: one that stands by itself ends the words before it
        places = list(_words(value, found.end(), command.since))
        read = places[-1][1] if places and command.since > 3 else 0
        for at, begin in _among(command, [value[start:end] for start, end in places]):
            yield places[at][0] + begin, places[at][1]


def _words(value: str, at: int, version: int) -> Iterator[Place]:
    """The words behind a command, without their quotes, up to where it ends or another one of the version begins."""
    text = value[at : at + _LONGEST]
    closing = _QUOTE.match(text)
    end = closing.end() if closing else 0
    for _ in range(_MOST_WORDS):
        gap = _GAP.match(text, end)
        start, stop, end = _word(text, gap.end()) if gap else (0, 0, 0)
        if start >= stop or _known(_name(text[start:stop]), version):
            return
        yield at + start, at + stop


def _word(text: str, at: int) -> tuple[int, int, int]:
    """Where a word begins and ends, and where what follows it begins; of `-p"x y"` the option is part of the word."""
    bare = _BARE.match(text, at)
    opened = _QUOTE.match(text, bare.end() if bare else at)
    joined = bare is not None and (len(bare.group()) == 2 or bare.group().endswith("="))
    inside = quoted(text, opened) if opened and (bare is None or joined) else None
    if inside is not None:
        return at if bare else inside[0], inside[1], inside[1] + len(opened.group() if opened else "")
    return (at, at + len(_trimmed(bare.group())), bare.end()) if bare else (at, at, at)


def _trimmed(word: str) -> str:
    """Without the punctuation of a sentence, or a bracket that was opened before."""
    return word.rstrip(".,:" + "".join(close for close, opening in _CLOSING if opening not in word))


def _among(command: Program, words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The words with a password, and where it begins in each."""
    below = _behind(command.path, words) if command.path else _below(command.below, words)
    if below is None:
        return
    if command.operand is not None:
        yield from _operand(command.operand, command, words, below)
        return
    for at in range(below, len(words)):
        if command.first and not words[at].startswith("-"):
            return
        ends, place = _option(command, words, at)
        if place is not None:
            yield place
        if ends and not command.every:
            return


def _option(command: Program, words: Sequence[str], at: int) -> tuple[bool, tuple[int, int] | None]:
    """Whether a word is what a password belongs to, and the word that holds one."""
    word = words[at]
    bare = re.match(command.bare, word) if command.bare else None
    if bare is not None:
        begin = _password(command, word, bare.start(bare.lastgroup or 0))
        return begin is not None, None if begin is None else (at, begin)
    if command.flags and re.fullmatch(command.flags, word):
        after = words[at + 1] if at + 1 < len(words) else "-"
        begin = None if after.startswith("-") else _password(command, after, 0)
        return True, None if begin is None else (at + 1, begin)
    joined = re.match(command.joined, word) if command.joined else None
    begin = _password(command, word, joined.end()) if joined else None
    return begin is not None, None if begin is None else (at, begin)


def _operand(operand: Operand, command: Program, words: Sequence[str], below: int) -> Iterator[tuple[int, int]]:
    options = _leading(operand, words[below:])
    if operand.only and not any(re.fullmatch(operand.only, word) for word in options):
        return
    wanted = operand.at - bool(operand.fewer and any(re.fullmatch(operand.fewer, word) for word in options))
    seen, before = 0, ""
    for at, word in enumerate(words[below:], below):
        taken, before = _takes(operand, before), word
        if word.startswith("-") or taken:
            continue
        seen += 1
        begin = _password(command, word, 0) if seen == wanted else None
        if begin is not None:
            yield at, begin


def _leading(operand: Operand, words: Sequence[str]) -> Sequence[str]:
    """The options that stand before all else, with their values."""
    befores = ("", *words)
    ends = (at for at, word in enumerate(words) if not word.startswith("-") and not _takes(operand, befores[at]))
    return words[: next(ends, len(words))]


def _takes(operand: Operand, before: str) -> bool:
    """Whether what follows a word is its value."""
    return bool(operand.valued) and re.fullmatch(operand.valued, before) is not None


def _behind(path: Sequence[str], words: Sequence[str]) -> int | None:
    """Where the options of a subcommand's subcommand begin. Before each may stand options with their values."""
    left, before = list(path), ""
    for at, word in enumerate(words):
        if re.fullmatch(left[0], word):
            left.pop(0)
            if not left:
                return at + 1
        elif not word.startswith("-") and not before.startswith("-"):
            return None
        before = word
    return None


def _below(name: str, words: Sequence[str]) -> int | None:
    """Where the options of a subcommand begin; None where it is another one. Before it stand options with their values.

    Of `az acr login`, too.
    """
    if not name:
        return 0
    before = ""
    for at, word in enumerate(words):
        if word == name:
            return at + 1
        if not word.startswith("-") and not before.startswith("-") and word != "acr":
            return None
        before = word
    return None


def _password(command: Program, word: str, begin: int) -> int | None:
    """Where the password begins in a word from `begin` on; None where there is none."""
    opened = _QUOTE.match(word, begin)
    begin = opened.end() if opened else begin
    if command.marked:
        if not word.startswith(command.marked, begin):
            return None
        begin += len(command.marked)
    if command.user:
        colon = word.find(command.user, begin)
        if colon < 0 or word.startswith("//", colon + 1):
            return None
        begin = colon + 1
    return None if begin >= len(word) or says_nothing(word, begin) else begin
