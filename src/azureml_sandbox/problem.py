"""What a command of the sandbox can't do, in the user's words."""

from __future__ import annotations


class Problem(Exception):
    """What the user can mend; the message is one line with what to do."""
