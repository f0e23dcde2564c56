"""Run history, driven over the wire."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from azureml_sandbox.server.sandbox import Sandbox
from sandbox.plane import Plane, error

START, END = "2023-04-14T01:37:46.1717002+00:00", "2023-04-14T01:39:50.9300388+00:00"
EVENT = "Microsoft.MachineLearning.Run."
CHANGE: dict[str, Any] = {"displayName": "d"}


def patch(plane: Plane, path: str, **fields: Any) -> requests.Response:
    return plane("history", "PATCH", path, body=fields)


def test_a_new_run_has_the_61_keys_of_a_recorded_one(plane: Plane) -> None:
    """All keys are written, null or not."""
    plane.put("r1")

    assert len(plane.read("/runs/r1")) == 61


def test_a_client_chooses_the_id_the_status_and_the_times(plane: Plane) -> None:
    """Times come back to the tick, with the duration between them."""
    plane.put("r1", status="Failed", startTimeUtc=START, endTimeUtc=END)

    run = plane.read("/runs/r1")

    assert (run["runId"], run["status"]) == ("r1", "Failed")
    assert (run["startTimeUtc"], run["endTimeUtc"], run["duration"]) == (START, END, "00:02:04.7583386")
    assert (run["lastStartTimeUtc"], run["currentComputeTime"]) == (None, None)


def test_trailing_zeros_of_a_time_are_cut(plane: Plane) -> None:
    """As .NET writes them."""
    plane.put("r1", startTimeUtc="2024-05-13T08:37:06.7320000Z")

    assert plane.read("/runs/r1")["startTimeUtc"] == "2024-05-13T08:37:06.732+00:00"


def test_a_running_run_counts_from_its_start(plane: Plane) -> None:
    """While running there is no duration, but a start to count from."""
    run = plane.put("r1", status="Running", startTimeUtc=START)

    assert (run["duration"], run["lastStartTimeUtc"], run["effectiveStartTimeUtc"]) == (None, START, START)


def test_creation_belongs_to_the_service(plane: Plane) -> None:
    """Time and creator are the service's own, whatever the client says; the number is the time in seconds."""
    run = plane.put("r1", createdUtc=START, createdBy={"userName": "me"}, runNumber=1)

    assert run["createdUtc"] != START
    assert run["createdBy"]["userName"] != "me"
    assert run["runNumber"] > 1_700_000_000


def test_a_run_names_its_experiment_by_id_only(plane: Plane) -> None:
    """The name comes from elsewhere."""
    run = plane.put("r1", experiment="train")

    assert plane.read("/experiments/train")["experimentId"] == run["experimentId"]
    assert "train" not in run.values()


def test_below_the_bare_workspace_a_new_run_goes_into_default(plane: Plane) -> None:
    """Unless its body names an experiment."""
    experiment = plane.post("/experiments/train")["experimentId"]
    default = patch(plane, "/runs/r1").json()
    named = patch(plane, "/runs/r2", experimentId=experiment).json()

    assert default["experimentId"] == plane.read("/experiments/Default")["experimentId"]
    assert named["experimentId"] == experiment


def test_tags_are_merged_and_their_values_become_strings(plane: Plane) -> None:
    """A number comes back as text (recorded); null stays null."""
    plane.put("r1", tags={"a": "1", "b": 42})

    assert plane.put("r1", tags={"a": "2", "c": None})["tags"] == {"a": "2", "b": "42", "c": None}


def test_properties_are_added(plane: Plane) -> None:
    """What is there stays."""
    plane.put("r1", properties={"a": "True"})

    assert plane.put("r1", properties={"a": "True", "b": "x"})["properties"] == {"a": "True", "b": "x"}


def test_a_property_cannot_be_changed(plane: Plane) -> None:
    """Properties are immutable: nothing of the request is done."""
    plane.put("r1", properties={"a": "1"})

    refused = patch(plane, "/runs/r1", properties={"a": "2"}, displayName="new")

    assert refused.status_code == 400
    assert error(refused)["code"] == "ValidationError"
    assert plane.read("/runs/r1")["displayName"] is None


