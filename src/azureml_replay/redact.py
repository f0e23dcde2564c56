"""Takes secrets out of documents before they are written: by the name of a value, and by the shape of a text (pure).

Both rules err on the narrow side: a value that was redacted is lost for the target, and listed as an omission.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import TypeAlias

from azureml_replay.disk.globs import fits
from azureml_replay.model import Json

STARS = "***"
"""The text that replaces a secret."""

_Path: TypeAlias = "tuple[str, ...]"
_NUMBERS = (int, float)
_PLAIN = (str, *_NUMBERS)

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LAST_WORD = frozenset({"password", "passwd", "pwd", "passphrase", "secret", "authorization"})
_ENDINGS = (
    *("accountkey", "accesskey", "apikey", "privatekey", "storagekey", "sharedkey", "secretkey", "signingkey"),
    *("encryptionkey", "masterkey", "functionkey", "connectionstring", "clientsecret", "password"),
    *("accesstoken", "authtoken", "refreshtoken", "sastoken"),
)
_VOCABULARY = frozenset(
    {"pad", "eos", "bos", "unk", "cls", "sep", "separator", "mask", "blank", "class", "special", "additional", "image"}
    | {"img", "audio", "video", "start", "end", "stop", "first", "last", "next", "prev", "new", "decoder", "forced"}
    | {"max", "min", "num", "n", "per"}
)
"""Beginnings of names whose `token` is a language model's: `pad_token`, `forced_bos_token`."""
_ENVIRONMENT = frozenset({"environmentvariables", "envvars", "env"})
_ENVIRONMENT_ENDINGS = ("_KEY", "_TOKEN", "_PASSWORD", "_PASSWD", "_PWD", "_SECRET", "_SAS", "CONNECTION_STRING")
_PLACEHOLDER = re.compile(r"\$?(\(.*\)|\{.*\})")  # ${{inputs.x}}, $(TOKEN): names a secret, is none

_SUSPICIOUS = re.compile(r"[=@\"']|%3[dD]|eyJ|[eE][aA][rR][eE][rR]|-----")
"""Each pattern below contains one of these. Looking for them first lets nearly every text pass: 28 us a run document, 5
times less than searching for the patterns' own words without case."""
_QUOTE = r"\\*[\"']"
_SHAPES = (
    re.compile(
        r"(?i)(?:^|(?<=[?&;])|(?<=%26)|(?<=%3f))(?P<keep>(?:amp;)?sig(?:=|%3d))(?:[^&\s\"'<>\\;,)%]|%(?!26)\w\w)+"
    ),
    re.compile(r"\beyJ[\w-]{10,}(?:\.[\w-]*){2,4}"),  # a JSON Web Token; with five parts an encrypted one
    re.compile(r"(?i)\b(?P<keep>(?:Account|SharedAccess)Key\s*=\s*)[^;\s\"'\\]+"),
    re.compile(r"(?i)(?<=;)(?P<keep>\s*(?:password|pwd)\s*=\s*)[^;\"'\\]+"),
    re.compile(r"(?i)(?P<keep>\bbearer\s+)(?=[^\s\"']*\d)[\w.~+/-]{20,}=*"),
    re.compile(r"(?<![\w+/=])[A-Za-z0-9+/]{86}==(?![\w+/=])"),  # 64 bytes: a storage account's key
    re.compile(r"(?P<keep>://[^/\s:@?#]*:)[^/\s@?#]+(?=@)"),  # https://user:password@host, as git remotes have it
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----"),
    re.compile(r"(?P<keep>://)gh[a-z]_\w{20,}(?=@)"),
    re.compile(
        rf"(?i)(?P<keep>{_QUOTE}(?:\w*_)?(?:account_?key|password|client_?secret|access_?key|api_?key|sas_?token|"
        rf"access_?token|refresh_?token|connection_?string){_QUOTE}\s*[:=]\s*{_QUOTE})[^\"'\\]+"
    ),  # JSON written into a text, as AutoML does with its settings
)


def redact(document: Json, globs: Sequence[str] = ()) -> tuple[Json, list[str]]:
    """The document without secrets, and the paths (`properties/x`) where one was. Everything else is unchanged.

    `globs` name more to redact, with all that lies below: each is held against a name and against its whole path.
    """
    walk = _Walk(globs)
    return walk.visit(document, (), _Why.NO), walk.found


