"""Tries which documented limits a target does not have: on a throw-away run of its own, one limit a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from azureml_replay.errors import Rejected
from azureml_replay.model import Points, Run, RunForm, RunId, Series, SeriesKey
from azureml_replay.target.probe import EXPERIMENT
from azureml_replay.target.throw_away import ROWS, throw_away_run
from azureml_replay.target.writer import under_its_id, writer_of
from azureml_replay.workspace.limits import DOCUMENTED
from azureml_replay.workspace.profile import WriteRoute
from azureml_replay.workspace.target import Target

SERIES_PER_REQUEST = 50
"""As many as azureml-core sends at once: a refusal of more would say nothing about how many a run may have."""
FACTOR = 2
"""How many times a limit is tried; only as much as was kept may be relied upon."""


@dataclass(slots=True)
class LimitTrial:
    """Writes one throw-away run and hides it at the end."""

    target: Target
    form: RunForm = RunForm.NEUTRAL
    route: WriteRoute = WriteRoute.HISTORY

    async def lifted(self) -> Mapping[str, int]:
        """Name of a limit in `Limits` -> how much was kept. Raises Forbidden, Unavailable."""
        writer = writer_of(self.target, self.route)
        run = replace(throw_away_run(form=self.form, route=self.route), error=None, status="Completed")
        run = under_its_id(run, await writer.create(EXPERIMENT, [run]))
        kept: dict[str, int] = {}
        for limit, grown in _grown(run).items():
            if await self._kept(grown):
                kept[limit] = FACTOR * getattr(DOCUMENTED, limit)
        if await self._names_kept(run.id):
            kept["metric_names"] = FACTOR * DOCUMENTED.metric_names
        await writer.finish(EXPERIMENT, [run])
        return kept

    async def _kept(self, grown: Run) -> bool:
        outcome = (await writer_of(self.target, self.route).write(EXPERIMENT, [grown])).get(grown.id)
        if outcome is not None:
            return False
        found = (await self.target.details([grown.id])).get(grown.id)
        return found is not None and _same(grown, found.run)

    async def _names_kept(self, run: RunId) -> bool:
        names = [f"m{at}" for at in range(FACTOR * DOCUMENTED.metric_names)]
        row = (0, ROWS.times[0], (1.0,))
        every = [Points.of(Series(key=SeriesKey(name), columns=((name, "Double"),)), [row]) for name in names]
        try:
            for first in range(0, len(every), SERIES_PER_REQUEST):
                if await self.target.append_points(run, every[first : first + SERIES_PER_REQUEST]):
                    return False
        except Rejected:
            return False
        await self.target.settle(EXPERIMENT, run)
        return {series.key.name for series in await self.target.series(run)} >= set(names)


def _grown(run: Run) -> Mapping[str, Run]:
    """Name of a limit -> the run with something beyond that limit."""
    limits = DOCUMENTED
    long_key, long_value = "k" * FACTOR * limits.key, "v" * FACTOR * limits.value
    many = {f"k{at}": "v" for at in range(FACTOR * limits.tags)}
    return {
        "display_name": replace(run, display_name="n" * FACTOR * limits.display_name),
        "description": replace(run, description="d" * FACTOR * limits.description),
        "key": replace(run, tags={long_key: ""}, properties={long_key: ""}),
        "value": replace(run, tags={"long": long_value}, properties={"long": long_value}),
        "parameters": replace(run, parameters={f"p{at}": "1" for at in range(FACTOR * limits.parameters)}),
        "tags": replace(run, tags=many),
        "properties": replace(run, properties=many),
    }


def _same(wrote: Run, read: Run) -> bool:
    """True where the written values were read back; what the service adds does not count."""
    texts = (wrote.display_name, wrote.description) == (read.display_name, read.description)
    return texts and all(
        wanted.items() <= found.items()
        for wanted, found in (
            (wrote.tags, read.tags),
            (wrote.properties, read.properties),
            (wrote.parameters, read.parameters),
        )
    )
