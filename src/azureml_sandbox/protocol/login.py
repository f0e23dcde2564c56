"""login.microsoftonline.com: one made-up principal, tokens signed with this DIR's key, and how they are checked.

Evidence: what azure-identity and msal ask for (`/common/discovery/instance`, `openid-configuration`, the token
endpoint) was seen on the wire; the texts of the AADSTS errors are Microsoft's published ones.
"""

from __future__ import annotations

import json
import secrets
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt.types import Options
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from azureml_sandbox.pki import write_private

HOST = "login.microsoftonline.com"
ARM = "https://management.azure.com"
STORAGE = "https://storage.azure.com"
CONTROL_PLANE = frozenset({ARM, "https://management.core.windows.net", "https://ml.azure.com"})
"""Audiences that ARM and the workspace's api host take, without their trailing slash."""

RUN_CLAIM = "runid"
"""Names the run in a job's own token (assumption; no token was recorded)."""

_LIFETIME_S = 3599
_KEY_ID = "sandbox"
_SIGNATURE_ONLY: Options = {"verify_aud": False, "verify_exp": False, "verify_iat": False}


@dataclass(frozen=True, slots=True)
class Principal:
    """The one application that may log in."""

    tenant_id: str
    """The principal's home tenant; workspaces of other tenants know it too."""
    client_id: str
    client_secret: str
    object_id: str

    @classmethod
    def obtain(cls, file: Path) -> Principal:
        """The principal of this DIR, made on first use, readable by its owner only."""
        if not file.exists():
            made = cls(str(uuid.uuid4()), str(uuid.uuid4()), secrets.token_urlsafe(30), str(uuid.uuid4()))
            write_private(file, json.dumps(asdict(made)).encode())
        return cls(**json.loads(file.read_bytes()))


class TokenRefused(Exception):
    """A token that is missing or not accepted here; the message is for its holder."""


class WrongTenant(TokenRefused):
    """A valid token of another tenant."""

    def __init__(self, issuer: str, tenant_id: str) -> None:
        super().__init__(
            f"The access token is from the wrong issuer '{issuer}'. It must match the tenant"
            f" 'https://sts.windows.net/{tenant_id}/' associated with this subscription. Please use the authority (URL)"
            f" 'https://login.windows.net/{tenant_id}' to get the token. Note, if the subscription is transferred to"
            " another tenant there is no impact to the services, but information about new tenant could take time to"
            " propagate (up to an hour). If you just transferred your subscription and see this error message, please"
            " try back later."
        )


