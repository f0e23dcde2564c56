"""The registry of a server: what it holds, and its versions as assets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from azureml_replay.errors import NotFound, Rejected
from azureml_replay.mlflow.rest import Rest
from azureml_replay.mlflow.wire import ask
from azureml_replay.mlflow.wire import registry as wire
from azureml_replay.model import Location, RunId, StoredFile
from azureml_replay.workspace.asset import Asset, AssetContainer, AssetKey, AssetKind

ROOTS_KNOWN = 4_000
_MLMODEL = "MLmodel"


class Registry:
    """Reads registered models of one server. A server without a registry has none."""

    def __init__(self, rest: Rest) -> None:
        """Nothing is asked yet."""
        self._rest = rest
        self._aliases: dict[str, Sequence[tuple[str, str]]] = {}
        """Of names that were listed, until their versions are asked for."""
        self._roots: dict[RunId, str | None] = {}
        self._kinds: dict[tuple[RunId, str], str] = {}

    async def containers(self) -> AsyncIterator[Sequence[AssetContainer]]:
        """All names, by pages."""
        token: str | None = None
        while True:
            try:
                answer = await self._get("registered-models/search", ask.registered(token))
            except Rejected as error:
                if error.status != 404:
                    raise
                return  # a server may be without a registry
            page, aliases = wire.registered(answer)
            self._aliases |= aliases
            yield page
            if not (token := wire.next_page(answer)):
                return

    async def container(self, name: str) -> AssetContainer | None:
        """One name; None where there is none."""
        try:
            found, self._aliases[name] = wire.one_registered(await self._get("registered-models/get", {"name": name}))
        except NotFound:
            return None
        return found

    async def aliases(self, name: str) -> Sequence[tuple[str, str]]:
        """Alias and version of each, as a list of names told it just now, or else asked for."""
        if name not in self._aliases:
            await self.container(name)
        return self._aliases.pop(name, ())

    async def versions(self, name: str) -> AsyncIterator[Sequence[Asset]]:
        """All versions of a name, by pages; those that only take a number are none."""
        aliases = await self.aliases(name)
        async for page in self.documents(name):
            yield [await self.read(one, aliases) for one in page if not wire.is_skipped(one)]

    async def documents(self, name: str) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        """The same as the server tells them. A name that no filter can hold is looked for among all."""
        token: str | None = None
        while True:
            answer = await self._get("model-versions/search", ask.versions(name, token))
            yield [one for one in wire.versions(answer) if one.get("name") == name]
            if not (token := wire.next_page(answer)):
                return

    async def find(self, key: AssetKey) -> Asset | None:
        """One version; None where there is none."""
        if key.kind is not AssetKind.MODEL or not key.version.isdecimal():
            return None
        try:
            answer = await self._get("model-versions/get", {"name": key.name, "version": key.version})
        except NotFound:
            return None
        document = wire.one_version(answer)
        named = [(alias, key.version) for alias in document.get("aliases") or ()]
        return None if wire.is_skipped(document) else await self.read(document, named)

    async def read(self, document: Mapping[str, Any], aliases: Sequence[tuple[str, str]]) -> Asset:
        """A version as an asset."""
        run = wire.run_by_address(document)
        root = await self._root(run) if run else None
        source = wire.source_of(document, root)
        seen = source is not None and source.run is not None and not wire.says_type(document)
        kind = await self._kind(source.run, source.path) if seen and source and source.run else wire.MLFLOW_MODEL
        named = [alias for alias, version in aliases if version == str(document.get("version"))]
        return wire.version(document, source, named, kind)

    async def logged_files(self, model: str) -> AsyncIterator[Sequence[StoredFile]]:
        """The files of a logged model; none where it is gone."""
        ahead = [""]
        while ahead:
            folder = ahead.pop()
            try:
                listed = [one async for page in self._rest.logged_files(model, folder) for one in page]
            except NotFound:
                return
            ahead += [one.path for one in listed if one.is_folder]
            yield [
                StoredFile(location=wire.logged_place(model, one.path), size_bytes=one.size_bytes)
                for one in listed
                if not one.is_folder
            ]

    async def _root(self, run: RunId) -> str | None:
        if run not in self._roots:
            if len(self._roots) >= ROOTS_KNOWN:
                self._roots.clear()
            document = await self._rest.run_document(run)
            self._roots[run] = wire.root_of(document) if document else None
        return self._roots[run]

    async def _kind(self, run: RunId, path: str) -> str:
        """By the file that a model of MLflow's has; a run that is gone has none."""
        if (run, path) not in self._kinds:
            if len(self._kinds) >= ROOTS_KNOWN:
                self._kinds.clear()
            try:
                names = [one.path async for page in self._rest.files(run, path) for one in page]
            except NotFound:
                names = []
            found = any(name.rpartition("/")[2] == _MLMODEL for name in names)
            self._kinds[run, path] = wire.MLFLOW_MODEL if found else wire.CUSTOM_MODEL
        return self._kinds[run, path]

    async def _get(self, call: str, query: Mapping[str, str]) -> Any:  # noqa: ANN401 given a type by `wire`
        return (await self._rest.send("GET", f"{ask.API}/{call}", query)).json()


def model_of(place: Location) -> tuple[str, str]:
    """The logged model and the path in it, of a place in the store of logged models."""
    model, _, path = place.path.partition("/")
    return model, path
