"""Whatever passes a sandbox for a while, held against the interfaces."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from azureml_replay.sending.sender import USER_AGENT
from azureml_sandbox.server.sandbox import Sandbox
from interfaces.deviations import ANSWERS, REQUESTS, WITHOUT, Known, unexplained
from interfaces.facts import Contradiction, Facts
from interfaces.make import TABLE


@dataclass(slots=True)
class Held:
    """What was found; filled when the recording ends."""

    requests: set[Contradiction] = field(default_factory=set)
    """Of the product's own requests; other clients are not ours to judge."""
    answers: set[Contradiction] = field(default_factory=set)
    routes: set[str] = field(default_factory=set)
    """Those that the product asked."""

    def add(self, facts: Facts, exchange: dict[str, Any]) -> None:
        """Judge one exchange. Errors of a fault that was declared have their service's form too."""
        route, ours = f"{exchange['method']} {exchange['route']}", exchange["client"] == USER_AGENT
        if ours:
            self.routes.add(route)
        if facts.knows(route):
            self.requests |= set(facts.of_request(exchange)) if ours else set()
            self.answers |= set(facts.of_answer(exchange))

    def unexplained(self, odd: Collection[Known] = ()) -> list[str]:
        """What contradicts, and no evidence stands behind; routes that are known from nowhere."""
        answers = (*ANSWERS, *odd)
        return [
            *(str(one) for one in sorted(self.requests) if unexplained(one, REQUESTS)),
            *(str(one) for one in sorted(self.answers) if unexplained(one, answers)),
            *(f"{route}: in no interface file" for route in sorted(self.routes) if unknown(route)),
        ]


FACTS = Facts(json.loads(TABLE.read_text("utf-8")))


def unknown(route: str) -> bool:
    """Whether neither an interface file nor anything else tells of a route."""
    return not FACTS.knows(route) and not any(re.fullmatch(one, route) for one in WITHOUT)


@contextmanager
def held(sandbox: Sandbox, odd: Collection[Known] = ()) -> Iterator[Held]:
    """Record what happens in the block, and fail where it contradicts the interfaces; `odd`: also known of answers."""
    found = Held()
    with sandbox.recorded() as exchanges:
        yield found
    for exchange in exchanges:
        found.add(FACTS, exchange)
    assert found.routes, "the product asked nothing: is it known by its User-Agent?"
    if wrong := found.unexplained(odd):
        raise AssertionError("\n".join(wrong))
