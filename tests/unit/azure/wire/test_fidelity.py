"""The table of what becomes of every value: complete, true of the code, and what the documentation says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.azure.place import azure_place
from azureml_replay.azure.wire import decode, decode_metrics, encode
from azureml_replay.azure.wire.fates import Fidelity
from azureml_replay.azure.wire.fidelity import TABLE, keys, page
from azureml_replay.azure.wire.fidelity_assets import ASSETS, KEPT
from azureml_replay.comparison.runs import CARRIED
from azureml_replay.instants import Instant
from azureml_replay.model import AssetReference, Points, Run, RunId, Series, SeriesKey
from azureml_replay.planning import lineage
from azureml_replay.planning.made_files import job_document
from azureml_replay.planning.plan import plan_unit
from azureml_replay.workspace.limits import DOCUMENTED
from azureml_replay.workspace.profile import TargetProfile
from unit.families import Family

ROOT = Path(__file__).parents[4]
SWAGGER = ROOT.parent / "shared" / "service" / "swagger"
HISTORY, ARM = "run-history.json", "mfe-2024-04-01.json"
DATASETS = "dataset-dataplane.json"
STORES = (
    *("AzureBlobDatastore", "AzureFileDatastore", "AzureDataLakeGen1Datastore", "AzureDataLakeGen2Datastore"),
    "OneLakeDatastore",
)
ARM_TYPES = ("JobBaseResource", "JobBase", "CommandJob", "PipelineJob", "SweepJob", "AutoMLJob", "SparkJob")
COMMON = {
    "JobBaseResource": {"id", "name", "type", "systemData"},
    "SystemData": {
        *("createdBy", "createdByType", "createdAt", "lastModifiedBy", "lastModifiedByType", "lastModifiedAt")
    },
}
"""Of ARM's common types, which the interface file names and does not hold."""
RECORDED = {
    "Run": {"currentAttemptId", "scheduleId"},
    "GetRunDataResult": {"systemSettings"},
    "MetricProperties": {"dataLocation"},
    "JobBase": {"secretsConfiguration"},
    "CommandJob": {"autologgerSettings"},
}
"""Answered by the service, unknown to its interface file."""


@cache
def swagger(name: str) -> Mapping[str, Any]:
    """The types of an interface file by name."""
    if not SWAGGER.is_dir():
        pytest.skip(f"the interface files are not here: {SWAGGER}")
    document = json.loads((SWAGGER / name).read_text())
    types: Mapping[str, Any] = document.get("definitions") or document["components"]["schemas"]
    return types


def keys_of(file: str, wire_type: str) -> set[str]:
    """Keys of a type and of those it is made of; of an ARM job type only what `JobBase` has not."""
    told = swagger(file).get(wire_type, {})
    above = [base["$ref"].rpartition("/")[2] for base in told.get("allOf", ())]
    inherited = {key for base in above if base == "ResourceBase" for key in keys_of(file, base)}
    added = COMMON.get(wire_type, set()) | RECORDED.get(wire_type, set())
    return set(told.get("properties", ())) | inherited | added


@pytest.mark.parametrize("wire_type", TABLE)
def test_every_key_has_a_row_and_every_row_a_key(wire_type: str) -> None:
    """A key that the service's interface gains must be thought about; one that it never had is a misspelling."""
    file = ARM if wire_type in (*ARM_TYPES, "SystemData") else HISTORY

    assert keys(wire_type) == keys_of(file, wire_type)
    assert len(TABLE[wire_type]) == len(keys(wire_type)), "a key stands twice"


OF_RECORDINGS = {"autoDeleteSetting", "intellectualProperty", "datasets", "referencedUris", "stage"}
"""Keys of assets that only recordings and later versions of the interface have."""