class _Why(IntEnum):
    NO = 0
    NAME = 1  # texts only: `token: null`, `max_token: 512` and `password: {…}` hold no secret themselves
    GLOB = 2  # whatever it is


class _Walk:
    def __init__(self, globs: Sequence[str]) -> None:
        self._globs, self.found = globs, list[str]()

    def visit(self, value: Json, path: _Path, why: _Why) -> Json:
        # First, as most values are plain: asking whether they are a Mapping takes a µs each, half of a document's time.
        if value is None or isinstance(value, _PLAIN):
            return self._plain(value, path, why)
        if isinstance(value, Mapping):
            names = _NamesSecret(value, path)
            return {
                key: item
                if item is None or (isinstance(item, _NUMBERS) and not self._globs)  # holds no text, whatever its name
                else self.visit(item, (*path, key), self._why(key, path, why, names))
                for key, item in value.items()
            }
        return [self.visit(item, (*path, str(at)), why) for at, item in enumerate(value)]

    def _plain(self, value: Json, path: _Path, why: _Why) -> Json:
        clean = _clean(value, why) if why else text(value) if isinstance(value, str) else value
        if clean is not value and clean != value:
            self.found.append("/".join(path))
        return clean

    def _why(self, key: str, path: _Path, above: _Why, names: _NamesSecret) -> _Why:
        if self._globs and (above == _Why.GLOB or self._globbed((*path, key))):
            return _Why.GLOB
        return _Why.NAME if names(key) else _Why.NO

    def _globbed(self, path: _Path) -> bool:
        return any(fits(path[-1], glob) or fits("/".join(path), glob) for glob in self._globs)


class _NamesSecret:
    """Says which keys of one mapping name a secret: by themselves, or as environment variables do.

    In a pair such as {"name": "HF_TOKEN", "value": …}, as MLflow and compute specs write it, `value` is such a key.
    """

    def __init__(self, mapping: Mapping[str, Json], path: _Path) -> None:
        self._environment = any(map(_of_environment, path[-2:]))
        name = mapping.get("name", mapping.get("key")) if "value" in mapping else None
        self._pair = isinstance(name, str) and self._named(name)

    def __call__(self, key: str) -> bool:
        return names_secret(key) or (self._environment and self._named(key)) or (self._pair and key == "value")

    def _named(self, name: str) -> bool:
        return names_secret(name) or (self._environment and name.upper().endswith(_ENVIRONMENT_ENDINGS))


@lru_cache(maxsize=10_000)
def _of_environment(name: str) -> bool:
    return name.replace("_", "").lower() in _ENVIRONMENT


def _clean(value: Json, why: _Why) -> Json:
    if why == _Why.GLOB:
        return None if value is None else STARS
    if not isinstance(value, str):
        return value
    return STARS if why == _Why.NAME and value and not _PLACEHOLDER.fullmatch(value) else text(value)


def text(value: str) -> str:
    """A text without what looks like a secret; the rest of it stays."""
    if not _SUSPICIOUS.search(value):
        return value
    for shape in _SHAPES:
        value = shape.sub(_kept, value)
    return value


def arguments(argv: Iterable[str]) -> list[str]:
    """A command line without secrets: neither in a text, nor as `--some-token VALUE` or `--some-token=VALUE`."""
    clean, named = [], False
    for argument in argv:
        flag, equals, value = argument.partition("=")
        is_flag = argument.startswith("--")
        if is_flag and equals and value and names_secret(flag):
            clean.append(f"{flag}={STARS}")
        else:
            clean.append(STARS if named and not is_flag else text(argument))
        named = is_flag and not equals and names_secret(flag)
    return clean


@lru_cache(maxsize=10_000)
def names_secret(name: str) -> bool:
    """True for `password`, `accountKey`, `HF_TOKEN`, `sig`; false for `key`, `tokenizer`, `azureml.token_count`."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words:
        return False
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last == "token":
        return before not in _VOCABULARY
    return last in _LAST_WORD or words in (["sig"], ["sas"]) or "".join(words).endswith(_ENDINGS)


def _kept(found: re.Match[str]) -> str:
    return (found.groupdict().get("keep") or "") + STARS
