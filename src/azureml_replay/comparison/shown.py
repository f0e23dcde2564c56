"""Values as findings show them (pure)."""

from __future__ import annotations

from azureml_replay import redact
from azureml_replay.model import Finding, RunId

TEXT_LENGTH = 120
"""Characters of a value that a finding shows."""


def finding_of(run: RunId, what: str, expected: object, actual: object) -> Finding:
    kind = "absent" if actual is None else "extra" if expected is None else "differs"
    return Finding(run, what, kind, shown(expected), shown(actual))


def shown(value: object, key: str = "") -> str:
    """A value as findings show it: short, without secrets; None is empty, and an empty text in quotes is not."""
    if value is None:
        return ""
    whole = redact.STARS if redact.names_secret(key) else redact.text(repr(value) if value == "" else str(value))
    return whole if len(whole) <= TEXT_LENGTH else f"{whole[: TEXT_LENGTH - 1]}…"
