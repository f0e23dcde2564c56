"""Calls of MLflow's REST interface, one function each; what is asked is spelt in `wire/`."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from azureml_replay.errors import Forbidden, NotFound, Rejected, Unavailable
from azureml_replay.instants import Instant
from azureml_replay.mlflow.config import Login, ServerConfig
from azureml_replay.mlflow.place import address_of, workspace_of
from azureml_replay.mlflow.wire import ask, decode, registry
from azureml_replay.mlflow.wire.ask import InExperiment
from azureml_replay.mlflow.wire.decode import ListedFile, ListedRun
from azureml_replay.mlflow.wire.registry import VersionInRun
from azureml_replay.model import Experiment, Row, RunId
from azureml_replay.sending.sender import Answer, BytesToSend, Sender, Service
from azureml_replay.workspace.lease import Check

SERVER, FILES = Service("mlflow", None), Service("mlflow files", None)
"""Logins go in headers that each request gets here, not by tokens of the sender's. Files have a width of their own."""

_BYTES = {"Content-Type": "application/octet-stream"}


class Rest:
    """Speaks to one server."""

    def __init__(self, sender: Sender, config: ServerConfig) -> None:
        """Nothing is asked yet."""
        self.place = config.ref
        self._sender, self._base = sender, address_of(config.ref)
        self.writes = 0
        """Requests that change something, files left out."""
        workspace = workspace_of(config.ref)
        self._headers = _authorization(config.login) | ({ask.WORKSPACE_HEADER: workspace} if workspace else {})

    def clock(self) -> Instant:
        """The server's time, as its last answer told it by whole seconds."""
        return Instant.of(self._sender.time_of(SERVER))

    async def version(self) -> str:
        """The server's version, as it says it; empty where it does not."""
        try:
            answer = await self.send("GET", "/version", repeatable=True)
        except Rejected:
            return ""
        return answer.body.decode("ascii", "replace").strip()[:40]

    async def experiments(self, most: int = ask.EXPERIMENTS_PER_PAGE) -> AsyncIterator[Sequence[Experiment]]:
        """All experiments, deleted ones too, by pages."""
        token: str | None = None
        while True:
            page, following = decode.experiments(await self._post("experiments/search", ask.experiments(most, token)))
            yield page
            if not (token := _next(following, token, "experiments")):
                return

    async def experiment(self, name: str) -> Experiment | None:
        """An experiment by its name, deleted or not; None where there is none."""
        try:
            return decode.experiment(await self._get("experiments/get-by-name", ask.by_name(name)))
        except NotFound:
            return None

    async def runs(
        self, experiments: Sequence[str], names: Mapping[str, str], *, only: Sequence[RunId] = (), filtered: str = ""
    ) -> AsyncIterator[Sequence[ListedRun]]:
        """The runs of experiments, given by their ids, deleted ones too, by pages; of `only` those that are there."""
        token: str | None = None
        while True:
            body = ask.runs(experiments, token, only=only, filtered=filtered)
            page, following = decode.runs(await self._post("runs/search", body), names)
            yield page
            if not (token := _next(following, token, "runs")):
                return

    async def run(self, run: RunId, names: Mapping[str, str]) -> ListedRun | None:
        """One run; None where the server has none of that id."""
        document = await self.run_document(run)
        return None if document is None else decode.run(document, names)

    async def run_document(self, run: RunId) -> Mapping[str, Any] | None:
        """The answer about one run; None where the server has none of that id."""
        try:
            found: Mapping[str, Any] = await self._get("runs/get", ask.one_run(run))
        except NotFound:
            return None
        return found

    async def history(self, run: RunId, name: str) -> AsyncIterator[Sequence[Row]]:
        """All rows of one metric, by pages where the server has pages."""
        token: str | None = None
        while True:
            answer = await self.send("GET", f"{ask.API}/metrics/get-history", ask.history(run, name, token))
            rows, following = decode.history(_rows(answer))
            yield rows
            if not (token := _next(following, token, f"metric {name} of run {run}")):
                return

    async def histories(self, runs: Sequence[RunId], name: str) -> Mapping[RunId, Sequence[Row]] | None:
        """The rows of one metric of some runs, at most `ask.RUNS_IN_BULK`; None where the answer may be cut.

        Raises Rejected where the server has no such way.
        """
        answer = await self.send("GET", f"{ask.PAGES_API}/metrics/get-history-bulk", ask.histories(runs, name))
        found = decode.histories(_rows(answer))
        return None if sum(map(len, found.values())) >= ask.ROWS_IN_BULK else found

    async def files(self, run: RunId, folder: str) -> AsyncIterator[Sequence[ListedFile]]:
        """One level of a run's files, by pages."""
        token: str | None = None
        while True:
            page, following = decode.files(await self._get("artifacts/list", ask.files(run, folder, token)))
            yield page
            if not (token := _next(following, token, f"files of run {run}")):
                return

    async def traces(self, experiments: Sequence[str], most: int) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Experiment -> its traces, of all together at most about so many; none where the server knows of none.

        Raises Forbidden: what a login may not see may be there.
        """
        found: dict[str, list[Mapping[str, Any]]] = {}
        for start in range(0, len(experiments), ask.EXPERIMENTS_OF_TRACES):
            some, token = experiments[start : start + ask.EXPERIMENTS_OF_TRACES], None
            while True:
                try:
                    page, following = decode.traces(await self._get("traces", ask.traces(some, token)))
                except Forbidden:
                    raise
                except Rejected:
                    return found
                for one in page:
                    found.setdefault(one["experiment_id"], []).append(one)
                if not (token := _next(following, token, "traces")) or sum(map(len, found.values())) >= most:
                    break
        return found

    async def listed(self, way: InExperiment, experiment: str) -> Sequence[Any]:
        """What an experiment holds of a kind, the first page. Raises Rejected where the server knows no such thing."""
        if way.is_search:
            answer = await self.send("POST", way.path, json=ask.in_experiment(experiment))
        else:
            answer = await self.send("GET", way.path, {"experiment_id": experiment})
        found: Sequence[Any] = (answer.json() or {}).get(way.key) or ()
        return found

    async def model_versions(self) -> AsyncIterator[Sequence[VersionInRun]]:
        """The registered models that lie in runs, by pages; none where the server has no registry. Raises Forbidden."""
        token: str | None = None
        while True:
            try:
                answer = await self._get("model-versions/search", ask.versions(None, token))
            except Forbidden:
                raise
            except Rejected:
                return
            found = [await self._in_its_run(one) for one in registry.versions(answer) if not registry.is_skipped(one)]
            yield [one for one in found if one is not None]
            if not (token := _next(registry.next_page(answer), token, "model versions")):
                return

    async def _in_its_run(self, version: Mapping[str, Any]) -> VersionInRun | None:
        """Of a copy of another version the server says where its files lie; one that is gone meanwhile lies nowhere."""
        if not registry.is_promoted(version):
            return registry.in_its_run(version)
        try:
            answer = await self._get("model-versions/get-download-uri", ask.version_named(version))
        except NotFound:
            return None
        return registry.in_its_run(version, registry.download_uri(answer))

    async def logged_model(self, model: str) -> Mapping[str, Any] | None:
        """The document of a logged model; None where it is gone."""
        try:
            return decode.logged_model(await self._get(f"logged-models/{quote(model, safe='')}", {}))
        except NotFound:
            return None

    async def logged_files(self, model: str, folder: str) -> AsyncIterator[Sequence[ListedFile]]:
        """One level of the files of a logged model, by pages."""
        token: str | None = None
        while True:
            query = ask.logged_files(folder, token)
            page, following = decode.files(await self._get(f"logged-models/{model}/artifacts/directories", query))
            yield page
            if not (token := _next(following, token, f"files of logged model {model}")):
                return

    def read_logged(self, model: str, path: str, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """The bytes of a file of a logged model, piece by piece; as `read`."""
        query = urlencode({"artifact_file_path": path}, quote_via=quote)
        url = f"{self._base}{ask.PAGES_API}/logged-models/{model}/artifacts/files?{query}"
        return self._sender.stream(FILES, url, headers=self._headers | _range(start, stop))

    def read(self, run: RunId, path: str, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """The bytes of a file of a run, piece by piece.

        By `get-artifact`, the way of MLflow's own pages: the proxied way breaks on other names than Latin ones up to
        3.1.4, knows no ranges before 3.17, and is not there where the server does not serve artifacts.
        """
        url = f"{self._base}/get-artifact?{urlencode(ask.file(run, path), quote_via=quote)}"
        return self._sender.stream(FILES, url, headers=self._headers | _range(start, stop))

    async def put_file(self, path: str, content: BytesToSend) -> None:
        """Write a file at a path below the server's artifacts. Repeatable: it holds what was put last."""
        url = f"{self._base}{ask.FILES_API}/{quote(path, safe='/')}"
        headers = self._headers | _BYTES | {"Content-Length": str(len(content))}
        await self._sender.send(
            FILES, "PUT", url, repeatable=True, data=content if len(content) else b"", headers=headers
        )

    async def served_file(self, path: str) -> bytes:
        """A small file as MLflow's clients get it. Raises Uncertain at once where the server fails at its name."""
        url = f"{self._base}{ask.FILES_API}/{quote(path, safe='/')}"
        answer = await self._sender.send(FILES, "GET", url, repeatable=False, headers=self._headers, raw=True)
        return answer.body

    async def remove_file(self, path: str) -> None:
        """Remove a file. Old servers fail: then Uncertain is raised at once, instead of trying again."""
        url = f"{self._base}{ask.FILES_API}/{quote(path, safe='/')}"
        await self._sender.send(FILES, "DELETE", url, repeatable=False, headers=self._headers)

    async def send(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]] | Mapping[str, str] = (),
        *,
        json: object = None,
        repeatable: bool = True,
        check: Check | None = None,
    ) -> Answer:
        """Send a request to a path of the server's."""
        self.writes += method != "GET" and not path.endswith("/search")
        asked = f"?{urlencode(query, quote_via=quote)}" if query else ""
        return await self._sender.send(
            SERVER,
            method,
            f"{self._base}{path}{asked}",
            repeatable=repeatable,
            json=json,
            headers=self._headers,
            check=check,
        )

    async def _get(self, call: str, query: Sequence[tuple[str, str]] | Mapping[str, str]) -> Any:  # noqa: ANN401
        return (await self.send("GET", f"{ask.API}/{call}", query)).json()

    async def _post(self, call: str, body: object) -> Any:  # noqa: ANN401
        """A search: it changes nothing."""
        return (await self.send("POST", f"{ask.API}/{call}", json=body)).json()


def _range(start: int, stop: int | None) -> dict[str, str]:
    return {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"} if start or stop is not None else {}


def _authorization(login: Login) -> dict[str, str]:
    if login.user is not None:
        pair = base64.b64encode(f"{login.user}:{login.password or ''}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    return {"Authorization": f"Bearer {login.token}"} if login.token else {}


def _next(following: str | None, token: str | None, what: str) -> str | None:
    """The next page's token. Raises Unavailable where a page leads to itself, as some servers' histories do."""
    if following is not None and following == token:
        raise Unavailable(f"the list of {what} does not end: a page leads to itself")
    return following


def _rows(answer: Answer) -> Any:  # noqa: ANN401
    try:
        return decode.loaded(answer.body)
    except ValueError as error:
        raise Unavailable(
            "the answer is not JSON", method=answer.method, url=answer.url, status=answer.status
        ) from error
