"""Encode and decode: what goes out comes back, to the bit; what acts on a source never goes out."""

from __future__ import annotations

import math
import string
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.azure.wire import decode, decode_metrics, decode_storage, encode
from azureml_replay.errors import Rejected
from azureml_replay.instants import Instant
from azureml_replay.model import (
    AssetReference,
    Location,
    Points,
    Row,
    Run,
    RunForm,
    RunId,
    Series,
    SeriesKey,
    StoredFile,
)
from azureml_replay.workspace.put_files import CopyFile, SecretUrl

TICKS = st.integers(0, 4_000_000_000 * 10_000_000)
STEPS = st.none() | st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(max_size=20)
COLUMNS = {
    "Double": st.floats(allow_nan=True, allow_infinity=True),
    "Int": st.integers(-(2**63), 2**63 - 1),
    "String": st.text(max_size=30),
    "Bool": st.booleans(),
}
RUN = RunId("r1")


@st.composite
def points(draw: st.DrawFn) -> Points:
    kinds = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=4))
    columns = tuple((f"c{at}", kind) for at, kind in enumerate(kinds))
    key = SeriesKey(draw(TEXT.filter(bool)), draw(st.none() | TEXT))
    series = Series(key=key, columns=columns, ux_type=draw(st.none() | TEXT), schema_id=draw(st.none() | TEXT))
    cells = st.tuples(*(st.none() | COLUMNS[kind] for kind in kinds))
    rows = draw(st.lists(st.tuples(STEPS, st.none() | TICKS, cells), max_size=8))
    return Points.of(series, rows)


def bits(row: Row) -> tuple[object, ...]:
    step, ticks, values = row
    return step, ticks, tuple(value.hex() if isinstance(value, float) else (type(value), value) for value in values)


@given(points())
def test_a_series_survives_the_wire_to_the_bit(sent: Points) -> None:
    """NaN, infinities, -0.0, no step, no time, columns in their order."""
    body, _ = encode.metric_batch(RUN, [sent])
    metric = orjson.loads(orjson.dumps(body))["values"][0]
    back = decode_metrics.rows(metric)

    series = sent.series
    expected = Series(
        key=series.key, columns=series.columns, ux_type=series.ux_type or None, schema_id=series.schema_id
    )
    assert back.series == expected
    assert list(map(bits, back.rows)) == list(map(bits, sent.rows()))


def test_a_row_of_an_unforeseen_form_is_kept_beside_the_others() -> None:
    """Whole and under a name of its own, whatever is odd about it."""
    good = {"createdUtc": "2023-04-05T06:07:08+00:00", "step": 1, "data": {"m": 0.5}, "metricId": "a"}
    odd = [good | {"createdUtc": "x"}, good | {"step": 1.5, "metricId": None}, {"data": [1]}, "row", {"data": 1}]
    page = decode_metrics.rows({"name": "m", "columns": {"m": "Double"}, "value": [*odd, good | {"new": 1}]})

    assert [(step, values) for step, _, values in page.rows] == [(1, (0.5,))]
    assert list(page.series.more.values()) == odd
    assert "unreadable row a" in page.series.more
    assert page.series.unknown == ("row new",)


def test_numbers_that_json_lacks_go_as_text() -> None:
    """As every client of the service sends them."""
    series = Series(key=SeriesKey("m"), columns=(("m", "Double"),))
    values = (math.nan, math.inf, -math.inf, -0.0)
    body, _ = encode.metric_batch(RUN, [Points.of(series, [(None, 0, (value,)) for value in values])])

    assert (
        orjson.dumps([row["data"]["m"] for row in body["values"][0]["value"]]) == b'["NaN","Infinity","-Infinity",-0.0]'
    )
    assert "step" not in body["values"][0]["value"][0]


@given(points(), points())
def test_metric_ids_are_the_same_each_time_and_different_within_a_request(one: Points, other: Points) -> None:
    """Equal rows of one series get different ids, and the same ones when sent again."""
    body, positions = encode.metric_batch(RUN, [one, other])
    ids = [row["metricId"] for metric in body["values"] for row in metric["value"]]

    assert len(set(ids)) == len(ids)
    assert positions == dict(zip(ids, [0] * len(one) + [1] * len(other), strict=True))
    assert encode.metric_batch(RUN, [one, other])[0] == body
    assert not set(ids) & set(encode.metric_batch(RunId("r2"), [one, other])[1])