def test_parameters_cannot_be_changed(plane: Plane) -> None:
    """As properties."""
    plane.put("r1", parameters={"lr": 0.1})

    assert patch(plane, "/runs/r1", parameters={"lr": 0.2}).status_code == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"tags": {f"t{index}": "" for index in range(51)}},
        {"tags": {"k" * 101: ""}},
        {"tags": {"k": "v" * 1001}},
        {"properties": {f"p{index}": "" for index in range(51)}},
        {"properties": {"k": "v" * 1001}},
        {"displayName": "d" * 257},
        {"description": "d" * 5001},
        {"parameters": {f"p{index}": 1 for index in range(201)}},
        {"inputDatasets": [{}] * 201},
        {"outputDatasets": [{}] * 21},
        {"status": "Done"},
        {"startTimeUtc": "yesterday"},
        {"tags": ["a"]},
        {"runTypeV2": "x"},
        {"runId": "other"},
    ],
)
def test_what_breaks_a_limit_is_refused_whole(plane: Plane, fields: dict[str, Any]) -> None:
    """400, and there is no run."""
    assert patch(plane, "/experiments/train/runs/r1", **fields).status_code == 400
    assert plane("history", "GET", "/runs/r1").status_code == 404


def test_what_just_fits_a_limit_is_taken(plane: Plane) -> None:
    """The limit itself is allowed."""
    tags = {f"{index:0100}": "v" * 1000 for index in range(50)}

    assert plane.put("r" * 255, tags=tags, displayName="d" * 256, description="d" * 5000)["tags"] == tags


@pytest.mark.parametrize("run_id", ["a.b", "ä", "r" * 256, "a b"])
def test_a_run_id_of_other_characters_is_refused(plane: Plane, run_id: str) -> None:
    """Letters, digits, dashes and underscores, fewer than 256."""
    assert patch(plane, f"/experiments/train/runs/{run_id}").status_code == 400


def test_a_run_that_is_not_there_is_refused_in_the_recorded_words(plane: Plane) -> None:
    """The odd `runId=` before the id included."""
    refused = plane("history", "POST", "/rundata", body={"runId": "non_exist_run", "selectRunMetadata": True})

    assert refused.status_code == 404
    assert error(refused)["message"] == "Run runId=non_exist_run was not found"
    assert error(refused)["innerError"] == {"code": "NotFoundError", "innerError": None}
    assert refused.json()["componentName"] == "run-history"


def test_a_child_hangs_below_its_parent_and_root(plane: Plane) -> None:
    """Ids and uuids of both."""
    root = plane.put("root")
    plane.put("middle", parentRunId="root")
    leaf = plane.put("leaf", parentRunId="middle")

    assert (leaf["parentRunId"], leaf["rootRunId"], leaf["rootRunUuid"]) == ("middle", "root", root["runUuid"])


def test_a_child_without_its_parent_is_refused(plane: Plane) -> None:
    """Parents first."""
    assert patch(plane, "/experiments/train/runs/c", parentRunId="nobody").status_code == 404


def test_a_run_cannot_be_moved(plane: Plane) -> None:
    """Neither to another parent nor to another experiment."""
    plane.put("p")
    plane.put("r1")

    assert patch(plane, "/runs/r1", parentRunId="p").status_code == 400
    plane.post("/experiments/there")
    assert patch(plane, "/experiments/there/runs/r1", **CHANGE).status_code == 409


def test_a_run_that_ended_stays_so(plane: Plane) -> None:
    """Out of a terminal status there is no way."""
    plane.put("r1", status="Completed")

    assert patch(plane, "/runs/r1", status="Running").status_code == 400


def test_only_the_answer_to_a_patch_carries_a_token(plane: Plane) -> None:
    """Three weeks long, as recorded; `modify` gives none."""
    assert plane.put("r1")["token"] is not None
    assert patch(plane, "/runs/r1/modify", **CHANGE).json()["token"] is None
    assert plane.read("/runs/r1")["token"] is None


def test_adding_a_run_that_is_there_is_refused(plane: Plane) -> None:
    """POST creates only."""
    assert plane("history", "POST", "/runs/r1", body={}).status_code == 200
    assert plane("history", "POST", "/runs/r1", body={}).status_code == 409


