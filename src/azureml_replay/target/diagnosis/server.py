"""What `doctor` asks of a plain MLflow server: it is read, and one throw-away run tells what it keeps."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from azureml_replay.counting import counted
from azureml_replay.model import Experiment, Run
from azureml_replay.target.diagnosis.sheet import Outcome, Seen, Sheet
from azureml_replay.target.probe import OPTIONAL, VITAL, Probe
from azureml_replay.target.trial import probe_of
from azureml_replay.workspace.lease import OWN_EXPERIMENT
from azureml_replay.workspace.source import Source
from azureml_replay.workspace.target import Target
from azureml_replay.workspace.tried import Trait, Tried, TriesItself

SLOW_S = 0.25
"""Of one request: MLflow's basic authentication takes 0.3 s of the server's processor for each."""
FEW = 5
PLANNED = "nothing: it is planned so, and each is an omission"


@dataclass(slots=True)
class ServerReads:
    """Examines one side by reading only."""

    sheet: Sheet
    workspace: Source
    experiments: list[Experiment] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    async def all(self) -> None:
        """Run every probe."""
        check = self.sheet.check
        await check("answers", self._answers)
        if await check("experiments", self._experiments) and await check("runs", self._runs) and self.runs:
            await check("metrics", self._metrics)
            await check("stored files", self._files)

    async def _answers(self) -> Seen:
        """The quickest of three small answers: others may be at work, too."""
        took_s = [await self._timed() for _ in range(3)]
        seen = f"a small answer takes {min(took_s) * 1_000:,.0f} ms"
        if min(took_s) < SLOW_S:
            return Seen(seen)
        todo = "nothing: it takes its time; with basic authentication auth_cache_ttl_seconds makes the server faster"
        return Seen(seen, Outcome.WARNING, todo)

    async def _timed(self) -> float:
        begun = time.monotonic()
        await self.workspace.experiment(OWN_EXPERIMENT)
        return time.monotonic() - begun

    async def _experiments(self) -> Seen:
        async for page in self.workspace.experiments():
            self.experiments += page
        archived = sum(one.archived is not None for one in self.experiments)
        return Seen(f"{counted(len(self.experiments), 'experiment')}, {archived} deleted")

    async def _runs(self) -> Seen:
        for experiment in self.experiments[:FEW]:
            async for page in self.workspace.runs(experiment):
                self.runs += page[:FEW]
                break
        if not self.runs:
            return Seen("none to look at", Outcome.UNKNOWN)
        return Seen(f"{counted(len(self.runs), 'run')} of {counted(min(FEW, len(self.experiments)), 'experiment')}")

    async def _metrics(self) -> Seen:
        for run in self.runs[:FEW]:
            for series in (await self.workspace.series(run.id))[:1]:
                rows = sum([len(points) async for points in self.workspace.points(run.id, series)])
                return Seen(f"{counted(rows, 'row')} of metric {series.key.name}")
        return Seen("none to look at", Outcome.UNKNOWN)

    async def _files(self) -> Seen:
        for run in self.runs[:FEW]:
            async for page in self.workspace.stored(run.id):
                if page:
                    return Seen(f"{counted(len(page), 'file')} of run {run.id}")
        return Seen("none to look at", Outcome.UNKNOWN)


@dataclass(slots=True)
class ServerWrites:
    """Examines a target by one throw-away run, which is deleted."""

    sheet: Sheet
    target: Target
    tried: Tried | None = None

    async def all(self) -> Probe | None:
        """What the target keeps; None where no run could be made."""
        await self.sheet.check("made runs", self._try)
        if self.tried is None:
            return None
        tried = self.tried
        self.sheet.note("fields", self._fields(tried))
        self.sheet.note("limits", self._limits(tried))
        self._trait(tried, Trait.COLON, "names", "names hold letters, digits, _ - . / : and spaces", "no colon")
        self._trait(tried, Trait.NAN_AGAIN, "repeated points", "rows that are there already change nothing", "NaN")
        files = "files are served"
        if Trait.FILES in tried.traits:
            self.sheet.note("files", Seen(files))
            self._trait(tried, Trait.UNICODE_PATHS, "file names", "of any script", "Latin-1 alone can be read back")
            self._trait(tried, Trait.REMOVES_FILES, "removed files", "undo removes them", "undo leaves them there")
        else:
            todo = "start the server without --no-serve-artifacts, or leave files out: they are planned omissions"
            self.sheet.note("files", Seen("no file is taken", Outcome.WARNING, todo))
        return probe_of(tried)

    async def _try(self) -> Seen:
        assert isinstance(self.target, TriesItself)  # noqa: S101 - chosen for that
        self.tried = await self.target.try_out()
        return Seen(f"throw-away run {self.tried.run}, by version {self.tried.server or 'unknown'}")

    def _fields(self, tried: Tried) -> Seen:
        lost = ", ".join(name.replace("_", " ") for name in tried.lost)
        if set(tried.lost) & set(VITAL):
            return Seen(f"does not keep: {lost}", Outcome.MISSING, "replay stops before its first write to this target")
        if lost:
            return Seen(f"does not keep: {lost}", Outcome.WARNING, PLANNED)
        kept = [name.replace("_", " ") for name in OPTIONAL if name not in ("lender", "error_origin")]
        return Seen(f"keeps all of: id, status, points, {', '.join(kept)}")

    def _limits(self, tried: Tried) -> Seen:
        if not tried.lifted:
            return Seen("5,000 characters of a tag, 6,000 of a parameter: more lies in replay/overflow.json")
        return Seen("takes more than all do: " + ", ".join(f"{name} {most:,}" for name, most in tried.lifted.items()))

    def _trait(self, tried: Tried, trait: Trait, probe: str, yes: str, no: str) -> None:
        has = trait in tried.traits
        seen = yes if has else f"{no}: {_LACKING[trait]}"
        self.sheet.note(probe, Seen(seen) if has else Seen(seen, Outcome.WARNING, PLANNED))


_LACKING = {
    Trait.COLON: "such names get another one, which replay/names.json has",
    Trait.NAN_AGAIN: "a NaN that is there already is refused, with all rows beside it: what lacks is sent then",
    Trait.UNICODE_PATHS: "other files lie under names of ours, which replay/files.json has",
    Trait.REMOVES_FILES: "this version fails at it",
}
