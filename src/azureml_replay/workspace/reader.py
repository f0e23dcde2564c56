"""How any document of the wire is read: absent, unreadable and new values (pure; knows no key)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar

from azureml_replay import json_text
from azureml_replay.errors import Rejected
from azureml_replay.instants import Instant
from azureml_replay.model import Json

Document: TypeAlias = Mapping[str, Any]
Params = ParamSpec("Params")
Result = TypeVar("Result")

NOT_SET = "0001-01-01T00:00:00"
"""The beginning of a time that nobody set, as .NET writes it (responses.md 9)."""
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)
"""Exceptions that reading a value of an unforeseen form raises."""


def readable(decoder: Callable[Params, Result]) -> Callable[Params, Result]:
    """Decorate `decoder`: a document that it cannot read raises Rejected, which names what was looked for."""

    @wraps(decoder)
    def checked(*args: Params.args, **kwargs: Params.kwargs) -> Result:
        try:
            return decoder(*args, **kwargs)
        except UNREADABLE as error:
            raise Rejected(f"cannot read the {decoder.__name__} that the service answered: {error!r}") from error

    return checked


class Reader:
    """Reads values of one document. A value of an unforeseen form is noted and left out, and stops nothing."""

    def __init__(self, document: Document) -> None:
        """Reads nothing yet."""
        self._document = document
        self.unreadable: list[str] = []

    def __call__(self, key: str, read: Callable[[Any], Result], otherwise: Result) -> Result:
        """What `read` makes of the value; `otherwise` for null, an absent key, and what it cannot read."""
        value = self._document.get(key)
        if value is None:
            return otherwise
        try:
            return read(value)
        except UNREADABLE:
            self.unreadable.append(key)
            return otherwise


def instant(text: str | None) -> Instant | None:
    """A time stamp; None for one that is not set. Raises ValueError."""
    return None if text is None or text.startswith(NOT_SET) else Instant.parse(text)


def words(value: Any) -> str:  # noqa: ANN401 whatever stands there
    """A text. Raises TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"not a text: {value!r}")
    return value


def unicode_text(value: Any) -> str:  # noqa: ANN401 whatever stands there
    """A text that can be looked up and stand in a URL. Raises TypeError, and ValueError for half a surrogate pair."""
    found = words(value)
    found.encode()
    return found


def pairs(value: Any) -> dict[str, str | None]:  # noqa: ANN401 whatever stands there
    """Texts by key, as the service keeps them: a number that was sent was answered as its text (responses.md 4.5)."""
    return {
        key: one if one is None or isinstance(one, str) else json_text.dumps(one).decode() for key, one in value.items()
    }


def mapping(value: Any) -> Document:  # noqa: ANN401 whatever stands there
    """Anything by key. Raises AttributeError for what has no keys."""
    return dict(value.items())


def beyond(document: Document, read: frozenset[str]) -> dict[str, Json]:
    """The keys with a value that are not read into fields."""
    return {key: value for key, value in document.items() if key not in read and value not in (None, {}, [])}


def unknown(document: Document, known: frozenset[str], where: str = "") -> tuple[str, ...]:
    """The keys that are not known, with `where` put before each."""
    return tuple(sorted(where + key for key in document if key not in known))


def text_of_page(body: bytes) -> str:
    """What an answer says that is no JSON: storage's XML, a proxy's page, one line of text."""
    text = body[:2000].decode("utf-8", "replace").lstrip("\ufeff")
    for start, end in (("<Message>", "</Message>"), ("<title>", "</title>")):
        if start in text:
            return text.partition(start)[2].partition(end)[0].partition("\n")[0].strip()
    return text.partition("\n")[0].strip()[:200]
