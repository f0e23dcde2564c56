"""Which asset or which place a reference in a document means, seen from one workspace (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from azureml_replay.azure.wire.references import Spelling, Spelt, parse, render
from azureml_replay.model import Json, Location, RunId
from azureml_replay.workspace.asset import UNVERSIONED, AssetKey, AssetKind, AssetUse, OutsideKind

SEGMENTS = {
    AssetKind.CODE: "codes",
    AssetKind.ENVIRONMENT: "environments",
    AssetKind.COMPONENT: "components",
    AssetKind.DATA: "data",
    AssetKind.MODEL: "models",
}
"""The collection of each kind below a workspace."""
KINDS = {segment: kind for kind, segment in SEGMENTS.items()}
CURATED = "AzureML-"
"""The beginning of the names of environments that the service makes (responses.md 1.2)."""
NAMING = {
    "environmentId": AssetKind.ENVIRONMENT,
    "environment": AssetKind.ENVIRONMENT,
    "codeId": AssetKind.CODE,
    "code": AssetKind.CODE,
    "componentId": AssetKind.COMPONENT,
    "component": AssetKind.COMPONENT,
    "uri": AssetKind.DATA,
}
"""Keys whose values name assets, with the kind that a short name there means: `azureml:x` alone is a compute, too."""
SYSTEM_STORES = frozenset(
    {
        "workspaceblobstore",
        "workspaceartifactstore",
        "workspacefilestore",
        "workspaceworkingdirectory",
        "steprunlogblobstore",
    }
)
"""Datastores that every workspace has."""
PLACING = frozenset({"uri", "modelUri", "dataUri", "codeUri", "contextUri"})
"""Keys whose values say where bytes lie."""
_TELLING = frozenset({*NAMING, *PLACING})
_PORTS = {
    AssetKind.DATA: re.compile(r"_(?P<side>input|output)_data_(?=.)"),
    AssetKind.MODEL: re.compile(r"_(?P<side>input|output)_(?=.)"),
}
"""What stands between run and port in the names of assets that the service makes for an input or output of a run.

Recorded of data (pipe-details-completed, pipe-child-run-download) and of the models of outputs (model-list-paging).
"""
_OF_A_RUN = "azureml_"
_FIRST = "1"
"""The version of what is made for a port (recorded)."""
_OWN_OUTPUT = "default"
"""The output by which every run shows its own container: its bytes are files of the run."""
_TYPES = ("type", "jobInputType", "jobOutputType")
_REGISTRIES = frozenset({Spelling.REGISTRY_VERSION, Spelling.REGISTRY_LABEL, Spelling.REGISTRY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The names under which documents mean one workspace."""

    subscription: str
    group: str
    workspace: str
    guid: str = ""
    region: str = ""
    accounts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Host of a storage account -> a datastore of the workspace in it, and that datastore's container."""

    def owns(self, reference: Spelt) -> bool:
        """True where a reference that names a workspace names this one; keywords and scopes have no case."""
        if reference.form in (Spelling.LISTED, Spelling.LOCATED):
            return bool(self.guid) and reference["guid"].lower() == self.guid.lower()
        named = (reference["subscription"], reference["group"], reference["workspace"])
        own = (self.subscription, self.group, self.workspace)
        return [one.lower() for one in named] == [one.lower() for one in own]


def scope_of(arm_id: str) -> Scope | None:
    """The workspace that an asset's own id names."""
    found = parse(arm_id)
    if found is None or found.form is not Spelling.ARM:
        return None
    return Scope(subscription=found["subscription"], group=found["group"], workspace=found["workspace"])


def key_of(reference: Spelt, kind: AssetKind | None, scope: Scope) -> AssetKey | None:
    """The asset of this workspace that is meant; `kind` is what a short name means."""
    if reference.form in (Spelling.ARM, Spelling.LOCATED):
        named = KINDS.get(reference["kind"].lower())
        return AssetKey(named, reference["name"], reference["version"]) if named and scope.owns(reference) else None
    if reference.form is Spelling.VERSION and kind is not None:
        return AssetKey(kind, reference["name"], reference["version"])
    return None


def place_of_uri(text: str, scope: Scope) -> Location | None:
    """Where in the workspace's own storage a URI leads; None for any other place."""
    found = parse(text)
    if found is None:
        return None
    if found.form in (Spelling.STORE, Spelling.STORE_BARE) or (
        found.form in (Spelling.LONG, Spelling.LISTED) and scope.owns(found)
    ):
        return Location(found["datastore"], found["path"])
    return _of_web(text, scope) if found.form is Spelling.WEB else None


