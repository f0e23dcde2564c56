"""Lines for a shell to `eval`: they lead its Azure clients to a sandbox, and back to what was before (pure).

The former values go from variable to variable inside the shell: printed, they would show a real login on the screen.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

INSIDE = "AZUREML_SANDBOX_ENV"
"""The variable of a shell that was led to a sandbox: that sandbox's folder."""
_BEFORE = "AZUREML_SANDBOX_BEFORE_"


def lead_in(folder: str, variables: Mapping[str, str], bypasses: Iterable[str]) -> list[str]:
    """Keep what is there, unless this shell was led to a sandbox before, then set and unset."""
    kept = (f'[ -n "${{{INSIDE}+x}}" ] || {_copied(name, _BEFORE + name)}' for name in (*variables, *bypasses))
    exported = (f"export {name}={shlex.quote(value)}" for name, value in {INSIDE: folder, **variables}.items())
    return [*kept, *exported, f"unset {' '.join(bypasses)}"]


def lead_back(names: Iterable[str]) -> list[str]:
    """Set what was kept and unset the rest; in a shell that was never led to a sandbox nothing changes."""
    return [*(line for name in names for line in _restored(name)), f"unset {INSIDE}"]


def _restored(name: str) -> tuple[str, str, str]:
    kept = _BEFORE + name
    return f'[ -z "${{{INSIDE}+x}}" ] || unset {name}', _copied(kept, name), f"unset {kept}"


def _copied(name: str, to: str) -> str:
    return f'[ -z "${{{name}+x}}" ] || export {to}="${name}"'
