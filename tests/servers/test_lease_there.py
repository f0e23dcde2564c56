"""A real server keeps leases as every workspace does: what the contract says of them, told to one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from azureml_replay.mlflow import leases
from azureml_replay.mlflow.target import MlflowTarget
from contract import test_lease as contract
from contract.test_lease import term
from mlflow_servers import MlflowServer
from servers.moving import named, opened


@pytest.fixture
async def connected(
    mlflow_server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[MlflowTarget, MlflowTarget]]:
    """Two connections, as two machines have them; leases of one test alone."""
    monkeypatch.setattr(contract, "NAME", uuid4().hex[:16])
    target = named(mlflow_server, tmp_path)
    async with AsyncExitStack() as stack:
        yield (await stack.enter_async_context(opened(target)), await stack.enter_async_context(opened(target)))


Connected = tuple[MlflowTarget, MlflowTarget]


async def test_what_every_workspace_promises(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewed and given back; one that follows bars the next; the same name again for each."""
    for promise in (contract.test_it_is_renewed_and_given_back, contract.test_a_term_that_follows_bars_the_next_one):
        monkeypatch.setattr(contract, "NAME", uuid4().hex[:16])
        await promise(connected)


async def test_of_many_that_claim_the_first_term_one_gets_it(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nobody ever held a lease on the server, so that each makes the runs that hold them."""
    monkeypatch.setattr(leases, "ANCHOR", f"azureml-replay-lease-{uuid4().hex[:8]}")
    one, two = connected
    asked = [term(1, f"{at}") for at in range(6)]

    told = await asyncio.gather(
        *(side.claim_term(contract.NAME, asked[at], 15) for at, side in enumerate((one, two, one, two, one, two)))
    )

    (winner,) = [asked[at] for at, now in enumerate(told) if now is not None]
    assert [(await side.read_lease(contract.NAME)).last for side in connected] == [winner, winner]


async def test_terms_go_on_in_another_run(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one holds; whoever comes finds the last."""
    monkeypatch.setattr(leases, "TERMS_PER_RUN", 3)
    one, two = connected
    holder = str(uuid4())
    for number in range(1, 9):
        last = term(number, holder=holder)
        assert await one.claim_term(contract.NAME, last, 15) is not None

    seen = await two.read_lease(contract.NAME)
    assert (seen.last, seen.holders) == (last, (last.holder,))
    assert await two.claim_term(contract.NAME, term(8), 0) is None
    assert await two.claim_term(contract.NAME, term(9), 0) is not None
