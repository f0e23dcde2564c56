"""A client of MLflow's REST API, as a job uses it for its own workspace (clients.md 4.1, 7.1)."""

from __future__ import annotations

import base64
import http.client
import json
import random
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

ATTEMPTS = 8
LONGEST_WAIT_S = 60.0
ANSWER_WITHIN_S = 120.0
REFRESH_BEFORE_S = 300.0
"""Seconds: a token with less time left is renewed."""
_ABOUT_THE_ITEM = frozenset({400, 411, 413, 414, 415, 422, 431})
_STATED_WAIT = re.compile(r"after (\d+) seconds")


class TrackingRefused(Exception):
    """Raised for a refusal: the same request will be refused again."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status

    @property
    def of_item(self) -> bool:
        """True where what was sent is to blame. Rights, and runs that are not there, are told by other statuses."""
        return self.status in _ABOUT_THE_ITEM


class Unknown(Exception):
    """Raised where a request was sent and no answer says whether it arrived."""


class TrackingUnavailable(Exception):
    """Raised where there is no answer after the last attempt."""


class Tracking:
    """One workspace's tracking server, with the token that the platform gave this job."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Reads MLFLOW_TRACKING_URI and MLFLOW_TRACKING_TOKEN. Raises TrackingUnavailable where the job has none."""
        uri, token = environment.get("MLFLOW_TRACKING_URI", ""), environment.get("MLFLOW_TRACKING_TOKEN", "")
        place = urllib.parse.urlsplit(uri)
        if not place.netloc or not token:
            raise TrackingUnavailable(
                "this job has no MLFLOW_TRACKING_URI and MLFLOW_TRACKING_TOKEN: nothing can be logged"
            )
        self._host = f"https://{place.netloc}"
        self._base = f"{self._host}{place.path.rstrip('/')}/api/2.0/mlflow"
        self._workspace = place.path.partition("/subscriptions/")[2].rstrip("/")
        self._experiment = environment.get("MLFLOW_EXPERIMENT_ID", "")
        self._token = token
        self._opener = urllib.request.build_opener(_NoRedirect)

    def tags(self, run: str) -> dict[str, str]:
        """A run's tags. Raises TrackingRefused, TrackingUnavailable."""
        query = urllib.parse.urlencode({"run_id": run, "run_uuid": run})
        answer = self._repeat("GET", f"{self._base}/runs/get?{query}", None)
        tags = answer.get("run", {}).get("data", {}).get("tags", [])
        return {tag["key"]: tag.get("value", "") for tag in tags}

    def log(self, run: str, values: Mapping[str, Any]) -> None:
        """Log parameters and tags. Repeatable: the last value stays. Raises TrackingRefused, TrackingUnavailable."""
        self._repeat("POST", f"{self._base}/runs/log-batch", {"run_id": run, **values})

    def append(self, run: str, values: Mapping[str, Any]) -> None:
        """Append points. NOT repeatable. Raises Unknown (the answer was lost), TrackingRefused, TrackingUnavailable."""
        for attempt in range(ATTEMPTS):
            try:
                self._ask("POST", f"{self._base}/runs/log-batch", {"run_id": run, **values})
            except _Busy as busy:
                _wait(attempt, busy.wait_s)
            else:
                return
        raise TrackingUnavailable(f"still throttled after {ATTEMPTS} attempts")

    def renew(self, run: str) -> None:
        """Renew the token where it ends soon. Where the service gives none, the old one is used on."""
        if _seconds_left(self._token) > REFRESH_BEFORE_S or not self._experiment:
            return
        where = f"/history/v1.0/subscriptions/{self._workspace}/experimentids/{self._experiment}/runs/{run}/token"
        try:
            self._token = self._ask("GET", self._host + where, None).get("token") or self._token
        except (TrackingRefused, Unknown, _Busy) as problem:
            print(f"the run's token was not renewed: {problem}", flush=True)

    def _repeat(self, method: str, url: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        problem = ""
        for attempt in range(ATTEMPTS):
            try:
                return self._ask(method, url, body)
            except (_Busy, Unknown) as trouble:
                problem = str(trouble)
                _wait(attempt, getattr(trouble, "wait_s", None))
        raise TrackingUnavailable(f"no answer after {ATTEMPTS} attempts: {problem}")

    def _ask(self, method: str, url: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - https, as built above
        try:
            with self._opener.open(request, timeout=ANSWER_WITHIN_S) as answer:
                return dict(json.loads(answer.read() or b"{}"))
        except urllib.error.HTTPError as error:
            raise _told(error) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Unknown(f"{type(error).__name__}: {error}") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: our token goes to no other host."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Do nothing: the answer is an error like others."""


class _Busy(Exception):
    """Raised for 429: nothing was done, ask again later."""

    def __init__(self, message: str, wait_s: float | None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def _told(error: urllib.error.HTTPError) -> Exception:
    try:
        text = error.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        text = ""
    message = f"{_words(text)[:500]} ({error.code})"
    if error.code == 429:
        stated = error.headers.get("Retry-After") or (_STATED_WAIT.search(text) or [None, None])[1]
        return _Busy(message, float(stated) if stated and stated.isdecimal() else None)
    return Unknown(message) if error.code == 408 or error.code >= 500 else TrackingRefused(message, error.code)


def _words(text: str) -> str:
    """The service's sentence in the JSON of a refusal; around it stand a time and ids that differ each time."""
    try:
        told = json.loads(text)
        return str(told.get("error", told)["message"])
    except (ValueError, TypeError, AttributeError, KeyError):
        return text


def _wait(attempt: int, stated_s: float | None) -> None:
    """Wait before the next attempt, at random lengths, because a thousand steps may begin together."""
    pause_s = min(LONGEST_WAIT_S, float(2**attempt))
    time.sleep((stated_s or 0.0) + pause_s * (0.5 + random.random() / 2))  # noqa: S311 - no secret


def _seconds_left(token: str) -> float:
    """Seconds until a JSON Web Token ends; infinity where it does not say."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"]) - time.time()
    except (IndexError, KeyError, TypeError, ValueError):
        return float("inf")
