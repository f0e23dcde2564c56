"""The control door: plain HTTP on the same port, for the command line and tests, with the secret of sandbox.json."""

from __future__ import annotations

import hmac
from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from azureml_sandbox import provision
from azureml_sandbox.front.faults import Faults
from azureml_sandbox.protocol.declared_faults import Declared
from azureml_sandbox.protocol.journal import Journal
from azureml_sandbox.protocol.login import Login
from azureml_sandbox.protocol.traffic import Traffic
from azureml_sandbox.storage.storage import Storage
from azureml_sandbox.world import World


class Control:
    """The handlers behind the control door."""

    def __init__(
        self,
        folder: Path,
        secret: str,
        *,
        world: World,
        storage: Storage,
        login: Login,
        faults: Faults,
        traffic: Traffic,
        journal: Journal,
    ) -> None:
        self._folder, self._secret = folder, secret
        self._world, self._storage, self._login = world, storage, login
        self._faults, self._traffic, self._journal = faults, traffic, journal

    async def answer(self, request: Request) -> Response:
        """Carry out one request; 401 without the secret, 400 with one line for what cannot be done."""
        if not hmac.compare_digest(request.headers.get("authorization", ""), f"Bearer {self._secret}"):
            return JSONResponse({"error": "the secret of sandbox.json is missing"}, 401)
        try:
            return await self._obey(request)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)

    async def _obey(self, request: Request) -> Response:
        match request.method, request.url.path:
            case "GET", "/sandbox/health":
                return JSONResponse({"status": "ready", "storage": self._storage.address})
            case "GET", "/sandbox/requests":
                return JSONResponse(self._traffic.document())
            case "POST", "/sandbox/workspaces":
                return JSONResponse(await self._add(orjson.loads(await request.body())), 201)
            case "POST", "/sandbox/requests/reset":
                self._traffic.reset()
            case "PUT", "/sandbox/journal":
                self._journal.open()
            case "DELETE", "/sandbox/journal":
                self._journal.close()
            case "PUT", "/sandbox/faults":
                self.declare(Declared.read(orjson.loads(await request.body())))
            case method, path:
                return JSONResponse({"error": f"the control door has no {method} {path}"}, 404)
        return Response(status_code=204)

    def declare(self, declared: Declared) -> None:
        """Put declared faults into force."""
        self._faults.declare(declared)
        self._login.limit(declared.token_lifetime_s)

    async def _add(self, asked: dict[str, str]) -> dict[str, str]:
        added = await provision.add_workspace(
            asked["name"],
            asked.get("tenant_id"),
            folder=self._folder,
            world=self._world,
            storage=self._storage,
            login=self._login,
        )
        return provision.document(added)
