"""The metric service: series and their rows, read and appended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from azureml_replay.azure.rights import remedy_of
from azureml_replay.azure.services.pages import pages
from azureml_replay.azure.wire import decode, decode_metrics, encode
from azureml_replay.errors import NotFound, Rejected, Unavailable, Uncertain
from azureml_replay.model import ROWS_PER_CHUNK, Points, Row, RunId, Series
from azureml_replay.sending.sender import NOT_SPOKEN, Sender, Service
from azureml_replay.workspace.lease import Check
from azureml_replay.workspace.target import Refused


class MetricService:
    """Reads and appends metrics of one workspace."""

    def __init__(self, sender: Sender, api: str, arm_id: str, scope: str) -> None:
        """`api` is the data plane's host, `arm_id` the workspace's resource id, `scope` what tokens are for."""
        self._sender = sender
        self._base = f"{api}/metric/v2.0{quote(arm_id)}"
        self._service = Service("metric", scope)

    async def series(self, run: RunId) -> Sequence[Series]:
        """The series of a run; none where the service answers 404 with its code: without one the route is missing."""

        async def ask(before: decode.Page | None) -> decode.Page:
            return decode.page(await self._post(run, "list", encode.metric_list(before.token if before else None)))

        try:
            return [decode_metrics.definition(item) async for page in pages(ask) for item in page.items]
        except NotFound as error:
            if not decode.Problem(error.code, "").absent:
                raise
            return []

    async def points(self, run: RunId, series: Series) -> AsyncIterator[Points]:
        """The rows of a series, in chunks of `ROWS_PER_CHUNK` whatever the pages. Raises NotFound: unknown series.

        The last chunk is empty where the answers hold no rows that can be read.
        """
        waiting: list[Row] = []
        token, described = None, series
        while True:
            page = decode_metrics.rows(await self._post(run, "full", encode.metric_rows(series.key, token)))
            described = decode_metrics.joined(described, page.series)
            waiting += page.rows
            while len(waiting) >= ROWS_PER_CHUNK:
                yield Points.of(described, waiting[:ROWS_PER_CHUNK])
                del waiting[:ROWS_PER_CHUNK]
            if not page.token:
                break
            if page.token == token:
                raise Unavailable(f"the rows of {series.key.name} do not end: a page leads to itself")
            token = page.token
        if waiting or described.more or described.unknown:
            yield Points.of(described, waiting)

    async def append(self, run: RunId, batch: Sequence[Points], check: Check) -> Mapping[int, Refused]:
        """Append rows by one request. NOT repeatable. Raises Uncertain where the answer was lost."""
        return await self._append(run, "batch", batch, check)

    async def append_settled(self, run: RunId, batch: Sequence[Points], check: Check) -> Mapping[int, Refused] | None:
        """The same by `batchsync`, which answers once the rows are stored; None where it is not spoken.

        It stands in no interface file: promptflow's client sends it (live-evidence.md).
        """
        try:
            return await self._append(run, "batchsync", batch, check)
        except Rejected as error:
            if error.status not in NOT_SPOKEN or decode.Problem(error.code, "").absent:
                raise
            return None

    async def _append(self, run: RunId, how: str, batch: Sequence[Points], check: Check) -> Mapping[int, Refused]:
        body, positions = encode.metric_batch(run, batch)
        url = self._url(run, how)
        answer = await self._sender.send(self._service, "POST", url, json=body, repeatable=False, check=check)
        refused = {}
        for key, row, problem in decode_metrics.batch_errors(answer.json()):
            if problem.passing:  # the other rows may be there: what lacks has to be asked for
                raise Uncertain(problem.message, method=answer.method, url=answer.url, status=answer.status)
            named = [at for at, points in enumerate(batch) if points.series.key == key]
            for at in [positions[row]] if row and row in positions else named:
                refused[at] = Refused(problem.message, answer.status, remedy_of(problem.message))
        return refused

    def _url(self, run: RunId, what: str) -> str:
        return f"{self._base}/runs/{quote(run, safe='')}/{what}"

    async def _post(self, run: RunId, what: str, body: encode.Body) -> Any:  # noqa: ANN401 decode.py gives it a type
        answer = await self._sender.send(self._service, "POST", self._url(run, what), json=body, repeatable=True)
        return answer.json(long_numbers=False)  # a cell is a Double or an Int of 64 bits
