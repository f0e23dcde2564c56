"""The ASGI app: it finds who answers a request, checks token and workspace, counts, and makes declared faults."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from urllib.parse import unquote

from starlette.datastructures import Headers, State
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from azureml_sandbox import instants
from azureml_sandbox.arm import discovery, subscriptions
from azureml_sandbox.arm.operations import within
from azureml_sandbox.front.admission import Admission
from azureml_sandbox.front.control import Control
from azureml_sandbox.front.faults import Faults
from azureml_sandbox.front.relay import Relay, blob_operation
from azureml_sandbox.front.routes import Address, Routes
from azureml_sandbox.front.size import limited
from azureml_sandbox.protocol import refusals, roles
from azureml_sandbox.protocol.errors import Refused, invalid
from azureml_sandbox.protocol.journal import Journal
from azureml_sandbox.protocol.login import CONTROL_PLANE, HOST, Login, TokenRefused
from azureml_sandbox.protocol.route import PREFIX, Call, Spoken
from azureml_sandbox.protocol.traffic import Asked, Traffic
from azureml_sandbox.storage.storage import SUFFIX, Storage
from azureml_sandbox.world import Workspace, World

ARM_HOST = "management.azure.com"
API_SUFFIXES = (".api.azureml.ms", ".experiments.azureml.net", ".modelmanagement.azureml.net")
"""The second is what discovery calls `history` (recorded): azureml-core sends its data plane there; the third what it
calls `modelmanagement`."""
_READS, _WRITES = 11_999, 1_199

log = logging.getLogger("azureml_sandbox")


@dataclass(frozen=True, slots=True)
class Found:
    """A request with what is counted of it, and who answers it."""

    asked: Asked
    answer: ASGIApp


class App:
    """The app of one sandbox. Handlers use `call.request.app.state`: `faults`, `login`, `disturb`, `cluster`."""

    def __init__(
        self,
        *,
        world: World,
        storage: Storage,
        login: Login,
        faults: Faults,
        traffic: Traffic,
        journal: Journal,
        control: Control,
        routes: Routes,
        latency_ms: float = 0,
    ) -> None:
        self.state = State({"faults": faults, "login": login})
        self._world, self._storage, self._login = world, storage, login
        self._faults, self._traffic, self._control = faults, traffic, control
        self._routes, self._latency_ms, self._journal = routes, latency_ms, journal
        self._relay = Relay(storage, Admission(login, self._owner, lambda: faults.declared))
        self.state.disturb = self._relay.disturb
        self._owners: dict[str, Workspace] = {}
        self._turn = count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request: plain HTTP is for the control door, one through a tunnel is for a public host."""
        scope["app"] = self
        headers = Headers(scope=scope)
        if "origin" in headers:
            refusal = PlainTextResponse("Browsers are not served: this server runs submitted commands.", 403)
            await refusal(scope, receive, send)
        elif scope["scheme"] == "http":
            await (await self._control.answer(Request(scope, receive)))(scope, receive, send)
        else:
            host = headers.get("host", "").lower().removesuffix(":443")
            await self._public(self._find(host, scope, headers.get("authorization")), scope, receive, send)

    async def _public(self, found: Found, scope: Scope, receive: Receive, send: Send) -> None:
        client = Headers(scope=scope).get("user-agent", "")
        heard = self._journal.begin(found.asked, scope["query_string"], client)
        exchange = self._traffic.begin(found.asked, receive, send, heard)
        try:
            if self._latency_ms:
                await asyncio.sleep(self._latency_ms / 1000)
            answer = self._faults.around(found.asked, self._traffic.in_flight, limited(found.asked, found.answer))
            await answer(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            log.info("%s %s: the client left", found.asked.method, found.asked.path)
        finally:
            exchange.end()
            if heard is not None:
                self._journal.end(heard)

    def _find(self, host: str, scope: Scope, authorization: str | None) -> Found:
        method, path = scope["method"], scope["raw_path"].decode("ascii")
        if host.endswith(SUFFIX):
            return self._blob(host.removesuffix(SUFFIX), scope, path)
        if host == HOST:
            return Found(Asked("login", "", "", method, _login_route(path), "read", path), _plain(self._login.answer))
        region = next((host.removesuffix(each) for each in API_SUFFIXES if host.endswith(each)), "")
        if region and path.rstrip("/") == "/discovery":
            asked = Asked("discovery", "", region, method, "/discovery", "read", path)
            return Found(asked, discovery.answer(region))
        if host == ARM_HOST and method == "GET" and path.lower() == subscriptions.PATH:
            return self._subscriptions(scope["query_string"], path, authorization)
        return self._service(host, region, method, path, authorization)

    def _subscriptions(self, query: bytes, path: str, authorization: str | None) -> Found:
        asked = Asked("arm", "", "", "GET", subscriptions.PATH, "read", path)
        try:
            tenant = self._login.check(authorization, None, CONTROL_PLANE)
        except TokenRefused as error:
            return Found(asked, refusals.unauthorized(asked, error, self._login.principal.tenant_id))
        return Found(asked, subscriptions.answer(self._world, tenant, query))

    def _blob(self, account: str, scope: Scope, path: str) -> Found:
        workspace = self._owner(account)
        copies = any(name == b"x-ms-copy-source" for name, _ in scope["headers"])
        route, effect = blob_operation(scope["method"], scope["query_string"].decode("ascii"), copies=copies)
        name, region = (workspace.name, workspace.region) if workspace is not None else ("", "")
        asked = Asked("blob", name, region, scope["method"], route, effect, path)
        if workspace is None:
            return Found(asked, refusals.blob_error(404, "ResourceNotFound", "The specified resource does not exist."))
        return Found(asked, self._relay.to(asked, account, workspace.tenant_id))

    def _owner(self, account: str) -> Workspace | None:
        """The workspace of an account; it is looked up once, since it never changes."""
        if account not in self._owners:
            self._owners = {each.account: each for each in self._world.workspaces()}
        return self._owners.get(account)

    def _service(self, host: str, region: str, method: str, path: str, authorization: str | None) -> Found:
        """Find who answers for ARM or the data plane: checks token, workspace and route, in this order."""
        address = Address.parse(within(path, self._world) if host == ARM_HOST else path)
        if address is None or (address.service == "arm") != (host == ARM_HOST):
            asked = Asked("none", "", region, method, path, "read", path)
            return Found(asked, refusals.not_spoken(asked))
        workspace = self._world.workspace(address.subscription, address.group, address.name)
        if workspace is not None and region not in ("", workspace.region):
            workspace = None  # the host of one region does not know workspaces of another
        spoken = self._routes.find(method, address)
        name, region = (workspace.name, workspace.region) if workspace is not None else ("", region)
        route = PREFIX[address.service] + spoken[0].path if spoken is not None else unquote(path)
        effect = spoken[0].effect if spoken is not None else "read"
        asked = Asked(address.service, name, region, method, route, effect, path)
        refusal = self._refusal(asked, address, workspace, authorization)
        if refusal is not None or workspace is None:
            return Found(asked, refusal or refusals.no_workspace(asked, address.group, address.name))
        if spoken is None:
            return Found(asked, refusals.not_spoken(asked))
        if self._faults.declared.lacks(workspace.name, route):
            return Found(asked, refusals.no_route())
        return Found(asked, self._handled(asked, workspace, spoken[0], {**spoken[1], "version": address.version}))

    def _refusal(
        self, asked: Asked, address: Address, workspace: Workspace | None, authorization: str | None
    ) -> Response | None:
        tenant = workspace.tenant_id if workspace is not None else None
        try:
            self._login.check(authorization, tenant, CONTROL_PLANE)
        except TokenRefused as error:
            return refusals.unauthorized(asked, error, tenant or self._login.principal.tenant_id)
        if workspace is None:
            return refusals.no_workspace(asked, address.group, address.name)
        action = roles.action(asked)
        if action is None or not self._faults.declared.denies(workspace.name, action):
            return None
        return roles.refusal(asked, action, self._login.principal)

    def _handled(self, asked: Asked, workspace: Workspace, spoken: Spoken, parameters: dict[str, str]) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            scope["path_params"] = parameters
            call = Call(Request(scope, receive), workspace, self._world, self._storage, spoken.effect)
            self._world.late_changes.settle(instants.now())
            self._world.deletions.settle(instants.now())
            try:
                await self._refuse_unwanted(call)
                response = await spoken.handler(call)
            except ClientDisconnect:
                raise
            except Refused as refused:
                response = refusals.refuse(asked, refused)
            except Exception:  # a handler's bug is this request's failure, not the server's
                log.exception("%s %s", asked.method, asked.path)
                broken = Refused(500, "The sandbox failed: see serve.log.", ("ServiceError", "InternalServerError"))
                response = refusals.refuse(asked, broken)
            await response(scope, receive, self._with_arm_headers(asked, send) if asked.service == "arm" else send)

        return answer

    async def _refuse_unwanted(self, call: Call) -> None:
        """Raise Refused (400) for a write with a text that was declared to be unwanted."""
        if self._faults.declared.unwanted and call.effect == "write":
            text = self._faults.declared.unwanted_in(await call.request.body())
            if text is not None:
                raise invalid(f"The value {text} is not allowed here.")

    def _with_arm_headers(self, asked: Asked, send: Send) -> Send:
        write = asked.effect == "write" or asked.route.endswith("/listSecrets")  # counted as a write (recorded)
        ceiling = _WRITES if write else _READS

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                remaining = ceiling - next(self._turn) % 400  # falls and rises again (recorded)
                message["headers"] += refusals.arm_headers(
                    asked.region, remaining=remaining, write=write, status=message["status"]
                )
            await send(message)

        return sending


def _login_route(path: str) -> str:
    """The route of a login request: its path with `{tenant}` in the place of the tenant."""
    return "/{tenant}/" + path.strip("/").partition("/")[2]


def _plain(handler: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await (await handler(Request(scope, receive)))(scope, receive, send)

    return answer
