"""A throw-away run with what the interface leaves open: datasets of another workspace, and values that are null.

All of it goes in one request; where that is refused, one thing after the other, so that it is known which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from azureml_replay.errors import ServiceError
from azureml_replay.model import Run, RunId
from azureml_replay.target.writer import RunWriter
from azureml_replay.workspace.target import Refused, Target

INPUTS, OUTPUTS = "input_datasets", "output_datasets"
NULLS = "null_values"
"""The name among a probe's losses of tags and properties whose value is null."""
DOUBTFUL = (INPUTS, OUTPUTS, NULLS)
"""Names among a probe's losses of what a target may refuse without being of no use."""
_MARK = {"azureml_replay_probe": "True"}
_NULL = {**_MARK, "azureml_replay_null": None}


@dataclass(slots=True)
class DoubtfulRun:
    """One more run beside the throw-away run, hidden like that one. A refusal of it is an answer, no error."""

    target: Target
    run: Run
    writer: RunWriter
    there: bool = False
    taken: list[str] = field(default_factory=list)
    """Names in `DOUBTFUL` that the target took."""

    @classmethod
    def beside(cls, target: Target, thrown: Run, writer: RunWriter) -> DoubtfulRun:
        """With nothing but its name and what is doubtful."""
        run = Run(
            id=RunId(f"{thrown.id}-more"),
            experiment=thrown.experiment,
            status="Completed",
            start=thrown.start,
            end=thrown.end,
            display_name=thrown.display_name,
            tags=_MARK,
            properties=_MARK,
            hidden=True,
            form=thrown.form,
        )
        return cls(target, run, writer)

    async def create(self) -> None:
        """Create the run. NOT repeatable. Raises Unavailable."""
        there = (await self.writer.create(self.run.experiment, [self.run]))[self.run.id]
        if isinstance(there, ServiceError):
            raise there
        if isinstance(there, Refused):
            return
        self.run, self.there = replace(self.run, id=there), True
        if not await self._put(*DOUBTFUL):
            for name in DOUBTFUL:
                await self._put(name)

    async def _put(self, *names: str) -> bool:
        given = {key: value for name in names for key, value in self._given(name).items()}
        outcome = (await self.writer.write(self.run.experiment, [replace(self.run, **given)])).get(self.run.id)
        if outcome is not None and not isinstance(outcome, Refused):
            raise outcome
        self.taken += () if outcome else names
        return outcome is None

    def _given(self, name: str) -> Mapping[str, Any]:
        """The fields of the run."""
        inputs, outputs = self.target.profile.foreign_datasets
        fields: Mapping[str, Mapping[str, Any]] = {
            INPUTS: {"input_datasets": inputs},
            OUTPUTS: {"output_datasets": outputs},
            NULLS: {"tags": _NULL, "properties": _NULL},
        }
        return fields[name]

    def to_end(self) -> list[Run]:
        """The run to be ended and hidden; none where it was refused."""
        return [self.run] if self.there else []

    def lost(self, found: Run | None) -> list[str]:
        """Names in `DOUBTFUL` that the target refused, or does not show."""
        if found is None:
            return list(DOUBTFUL)
        return [name for name in DOUBTFUL if name not in self.taken or not self._is_shown(found, name)]

    def _is_shown(self, found: Run, name: str) -> bool:
        """True where all is there; of pairs that are not kept at all, the one that is null is not to blame."""
        for key, wrote in self._given(name).items():
            there = getattr(found, key)
            blameless = isinstance(wrote, dict) and not _MARK.items() <= there.items()
            if not blameless and not _has(there or (), wrote or ()):
                return False
        return True


def _has(there: Any, wrote: Any) -> bool:  # noqa: ANN401 JSON
    """True where all that was written is there: a service may answer more keys."""
    if isinstance(wrote, list):
        return isinstance(there, list) and len(there) == len(wrote) and all(map(_has, there, wrote))
    if isinstance(wrote, dict):
        return isinstance(there, dict) and all(key in there and _has(there[key], one) for key, one in wrote.items())
    return bool(there == wrote)
