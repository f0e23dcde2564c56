"""What is said at once of a document is what going through it finds."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.json_text import TOO_DEEP
from azureml_replay.redact import VERSION, Rules
from azureml_replay.redact.untouched import stays

WORD = secrets.token_hex(16)
GONE_THROUGH = ("a name that nothing has",)
"""With a glob every document is gone through."""
KEYS = [
    *("value", "name", "key", "token", "password", "HF_TOKEN", "tags", "environmentVariables", "env", "properties"),
    *("Name", "Value", "default", "enum", "type", "EPOCHS", "DEPLOY_KEY"),
    f"password={WORD}",
]
TEXTS = [
    *("true", "integer", "uri_file"),
    *("", "plain", "--password", "--token=x", "HF_TOKEN", TOO_DEEP, "mysql", "curl", "-u", "-p" + WORD, WORD),
    *(f"user:{WORD}", f"https://a:{WORD}@b/c", f"password%3D{WORD}", f"x?sig={WORD}", "https://a/b?c=d"),
]
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(TEXTS),
    lambda below: (
        st.dictionaries(st.sampled_from(KEYS), below, max_size=4)
        | st.lists(below, max_size=4)
        | st.tuples(below, below)
    ),
    max_leaves=12,
)


@given(document=DOCUMENTS, version=st.integers(1, VERSION))
def test_nothing_is_found_where_a_document_is_said_to_stay(document: Any, version: int) -> None:
    found = Rules(GONE_THROUGH, version).document(document)

    assert found == Rules((), version).document(document)
    assert not stays(document, version) or found == (document, [])


@pytest.mark.parametrize(
    "document",
    [
        {"token": None, "max_token": 512, "command": "", "tags": {"author": "x@y"}, "env": None},
        {"endpoint": "https://ml.azure.com/runs/a?wsid=/b/c", "warnings": [{"message": "slow", "at": 0.5}]},
        {"environmentVariables": {"EPOCHS": "20", "OMP_NUM_THREADS": "4"}},
    ],
)
def test_what_a_run_s_document_holds_is_not_gone_through(document: Any) -> None:
    assert stays(document, VERSION)
    assert Rules().document(document)[0] is document


@pytest.mark.parametrize(
    "document",
    [
        {"tags": {"token": WORD}},
        {f"password={WORD}": None},
        {"environmentVariables": {"DEPLOY_KEY": WORD}},
        {"environmentVariables": {"A": {"DEPLOY_KEY": WORD}}},
        {"environmentVariables": {"name": "DEPLOY_KEY", "value": WORD}},
        {"environmentVariables": {"URL": f"https://a:{WORD}@b/c"}},
        {"env": [{"key": "DEPLOY_KEY", "value": WORD}]},
        {"name": "HF_TOKEN", "value": WORD},
        {"Name": "HF_TOKEN", "default": WORD},
        {"inputs": {"token": {"type": "string", "default": WORD}}},
        ["--password", WORD],
        ["mysql", "-p" + WORD],
        [{"endpoint": f"https://a:{WORD}@b/c"}],
        {"properties": TOO_DEEP},
    ],
)
def test_a_document_with_something_to_take_out_does_not_stay(document: Any) -> None:
    assert not stays(document, VERSION)
    assert Rules().document(document)[1]


@pytest.mark.parametrize("outside", ["", [[]]])
def test_what_lies_too_deep_is_gone_through(outside: Any) -> None:
    document: Any = outside
    for _ in range(100):
        document = [document]

    assert stays(document, VERSION) is (outside == "")
