"""Makes names that the service accepts, the same every time (pure)."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from azureml_replay.model import RunId
from azureml_replay.workspace.limits import DOCUMENTED
from azureml_replay.workspace.place import Place

SLUG = re.compile(r"[a-z_][a-z0-9_]{0,59}")
"""azure-ai-ml's loaders take `^[a-z_][a-z\\d_]*$` as a node's key (is_valid_node_name); the length is ours."""
_LONGEST = 60
_JOB = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,254}")
"""The service's rule for the name of a job (FIDELITY, Limits of the target)."""


def slug(text: str) -> str:
    """A node's key from a text: `Train model (GPU)` becomes `train_model_gpu`, `3-fold` becomes `_3_fold`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "_", plain).strip("_") or "step"
    return (words if words[0].isalpha() else f"_{words}")[:_LONGEST]


def unique(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Slugs of the names, in order; a second `train` becomes `train_2`. Those in `taken` are not used."""
    used, found = set(taken), list[str]()
    for name in names:
        base = chosen = slug(name)
        number = 1
        while chosen in used:
            number += 1
            suffix = f"_{number}"
            chosen = base[: _LONGEST - len(suffix)] + suffix
        used.add(chosen)
        found.append(chosen)
    return found


def job_name(run: RunId, source: Place) -> str:
    """The name for a run's job: the original's, unless jobs may not have it, as with some runs that MLflow made."""
    return run if _JOB.fullmatch(run) else fallback_name(run, source)


def fallback_name(run: RunId, source: Place) -> str:
    """The job's name where the original's is taken: `{run}-r{8 hex digits}` of source workspace and run."""
    digest = hashlib.sha256(f"{source.key}/{run}".encode()).hexdigest()[:8]
    plain = re.sub(r"[^a-zA-Z0-9_-]", "-", run).lstrip("-_") or "run"
    return f"{plain[: DOCUMENTED.run_id - 10]}-r{digest}"
