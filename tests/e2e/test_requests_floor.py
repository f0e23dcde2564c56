"""Requests of each verb, route by route, against the fewest that the history needs (benchmarks/floor.py)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from benchmarks import floor
from benchmarks.floor import Floors, Pages, RunFacts, Way, floors, of_archive
from benchmarks.measure import by_route

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.workspace import connect
from azureml_replay.direct.replay import replay
from azureml_replay.extraction.extract import extract
from azureml_replay.selection import Selection
from azureml_replay.target.trial import probed
from azureml_replay.verbs import verify
from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import FastClock, configured

SAMPLE = Wanted(runs=104, experiments=1, series=2, points=260, artifacts=2)
"""More runs than a batch holds, trees of three levels, series longer than a request may hold of one name."""
SLOWLY_S = 40
"""How often the lease is renewed."""
PROBES_EXPERIMENT = Counter({floor.RUNS: 1})
"""In each experiment of the target's own verify looks for a child of ours; only the throw-away run's is one here."""
ONCE = {
    **dict.fromkeys(("GET ", "GET /discovery", "POST /{tenant}/oauth2/v2.0/token"), 2),
    **dict.fromkeys(("GET /datastores/{name}", "POST /datastores/{name}/listSecrets", "GET blob list"), 2),
    "GET /history/v1.0/experimentids/{experiment_id}": 2,
    "GET /history/v1.0/runs/{run_id}/children": 1,
}
"""At most so often in a command, whatever the history's size: login, workspace, whether its storage opens, names of
experiments, and the children of the one pipeline that the sample cut short: it should have some."""


async def counted(
    calm: Sandbox, source: WorkspaceFile, target: WorkspaceFile, folder: Path
) -> tuple[Floors, dict[str, Counter[str]]]:
    """The floors, and the requests of each verb; the throw-away run of a new target is made before."""
    asked: dict[str, Counter[str]] = {}
    async with AsyncExitStack() as stack:
        reading, writing = [
            await stack.enter_async_context(connect(configured(one), parallel=8, clock=FastClock()))
            for one in (source, target)
        ]
        archive = stack.enter_context(Archive.create(folder, reading.ref))
        calm.reset_requests()
        await extract(reading, archive, Selection(), width=8)
        asked["extract"] = by_route(calm.requests())
        await probed(archive, writing)
        calm.reset_requests()
        began = time.monotonic()
        await replay(archive, reading, writing, Selection(), width=8)
        asked["replay"] = by_route(calm.requests())
        asked["lease"] = floor.FIRST_LEASE + _times(floor.RENEWAL, asked["replay"][floor.LOCK] - 3)
        assert asked["replay"][floor.LOCK] - 3 <= (time.monotonic() - began) / SLOWLY_S, "three requests a minute"
        calm.reset_requests()
        assert (await verify(archive, writing, Selection(), width=8)).findings == 0
        asked["verify"] = by_route(calm.requests())
        return of_archive(archive), asked


def _times(requests: Counter[str], often: int) -> Counter[str]:
    return Counter({route: count * often for route, count in requests.items()})


@pytest.fixture(scope="module")
def verbs(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> tuple[Floors, dict[str, Counter[str]]]:
    """One migration of the sample."""
    from environment import point_at

    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        source, target = sandbox.add_workspace(), sandbox.add_workspace()
        sample(sandbox.folder, source.workspace_name, SAMPLE)
        return asyncio.run(counted(sandbox, source, target, tmp_path_factory.mktemp("floor") / "archive"))


@pytest.mark.parametrize("verb", ["extract", "replay", "verify"])
def test_no_request_more_than_the_history_needs(verbs: tuple[Floors, dict[str, Counter[str]]], verb: str) -> None:
    """Route by route exactly the floor; beside it only what a command asks once."""
    least, asked = verbs
    beside = {"replay": asked["lease"], "verify": PROBES_EXPERIMENT}
    needed = getattr(least, verb) + beside.get(verb, Counter())

    assert asked[verb] - needed - Counter(ONCE) == Counter()
    there = Counter({floor.EXPERIMENT: 1})  # `Default`, which every workspace has, is left as it is
    assert needed - asked[verb] - there == Counter()  # or the floor counts what nobody needs


def test_verify_asks_as_much_as_extract(verbs: tuple[Floors, dict[str, Counter[str]]]) -> None:
    """Both read a workspace: verify needs no list of jobs, and lists our own files too."""
    _, asked = verbs

    assert asked["verify"].total() <= asked["extract"].total()


def test_a_family_larger_than_a_window_is_asked_about_once(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """121 runs of one family in windows of 30: two requests tell which ids are taken, not two for every window."""
    monkeypatch.setattr("azureml_replay.direct.replay.WINDOW", 30)
    source, target = calm.add_workspace(), calm.add_workspace()
    wanted = Wanted(runs=121, children=120, experiments=1, seed=1, series=0, points=0, artifacts=0)
    sample(calm.folder, source.workspace_name, wanted)
    _, asked = asyncio.run(counted(calm, source, target, tmp_path / "archive"))

    assert asked["replay"][floor.DETAILS] == 2


def test_rows_of_long_curves_share_requests(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six curves of 1,300 rows in chunks of 300: 8 requests, where each curve by itself would take 6."""
    for reader in ("azure.services.metrics", "extraction.metrics"):
        monkeypatch.setattr(f"azureml_replay.{reader}.ROWS_PER_CHUNK", 300)
    source, target = calm.add_workspace(), calm.add_workspace()
    sample(calm.folder, source.workspace_name, Wanted(runs=1, children=0, series=6, points=1_300, artifacts=0))
    least, asked = asyncio.run(counted(calm, source, target, tmp_path / "archive"))

    assert asked["replay"][floor.APPEND] == least.replay[floor.APPEND] == 8


