"""JSON of every text and number."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay import json_text
from azureml_replay.azure.sending.sender import Answer
from azureml_replay.azure.wire import decode, decode_metrics
from azureml_replay.errors import Rejected, Unavailable

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


def test_nesting_without_end_is_no_json() -> None:
    """Deeper than either parser goes: an answer that cannot be read, and no crash."""
    with pytest.raises(ValueError, match="lists within lists"):
        json_text.loads(b"[" * 200_000 + b"]" * 200_000)


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