def test_modifying_a_run_that_is_not_there_is_refused(plane: Plane) -> None:
    """`modify` creates nothing."""
    assert patch(plane, "/runs/r1/modify", **CHANGE).status_code == 404


def test_a_batch_answers_item_by_item(plane: Plane) -> None:
    """What is good is done, in order, so that a parent may come first; the rest stands in `errors`."""
    runs = [{"runId": "p"}, {"runId": "c", "parentRunId": "p"}, {"runId": "bad id"}, {"runId": "x", "parentRunId": "n"}]

    answer = plane("history", "PATCH", "/experiments/train/batch/runs", body={"runs": runs})

    assert answer.status_code == 200
    assert set(answer.json()["runs"]) == {"p", "c"}
    assert {run_id: each["statusCode"] for run_id, each in answer.json()["errors"].items()} == {"bad id": 400, "x": 404}


def test_runs_are_read_by_their_ids(plane: Plane) -> None:
    """Missing ones stand in `errors`."""
    plane.put("r1")

    answer = plane.post("/experiments/train/runs/runIds", runIds=["r1", "r2"])

    assert (list(answer["runs"]), list(answer["errors"])) == (["r1"], ["r2"])


def test_a_run_is_not_found_in_another_experiment(plane: Plane) -> None:
    """The experiment in the URL counts."""
    plane.put("r1", experiment="train")
    plane.post("/experiments/there")

    assert plane("history", "GET", "/experiments/there/runs/r1").status_code == 404
    assert plane("history", "GET", "/experiments/train/runs/r1").status_code == 200


def test_an_experiments_id_leads_where_its_name_does(plane: Plane) -> None:
    """To the same runs; an id that is none is refused, nothing is made for it."""
    experiment = plane.put("r1", experiment="train")["experimentId"]
    nowhere = "/experimentids/6d6f1c3e-0000-4000-8000-000000000001"

    assert patch(plane, f"/experimentids/{experiment}/runs/r2").json()["experimentId"] == experiment
    assert [run["runId"] for run in plane.post(f"/experimentids/{experiment}/runs:query")["value"]] == ["r1", "r2"]
    assert patch(plane, f"{nowhere}/runs/r3").status_code == 404
    assert plane("history", "GET", "/runs/r3").status_code == 404


def test_top_is_the_size_of_a_page(plane: Plane) -> None:
    """There may be more behind it."""
    for index in range(3):
        plane.put(f"r{index}", **({"parentRunId": "r0"} if index else {}))

    first = plane.read("/runs/r0/children", **{"$top": "1"})

    assert [run["runId"] for run in first["value"]] == ["r1"]
    assert "continuationToken" in first


@pytest.mark.parametrize("parameter", ["$filter", "$orderby", "$count"])
def test_what_is_not_understood_of_children_is_refused(plane: Plane, parameter: str) -> None:
    """Never ignored."""
    plane.put("p")

    assert plane("history", "GET", "/runs/p/children", {parameter: "x"}).status_code == 400


def test_a_token_of_nobody_is_refused(plane: Plane) -> None:
    """A page token cannot be made up."""
    plane.put("p")

    assert plane("history", "GET", "/runs/p/children", {"$continuationtoken": "?"}).status_code == 400


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, ["a", "b", "c"]),
        ("RunId eq a", ["a"]),
        ("RunId eq a or RunId eq 'b'", ["a", "b"]),
        ("(Status eq Failed)", ["b"]),
        ("Status ne Failed and ParentRunId eq null", ["a"]),
        ("(StartTimeUtc ge 2024-01-01T00:00:00Z)", ["b"]),
        ("StartTimeUtc lt 2024-01-01T00:00:00Z", ["a"]),
        ("(Tags/team eq vision)", ["a"]),
        ("(Tags/team ne null or Tags/team eq null)", ["a", "c"]),
        ("Properties/azureml.runsource eq automl", ["c"]),
        ("Hidden eq true", ["b"]),
    ],
)
def test_runs_are_filtered(plane: Plane, condition: str | None, expected: list[str]) -> None:
    """In azureml-core's forms; without a filter children and hidden runs are there too."""
    plane.put("a", status="Completed", startTimeUtc=START, tags={"team": "vision"})
    plane.put("b", status="Failed", startTimeUtc="2024-05-13T08:37:06Z", hidden=True)
    plane.put("c", parentRunId="a", tags={"team": None}, properties={"azureml.runsource": "automl"})

    answer = plane.post("/experiments/train/runs:query", filter=condition)

    assert [run["runId"] for run in answer["value"]] == expected


