"""The points of one run on their way, with its values where one request takes both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from azureml_replay.direct.in_part import InPart
from azureml_replay.direct.points import PointSender, SeriesRefused, Values, ValuesRefused
from azureml_replay.direct.runs import RunSender
from azureml_replay.model import RunId
from azureml_replay.planning.plan import Step
from azureml_replay.workspace.profile import TargetProfile


@dataclass(slots=True)
class RunPoints:
    """Sends the points of runs; a series that the target refuses is left out, and the run planned anew."""

    points: PointSender
    runs: RunSender
    in_part: InPart
    profile: TargetProfile
    planned_anew: Callable[[Step], Step]
    anew: Mapping[RunId, Step]
    """Steps that were planned again."""

    async def send(self, step: Step) -> tuple[Step, int]:
        """The step without the series that the target refuses, and the number of rows sent."""
        ask = step.source not in self.runs.created or step.source in self.runs.deleted
        run, stay = self.runs.riding.pop(step.source, (None, frozenset[str]()))
        values = Values(run)
        rides = values.run is not None
        while True:
            try:
                if self.profile.closes and self.runs.is_hidden(step) and self.points.has_due(step):
                    await self.runs.show([step])
                points = await self.points.send(step, ask=ask, values=values)
            except SeriesRefused:  # one series less each time
                step, ask = self.planned_anew(step), True
                continue
            except ValuesRefused:
                step = await self._values_alone(step)
                values.run, rides, ask = None, False, True
                continue
            if rides and values.run is None:
                self.runs.arrived_with_rows(step, stay)
            elif rides:  # all of the rows were there
                step = await self._values_alone(step)
            if points:
                self.runs.touched.add(step.source)
            return step, points

    async def _values_alone(self, step: Step) -> Step:
        """Send the values of a run without rows; the step as it is planned then.

        Raises ServiceError where the run goes no further.
        """
        await self.runs.create([step])
        refused = self.runs.refused.pop(step.source, None)
        if refused is not None and not await self.in_part.create(step, refused):
            raise refused.error(f"run {step.source}: ")
        return self.anew.get(step.source, step)