@pytest.mark.parametrize("wire_type", ASSETS)
def test_every_key_of_an_asset_has_a_row(wire_type: str) -> None:
    """As for runs, with the types that a version is made of."""

    def told(name: str) -> set[str]:
        found = swagger(ARM)[name]
        above = [base["$ref"].rpartition("/")[2] for base in found.get("allOf", ())]
        return set(found.get("properties", ())).union(*map(told, above))

    rows = [row.key for row in ASSETS[wire_type]]
    assert told(wire_type) <= set(rows)
    assert set(rows) - told(wire_type) - OF_RECORDINGS <= {"isAnonymous", "provisioningState", "dataType"}
    assert len(rows) == len(set(rows)), "a key stands twice"


@pytest.mark.parametrize(
    ("wire_type", "file", "types"),
    [
        ("Datastore", ARM, ("Datastore", "AzureDatastore", *STORES)),
        ("Dataset", DATASETS, ("Dataset",)),
        ("DatasetDefinition", DATASETS, ("DatasetDefinition",)),
    ],
)
def test_every_key_of_what_is_only_kept_has_a_row(wire_type: str, file: str, types: tuple[str, ...]) -> None:
    """Datastores of all their types, and datasets of the old kind."""
    bases = {"description", "tags", "properties"} if wire_type == "Datastore" else set()
    rows = [row.key for row in KEPT[wire_type]]
    assert set(rows) == bases.union(*(swagger(file)[name].get("properties", ()) for name in types))
    assert len(rows) == len(set(rows)), "a key stands twice"


def test_no_job_type_is_forgotten() -> None:
    """All that derive from JobBase."""
    derived = {
        name
        for name, told in swagger(ARM).items()
        if any(base["$ref"].endswith("/JobBase") for base in told.get("allOf", ()))
    }

    assert derived <= TABLE.keys()


def test_what_no_client_can_write_is_not_called_a_choice() -> None:
    """`archive` and `never sent` are our decisions, so they are about keys that a client may write."""
    chosen = keys("Run", Fidelity.ARCHIVE, Fidelity.NEVER_SENT)

    assert chosen <= keys("CreateRun")


def test_decoding_knows_what_the_table_knows() -> None:
    """A key without a row is counted as unknown."""
    document = dict.fromkeys(keys("Run")) | {"runId": "r", "novelty": 1}

    assert decode.run(document, "e").unknown == ("novelty",)


# What is sent

TEXT = st.text(min_size=1, max_size=8)
PAIRS = st.dictionaries(TEXT, st.none() | TEXT, max_size=4)
TIMES = st.none() | st.integers(0, 10**18).map(Instant)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
POINTS_AT_THE_SOURCE = "https://source.example/act"


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A Run of the wire, with every key that is never sent."""
    assets = st.dictionaries(TEXT, st.fixed_dictionaries({"assetId": TEXT, "type": TEXT}), max_size=2)
    free = {
        "parentRunId": st.none() | TEXT,
        "status": st.sampled_from(["Completed", "Failed", "Canceled", "Running", "NotResponding", "Paused", "Novel"]),
        "startTimeUtc": TIMES.map(lambda time: time and str(time)),
        "endTimeUtc": TIMES.map(lambda time: time and str(time)),
        "displayName": st.none() | TEXT,
        "description": st.none() | TEXT,
        "tags": PAIRS,
        "properties": PAIRS.map(lambda pairs: {**pairs, "CancelUri": POINTS_AT_THE_SOURCE}),
        "parameters": st.dictionaries(TEXT, JSON, max_size=3),
        "inputs": assets,
        "outputs": assets,
        "inputDatasets": st.lists(st.dictionaries(TEXT, JSON, max_size=2), max_size=2),
        "outputDatasets": st.lists(st.dictionaries(TEXT, JSON, max_size=2), max_size=2),
        "hidden": st.booleans(),
        "error": st.none()
        | st.fixed_dictionaries(
            {"error": st.fixed_dictionaries({"code": TEXT, "message": TEXT}), "componentName": st.none() | TEXT}
        ),
        "runType": st.none() | TEXT,
    }
    never = dict.fromkeys(keys("Run", Fidelity.NEVER_SENT, Fidelity.REDACTED), POINTS_AT_THE_SOURCE)
    return {"runId": draw(TEXT), **draw(st.fixed_dictionaries(free)), **never}


def sent(run: Run) -> Iterator[Mapping[str, Any]]:
    """Every part of every request that writes this run: keys of `CreateRun`, and of events their data's."""
    for body in (encode.create_runs([run]), encode.update_runs([run]), encode.finish_states([run])):
        yield from body["runs"]
    for event in encode.finish_events([run], Instant(0))["events"]:
        yield event["data"]


