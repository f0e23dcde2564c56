"""MetricHistories of metrics, read for many runs at once where a server's answer cannot have been cut.

`get-history` takes a request for each metric of each run; in bulk, one request has a metric of 100 runs: 22,000 points
a second instead of 980 (rows of 20). But the answer ends at 25,000 rows without a word. So how many rows a run has is
estimated by its last step, and an answer of 25,000 rows counts as none.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from azureml_replay.errors import Rejected
from azureml_replay.mlflow.rest import Rest
from azureml_replay.mlflow.wire import ask, decode
from azureml_replay.mlflow.wire.decode import ListedRun
from azureml_replay.model import ROWS_PER_CHUNK, Row, RunId

ROWS_HELD = 100_000
"""Rows in memory that no run has asked for yet: 20 MB."""
GROUPS_HELD = 4
"""Groups of runs that were asked for together; each is 100 runs at most."""
MOST_ESTIMATED = ask.ROWS_IN_BULK // 2
"""Rows of one metric of one run from which it is read alone."""


@dataclass(slots=True)
class _Group:
    """Runs whose histories are wanted at about the same time."""

    wanted: dict[str, dict[RunId, int]]
    """Metric -> runs that have it and were not asked for, each with an estimate of its rows."""
    turns: dict[str, asyncio.Lock] = field(default_factory=dict)
    held: dict[tuple[RunId, str], Sequence[Row]] = field(default_factory=dict)
    alone: bool = False
    """True once an estimate was wrong, or the server has no such way: each history is then read by itself."""


class MetricHistories:
    """The rows of metrics of one server's runs."""

    def __init__(self, rest: Rest) -> None:
        """Nothing is asked yet."""
        self._rest = rest
        self._groups: OrderedDict[int, _Group] = OrderedDict()
        self._group_of: dict[RunId, int] = {}
        self._number = self._held = 0

    def expect(self, runs: Sequence[ListedRun]) -> None:
        """Say that the histories of these runs will be asked for next."""
        wanted: dict[str, dict[RunId, int]] = {}
        for one in runs:
            for last in one.last:
                wanted.setdefault(last.name, {})[one.run.id] = _estimate(last.row)
        self._number += 1
        self._groups[self._number] = _Group(wanted)
        self._group_of.update({one.run.id: self._number for one in runs})
        while len(self._groups) > GROUPS_HELD:
            self._drop(*self._groups.popitem(last=False))

    def forget(self, run: RunId) -> None:
        """Ask anew for the rows of a run, which got some since."""
        group = self._groups.get(self._group_of.pop(run, 0))
        for key in [key for key in group.held if key[0] == run] if group is not None else ():
            self._held -= len(group.held.pop(key)) if group is not None else 0

    async def rows(self, run: RunId, name: str) -> AsyncIterator[Sequence[Row]]:
        """The rows of one metric, by time, step and value, in chunks."""
        group = self._groups.get(self._group_of.get(run, 0))
        together = await self._together(group, run, name) if group is not None else None
        if together is not None:
            for piece in _chunks(together):
                yield piece
            return
        async for page in self._rest.history(run, name):
            for piece in _chunks(page):
                yield piece

    async def _together(self, group: _Group, run: RunId, name: str) -> Sequence[Row] | None:
        """The rows as they came with those of other runs; None where they have to be read alone."""
        async with group.turns.setdefault(name, asyncio.Lock()):
            if (run, name) not in group.held and not group.alone:
                await self._fetch(group, run, name)
        rows = group.held.pop((run, name), None)
        self._held -= len(rows or ())
        return rows

    async def _fetch(self, group: _Group, run: RunId, name: str) -> None:
        chosen = self._chosen(group.wanted.get(name, {}), run)
        if not chosen:
            return
        try:
            found = await self._rest.histories(chosen, name)
        except Rejected:
            found = None
        if found is None:
            group.alone = True
            return
        for one in chosen:
            del group.wanted[name][one]
            group.held[one, name] = sorted(found.get(one, ()), key=decode.in_order)
            self._held += len(group.held[one, name])

    def _chosen(self, wanted: Mapping[RunId, int], run: RunId) -> list[RunId]:
        """The run and others that fit into one answer, and into memory; none where it fills one alone."""
        if wanted.get(run, MOST_ESTIMATED) >= MOST_ESTIMATED:
            return []
        chosen, rows, room = [run], wanted[run], min(MOST_ESTIMATED, ROWS_HELD - self._held)
        for one, estimate in wanted.items():
            if one != run and len(chosen) < ask.RUNS_IN_BULK and rows + estimate <= room:
                chosen.append(one)
                rows += estimate
        return chosen

    def _drop(self, number: int, group: _Group) -> None:
        self._held -= sum(map(len, group.held.values()))
        self._group_of = {run: of for run, of in self._group_of.items() if of != number}


def _estimate(last: Row) -> int:
    """The rows of a metric, guessed by its last step: most are logged once a step, from 0 on."""
    return min(max(last[0] or 0, 0) + 1, ask.ROWS_IN_BULK)


def _chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    return (rows[start : start + ROWS_PER_CHUNK] for start in range(0, len(rows), ROWS_PER_CHUNK))