@pytest.mark.parametrize(
    "condition",
    [
        "Colour eq red",
        "RunId eq a b",
        "Status",
        "Status is Failed",
        "(Status eq Failed",
        "RunTypeV2/Traits/x ne null",
        "CreatedUtc gt x",
        "(" * 10_000 + "Status eq Failed" + ")" * 10_000,
    ],
)
def test_a_filter_that_is_not_understood_is_refused(plane: Plane, condition: str) -> None:
    """400: a filter is never ignored."""
    plane.put("a")

    assert plane("history", "POST", "/experiments/train/runs:query", body={"filter": condition}).status_code == 400


def test_runs_are_ordered_and_paged(plane: Plane) -> None:
    """Token after token, until there is none."""
    for index in range(5):
        plane.put(f"r{index}", startTimeUtc=f"2024-01-0{9 - index}T00:00:00Z")
    seen, token = [], None
    while True:
        page = plane.post("/experiments/train/runs:query", orderBy="StartTimeUtc", top=2, continuationToken=token)
        seen += [run["runId"] for run in page["value"]]
        token = page.get("continuationToken")
        if token is None:
            break

    assert seen == ["r4", "r3", "r2", "r1", "r0"]


def test_inputs_and_outputs_are_in_rundata_and_details_only(plane: Plane) -> None:
    """Null in GET, children and queries."""
    assets = {"default": {"assetId": "azureml://x", "type": "UriFolder"}}
    assert plane.put("p", outputs=assets)["outputs"] is None
    plane.put("c", parentRunId="p", outputs=assets)

    assert plane.read("/runs/c")["outputs"] is None
    assert plane.read("/runs/p/children")["value"][0]["outputs"] is None
    assert plane.post("/experiments/train/runs:query")["value"][0]["outputs"] is None
    assert plane.post("/rundata", runId="c", selectRunMetadata=True)["runMetadata"]["outputs"] == assets
    assert plane.read("/runs/c/details")["outputs"] == assets


def test_rundata_gives_what_is_selected(plane: Plane) -> None:
    """The definition stands beside the run, not in it."""
    plane.put("r1", runDefinition={"script": "train.py"}, jobSpecification={"job_type": "Command"})

    answer = plane.post("/rundata", runId="r1", selectRunDefinition=True)

    assert answer["runDefinition"] == {"script": "train.py"}
    assert (answer["runMetadata"], answer["jobSpecification"], answer["systemSettings"]) == (None, None, None)


def test_batch_rundata_says_which_failed(plane: Plane) -> None:
    """207 as soon as one did, else 200."""
    plane.put("r1")
    good = {"runId": "r1", "selectRunMetadata": True}

    both = plane("history", "POST", "/batchrundata", body={"requests": {"a": good, "b": {"runId": "r2"}}})
    one = plane("history", "POST", "/batchrundata", body={"requests": {"a": good}})

    assert (both.status_code, one.status_code) == (207, 200)
    assert both.json()["successfulResults"]["a"]["runMetadata"]["runId"] == "r1"
    assert both.json()["failedResults"]["b"]["error"]["innerError"]["code"] == "NotFoundError"


def test_details_are_another_set_of_keys(plane: Plane) -> None:
    """`createdTimeUtc`, no display name, costs that are null."""
    created = plane.put("r1", displayName="d")["createdUtc"]

    details = plane.read("/runs/r1/details")

    assert details["createdTimeUtc"] == created
    assert set(details["jobCost"].values()) == {None}
    assert not {"displayName", "experimentId", "createdUtc", "runType"} & details.keys()


