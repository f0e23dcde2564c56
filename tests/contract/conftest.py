"""Every test of the contract is told to every subject."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from azureml_replay.workspace.target import Target
from contract.subjects import SUBJECTS, Subject


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Subject:
    """A kind of workspace."""
    return SUBJECTS[request.param](request)


@pytest.fixture
async def target(subject: Subject) -> AsyncIterator[Target]:
    """An empty workspace of it."""
    async with subject.opened() as found:
        yield found


@pytest.fixture
async def other(subject: Subject) -> AsyncIterator[Target]:
    """Another one, with storage of its own."""
    async with subject.opened() as found:
        yield found
