"""Declared trouble, each kind as a client sees it; and what is counted meanwhile."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import requests
from azure.identity import EnvironmentCredential

from azureml_sandbox.problem import Problem
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from sandbox.accounts import ARTIFACTS, Account, arm_address


class Client:
    """One workspace over plain HTTP, each request on a connection of its own."""

    def __init__(self, workspace: WorkspaceFile) -> None:
        self.workspace = workspace
        self.address = arm_address(workspace)
        token = EnvironmentCredential().get_token("https://management.azure.com/.default").token
        self.headers = {"Authorization": f"Bearer {token}"}
        properties = self.arm().json()["properties"]
        self.data = properties["discoveryUrl"].removesuffix("/discovery")

    def arm(self) -> requests.Response:
        return requests.get(self.address, {"api-version": "2024-04-01"}, headers=self.headers, timeout=30)

    def run(self, method: str = "GET", run_id: str = "r1") -> requests.Response:
        path = self.address.removeprefix("https://management.azure.com")
        url = f"{self.data}/history/v1.0{path}/experiments/train/runs/{run_id}"
        body = {"runId": run_id} if method == "PATCH" else None
        return requests.request(method, url, json=body, headers=self.headers, timeout=30)


@pytest.fixture
def client(calm: Sandbox, workspace: WorkspaceFile, azure_env: dict[str, str]) -> Client:
    made = Client(workspace)
    calm.reset_requests()
    return made


def test_a_throttle_says_its_wait_only_in_words(calm: Sandbox, client: Client) -> None:
    calm.set_faults([{"do": "throttle"}])

    arm, data = client.arm(), client.run()

    for answer in (arm, data):
        assert (answer.status_code, answer.headers["connection"]) == (429, "close")
        assert "Retry-After" not in answer.headers
        assert answer.json()["error"]["message"].endswith("Retry again after 20 seconds.")
    assert [item["type"] for item in arm.json()["error"]["additionalInfo"]][-1] == "InnerError"
    assert data.json()["error"]["innerError"]["code"] == "QuotaExceeded"


@pytest.mark.parametrize("status", [500, 503, 504])
def test_a_status_comes_in_the_services_form(calm: Sandbox, client: Client, status: int) -> None:
    calm.set_faults([{"do": "status", "status": status}])

    answer = client.run()

    assert (answer.status_code, answer.json()["statusCode"]) == (status, status)


def test_a_bad_gateway_is_html(calm: Sandbox, client: Client) -> None:
    calm.set_faults([{"do": "html502"}])

    answer = client.arm()

    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (502, "text/html")


def test_a_reset_before_leaves_no_trace_and_one_after_does(calm: Sandbox, client: Client) -> None:
    calm.set_faults([{"match": {"method": "PATCH"}, "times": 1, "do": "reset"}])
    with pytest.raises(requests.ConnectionError):
        client.run("PATCH", "before")
    calm.set_faults([{"match": {"method": "PATCH"}, "times": 1, "do": "reset-after"}])
    with pytest.raises(requests.ConnectionError):
        client.run("PATCH", "after")

    assert (client.run(run_id="before").status_code, client.run(run_id="after").status_code) == (404, 200)


def test_a_truncated_body_ends_early(calm: Sandbox, client: Client) -> None:
    calm.set_faults([{"do": "truncate"}])

    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        client.arm()


def test_a_truncated_blob_is_noticed_by_the_official_client(
    calm: Sandbox, workspace: WorkspaceFile, azure_env: dict[str, str]
) -> None:
    """It reads again."""
    account = Account(calm.folder, workspace, EnvironmentCredential())
    blob = account.client("key").get_blob_client(ARTIFACTS, "b")
    blob.upload_blob(b"x" * 100_000)
    calm.set_faults([{"match": {"service": "blob", "method": "GET"}, "times": 1, "do": "truncate"}])

    assert blob.download_blob().readall() == b"x" * 100_000
    assert [each["count"] for each in calm.requests()["routes"] if each["route"] == "blob GET"] == [2]


def test_a_rule_skips_then_hits_every_nth_a_few_times(calm: Sandbox, client: Client) -> None:
    calm.set_faults([{"match": {"service": "arm"}, "after": 2, "every": 3, "times": 2, "do": "throttle"}])

    assert [client.arm().status_code for _ in range(12)] == [200] * 4 + [429] + [200] * 2 + [429] + [200] * 4


@pytest.mark.parametrize(
    "match",
    [
        {"service": "metric"},
        {"method": "POST"},
        {"path": "/runs/other$"},
        {"workspace": "another"},
    ],
)
def test_a_rule_leaves_alone_what_it_does_not_match(calm: Sandbox, client: Client, match: dict[str, str]) -> None:
    calm.set_faults([{"match": match, "do": "throttle"}])

    assert client.run().status_code == 404


def test_requests_above_the_width_are_refused(calm: Sandbox, client: Client) -> None:
    calm.set_faults([{"do": "delay", "delay_ms": 500}], max_in_flight=2)
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(client.arm().status_code)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200, 200, 429, 429]
    assert calm.requests()["most_in_flight"] >= 3


def test_after_a_burst_requests_are_refused(calm: Sandbox, client: Client) -> None:
    calm.set_faults(rate={"burst": 3, "per_second": 0.001})

    assert [client.arm().status_code for _ in range(5)] == [200, 200, 200, 429, 429]


def test_delays_add_up(calm: Sandbox, client: Client) -> None:
    calm.set_faults([{"do": "delay", "delay_ms": 100}, {"do": "delay", "delay_ms": 100}])
    begun = time.monotonic()

    client.arm()

    assert time.monotonic() - begun >= 0.2


def test_every_request_is_counted_with_what_it_does(calm: Sandbox, client: Client, workspace: WorkspaceFile) -> None:
    """By route, not by address; a read that is a POST counts as a read."""
    client.run("PATCH", "r1")
    client.run("PATCH", "r2")
    client.run(run_id="r1")
    account = Account(calm.folder, workspace, EnvironmentCredential())
    calm_before = calm.requests()
    blob = account.client("key").get_blob_client(ARTIFACTS, "b")
    blob.upload_blob(b"0123456789")
    list(account.client("key").get_container_client(ARTIFACTS).list_blobs())

    counted = calm.requests()
    routes = {(each["method"], each["route"], each["status"], each["effect"]): each for each in counted["routes"]}
    runs = "/history/v1.0/experiments/{experiment_name}/runs/{run_id}"
    assert routes["PATCH", runs, 200, "write"]["count"] == 2
    assert routes["GET", runs, 200, "read"]["count"] == 1
    assert routes["PATCH", runs, 200, "write"]["workspace"] == workspace.workspace_name
    assert routes["PUT", "blob PUT", 201, "write"]["count"] == 1
    assert routes["GET", "blob list", 200, "read"]["count"] == 1
    assert (calm_before["writes"], counted["writes"]) == (2, 3)
    assert counted["total"] == sum(each["count"] for each in counted["routes"])
    assert counted["bytes"] - calm_before["bytes"] >= 10


@pytest.mark.parametrize(
    ("rules", "declared", "words"),
    [
        ([{"do": "explode"}], {}, r"rules\[0\]\.do is 'explode', expected one of: throttle"),
        ([{"do": "throttle", "evry": 2}], {}, r"rules\[0\]\.evry is not known, expected: after"),
        ([{"do": "throttle", "match": {"path": "("}}], {}, r"rules\[0\]\.match\.path is no regular expression"),
        ([], {"max_width": 3}, r"faults\.max_width is not known"),
    ],
)
def test_trouble_that_nobody_knows_is_refused(
    calm: Sandbox, rules: list[dict[str, Any]], declared: dict[str, Any], words: str
) -> None:
    with pytest.raises(Problem, match=words):
        calm.set_faults(rules, **declared)
