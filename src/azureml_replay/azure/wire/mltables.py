"""MLTable files: the places that `paths` names, and the same text with other places (pure).

Values are replaced where they stand in the text, so that comments, order and transformations stay as somebody wrote
them (assets.md 4).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from posixpath import normpath
from typing import Any

import yaml  # type: ignore[import-untyped]

from azureml_replay.azure.wire.decode_assets import asset
from azureml_replay.azure.wire.naming import Scope, long_uri, place_of_uri, scope_of
from azureml_replay.azure.wire.references import Spelling, parse, render
from azureml_replay.model import Json, Location
from azureml_replay.workspace.asset import TABLE_FILE, Asset, AssetKind
from azureml_replay.workspace.reader import mapping

FILE = TABLE_FILE
_NAMING = frozenset({"file", "folder", "pattern"})
_QUOTES = frozenset({"'", '"'})
_WHOLE_WORKSPACE = frozenset({Spelling.LONG, Spelling.LISTED})
"""Forms that name the workspace: all others mean the one in which the table is read."""
_WILDS = {r"\*\*/": "(?:.*/)?", r"\*\*": ".*", r"\*": "[^/]*", r"\?": "[^/]"}
"""In patterns, escaped -> what they take in."""
_WILD = re.compile("|".join(map(re.escape, _WILDS)))


def paths_of(text: str) -> list[str]:
    """The values below `paths`, in their order. Raises ValueError where the text is no YAML."""
    return [node.value for node in _nodes(text)]


def with_paths(text: str, change: Callable[[str], str]) -> str:
    """The text with `change` made of each value below `paths`. Raises ValueError where the text is no YAML.

    A value that is spelt over several lines stays.
    """
    made, at = [], 0
    for node in sorted(_nodes(text), key=lambda one: one.start_mark.index):
        start, stop = node.start_mark.index, node.end_mark.index
        new = change(node.value)
        if start < at or new == node.value or node.style not in {None, *_QUOTES}:
            continue  # one that an alias names again was changed at its first place
        quote = node.style or ""
        if text[start:stop] != f"{quote}{node.value}{quote}":
            continue
        made += [text[at:start], f"{quote}{new}{quote}"]
        at = stop
    return "".join([*made, text[at:]])


def _nodes(text: str) -> Iterator[Any]:
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error).partition("\n")[0]) from None
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "paths" and isinstance(value, yaml.SequenceNode):
            for item in value.value:
                for name, one in item.value if isinstance(item, yaml.MappingNode) else ():
                    if name.value in _NAMING and isinstance(one, yaml.ScalarNode):
                        yield one


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMove:
    """A table that moves from one folder of a workspace to one of another workspace."""

    source: Scope
    target: Scope
    folder: Location
    """Where it lies in the source; the path ends with a slash."""
    there: Location

    def moved(self, path: str) -> str:
        """A value of `paths` as it means the same in the target; what is no place of the source's stays."""
        found, place = parse(path), place_of_uri(path, self.source)
        if found is None or place is None or found.form is Spelling.WEB:
            return path
        moved = self._moved(place)
        if found.form is Spelling.LISTED:
            return long_uri(moved, self.target)
        fields = {"datastore": moved.datastore, "path": moved.path}
        if found.form is Spelling.LONG:
            scope = self.target
            fields |= {"subscription": scope.subscription, "group": scope.group, "workspace": scope.workspace}
        return render(found.having(**fields))

    def _moved(self, place: Location) -> Location:
        """What lies in the table's folder moves with it."""
        base = self.folder
        if place.datastore == base.datastore and f"{place.path}/".startswith(base.path):
            return Location(self.there.datastore, self.there.path + place.path[len(base.path) :])
        return place

    def carried(self, path: str) -> str:
        """A value of `paths` with what came with the table led to the target; what did not come stays."""
        return path if self.stays_behind(path) else self.moved(path)

    def is_left(self, path: str) -> bool:
        """True for one that leads into storage of the source's workspace, and did not come with the table."""
        return self.stays_behind(path) and place_of_uri(path, self.source) is not None

    def names_source(self, path: str) -> bool:
        """True where a value names the source's workspace, so that it would be read from there."""
        found = parse(path)
        return found is not None and found.form in _WHOLE_WORKSPACE and self.source.owns(found)

    def stays_behind(self, path: str) -> bool:
        """True where a value leads out of the table's folder: what lies there does not come with it."""
        found, place = parse(path), place_of_uri(path, self.source)
        if found is None:
            return not path.startswith("/") and _climbs(path)
        base = self.folder
        inside = place is not None and place.datastore == base.datastore and f"{place.path}/".startswith(base.path)
        return not inside


def _climbs(path: str) -> bool:
    level = 0
    for part in path.split("/"):
        level += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if level < 0:
            return True
    return False


def place_named(uri: str, scope: Scope) -> Location | None:
    """The folder in a workspace's own storage that the URI of a table leads to; None for any other place."""
    place = place_of_uri(uri, scope)
    if place is None or place.path.endswith("/"):
        return place
    return Location(place.datastore, f"{place.path}/")


def reads(path: str, folder: Location, at: Location, scope: Scope) -> bool:
    """True where a value of `paths` of the table in a folder, a pattern or a folder itself, takes in the file `at`."""
    place = place_of_uri(path, scope)
    if place is None and (parse(path) is not None or path.startswith("/") or _climbs(path)):
        return False
    where = place or Location(folder.datastore, normpath(folder.path + path))
    taken = where.path.strip("/")
    if where.datastore != at.datastore:
        return False
    pattern = _WILD.sub(lambda found: _WILDS[found[0]], re.escape(taken))
    return at.path.startswith(f"{taken}/") or re.fullmatch(pattern, at.path) is not None


def table_uri(place: Location, scope: Scope) -> str:
    """The URI of a table that lies there."""
    return long_uri(place, scope)


def table_asset(  # noqa: PLR0917
    name: str, version: str, kind: str, uri: str, paths: list[str], scope: Scope, told: Mapping[str, Json]
) -> Asset:
    """The data asset of a table at a URI; `told`: its description, tags and properties."""
    said = {"dataType": kind, "dataUri": uri, "referencedUris": paths, **told}
    return asset({"name": version, "properties": said}, AssetKind.DATA, name, scope)


def own_scope(asset: Asset) -> Scope | None:
    """The names under which what an asset of ARM's says means its own workspace."""
    found = scope_of(str(mapping(asset.document or {}).get("id")))
    return replace(found, guid=asset.workspace_guid) if found else None


def move_of(asset: Asset, scope: Scope) -> TableMove | None:
    """How the table of an asset moves to the workspace of `scope`; None for one that lies nowhere here."""
    own = own_scope(asset)
    if own is None or asset.place is None or asset.there is None:
        return None
    return TableMove(source=own, target=scope, folder=asset.place, there=asset.there)


def rewritten(asset: Asset, text: str, scope: Scope) -> tuple[str, int]:
    """An MLTable with what came with it led to the workspace of `scope`, and how many of its paths are left.

    A text that is no YAML stays.
    """
    move = move_of(asset, scope)
    if move is None:
        return text, 0
    try:
        return with_paths(text, move.carried), sum(map(move.is_left, paths_of(text)))
    except ValueError:
        return text, 0
