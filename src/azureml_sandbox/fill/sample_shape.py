"""The runs of a sample before they have content: trees of pipelines, sweeps, AutoML, at most three levels deep. Pure.

Everything is drawn from generators seeded with the sample's seed and a position, so that equal seeds give equal
histories, and a larger sample begins with the smaller one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from azureml_sandbox import instants
from azureml_sandbox.guids import stable_guid

Type = Literal["command", "tracked", "pipeline", "step", "nested", "sweep", "automl", "trial"]
Status = Literal["Completed", "Failed", "Canceled"]

_BEGIN = instants.parse("2023-02-01T08:00:00+00:00")
_ROOT_EVERY = 1_861 * instants.SECOND  # half an hour: 10,000 roots span seven months
_ADJECTIVES = (
    "brave",
    "calm",
    "dreamy",
    "eager",
    "frank",
    "gentle",
    "honest",
    "icy",
    "jolly",
    "keen",
    "loyal",
    "mango",
)
_TRIAL: Type = "trial"
_NOUNS = ("ant", "beach", "circle", "drain", "engine", "fox", "guitar", "hook", "ice", "jelly", "kale", "leaf")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The size of a sample."""

    runs: int
    """The number of runs in all, children included."""
    seed: int = 0
    experiments: int = 3
    children: int = 3
    """Children of every run that has any; 0 makes root runs only."""
    series: int = 3
    """Metrics of a run."""
    points: int = 10
    """Rows of a metric."""
    artifacts: int = 2
    """Files of a run."""


@dataclass(frozen=True, slots=True)
class Node:
    """One run of a sample, before it has content."""

    run_id: str
    type: Type
    root: int
    """The number of its tree."""
    number: int
    """Its place among its siblings."""
    status: Status
    created: int
    started: int
    ended: int
    parent: Node | None

    @property
    def random(self) -> random.Random:
        """A random generator of its own."""
        return random.Random(f"content/{self.run_id}")  # noqa: S311 nothing secret


def nodes(wanted: Wanted) -> Iterator[Node]:
    """The runs of a sample, parents before their children, in the order in which the roots were created."""
    left = wanted.runs
    root = 0
    while left:
        for node in _tree(wanted, root):
            yield node
            left -= 1
            if not left:
                return
        root += 1


def _tree(wanted: Wanted, root: int) -> Iterator[Node]:
    draw = random.Random(f"{wanted.seed}/{root}")  # noqa: S311 nothing secret
    name = f"{draw.choice(_ADJECTIVES)}_{draw.choice(_NOUNS)}_{draw.getrandbits(40):010x}"
    types: list[Type] = ["pipeline", "sweep", "automl"] if wanted.children else []
    kind: Type = draw.choice([*types, *types, "command", "tracked"])
    created = _BEGIN + root * _ROOT_EVERY + draw.randrange(600 * instants.SECOND)
    top = _node(draw, name, kind, root=root, number=0, created=created, seconds=1_200, parent=None)
    yield top
    yield from _below(wanted, draw, top)


def _below(wanted: Wanted, draw: random.Random, parent: Node) -> Iterator[Node]:
    """The runs below a run, within its time; the first step of a pipeline has steps of its own."""
    if parent.type not in ("pipeline", "nested", "sweep", "automl"):
        return
    seconds = (parent.ended - parent.started) // instants.SECOND
    for number in range(wanted.children):
        if parent.type in ("sweep", "automl"):
            run_id, kind = f"{parent.run_id}_{number}", _TRIAL
        else:
            run_id = stable_guid("sample", wanted.seed, parent.run_id, number)
            kind = "nested" if parent.type == "pipeline" and number == 0 else "step"
        created = parent.started + draw.randrange(1 + seconds // 4) * instants.SECOND + draw.randrange(instants.SECOND)
        child = _node(
            draw,
            run_id,
            kind,
            root=parent.root,
            number=number,
            created=created,
            seconds=max(8, seconds // 4),
            parent=parent,
        )
        yield child
        yield from _below(wanted, draw, child)


def _node(
    draw: random.Random,
    run_id: str,
    kind: Type,
    *,
    root: int,
    number: int,
    created: int,
    seconds: int,
    parent: Node | None,
) -> Node:
    """One run; its times have 7 decimals, or 3 where MLflow made it (both recorded)."""
    grain = instants.MILLISECOND if kind == "tracked" else 1
    created -= created % grain
    started = created + draw.randrange(2 * instants.SECOND) // grain * grain
    ended = started + draw.randrange(seconds * instants.SECOND // 2, seconds * instants.SECOND) // grain * grain
    status: Status = draw.choices(("Completed", "Failed", "Canceled"), (80, 12, 8))[0]
    return Node(run_id, kind, root, number, status, created, started, ended, parent)
