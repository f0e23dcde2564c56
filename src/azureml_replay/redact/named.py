"""Finds the values of names that say secret in running text: `Password=…`, `"api_key": "…"`, `--token …` (pure).

A name counts where `names_secret` says so of a document's key; in running text, where prose stands too, the value
has to look the part as well, less so the clearer the name is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from azureml_replay.redact.finders import Place
from azureml_replay.redact.names import ENVIRONMENT_ENDINGS, names_secret

LONGEST_NAME = 80
TAIL = r"pass(?:word|wd|phrase)|pwd|secret|token|key|sas|connection[ _-]?string|signature"
_NAMED = re.compile(
    rf"(?i)(?P<tail>{TAIL})"
    r"(?:(?P<close>\\{0,16}[\"'])?\s{0,4}(?P<assign>=>|:=|[=:]|%3[dD])\s{0,8}"
    r"|(?:\\{0,16}[\"'])?(?P<gap>\s{1,4}|,\s{0,8}(?=\\{0,16}[\"'])))"
)
_REST = re.compile(r"[\w.-]*")
_ESCAPED = re.compile(r"\\[nrtbf]|%[0-9A-Fa-f]{2}")
_OPEN = re.compile(r"(\\{0,16})([\"'`])")
_NO_VALUE = re.compile(
    r"(?i)(?:none|null|true|false|nan|undefined|required|optional|string|str)(?![\w-])"  # words in place of a value
    r"|\$[({A-Z_]|%\(|%[A-Z_]{2,40}%|%[sdr](?!\w)|\{[A-Z_.{}| -]{0,60}\}|<|\[|\("  # ${x} $X $(x) %(x)s %X% {x} <x>
    r"|(?:[A-Z_]\w{0,40}[._]\w[\w.]{0,60}|get\w{0,30}|input|str)(?:\(|\[[\"'\w])"  # getpass(), os.environ["x"]
    r"|(?:os|self|args|config|cfg|settings|env)\.\w"
)
_STRONG = ("password", "passwd", "passphrase", "pwd", "accountkey", "sharedaccesskey", "clientsecret")
_AS_JSON = (
    *("accountkey", "password", "clientsecret", "accesskey", "apikey", "sastoken", "accesstoken", "refreshtoken"),
    "connectionstring",
)
_WHOLE = re.compile(r"(?:[^\s;&\"'`<>\\%,]|%(?!26|3[bB])|\\(?![\\\"'nrtu/])|,(?!\s|[\w.-]{1,40}=|$))+")
_LISTED = re.compile(r"[^;\"'\\\r\n]+")
"""A value of a connection string: it may hold spaces."""
_AND_MORE = re.compile(r"[^;\"'\\\r\n]{1,256};\s{0,4}[A-Za-z][\w ]{0,40}=")
_TOKENLIKE = re.compile(r"(?:[\w+/.~-]|%(?!26|3[bBdD])[0-9a-fA-F]{2})+(?:={1,2}|%3[dD]){0,2}")
_CONNECTED = re.compile(r"[^\s\"'`\\]{8,}")
_PROSE = frozenset(
    {"a", "an", "and", "are", "argument", "as", "at", "be", "by", "can", "do", "flag", "for", "from", "has", "if", "in"}
    | {"instead", "into", "is", "it", "may", "must", "not", "of", "on", "option", "or", "set", "should", "so", "than"}
    | {"that", "the", "then", "this", "to", "use", "used", "value", "via", "was", "when", "will", "with", "you", "your"}
)
"""Words that follow a flag in a sentence about it."""
_FLAG = re.compile(r"--?[A-Za-z]")


def says_nothing(value: str, at: int) -> bool:
    """True where a word, a variable or a call stands in the place of a value: `None`, `$PASSWORD`, `getpass()`."""
    return _NO_VALUE.match(value, at) is not None


def has_names(value: str) -> bool:
    """False where no name with a value can be in a text."""
    if "=" not in value and ":" not in value and "--" not in value and "%3" not in value:
        return False
    return _has_tail(value)


def _has_tail(value: str) -> bool:
    low = value.lower()
    return (
        ("key" in low or "token" in low or "pass" in low or "secret" in low or "pwd" in low or "sas" in low)
        or "string" in low
        or "signature" in low
    )


def named_values(value: str) -> Iterator[Place]:
    """The values of names that say secret. Each is read once: no text takes longer than its length says."""
    return _named(value) if has_names(value) else iter(())


def dashed_values(value: str) -> Iterator[Place]:
    """The same of a text in which options with one dash are all that has names: `-password …`, as Java's tools have."""
    return _named(value) if "-" in value and not has_names(value) and _has_tail(value) else iter(())


def _named(value: str) -> Iterator[Place]:
    at = 0
    while found := _NAMED.search(value, at):
        name = name_before(value, found.start(), found.end("tail"))
        place = _value_of(value, found, name) if says_secret(name) else None
        if place and place[0] < place[1]:
            yield place
            at = place[1]
        else:
            at = found.end("tail")


