"""What runs refer to, as values: models, environments, data, components and code (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b

from azureml_replay.instants import Instant
from azureml_replay.json_text import canonical
from azureml_replay.model import Json, Location, RunId


class AssetKind(Enum):
    """The kinds of assets, in the order in which they are created: a later one may refer to an earlier one."""

    DATASTORE = "datastore"
    """A name for storage, without what opens it."""
    DATASET = "dataset"
    """Data of the old kind: a program over datastores."""
    CODE = "code"
    ENVIRONMENT = "environment"
    COMPONENT = "component"
    DATA = "data"
    MODEL = "model"


IN_ORDER = tuple(AssetKind)
KEPT_ONLY = frozenset({AssetKind.DATASTORE, AssetKind.DATASET})
"""Kinds of which the archive keeps the documents, and that nobody makes."""
UNVERSIONED = "-"
"""The version of what has none."""
EVERYWHERE = "every workspace has its own under that name"
"""Why nobody makes such a thing, and why nothing lacks without it."""
ALIAS = "alias "
"""How the name of a field begins that is an alias."""
_NO_RUNS: Mapping[RunId, RunId] = {}


@dataclass(frozen=True, slots=True)
class AssetKey:
    """The name of one version of an asset. Names and versions differ by case, too."""

    kind: AssetKind
    name: str
    version: str
    """Empty for what all versions of the name share."""

    def __str__(self) -> str:
        return f"{self.kind.value} {self.label}"

    @property
    def label(self) -> str:
        """Name and version, `churn:3`; of what has no versions the name."""
        has_none = self.kind in KEPT_ONLY and self.version == UNVERSIONED
        return self.name if has_none or not self.version else f"{self.name}:{self.version}"

    def __lt__(self, other: AssetKey) -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[int, str, str]:
        return IN_ORDER.index(self.kind), self.name, self.version


class OutsideKind(Enum):
    """Where something lies that a workspace refers to and does not hold itself."""

    REGISTRY = "registry"
    CURATED = "curated"
    """Made by the service for every workspace."""
    WORKSPACE = "another workspace"
    IMPLICIT = "a run's own"
    """Made by the service for one input or output of a run."""
    RELATIVE = "label"
    """A name without a version, or with a label: which version was meant is known to the service alone."""


@dataclass(frozen=True, slots=True)
class AssetUse:
    """A reference to an asset, in a run, a job, or another asset."""

    where: str
    """The way to the value in the document: `properties.environmentId`."""
    text: str
    """The value as it stands there."""
    key: AssetKey | None = None
    """The asset of the same workspace that is meant; None where it is none."""
    outside: OutsideKind | None = None
    """Where it is, if not in the same workspace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One version of an asset of a workspace, or one that a target is to hold."""

    key: AssetKey
    content: Json
    """What never changes of it: equal for equal assets, in whichever workspace. Its own references are `Mention`s."""
    description: str | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict)
    properties: Mapping[str, str | None] = field(default_factory=dict)
    stage: str | None = None
    """Of a model: Development, Production, Archived, … as people name it; archiving is something else."""
    aliases: tuple[str, ...] = ()
    """Of a model: names that lead to this version, each to one version of a name."""
    archived: bool = False
    anonymous: bool = False
    """Made for one job only, under a name of the service's or of a client's making."""
    run: RunId | None = None
    """The run that made it."""
    output: str | None = None
    """The named output of its run that it is: the service makes such assets, under a name of its own."""
    input: str | None = None
    """The input of its run that it stands for, likewise."""
    owns_bytes: bool = False
    """True where its bytes belong to it; those of other data are somebody's, and stay where they are."""
    at_home: bool = False
    """True where its bytes lie in a store that every workspace of its kind has, at the same place in each."""
    files_of: RunId | None = None
    """The run whose own files are its bytes; None where they are its own, or nobody's here."""
    run_path: str | None = None
    """Where among that run's files they lie; empty where all of them are meant."""
    place: Location | None = None
    """Where its bytes lie in the workspace's own storage; a folder's path ends with a slash."""
    stores: Mapping[str, str] = field(default_factory=dict)
    """Datastores of its workspace -> those of the target that stand for them; of the same name where none does."""
    rewrites: bool = False
    """True where paths of its MLTable that name the source's workspace are to name the target's."""
    workspace_guid: str = ""
    """By which URIs in what it says name its own workspace; empty where nothing depends on it, or nobody said it."""
    uses: tuple[AssetUse, ...] = ()
    hidden: str | None = None
    """The reason why a part of what makes it cannot be read; None where all of it was."""
    managed: str | None = None
    """The reason why nobody makes it: the service does."""
    created: Instant | None = None
    creator: str | None = None
    document: Json = None
    """The whole wire document; redacted once it comes out of an archive."""
    unknown: tuple[str, ...] = ()
    """Wire keys that decoding did not know: kept in `document`, counted in the archive."""
    redacted: bool = False
    """True where the archive took a secret out of what makes it: it cannot be made of what is left."""

    @property
    def identity(self) -> str:
        """Equal for equal content: 32 digits."""
        return digest_of(self.content)

    @property
    def is_port(self) -> bool:
        """True for one that stands for an input or output of its run: nobody gave it a name, a version, or a text."""
        return self.output is not None or self.input is not None

    @property
    def there(self) -> Location | None:
        """Where its bytes lie in the target's own storage, so far as its place decides it."""
        return self.place and moved_place(self.place, self.stores)

    @property
    def title(self) -> str | None:
        """What people call a dataset of the old kind, whose name is an id."""
        told = self.content.get("name") if isinstance(self.content, Mapping) else None
        return str(told) if told and self.key.kind is AssetKind.DATASET else None

    @property
    def fields(self) -> Mapping[str, Json]:
        """What may change of it, by the names that findings show."""
        told: dict[str, Json] = {f"tag {name}": value for name, value in self.tags.items()}
        told |= {f"property {name}": value for name, value in self.properties.items()}
        told |= {f"{ALIAS}{name}": True for name in self.aliases}
        told |= {"description": self.description or None, "stage": self.stage, "archived": self.archived}
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetContainer:
    """What all versions of one name share."""

    kind: AssetKind
    name: str
    description: str | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict)
    properties: Mapping[str, str | None] = field(default_factory=dict)
    archived: bool = False
    document: Json = None
    unknown: tuple[str, ...] = ()

    @property
    def key(self) -> AssetKey:
        """The name, without a version."""
        return AssetKey(self.kind, self.name, "")

    @property
    def fields(self) -> Mapping[str, Json]:
        """What people say of it, by the names that findings show."""
        told: dict[str, Json] = {f"tag {name}": value for name, value in self.tags.items()}
        told |= {f"property {name}": value for name, value in self.properties.items()}
        told |= {"description": self.description or None, "archived": self.archived or None}
        return {name: value for name, value in told.items() if value is not None}