@pytest.mark.parametrize(
    ("one", "other"),
    [((0, 1, (0.0,)), (0, 1, (-0.0,))), ((0, 1, (1.0,)), (0, 1, (1,))), ((None, 1, (1.0,)), (0, 1, (1.0,)))],
)
def test_rows_that_differ_in_a_bit_have_different_ids(one: Row, other: Row) -> None:
    """-0.0 is not 0.0, 1.0 is not 1, no step is not step 0."""
    series = Series(key=SeriesKey("m"), columns=(("m", "Double"),))
    sent = [encode.metric_batch(RUN, [Points.of(series, [row])])[1] for row in (one, other)]

    assert not set(sent[0]) & set(sent[1])


def test_a_refused_series_is_found_by_its_rows_or_by_its_name() -> None:
    """Errors carry the metric as it was sent."""
    error = {"error": {"code": "ValidationError", "message": "too many columns"}}
    body = {
        "errors": [{"metric": {"name": "m", "namespace": None, "value": [{"metricId": "x"}]}, "errorResponse": error}]
    }

    assert decode_metrics.batch_errors(body) == [
        (SeriesKey("m"), "x", decode.Problem("ValidationError", "too many columns"))
    ]
    assert decode_metrics.batch_errors(None) == []


NAMES = st.text(string.ascii_letters + "é_.", min_size=1, max_size=12)
INSTANTS = st.none() | TICKS.map(Instant)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    tags = st.dictionaries(NAMES, st.none() | TEXT, max_size=4)
    assets = st.dictionaries(NAMES, st.builds(AssetReference, TEXT.filter(bool), st.none() | NAMES), max_size=3)
    return Run(
        id=RUN,
        parent=draw(st.none() | NAMES.map(RunId)),
        experiment="e",
        status="Running",
        start=draw(INSTANTS),
        display_name=draw(st.none() | TEXT),
        description=draw(st.none() | TEXT),
        tags=draw(tags),
        properties=draw(tags),
        parameters=draw(st.dictionaries(NAMES, TEXT, max_size=3)),
        inputs=draw(assets),
        outputs=draw(assets),
        input_datasets=draw(st.none() | st.just([{"identifier": {"savedId": "s"}}])),
    )


@given(runs())
def test_a_run_survives_the_wire(run: Run) -> None:
    """Every field that can be written: times to the tick, null tags, keys in their case."""
    (body,) = encode.create_runs([run])["runs"]
    back = decode.run(orjson.loads(orjson.dumps(body)), "e")

    fields = ("id", "parent", "status", "start", "display_name", "description", "tags", "properties", "parameters")
    for name in (*fields, "inputs", "outputs", "input_datasets"):
        assert getattr(back, name) == getattr(run, name), name
    assert back.unknown == ()


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        (RunForm.NEUTRAL, {}),
        (RunForm.EXTERNAL, {"runTypeV2": {"orchestrator": "External", "traits": ["unspecified"]}}),
        (RunForm.KEPT, {"runType": "t", "runTypeV2": {"traits": ["a"]}}),
    ],
)
def test_a_run_is_written_as_what_it_is_to_be(form: RunForm, kind: dict[str, Any]) -> None:
    """External is azureml-core's word; an update names no type, so that it stays."""
    run = Run(id=RUN, kind="t", traits=("a",), form=form)
    (made,), (updated,) = (body["runs"] for body in (encode.create_runs([run]), encode.update_runs([run])))

    assert {key: value for key, value in made.items() if key.startswith("runType")} == kind
    assert not [key for key in updated if key.startswith("runType")]


@pytest.mark.parametrize(
    ("code", "words", "kept"),
    [
        ("ForbiddenError", "client is not permitted to update status for run.", True),
        ("UserError", "Status for this run is system managed", True),
        ("SystemManagedStatus", "", True),
        ("ForbiddenError", "does not have permissions for Microsoft.MachineLearningServices/… actions", False),
    ],
)
def test_a_status_that_the_system_keeps_is_told_from_a_missing_role(code: str, words: str, kept: bool) -> None:
    assert decode.Problem(code, words).of_status is kept


