"""The types of routes and calls. Each service lists its routes as `Spoken`; `front/routes.py` puts them together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from azureml_sandbox.storage.storage import Storage
    from azureml_sandbox.world import Workspace, World

Service = Literal[
    "arm",
    "history",
    "metric",
    "artifact",
    "mlflow",
    "data",
    "index",
    "content",
    "modelregistry",
    "modelmanagement",
    "dataset",
]
Effect = Literal["read", "write"]

PREFIX: dict[Service, str] = {
    "arm": "",
    "history": "/history/v1.0",
    "metric": "/metric/v2.0",
    "artifact": "/artifact/v2.0",
    "mlflow": "/mlflow/{version}",
    "data": "/data/v1.0",
    "index": "/index/v1.0",
    "content": "/content/v2.0",
    "modelregistry": "/modelregistry/v1.0",
    "modelmanagement": "/modelmanagement/v1.0",
    "dataset": "/dataset/v1.0",
}
"""The part before `/subscriptions/…/workspaces/{name}` in a URL: nothing on management.azure.com, the service's
own prefix on the workspace's api host. Evidence: run-history.json, artifact.json, dataset-dataplane.json, recorded
MLflow calls, azure-ai-ml (modelregistry), azureml-core (modelmanagement)."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, with everything that a handler may use. `front/app.py` has checked token and workspace."""

    request: Request
    workspace: Workspace
    world: World
    storage: Storage
    effect: Effect = "read"
    """The effect of the route."""

    def path(self, name: str) -> str:
        """A part of the path, percent-decoded once."""
        return str(self.request.path_params[name])


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Spoken:
    """One route: its path below the workspace, its handler, and whether it changes the workspace.

    `effect` says what the request does, not what its method suggests: many reads of the service are POSTs.
    """

    method: str
    service: Service
    path: str
    handler: Handler
    effect: Effect
