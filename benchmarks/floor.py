"""The fewest requests that a history needs through the service's documented calls (pure; facts come from an archive).

Counted by route, in the words of `azureml-sandbox requests`, so that a table can set them side by side. Logging in,
finding the workspace and its storage, and the one throw-away run of a new target are no part of it; what the lease of a
replay takes stands beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.storage.blocks import BLOCK_BYTES, COPIED_BLOCK_BYTES
from azureml_replay.azure.storage.files import WHOLE_COPY_BYTES
from azureml_replay.azure.wire.encode import RUNS_PER_PAGE
from azureml_replay.planning.plan import plan
from azureml_replay.selection import Selection
from azureml_replay.workspace.limits import (
    FILES_PER_REQUEST,
    ROWS_PER_REQUEST,
    ROWS_PER_SERIES_AND_REQUEST,
    RUNS_PER_REQUEST,
)

EXPERIMENTS = "POST /history/v1.0/experiments:query"
RUNS = "POST /history/v1.0/experimentids/{experiment_id}/runs:query"
JOBS = "GET /jobs"
BLOBS = "GET blob list"
DETAILS = "POST /history/v1.0/batchrundata"
SERIES = "POST /metric/v2.0/runs/{run_id}/list"
ROWS = "POST /metric/v2.0/runs/{run_id}/full"
MODELS = "GET /models"
INDEX = "GET /history/v1.0/experiments/{experiment_name}/runs/{run_id}/artifacts"

EXPERIMENT = "GET /history/v1.0/experiments/{experiment_name}"
CREATE = "PATCH /history/v1.0/experiments/{experiment_name}/batch/runs"
FINISH = "POST /history/v1.0/experiments/{experiment_name}/batch/events"
APPEND = "POST /metric/v2.0/runs/{run_id}/batchsync"
ENTRIES = "POST /history/v1.0/experiments/{experiment_name}/runs/{run_id}/artifacts/batch/metadata"
COPY = "PUT blob PUT copy"
UPLOAD = "PUT blob PUT"
COPY_BLOCK = "PUT blob PUT block copy"
BLOCK_LIST = "PUT blob PUT blocklist"
READ = "GET blob GET"
BLOCK = "PUT blob PUT block"

SEARCH = "POST /mlflow/{version}/api/2.0/mlflow/runs/search"
TERMS = "GET /history/v1.0/runs/{run_id}"
LOCK = "PUT blob PUT lease"
FIRST_LEASE = Counter({TERMS: 2, EXPERIMENT: 1, SEARCH: 1, CREATE: 3, UPLOAD: 1, LOCK: 3})
"""Of a target that never kept one: looked for, by its id and by its tag, taken with its run and its blob, read back,
given back."""
RENEWAL = Counter({CREATE: 1, LOCK: 1})
"""Every 40 seconds: three requests a minute."""


class Way(Enum):
    """How the bytes of files come into a target."""

    COPY = "copy"
    """Storage fetches them."""
    RELAY = "relay"
    """Through us, because storage cannot."""
    UPLOAD = "upload"
    """From the archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """How many items one answer holds. All but the blobs' are assumptions: the sandbox's, or what we ask for."""

    experiments: int = 100
    runs: int = RUNS_PER_PAGE
    jobs: int = 100
    series: int = 25
    rows: int = 1_000
    index: int = 500
    blobs: int = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What of one run decides how many requests it takes."""

    experiment: str
    level: int
    """0 for a root: its parents must be there before it."""
    submitted: bool
    """ARM lists a job of its name."""
    hidden: bool = False
    rows: tuple[int, ...] = ()
    """Of each series."""
    files: tuple[int, ...] = ()
    """Bytes of each, as they will be copied."""
    logs: tuple[int, ...] = ()
    """Bytes of those that are no block blobs: storage copies them in blocks alone."""
    indexed: int = 0
    """Files that the artifact index lists."""
    own_files: int = 0
    """`replay/job.json` and `replay/overflow.json`."""


@dataclass(slots=True)
class Floors:
    """Requests by route."""

    extract: Counter[str] = field(default_factory=Counter)
    replay: Counter[str] = field(default_factory=Counter)
    verify: Counter[str] = field(default_factory=Counter)


def floors(experiments: Iterable[str], runs: Iterable[RunFacts], pages: Pages = Pages(), way: Way = Way.COPY) -> Floors:
    """One pass; memory grows with experiments and levels only."""
    found = Floors()
    names, jobs, blobs, own = list(experiments), 0, 0, 0
    by_experiment, by_level, hidden = Counter[str](), Counter[tuple[str, int]](), Counter[str]()
    for run in runs:
        _read(found.extract, run, pages, own_files=0)
        _read(found.verify, run, pages, own_files=run.own_files)
        _write(found.replay, run, way)
        by_experiment[run.experiment] += 1
        by_level[run.experiment, run.level] += 1
        hidden[run.experiment] += run.hidden
        jobs, own = jobs + run.submitted, own + run.own_files
        blobs += len(run.files) + len(run.logs)
    for side, listed in ((found.extract, blobs), (found.verify, blobs + own)):
        side[EXPERIMENTS] = _pages(len(names), pages.experiments)
        side[RUNS] = sum(_pages(by_experiment[name], pages.runs) for name in names)
        side[DETAILS] = _requests(by_experiment.total(), RUNS_PER_REQUEST)
        side[BLOBS] = _pages(listed, pages.blobs)
    found.extract[JOBS] = _pages(jobs, pages.jobs)
    found.extract[MODELS] = 1  # which of them chosen runs made no run tells: without any there is one empty page
    found.replay[DETAILS] = _requests(by_experiment.total(), RUNS_PER_REQUEST)
    found.replay[EXPERIMENT] = 2 * len(names)  # whose it is, before the first write; what it has once its runs came
    found.replay[CREATE] = sum(_requests(count, RUNS_PER_REQUEST) for count in (*by_level.values(), *hidden.values()))
    found.replay[FINISH] = sum(_requests(count, RUNS_PER_REQUEST) for count in by_experiment.values())
    return found


def _read(into: Counter[str], run: RunFacts, pages: Pages, *, own_files: int) -> None:
    into[SERIES] += _pages(len(run.rows), pages.series)
    into[ROWS] += sum(_pages(rows, pages.rows) for rows in run.rows)
    into[INDEX] += _pages(run.indexed + own_files, pages.index)


def _write(into: Counter[str], run: RunFacts, way: Way) -> None:
    longest = max(run.rows, default=0)
    into[APPEND] += max(_requests(sum(run.rows), ROWS_PER_REQUEST), _requests(longest, ROWS_PER_SERIES_AND_REQUEST))
    into[ENTRIES] += _requests(len(run.files) + len(run.logs) + run.own_files, FILES_PER_REQUEST)
    into[UPLOAD] += run.own_files
    for most, sizes in ((WHOLE_COPY_BYTES, run.files), (-1, run.logs)):
        for size in sizes:
            if way is Way.COPY:
                _copy(into, size, most)
            else:
                _pass_through(into, size, read=way is Way.RELAY)


def _copy(into: Counter[str], size: int, most: int) -> None:
    if size <= most:
        into[COPY] += 1
        return
    into[COPY_BLOCK] += _requests(size, COPIED_BLOCK_BYTES)
    into[BLOCK_LIST] += 1


def _pass_through(into: Counter[str], size: int, *, read: bool) -> None:
    """Blocks of the size that keeps memory small: larger ones would be fewer, and four times the memory."""
    if size <= BLOCK_BYTES:
        into[UPLOAD] += 1
    else:
        into[BLOCK] += _requests(size, BLOCK_BYTES)
        into[BLOCK_LIST] += 1
    into[READ] += read * max(1, _requests(size, BLOCK_BYTES))


def _requests(items: int, at_once: int) -> int:
    return -(-items // at_once)


def _pages(items: int, at_once: int) -> int:
    """A list must be asked for even where it is empty."""
    return max(1, _requests(items, at_once))


def facts(archive: Archive) -> Iterator[RunFacts]:
    """Of every extracted run. As planned: what does not fit into the target is not sent."""
    for step in plan(archive, Selection()):
        artifacts = list(archive.artifacts(step.contents))
        stored = [one.stored for one in artifacts if one.stored is not None]
        yield RunFacts(
            experiment=step.run.experiment,
            level=step.depth,
            submitted=archive.job(step.source) is not None,
            hidden=step.run.hidden,
            rows=tuple(rows for _, rows in step.series),
            files=tuple(one.size_bytes for one in stored if not one.blob_type),
            logs=tuple(one.size_bytes for one in stored if one.blob_type),
            indexed=sum(one.indexed for one in artifacts),
            own_files=len(step.own_files),
        )


def of_archive(archive: Archive, pages: Pages = Pages(), way: Way = Way.COPY) -> Floors:
    """The floors of all that was extracted."""
    return floors((one.name for one in archive.experiments()), facts(archive), pages, way)
