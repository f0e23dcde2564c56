"""Runs as they are written to a server: made under ids of its own, brought up to date, ended, hidden.

A deleted run takes no tag, point or end: whoever writes to one shows it first (`Target.hide_runs`), and what is to
stand on it once it is hidden goes before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from azureml_replay.errors import NotFound, Rejected, ServiceError
from azureml_replay.mlflow.experiments import Experiments
from azureml_replay.mlflow.rest import Rest
from azureml_replay.mlflow.wire import answers, ask, encode
from azureml_replay.mlflow.wire.ours import HIDDEN_TAG, tags_of
from azureml_replay.model import Experiment, Run, RunId
from azureml_replay.workers import map_bounded
from azureml_replay.workspace.lease import Check, unchecked
from azureml_replay.workspace.target import NO_TAGS, Outcome, Refused, TagsOfRuns

RUNS_AT_ONCE = 4
"""Of one batch: the server is the limit, 30 to 60 ms of its processor a run."""
_HIDDEN = {HIDDEN_TAG: "yes"}


class Writing:
    """Writes runs of one server."""

    def __init__(self, rest: Rest, experiments: Experiments, note_root: Callable[[RunId, str | None], None]) -> None:
        """Nothing is asked yet. `note_root` gets each run that is made, and where its files lie."""
        self._rest, self._experiments, self._note_root = rest, experiments, note_root

    async def make(self, experiment: str, run: Run, check: Check = unchecked) -> RunId | Refused:
        """Make a run with name, start, user, parent and tags. NOT repeatable. Raises Uncertain, Unavailable."""
        try:
            place = await self._experiments.made(experiment)
            body = encode.created_run(place, run)
            answer = await self._rest.send("POST", f"{ask.API}/runs/create", json=body, repeatable=False, check=check)
        except Rejected as error:
            return _refusal(error)
        document = answer.json()
        made = answers.created_run(document)
        if answers.tells_root(document):
            self._note_root(made, answers.served_root(document))
        return made

    async def make_first(self, experiment: Experiment) -> None:
        """Make an experiment, unless there is one of its name. NOT repeatable. Raises Rejected, Uncertain."""
        await self._experiments.made_first(experiment)

    async def update(self, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Write names, tags, parameters and inputs, no state; what is not named stays. Repeatable."""
        return await _each(runs, self._update)

    async def end(self, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Write error, status and end, then hide what is to be hidden. Repeatable."""
        return await _each(runs, self._end)

    async def hide(self, runs: Sequence[RunId], *, hidden: bool, tags: TagsOfRuns = NO_TAGS) -> Mapping[RunId, Outcome]:
        """Delete runs, or restore them, each with its tags. Repeatable."""
        turn = self._hide if hidden else self._show

        async def one(run: Run) -> None:
            await turn(run.id, tags.get(run.id, {}))

        return await _each([Run(id=run) for run in runs], one)

    async def remove_tags(self, run: RunId, tags: Sequence[str]) -> None:
        """Remove tags; one that is gone is no error. Repeatable."""
        for tag in tags:
            try:
                await self._call("runs/delete-tag", encode.run_tag(run, tag))
            except NotFound:
                continue

    async def tag(self, run: RunId, tags: Mapping[str, str]) -> None:
        """Set tags of one run. Repeatable."""
        for body in encode.batches(run, tags):
            await self._call("runs/log-batch", body)

    async def _update(self, run: Run) -> None:
        for body in encode.batches(run.id, tags_of(run), run.parameters):
            await self._call("runs/log-batch", body)
        if (datasets := encode.inputs(run.id, run)) is not None:
            await self._call("runs/log-inputs", datasets)

    async def _end(self, run: Run) -> None:
        await self.tag(run.id, {**encode.ending_tags(run), **(_HIDDEN if run.hidden else {})})
        await self._call("runs/update", encode.ended_run(run))
        if run.hidden:
            await self._call("runs/delete", encode.run(run.id))

    async def _hide(self, run: RunId, tags: Mapping[str, str]) -> None:
        try:
            await self.tag(run, {**tags, **_HIDDEN})
        except Rejected as error:
            if not answers.is_closed(error.code, str(error.args[0])):
                raise
            if tags:
                await self._call("runs/restore", encode.run(run))
                await self.tag(run, {**tags, **_HIDDEN})
        await self._call("runs/delete", encode.run(run))

    async def _show(self, run: RunId, tags: Mapping[str, str]) -> None:
        await self._call("runs/restore", encode.run(run))
        await self.remove_tags(run, [HIDDEN_TAG])
        await self.tag(run, tags)

    async def _call(self, call: str, body: Mapping[str, object]) -> None:
        await self._rest.send("POST", f"{ask.API}/{call}", json=body)


async def _each(runs: Sequence[Run], write: Callable[[Run], Awaitable[None]]) -> Mapping[RunId, Outcome]:
    async def one(run: Run) -> Outcome:
        try:
            await write(run)
        except Rejected as error:
            return _refusal(error)
        except ServiceError as error:
            return error
        return None

    return dict(zip((run.id for run in runs), await map_bounded(runs, one, RUNS_AT_ONCE), strict=True))


def _refusal(error: Rejected) -> Refused:
    """The refusal of an item. Raises what is about the caller."""
    if error.status in (401, 403):
        raise error
    return Refused.of(error)
