"""Writes values of a parent run that the token of its own job could not write: here, with the login that submitted it.

Whether the service lets a step write its parent's run is an assumption (synthetic.md 12): the step tries, this checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from azureml_replay.archive.archive import Archive
from azureml_replay.errors import Uncertain
from azureml_replay.model import Run, RunId
from azureml_replay.planning.plan import Step
from azureml_replay.synthetic.found import Found
from azureml_replay.synthetic.staging.batches import Metric
from azureml_replay.synthetic.staging.manifest import DESCRIPTION_TAG, parameters, parent_tags, point_requests, step_of
from azureml_replay.synthetic.step.points import PROGRESS, StepProgress
from azureml_replay.synthetic.tree.fit import fits_a_tag
from azureml_replay.synthetic.tree.nodes import Tree
from azureml_replay.workspace.jobs import SyntheticTarget

PER_REQUEST = 100
"""Parameters, or tags, in one request."""


@dataclass(slots=True)
class Parents:
    """Completes the runs of a tree's groups, and that of its root."""

    archive: Archive
    target: SyntheticTarget
    only_look: bool = False
    """What lacks is counted, and nothing written."""

    async def complete(self, tree: Tree, held: Found) -> int:
        """Write what lacks; the number of runs that lacked something. Repeatable. Raises Unavailable, Rejected."""
        tags, lacking = parent_tags(tree), 0
        for leaf in tree.leaves():
            run = held.parent(leaf.key)
            if leaf.kind == "self" and run is not None:
                lacking += await self._complete(run, step_of(leaf), dict(tags[leaf.key]))
        return lacking

    async def _complete(self, run: Run, step: Step, tags: dict[str, str]) -> bool:
        if step.run.description and not run.description and fits_a_tag(step.run.description):
            tags[DESCRIPTION_TAG] = step.run.description
        actual = {key: str(value) for key, value in run.parameters.items()}
        lacking_tags = {key: value for key, value in tags.items() if run.tags.get(key) is None}  # another is an edit
        lacking_parameters = {key: value for key, value in parameters(step).items() if key not in actual}
        await self._pairs(run.id, "params", lacking_parameters)
        await self._pairs(run.id, "tags", lacking_tags)
        sent = await self._points(run, step)
        return bool(lacking_tags or lacking_parameters or sent)

    async def _pairs(self, run: RunId, kind: str, pairs: dict[str, str]) -> None:
        waiting = iter(pairs.items())
        while batch := list(islice(waiting, PER_REQUEST)):
            if not self.only_look:
                await self.target.submitter.log(run, {kind: [{"key": key, "value": value} for key, value in batch]})

    async def _points(self, run: Run, step: Step) -> int:
        """Send points from where the step stopped; their number. Each request has a tag with the count after it."""
        noted = run.tags.get(PROGRESS)
        done = await self._logged(run.id) if noted is None else StepProgress.of(noted).done
        seen = sent = 0
        for batch in point_requests(self.archive, step):
            left = batch[max(0, done - seen) :]
            seen += len(batch)
            if left:
                await self._append(run.id, left, seen)
                sent += len(left)
        return sent

    async def _logged(self, run: RunId) -> int:
        """Points that the run holds: a step notes how many with each request, but anybody may remove its tag."""
        series = await self.target.series(run)
        return sum([len(points) for one in series async for points in self.target.points(run, one)])

    async def _append(self, run: RunId, batch: Sequence[Metric], seen: int) -> None:
        tags = [{"key": PROGRESS, "value": str(StepProgress(seen))}]
        if self.only_look:
            return
        try:
            await self.target.submitter.log(run, {"metrics": list(batch), "tags": tags})
        except Uncertain as lost:
            raise Uncertain(f"values of the parent {run}: {lost.args[0]}") from lost
