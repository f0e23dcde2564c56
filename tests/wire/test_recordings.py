"""What the real service answered is decoded: every run, job, metric and error body that was recorded."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from azureml_replay.azure.wire import decode, decode_assets, decode_metrics, decode_storage
from azureml_replay.azure.wire.naming import SEGMENTS, scope_of
from azureml_replay.instants import Instant
from azureml_replay.workspace.asset import KEPT_ONLY, AssetKind

FOLDER = Path(
    os.environ.get("AZUREML_REPLAY_RECORDINGS", Path(__file__).parents[3] / "shared" / "service" / "recordings")
)
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no recordings in {FOLDER}: name their folder in AZUREML_REPLAY_RECORDINGS"
)


class Exchange(NamedTuple):
    """One recorded request and what came back."""

    recording: str
    method: str
    url: str
    status: int
    answer: Any


def exchanges(pattern: str, method: str = "") -> Iterator[Exchange]:
    """Those whose URL, without query, matches to its end."""
    for path in sorted(FOLDER.glob("*.json")):
        for entry in json.loads(path.read_text("utf-8"))["Entries"]:
            url = entry["RequestUri"].partition("?")[0]
            if re.search(pattern + r"\Z", url) and method in entry["RequestMethod"]:
                yield Exchange(path.name, entry["RequestMethod"], url, entry["StatusCode"], entry["ResponseBody"])


def run_documents() -> list[Any]:
    """Runs from every door that gives whole ones: get, children, rundata, patches."""
    found = [item.answer for item in exchanges(r"/history/v1\.0/.*/runs/[^/]+(/modify)?") if item.status == 200]
    children = [item.answer for item in exchanges(r"/history/v1\.0/.*/children") if item.status == 200]
    rundata = [item.answer for item in exchanges(r"/history/v1\.0/.*/rundata") if item.status == 200]
    return found + [run for page in children for run in page["value"]] + [item["runMetadata"] for item in rundata]


def test_every_recorded_run_is_decoded_and_no_key_is_new() -> None:
    """Every value that was recorded is in the model, and equal."""
    documents = run_documents()
    assert len(documents) > 10, "the recordings hold no runs: the rest would prove nothing"
    for document in documents:
        run = decode.run(document, "name")
        assert run.unknown == ()
        assert run.id == document["runId"]
        assert run.status == document["status"]
        assert dict(run.tags) == (document["tags"] or {})
        assert dict(run.properties) == (document["properties"] or {})
        assert run.created == Instant.parse(document["createdUtc"])
        assert run.start == (Instant.parse(document["startTimeUtc"]) if document["startTimeUtc"] else None)
        assert document["dataContainerId"] == f"dcid.{run.lender or run.id}"
        assert run.creator == document["createdBy"]["userName"]


def test_inputs_and_outputs_come_with_rundata_alone() -> None:
    """Plain reads leave them empty for every run, finished ones with outputs too."""
    plain = [item.answer for item in exchanges(r"/history/v1\.0/.*/runs/[^/]+", "GET") if item.status == 200]
    with_data = [item.answer for item in exchanges(r"/rundata") if item.status == 200]

    assert plain
    assert not any(decode.run(document, "").outputs for document in plain)
    outputs = [asset for data in with_data for asset in decode.rundata(data, "e").run.outputs.values()]
    assert any(asset.asset_id.startswith("azureml://") for asset in outputs)


def test_a_reused_step_names_the_container_of_another_run() -> None:
    """Files and points lie there."""
    runs = [decode.run(document, "e") for document in run_documents()]
    reused = [run for run in runs if run.properties.get("azureml.isreused") == "true"]

    assert reused
    assert not any(run.lender is None for run in reused)
    assert all(run.lender is None for run in runs if run not in reused)


def test_every_recorded_job_is_decoded_steps_without_properties_too() -> None:
    """ARM answers a child run's GET without `properties`."""
    answers = [item.answer for item in exchanges(r"/workspaces/[^/]+/jobs/[^/]+", "GET") if item.status == 200]
    (listed,) = (item.answer for item in exchanges(r"/workspaces/[^/]+/jobs", "GET") if item.status == 200)
    jobs = [decode.job(answer) for answer in answers]
    page = decode.page(listed)

    assert page.last
    assert [decode.job(item).name for item in page.items]
    assert {decode.job_experiment(job) is None for job in jobs} == {True, False}


def test_pages_lead_on_by_the_link_that_the_service_gives() -> None:
    """Sibling lists of ARM have several pages; the last one has no link at all."""
    lists = exchanges(r"/(components|models)(/[^/]+/versions)?", "GET")
    paged = [decode.page(item.answer) for item in lists if item.status == 200]

    assert any(not page.last for page in paged)
    assert all(page.last or (page.link or "").startswith("https://") for page in paged)


