"""Appends the points of one original run in order; a step that begins again goes on where it stopped.

Every request has, beside its points, a tag that says how many points are dealt with: so a step that the platform starts
again doubles no point, and after a lost answer the run can be asked.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from azureml_replay.synthetic.step.tracking import ATTEMPTS, Tracking, TrackingRefused, TrackingUnavailable, Unknown

PROGRESS = "azureml_replay_points"
"""The name of that tag; its value is `1200`, or `1200 refused 3`."""


class Refusal(NamedTuple):
    """Something that the service refused."""

    what: str
    reason: str


class StepProgress(NamedTuple):
    """How many points of a run are dealt with."""

    done: int
    """Points that were sent or refused, in the order of the files."""
    refused: int = 0

    @classmethod
    def of(cls, tag: str) -> StepProgress:
        """The progress in the tag's value; nothing done where it is empty."""
        words = tag.split()
        return cls(int(words[0]) if words else 0, int(words[2]) if len(words) == 3 else 0)

    def __str__(self) -> str:
        return f"{self.done} refused {self.refused}" if self.refused else str(self.done)


class StepPoints:
    """Sends points to one run."""

    def __init__(self, tracking: Tracking, run: str) -> None:
        self._tracking, self._run = tracking, run
        self._progress = StepProgress(0)
        self.refusals: list[Refusal] = []

    @property
    def refused(self) -> int:
        """The number of points that the service refused, now or when the step ran before."""
        return self._progress.refused

    def send(self, files: Sequence[Path]) -> int:
        """Send all points of these files, whose lines are requests; how many are in the run now.

        Raises TrackingUnavailable; what was refused is in `refusals`.
        """
        self._progress = StepProgress.of(self._tracking.tags(self._run).get(PROGRESS, ""))
        if self._progress.refused:
            self.refusals.append(Refusal(f"{self._progress.refused} points", "refused when the step ran before"))
        seen = 0
        for batch in _batches(files):
            left = batch[max(0, self._progress.done - seen) :]
            seen += len(batch)
            if left:
                self._tracking.renew(self._run)
                self._append(left)
        return self._progress.done - self._progress.refused

    def _append(self, batch: list[dict[str, Any]]) -> None:
        """Append a batch; a refused one is halved until the points that the service refuses are alone."""
        after = StepProgress(self._progress.done + len(batch), self._progress.refused)
        try:
            self._append_once(batch, after)
        except TrackingRefused as refusal:
            if len(batch) > 1:
                self._append(batch[: len(batch) // 2])
                self._append(batch[len(batch) // 2 :])
            else:
                self._refuse(batch[0], str(refusal))
        else:
            self._progress = after

    def _append_once(self, batch: list[dict[str, Any]], after: StepProgress) -> None:
        for attempt in range(ATTEMPTS):
            try:
                return self._tracking.append(self._run, {"metrics": batch, "tags": [_tag(after)]})
            except Unknown:
                time.sleep(min(30.0, 2.0**attempt))
                if self._tracking.tags(self._run).get(PROGRESS) == str(after):
                    return None
        raise TrackingUnavailable(f"points could not be logged in {ATTEMPTS} attempts")

    def _refuse(self, point: dict[str, Any], reason: str) -> None:
        self._progress = StepProgress(self._progress.done + 1, self._progress.refused + 1)
        self.refusals.append(Refusal(f"metric {point['key']} step {point.get('step')}: {point['value']}", reason))
        self._tracking.log(self._run, {"tags": [_tag(self._progress)]})


def _tag(progress: StepProgress) -> dict[str, str]:
    return {"key": PROGRESS, "value": str(progress)}


def _batches(files: Sequence[Path]) -> Iterator[list[dict[str, Any]]]:
    for path in files:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
