"""Digests are of the written form in docs/concepts/archive-format.md."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.archive import digests
from azureml_replay.instants import Instant
from azureml_replay.json_text import canonical
from azureml_replay.model import AssetReference, Experiment, Location, Run, RunId, StoredFile

RUN = Run(
    id=RunId("r"),
    parent=RunId("p"),
    experiment="e",
    status="Failed",
    start=Instant(17_000_000_000_000_001),
    display_name="é\n\x1f",
    tags={"b": "1", "a": None},
    properties={"azureml_replay": "whatever", "kept": "x"},
    parameters={"lr": 0.1, "n": 2**70},
    inputs={"data": AssetReference("azureml://d", "UriFolder")},
    input_datasets=[{"zero": -0.0}],
    lender=RunId("other"),
    error={"code": "UserError", "rate": 1.5},
)


def of(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def test_a_run_is_written_as_documented() -> None:
    """Names in order, no spaces, doubles by their bits, lineage left out."""
    assert digests.of_run(RUN) == of(
        '{"description":null,"display_name":"é\\n\\u001f","experiment":"e","input_datasets":'
        '[{"zero":{"float":"8000000000000000"}}],"inputs":{"data":{"asset_id":"azureml://d","type":"UriFolder"}},'
        '"lender":"other",'
        '"output_datasets":null,"outputs":{},"parameters":{"lr":{"float":"3fb999999999999a"},'
        '"n":1180591620717411303424},"parent":"p","properties":{"kept":"x"},"tags":{"a":null,"b":"1"}}'
    )


def test_an_ending_is_written_as_documented() -> None:
    assert digests.of_ending(RUN) == of(
        '{"end":null,"error":{"code":"UserError","rate":{"float":"3ff8000000000000"}},"error_origin":null,'
        '"hidden":false,"start":{"ticks":17000000000000001},"status":"Failed"}'
    )


def test_the_others_are_written_as_documented() -> None:
    run, ending = digests.of_run(RUN), digests.of_ending(RUN)
    file = StoredFile(location=Location("store", "a"), size_bytes=3, md5=b"\x01\xff", etag="0x8", content_type="text")
    experiment = Experiment(id="1", name="e", tags={"k": "v"}, archived=Instant(5))

    assert digests.of_whole(RUN, generation=2, own_files=("replay/job.json",), files=3) == of(
        f'{{"ending":"{ending.hex()}","files":3,"generation":2,"own_files":["replay/job.json"],"run":"{run.hex()}"}}'
    )
    assert digests.of_whole(RUN, generation=2, own_files=(), files=3, choice={"globs": ["*.txt"]}) == of(
        f'{{"choice":{{"globs":["*.txt"]}},"ending":"{ending.hex()}","files":3,"generation":2,"own_files":[],'
        f'"run":"{run.hex()}"}}'
    )
    assert digests.of_kept(run) == of(f'{{"kept":"{run.hex()}"}}')
    assert digests.of_lender(RunId("o")) == of('{"lender":"o"}')
    assert digests.of_experiment(experiment) == of(
        '{"archived":{"ticks":5},"description":null,"name":"e","tags":{"k":"v"}}'
    )
    assert digests.of_file(file) == of('{"etag":"0x8","md5":"01ff","size_bytes":3}')
    assert digests.of_file(replace(file, md5=None, etag=None)) == of('{"etag":null,"md5":null,"size_bytes":3}')
    assert digests.of_chunk(b"\x0a", [("loss", None, '[["loss","Double"]]')]) == of(
        '{"data":"0a","series":[["loss",null,"[[\\"loss\\",\\"Double\\"]]"]]}'
    )


@pytest.mark.parametrize(
    "change",
    [{"document": {"a": 1}}, {"created": Instant(1)}, {"kind": "x"}, {"unknown": ("y",)}, {"id": RunId("s")}],
    ids=str,
)
def test_what_is_not_sent_changes_nothing(change: dict[str, Any]) -> None:
    """Neither would a field that the type gains."""
    assert digests.of_run(replace(RUN, **change)) == digests.of_run(RUN)
    assert digests.of_ending(replace(RUN, **change)) == digests.of_ending(RUN)


@pytest.mark.parametrize(
    "change",
    [
        {"tags": {"a": "", "b": "1"}},
        {"tags": {"b": "1"}},
        {"parameters": {"lr": 0.1, "n": float(2**70)}},
        {"input_datasets": [{"zero": 0.0}]},
        {"lender": None},
        {"inputs": {"data": AssetReference("azureml://d", None)}},
    ],
    ids=str,
)
def test_what_is_sent_tells(change: dict[str, Any]) -> None:
    """None is not empty, 1 is not 1.0, -0.0 is not 0.0."""
    assert digests.of_run(replace(RUN, **change)) != digests.of_run(RUN)


TEXTS = st.text(st.characters(exclude_categories=[]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@given(VALUES)
def test_there_is_one_form_whoever_writes_it(value: Any) -> None:
    """Halves of surrogate pairs and long numbers are written by another module, character for character the same."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    assert canonical(value) == text.encode("utf-8", "surrogatepass")
    assert canonical([value, 2**70]) == b"[" + canonical(value) + b",%d]" % 2**70


def test_what_orjson_refuses_is_written() -> None:
    assert canonical({"n": 2**70, "half": "\ud800"}) == b'{"half":"\xed\xa0\x80","n":1180591620717411303424}'
