"""The service's stricter variants, each as a client sees it. Some stand beside what they change, in other files."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from azureml_sandbox import instants
from azureml_sandbox.pki import Keys
from azureml_sandbox.problem import Problem
from azureml_sandbox.protocol.login import Login, Principal
from azureml_sandbox.server.sandbox import Sandbox
from sandbox.plane import Plane, error

END = "2024-01-01T00:00:00.1234567+00:00"
ROW = {"metricId": "m1", "createdUtc": END, "step": 1, "data": {"loss": 0.5}}
LOSS = {"name": "loss", "columns": {"loss": "Double"}, "value": [ROW]}


def event(name: str, run_id: str, **data: Any) -> dict[str, Any]:
    return {"name": f"Microsoft.MachineLearning.Run.{name}", "timestamp": END, "data": {"RunId": run_id, **data}}


def tell(plane: Plane, *events: dict[str, Any]) -> Any:
    return plane.post("/batch/events", events=list(events))


def test_a_variant_holds_for_the_workspace_that_is_named(plane: Plane, calm: Sandbox) -> None:
    """And for all where none is; a name that nobody knows is refused."""
    calm.set_faults(strict=["drop-properties@elsewhere"])
    kept = plane.put("r1", properties={"a": "1"})["properties"]
    calm.set_faults(strict=[f"drop-properties@{plane.workspace.workspace_name}"])

    assert (kept, plane.put("r2", properties={"a": "1"})["properties"]) == ({"a": "1"}, {})
    with pytest.raises(Problem, match="strict is 'lose-everything@source', expected one of: refuse-client-ids"):
        calm.set_faults(strict=["lose-everything@source"])


def test_ids_of_metric_rows_may_be_lost(plane: Plane, calm: Sandbox) -> None:
    """Rows come back under ids of the service's own, and a row sent twice is there twice."""
    calm.set_faults(strict=["lose-metric-ids"])
    plane.put("r1")
    for _ in range(2):
        plane.document("metric", "POST", "/runs/r1/batch", body={"values": [LOSS], "reportErrors": True})

    rows = plane.document("metric", "POST", "/runs/r1/full", body={"metricName": "loss"})["value"]

    assert len({row["metricId"] for row in rows} - {"m1"}) == 2
    assert [row["data"] for row in rows] == [{"loss": 0.5}] * 2


def test_events_may_show_up_late(plane: Plane, calm: Sandbox) -> None:
    """Status, end and error come after the declared lag; what else is written meanwhile stays."""
    calm.set_faults(strict=["delay-events"], event_lag_ms=700)
    plane.put("r1")
    failure = {"ErrorResponse": {"error": {"code": "UserError", "message": "no"}}}
    done = tell(plane, event("Start", "r1"), event("Error", "r1", **failure), event("Failed", "r1", EndTime=END))
    early = plane.put("r1", tags={"a": "1"})

    while (late := plane.read("/runs/r1"))["status"] != "Failed":
        assert (late["status"], late["endTimeUtc"], late["error"]) == ("NotStarted", None, None)
        time.sleep(0.05)

    assert done["errors"] == []
    assert (early["status"], early["startTimeUtc"]) == ("NotStarted", None)
    assert (late["startTimeUtc"], late["endTimeUtc"], late["duration"]) == (END, END, "00:00:00")
    assert (late["error"]["error"]["message"], late["tags"]) == ("no", {"a": "1"})


def test_a_status_that_is_a_field_may_show_up_late(plane: Plane, calm: Sandbox) -> None:
    """Of a new run too; a second end is refused as if the first had shown."""
    calm.set_faults(strict=["delay-events"], event_lag_ms=60_000)

    new = plane.put("r1", status="Completed", endTimeUtc=END, displayName="name")
    again = plane("history", "PATCH", "/experiments/train/runs/r1", body={"runId": "r1", "status": "Failed"})

    assert (new["status"], new["endTimeUtc"], new["displayName"]) == ("NotStarted", None, "name")
    assert again.status_code == 400


def test_archived_experiments_may_be_left_out(plane: Plane, calm: Sandbox) -> None:
    """Whatever viewType says."""
    archived = plane.put("r1", experiment="old")["experimentId"]
    plane.document("history", "PATCH", f"/experimentids/{archived}", body={"archive": True})
    every = plane.post("/experiments:query", viewType="All")["value"]
    calm.set_faults(strict=["active-experiments-only"])

    for view in ("All", "ArchivedOnly"):
        found = plane.post("/experiments:query", viewType=view)["value"]
        assert [each["name"] for each in found] == ["Default"]
    assert {each["name"] for each in every} == {"Default", "old"}


@pytest.mark.parametrize(
    ("variant", "service", "path"),
    [("no-batchrundata", "history", "/batchrundata"), ("no-metric-list", "metric", "/runs/r1/list")],
)
def test_a_route_may_be_missing(plane: Plane, calm: Sandbox, variant: str, service: str, path: str) -> None:
    """404 without a body, as for a path that was never there; the routes beside it answer."""
    plane.put("r1")
    calm.set_faults(strict=[variant])

    answer = plane(service, "POST", path, body={})

    assert (answer.status_code, answer.content) == (404, b"")
    assert plane("history", "POST", "/rundata", body={"runId": "r1"}).status_code == 200