NEVER_SENT = ("cancelUri", "completeUri", "diagnosticsUri", "actionUris", "services", "CancelUri", "token")


def test_what_acts_on_the_source_is_never_sent() -> None:
    """Nor is a token: FIDELITY, "never sent"."""
    document = {
        "runId": "r1",
        "status": "Completed",
        "hidden": True,
        "properties": {"CancelUri": "https://source", "Kept": "yes"},
        **dict.fromkeys(NEVER_SENT, "https://source"),
    }
    run = decode.run(document, "e")
    bodies = [encode.create_runs([run]), encode.update_runs([run]), encode.finish_states([run])]
    bodies.append(encode.finish_events([run], Instant(0)))

    assert b"https://source" not in orjson.dumps(bodies)
    assert b"Kept" in orjson.dumps(bodies)


def run_ended(status: str, **fields: Any) -> Run:
    return Run(id=RUN, status=status, start=Instant(10), end=Instant(20), **fields)


def test_a_run_is_ended_by_events_with_its_own_times() -> None:
    """Start, error, end, in this order."""
    beside = {"time": "2024-01-02T03:04:05.1234567+00:00", "componentName": "run-history", "location": "westus"}
    failed = run_ended("Failed", error={"code": "UserError", "message": "boom"}, error_origin=beside)
    events = encode.finish_events([failed], now=Instant(99))["events"]

    assert [event["name"].rpartition(".")[2] for event in events] == ["Start", "Error", "Failed"]
    assert events[0]["data"] == {"RunId": "r1", "StartTime": "1970-01-01T00:00:00.000001+00:00"}
    assert events[1]["data"]["ErrorResponse"] == {"error": failed.error, **beside}
    assert events[2]["data"] == {"RunId": "r1", "EndTime": "1970-01-01T00:00:00.000002+00:00"}


def test_states_that_no_event_can_say_are_set() -> None:
    """NotResponding has no event; hidden neither."""
    assert encode.finish_states([run_ended("Completed")]) == {"runs": []}
    assert encode.finish_states([run_ended("Completed", hidden=True)]) == {"runs": [{"runId": "r1", "hidden": True}]}
    (state,) = encode.finish_states([run_ended("NotResponding")])["runs"]
    assert state["status"] == "NotResponding"
    assert state["endTimeUtc"] == "1970-01-01T00:00:00.000002+00:00"


SOURCE = SecretUrl("https://a.blob.core.windows.net/c/f?sig=s")
STORED = StoredFile(
    location=Location("s", "f"), size_bytes=7, md5=b"m", etag="0x1", content_type="t/t", metadata={"K": "v"}
)
FILE = CopyFile(path="f", source=SOURCE, stored=STORED)


def test_a_copy_is_pinned_to_its_source_and_waited_for() -> None:
    """The synchronous form: an asynchronous one would have to be polled."""
    headers = encode.copy_headers(FILE)

    assert headers == {
        "x-ms-copy-source": "https://a.blob.core.windows.net/c/f?sig=s",
        "x-ms-source-if-match": '"0x1"',
        "x-ms-requires-sync": "true",
    }
    assert type(headers["x-ms-copy-source"]) is str


def test_blocks_are_pinned_too_and_cover_the_file() -> None:
    """Ranges include their last byte; the list carries what a whole copy takes along by itself."""
    assert encode.block_headers(FILE, 0, 4)["x-ms-source-range"] == "bytes=0-3"
    assert encode.block_headers(FILE, 4, 7)["x-ms-source-if-match"] == '"0x1"'
    assert encode.block_list_headers(STORED) == {
        "Content-Type": "application/xml",
        "x-ms-meta-K": "v",
        "x-ms-blob-content-type": "t/t",
        "x-ms-blob-content-md5": "bQ==",
    }


def test_a_key_that_the_service_adds_is_noticed() -> None:
    """Kept in the document, and listed."""
    run = decode.run({"runId": "r1", "brandNew": 1, "hidden": None}, "e")

    assert run.unknown == ("brandNew",)
    assert run.document == {"runId": "r1", "brandNew": 1, "hidden": None}


