"""Leases kept on a server: a parameter for each term, and which run holds them is settled the same way.

Parameters are immutable: of two that write the same one, one is refused. A server names its runs itself, so of two that
make the first run for leases each has one; which of them counts is told by the name of an experiment, of which there is
one: whoever makes it first writes the run there. From that run on parameters lead: for each source to the run that
holds its terms, and from a full one to the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from azureml_replay.errors import Rejected, Uncertain, UserError
from azureml_replay.instants import Instant
from azureml_replay.mlflow.rest import Rest
from azureml_replay.mlflow.wire import ask, encode
from azureml_replay.mlflow.writing import Writing
from azureml_replay.model import Experiment, Json, Run, RunId
from azureml_replay.workspace.lease import OWN_EXPERIMENT, LeaseHolder, LeaseSeen, Term
from azureml_replay.workspace.target import Refused

TERMS_PER_RUN = 200
"""A run's answer has all its parameters: 60 KB."""
HOLDERS = 5
ANCHOR = "azureml-replay-lease"
"""The experiment whose tag names the first run for leases."""
ROOT_TAG = "azureml_replay_lease_root"
NEXT = "next"
DESCRIPTION = (
    "Holds leases of azureml-replay: each parameter is a term, and says who may write until when. "
    "While nobody replays it is safe to delete, together with the experiment azureml-replay-lease."
)
_GONE = (
    f"the run {{run}} holds the leases of azureml-replay and is deleted: restore it, or, while nobody replays, "
    f"delete the experiment {ANCHOR} for good"
)


class ServerLeases:
    """See `workspace.lease.Leasable`."""

    def __init__(self, rest: Rest, writing: Writing) -> None:
        """Nothing is asked yet."""
        self._rest, self._writing = rest, writing
        self._last: dict[str, RunId] = {}
        """Name of a lease -> the run that was last seen to hold its terms."""

    async def read(self, name: str) -> LeaseSeen:
        """What is there; two runs' terms where the last one has just begun."""
        found: list[Term] = []
        run = await self._first(name)
        while run is not None:
            held = await self._parameters(run)
            found = [*found[-HOLDERS:], *_terms(held)]
            self._last[name] = run
            run = _next_run(held)
        found.sort(key=lambda term: term.number, reverse=True)
        holders = tuple(dict.fromkeys(term.holder for term in found))[:HOLDERS]
        return LeaseSeen(found[0] if found else None, self._rest.clock(), holders)

    async def claim(self, name: str, term: Term, seconds: int, instead_of: Sequence[LeaseHolder]) -> Instant | None:
        """The clock, or None where somebody else has the term. A server has no lock beside."""
        del seconds, instead_of
        return self._rest.clock() if await self._write(name, term) else None

    async def give_back(self, name: str, term: Term) -> None:
        """Repeatable."""
        await self._write(name, term)

    async def _write(self, name: str, term: Term) -> bool:
        run = await self._run_for(name, term.number)
        return await self._settle(run, _key(term.number), term.to_text()) == term.to_text()

    async def _run_for(self, name: str, number: int) -> RunId:
        """The run that holds a term: the one that was last seen, or one behind it."""
        run = self._last.get(name) or await self._first(name) or await self._begun(name)
        for _ in range(number // TERMS_PER_RUN + 2):
            held = await self._parameters(run)
            numbers = [term.number for term in _terms(held)]
            if not numbers or number - min(numbers) < TERMS_PER_RUN or _key(number) in held:
                break
            run = _next_run(held) or RunId(await self._settle(run, NEXT, await self._make()))
        self._last[name] = run
        return run

    async def _first(self, name: str) -> RunId | None:
        root = await self._root()
        held = await self._parameters(root) if root else {}
        found = held.get(_lease(name))
        return RunId(found) if isinstance(found, str) else None

    async def _begun(self, name: str) -> RunId:
        root = await self._root() or await self._anchored()
        return RunId(await self._settle(root, _lease(name), await self._make()))

    async def _root(self) -> RunId | None:
        anchor = await self._rest.experiment(ANCHOR)
        root = anchor.tags.get(ROOT_TAG) if anchor else None
        return RunId(root) if root else None

    async def _anchored(self) -> RunId:
        """Make the first run, unless somebody is first: then theirs counts."""
        run = await self._make()
        wanted = Experiment(id="", name=ANCHOR, description=DESCRIPTION, tags={ROOT_TAG: run})
        with suppress(Uncertain):
            await self._writing.make_first(wanted)
        root = await self._root()
        if root is None:
            raise UserError(
                f"the experiment {ANCHOR} of {self._rest.place} is not ours: delete it for good, or rename it"
            )
        return root

    async def _make(self) -> RunId:
        wanted = Run(
            id=RunId("lease"),
            experiment=OWN_EXPERIMENT,
            display_name="lease of azureml-replay",
            description=DESCRIPTION,
        )
        made = await self._writing.make(OWN_EXPERIMENT, wanted)
        if isinstance(made, Refused):
            raise made.error("the lease of this replay: ")
        return made

    async def _settle(self, run: RunId, key: str, value: str) -> str:
        """Write a parameter that nobody has written; what stands there, whoever was first. Raises Rejected."""
        try:
            for body in encode.batches(run, {}, {key: value}):
                await self._rest.send("POST", f"{ask.API}/runs/log-batch", json=body)
        except Rejected:
            there = (await self._parameters(run)).get(key)
            if not isinstance(there, str):
                raise
            return there
        return value

    async def _parameters(self, run: RunId) -> Mapping[str, Json]:
        found = await self._rest.run(run, {})
        if found is None or found.run.hidden:
            raise UserError(_GONE.format(run=run))
        return found.run.parameters


def _lease(name: str) -> str:
    return f"lease_{name}"


def _key(number: int) -> str:
    return f"term_{number}"


def _next_run(held: Mapping[str, Json]) -> RunId | None:
    found = held.get(NEXT)
    return RunId(found) if isinstance(found, str) else None


def _terms(held: Mapping[str, Json]) -> list[Term]:
    found = []
    for key, text in held.items():
        word, _, number = key.partition("_")
        if word == "term" and number.isdecimal() and (term := Term.of_text(int(number), str(text))):
            found.append(term)
    return sorted(found, key=lambda term: term.number)
