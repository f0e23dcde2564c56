"""Command lines for people to paste: quoted as this system's shell wants them, without secrets."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence

from azureml_replay import redact


def quoted(arguments: Sequence[str]) -> str:
    """The arguments as one line to paste. A secret becomes stars, and has to be given again."""
    clean = redact.arguments(arguments)
    return subprocess.list2cmdline(clean) if os.name == "nt" else shlex.join(clean)


def hint(*arguments: object) -> str:
    """A line of ours with these arguments, whole: what a message tells to type can be typed."""
    return quoted(["azureml-replay", *map(str, arguments)])
