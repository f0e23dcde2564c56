"""Appends the points of one original run in order; a step that begins again goes on where it stopped.

A point that the service refuses is told and left out: the others arrive. Every request has, beside its points, a tag
that says how many points are dealt with: so a step that the platform starts again doubles no point, and after a lost
answer the run can be asked.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from azureml_replay.synthetic.step.tracking import ATTEMPTS, Tracking, TrackingRefused, TrackingUnavailable, Unknown

PROGRESS = "azureml_replay_points"
"""The name of that tag; its value is `1200`, or `1200 refused 3`."""
MOST_NAMED = 1_000
"""Refused points that are told one by one; the others are counted."""
_CERTAIN = 10
"""Points of a name that were refused one by one, and none was taken, after which its points are refused by requests."""


class Refusal(NamedTuple):
    """Something that is not there: refused by the service, or for another reason, which fails the step."""

    what: str
    reason: str
    kind: str = ""
    """`parameter`, `tag`, `metric` (one point), `points` (some of them) or `file` where the service refused it; else
    empty."""
    told: Mapping[str, Any] = {}
    """What it was, for whoever submitted the job and for people: `name`, `value`, `step`, `timestamp`, `count`."""

    def document(self) -> dict[str, Any]:
        """As it is written into a report."""
        return {"what": self.what, "reason": self.reason, "kind": self.kind, **self.told}


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
        self._taken: set[str] = set()
        self._alone: Counter[str] = Counter()
        """Name -> requests with it alone that were refused."""
        self.refusals: list[Refusal] = []

    @property
    def refused(self) -> int:
        """The number of points that the service refused, now or when the step ran before."""
        return self._progress.refused

    def send(self, files: Sequence[Path], refused: Mapping[str, Mapping[str, Any]]) -> int:
        """Send all points of these files, whose lines are requests; how many are in the run now.

        `refused`: name of a file that is not here, as storage took it not -> its `count` of points, and the `reason`.
        Raises TrackingUnavailable; what was refused is in `refusals`.
        """
        self._progress = StepProgress.of(self._tracking.tags(self._run).get(PROGRESS, ""))
        if self._progress.refused:
            self._refuse_some(self._progress.refused, "refused when the step ran before")
        seen = 0
        for path in files:
            if path.name in refused:
                seen += refused[path.name]["count"]
                self._pass_over(seen - self._progress.done, refused[path.name]["reason"])
                continue
            for batch in _batches(path):
                left = batch[max(0, self._progress.done - seen) :]
                seen += len(batch)
                if left:
                    self._tracking.renew(self._run)
                    self._append(left)
        return self._progress.done - self._progress.refused

    def _pass_over(self, count: int, reason: str) -> None:
        """Count points that nobody could bring here, unless they were when the step ran before."""
        if count > 0:
            self._progress = StepProgress(self._progress.done + count, self._progress.refused + count)
            self.note()
            self._refuse_some(count, reason)

    def note(self) -> None:
        """Write the tag once more. Raises TrackingRefused, TrackingUnavailable: the run takes nothing at all."""
        self._tracking.log(self._run, {"tags": [tag_of(self._progress)]})

    def _append(self, batch: list[dict[str, Any]]) -> None:
        """Append a batch; a refused one is parted until the points that the service refuses are alone."""
        after = StepProgress(self._progress.done + len(batch), self._progress.refused)
        try:
            self._append_once(batch, after)
        except TrackingRefused as refusal:
            if not refusal.of_item:
                raise
            if len(batch) == 1 or self._is_hopeless(batch):
                self._refuse(batch, str(refusal))
            else:
                for part in _parts(batch):
                    self._append(part)
        else:
            self._progress = after
            self._taken.update(point["key"] for point in batch)

    def _is_hopeless(self, batch: list[dict[str, Any]]) -> bool:
        """True for points of a name of which many were refused one by one, and none was taken."""
        (name, *others) = {point["key"] for point in batch}
        return not others and name not in self._taken and self._alone[name] >= _CERTAIN

    def _append_once(self, batch: list[dict[str, Any]], after: StepProgress) -> None:
        for attempt in range(ATTEMPTS):
            try:
                return self._tracking.append(self._run, {"metrics": batch, "tags": [tag_of(after)]})
            except Unknown:
                time.sleep(min(30.0, 2.0**attempt))
                if self._tracking.tags(self._run).get(PROGRESS) == str(after):
                    return None
        raise TrackingUnavailable(f"points could not be logged in {ATTEMPTS} attempts")

    def _refuse(self, batch: list[dict[str, Any]], reason: str) -> None:
        self._progress = StepProgress(self._progress.done + len(batch), self._progress.refused + len(batch))
        self.note()
        self._alone[batch[0]["key"]] += 1
        for at, point in enumerate(batch):
            if len(self.refusals) >= MOST_NAMED:
                self._refuse_some(len(batch) - at, reason)
                break
            what = f"metric {point['key']} step {point.get('step')}: {point['value']}"
            told = {"name": point["key"], **{key: point.get(key) for key in ("step", "timestamp", "value")}}
            self.refusals.append(Refusal(what, reason, "metric", told))

    def _refuse_some(self, count: int, reason: str) -> None:
        """Count points that are not named."""
        last = self.refusals[-1] if self.refusals else None
        if last and last.kind == "points" and len(self.refusals) > 1:
            count += self.refusals.pop().told["count"]
        self.refusals.append(Refusal(f"{count} points", reason, "points", {"count": count}))


def tag_of(progress: StepProgress) -> dict[str, str]:
    """The tag that says how far a run is, as a request has it."""
    return {"key": PROGRESS, "value": str(progress)}


def _parts(batch: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The batch by names, which stand together; of one name its halves."""
    by_name = [list(points) for _, points in groupby(batch, key=itemgetter("key"))]
    return by_name if len(by_name) > 1 else [batch[: len(batch) // 2], batch[len(batch) // 2 :]]


def _batches(path: Path) -> Iterator[list[dict[str, Any]]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
