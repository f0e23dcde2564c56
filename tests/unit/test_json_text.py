"""JSON of every text and number."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay import json_text
from azureml_replay.azure.wire import decode, decode_metrics
from azureml_replay.errors import Rejected, Unavailable
from azureml_replay.sending.sender import Answer

HALF = "cut \ud83d"
LONG = 123456789012345678901234567890
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=5)
    | st.sampled_from([HALF, LONG, -LONG, 2**64, 2**63 - 1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(VALUES, st.sampled_from([None, 2]))
def test_what_a_service_can_say_is_read_exactly(value: Any, indent: int | None) -> None:
    """In every spelling; a whole number stays one, however long."""
    said = {"one": value, "many": [value, value]}

    assert repr(json_text.loads(json.dumps(said, indent=indent).encode())) == repr(said)
    assert repr(json_text.loads(json.dumps(said, separators=(",", ":")).encode())) == repr(said)


@pytest.mark.parametrize("text", [b"<html>", b'{"a": ', b"NaN", b"[1e400]", b'{"a": Infinity}', b"\xff"])
def test_what_is_no_json_is_said(text: bytes) -> None:
    """Nothing becomes infinite or nothing on its way."""
    with pytest.raises(ValueError, match=r"JSON|double|Expecting|codec"):
        json_text.loads(text)


@given(VALUES)
def test_what_an_archive_holds_comes_back(value: Any) -> None:
    """Marked where a parser for it has to keep long numbers."""
    text = json_text.dumps_marked(value)

    assert repr(json_text.loads_marked(text)) == repr(value)
    assert text.startswith(b" ") == (text != json_text.dumps(value))


def nested(levels: int, inside: object = 1) -> Any:
    """So many lists and objects within each other, in turn."""
    value = inside
    for level in range(levels):
        value = {"a]": value} if level % 2 else ["[{", value]
    return value


def text_of(levels: int) -> bytes:
    """The same as JSON; the standard library's writer stops at a thousand."""
    lists = b'{"b": 1, "a": ["]", ' * (levels // 2)
    return lists + b"1" + b'], "c": "\\"}"}' * (levels // 2)


def test_nesting_without_end_is_no_json() -> None:
    """Deeper than either parser goes: an answer that cannot be read, and no crash."""
    for text in (b"[" * 200_000 + b"]" * 200_000, b"[" * 200_000, text_of(101 + 1)):
        with pytest.raises(json_text.NestedTooDeeply, match="lists within lists"):
            json_text.loads(text)
    for broken in (b"[" * 200_000, b'{"a":' * 200_000, b'["' + b'\\"' * 200_000):
        with pytest.raises(ValueError, match=r"JSON|Unterminated"):
            json_text.loads_cut(broken)


def test_as_deep_as_is_read_and_no_deeper() -> None:
    """The bound is the same, whichever parser reads, and whether orjson's own bound tells or not."""
    most = json_text.DEEPEST
    wide = [nested(2)] * 200
    for value in (nested(most), nested(most, LONG), [*wide, nested(most - 1)]):
        assert json_text.loads(json.dumps(value).encode()) == value
        assert not json_text.is_deep(value)
    for value in (nested(most + 1), nested(most + 1, LONG), [*wide, nested(most)], nested(254), nested(900)):
        assert json_text.is_deep(value)
        for read in (json_text.loads, lambda text: json_text.loads_python(text.decode())):
            with pytest.raises(json_text.NestedTooDeeply):
                read(json.dumps(value).encode())
    assert math.isnan(json_text.loads_python("[NaN]")[0])
    with pytest.raises(json_text.NestedTooDeeply):
        json_text.loads_python("[" * 200_000 + "]" * 200_000)


@pytest.mark.parametrize("levels", [0, 2, 98, 100, 102, 300, 1_024, 1_026, 100_000])
def test_of_what_is_too_deep_the_rest_is_read(levels: int) -> None:
    """Brackets and quotes inside of texts count for nothing; what stands beside it stays."""
    text = b'{"before": [1, "[{\\""], "deep": ' + text_of(levels) + b', "after": {"x": [' + text_of(2) + b"]}}"

    found = json_text.loads_cut(text)

    assert (found["before"], found["after"]) == ([1, '[{"'], {"x": [{"b": 1, "a": ["]", 1], "c": '"}'}]})
    assert not json_text.is_deep(found)
    assert (json_text.TOO_DEEP in json.dumps(found)) == (levels > 98)
    if levels <= 98:
        assert found == json_text.loads(text)


def test_an_archive_keeps_what_earlier_versions_wrote_as_far_as_anything_can_look_at_it() -> None:
    """It puts levels of its own around a document; far deeper ones would stop whatever walks over them."""
    for levels, cut in ((101, False), (110, False), (112, True), (800, True)):
        found = json_text.loads_marked_cut(json.dumps(nested(levels)).encode())
        assert (json_text.TOO_DEEP in json.dumps(found)) == cut


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_lacks_is_a_text(value: float) -> None:
    """In the file that others read."""
    assert json.loads(json_text.strict({"a": [value, (1.5,)]})) == {
        "a": [{"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)], [1.5]]
    }


def test_half_of_a_surrogate_pair_stops_no_run() -> None:
    """A service that cuts texts may leave one: a tag is carried, a kind is kept in the document and said."""
    said = {"runId": "r", "tags": {"note": HALF}, "runType": HALF, "parameters": {"seed": LONG}}
    answer = Answer("GET", "https://api.example", 200, {}, json.dumps(said).encode(), repeatable=True)

    run = decode.run(answer.json(), "e")

    assert (run.tags, run.kind, run.parameters) == ({"note": HALF}, None, {"seed": LONG})
    assert run.unknown == ("unreadable runType",)
    assert run.document == said


def test_a_name_that_is_no_unicode_fails_its_run_alone() -> None:
    """Nothing can be looked up by it."""
    with pytest.raises(Rejected, match="surrogates"):
        decode_metrics.definition({"metricKey": {"name": HALF}})
    with pytest.raises(Rejected, match="surrogates"):
        decode.artifact({"origin": "ExperimentRun", "container": "dcid.r", "path": HALF})


def test_an_answer_of_infinite_numbers_is_no_json() -> None:
    """As a proxy's page: it may be another one the next time."""
    with pytest.raises(Unavailable, match="not JSON"):
        Answer("GET", "https://api.example", 200, {}, b"[1e999]", repeatable=True).json()
    assert math.isfinite(json_text.loads(b"1e308"))
