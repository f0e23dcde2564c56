"""Refusals that come before any service's handler, each in the form of the service that would have answered."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime
from html import escape

from starlette.responses import JSONResponse, Response

from azureml_sandbox.protocol import bodies, errors
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.login import HOST, TokenRefused, WrongTenant
from azureml_sandbox.protocol.traffic import Asked

_COMPONENT = {"history": "run-history", "metric": "metric", "artifact": "artifact", "mlflow": "mlflow"}

BAD_GATEWAY = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


def refuse(asked: Asked, refused: Refused) -> Response:
    """The refusal in the form of this service: ARM's long form, the data plane's form, or the XML of blobs."""
    if asked.service == "arm":
        return bodies.arm_answer(errors.arm(refused, asked.region), refused.status)
    if asked.service == "blob":
        return blob_error(refused.status, refused.chain[-1], refused.message)
    if asked.service == "login":
        return JSONResponse({"error": "temporarily_unavailable", "error_description": refused.message}, refused.status)
    component = _COMPONENT.get(asked.service, asked.service)
    return bodies.answer(errors.data_plane(refused, asked.region, component), refused.status)


def no_workspace(asked: Asked, group: str, name: str) -> Response:
    """404: ARM's gateway answers in its short form (recorded), the data plane in its own."""
    if asked.service != "arm":
        return refuse(asked, Refused(404, f"Workspace {name} was not found", ("UserError", "WorkspaceNotFound")))
    message = (
        f"The Resource 'Microsoft.MachineLearningServices/workspaces/{name}' under resource group '{group}' was not"
        " found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
    body = {"error": {"code": "ResourceNotFound", "message": message}}
    return JSONResponse(body, 404, {"x-ms-failure-cause": "gateway"})


def unauthorized(asked: Asked, error: TokenRefused, tenant_id: str) -> Response:
    """401 for a token that is missing, expired or made for another audience."""
    message = str(error)
    if asked.service == "blob":
        uri = f"https://{HOST}/{tenant_id}/oauth2/authorize"
        challenge = f"Bearer authorization_uri={uri} resource_id=https://storage.azure.com"
        answer = blob_error(401, "InvalidAuthenticationInfo", message)
        answer.headers["www-authenticate"] = challenge
        return answer
    if asked.service != "arm":
        return refuse(asked, Refused(401, message, ("UserError", "AuthenticationError", "AuthorizationFailed")))
    code = "InvalidAuthenticationTokenTenant" if isinstance(error, WrongTenant) else "InvalidAuthenticationToken"
    uri = f"https://login.windows.net/{tenant_id}"
    challenge = f'Bearer authorization_uri="{uri}", error="invalid_token", error_description="{message}"'
    return JSONResponse({"error": {"code": code, "message": message}}, 401, {"www-authenticate": challenge})


def no_route() -> Response:
    """404 without a body: what ASP.NET answers for a path that no service has (assumption; not recorded)."""
    return Response(status_code=404)


def not_spoken(asked: Asked) -> Response:
    """501 for a route that the sandbox does not have; the message names it."""
    message = f"{asked.method} {asked.path}"
    return JSONResponse({"error": {"code": "SandboxNotImplemented", "message": message}}, 501)


def blob_error(status: int, code: str, message: str) -> Response:
    """Storage's XML, which begins with a byte order mark (recorded)."""
    request, time = str(uuid.uuid4()), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    words = f"{escape(message, quote=False)}\nRequestId:{request}\nTime:{time}"
    head = '\ufeff<?xml version="1.0" encoding="utf-8"?>'
    text = f"{head}<Error><Code>{code}</Code><Message>{words}</Message></Error>"
    return Response(text, status, {"x-ms-error-code": code, "x-ms-request-id": request}, "application/xml")


def arm_headers(region: str, *, remaining: int, write: bool, status: int) -> list[tuple[bytes, bytes]]:
    """The headers that every recorded ARM answer carries."""
    guid = str(uuid.uuid4())
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "cache-control": "no-cache",
        "pragma": "no-cache",
        "expires": "-1",
        "strict-transport-security": "max-age=31536000; includeSubDomains",
        "x-content-type-options": "nosniff",
        "x-ms-correlation-request-id": guid,
        "x-ms-request-id": secrets.token_hex(16),
        "x-ms-routing-request-id": f"{region.upper()}:{stamp}:{guid}",
        "x-ms-response-type": "error" if status >= 400 else "standard",
        f"x-ms-ratelimit-remaining-subscription-{'writes' if write else 'reads'}": str(remaining),
    }
    return [(name.encode(), value.encode()) for name, value in headers.items()]
