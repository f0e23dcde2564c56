"""Tells omissions that nobody need look at from those that lose something (pure)."""

from __future__ import annotations

from azureml_replay.planning.fit import IN_LINEAGE
from azureml_replay.planning.made_files import NO_CODE

_ASKED_FOR = ("left out by --", "cut by --")


def by_choice(reason: str) -> bool:
    """True for the reason of an omission that a flag of the user made, or one that was not given."""
    return reason == NO_CODE or any(words in reason for words in _ASKED_FOR)


def quiet(reason: str) -> bool:
    """True where the user asked for it, or the target's lineage has the value: drawn grey, changes no verdict.

    Nearly every run was created a moment before it began: were that told in amber, amber would say nothing.
    """
    return by_choice(reason) or reason.endswith(IN_LINEAGE)
