"""A deletion is asked for once and then where its answers lead, with our token to no other host."""

from __future__ import annotations

from typing import Any, cast

import pytest

from azureml_replay.azure.config import WorkspaceConfig, workspace_config
from azureml_replay.azure.jobs import DELETE_PATIENCE_S, DELETE_POLL_S, AzureSubmitter
from azureml_replay.azure.words import AZURE_WORDS
from azureml_replay.errors import NotFound, Unavailable
from azureml_replay.sending.sender import Sender
from unit.scripted import Patient, Said, Scripted, Tokens

LOCATION = "https://management.azure.com/locations/l/mfeOperationResults/jd:w:j%2F?t=1&c=a%2Bb&s=x-_~"
"""Signed: to be followed byte for byte."""


def submitter(*script: Said) -> tuple[AzureSubmitter, Scripted, Patient]:
    wire, clock = Scripted(*script), Patient()
    sender = Sender(wire, Tokens(), AZURE_WORDS, parallel=1, clock=clock)
    config: WorkspaceConfig = workspace_config("sub/group/ws")
    nothing = cast("Any", None)
    return AzureSubmitter(sender, config, "https://api", storage=nothing, files=nothing), wire, clock


def under_way(location: str = LOCATION, **more: str) -> Said:
    return Said(202, b"null", {"Location": location, **more})


async def test_it_is_over_when_the_operation_is() -> None:
    """The wait is the one that is stated, else ours; a 202 without a place is asked again where it came from."""
    jobs, wire, clock = submitter(under_way(**{"Retry-After": "10"}), Said(202, b"{}"), under_way(), Said(200, b""))

    await jobs.delete_job("j /1")

    assert [(one.method, one.url) for one in wire.requests[1:]] == [("GET", LOCATION)] * 3
    assert wire.requests[0].url.partition("?")[0].endswith("/workspaces/ws/jobs/j%20%2F1")
    assert clock.waits == [10.0, DELETE_POLL_S, DELETE_POLL_S]


@pytest.mark.parametrize("said", [Said(200, b""), Said(204, b"")], ids=["200", "204"])
async def test_it_may_be_over_at_once(said: Said) -> None:
    jobs, wire, _ = submitter(said)

    await jobs.delete_job("j")

    assert len(wire.requests) == 1


async def test_a_place_that_is_gone_is_the_end_and_a_job_that_is_not_there_is_told() -> None:
    jobs, _, _ = submitter(under_way(), Said(404))
    await jobs.delete_job("j")

    jobs, _, _ = submitter(Said(404))
    with pytest.raises(NotFound):
        await jobs.delete_job("j")


async def test_no_token_goes_elsewhere_and_nobody_waits_for_ever() -> None:
    jobs, wire, _ = submitter(under_way("https://elsewhere.example/x"))
    with pytest.raises(Unavailable, match="at another host"):
        await jobs.delete_job("j")
    assert len(wire.requests) == 1

    jobs, _, clock = submitter(*[under_way() for _ in range(int(DELETE_PATIENCE_S / DELETE_POLL_S) + 1)])
    with pytest.raises(Unavailable, match="still being deleted"):
        await jobs.delete_job("j")
    assert clock.waited_s == DELETE_PATIENCE_S
