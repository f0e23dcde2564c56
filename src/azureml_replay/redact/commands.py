"""Finds passwords that stand behind an option of a known command: `curl -u user:…`, `mysql -p…` (pure).

Such an option means anything else elsewhere (`mkdir -p`, `python -u`): it counts behind its command only, as far as
that goes, and once. A list of arguments is a command line too, as a document's list and in the text of one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from azureml_replay.redact.finders import Place
from azureml_replay.redact.named import quoted, says_nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One that takes a password in its command line."""

    names: tuple[str, ...]
    flags: str = ""
    """A pattern of options that the next word belongs to."""
    joined: str = ""
    """A pattern of options that the value follows in the same word."""
    below: str = ""
    """The subcommand without which the option means something else."""
    user: bool = False
    """The value is `user:password`, of which the user stays."""
    first: bool = False
    """The option stands before all else: what follows is a command of its own."""
    bare: str = ""
    """A pattern of a password that is a word without an option."""


COMMANDS: Mapping[str, Program] = {
    "curl": Program(
        names=("curl",), flags=r"-[A-Za-z#]{0,8}[uU]|--(?:proxy-)?user", joined=r"-[uU]|--(?:proxy-)?user=", user=True
    ),
    # `mysql -p x` asks for the password, and x is a database
    "mysql": Program(
        names=(
            *("mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlcheck", "mysqlshow", "mysqlsh"),
            *("mariadb", "mariadb-dump", "mariadb-admin"),
        ),
        joined="-p",
    ),
    "sshpass": Program(names=("sshpass",), flags="-p", joined="-p", first=True),
    "docker-login": Program(
        names=("docker", "podman", "buildah", "skopeo", "nerdctl", "oras"), flags="-p", below="login"
    ),
    "az": Program(names=("az",), flags="-p", below="login"),
    "mongosh": Program(
        names=("mongosh", "mongo", "mongodump", "mongorestore", "mongoexport", "mongoimport"), flags="-p"
    ),
    "redis-cli": Program(names=("redis-cli",), flags="-a"),
    "sqlcmd": Program(names=("sqlcmd", "bcp"), flags="-P", joined="-P"),
    "wandb": Program(names=("wandb",), below="login", bare=r"(?:[0-9a-f]{40}|wandb_v1_\w{40,})(?!\w)"),
}
"""By the keys of their rows in the table of shapes."""
_BY_NAME = {name: command for command in COMMANDS.values() for name in command.names}
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


def in_list(items: Sequence[object]) -> tuple[int, int] | None:
    """The item of a list of arguments that holds a password, and where it begins in it; None where none does."""
    for at, item in enumerate(items):
        command = _BY_NAME.get(_name(item)) if isinstance(item, str) else None
        if command is not None:
            words = [one if isinstance(one, str) else "" for one in items[at + 1 : at + 1 + _MOST_WORDS]]
            found = _among(command, words)
            return found and (at + 1 + found[0], found[1])
    return None


def _name(word: str) -> str:
    """The name of a program that was called by its path."""
    return word[max(word.rfind("/"), word.rfind("\\")) + 1 :].removesuffix(".exe")


def _in_text(command: Program, name: re.Pattern[str], value: str) -> Iterator[Place]:
    for found in name.finditer(value):
        places = list(_words(value, found.end()))
        secret = _among(command, [value[start:end] for start, end in places])
        if secret is not None:
            yield places[secret[0]][0] + secret[1], places[secret[0]][1]


def _words(value: str, at: int) -> Iterator[Place]:
    """The words behind a command, without their quotes, up to where it ends or another known one begins."""
    text = value[at : at + _LONGEST]
    closing = _QUOTE.match(text)
    end = closing.end() if closing else 0
    for _ in range(_MOST_WORDS):
        gap = _GAP.match(text, end)
        start, stop, end = _word(text, gap.end()) if gap else (0, 0, 0)
        if start >= stop or _name(text[start:stop]) in _BY_NAME:
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


def _among(command: Program, words: Sequence[str]) -> tuple[int, int] | None:
    """The word with the password, and where it begins in it."""
    below = _below(command.below, words)
    for at, word in enumerate(words[below:], below) if below is not None else ():
        if command.bare and re.match(command.bare, word):
            return at, 0
        if command.first and not word.startswith("-"):
            return None
        if command.flags and re.fullmatch(command.flags, word):
            after = words[at + 1] if at + 1 < len(words) else "-"
            begin = None if after.startswith("-") else _password(command, after, 0)
            return None if begin is None else (at + 1, begin)
        joined = re.match(command.joined, word) if command.joined else None
        begin = _password(command, word, joined.end()) if joined else None
        if begin is not None:
            return at, begin
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
    if command.user:
        colon = word.find(":", begin)
        if colon < 0 or word.startswith("//", colon + 1):
            return None
        begin = colon + 1
    return None if begin >= len(word) or says_nothing(word, begin) else begin
