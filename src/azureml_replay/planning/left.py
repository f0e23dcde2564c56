"""What a replay has left to send, in figures (pure)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Left:
    """By what the ledger says was sent. What the target says when it is asked may make less of it, never more."""

    runs: int = 0
    """To send: `new`, `begun`, `changed` and `hidden`."""
    new: int = 0
    """Runs of which nothing was sent."""
    begun: int = 0
    """Runs that were created and not completed: a command was stopped, or the run failed."""
    changed: int = 0
    """Runs that are there otherwise than they are planned now."""
    hidden: int = 0
    """Runs that `undo` took back: they are shown again, and get their files."""
    there: int = 0
    """Runs that are there as planned."""
    edited: int = 0
    """Runs that are there but for values that were edited in the target, which stay: every replay looks at them."""
    waiting: int = 0
    """Runs of which nothing is sent before one above them is extracted."""
    refused: int = 0
    """Runs that the target refused: not tried again while they stay as they are."""
    points: int = 0
    files: int = 0
    """Of the source."""
    bytes: int = 0
    """Of those files."""
    own_files: int = 0
    """That replay makes."""
    experiments: int = 0
    unsettled: int = 0
    """Of `new` and `begun`: runs of which something may have arrived: the target is asked first, and gets the rest."""
    unmarked: int = 0
    """Runs that a replay goes through, though nothing may be left of some of them."""