def _of_web(text: str, scope: Scope) -> Location | None:
    """A blob's own URL; another container of the account is named after the datastore, as storage names it."""
    parts = urlsplit(text)
    if parts.query or (parts.hostname or "") not in scope.accounts:
        return None
    datastore, own = scope.accounts[parts.hostname or ""]
    container, _, path = unquote(parts.path).lstrip("/").partition("/")
    return Location(datastore if container == own else f"{datastore}/{container}", path)


def uses(document: Json, scope: Scope, where: str = "") -> Iterator[AssetUse]:
    """The assets that a document names, under keys that name assets only, and the datastores that people made."""
    for path, key, text, holder in _texts(document, where):
        if key in PLACING and (store := store_of(text, scope)):
            yield AssetUse(path, text, key=store)
        found = parse(text) if key in NAMING else None
        if found is None:
            continue
        kind = NAMING[key] if key != "uri" or not _is_model(holder) else AssetKind.MODEL
        if use := _use(path, text, found, kind, scope):
            yield use


def store_of(text: str, scope: Scope) -> AssetKey | None:
    """The datastore of this workspace that a URI leads into; None where every workspace has one of its name."""
    place = place_of_uri(text, scope)
    if place is None or place.datastore in SYSTEM_STORES or "/" in place.datastore:
        return None
    return AssetKey(AssetKind.DATASTORE, place.datastore, UNVERSIONED)


def definition_uses(definition: Json, scope: Scope) -> Iterator[AssetUse]:
    """The environment that a run's own definition names (pipe-child-run-download): a step has no job document."""
    environment = definition.get("environment") if isinstance(definition, Mapping) else None
    text = environment.get("assetId") if isinstance(environment, Mapping) else None
    found = parse(text) if isinstance(text, str) else None
    if isinstance(text, str) and found and (use := _use(ENVIRONMENT_USE, text, found, AssetKind.ENVIRONMENT, scope)):
        yield use


ENVIRONMENT_USE = "definition.environment"
"""Where such a reference stands."""


def _use(where: str, text: str, found: Spelt, kind: AssetKind, scope: Scope) -> AssetUse | None:
    key = key_of(found, kind, scope)
    outside = _made_by_the_service(key) if key else _elsewhere(found, kind)
    if key is None and outside is None:
        return None
    return AssetUse(where, text, key=None if outside else key, outside=outside)