def name_before(value: str, tail: int, end: int) -> str:
    """The whole name that ends in a tail: `MY_API_key`, `--some-token`."""
    back = value[max(0, tail - LONGEST_NAME) : tail][::-1]
    start = tail - _REST.match(back).end()  # type: ignore[union-attr]  # it matches nothing, too
    escaped = _ESCAPED.match(value, max(0, start - 1))
    return value[max(start, min(escaped.end(), tail)) if escaped else start : end]


def says_secret(name: str) -> bool:
    """True for the name of a secret, or of an environment variable that holds one."""
    return names_secret(name) or (name.isupper() and name.endswith(ENVIRONMENT_ENDINGS))


def _value_of(value: str, found: re.Match[str], name: str) -> Place | None:
    start = found.end()
    if _NO_VALUE.match(value, start):
        return None
    flag = _FLAG.match(name) is not None
    if found["gap"] and not flag:
        return None
    opened = _OPEN.match(value, start)
    if opened:
        place = quoted(value, opened)
        if place is None or _NO_VALUE.match(value, place[0]):
            return None
        return place if flag or passes(value[slice(*place)], name, closed=bool(found["close"])) else None
    return _bare(value, start, found, name, flag=flag)


def passes(secret: str, name: str, *, closed: bool) -> bool:
    """True for what stands in quotes under a name, where it looks the part as far as the name leaves it open.

    `closed`: the name stands in quotes, too.
    """
    plain = "".join(re.findall(r"[a-z]+", name.lower()))
    return _strong(name) or (closed and plain.endswith(_AS_JSON)) or likely(secret, 8)


def _strong(name: str) -> bool:
    return name.replace("_", "").replace("-", "").lower().endswith(_STRONG)


def _bare(value: str, start: int, found: re.Match[str], name: str, *, flag: bool) -> Place | None:
    """The place of a value without quotes; None where it may be anything else."""
    if found["assign"] == ":" or found["close"]:
        return after_colon(value, start, name)
    if found["gap"] or not _strong(name):
        return _tokenlike(value, start, name, gap=bool(found["gap"]), flag=flag)
    if name.upper().endswith("PWD") and re.compile(r"[/~.]|[A-Za-z]:\\").match(value, start):
        return None  # the shell's working directory
    listed = value[: found.start("tail") - len(name) + len(found["tail"])].rstrip(" ").endswith(";")
    if listed or _AND_MORE.match(value, start):
        return _trimmed(_LISTED.match(value, start))
    return _trimmed(_WHOLE.match(value, start))


def after_colon(value: str, start: int, name: str) -> Place | None:
    """The place of what stands behind a colon without quotes; None where it may be anything else."""
    place = _trimmed(_WHOLE.match(value, start)) if _strong(name) else _run(value, start)
    plain = "".join(re.findall(r"[a-z]+", name.lower()))
    least = 6 if _strong(name) else 8 if plain.endswith(_AS_JSON) else 16
    return place if place and likely(value[slice(*place)], least) else None


def _tokenlike(value: str, start: int, name: str, *, gap: bool, flag: bool) -> Place | None:
    if name.lower().endswith("string"):
        return _trimmed(_CONNECTED.match(value, start))
    if gap and _strong(name):
        place = _trimmed(_WHOLE.match(value, start))
        plain = place is None or value[slice(*place)].lower() in _PROSE or value.startswith("-", start)
        return None if plain else place
    place = _run(value, start)
    return place if place and likely(value[slice(*place)], 8 if flag or not gap else 16) else None


def _run(value: str, start: int) -> Place | None:
    found = _TOKENLIKE.match(value, start)
    return found.span() if found else None


def likely(secret: str, least: int) -> bool:
    """True for what is long enough and no word."""
    return len(secret) >= least and any(char.isdigit() for char in secret)


def quoted(value: str, opened: re.Match[str]) -> Place | None:
    """The place up to the quote that closes as many backslashes deep as it was opened; None where none does."""
    slashes, quote, at = len(opened[1]), opened[2], opened.end()
    while (at := value.find(quote, at)) >= 0:
        bare = len(value[max(opened.end(), at - 64) : at].rstrip("\\"))
        count = at - max(opened.end(), at - 64) - bare
        if count <= slashes or count % (2 * (slashes + 1)) == slashes:
            return opened.end(), at - min(count, slashes)
        at += 1
    return None


def _trimmed(found: re.Match[str] | None) -> Place | None:
    """Without the punctuation of the sentence, or a bracket that was opened before."""
    if found is None:
        return None
    whole = found.group()
    closing = "".join(close for close, opening in (")(", "][", "}{") if opening not in whole)
    return found.start(), found.start() + len(whole.rstrip(f".,:{closing}"))