@pytest.fixture
def child(plane: Plane, sandbox: Sandbox) -> Plane:
    """With the token that a job's processes get, whose run is `child` below `parent`."""
    for run_id, parent in (("parent", None), ("child", "parent"), ("grandchild", "child")):
        plane.put(run_id, **({"parentRunId": parent} if parent else {}))
    login = Login(Principal.obtain(sandbox.folder / "principal.json"), Keys(sandbox.folder).token_key(), [])
    token = login.mint(plane.workspace.tenant_id, "https://management.azure.com", run_id="child")
    return Plane(plane.workspace, token)


def writes(plane: Plane, run_id: str) -> list[requests.Response]:
    """Each door through which a run is written."""
    rows = {"values": [LOSS], "reportErrors": True}
    mlflow = f"https://{plane.region}.api.azureml.ms/mlflow/v2.0{plane.path}/api/2.0/mlflow/runs"
    register = {"origin": "ExperimentRun", "container": f"dcid.{run_id}", "path": "x"}
    return [
        plane("history", "PATCH", f"/experiments/train/runs/{run_id}", body={"runId": run_id, "tags": {"a": "1"}}),
        plane("history", "POST", f"/runs/{run_id}/events", body=event("Heartbeat", run_id)),
        plane("metric", "POST", f"/runs/{run_id}/batch", body=rows),
        plane("artifact", "POST", "/artifacts/register", body=register),
        plane.session.post(f"{mlflow}/set-tag", json={"run_id": run_id, "key": "b", "value": "2"}, timeout=30),
    ]


def test_a_job_s_token_may_be_worth_nothing_above_its_run(plane: Plane, child: Plane, calm: Sandbox) -> None:
    """403 at every door of the parent's; its own run and those below it are written, the parent can be read."""
    calm.set_faults(strict=["refuse-parent-tokens"])

    above, own, below = (writes(child, run_id) for run_id in ("parent", "child", "grandchild"))

    assert [answer.status_code for answer in above] == [403] * 5
    assert error(above[0])["innerError"]["code"] == "ForbiddenError"
    assert [answer.status_code for answer in (*own, *below)] == [200] * 10
    told = child.post("/batch/events", events=[event("Heartbeat", "parent"), event("Heartbeat", "child")])
    assert told["successes"] == ["child"]
    assert child.read("/runs/parent")["tags"] == {}
    assert [answer.status_code for answer in writes(plane, "parent")] == [200] * 5


def test_a_job_s_token_writes_to_its_parent_unless_declared(child: Plane, calm: Sandbox) -> None:
    assert [answer.status_code for answer in writes(child, "parent")] == [200] * 5


def test_times_may_be_kept_only_so_far_back(plane: Plane, calm: Sandbox) -> None:
    """Older ones, by field or by event, are as if they were not told; the status is taken all the same."""
    day = 86_400 * instants.SECOND
    ago = {days: instants.text(instants.now() - days * day) for days in (2, 4)}
    calm.set_faults(strict=["recent-times-only"], kept_days=3)

    runs = {days: plane.put(f"r{days}", startTimeUtc=time) for days, time in ago.items()}
    tell(plane, *(event("Completed", f"r{days}", EndTime=time) for days, time in ago.items()))

    ended = {days: plane.read(f"/runs/r{days}") for days in ago}
    assert [runs[days]["startTimeUtc"] for days in ago] == [ago[2], None]
    assert ended[2]["endTimeUtc"] == ago[2] < ended[4]["endTimeUtc"]
    assert {one["status"] for one in ended.values()} == {"Completed"}


def test_a_status_may_be_the_systems_affair(plane: Plane, calm: Sandbox) -> None:
    """Of runs with a type, of external ones, of those with neither, as declared; also where they are made with one."""
    external = {"runTypeV2": {"orchestrator": "External", "traits": ["unspecified"]}}
    kinds: dict[str, dict[str, Any]] = {"neutral": {}, "external": external, "typed": {"runType": "azureml.scriptrun"}}
    for managed in kinds:
        calm.set_faults(strict=["system-managed-status"], managed_runs=[managed])
        for kind, fields in kinds.items():
            plane.put(f"{managed}-{kind}", status="Running", **fields)
        told = tell(plane, *(event("Completed", f"{managed}-{kind}", EndTime=END) for kind in kinds))
        (refused,) = told["errors"]
        assert (refused["key"]["data"]["RunId"], "system managed" in refused["value"]["error"]["message"]) == (
            f"{managed}-{managed}",
            True,
        )
        plane.put(f"{managed}-{managed}", tags={"still": "written"})

    calm.set_faults(strict=["system-managed-status-at-creation"])
    body = {"runId": "r", "status": "Running", **kinds["typed"]}
    made = plane("history", "PATCH", "/experiments/train/runs/r", body=body)
    assert made.status_code == 403
    with pytest.raises(Problem, match="managed_runs is 'all', expected one of: neutral, external, typed"):
        calm.set_faults(managed_runs=["all"])
