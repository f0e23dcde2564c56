"""`${{…}}` in commands and bindings, and `$[[…]]` around what depends on optional inputs. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

_EXPRESSION = re.compile(r"\$\{\{\s*([^{}]*?)\s*\}\}")
_OPTIONAL = re.compile(r"\$\[\[(.*?)\]\]", re.DOTALL)


def names(text: str) -> list[str]:
    """The names in the text's expressions, in order: `inputs.lr`, `parent.jobs.prepare.outputs.data`."""
    return _EXPRESSION.findall(text)


def only(text: str) -> str | None:
    """The name, where the text is one expression and nothing else; None where it is not."""
    whole = _EXPRESSION.fullmatch(text.strip())
    return whole[1] if whole else None


def filled(text: str, value: Callable[[str], str]) -> str:
    """The text with each name's value in its place."""
    return _EXPRESSION.sub(lambda found: value(found[1]), text)


def command(text: str, values: Mapping[str, str], absent: Collection[str] = ()) -> str:
    """A command line with its values; an optional part stays where none of its names is `absent`.

    An output is found whatever the case of its name; a parameter that no search space has stays as it is (assumption).

    Raises:
        KeyError: an expression has another name without a value.
    """
    kept = _OPTIONAL.sub(lambda part: "" if set(names(part[1])) & set(absent) else part[1], text)
    return filled(kept, lambda name: _value(values, name))


def _value(values: Mapping[str, str], name: str) -> str:
    if name not in values and name.startswith("search_space."):
        return f"${{{{{name}}}}}"
    return values[name if name in values or not name.startswith("outputs.") else name.lower()]