EVENT_KEYS = {"RunId": "runId", "StartTime": "startTimeUtc", "EndTime": "endTimeUtc", "ErrorResponse": "error"}
IN_THE_URL = {"experimentId"}
"""Requests go to the experiment's name."""


def wire_keys(run: Run) -> set[str]:
    """Keys of `Run` that are written, whichever way."""
    return {EVENT_KEYS.get(key, key) for part in sent(run) for key in part} | IN_THE_URL


@given(documents())
def test_nothing_goes_out_that_the_table_does_not_carry(document: dict[str, Any]) -> None:
    """Whatever the run: no key beyond those carried (and the request for a container), nothing that acts."""
    run = decode.run(document, "e")

    assert wire_keys(run) <= keys("Run", Fidelity.CARRIED) | {"options"}
    assert POINTS_AT_THE_SOURCE not in repr(list(sent(run)))


def full(status: str = "Failed") -> Run:
    """A run with a value in every field that can be written."""
    reference = {"data": AssetReference("azureml://a", "UriFolder")}
    return Run(
        id=RunId("r"),
        parent=RunId("p"),
        experiment="e",
        status=status,
        start=Instant(1),
        end=Instant(2),
        display_name="name",
        description="text",
        tags={"a": "1"},
        properties={"b": "2"},
        parameters={"c": 3},
        inputs=reference,
        outputs=reference,
        input_datasets=[{}],
        output_datasets=[{}],
        hidden=True,
        error={"code": "UserError", "message": "boom"},
        error_origin={"time": str(Instant(3)), "componentName": "run-history"},
        created=Instant(0),
        creator="Ada",
        kind="azureml.scriptrun",
        lender=RunId("owner"),
    )


@pytest.mark.parametrize("status", ["Completed", "Failed", "Canceled", "NotResponding"])
def test_every_carried_key_goes_out(status: str) -> None:
    """Of a run that has them all."""
    assert wire_keys(full(status)) == keys("Run", Fidelity.CARRIED) | {"options"}


def test_every_field_that_is_written_is_compared() -> None:
    """Changed alone, each field of Run up to `error_origin` shows in what verify looks at."""
    names = [field.name for field in fields(Run)]
    writable = names[1 : names.index("error_origin") + 1]
    empty = Run(id=RunId("r"))

    for name in writable:
        one = Run(id=RunId("r"), **{name: getattr(full(), name)})
        assert any(field.of(one) != field.of(empty) for field in CARRIED), name
    assert set(DECODED_FROM) == set(writable)


DECODED_FROM = {
    "parent": "parentRunId",
    "experiment": "experimentId",
    "status": "status",
    "start": "startTimeUtc",
    "end": "endTimeUtc",
    "display_name": "displayName",
    "description": "description",
    "tags": "tags",
    "properties": "properties",
    "parameters": "parameters",
    "inputs": "inputs",
    "outputs": "outputs",
    "input_datasets": "inputDatasets",
    "output_datasets": "outputDatasets",
    "hidden": "hidden",
    "lender": "dataContainerId",
    "error": "error",
    "error_origin": "error",
}


def test_carried_in_the_table_is_carried_by_the_model() -> None:
    """One field of Run for each carried key, and none beside them."""
    assert {"runId", *DECODED_FROM.values()} == keys("Run", Fidelity.CARRIED)


