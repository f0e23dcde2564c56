"""Patterns of names, as a shell has them (pure)."""

from __future__ import annotations

from fnmatch import fnmatchcase


def fits(name: str, pattern: str) -> bool:
    """True where a pattern means a name. A name means itself first: `sweep [a]` is no pattern of `sweep a`."""
    return name == pattern or fnmatchcase(name, pattern)
