"""What the step does when the service is busy, as far as it needs no service."""

from __future__ import annotations

import email.message
import io
import urllib.error
from collections.abc import Callable
from typing import Any

import pytest

from azureml_replay.synthetic.step import tracking
from azureml_replay.synthetic.step.points import StepProgress
from azureml_replay.synthetic.step.tracking import Tracking, TrackingRefused, TrackingUnavailable, Unknown

ENVIRONMENT = {"MLFLOW_TRACKING_URI": "azureml://host/mlflow/v2.0/subscriptions/s?x=y", "MLFLOW_TRACKING_TOKEN": "t"}


def answers(statuses: list[int], body: bytes = b"", headers: dict[str, str] | None = None) -> Callable[..., Any]:
    """An opener's `open` that answers with these statuses, one after the other."""
    told = email.message.Message()
    for name, value in (headers or {}).items():
        told[name] = value

    def answer(request: Any, timeout: float) -> io.BytesIO:
        status = statuses.pop(0)
        if status == 200:
            return io.BytesIO(b"{}")
        raise urllib.error.HTTPError(request.full_url, status, "", told, io.BytesIO(body))

    return answer


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds slept, at once."""
    slept: list[float] = []
    monkeypatch.setattr(tracking.time, "sleep", slept.append)
    return slept


@pytest.mark.parametrize(
    ("body", "headers"),
    [(b"Too many requests. Retry again after 20 seconds.", {}), (b"run 429 after all", {"Retry-After": "20"})],
    ids=["in the message", "in the header"],
)
def test_a_stated_wait_is_kept(waits: list[float], body: bytes, headers: dict[str, str]) -> None:
    """Points that were throttled were not taken in: they are sent again, after the time that was named."""
    tracked = Tracking(ENVIRONMENT)
    tracked._opener.open = answers([429, 429, 200], body, headers)  # type: ignore[method-assign]

    tracked.append("r", {"metrics": []})

    assert len(waits) == 2
    assert all(20 < wait_s < 23 for wait_s in waits)


def test_a_busy_service_is_given_up_at_last(waits: list[float]) -> None:
    """Not swallowed, and with growing pauses."""
    tracked = Tracking(ENVIRONMENT)
    tracked._opener.open = answers([503] * tracking.ATTEMPTS)  # type: ignore[method-assign]

    with pytest.raises(TrackingUnavailable):
        tracked.log("r", {"tags": []})

    assert waits[-1] > waits[0]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, TrackingRefused), (403, TrackingRefused), (404, TrackingRefused), (500, Unknown), (408, Unknown)],
)
def test_points_are_not_sent_again_blindly(waits: list[float], status: int, kind: type[Exception]) -> None:
    """Only a 429 says that they were not taken in."""
    tracked = Tracking(ENVIRONMENT)
    tracked._opener.open = answers([status])  # type: ignore[method-assign]

    with pytest.raises(kind):
        tracked.append("r", {"metrics": []})


def test_a_run_id_that_reads_429_is_no_throttling(waits: list[float]) -> None:
    """The status says it, not the text."""
    tracked = Tracking(ENVIRONMENT)
    tracked._opener.open = answers([404], b"run 429 is not known; retry after 20 seconds")  # type: ignore[method-assign]

    with pytest.raises(TrackingRefused):
        tracked.append("r429", {"metrics": []})

    assert waits == []


def test_a_job_without_a_tracking_server_says_so() -> None:
    """Not a KeyError."""
    with pytest.raises(TrackingUnavailable, match="MLFLOW_TRACKING_URI"):
        Tracking({})


@pytest.mark.parametrize("progress", [StepProgress(0), StepProgress(1200), StepProgress(1200, 3)])
def test_progress_is_read_as_it_was_written(progress: StepProgress) -> None:
    """Refused points are remembered over a restart."""
    assert StepProgress.of(str(progress)) == progress
