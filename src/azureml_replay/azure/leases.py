"""Leases kept in an Azure ML workspace: a parameter for each term, and a blob's lease where storage can be written.

Parameters are immutable: of two that write the same one, one is refused. A run holds 200 of them, so terms go into
runs by their number; the last of these is found by doubling. Where the workspace refuses ids of ours, MLflow's routes
make such a run, and a tag names it: of several that were made at the same time the one created first counts, which
everybody sees who made another one later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from azureml_replay.azure.services.history import RunHistory
from azureml_replay.azure.storage.blob_lock import BlobLock
from azureml_replay.azure.storage.storage import Storage
from azureml_replay.azure.tracked import TrackedRuns
from azureml_replay.errors import ServiceError, UserError
from azureml_replay.instants import Instant
from azureml_replay.model import Experiment, Json, Run, RunForm, RunId
from azureml_replay.workers import together
from azureml_replay.workspace.lease import OWN_EXPERIMENT, LeaseHolder, LeaseSeen, Term, last_term
from azureml_replay.workspace.limits import DOCUMENTED
from azureml_replay.workspace.target import Refused

TERMS_PER_RUN = DOCUMENTED.parameters
HOLDERS = 5
"""Calls that were killed one after the other within the minute that a storage's lock outlives them."""
NAME_TAG = "azureml_replay_lease"
"""The tag with the id that the run should have."""
_NEVER = Instant(2**63 - 1)
DESCRIPTION = (
    "Holds the lease of azureml-replay for what comes from one source: each parameter is a term, and says who may "
    "write until when. While nobody replays it is safe to delete."
)


class WorkspaceLeases:
    """See `workspace.lease.Leasable`."""

    def __init__(self, history: RunHistory, tracked: TrackedRuns, storage: Storage) -> None:
        """Nothing is asked yet."""
        self._history, self._tracked, self._storage = history, tracked, storage
        self._locks: dict[str, BlobLock] = {}
        self._made: set[RunId] = set()
        """Runs that are known to be there, by the ids that they should have."""
        self._ids: dict[RunId, RunId] = {}
        """The ids that they have, where the workspace chose them."""
        self._place: Experiment | None = None
        """Where they lie, once it is there."""

    async def read(self, name: str) -> LeaseSeen:
        """One request, and two for each doubling of what one run holds."""
        terms = await self._terms(name, 0) or {}
        if len(terms) >= TERMS_PER_RUN:
            at = await self._last_full(name)
            terms = {**(await self._terms(name, at) or {}), **(await self._terms(name, at + 1) or {})}
        found = [term for key, text in terms.items() if (term := _term(key, text))]
        found.sort(key=lambda term: term.number, reverse=True)
        holders = tuple(dict.fromkeys(term.holder for term in found))[:HOLDERS]
        return LeaseSeen(found[0] if found else None, self._history.clock(), holders)

    async def claim(self, name: str, term: Term, seconds: int, instead_of: Sequence[LeaseHolder]) -> Instant | None:
        """The parameter first: whoever is killed before the storage's lock is theirs has said who they were."""
        written, _ = await together(partial(self._write, name, term), self._lock(name).reach)
        if not written:
            return None
        others = [holder.id for holder in instead_of]
        if seconds and not await self._lock(name).take(term.holder.id, seconds, instead_of=others):
            await self._write(name, last_term(term))
            return None
        return self._history.clock()

    async def give_back(self, name: str, term: Term) -> None:
        """Repeatable."""
        await self._write(name, term)
        await self._lock(name).let_go(term.holder.id)

    async def _write(self, name: str, term: Term) -> bool:
        """False where the term is somebody else's already. Raises Rejected where it is nobody's and is refused."""
        at = (term.number - 1) // TERMS_PER_RUN
        run, wanted = _run_of(name, at), {_key(term.number): term.to_text()}
        if run not in self._made:
            await self._make(run)
            before = [self._id(_run_of(name, at - 1))] if at else []
            await self._history.hide_runs(OWN_EXPERIMENT, before, hidden=True)
        outcome = await self._history.add_parameters(OWN_EXPERIMENT, self._id(run), wanted, hidden=term.over)
        if outcome is None:
            return True
        if isinstance(outcome, ServiceError):
            raise outcome
        if (await self._history.parameters(self._id(run)) or {}).get(_key(term.number)) is None:
            raise outcome.error("the lease of this replay: ")
        return False

    async def _make(self, run: RunId) -> None:
        """Active while somebody replays, so that people see it; archived once the lease is given back."""
        wanted = Run(id=run, experiment=OWN_EXPERIMENT, display_name="lease of azureml-replay", description=DESCRIPTION)
        outcome = (await self._history.put_runs(OWN_EXPERIMENT, [wanted]))[run]
        if isinstance(outcome, Refused) and outcome.of_status:
            external = replace(wanted, form=RunForm.EXTERNAL)
            outcome = (await self._history.put_runs(OWN_EXPERIMENT, [external]))[run]
        if isinstance(outcome, ServiceError):
            raise outcome
        if outcome is not None:
            await self._make_named(wanted, outcome)
        self._made.add(run)

    async def _make_named(self, wanted: Run, refused: Refused) -> None:
        """Make the run under an id of the workspace's own. Repeatable. Raises UserError where that is refused too.

        Each attempt makes another one: the first counts, and the others are archived.
        """
        there = await self._tracked.make(OWN_EXPERIMENT, replace(wanted, tags={NAME_TAG: wanted.id}))
        if isinstance(there, Refused):
            raise UserError(f"the target refuses runs with ids of the client's choice: {refused.reason}")
        first = await self._named(wanted.id)
        self._ids[wanted.id] = first or there
        if first not in (None, there):
            await self._history.hide_runs(OWN_EXPERIMENT, [there], hidden=True)

    async def _named(self, run: RunId) -> RunId | None:
        """The run that was created first of those that bear the name; None where none does."""
        if self._place is None:
            self._place = await self._history.experiment(OWN_EXPERIMENT)
        found = await self._tracked.tagged(self._place, NAME_TAG, run) if self._place else {}
        details = await self._history.details(list(found)) if found else {}
        born = sorted((one.run.created or _NEVER, there) for there, one in details.items())
        return born[0][1] if born else None

    def _id(self, run: RunId) -> RunId:
        return self._ids.get(run, run)

    async def _terms(self, name: str, at: int) -> Mapping[str, Json] | None:
        run = _run_of(name, at)
        found = await self._history.parameters(self._id(run))
        if found is None and run not in self._ids and (named := await self._named(run)):
            self._ids[run] = named
            found = await self._history.parameters(named)
        if found is not None:
            self._made.add(run)
        return found

    async def _last_full(self, name: str) -> int:
        """The last run that holds as many terms as it may; the first one is known to."""
        full, beyond = 0, 1
        while len(await self._terms(name, beyond) or ()) >= TERMS_PER_RUN:
            full, beyond = beyond, 2 * beyond
        while beyond - full > 1:
            middle = (full + beyond) // 2
            if len(await self._terms(name, middle) or ()) >= TERMS_PER_RUN:
                full = middle
            else:
                beyond = middle
        return full

    def _lock(self, name: str) -> BlobLock:
        if name not in self._locks:
            self._locks[name] = BlobLock(self._storage, name)
        return self._locks[name]


def _run_of(name: str, at: int) -> RunId:
    return RunId(f"azureml-replay-lease-{name}-{at}")


def _key(number: int) -> str:
    return f"term_{number}"


def _term(key: str, text: Json) -> Term | None:
    word, _, number = key.partition("_")
    return Term.of_text(int(number), str(text)) if word == "term" and number.isdecimal() else None
