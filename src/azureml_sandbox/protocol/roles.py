"""The Azure RBAC action that each route needs, and how the services refuse a caller who lacks it.

Evidence: ARM's actions and words, and the words of the data plane, stand in public reports of users; experiments, runs
and artifacts in learn.microsoft.com's "Manage access to Azure Machine Learning workspaces" (MLflow operations, example
roles); storage in "Permissions for calling data operations". Assumptions: reading metrics needs `runs/read`, reading
snapshots `metadata/snapshots/read`, reading data `datasets/registered/read`, models by any
service `models/read`.
"""

from __future__ import annotations

import re

from starlette.responses import JSONResponse, Response

from azureml_sandbox.protocol import errors
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.login import Principal
from azureml_sandbox.protocol.refusals import refuse
from azureml_sandbox.protocol.traffic import Asked

WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
BLOBS = "Microsoft.Storage/storageAccounts/blobServices"

_ARM_VERBS = {"GET": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_DATA_PLANE = (
    (r"/history/.*/artifacts\b", {"read": "experiments/runs/read", "write": "metadata/artifacts/write"}),
    (r"/history/.*/(runs|batch|rundata|batchrundata)\b", "experiments/runs"),
    (r"/history/", "experiments"),
    (r"/metric/", "experiments/runs"),
    (r"/artifact/", "metadata/artifacts"),
    (r"/mlflow/.*/mlflow/experiments/", "experiments"),
    (r"/mlflow/.*/mlflow/(registered-models|model-versions)/", "models"),
    (r"/mlflow/", "experiments/runs"),
    (r"/model(registry|management)/", "models"),
    (r"/content/", "metadata/snapshots"),
    (r"/data(set)?/", "datasets/registered"),
    (r"/index/", "experiments/runs"),
)
"""Pattern of a route to the subject of its action; the first pattern that fits decides."""


def action(asked: Asked) -> str | None:
    """`Microsoft.MachineLearningServices/workspaces/jobs/read` or the like; None where none is needed or known."""
    if asked.service == "blob":
        return _blob(asked.route)
    if asked.service == "arm":
        return _arm(asked)
    for pattern, subject in _DATA_PLANE:
        if re.match(pattern, asked.route):
            verb = "delete" if _deletes(asked) else asked.effect
            what = subject if isinstance(subject, str) else subject["read" if verb == "read" else "write"]
            return f"{WORKSPACES}/{what}" + (f"/{verb}" if isinstance(subject, str) else "")
    return None


def refusal(asked: Asked, missing: str, principal: Principal) -> Response:
    """403 in the words of the service that was asked."""
    if asked.service == "blob":
        return refuse(asked, STORAGE_REFUSAL)
    if asked.service == "arm":
        message = (
            f"The client '{principal.client_id}' with object id '{principal.object_id}' does not have authorization to"
            f" perform action '{missing}' over scope '{_scope(asked)}' or the scope is invalid. If access was recently"
            " granted, please refresh your credentials."
        )
        body = {"error": {"code": "AuthorizationFailed", "message": message}}
        return JSONResponse(body, 403, {"x-ms-failure-cause": "gateway"})
    return refuse(
        asked,
        errors.forbidden(
            f"Identity(object id: {principal.object_id}) does not have permissions for {missing} actions. Please refer"
            " to https://aka.ms/azureml-auth-troubleshooting to fix the permissions issue."
        ),
    )


STORAGE_REFUSAL = Refused(
    403,
    "This request is not authorized to perform this operation using this permission.",
    ("AuthorizationPermissionMismatch",),
)


def _deletes(asked: Asked) -> bool:
    return asked.effect == "write" and (asked.method == "DELETE" or asked.route.endswith(("/delete", ":delete")))


def _arm(asked: Asked) -> str | None:
    names = [name for name in asked.route.split("/") if name and not name.startswith("{")]
    if names[:1] == ["mfeOperationResults"]:
        return None
    verb = _ARM_VERBS.get(asked.method, "action")
    return "/".join([WORKSPACES, *names, verb])


def _scope(asked: Asked) -> str:
    """The resource that a refusal names: the last one in the path."""
    below = asked.route.split("/")[1:]
    unnamed = next((at for at, part in enumerate(reversed(below)) if part.startswith("{")), len(below))
    return asked.path.rstrip("/").rsplit("/", unnamed)[0] if unnamed else asked.path


def _blob(route: str) -> str | None:
    """The action behind a name that `front.relay.blob_operation` gave to a request."""
    what, verb, *_ = route.split(" ")
    if "userdelegationkey" in route:
        return f"{BLOBS}/generateUserDelegationKey/action"
    if what == "service":
        return None
    kind = {"GET": "read", "HEAD": "read", "list": "read", "DELETE": "delete"}.get(verb, "write")
    return f"{BLOBS}/containers/{kind}" if what == "container" else f"{BLOBS}/containers/blobs/{kind}"
