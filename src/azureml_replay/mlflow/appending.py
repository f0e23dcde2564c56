"""Rows on their way to a server, where they are a set: a row that is there already changes nothing.

Up to MLflow 3.1 a NaN that is there already, or twice in a batch, is refused, and every row of its batch with it. Such
a batch is compared with what is there, and what lacks is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from azureml_replay.errors import Rejected
from azureml_replay.mlflow.rest import Rest
from azureml_replay.mlflow.wire import ask, encode
from azureml_replay.model import Points, Row, Run, RunId
from azureml_replay.workspace.lease import Check, unchecked
from azureml_replay.workspace.target import Refused

ATTEMPTS = 3
"""Of one batch that is refused for rows that are there: nobody else writes into the run."""


class RowAppender:
    """Appends rows to runs of one server."""

    def __init__(self, rest: Rest) -> None:
        """Nothing is asked yet."""
        self._rest = rest

    async def append(
        self, run: RunId, batch: Sequence[Points], check: Check = unchecked, values: Run | None = None
    ) -> Mapping[int, Refused]:
        """Append rows, with the tags and parameters of `values`.

        Raises Uncertain where the answer was lost, Rejected for a batch as a whole.
        """
        left = batch
        for attempt in range(ATTEMPTS):
            try:
                await self._send(run, left, check, values)
            except Rejected as error:
                if attempt + 1 == ATTEMPTS or error.status != 400 or not any(map(_may_be_there, left)):
                    raise
                left = await self._lacking(run, left)
                continue
            break
        return {}

    async def _send(self, run: RunId, batch: Sequence[Points], check: Check, values: Run | None) -> None:
        bodies = encode.rows_and_values(batch, values) if values else encode.rows(run, batch)
        for body in bodies:
            await self._rest.send("POST", f"{ask.API}/runs/log-batch", json=body, repeatable=False, check=check)

    async def _lacking(self, run: RunId, batch: Sequence[Points]) -> Sequence[Points]:
        lacking = []
        for points in batch:
            there = set[str]()
            async for rows in self._rest.history(run, points.series.key.name):
                there.update(map(_text, rows))
            rows = [row for row in points.rows() if _text(row) not in there]
            lacking += [Points.of(points.series, rows)] if rows else []
        return lacking


def _may_be_there(points: Points) -> bool:
    """True where one of the values is NaN: only such rows are refused for being there."""
    return any(value != value for value in points.values[0])  # noqa: PLR0124 NaN


def _text(row: Row) -> str:
    step, ticks, (value,) = row
    return f"{step or 0} {(ticks or 0) // 10_000} {float(value or 0).hex()}"
