"""Tells omissions that the user asked for from those that the service or the target forces (pure)."""

from __future__ import annotations

from azureml_replay.planning.made_files import NO_CODE

_ASKED_FOR = ("left out by --", "cut by --")


def by_choice(reason: str) -> bool:
    """True for the reason of an omission that a flag of the user made, or one that was not given."""
    return reason == NO_CODE or any(words in reason for words in _ASKED_FOR)