def test_last_values_are_read_as_rows() -> None:
    """Step, time to the tick, value in its column's type."""
    answers = [item.answer for item in exchanges(r"/lastvalues", "POST")]
    pages = [decode_metrics.rows(metric) for answer in answers for metric in answer["value"]]

    assert pages
    for page in pages:
        ((step, ticks, (value,)),) = page.rows
        assert isinstance(step, int)
        assert isinstance(value, float)
        assert ticks is not None
        assert ticks > 0
        assert page.series.ux_type == "azureml.v1.scalar"


@pytest.mark.parametrize(
    ("pattern", "status", "code"),
    [
        (r"/rundata", 404, "NotFoundError"),
        (r"/jobs/[^/]+/cancel", 400, "CancelPipelineRunInTerminalStatus"),
        (r"/jobs/[^/]+", 400, "InvalidExpressionInJob"),
        (r"/jobs/[^/]+", 404, "UserAssignedIdentityNotFound"),
        (r"/components/.*", 429, "TooManyRequests"),
    ],
)
def test_the_code_of_recorded_errors_is_the_innermost(pattern: str, status: int, code: str) -> None:
    """In ARM's shape and in the data plane's."""
    codes = {decode.problem_of(item.answer).code for item in exchanges(pattern) if item.status == status}

    assert code in codes


def test_the_wait_of_the_recorded_429_is_found() -> None:
    """In its message: it has no header for it."""
    from azureml_replay.sending.limit import stated_wait_s

    (message,) = {decode.problem_of(item.answer).message for item in exchanges(r"/components/.*") if item.status == 429}
    assert stated_wait_s(None, message) == 20


def test_discovery_and_datastores_name_the_hosts() -> None:
    """The workspace's own, not a pattern's."""
    apis = {decode.api_url(item.answer) for item in exchanges(r"/discovery", "GET")}
    stores = [
        decode_storage.datastore(item.answer, "unused")
        for item in exchanges(r"/datastores/[^/]+", "GET")
        if item.status == 200 and item.answer["properties"]["datastoreType"] == "AzureBlob"
    ]

    assert all(re.fullmatch(r"https://[a-z0-9.-]+", api) for api in apis)
    assert stores
    assert all(store.url == f"https://{store.account}.blob.core.windows.net/{store.container}" for store in stores)
    secrets = [decode_storage.secret(item.answer) for item in exchanges(r"/listSecrets", "POST") if item.status == 200]
    assert any(secret.key for secret in secrets)
    assert "***" in repr(secrets[0])


def test_a_recorded_listing_of_blobs_is_read() -> None:
    """XML with a byte order mark; log files have no MD5."""
    bodies = [
        item.answer
        for item in exchanges(r"\.blob\.core\.windows\.net/[^/]+", "GET")
        if item.status == 200 and isinstance(item.answer, str) and "EnumerationResults" in item.answer
    ]
    files = [file for body in bodies for file in decode_storage.blobs(body.encode(), "store").files]

    assert files
    assert all(file.size_bytes >= 0 and file.location.path for file in files)


def test_a_registered_artifact_lies_where_it_was_registered() -> None:
    """In any datastore, not the artifact store alone."""
    answers = [item.answer for item in exchanges(r"/artifacts/register", "POST") if item.status == 200]

    assert answers
    for answer in answers:
        found = decode.artifact(answer)
        assert found.path == answer["path"]
        assert found.location.datastore == answer["dataPath"]["dataStoreName"]
        assert found.unknown == ()


def asset_documents() -> list[tuple[AssetKind, str, Any]]:
    """Versions of assets that were read, listed or answered to whoever made them: kind, name and document."""
    found = []
    for kind, segment in SEGMENTS.items():
        for item in exchanges(rf"/{segment}/[^/]+/versions(/[^/]+)?"):
            documents = item.answer.get("value", [item.answer]) if item.status in (200, 201) else ()
            found += [(kind, one["id"].split("/")[-3], one) for one in documents if "properties" in one]
    return found


def test_every_recorded_asset_is_decoded_and_no_key_is_new() -> None:
    """Of all kinds that are made; what it names, too."""
    documents = asset_documents()
    assert {kind for kind, _, _ in documents} == set(AssetKind) - KEPT_ONLY
    for kind, name, document in documents:
        scope = scope_of(document["id"])
        assert scope is not None
        found = decode_assets.asset(document, kind, name, scope)
        assert found.unknown == (), (kind, name)
        assert (found.key.name, found.key.version) == (name, document["name"])
        assert found.archived is bool(document["properties"].get("isArchived"))
        assert found.created == Instant.parse(document["systemData"]["createdAt"])
        assert all(use.key or use.outside for use in found.uses)


def test_every_recorded_container_is_decoded() -> None:
    """What versions share has no new key either."""
    pages = [(kind, item) for kind, name in SEGMENTS.items() for item in exchanges(rf"/workspaces/[^/]+/{name}", "GET")]
    found = [decode_assets.container(one, kind) for kind, item in pages for one in item.answer["value"]]

    assert len(found) > 20
    assert {one.unknown for one in found} == {()}