def _made_by_the_service(key: AssetKey) -> OutsideKind | None:
    if key.kind is AssetKind.ENVIRONMENT and key.name.startswith(CURATED):
        return OutsideKind.CURATED
    if key.kind is not AssetKind.DATA:
        return None
    return OutsideKind.IMPLICIT if (port := port_of(key)) and port.output == _OWN_OUTPUT else None


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a run for which the service makes an asset of its own."""

    run: RunId
    side: str
    """`input` or `output`."""
    name: str

    @property
    def output(self) -> str | None:
        """The name of an output."""
        return self.name if self.side == "output" else None

    @property
    def input(self) -> str | None:
        """The name of an input."""
        return self.name if self.side == "input" else None

    def key(self, kind: AssetKind) -> AssetKey:
        """The asset that the service makes for it."""
        between = "_data" if kind is AssetKind.DATA else ""
        return AssetKey(kind, f"{_OF_A_RUN}{self.run}_{self.side}{between}_{self.name}", _FIRST)


def port_of(key: AssetKey, place: Location | None = None) -> Port | None:
    """The input or output that the service made an asset for; None for any other asset.

    A name that can be cut at several places is cut where the run's id is that of the folder in which the bytes lie,
    else at the first one.
    """
    cuts = _PORTS[key.kind].finditer(key.name, len(_OF_A_RUN) + 1) if key.kind in _PORTS else ()
    if not key.name.startswith(_OF_A_RUN) or (key.kind is AssetKind.MODEL and key.version != _FIRST):
        return None
    name = key.name
    ports = [Port(RunId(name[len(_OF_A_RUN) : cut.start()]), cut["side"], name[cut.end() :]) for cut in cuts]
    lies = [one for one in ports if place and place.path.startswith(f"azureml/{one.run}/")]
    return next(iter((*lies, *ports)), None)


def _elsewhere(found: Spelt, kind: AssetKind) -> OutsideKind | None:
    if found.form in _REGISTRIES:
        return OutsideKind.REGISTRY
    if found.form in (Spelling.ARM, Spelling.LOCATED) and found["kind"].lower() in KINDS:
        return OutsideKind.WORKSPACE
    unsettled = found.form is Spelling.LABEL or (found.form is Spelling.NAME and kind is not AssetKind.DATA)
    return OutsideKind.RELATIVE if unsettled else None


def _is_model(holder: Mapping[str, Any]) -> bool:
    return any(str(holder.get(key, "")).lower().endswith("model") for key in _TYPES)


def _texts(value: Json, where: str) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Every text below a key of `_TELLING`: its way, the key, the text, and what holds it."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            path = f"{where}.{key}" if where else key
            if isinstance(one, str):
                if key in _TELLING:
                    yield path, key, one, value
            else:
                yield from _texts(one, path)
    elif isinstance(value, list | tuple):
        for at, one in enumerate(value):
            yield from _texts(one, f"{where}[{at}]")


def replaced(value: Json, change: Callable[[str, str, Mapping[str, Any]], Json]) -> Json:
    """A copy in which `change` makes something of each text below a key, of which it gets key, text and holder."""
    if isinstance(value, Mapping):
        return {
            key: change(key, one, value) if isinstance(one, str) else replaced(one, change)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [replaced(one, change) for one in value]
    return value


def named_key(key: str, text: str, holder: Mapping[str, Any], scope: Scope) -> AssetKey | None:
    """The asset of the workspace that one value names, where its key is one that names assets."""
    found = parse(text) if key in NAMING else None
    if found is None:
        return None
    kind = NAMING[key] if key != "uri" or not _is_model(holder) else AssetKind.MODEL
    named = key_of(found, kind, scope)
    return None if named and named.kind is AssetKind.ENVIRONMENT and named.name.startswith(CURATED) else named


def moved(text: str, there: AssetKey, scope: Scope) -> str:
    """A reference to an asset as it names the same thing in another workspace, under the name that it has there."""
    found = parse(text)
    if found is None:
        return text
    return render(
        found.having(
            subscription=scope.subscription,
            group=scope.group,
            workspace=scope.workspace,
            guid=scope.guid,
            region=scope.region,
            name=there.name,
            version=there.version,
        )
    )


def with_place(text: str, own: Scope, scope: Scope, stores: Mapping[str, str]) -> str:
    """A URI of a place in a workspace's own storage as it leads to the same path in another's; any other stays."""
    found, place = parse(text), place_of_uri(text, own)
    if found is None or place is None or found.form is Spelling.WEB:
        return text
    fields = {"subscription": scope.subscription, "group": scope.group, "workspace": scope.workspace}
    return render(found.having(datastore=stores.get(place.datastore, place.datastore), guid=scope.guid, **fields))


def name_in_runs(scope: Scope) -> str:
    """How runs of a workspace name an asset, at the example of one (assets.md 2, F6)."""
    return located(AssetKey(AssetKind.DATA, "a", "1"), scope)


def named_in(text: str, there: AssetKey, like: str) -> str | None:
    """The name of an asset in the runs of another workspace, where it is `there`; None for any other reference.

    `like` is what `name_in_runs` says of that workspace.
    """
    found, example = parse(text), parse(like)
    if found is None or example is None or {found.form, example.form} != {Spelling.LOCATED}:
        return None
    own = {"region": example["region"], "guid": example["guid"]}
    return render(found.having(**own, name=there.name, version=there.version))


def located(key: AssetKey, scope: Scope) -> str:
    """How run history names an asset of a workspace (pipe-details-completed.json)."""
    where = f"azureml://locations/{scope.region}/workspaces/{scope.guid}"
    return f"{where}/{SEGMENTS[key.kind]}/{key.name}/versions/{key.version}"


def arm_id(key: AssetKey, scope: Scope) -> str:
    """The id that ARM has of an asset of a workspace."""
    where = f"/subscriptions/{scope.subscription}/resourceGroups/{scope.group}"
    workspace = f"providers/Microsoft.MachineLearningServices/workspaces/{scope.workspace}"
    return f"{where}/{workspace}/{SEGMENTS[key.kind]}/{key.name}/versions/{key.version}"


def long_uri(place: Location, scope: Scope) -> str:
    """The URI of a place in a workspace's own storage, whole."""
    return (
        f"azureml://subscriptions/{scope.subscription}/resourcegroups/{scope.group}/workspaces/{scope.workspace}"
        f"/datastores/{place.datastore}/paths/{place.path}"
    )
