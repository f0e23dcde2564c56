"""A plain client for the sandbox's services, with a token from azure-identity."""

from __future__ import annotations

from typing import Any

import requests

from azureml_sandbox.server.sandbox import WorkspaceFile

_HOSTS = {"arm": ("https://management.azure.com", "")} | {
    service: ("https://{region}.api.azureml.ms", f"/{service}/{version}")
    for service, version in (
        *(("history", "v1.0"), ("metric", "v2.0"), ("artifact", "v2.0"), ("data", "v1.0")),
        *(("modelregistry", "v1.0"), ("modelmanagement", "v1.0"), ("dataset", "v1.0")),
    )
}


class Plane:
    """One workspace over HTTP: `plane("history", "GET", "/runs/r1")`."""

    def __init__(self, workspace: WorkspaceFile, token: str) -> None:
        self.workspace = workspace
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"
        self.path = (
            f"/subscriptions/{workspace.subscription_id}/resourceGroups/{workspace.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{workspace.workspace_name}"
        )
        self.region = ""
        self.properties = self.arm("")["properties"]
        self.region = self.properties["discoveryUrl"].split("/")[2].split(".")[0]

    def __call__(
        self, service: str, method: str, path: str, params: dict[str, str] | None = None, body: object = None
    ) -> requests.Response:
        """The answer, whatever its status."""
        host, prefix = _HOSTS[service]
        url = host.format(region=self.region) + prefix + self.path + path
        return self.session.request(method, url, params=params, json=body, timeout=30)

    def document(
        self, service: str, method: str, path: str, params: dict[str, str] | None = None, body: object = None
    ) -> Any:
        """The body of an answer that must be good."""
        answer = self(service, method, path, params, body)
        assert answer.ok, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def read(self, path: str, /, **params: str) -> Any:
        """GET of run history."""
        return self.document("history", "GET", path, params)

    def put(self, run_id: str, experiment: str = "train", **fields: Any) -> Any:
        """PATCH of a run."""
        path = f"/experiments/{experiment}/runs/{run_id}"
        return self.document("history", "PATCH", path, body={"runId": run_id, **fields})

    def post(self, path: str, /, **fields: Any) -> Any:
        """POST to run history."""
        return self.document("history", "POST", path, body=fields)

    def arm(self, path: str, /, **params: str) -> Any:
        """GET of ARM."""
        return self.document("arm", "GET", path, {"api-version": "2024-04-01", **params})


def error(answer: requests.Response) -> dict[str, Any]:
    """The data plane's error, the fixed parts of its body checked."""
    document = answer.json()
    assert document["statusCode"] == answer.status_code
    assert {"error", "correlation", "environment", "location", "time", "componentName"} <= document.keys()
    found: dict[str, Any] = document["error"]
    return found
