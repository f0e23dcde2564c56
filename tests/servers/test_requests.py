"""How often a server is asked for a run."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path

from azure.core.rest import AsyncHttpResponse, HttpRequest
from benchmarks.archive import fill

from azureml_replay.archive.archive import Archive
from azureml_replay.connection import config_named
from azureml_replay.direct.options import Replayed
from azureml_replay.direct.replay import replay
from azureml_replay.extraction.extract import extract
from azureml_replay.mlflow.config import ServerConfig
from azureml_replay.mlflow.target import connect as connect_source
from azureml_replay.selection import Selection
from azureml_replay.sending.transport import open_transport
from azureml_replay.verbs import verify
from azureml_replay.verification.verdict import Verdict
from e2e.library import DiesAt, FastClock
from mlflow_servers import MlflowServer
from servers.moving import ALL, named, opened, prefix_of
from servers.seen import look

FEW, MORE = 12, 24
"""Of three experiments, in families of four."""


def test_a_run_takes_three_requests_and_is_listed_once(mlflow_source: MlflowServer, tmp_path: Path) -> None:
    """Made, its values with its rows, ended. A search lists it with all of that: nobody asks for its details again.

    On a server that no other process writes to meanwhile: what lies there costs requests, too.
    """
    sent: dict[int, int] = {}
    read: list[int] = []
    for at, count in enumerate((FEW, FEW, MORE)):  # the first replay of all makes what holds leases
        here = tmp_path / f"{at}"
        here.mkdir()
        target, folder = named(mlflow_source, here), here / "history"
        fill(folder, count, series=3, points=5, files=0)

        sent[count] = asyncio.run(requests_of(folder, target))
        read.append(asyncio.run(searches_of(mlflow_source.url, prefix_of(target), here / "back")))

        runs = look(mlflow_source.url, prefix_of(target), files=False).runs.values()
        assert [(run.tags["property.azureml.runsource"], sum(map(len, run.points.values()))) for run in runs] == [
            ("bench", 15)
        ] * count
    assert (sent[MORE] - sent[FEW]) / (MORE - FEW) == 3
    assert [more - few for few, more in pairwise(read)] == [4, 4], "it lists each experiment once, four more each time"


async def requests_of(folder: Path, target: Path) -> int:
    """Of one replay."""
    counted = DiesAt(0, delivered=False)
    async with opened(target, counted) as server:
        with Archive.open(folder) as archive:
            done = await replay(archive, None, server, ALL)
    assert done.failed == ()
    return counted.count


async def searches_of(url: str, prefix: str, folder: Path) -> int:
    """Searches for runs of one extraction."""
    config, counted = config_named(url), DiesAt(0, delivered=False, where="runs/search")
    assert isinstance(config, ServerConfig)
    async with AsyncExitStack() as stack:
        wire = counted.over(await stack.enter_async_context(open_transport()))
        opening = connect_source(config, transport=wire, clock=FastClock())  # type: ignore[arg-type]
        source = await stack.enter_async_context(opening)
        with Archive.create(folder, source.ref) as archive:
            await extract(source, archive, Selection(experiments=(f"{prefix}experiment*",)))
    return counted.count


class Spoils(DiesAt):
    """A way to the server on which rows with values get a parameter that no server takes."""

    async def send(self, request: HttpRequest, **options: object) -> AsyncHttpResponse:
        told = json.loads(request.content) if request.url.endswith("log-batch") and request.content else {}
        if told.get("metrics") and told.get("tags"):
            self.count += 1
            changed = HttpRequest("POST", request.url, headers=dict(request.headers), json={**told, "params": BAD})
            changed.headers["Content-Length"] = str(len(changed.content))
            request = changed
        assert self.inner is not None
        return await self.inner.send(request, **options)


BAD = [{"key": "#", "value": "x"}]


def test_what_is_refused_together_goes_by_itself(mlflow_server: MlflowServer, tmp_path: Path) -> None:
    """Values first, then rows: nothing is lost, and nothing there twice."""
    target, folder, spoils = named(mlflow_server, tmp_path), tmp_path / "history", Spoils(0, delivered=False)
    fill(folder, 4, series=3, points=5, files=0)

    async def go() -> tuple[Replayed, Verdict]:
        async with opened(target, spoils) as server:
            with Archive.open(folder) as archive:
                return await replay(archive, None, server, ALL), await verify(archive, server, ALL, width=8)

    done, verdict = asyncio.run(go())

    assert (spoils.count, done.failed, done.refused, verdict.findings, verdict.equal) == (4, (), (), 0, 4)