def test_log_files_are_readable_by_their_urls(plane: Plane) -> None:
    """A SAS each; other artifacts are not listed."""
    plane.put("r1")
    paths = [{"path": "user_logs/std_log.txt"}, {"path": "outputs/model.pkl"}]
    made = plane.post("/experiments/train/runs/r1/artifacts/batch/metadata", paths=paths)
    url = made["artifactContentInformation"]["user_logs/std_log.txt"]["contentUri"]
    requests.put(url, b"step 1\n", headers={"x-ms-blob-type": "BlockBlob"}, timeout=30).raise_for_status()

    logs = plane.read("/runs/r1/details")["logFiles"]

    assert list(logs) == ["user_logs/std_log.txt"]
    assert requests.get(logs["user_logs/std_log.txt"], timeout=30).text == "step 1\n"


def test_events_move_a_run_with_the_clients_times(plane: Plane) -> None:
    """Start, then an end, each with its own time."""
    plane.put("r1")
    for name, data in (("Start", {"StartTime": START}), ("Completed", {"EndTime": END})):
        told = plane("history", "POST", "/runs/r1/events", body={"name": EVENT + name, "data": {"RunId": "r1", **data}})
        assert told.status_code == 200

    run = plane.read("/runs/r1")

    assert (run["status"], run["startTimeUtc"], run["endTimeUtc"]) == ("Completed", START, END)
    assert run["statusRevision"] == 2


def test_an_error_event_is_the_only_way_to_an_error(plane: Plane) -> None:
    """A PATCH cannot set it; the event fills every key of the recorded form."""
    plane.put("r1", error={"error": {"message": "patched"}})
    assert plane.read("/runs/r1")["error"] is None

    data = {"RunId": "r1", "ErrorResponse": {"error": {"code": "UserError", "message": "boom"}}}
    plane.document("history", "POST", "/runs/r1/events", body={"name": EVENT + "Error", "timestamp": END, "data": data})

    found = plane.read("/runs/r1")["error"]
    assert (found["error"]["message"], found["error"]["details"]) == ("boom", [])
    assert {"correlation", "environment", "location", "time", "componentName"} <= found.keys()


def test_batch_events_answer_item_by_item(plane: Plane) -> None:
    """Unknown names, unknown runs and forbidden moves are errors of their own."""
    plane.put("r1", status="Failed")
    events = [
        {"name": EVENT + "Warning", "timestamp": END, "data": {"RunId": "r1", "Source": "s", "Message": "m"}},
        {"name": EVENT + "Start", "timestamp": END, "data": {"RunId": "r1"}},
        {"name": EVENT + "Sneezed", "timestamp": END, "data": {"RunId": "r1"}},
        {"name": EVENT + "Start", "timestamp": END, "data": {"RunId": "nobody"}},
        {"name": EVENT + "Warning", "timestamp": END, "data": {"RunId": "r1", "Source": "s", "Message": "m" * 301}},
    ]

    answer = plane.post("/batch/events", events=events)

    assert answer["successes"] == ["r1"]
    assert [each["value"]["statusCode"] for each in answer["errors"]] == [400, 400, 404, 400]
    assert plane.read("/runs/r1")["warnings"] == [{"source": "s", "message": "m"}]


def test_children_come_fifty_a_page_and_go_on_by_token_alone(plane: Plane) -> None:
    """No link, whatever `$top` asks for."""
    plane.put("p")
    plane.document("history", "PATCH", "/experiments/train/batch/runs", body={"runs": [child(at) for at in range(51)]})

    first = plane.read("/runs/p/children", **{"$top": "200"})
    rest = plane.read("/runs/p/children", **{"$continuationtoken": first["continuationToken"]})

    assert [run["runId"] for page in (first, rest) for run in page["value"]] == [f"c{at}" for at in range(51)]
    assert (len(first["value"]), first.keys(), rest.keys()) == (50, {"value", "continuationToken"}, {"value"})


def child(at: int) -> dict[str, str]:
    return {"runId": f"c{at}", "parentRunId": "p"}


def test_tags_of_experiments_have_longer_keys(plane: Plane) -> None:
    """250 characters, where a run's have 100."""
    experiment = plane.post("/experiments/train")["experimentId"]

    kept = [
        plane("history", "PATCH", f"/experimentids/{experiment}", body={"tags": {"k" * length: "v"}}).status_code
        for length in (250, 251)
    ]

    assert kept == [200, 400]


