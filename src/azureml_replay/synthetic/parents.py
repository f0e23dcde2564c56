"""Writes values of a parent run that the token of its own job could not write: here, with the login that submitted it.

Whether the service lets a step write its parent's run is an assumption (synthetic.md 12): the step tries, this checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from azureml_replay.archive.archive import Archive
from azureml_replay.errors import Rejected, ServiceError, Uncertain
from azureml_replay.model import Run, RunId
from azureml_replay.planning.plan import Step
from azureml_replay.synthetic.found import Found
from azureml_replay.synthetic.refused import RefusedValue, RefusedValues, progress_of, refused_point
from azureml_replay.synthetic.staging.batches import Metric
from azureml_replay.synthetic.staging.manifest import DESCRIPTION_TAG, parameters, parent_tags, point_requests, step_of
from azureml_replay.synthetic.step.points import PROGRESS, StepProgress, tag_of
from azureml_replay.synthetic.tree.fit import fits_a_tag
from azureml_replay.synthetic.tree.nodes import Tree
from azureml_replay.target.parts import refused_among
from azureml_replay.workspace.jobs import SyntheticTarget
from azureml_replay.workspace.target import Outcome, Refused

NOTHING_REFUSED: Mapping[str, RefusedValues] = {}
PER_REQUEST = 100
"""Parameters, or tags, in one request."""


@dataclass(slots=True)
class Parents:
    """Completes the runs of a tree's groups, and that of its root."""

    archive: Archive
    target: SyntheticTarget
    only_look: bool = False
    """What lacks is counted, and nothing written."""
    refused: list[tuple[str, RefusedValue]] = field(default_factory=list)
    """Key of a parent's run, and what it was refused now."""

    async def complete(self, tree: Tree, held: Found, refused: Mapping[str, RefusedValues] = NOTHING_REFUSED) -> int:
        """Write what lacks; the number of runs that lacked something. Repeatable. Raises Unavailable, Rejected.

        `refused`: key of a run -> what it was refused before, which is not tried again.
        """
        tags, lacking = parent_tags(tree), 0
        for leaf in tree.leaves():
            run = held.parent(leaf.key)
            if leaf.kind == "self" and run is not None:
                key = leaf.key.rpartition("/")[0]
                before = refused.get(key, RefusedValues())
                lacking += await self._complete(key, run, step_of(leaf), dict(tags[leaf.key]), before)
        return lacking

    async def _complete(self, key: str, run: Run, step: Step, tags: dict[str, str], before: RefusedValues) -> bool:
        if step.run.description and not run.description and fits_a_tag(step.run.description):
            tags[DESCRIPTION_TAG] = step.run.description
        gone = {"params": before.named("parameter"), "tags": before.named("tag")}
        actual = {name: str(value) for name, value in run.parameters.items()}
        lacking_tags = {
            name: value for name, value in tags.items() if run.tags.get(name) is None and name not in gone["tags"]
        }  # another one is an edit
        wanted = parameters(step)
        lacking_parameters = {
            name: value for name, value in wanted.items() if name not in actual and name not in gone["params"]
        }
        await self._pairs(key, run.id, "params", lacking_parameters)
        await self._pairs(key, run.id, "tags", lacking_tags)
        sent = await self._points(key, run, step)
        return bool(lacking_tags or lacking_parameters or sent)

    async def _pairs(self, key: str, run: RunId, kind: str, pairs: dict[str, str]) -> None:
        waiting = iter(pairs.items())
        while batch := list(islice(waiting, PER_REQUEST)):
            if not self.only_look:
                for name, words in (await refused_among(batch, partial(self._log_pairs, run, kind))).items():
                    self.refused.append((key, RefusedValue(_KINDS[kind], name[0], words)))

    async def _log_pairs(self, run: RunId, kind: str, batch: Sequence[tuple[str, str]]) -> Outcome:
        return await self._log(run, {kind: [{"key": key, "value": value} for key, value in batch]})

    async def _log(self, run: RunId, values: Mapping[str, Any]) -> Outcome:
        """None, or the refusal where what was sent is to blame. Raises Unavailable, Uncertain, Rejected."""
        try:
            await self.target.submitter.log(run, values)
        except Rejected as error:
            refused = Refused.of(error)
            if not refused.of_item:
                raise
            return refused
        except Uncertain as lost:
            raise Uncertain(f"values of the parent {run}: {lost.args[0]}") from lost
        return None

    async def _points(self, key: str, run: Run, step: Step) -> int:
        """Send points from where the step stopped; their number. Each request has a tag with the count after it."""
        noted = run.tags.get(PROGRESS)
        progress = StepProgress(await self._logged(run.id)) if noted is None else progress_of(noted)
        seen = sent = 0
        for batch in point_requests(self.archive, step):
            left = batch[max(0, progress.done - seen) :]
            seen += len(batch)
            if left:
                progress = await self._append(key, run.id, left, progress)
                sent += len(left)
        return sent

    async def _logged(self, run: RunId) -> int:
        """Points that the run holds: a step notes how many with each request, but anybody may remove its tag."""
        series = await self.target.series(run)
        return sum([len(points) for one in series async for points in self.target.points(run, one)])

    async def _append(self, key: str, run: RunId, batch: Sequence[Metric], progress: StepProgress) -> StepProgress:
        """Send points; of a refused request those that are to blame are left out. How far the run is then."""
        after = StepProgress(progress.done + len(batch), progress.refused)
        if self.only_look:
            return after
        refused = await self._log(run, {"metrics": list(batch), "tags": [tag_of(after)]})
        if not isinstance(refused, Refused):
            return after
        if len(batch) == 1:
            after = StepProgress(progress.done + 1, progress.refused + 1)
            if (outcome := await self._log(run, {"tags": [tag_of(after)]})) is not None:
                raise _raised(outcome)
            self.refused.append((key, refused_point(batch[0], refused.reason)))
            return after
        for part in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
            progress = await self._append(key, run, part, progress)
        return progress


_KINDS = {"params": "parameter", "tags": "tag"}


def _raised(outcome: Outcome) -> ServiceError:
    return outcome.error() if isinstance(outcome, Refused) else outcome or Uncertain("no outcome")
