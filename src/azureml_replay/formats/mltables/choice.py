"""The selection file of the MLTable commands: which tables, and between which workspaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from azureml_replay.disk.yaml_file import Spelt, spelt_in
from azureml_replay.errors import UserError

WHAT = "a selection of MLTables: batch_id, source, target, and mltables with name and versions"
_KEYS = ("batch_id", "id", "source", "target", "mltables", "jobs")
"""`id` is an older name of the first; `jobs` was reserved and never used."""
NAMES = ("subscription_id", "resource_group", "workspace_name", "tenant_id")
"""Of a workspace; the last one may lack."""
_TABLE = ("name", "versions")


@dataclass(frozen=True, slots=True)
class ChosenTable:
    """A name, and the versions that are wanted."""

    name: str
    versions: tuple[str, ...] = ()
    """None named: all of them."""

    def takes(self, version: str) -> bool:
        """True where this version is wanted."""
        return not self.versions or version in self.versions


@dataclass(frozen=True, slots=True, kw_only=True)
class TableChoice:
    """What a selection file says."""

    batch: str = ""
    source: Mapping[str, str] = field(default_factory=dict)
    """Names of a workspace, by the keys of Studio's config.json; empty where the file has none."""
    target: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[ChosenTable, ...] = ()

    def takes(self, name: str, version: str) -> bool:
        """True where a version of a table is wanted; where nothing is named, everything is."""
        return not self.tables or any(one.name == name and one.takes(version) for one in self.tables)


def table_choice(path: Path) -> TableChoice:
    """The choice that a file holds. Raises UserError, one line: file, key, what was expected."""
    found = _keyed(spelt_in(path, WHAT), str(path), _KEYS)
    tables = found.get("mltables", "")
    if not isinstance(tables, list) and tables != "":
        raise UserError(f"{path}: mltables is no list: expected one entry a table, '- name: my-table'")
    return TableChoice(
        batch=_word(found.get("batch_id") or found.get("id") or "", f"{path}: batch_id"),
        source=_workspace(found, "source", path),
        target=_workspace(found, "target", path),
        tables=tuple(_table(one, f"{path}: mltables[{at}]") for at, one in enumerate(tables or ())),
    )


def _workspace(found: Mapping[str, Spelt], side: str, path: Path) -> dict[str, str]:
    if not found.get(side):
        return {}
    where = f"{path}: {side}"
    said = _keyed(found[side], where, NAMES)
    told = {key: _word(value, f"{where}: {key}") for key, value in said.items() if value != ""}
    lacking = [key for key in NAMES[:3] if key not in told]
    if lacking:
        raise UserError(f"{where}: {' and '.join(lacking)} lacking: add what the workspace's config.json has")
    return told


def _table(entry: Spelt, where: str) -> ChosenTable:
    if isinstance(entry, str):
        entry = {"name": entry}
    said = _keyed(entry, where, _TABLE)
    name = _word(said.get("name", ""), f"{where}: name")
    if not name:
        raise UserError(f"{where}: name is lacking: expected the name of a data asset")
    versions = said.get("versions", "")
    if isinstance(versions, dict):
        raise UserError(f"{where}: versions is no list: expected [1, 2], or none for all")
    listed = [versions] if isinstance(versions, str) else versions
    return ChosenTable(name, tuple(_word(one, f"{where}: versions") for one in listed if one != ""))


def _keyed(value: Spelt, where: str, known: tuple[str, ...]) -> Mapping[str, Spelt]:
    if not isinstance(value, dict):
        raise UserError(f"{where}: expected {', '.join(known[:3])} … with a colon behind each: {WHAT}")
    for key in value:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            meant = f"did you mean {near[0]}?" if near else f"expected {', '.join(known)}"
            raise UserError(f"{where}: unknown key {key!r}: {meant}")
    return value


def _word(value: Spelt, where: str) -> str:
    if not isinstance(value, str):
        raise UserError(f"{where} is no single value: expected a number or a text")
    return value.strip()
