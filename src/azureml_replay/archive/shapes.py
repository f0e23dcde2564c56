"""Shapes of JSON, put together from smaller ones: whether a value is what somebody was to write (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from azureml_replay.instants import Instant

Shape: TypeAlias = Callable[[Any], object]
"""True for a value that is as it was written."""


def is_text(value: object) -> bool:
    """A text."""
    return isinstance(value, str)


def is_number(value: object) -> bool:
    """A number, whole or not."""
    return isinstance(value, int | float)


def maybe(shape: Shape) -> Shape:
    """The shape, or nothing."""
    return lambda value: value is None or shape(value)


def is_object(value: object) -> bool:
    """An object with anything in it."""
    return isinstance(value, dict)


def list_of(shape: Shape) -> Shape:
    """A list, each item of the shape."""
    return lambda value: isinstance(value, list) and all(map(shape, value))


def object_of(shape: Shape) -> Shape:
    """An object, each value of the shape."""
    return lambda value: isinstance(value, dict) and all(map(shape, value.values()))


def row_of(*shapes: Shape) -> Shape:
    """A list of as many items, each of its own shape."""
    return lambda value: (
        isinstance(value, list)
        and len(value) == len(shapes)
        and all(shape(item) for shape, item in zip(shapes, value, strict=True))
    )


def fields_of(needed: Mapping[str, Shape], further: Mapping[str, Shape] | None = None) -> Shape:
    """An object with all of the needed keys; further ones may be there. Any other key is not looked at."""
    needed, further = dict(needed), dict(further or {})
    return lambda value: (
        isinstance(value, dict)
        and all(key in value and shape(value[key]) for key, shape in needed.items())
        and all(shape(value[key]) for key, shape in further.items() if key in value)
    )


@lru_cache(maxsize=4_000)  # most runs of a page share a second, and their columns
def is_stamp(text: str) -> bool:
    """A moment as `str(Instant)` writes it."""
    try:
        Instant.parse(text)
    except (ValueError, TypeError):
        return False
    return True


TEXTS = object_of(maybe(is_text))
"""Tags and properties."""
NAMES = list_of(is_text)
