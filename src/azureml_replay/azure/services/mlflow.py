"""The MLflow service: last values of whole experiments, by pages; and runs, made and ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import islice
from urllib.parse import quote

from azureml_replay.azure.wire import decode_mlflow, encode, encode_mlflow
from azureml_replay.errors import Forbidden, NotFound, Rejected, Unavailable
from azureml_replay.model import Points, Run, RunId, Series
from azureml_replay.sending.sender import NOT_SPOKEN, Sender, Service
from azureml_replay.workspace.lease import Check

EXPERIMENTS_PER_SEARCH = 100
"""Experiments in one request: no limit is documented; an experiment's id has 36 characters."""
PROBE = "azureml-replay-probe"
"""A model and an alias that nobody has: whether that is said by the registry, or by a host without such a route."""


class MlflowService:
    """Speaks to one workspace as MLflow's clients do."""

    def __init__(self, sender: Sender, api: str, arm_id: str, scope: str) -> None:
        """`api` is the data plane's host, `arm_id` the workspace's resource id, `scope` what tokens are for."""
        self._sender = sender
        top = f"{api}/mlflow/v2.0{quote(arm_id)}/api/2.0/mlflow"
        self._runs, self._models, self._versions = f"{top}/runs", f"{top}/registered-models", f"{top}/model-versions"
        self._service = Service("mlflow", scope)

    async def metric_names(self, run: RunId) -> Sequence[str]:
        """Names of the metrics of one run. Raises NotFound where MLflow shows no such run."""
        url = f"{self._runs}/get?run_id={encode.quoted(run)}"
        answer = await self._sender.send(self._service, "GET", url, repeatable=True)
        return decode_mlflow.metric_names(answer.json())

    async def series(self, run: RunId) -> Sequence[Series]:
        """The scalars of one run, known by their names only; none where MLflow shows no such run."""
        try:
            names = await self.metric_names(run)
        except NotFound:
            return []
        return [decode_mlflow.scalar(name) for name in names]

    async def last_values(self, experiments: Sequence[str]) -> AsyncIterator[Mapping[RunId, Sequence[Points]]]:
        """Run -> last rows, by pages of runs, archived ones too; `experiments` are ids.

        Raises Unavailable where a page leads to itself.
        """
        ids = iter(experiments)
        while some := list(islice(ids, EXPERIMENTS_PER_SEARCH)):
            token: str | None = None
            while True:
                body = encode.run_search(some, token)
                answer = await self._sender.send(
                    self._service, "POST", f"{self._runs}/search", json=body, repeatable=True
                )
                values, following = decode_mlflow.last_values(answer.json())
                yield values
                if not following:
                    break
                if following == token:
                    raise Unavailable("the search for runs does not end: a page leads to itself")
                token = following

    async def create_run(self, experiment_id: str, run: Run, check: Check) -> RunId:
        """Make a run. NOT repeatable: each call makes one. Raises Rejected; Uncertain where the answer was lost."""
        body = encode_mlflow.created_run(experiment_id, run)
        answer = await self._sender.send(
            self._service, "POST", f"{self._runs}/create", json=body, repeatable=False, check=check
        )
        return decode_mlflow.created_run(answer.json())

    async def end_run(self, run: Run) -> None:
        """Write status and end of a run of which `encode_mlflow.can_end` is true. Repeatable."""
        body = encode_mlflow.ended_run(run)
        await self._sender.send(self._service, "POST", f"{self._runs}/update", json=body, repeatable=True)

    async def shows_version(self, model: str, version: str) -> bool:
        """False where the registry has no such version of a model."""
        url = f"{self._versions}/get?name={encode.quoted(model)}&version={encode.quoted(version)}"
        try:
            await self._sender.send(self._service, "GET", url, repeatable=True)
        except Rejected as error:
            if error.status not in (400, *NOT_SPOKEN):
                raise
            return False
        return True

    async def knows_aliases(self) -> bool:
        """False where the registry has no route for aliases, or tells this login nothing of them. Writes nothing."""
        url = f"{self._models}/alias?name={PROBE}&alias={PROBE}"
        try:
            await self._sender.send(self._service, "GET", url, repeatable=True)
        except Forbidden:
            return False
        except Rejected as error:
            return bool(error.code) or error.status not in NOT_SPOKEN
        return True

    async def aliases(self, model: str) -> Mapping[str, str]:
        """Alias -> version of a model; nothing of one that the registry does not show."""
        url = f"{self._models}/get?name={encode.quoted(model)}"
        try:
            answer = await self._sender.send(self._service, "GET", url, repeatable=True)
        except NotFound:
            return {}
        return decode_mlflow.aliases(answer.json())

    async def put_alias(self, model: str, version: str | None, alias: str) -> None:
        """Lead an alias to a version, or without one take it away. Repeatable."""
        body, method = encode_mlflow.alias(model, version, alias), "DELETE" if version is None else "POST"
        await self._sender.send(self._service, method, f"{self._models}/alias", json=body, repeatable=True)

    async def takes_alias(self, model: str, version: str, alias: str) -> bool:
        """Give a version an alias, and take it away again; False where the registry knows none. Repeatable."""
        try:
            await self.put_alias(model, version, alias)
        except Rejected as error:
            if error.status not in (400, *NOT_SPOKEN):
                raise
            return False
        await self.put_alias(model, None, alias)
        return True

    async def tagged(
        self, experiment_id: str, tag: str, value: str
    ) -> AsyncIterator[Mapping[RunId, Mapping[str, str]]]:
        """The runs of an experiment that bear a tag, with all their tags, by pages; archived ones too.

        Raises Unavailable where a page leads to itself.
        """
        token: str | None = None
        while True:
            body = encode_mlflow.tagged_search(experiment_id, tag, value, token)
            answer = await self._sender.send(self._service, "POST", f"{self._runs}/search", json=body, repeatable=True)
            runs, following = decode_mlflow.tagged_runs(answer.json())
            yield runs
            if not following:
                return
            if following == token:
                raise Unavailable("the search for runs does not end: a page leads to itself")
            token = following
