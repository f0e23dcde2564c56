"""Places in an MLTable's text: found below `paths` alone, changed where they stand, all else as it was."""

from __future__ import annotations

from string import ascii_lowercase
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.azure.wire.mltables import TableMove, paths_of, with_paths
from azureml_replay.azure.wire.naming import Scope
from azureml_replay.model import Location

LONG = "azureml://subscriptions/s/resourcegroups/g/workspaces/{}/datastores/{}/paths/{}"
MOVE = TableMove(
    source=Scope(subscription="S", group="G", workspace="from"),
    target=Scope(subscription="s", group="g", workspace="into"),
    folder=Location("store", "data/a/"),
    there=Location("store", "new/data/a/"),
)
TEXT = """\ufeff# file: azureml://datastores/store/paths/data/a/in a comment
paths:
- file: azureml://datastores/store/paths/data/a/x.csv # behind it
- {folder: "azureml://datastores/store/paths/data/a/b", pattern: 'azureml://datastores/store/paths/data/ab/*'}
- file: &again ./y.csv
- folder: *again
- file: >-
    azureml://datastores/store/paths/data/a/long
transformations:
- file: azureml://datastores/store/paths/data/a/no.csv
"""


def test_only_paths_change_and_only_the_own_ones_move() -> None:
    moved = with_paths(TEXT, MOVE.moved)

    assert moved == TEXT.replace("paths/data/a/x.csv #", "paths/new/data/a/x.csv #").replace(
        'paths/data/a/b"', 'paths/new/data/a/b"'
    )
    assert paths_of(TEXT)[3:5] == ["./y.csv", "./y.csv"]


@pytest.mark.parametrize(
    ("path", "moved"),
    [
        (LONG.format("FROM", "store", "data/a/x"), LONG.format("into", "store", "new/data/a/x")),
        (LONG.format("from", "store", "data/a"), LONG.format("into", "store", "new/data/a/")),
        (LONG.format("from", "other", "data/a/x"), LONG.format("into", "other", "data/a/x")),
        (LONG.format("third", "store", "data/a/x"), LONG.format("third", "store", "data/a/x")),
        *((same, same) for same in ("./x.csv", "../x", "https://h/x", "wasbs://c@h/x", "azureml:data:1", "azureml:x")),
    ],
)
def test_places_move_as_they_are_spelt(path: str, moved: str) -> None:
    assert MOVE.moved(path) == moved


def test_what_lies_outside_the_folder_stays_behind() -> None:
    inside = ("./x", "b/../c", LONG.format("from", "store", "data/a/x"), "azureml://datastores/store/paths/data/a/")
    outside = ("../x", "b/../../c", LONG.format("from", "store", "data/ab"), "https://h/x", "azureml:x:1")

    assert [MOVE.stays_behind(path) for path in inside] == [False] * len(inside)
    assert [MOVE.stays_behind(path) for path in outside] == [True] * len(outside)
    assert MOVE.names_source(LONG.format("From", "x", "y"))
    assert not MOVE.names_source("azureml://datastores/store/paths/data/a/x")


@pytest.mark.parametrize("text", ["paths: [", "\x00", "a: b: c"])
def test_what_is_no_yaml_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        with_paths(text, MOVE.moved)


PATHS = st.sampled_from(
    ["./x", LONG.format("from", "store", "data/a/x"), LONG.format("third", "store", "data/a/x"), "https://h/{a}/b"]
)
ITEMS = st.dictionaries(st.sampled_from(["file", "folder", "pattern", "else"]), PATHS, min_size=1)
OTHERS = st.dictionaries(st.text(ascii_lowercase, min_size=1).map("x".__add__), PATHS | st.lists(PATHS))


@given(st.lists(ITEMS), OTHERS, st.booleans() | st.none(), st.sampled_from([None, "'", '"']))
def test_any_table_means_the_same_with_its_places_moved(
    items: list[dict[str, str]], others: dict[str, Any], flow: bool | None, style: str | None
) -> None:
    """Written in any of YAML's ways: what a parser reads of the changed text is the changed content."""
    text = yaml.safe_dump({"paths": items, **others}, default_flow_style=flow, default_style=style, sort_keys=False)

    read = yaml.safe_load(with_paths(text, MOVE.moved))

    own = {"file", "folder", "pattern"}
    wanted = [{key: MOVE.moved(one) if key in own else one for key, one in item.items()} for item in items]
    assert read == {"paths": wanted, **others}
