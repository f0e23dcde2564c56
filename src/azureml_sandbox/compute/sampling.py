"""Parameters of a sweep's trials. Pure, but for the random numbers that are passed in.

The distributions are those of azure-ai-ml's `azure.ai.ml.sweep`; values are rounded as its documentation says
(`quniform(a, b, q)`: `round(uniform(a, b) / q) * q`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

from azureml_sandbox.protocol.errors import Refused

Space = Mapping[str, Sequence[Any]]
"""Name to distribution and arguments: `["uniform", [0.001, 0.1]]`, `["choice", [[2, 5, 7]]]` (doubly nested)."""


def check(space: Space, kind: str | None) -> None:
    """Raises Refused: 400 for a distribution that the algorithm cannot sample, 501 for an algorithm not known here."""
    if kind not in {"Random", "Grid"}:
        raise Refused(501, f"The sandbox does not sample with the algorithm {kind}.", ("SandboxNotImplemented",))
    for name, (distribution, *_) in space.items():
        if distribution not in _DRAW or (kind == "Grid" and distribution != "choice"):
            raise Refused(
                400,
                f"Parameter {name}: {distribution} cannot be sampled by {kind}.",
                ("UserError", "BadArgument", "ArgumentInvalid", "InvalidSearchSpace"),
            )


def trials(space: Space, kind: str, random: Random) -> Iterator[dict[str, Any]]:
    """The parameters of one trial after the other: every combination of a grid, or random ones without end."""
    if kind == "Grid":
        for values in itertools.product(*(arguments[0] for _, arguments in space.values())):
            yield dict(zip(space, values, strict=True))
        return
    while True:
        yield {name: _DRAW[distribution](random, *arguments) for name, (distribution, arguments) in space.items()}


def _quantised(draw: Callable[..., float]) -> Callable[..., float]:
    def rounded(random: Random, first: float, second: float, quantum: float) -> float:
        return round(draw(random, first, second) / quantum) * quantum

    return rounded


def _log_uniform(random: Random, low: float, high: float) -> float:
    return math.exp(random.uniform(low, high))


def _log_normal(random: Random, mean: float, deviation: float) -> float:
    return math.exp(random.gauss(mean, deviation))


_DRAW: dict[str, Callable[..., Any]] = {
    "choice": Random.choice,
    "randint": Random.randrange,
    "uniform": Random.uniform,
    "quniform": _quantised(Random.uniform),
    "loguniform": _log_uniform,
    "qloguniform": _quantised(_log_uniform),
    "normal": Random.gauss,
    "qnormal": _quantised(Random.gauss),
    "lognormal": _log_normal,
    "qlognormal": _quantised(_log_normal),
}
