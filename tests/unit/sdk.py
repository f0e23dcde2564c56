"""azure-ai-ml in this process, with a transport that records what it would send: the oracle of our bodies."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import jwt
import requests
import urllib3
from azure.ai.ml import MLClient
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest._requests_basic import RestRequestsTransportResponse

WORKSPACE = "/subscriptions/sub/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"


class Recorder(RequestsTransport):
    """Answers every PUT with what was put, and every GET with a workspace; sends nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.put: dict[str, Any] = {}
        """By path: the body of every PUT, in order."""

    def send(self, request: Any, **options: Any) -> Any:
        path = request.url.split("?")[0].removeprefix("https://management.azure.com")
        body = json.loads(request.content) if request.method == "PUT" else {"location": "x", "properties": {}}
        if request.method == "PUT":
            self.put[path] = body
        answer = {"id": path, "name": path.rpartition("/")[2], "type": "x", **body}
        response = requests.Response()
        response.status_code = 200
        response.headers["Content-Type"] = "application/json"
        response.raw = urllib3.HTTPResponse(io.BytesIO(json.dumps(answer).encode()), preload_content=False)
        return RestRequestsTransportResponse(internal_response=response, request=request)


class Anybody:
    """A token that azure-ai-ml can read the audience of; nobody checks it."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        claims = {"aud": "https://ml.azure.com", "tid": "t"}
        return AccessToken(jwt.encode(claims, "no secret, and longer than 32 bytes"), int(time.time()) + 3600)


def client() -> tuple[MLClient, Recorder]:
    """The client and what it put."""
    recorder = Recorder()
    return MLClient(Anybody(), "sub", "rg", "ws", transport=recorder), recorder
