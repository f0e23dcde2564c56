"""Compares what the versions of a name share as it should be in a target with what is there (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from azureml_replay.comparison.three_way import Fate
from azureml_replay.model import Finding, Json, RunId
from azureml_replay.workspace.asset import AssetContainer, AssetKey

ARCHIVED = "archived"
"""Of a name as a whole: it hides all versions, whoever did it."""


def beside(held: Mapping[str, Json], wanted: Mapping[str, Json]) -> set[str]:
    """What a name has beyond what it should; a service may add properties."""
    return {name for name in held.keys() - wanted.keys() if not name.startswith("property ")}


def compare_names(
    key: AssetKey,
    container: AssetContainer | None,
    there: AssetContainer | None,
    sent: Mapping[str, Json],
    *,
    ours: bool = False,
) -> Iterable[Finding]:
    """The findings about what versions share; what is there beside is the target's own, but in a name of `ours`."""
    if there is None:
        yield Finding(RunId(""), str(key), "absent", key.name, "")
        return
    wanted, held = container.fields if container else {}, there.fields
    for name in sorted({*wanted, *sent, *held.keys() & {ARCHIVED}, *(beside(held, wanted) if ours else ())}):
        mine, theirs = wanted.get(name), held.get(name)
        if mine != theirs:
            kind = Fate.EDITED.value if theirs != sent.get(name) else "differs"
            expected, actual = ("" if one is None else str(one) for one in (mine, theirs))
            yield Finding(RunId(""), f"{key}: {name}", kind, expected, actual)
