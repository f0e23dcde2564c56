"""`azureml-sandbox sample`: writes made-up histories of any size, equal for equal seeds.

Every run has ended, and index and storage agree, unless oddities are asked for. Documents are written into the world
directly, files through the server.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from azureml_sandbox import instants
from azureml_sandbox.fill.hostile import FAMILIES, hostile_experiments, hostile_runs
from azureml_sandbox.fill.sample_jobs import job_document
from azureml_sandbox.fill.sample_runs import SampledFile, SampledRun, experiment, index_entry, sampled_run, user
from azureml_sandbox.fill.sample_shape import Wanted, nodes
from azureml_sandbox.server import state
from azureml_sandbox.server.blobs import Blobs
from azureml_sandbox.server.opened import opened
from azureml_sandbox.world import Document, Workspace, World

WRITTEN_TOGETHER = 500
"""Runs in one transaction: the server, which writes to the same file, waits for a second at most."""
_SENDERS = 8

Placed: TypeAlias = tuple[str, str, SampledFile]
"""Datastore, name and content of a blob."""


@dataclass(slots=True)
class Sampled:
    """The counts of what was written."""

    runs: int = 0
    points: int = 0
    files: int = 0
    there: int = 0
    """Runs that an earlier sample of this seed had written."""
    hostile: list[dict[str, Any]] = field(default_factory=list)
    """`{"run", "oddity", "omissions"}` of each hostile run; `hostile.values._OMITTED` says what `omissions` hold."""


def sample(folder: Path, workspace: str, wanted: Wanted, *, hostile: bool | Collection[str] = False) -> Sampled:
    """Write a history into a workspace. Repeatable: runs that exist already are left alone.

    `hostile` adds oddities: all of them, or those of some `hostile.FAMILIES`.

    Raises:
        Problem: the sandbox or the workspace does not exist, or there are files to write and no server runs.
    """
    done, families = Sampled(), FAMILIES if hostile is True else hostile or ()
    with opened(folder, workspace) as (world, target):
        writer = _Writer(world, target, done)
        files = wanted.artifacts > 0 or bool(families)
        if files:
            state.running(folder)
        for home in [*experiments(wanted), *(hostile_experiments(wanted.seed) if families else ())]:
            writer.home(home)
        with closing(Blobs.of(folder, target)) if files else nullcontext() as blobs:
            for batch in _batches(regular_runs(wanted, target)):
                _send(blobs, writer.write(batch))
            odd = list(hostile_runs(wanted.seed, target, families))
            _send(blobs, writer.write(odd))
        done.hostile = [
            {"run": each.run["runId"], "oddity": each.oddity, "omissions": list(each.omissions)} for each in odd
        ]
    return done


def _batches(runs: Iterator[SampledRun]) -> Iterator[list[SampledRun]]:
    while batch := list(islice(runs, WRITTEN_TOGETHER)):
        yield batch


def experiments(wanted: Wanted) -> Sequence[Document]:
    """The experiments of a sample."""
    numbers = range(max(1, wanted.experiments))
    return [experiment(f"sample-{wanted.seed}-{number}") for number in numbers]


def regular_runs(wanted: Wanted, workspace: Workspace) -> Iterator[SampledRun]:
    """The runs of a sample without oddities, parents first."""
    written: dict[str, Document] = {}
    homes = experiments(wanted)
    for node in nodes(wanted):
        if node.parent is None:
            written.clear()
        home = homes[node.root % len(homes)]
        made = sampled_run(node, home["experimentId"], wanted, written[node.parent.run_id] if node.parent else None)
        written[node.run_id] = made.run
        job = job_document(workspace, made.run, node.type, home["name"]) if node.parent is None else None
        yield SampledRun(made.run, job, made.series, made.files)


class _Writer:
    """Writes runs into the world."""

    def __init__(self, world: World, workspace: Workspace, done: Sampled) -> None:
        self._world, self._workspace, self._guid = world, workspace, workspace.guid
        self._user = user(workspace)
        self._done = done

    def write(self, runs: Sequence[SampledRun]) -> list[Placed]:
        """Write the runs that do not exist yet, in one transaction; returns the blobs that remain to be written."""
        known = self._world.runs.many(self._guid, (each.run["runId"] for each in runs))
        fresh = [each for each in runs if each.run["runId"] not in known]
        self._done.there += len(runs) - len(fresh)
        with self._world.transaction():
            return [placed for each in fresh for placed in self._put(each)]

    def home(self, experiment: Document) -> None:
        """Write an experiment that does not exist yet."""
        if self._world.experiments.get(self._guid, experiment["experimentId"]) is None:
            self._world.experiments.put(self._guid, experiment)

    def _put(self, sampled: SampledRun) -> list[Placed]:
        by = {"createdBy": self._user, "lastModifiedBy": self._user, "userId": self._user["userObjectId"]}
        run = sampled.run | by
        self._world.runs.put(self._guid, run)
        if sampled.job is not None:
            self._world.jobs.put(self._guid, sampled.job, instants.parse(run["createdUtc"]))
        for series, rows in sampled.series:
            self._world.metrics.append(self._guid, series, rows)
            self._done.points += len(rows)
        placed: list[Placed] = []
        for file in sampled.files:
            entry = index_entry(run, file)
            if file.indexed:
                self._world.artifacts.put(self._guid, entry)
            if file.data is not None:
                placed.append((file.datastore, entry["dataPath"]["relativePath"], file))
        self._done.runs += 1
        self._done.files += len(sampled.files)
        return placed


def _send(blobs: Blobs | None, files: Sequence[Placed]) -> None:
    """Write blobs, several at a time."""
    if blobs is None or not files:
        return

    def send(item: Placed) -> None:
        datastore, name, file = item
        blobs.put(
            datastore,
            name,
            file.data or b"",
            append=file.append,
            digested=file.digested,
            content_type=file.content_type,
            metadata=file.metadata,
        )

    with ThreadPoolExecutor(_SENDERS) as pool:
        for _ in pool.map(send, files):
            pass
