"""What is never attached."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, cast

import pytest

from azureml_replay.direct.attach import attached
from azureml_replay.model import Artifact, Location, Run, RunId, StoredFile
from azureml_replay.redact import NEWEST


class Step:
    run, lender = Run(id=RunId("r1")), None


class Target:
    """Has every blob that it is asked for, and takes every entry."""

    def place(self, run: RunId, path: str) -> Location:
        return Location("own", f"{run}/{path}")

    async def stored_file(self, place: Location) -> StoredFile:
        return StoredFile(location=place, size_bytes=1, etag="e")

    async def attach_file(self, run: RunId, path: str, place: Location) -> bool:
        return True


@pytest.mark.parametrize("there", [True, False])
def test_a_place_in_which_a_secret_was_replaced_is_no_place(there: bool) -> None:
    """An entry would lead to a blob of the replacement's name, and there is none."""
    name = NEWEST.path("gh" + "p_" + secrets.token_hex(18)) if not there else "x"
    place = Location("shared", f"data/{name}.csv")
    file = Artifact(
        path="data.csv", location=place, indexed=True, stored=StoredFile(location=place, size_bytes=1, etag="e")
    )

    assert asyncio.run(attached(cast("Any", Target()), cast("Any", Step()), "data.csv", file)) is there
