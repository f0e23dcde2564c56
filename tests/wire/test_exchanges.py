"""Each recorded exchange is either one that we speak, and its body is decoded, or one that is named as not ours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson
import pytest

from azureml_replay.azure.wire import decode, decode_metrics, decode_storage
from azureml_replay.model import Location
from wire.kinds import FOLDER

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recordings in {FOLDER}")

WS = r"https://(management\.azure\.com|[^/]+/mferp/managementfrontend)/.*/workspaces/[^/]+"
"""Of old clients: ARM's documents through a door of the data plane."""
DATA = r"https://[^/]+\.api\.azureml(-test)?\.ms"


class Exchange(NamedTuple):
    """One recorded request and what came back."""

    recording: str
    method: str
    url: str
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def name(self) -> str:
        """As a failure shows it."""
        return f"{self.recording}: {self.method} {self.url} {self.status}"


def exchanges() -> Iterator[Exchange]:
    """All of all recordings; query strings are left out."""
    for path in sorted(FOLDER.glob("*.json")):
        for entry in json.loads(path.read_text("utf-8"))["Entries"]:
            headers = {key: value for key, value in entry["ResponseHeaders"].items() if isinstance(value, str)}
            url = entry["RequestUri"].partition("?")[0]
            yield Exchange(path.name, entry["RequestMethod"], url, entry["StatusCode"], entry["ResponseBody"], headers)


def jobs(body: Any) -> list[Any]:
    """A page of jobs."""
    return [decode.job(item) for item in decode.page(body).items]


def job(body: Any) -> Any:
    """A step's document has no `properties`, and no state."""
    return decode.job_state(body) if body.get("properties") else decode.job(body)


def runs(body: Any) -> list[Any]:
    """A page of children."""
    return [decode.run(item, "e") for item in decode.page(body).items]


def metrics(body: Any) -> list[Any]:
    """Last values, which have the form of whole series."""
    return [decode_metrics.rows(item) for item in decode.page(body).items]


def store(body: Any) -> Any:
    """Blob containers; file shares hold none, and that is said."""
    return decode_storage.datastore(body, "core.windows.net")


ROUTES: Mapping[tuple[str, str], Callable[[Any], Any]] = {
    ("GET", WS): decode.discovery_url,
    ("GET", DATA + r"/discovery"): decode.api_url,
    ("GET", WS + r"/jobs"): jobs,
    ("GET|PUT", WS + r"/jobs/[^/]+"): job,
    ("GET|PUT", WS + r"/components/[^/]+/versions/[^/]+"): decode.resource_id,
    ("GET|PUT", WS + r"/codes/[^/]+/versions/[^/]+"): decode.resource_id,
    ("GET|PUT", WS + r"/datastores/[^/]+"): store,
    ("POST", WS + r"/datastores/[^/]+/listSecrets"): decode_storage.secret,
    ("GET", DATA + r"/history/.*/runs/[^/]+"): lambda body: decode.run(body, "e"),
    ("PATCH", DATA + r"/history/.*/runs/[^/]+(/modify)?"): lambda body: decode.run(body, "e"),
    ("GET", DATA + r"/history/.*/runs/[^/]+/children"): runs,
    ("POST", DATA + r"/history/.*/rundata"): lambda body: decode.rundata(body, "e"),
    ("POST", DATA + r"/metric/.*/lastvalues"): metrics,
    ("POST", DATA + r"/artifact/.*/register"): decode.artifact,
}
"""What we speak, or what has the same form as what we speak."""
OTHERS = (
    *(WS + f"/{what}(/.*)?" for what in ("computes", "environments", "data", "models", "schedules", "batchEndpoints")),
    *(WS + r"/codes/[^/]+/versions", WS + r"/components(/[^/]+(/versions)?)?", WS + r"/datastores"),
    *(WS + r"/jobs/[^/]+/cancel", WS + r"/codes/.*/startPendingUpload"),
    r"https://management\.azure\.com/.*/(locations|deployments)/.*",
    DATA + r"/(execution|flow|index|ux|data|mlflow|content|assetstore)/.*",
    DATA + r"/history/.*/runs/[^/]+/details",
    r"https://[^/]+\.(blob|file)\.core\.windows\.net/.*",
    r"https://[^/]+\.inference\.ml\.azure\.com/.*",
)
"""What we do not speak: their successes are for others. Storage has a test of its own below."""


def decoder(exchange: Exchange) -> Callable[[Any], Any] | None:
    """Of a route that we speak."""
    for (methods, pattern), found in ROUTES.items():
        if exchange.method in methods.split("|") and re.fullmatch(pattern, exchange.url, re.IGNORECASE):
            return found
    return None


def is_share(exchange: Exchange) -> bool:
    """A file share is no blob container."""
    return "datastores" in exchange.url and "fileShareName" in str(exchange.body)


def test_every_recorded_success_is_decoded_or_named_as_not_ours() -> None:
    """No body of a route that we speak is beyond us; a route that nobody thought about fails here."""
    decoded, unthought = 0, []
    for exchange in exchanges():
        read = decoder(exchange)
        if exchange.status >= 300:
            continue
        if read is None:
            if exchange.method not in ("PATCH", "PUT", "DELETE") and not named(exchange):
                unthought.append(exchange.name)
        elif exchange.body and not is_share(exchange):
            assert read(wire(exchange.body)) is not None, exchange.name
            decoded += 1

    assert unthought == []
    assert decoded > 300


def named(exchange: Exchange) -> bool:
    """In the list of what is not ours."""
    return any(re.fullmatch(pattern, exchange.url, re.IGNORECASE) for pattern in OTHERS)


def test_every_route_that_we_speak_has_a_recording() -> None:
    """Else a line of the table above would prove nothing."""
    seen = {id(decoder(exchange)) for exchange in exchanges() if exchange.status < 300 and exchange.body}

    assert {id(found) for found in ROUTES.values()} <= seen


def test_every_recorded_refusal_has_a_reason() -> None:
    """Of ARM, of the data plane, of a proxy: what the service said is what the user reads; some bodies are empty."""
    told = 0
    for exchange in exchanges():
        if exchange.status >= 400 and exchange.body:
            body = exchange.body if isinstance(exchange.body, str) else json.dumps(exchange.body)
            problem = decode.problem(body.encode(), exchange.headers.get("x-ms-error-code"))
            assert problem.message or problem.code, exchange.name
            told += 1

    assert told > 10


def test_recorded_blobs_are_read_from_their_headers_and_listings() -> None:
    """Sizes, types and checksums where storage has them; no name in a listing is new."""
    heads = listings = 0
    for exchange in exchanges():
        if ".blob." not in exchange.url or exchange.status != 200:
            continue
        if exchange.method == "HEAD" and "Content-Length" in exchange.headers:
            assert decode_storage.blob_headers(Location("store", "p"), exchange.headers).size_bytes >= 0
            heads += 1
        elif isinstance(exchange.body, str) and "EnumerationResults" in exchange.body:
            assert all(not file.unknown for file in decode_storage.blobs(exchange.body.encode(), "store").files)
            listings += 1

    assert heads > 10
    assert listings > 0


def wire(body: Any) -> Any:
    """As it arrives."""
    return orjson.loads(orjson.dumps(body))