def test_lineage_holds_what_the_table_says() -> None:
    """Type, creation and creator."""
    facts = lineage.lineage_of(full(), azure_place("sub", "group", "old"))

    assert keys("Run", Fidelity.LINEAGE) == {"runType", "createdUtc", "createdBy"}
    assert {facts["type"], facts["created"], facts["creator"]} == {"azureml.scriptrun", str(Instant(0)), "Ada"}


def test_metric_rows_go_out_with_the_keys_that_are_carried() -> None:
    """And with an id of ours."""
    series = Series(key=SeriesKey("m", "ns"), columns=(("m", "Double"),), ux_type="azureml.v1.scalar", schema_id="s")
    body, _ = encode.metric_batch(RunId("r"), [Points.of(series, [(1, 2, (0.5,))])])

    (metric,) = body["values"]
    assert metric.keys() == keys("MetricV2", Fidelity.CARRIED)
    assert metric["value"][0].keys() == keys("MetricV2Value", Fidelity.CARRIED) | {"metricId"}


def test_experiments_go_out_with_the_keys_that_are_carried() -> None:
    """The name is in the URL, the archived time can only be a yes or no."""
    document = {"experimentId": "i", "name": "e", "description": "d", "tags": {"a": "b"}}
    archived = decode.experiment({**document, "archivedTime": "2024-01-01T00:00:00Z"})

    body = encode.modify_experiment(archived)
    assert (body.keys() | {"name", "archivedTime"}) - {"archive"} == keys("Experiment", Fidelity.CARRIED)
    assert body["archive"] is True


def test_a_plan_puts_the_definition_and_warnings_into_a_file() -> None:
    """`runDefinition` and `jobSpecification` come with rundata; each alone is reason enough for the file."""
    plain = replace(full(), lender=None)
    warned = replace(plain, warnings=[{"source": "compute", "message": "low on memory"}])
    defined = Family([plain], definitions={"r": {"script": "train.py"}})

    assert keys("Run", Fidelity.FILE) == {"runDefinition", "jobSpecification", "warnings"}
    for family in (defined, Family([warned])):
        (step,) = plan_unit(family, RunId("r"), profile=TargetProfile(limits=DOCUMENTED))
        assert step.own_files == ("replay/job.json",)
    assert job_document(Family([warned]), RunId("r"))["warnings"] == warned.warnings  # type: ignore[index, call-overload]


def test_what_is_listed_stands_beside_what_is_read() -> None:
    """Every key of that fate, of metrics and files, with a value: decoding keeps it apart from the fields."""
    listed = {name: dict.fromkeys(keys(name, Fidelity.LISTED), "x") for name in TABLE if keys(name, Fidelity.LISTED)}
    assert listed.keys() == {"DerivedMetricKey", "MetricProperties", "Artifact"}
    key = {"name": "m", "columnNames": ["m"], **listed["DerivedMetricKey"]}
    columns = {"columns": {"m": "Double"}, "properties": listed["MetricProperties"]}
    entry = {"origin": "ExperimentRun", "container": "dcid.r", "path": "p", **listed["Artifact"]}

    defined = decode_metrics.definition({"metricKey": key, **columns})
    rows = decode_metrics.rows({"name": "m", **columns})

    assert defined.more == listed["DerivedMetricKey"] | listed["MetricProperties"]
    assert rows.series.more == listed["MetricProperties"]
    assert decode.artifact(entry).more == listed["Artifact"]
    assert defined.unknown == rows.series.unknown == decode.artifact(entry).unknown == ()


# What is said


def test_the_documentation_is_current() -> None:
    """`python -m azureml_replay.azure.wire.fidelity > docs/concepts/fidelity.md` was run after the last change."""
    printed = subprocess.run(
        [sys.executable, "-m", "azureml_replay.azure.wire.fidelity"], capture_output=True, check=True
    )

    assert (ROOT / "docs" / "concepts" / "fidelity.md").read_text() == printed.stdout.decode() == page().strip() + "\n"