class Login:
    """Hands out tokens and checks them."""

    def __init__(self, principal: Principal, key: RSAPrivateKey, tenants: Collection[str]) -> None:
        self.principal = principal
        self.tenants = {principal.tenant_id, *tenants}
        self.lifetime_s = _LIFETIME_S
        self._key, self._public = key, key.public_key()
        self._signed = lru_cache(64)(self._sign)
        self._checked: dict[str, dict[str, Any]] = {}

    def limit(self, lifetime_s: int | None) -> None:
        """Set how long new tokens live, in seconds; None is the service's own hour."""
        self.lifetime_s = _LIFETIME_S if lifetime_s is None else lifetime_s

    def mint(self, tenant_id: str, audience: str, lifetime_s: float | None = None, *, run_id: str | None = None) -> str:
        """A token of the sandbox's principal; with `run_id` it is the one that this job's processes get."""
        lifetime_s = self.lifetime_s if lifetime_s is None else lifetime_s
        return self._signed(tenant_id, audience, int(time.time()), lifetime_s, run_id)

    def _sign(self, tenant_id: str, audience: str, now: int, lifetime_s: float, run_id: str | None) -> str:
        """A signed token; it is cached, because signing takes 0.7 ms and tokens of one second are equal."""
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{tenant_id}/",
            "iat": now,
            "nbf": now,
            "exp": int(now + lifetime_s),
            "appid": self.principal.client_id,
            "idtyp": "app",
            "oid": self.principal.object_id,
            "sub": self.principal.object_id,
            "tid": tenant_id,
            "ver": "1.0",
        } | ({RUN_CLAIM: run_id} if run_id is not None else {})
        return jwt.encode(claims, self._key, "RS256", {"kid": _KEY_ID})

    def check(self, authorization: str | None, tenant_id: str | None, audiences: Collection[str]) -> str:
        """The token's tenant, where the token is valid for this tenant (None: any) and one of these audiences.

        Raises:
            TokenRefused: there is no token, or it is not ours, expired, or for another audience; WrongTenant where
                only the tenant differs.
        """
        claims = self._claims(authorization)
        if claims["exp"] <= time.time():
            expired = datetime.fromtimestamp(claims["exp"], UTC).strftime("%-m/%-d/%Y %-I:%M:%S %p")
            raise TokenRefused(f"The access token expiry UTC time '{expired}' is earlier than current UTC time.")
        if str(claims["aud"]).rstrip("/") not in audiences:
            raise TokenRefused(f"The access token has been obtained for wrong audience or resource '{claims['aud']}'.")
        if tenant_id is not None and claims["tid"] != tenant_id:
            raise WrongTenant(str(claims["iss"]), tenant_id)
        return str(claims["tid"])

    def _claims(self, authorization: str | None) -> dict[str, Any]:
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenRefused("Authentication failed. The 'Authorization' header is missing or its scheme is unknown.")
        if token not in self._checked:  # a signature costs 0.1 ms, and one token comes thousands of times
            try:
                claims = jwt.decode(token, self._public, ["RS256"], options=_SIGNATURE_ONLY)
            except jwt.InvalidTokenError as error:
                raise TokenRefused(f"The access token is invalid: {error}.") from error
            if len(self._checked) > 10_000:
                self._checked.clear()
            self._checked[token] = claims
        return self._checked[token]

    async def answer(self, request: Request) -> Response:
        """The answer to any request to the login host."""
        tenant, _, rest = request.url.path.strip("/").partition("/")
        match request.method, rest:
            case "GET", "discovery/instance":
                return JSONResponse(_discovery())
            case "GET", "v2.0/.well-known/openid-configuration" | ".well-known/openid-configuration":
                return JSONResponse(_configuration(tenant)) if self._knows(tenant) else _no_tenant(tenant)
            case "POST", "oauth2/v2.0/token" | "oauth2/token":
                return self._token(tenant, dict(parse_qsl((await request.body()).decode())))
            case "GET", "discovery/v2.0/keys" | "discovery/keys":
                key = jwt.algorithms.RSAAlgorithm.to_jwk(self._public, as_dict=True)
                return JSONResponse({"keys": [{**key, "kid": _KEY_ID, "use": "sig"}]})
        message = f"{request.method} {request.url.path}"
        return JSONResponse({"error": "SandboxNotImplemented", "error_description": message}, 501)

    def _knows(self, tenant: str) -> bool:
        return tenant.lower() in self.tenants or tenant in {"common", "organizations"}

    def _token(self, tenant: str, form: Mapping[str, str]) -> Response:
        audience = _audience(form)
        if tenant.lower() not in self.tenants:
            return _no_tenant(tenant)
        if form.get("grant_type") != "client_credentials":
            text = f"The app requested an unsupported grant type '{form.get('grant_type', '')}'."
            return _refused(400, "unsupported_grant_type", 70003, text)
        if form.get("client_id") != self.principal.client_id:
            text = (
                f"Application with identifier '{form.get('client_id', '')}' was not found in the directory '{tenant}'."
            )
            return _refused(400, "unauthorized_client", 700016, text)
        if not secrets.compare_digest(form.get("client_secret", ""), self.principal.client_secret):
            text = (
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret"
                f" value, not the client secret ID, for a secret added to app '{self.principal.client_id}'."
            )
            return _refused(401, "invalid_client", 7000215, text)
        if audience is None:
            text = f"The provided value for the input parameter 'scope' is not valid: '{form.get('scope', '')}'."
            return _refused(400, "invalid_scope", 1002012, text)
        lifetime = {"expires_in": self.lifetime_s, "ext_expires_in": self.lifetime_s}
        return JSONResponse({"token_type": "Bearer", **lifetime, "access_token": self.mint(tenant.lower(), audience)})


def _audience(form: Mapping[str, str]) -> str | None:
    """The resource of a scope `{resource}/.default`; a slash at its end stays (scope `https://x//.default`)."""
    if "resource" in form:
        return form["resource"]
    scopes = [scope for scope in form.get("scope", "").split() if scope.endswith("/.default")]
    return scopes[0].removesuffix("/.default") if scopes else None


def _no_tenant(tenant: str) -> Response:
    text = (
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the"
        " correct cloud."
    )
    return _refused(400, "invalid_request", 90002, text)


def _refused(status: int, error: str, code: int, text: str) -> Response:
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    body = {
        "error": error,
        "error_description": (
            f"AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
        ),
        "error_codes": [code],
        "timestamp": stamp,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://{HOST}/error?code={code}",
    }
    return JSONResponse(body, status)


def _discovery() -> dict[str, Any]:
    return {
        "tenant_discovery_endpoint": f"https://{HOST}/common/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": HOST, "preferred_cache": "login.windows.net", "aliases": [HOST]}],
    }


def _configuration(tenant: str) -> dict[str, Any]:
    base = f"https://{HOST}/{tenant}"
    return {
        "issuer": f"{base}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "response_types_supported": ["code", "id_token", "token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "tenant_region_scope": None,
        "cloud_instance_name": "microsoftonline.com",
    }