def test_tags_are_changed_and_deleted(plane: Plane) -> None:
    """In one request, or deleted by a list."""
    plane.put("r1", tags={"a": "1", "b": "2", "c": "3"})

    asked = {"tagsToModify": {"a": "9"}, "tagsToDelete": ["b"]}
    changed = plane.document("history", "PATCH", "/experiments/train/runs/r1/tags", body=asked)
    deleted = plane.document("history", "DELETE", "/runs/r1/tags", body=["c"])

    assert (changed["tags"], deleted["tags"]) == ({"a": "9", "c": "3"}, {"a": "9"})


def test_cancelling_ends_a_run_once(plane: Plane) -> None:
    """One that has ended stays as it is."""
    plane.put("r1", status="Running")
    plane.put("r2", status="Completed")

    cancelled = plane.document("history", "POST", "/experiments/train/runs/r1/cancel", {"CancelationReason": "cost"})
    ended = plane.document("history", "POST", "/experiments/train/runs/r2/cancel")

    assert (cancelled["status"], cancelled["cancelationReason"]) == ("Canceled", "cost")
    assert ended["status"] == "Completed"


def test_a_runs_token_opens_the_workspace(plane: Plane) -> None:
    """azureml-mlflow refreshes a job's token so."""
    plane.put("r1")

    token = plane.read("/experiments/train/runs/r1/token")["token"]
    plane.session.headers["Authorization"] = f"Bearer {token}"

    assert plane.read("/runs/r1")["runId"] == "r1"


def test_a_body_that_is_no_json_is_refused(plane: Plane) -> None:
    """400 in the data plane's form."""
    url = f"https://{plane.region}.api.azureml.ms/history/v1.0{plane.path}/rundata"

    assert error(plane.session.post(url, data=b"{", timeout=30))["code"] == "ValidationError"


def test_a_body_is_nested_as_deep_as_can_be_kept_and_answered(plane: Plane) -> None:
    """400 for more: nothing here may end in a 500, which clients send again."""

    def deep(levels: int) -> dict[str, Any]:
        return {"parameters": {"x": json.loads("[" * levels + "]" * levels)}}

    plane.put("r1", **deep(190))
    assert plane.read("/experiments/train/runs/r1")["parameters"] == deep(190)["parameters"]
    for levels in (300, 900):
        sent = plane("history", "PATCH", "/experiments/train/runs/r2", body=deep(levels))
        assert error(sent)["code"] == "ValidationError"
        assert "MaxDepth" in sent.text


RUN = "/experiments/train/runs/r1"
EVENT = "Microsoft.MachineLearning.Run."


@pytest.mark.parametrize(
    ("service", "method", "path", "body"),
    [
        ("history", "PATCH", RUN, {"status": ["x"]}),
        (
            "history",
            "POST",
            f"{RUN}/events",
            {"name": f"{EVENT}Error", "data": {"errorResponse": {"error": {"message": 5}}}},
        ),
        ("history", "POST", f"{RUN}/events", {"name": f"{EVENT}QueueingInfo", "data": {"queueingInfo": 5}}),
        ("history", "POST", "/experiments:query", {"viewType": ["x"]}),
        ("metric", "POST", "/runs/r1/batch", {"values": [{"name": "m", "columns": {"m": "Double"}, "properties": 5}]}),
        ("metric", "POST", "/runs/r1/batch", {"values": [{"name": "m", "columns": {"m": "Double"}, "namespace": [5]}]}),
        (
            "artifact",
            "POST",
            "/artifacts/register",
            {
                "origin": "ExperimentRun",
                "container": "dcid.r1",
                "path": "p",
                "dataPath": {"dataStoreName": "workspaceblobstore", "relativePath": 5},
            },
        ),
    ],
)
def test_a_value_of_another_kind_is_refused(plane: Plane, service: str, method: str, path: str, body: Any) -> None:
    """The client's mistake, and not the service's: 500 would be asked again."""
    plane.put("r1")

    assert error(plane(service, method, path, body=body))["code"] == "ValidationError"


