"""What every workspace that keeps leases promises, told to one over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from uuid import uuid4

import pytest

from azureml_replay.azure import leases as azure_leases
from azureml_replay.azure.config import workspace_config
from azureml_replay.azure.workspace import AzureWorkspace, connect
from azureml_replay.instants import Instant
from azureml_replay.workspace.lease import Leasable, LeaseHolder, Term, last_term
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile

NAME = "0123456789abcdef"
NOON = Instant.parse("2026-01-01T12:00:00Z")


def term(number: int, who: str = "anna", holder: str | None = None) -> Term:
    """Of a holder of its own, unless told otherwise."""
    whose = LeaseHolder(holder or str(uuid4()), f"{who}@somewhere", "somewhere")
    return Term(number=number, holder=whose, since=NOON, until=NOON.after(60))


@pytest.fixture
async def connected(
    workspace: WorkspaceFile, azure_env: dict[str, str]
) -> AsyncIterator[tuple[AzureWorkspace, AzureWorkspace]]:
    """Two connections to an empty workspace, as two machines have them."""
    async with AsyncExitStack() as stack:
        config = workspace_config(str(workspace.path))
        yield (await stack.enter_async_context(connect(config)), await stack.enter_async_context(connect(config)))


Connected = tuple[Leasable, Leasable]


async def test_of_two_that_claim_a_term_one_gets_it(connected: Connected) -> None:
    """At the same moment; both see whose it is, and a lease by another name is another lease."""
    one, two = connected
    asked = [term(1, "anna"), term(1, "bert")]

    told = await asyncio.gather(one.claim_term(NAME, asked[0], 15), two.claim_term(NAME, asked[1], 15))

    assert sorted(now is None for now in told) == [False, True]
    winner = asked[told[0] is None]
    assert [(await side.read_lease(NAME)).last for side in connected] == [winner, winner]
    other = "f" * 16
    assert (await two.read_lease(other)).last is None
    assert await two.claim_term(other, term(1), 15) is not None


async def test_it_is_renewed_and_given_back(connected: Connected) -> None:
    """While it is held nobody gets the next term, not even by the right number; afterwards anybody does."""
    one, two = connected
    held = term(1)
    assert await one.claim_term(NAME, held, 15) is not None
    assert await one.claim_term(NAME, held, 15) is not None, "an answer may have been lost"
    renewed = replace(held, number=2, until=NOON.after(120))
    assert await one.claim_term(NAME, renewed, 15) is not None

    assert await two.claim_term(NAME, term(2), 15) is None
    await one.give_back(NAME, last_term(renewed))
    await one.give_back(NAME, last_term(renewed))

    assert (await two.read_lease(NAME)).last == last_term(renewed)
    assert await two.claim_term(NAME, term(4), 15) is not None
    assert await one.claim_term(NAME, replace(renewed, number=3), 15) is None


async def test_the_storages_lock_of_the_dead_is_taken_off(connected: Connected) -> None:
    """By its holder's name: whoever got it in between keeps it."""
    one, two = connected
    dead, refused = term(1), term(2)
    assert await one.claim_term(NAME, dead, 60) is not None

    assert await two.claim_term(NAME, refused, 15, instead_of=[term(1).holder]) is None, "the storage knows it too"
    assert (await two.read_lease(NAME)).last == last_term(refused), "and what was claimed in vain is given back"
    assert await two.claim_term(NAME, term(4), 15, instead_of=[dead.holder]) is not None


async def test_whoever_has_the_storages_lock_it_is_taken_off_the_dead_before(connected: Connected) -> None:
    """The last of them was killed before the lock was theirs; all are named, the last one first."""
    one, two = connected
    dead, soon_dead = term(1), term(2)
    assert await one.claim_term(NAME, dead, 60) is not None
    assert await one.claim_term(NAME, soon_dead, 0) is not None

    seen = await two.read_lease(NAME)

    assert (seen.last, seen.holders) == (soon_dead, (soon_dead.holder, dead.holder))
    assert await two.claim_term(NAME, term(3), 15, instead_of=seen.holders) is not None


async def test_who_was_killed_while_taking_it_has_said_who_it_was(
    connected: Connected, calm: Sandbox, workspace: WorkspaceFile
) -> None:
    """Whatever the storage came to know, the next one finds the holder's name."""
    one, two = connected
    assert await one.claim_term("f" * 16, term(1), 15) is not None  # the storage is open
    calm.set_faults(rules=[{"match": {"route": "blob PUT lease"}, "do": "delay", "delay_ms": 60_000}])
    killed = term(1)
    taking = asyncio.ensure_future(one.claim_term(NAME, killed, 15))
    async with asyncio.timeout(30):
        while (found := (await two.read_lease(NAME)).last) is None:  # noqa: ASYNC110 it tells by being asked
            await asyncio.sleep(0.05)
    taking.cancel()
    calm.set_faults()

    assert found == killed
    assert await two.claim_term(NAME, term(2), 15, instead_of=[killed.holder]) is not None


async def test_a_term_that_follows_bars_the_next_one(connected: Connected) -> None:
    """It takes the number alone: the one that runs keeps the storage's lock, and cannot be renewed."""
    one, two = connected
    running, follows = term(1), term(2)
    assert await one.claim_term(NAME, running, 15) is not None

    assert await two.claim_term(NAME, follows, 0) is not None

    assert await one.claim_term(NAME, replace(running, number=2), 15) is None
    assert await two.claim_term(NAME, follows, 15, instead_of=[running.holder]) is not None


@pytest.mark.parametrize("count", [2, 3, 4, 5, 11, 24, 25])
async def test_terms_without_end(count: int, connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one run holds; the last is found by whoever comes."""
    monkeypatch.setattr(azure_leases, "TERMS_PER_RUN", 3)
    one, two = connected
    holder = str(uuid4())
    for number in range(1, count + 1):
        last = term(number, holder=holder)
        assert await one.claim_term(NAME, last, 15) is not None

    seen = await two.read_lease(NAME)
    assert (seen.last, seen.holders) == (last, (last.holder,))
    assert await two.claim_term(NAME, term(count), 0) is None
    assert await two.claim_term(NAME, term(count + 1), 0) is not None


NO_RIGHT = {"denied": [{"action": "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"}]}
FAILING = {"rules": [{"match": {"service": "blob"}, "do": "status", "status": 403}]}


@pytest.mark.parametrize("faults", [NO_RIGHT, FAILING], ids=["no right", "nothing works"])
async def test_without_a_storage_the_terms_are_a_lock_of_their_own(
    connected: Connected, calm: Sandbox, workspace: WorkspaceFile, faults: dict[str, object]
) -> None:
    """Where the login may not write blobs, or the storage does not answer."""
    calm.set_faults(**faults)  # type: ignore[arg-type]
    one, two = connected
    held = term(1)

    assert await one.claim_term(NAME, held, 15) is not None
    assert await two.claim_term(NAME, term(1), 15) is None
    assert await one.claim_term(NAME, replace(held, number=2), 15) is not None
    assert await two.claim_term(NAME, term(2), 15) is None
    await one.give_back(NAME, term(3, holder=held.holder.id))
    assert await two.claim_term(NAME, term(4), 15) is not None
