"""Trials of AutoML and sweep parents: which children they are, how good they were, which are replayed (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Sampling = Literal["best", "first", "random"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialChoice:
    """Which trials become nodes of their own."""

    sampling: Sampling = "best"
    most: int | None = None
    """None: all of them."""
    top_metric: str | None = None
    """What ranks them; None: the job's own primary metric."""
    seed: int = 0
    """Of `random`: equal seeds choose equal trials."""
