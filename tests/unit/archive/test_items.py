"""Items are values; their texts on the disk stay."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from azureml_replay.archive.items import (
    ChunkItem,
    ExperimentItem,
    FileItem,
    GraphItem,
    Item,
    JobItem,
    RunItem,
    SeriesItem,
    StagedItem,
    UnknownItem,
    ValueItem,
    read,
    written,
)

TEXTS: dict[str, Item] = {
    "create": RunItem.CREATE,
    "finish": RunItem.FINISH,
    "whole": RunItem.WHOLE,
    "failed": RunItem.FAILED,
    "container": RunItem.CONTAINER,
    "undone": RunItem.UNDONE,
    "job undone": RunItem.JOB_UNDONE,
    "deleted": RunItem.DELETED,
    "kept": RunItem.KEPT,
    "job deleted": RunItem.JOB_DELETED,
    "job names gone": RunItem.NAMES_GONE,
    "job": RunItem.JOB,
    "job shape": RunItem.SHAPE,
    "points/0": ChunkItem(0),
    "points/12": ChunkItem(12),
    "unread": RunItem.UNREAD,
    "experiment prefix": RunItem.PREFIX,
    "throw-away runs": RunItem.THROWN,
    "file/outputs/create": FileItem("outputs/create"),
    "file/points/1": FileItem("points/1"),
    "experiment a b": ExperimentItem("a b"),
    "job put/shape": JobItem("shape"),
    "graph/1234": GraphItem("1234"),
    "staged/outputs/a.bin": StagedItem("outputs/a.bin"),
    'series/["a/\\"b\\"",null]': SeriesItem('a/"b"'),
    'series/["a","eval"]': SeriesItem("a", "eval"),
    'value/["tag","owner",null]': ValueItem("tag", "owner"),
    'value/["tag","owner","e"]': ValueItem("tag", "owner", "e"),
    'value/["tag"]': UnknownItem('value/["tag"]'),
    "series/a": UnknownItem("series/a"),
}


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_on_disks_is_read_and_written_the_same(text: str) -> None:
    assert read(text) == TEXTS[text]
    assert written(TEXTS[text]) == text


def test_there_is_a_text_for_each_item_of_a_run() -> None:
    assert {item for item in TEXTS.values() if isinstance(item, RunItem)} == set(RunItem)


@pytest.mark.parametrize(
    "text", ["", "points/", "points/-1", "points/01", "points/١", 'value/["","","" ]', "created", "a later version's"]
)
def test_a_text_of_nobody_means_nothing_and_stays(text: str) -> None:
    assert read(text) == UnknownItem(text)
    assert written(read(text)) == text


@example('value/["","",""\r]')
@given(st.one_of(st.text(), st.sampled_from(sorted(TEXTS)).flatmap(lambda text: st.text().map(text.__add__))))
def test_no_two_texts_are_one_item(text: str) -> None:
    assert written(read(text)) == text
