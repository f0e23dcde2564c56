"""What is in a run, or below it, that this archive did not send: it would go along with the run. Only reads.

Everything that people can add is looked at: runs below it, whichever experiment they are in, tags, texts, parameters,
properties, inputs and outputs, metrics and files.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.three_way import HIDDEN, NOT_EDITABLE, editable
from azureml_replay.files.of_run import RunFiles
from azureml_replay.model import Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.planning.plan import plan_run
from azureml_replay.verification.values import strange_values
from azureml_replay.workspace.mark import is_taken_back, may_be_taken_back
from azureml_replay.workspace.profile import TargetProfile
from azureml_replay.workspace.target import Target

NAMED = 3
"""Things that a reason names: by these one finds the others."""
_METRIC = "metric "
_NONE = object()
"""Where a value is not there: an empty one is."""


def in_words(things: Sequence[str]) -> str:
    """The reason why something stays."""
    more = f" and {len(things) - NAMED:,} more" if len(things) > NAMED else ""
    return f"would take along {', '.join(things[:NAMED])}{more}"


@dataclass(frozen=True, slots=True)
class Ours:
    """Tells what this archive wrote, and what has become somebody's work."""

    archive: Archive
    ledger: TargetLedger
    profile: TargetProfile

    def profile_of(self, run: RunId) -> TargetProfile:
        """How a run of the source is treated, by the route by which it went."""
        return self.profile.by(self.ledger.routes([run]).get(run))

    def why_not(self, run: RunId, there: Run) -> str | None:
        """Why the target's run is left alone; None for one that is ours by its own word, and as it was sent."""
        kept = self.profile_of(run).keeps("properties")
        if not lineage.is_ours(there, self.archive.source, run, properties_kept=kept):
            return f"run {there.id} of the target is not ours"
        edits = self._edits(run, there)
        return f"run {there.id} was edited in the target since: {', '.join(edits)}" if edits else None

    def _edits(self, run: RunId, there: Run) -> list[str]:
        """Names of values that are neither what was sent last nor what the source has.

        Hidden is one where somebody hid it by hand, not where `undo` did, of whichever archive and however far it came.
        """
        sent, source = self.ledger.sent(run), self.archive.run(run)
        if sent is None:
            return []
        ours, theirs = editable(source) if source else {}, editable(there)
        ignored = {f"tag {key}" for key in self.profile_of(run).added}
        if not there.hidden or is_taken_back(there) or may_be_taken_back(there):
            ignored.add(HIDDEN)
        names = {*theirs, *(name for name in sent if not name.startswith(NOT_EDITABLE))} - ignored
        return sorted(
            name for name in names if theirs.get(name, _NONE) not in (sent.get(name, _NONE), ours.get(name, _NONE))
        )

    def metrics(self, run: RunId) -> set[str]:
        """The names under which rows of a run may have been sent."""
        sent = self.ledger.sent(run) or {}
        named = {name.removeprefix(_METRIC) for name in sent if name.startswith(_METRIC)}
        source = self.archive.run(run)
        shown = [source.lender] if source and source.lender and self.profile.own_contents else []
        return named | {series.key.name for one in (run, *shown) for series, _ in self.archive.series(one)}


@dataclass(frozen=True, slots=True)
class Strangers:
    """Looks before a run is asked to go."""

    ours: Ours
    target: Target
    held: RunFiles

    @property
    def ledger(self) -> TargetLedger:
        """Of what was sent."""
        return self.ours.ledger

    async def in_run(self, run: RunId, there: Run) -> list[str]:
        """What is in a run of the target, or below it, and was not sent by this archive."""
        return [
            *[f"run {child} below it" for child in await self._below(there.id)],
            *self._values(run, there),
            *[f"metric {name}" for name in await self._metrics(run, there)],
            *sorted({f"file {path}" async for path in self._files(run, there)}),
        ]

    async def _below(self, run: RunId) -> list[RunId]:
        """Every run below one: this archive's own are asked for first, so one that is there stays."""
        listed = [child.id async for page in self.target.children(run) for child in page]
        there = await self.target.details(listed) if listed else {}
        return [child for child in listed if child in there]

    def _values(self, run: RunId, there: Run) -> list[str]:
        archive = self.ours.archive
        step = plan_run(archive, run, self.ours.profile, root=archive.unit_of(run) or run, depth=0)
        planned = step.run if step else Run(id=there.id, parent=None, experiment=there.experiment)
        return strange_values(planned, there, self.ours.profile_of(run).added)

    async def _metrics(self, run: RunId, there: Run) -> list[str]:
        lender = [self.ledger.source_id(there.lender)] if there.lender else []
        ours = set[str]().union(*(self.ours.metrics(one) for one in (run, *lender)))
        return sorted({series.key.name for series in await self.target.series(there.id)} - ours)

    async def _files(self, run: RunId, there: Run) -> AsyncIterator[str]:
        """Files that `undo` left; an index entry whose bytes are gone is none, where they were ours."""
        owner = there.lender or there.id
        async for file in self.held.stored(owner):
            yield file.path
        own = self.target.place(there.id, "").datastore
        whose = {run, self.ledger.source_id(owner)}
        async for page in self.held.indexed(there):
            for entry in page:
                sent = any(self.ledger.sent_file(one, entry.path) for one in whose)
                if not sent or entry.location.datastore != own:
                    yield entry.path