def test_the_floor_counts_by_hand() -> None:
    """Two experiments, a root with a child, 2,001 rows in three series, 51 files and one of 300 MiB."""
    root = RunFacts(
        experiment="a",
        level=0,
        submitted=True,
        rows=(1_000, 1_000, 1),
        files=(*([1] * 51), 300 * 2**20),
        indexed=52,
        own_files=1,
    )
    found = floors(["a", "b"], [root, RunFacts(experiment="a", level=1, submitted=False)], Pages(index=50))

    assert found.extract == {
        floor.EXPERIMENTS: 1,
        floor.RUNS: 2,
        floor.DETAILS: 1,
        floor.BLOBS: 1,
        floor.JOBS: 1,
        floor.MODELS: 1,
        floor.SERIES: 2,
        floor.ROWS: 3,
        floor.INDEX: 2 + 1,
    }
    assert found.replay == {
        floor.DETAILS: 1,
        floor.EXPERIMENT: 4,
        floor.CREATE: 2,
        floor.FINISH: 1,
        floor.APPEND: 4,
        floor.ENTRIES: 2,
        floor.UPLOAD: 1,
        floor.COPY: 51,
        floor.COPY_BLOCK: 3,
        floor.BLOCK_LIST: 1,
    }


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        (Way.RELAY, {floor.READ: 152, floor.BLOCK: 151, floor.BLOCK_LIST: 2, floor.UPLOAD: 1}),
        (Way.UPLOAD, {floor.BLOCK: 151, floor.BLOCK_LIST: 2, floor.UPLOAD: 1}),
    ],
)
def test_bytes_that_pass_through_us_count_by_blocks(way: Way, expected: dict[str, int]) -> None:
    """A file of 1 byte, one of 2 MiB and a byte, one of 298 MiB: 1 read and 1 upload, 2 blocks, 149 blocks."""
    run = RunFacts(experiment="a", level=0, submitted=True, files=(1, 2 * 2**20 + 1, 298 * 2**20))
    found = floors(["a"], [run], way=way).replay

    assert {route: count for route, count in found.items() if "blob" in route and count} == expected