def test_experiments_are_listed_by_view(plane: Plane) -> None:
    """Active ones unless asked otherwise."""
    archived = plane.post("/experiments/old")["experimentId"]
    plane.post("/experiments/new")
    patch(plane, f"/experimentids/{archived}", archive=True)

    def names(**asked: Any) -> list[str]:
        return [each["name"] for each in plane.post("/experiments:query", **asked)["value"]]

    assert names() == ["Default", "new"]
    assert names(viewType="ArchivedOnly") == ["old"]
    assert names(viewType="All") == ["Default", "old", "new"]


def test_names_that_no_url_holds_as_they_are_have_to_be_asked_for(plane: Plane, calm: Sandbox) -> None:
    """`urlSafeExperimentNamesOnly` is true where nothing is said (run-history.json); one variant heeds nothing."""

    def named(**params: str) -> set[str]:
        found = plane.document("history", "POST", "/experiments:query", params, {})["value"]
        return {each["name"] for each in found} - {"Default"}

    for name in ("plain", "a b", "ü"):
        plane.post(f"/experiments/{name}")
    every = {"urlSafeExperimentNamesOnly": "false"}

    assert (named(), named(**every)) == ({"plain"}, {"plain", "a b", "ü"})
    calm.set_faults(strict=["url-safe-names-only"])
    assert named(**every) == {"plain"}


def test_experiments_are_paged(plane: Plane) -> None:
    """Token after token."""
    first = plane.post("/experiments:query", top=1)
    plane.post("/experiments/train")
    second = plane.post("/experiments:query", top=1)

    assert "continuationToken" not in first
    following = plane.post("/experiments:query", top=1, continuationToken=second["continuationToken"])
    assert [each["name"] for each in following["value"]] == ["train"]


def test_an_experiment_is_made_once_and_changed_by_id(plane: Plane) -> None:
    """Its name is taken then; tags are merged."""
    experiment = plane.post("/experiments/train")["experimentId"]
    assert plane("history", "POST", "/experiments/train").status_code == 409

    patch(plane, f"/experimentids/{experiment}", description="d", tags={"a": "1"})
    patch(plane, f"/experimentids/{experiment}", tags={"b": "2"})

    found = plane.read("/experiments/train")
    assert (found["description"], found["tags"]) == ("d", {"a": "1", "b": "2"})


def test_only_an_empty_experiment_is_deleted(plane: Plane) -> None:
    """Runs keep theirs."""
    full = plane.put("r1", experiment="full")["experimentId"]
    empty = plane.post("/experiments/empty")["experimentId"]

    assert plane("history", "DELETE", f"/experimentids/{full}").status_code == 400
    assert plane("history", "DELETE", f"/experimentids/{empty}").status_code == 200
    assert plane("history", "GET", "/experiments/empty").status_code == 404


def test_a_service_may_refuse_client_ids(plane: Plane, calm: Sandbox) -> None:
    """Strict variant: no run of a client's own id is made."""
    calm.set_faults(strict=["refuse-client-ids"])

    assert patch(plane, "/experiments/train/runs/r1").status_code == 400


def test_a_run_is_created_at_the_start_that_its_client_sends(plane: Plane, calm: Sandbox) -> None:
    """To the tick; its number tells when the service heard of it. Later starts, and runs without one, move nothing."""
    sent, unsent = plane.put("r1", startTimeUtc=START), plane.put("r2")
    later = plane.put("r2", startTimeUtc=START)
    calm.set_faults(strict=["created-now"])
    heard = plane.put("r3", startTimeUtc=START)

    assert (sent["createdUtc"], heard["startTimeUtc"]) == (START, START)
    assert sent["runNumber"] >= unsent["runNumber"] - 60
    assert later["createdUtc"] == unsent["createdUtc"] != START != heard["createdUtc"]


def test_a_service_may_ignore_times_and_drop_properties(plane: Plane, calm: Sandbox) -> None:
    """Strict variants: 200, and the fields are not there."""
    calm.set_faults(strict=["ignore-start-times", "drop-properties"])

    run = plane.put("r1", startTimeUtc=START, properties={"a": "1"}, tags={"kept": "1"})

    assert (run["startTimeUtc"], run["properties"], run["tags"]) == (None, {}, {"kept": "1"})
