"""What one row of the table of secrets says (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from azureml_replay.redact.finders import Place

Find = Callable[[str], Iterator[Place]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretShape:
    """One kind of secret."""

    key: str
    what: str
    """For people, with an example of the form."""
    source: str
    """The document that tells the form."""
    needles: tuple[str, ...]
    """One of these is in every text that holds such a secret: looked for first."""
    find: Find
    chosen: bool = False
    """A person may have chosen it: less is told of it where it stands in a name."""
    since: int = 2
    """The first version of the table that has the row."""
