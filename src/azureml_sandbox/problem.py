"""The error whose message the sandbox's commands show to the user."""

from __future__ import annotations


class Problem(Exception):
    """Something that the user can mend; the message is one line that says what is wrong and what to do."""
