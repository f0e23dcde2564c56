"""A client with nothing around it at an MLflow server: what these runs take at the least, and how fast it goes.

`python benchmarks/raw_runs.py write|read URL PREFIX RUNS`; prints how many seconds it worked.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp

EXPERIMENTS = 4
SERIES, POINTS, PARAMS = 10, 20, 10
FILES = {"model.bin": 4_096, "log.txt": 1_024}
BEGAN_MS = 1_700_000_000_000
WIDTH = 4
"""As many at once as the product: the server's processor is the limit, more help nobody."""
FAMILY = 4
"""A parent and three children."""
TOGETHER = 100
API = "api/2.0/mlflow"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Client:
    """One server."""

    session: aiohttp.ClientSession
    url: str

    async def call(self, method: str, path: str, **more: Any) -> Any:  # noqa: ANN401
        """The answer, as JSON where it says so. Raises for a refusal."""
        async with self.session.request(method, f"{self.url}/{path}", **more) as answer:
            body = await answer.read()
            answer.raise_for_status()
            return json.loads(body) if answer.content_type == "application/json" else body


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Client]:
    """A client for one server."""
    async with aiohttp.ClientSession() as session:
        yield Client(session, url)


async def write(client: Client, prefix: str, runs: int) -> None:
    """All runs of the history, families one after the other: creation, values, files, end."""
    made = [
        await client.call("POST", f"{API}/experiments/create", json={"name": f"{prefix}{number}"})
        for number in range(EXPERIMENTS)
    ]
    ids: dict[int, str] = {}

    async def one(number: int) -> None:
        experiment = made[number // FAMILY % EXPERIMENTS]["experiment_id"]
        ids[number] = await _write_run(client, experiment, number, ids.get(number - number % FAMILY))

    await _for_each(range(0, runs, FAMILY), one)
    await _for_each([number for number in range(runs) if number % FAMILY], one)


async def _write_run(client: Client, experiment: str, number: int, parent: str | None) -> str:
    tags = {"team": "blue"} | ({"mlflow.parentRunId": parent} if parent else {})
    start = BEGAN_MS + number * 60_000
    body = {"experiment_id": experiment, "start_time": start, "run_name": f"run {number}", "user_id": "ann"}
    told = [{"key": key, "value": value} for key, value in tags.items()]
    info = (await client.call("POST", f"{API}/runs/create", json=body | {"tags": told}))["run"]["info"]
    run = info["run_id"]
    await client.call("POST", f"{API}/runs/log-batch", json={"run_id": run} | _values(number, start))
    place = info["artifact_uri"].removeprefix("mlflow-artifacts:/")
    for name, size in FILES.items():
        content = random.Random(f"{number}{name}").randbytes(size)  # noqa: S311
        await client.call("PUT", f"api/2.0/mlflow-artifacts/artifacts/{place}/{name}", data=content)
    status = "FAILED" if number % 10 == 3 else "FINISHED"
    ended = {"run_id": run, "status": status, "end_time": start + 30_000}
    await client.call("POST", f"{API}/runs/update", json=ended)
    if number % 50 == 7:
        await client.call("POST", f"{API}/runs/delete", json={"run_id": run})
    return str(run)


def _values(number: int, start: int) -> dict[str, Any]:
    draw = random.Random(number)  # noqa: S311
    rows = [
        {"key": f"metric {of}", "value": draw.random(), "timestamp": start + step * 1_000, "step": step}
        for of in range(SERIES)
        for step in range(POINTS)
    ]
    return {"metrics": rows, "params": [{"key": f"p{of}", "value": str(draw.random())} for of in range(PARAMS)]}


async def read(client: Client, prefix: str, runs: int) -> None:
    """The same runs: a list of them, histories in bulk, and of each its list of files and their bytes."""
    found = []
    for number in range(EXPERIMENTS):
        query = {"experiment_name": f"{prefix}{number}"}
        held = (await client.call("GET", f"{API}/experiments/get-by-name", params=query))["experiment"]
        found += await _listed(client, held["experiment_id"])
    ids = [one["info"]["run_id"] for one in found]
    if len(ids) != runs:
        raise SystemExit(f"{len(ids)} runs are there instead of {runs}")
    asked = [(ids[at : at + TOGETHER], of) for at in range(0, runs, TOGETHER) for of in range(SERIES)]

    async def history(some: tuple[list[str], int]) -> None:
        query = [*(("run_id", run) for run in some[0]), ("metric_key", f"metric {some[1]}")]
        await client.call("GET", "ajax-api/2.0/mlflow/metrics/get-history-bulk", params=query)

    async def files(run: str) -> None:
        for one in (await client.call("GET", f"{API}/artifacts/list", params={"run_id": run}))["files"]:
            await client.call("GET", "get-artifact", params={"run_uuid": run, "path": one["path"]})

    await _for_each(asked, history)
    await _for_each(ids, files)


async def _listed(client: Client, experiment: str) -> list[Any]:
    found: list[Any] = []
    body: dict[str, Any] = {"experiment_ids": [experiment], "run_view_type": "ALL", "max_results": 500}
    while True:
        page = await client.call("POST", f"{API}/runs/search", json=body)
        found += page.get("runs", [])
        if not (token := page.get("next_page_token")):
            return found
        body["page_token"] = token


async def _for_each(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    left = iter(items)

    async def worker() -> None:
        for item in left:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(WIDTH):
            group.create_task(worker())


async def main(what: str, url: str, prefix: str, runs: int) -> float:
    """Seconds of the work."""
    async with opened(url) as client:
        began = time.perf_counter()
        await {"write": write, "read": read}[what](client, prefix, runs)
        return time.perf_counter() - began


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:4], int(sys.argv[4])))))