TABLE_FILE = "MLTable"
"""The file of a folder of tables that says which of its files are read, and how."""
TABLE_ORIGINAL = f"{TABLE_FILE}.source"
"""Beside an MLTable that was changed: the source's own bytes."""
ASSET, PLACE, RUN = "asset", "place", "run"
"""Keys of the objects that stand in an asset's content for its references."""


def mention(key: AssetKey) -> Json:
    """A reference to another asset, as it stands in an asset's content."""
    return {ASSET: [key.kind.value, key.name, key.version]}


def mention_of_place(place: Location) -> Json:
    """A place in the workspace's own storage, as it stands in an asset's content."""
    return {PLACE: [place.datastore, place.path]}


def moved_place(place: Location, stores: Mapping[str, str]) -> Location:
    """The same path in the datastore that stands for the place's."""
    return Location(stores.get(place.datastore, place.datastore), place.path)


def with_stores(content: Json, stores: Mapping[str, str]) -> Json:
    """The content as it is where other datastores stand for some."""
    if isinstance(content, Mapping):
        told = content.get(PLACE)
        if len(content) == 1 and isinstance(told, list | tuple) and len(told) == 2:  # as `mention_of_place` writes
            return mention_of_place(moved_place(Location(str(told[0]), str(told[1])), stores))
        return {name: with_stores(value, stores) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [with_stores(value, stores) for value in content]
    return content


def mention_in_run(run: RunId, path: str) -> Json:
    """A place among a run's own files, as it stands in an asset's content: equal in whichever kind of workspace."""
    return {RUN: [run, path]}


def with_names(content: Json, names: Mapping[AssetKey, AssetKey], runs: Mapping[RunId, RunId] = _NO_RUNS) -> Json:
    """The content as it is where assets and runs have other names; a name that is not among them stays."""
    if isinstance(content, Mapping):
        told = content.get(ASSET)
        if len(content) == 1 and isinstance(told, list | tuple) and len(told) == 3:  # as `mention` writes
            key = AssetKey(AssetKind(str(told[0])), str(told[1]), str(told[2]))
            return mention(names.get(key, key))
        told = content.get(RUN)
        if len(content) == 1 and isinstance(told, list | tuple) and len(told) == 2:  # as `mention_in_run` writes
            run = RunId(str(told[0]))
            return mention_in_run(runs.get(run, run), str(told[1]))
        return {name: with_names(value, names, runs) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [with_names(value, names, runs) for value in content]
    return content


def digest_of(value: Json) -> str:
    """The digest of any JSON, in 32 digits."""
    return blake2b(canonical(value), digest_size=16).hexdigest()


def in_order(assets: Iterable[Asset]) -> list[Asset]:
    """In the order of creation: kind by kind, each after those that it uses, else the oldest first."""
    left = {asset.key: asset for asset in sorted(assets, key=_age)}
    done: dict[AssetKey, Asset] = {}

    def put(asset: Asset, above: frozenset[AssetKey]) -> None:
        for use in asset.uses:
            if use.key in left and use.key not in done and use.key not in above:
                put(left[use.key], above | {asset.key})
        done.setdefault(asset.key, asset)

    for asset in left.values():
        put(asset, frozenset())
    return list(done.values())


def _age(asset: Asset) -> tuple[int, int, str, str]:
    key = asset.key
    return IN_ORDER.index(key.kind), asset.created.ticks if asset.created else 0, key.name, key.version