def test_times_that_nobody_set_are_none() -> None:
    """.NET writes the year 1."""
    run = decode.run({"runId": "r1", "startTimeUtc": "0001-01-01T00:00:00+00:00", "endTimeUtc": None}, "e")

    assert (run.start, run.end) == (None, None)


@pytest.mark.parametrize("document", [{}, {"runId": 5}, None])
def test_what_cannot_be_read_is_refused_not_a_crash(document: Any) -> None:
    """A ServiceError, which the boundary of a run records."""
    with pytest.raises(Rejected, match="cannot read the run"):
        decode.run(document, "e")


LISTING = """\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>
<Blob><Name>a#%41//b ü</Name><Properties><Content-Length>5</Content-Length><Content-Type>text/plain</Content-Type>
<Content-MD5>XUFAKrxLKna5cZ2REBfFkg==</Content-MD5><Etag>0x1</Etag></Properties><Metadata><Ab>c</Ab></Metadata></Blob>
<Blob><Name Encoded="true">odd%EF%BF%BE</Name>
<Properties><Content-Length>0</Content-Length><Content-MD5/></Properties></Blob>
<Blob><Name>folder</Name><Properties><Content-Length>0</Content-Length></Properties>
<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata></Blob>
</Blobs><NextMarker>more</NextMarker></EnumerationResults>"""


def test_a_listing_of_blobs_is_read_as_it_is() -> None:
    """Names exactly, no MD5 is none, folders of hierarchical accounts are no files, a BOM does no harm."""
    page = decode_storage.blobs(LISTING.encode(), "store")

    first, second = page.files
    assert first.location == Location("store", "a#%41//b ü")
    assert (first.size_bytes, first.etag, first.content_type, first.metadata) == (5, "0x1", "text/plain", {"Ab": "c"})
    assert first.md5 is not None
    assert first.md5.hex() == "5d41402abc4b2a76b9719d911017c592"
    assert (second.location.path, second.md5) == ("odd\ufffe", None)
    assert page.marker == "more"


def test_an_artifact_lies_where_its_data_path_says() -> None:
    """Else in the artifact store, where runs put their files."""
    entry = {"origin": "ExperimentRun", "container": "dcid.r1", "path": "outputs/m"}
    elsewhere = {**entry, "dataPath": {"dataStoreName": "blobs", "relativePath": "x/m"}}

    assert decode.artifact(entry).location == Location("workspaceartifactstore", "ExperimentRun/dcid.r1/outputs/m")
    assert decode.artifact(elsewhere).location == Location("blobs", "x/m")


def test_a_file_share_is_no_place_for_blobs() -> None:
    """Said, not guessed."""
    share = {"name": "files", "properties": {"datastoreType": "AzureFile", "fileShareName": "s", "accountName": "a"}}
    with pytest.raises(Rejected, match="files is AzureFile"):
        decode_storage.datastore(share, "core.windows.net")


def test_an_end_without_a_time_is_no_event() -> None:
    """The service would give it the present time: the state is written as a field instead."""
    run = Run(id=RunId("r1"), experiment="e", status="Failed")

    assert encode.finish_events([run], Instant(0)) == {"events": []}
    assert encode.finish_states([run]) == {"runs": [{"runId": "r1", "status": "Failed"}]}


def test_a_job_brings_the_components_of_its_nested_pipelines() -> None:
    """At any depth; one that could not be read is not there."""
    ids = {name: f"/subscriptions/s/components/c/versions/{name}" for name in ("outer", "inner", "gone")}

    def component(*below: str) -> dict[str, object]:
        nodes = {name: {"type": "pipeline", "componentId": ids[name]} for name in below}
        return {"properties": {"componentSpec": {"jobs": {**nodes, "leaf": {"type": "command"}}}}}

    graphs = {ids["outer"]: component("inner", "gone"), ids["inner"]: component(), ids["gone"]: None}
    document = {"name": "j", "properties": {"jobs": {"n": {"type": "pipeline", "componentId": ids["outer"]}}}}

    found = decode.job(document, graphs).document

    assert found == document | {"nestedComponents": {ids["outer"]: graphs[ids["outer"]], ids["inner"]: component()}}
    assert decode.job({"name": "k", "properties": {"jobs": None}}, graphs).document == {
        "name": "k",
        "properties": {"jobs": None},
    }
