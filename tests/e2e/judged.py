"""Two workspaces and an archive, every call on them, and what a verdict may say of them then, by the oracle."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.workspace import AzureWorkspace
from azureml_replay.errors import Exit, UserError
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.plan import some_units
from azureml_replay.selection import Selection
from azureml_replay.verification.verdict import Verdict
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.edits import fill
from e2e.library import DiesAt, PowerCut
from e2e.oracle import (
    BYTES,
    CHILDREN,
    FIELDS,
    FILES,
    MADE,
    NOTHING,
    POINTS,
    Carried,
    Differences,
    Known,
    Seen,
    Side,
    archived,
    compare,
    excuse,
    pair,
    strangers,
    takes,
    texts,
    tree_of,
    workspace,
)
from e2e.tampering import change
from e2e.test_synthetic import opened
from e2e.test_undo_delete import ANEW, GOES

Result = TypeVar("Result")
Key = tuple[str, str, str]


def _in_part(files: FileChoice, wanted: Seen, path: str) -> bool:
    """Whether a look at some files looks at this one: what nobody planned has no size that is known."""
    if path in wanted.files:
        return takes(files, path, wanted.files[path].size)
    return files.most_bytes is None and takes(files, path, 0)


class Judged(RuleBasedStateMachine):
    """One source, two targets, an archive; and what may be claimed of them."""

    sandbox: Sandbox

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.archive = self.folder / "archive"
        self.source = self.sandbox.add_workspace()
        self.targets = [self.sandbox.add_workspace() for _ in range(2)]
        self.known = [Known(), Known()]
        self.cache: dict[str, bytes] = {}
        goes = [f"{one}@{self.targets[0].workspace_name}" for one in (*GOES, ANEW)]
        self.sandbox.set_faults(strict=goes)
        change(self.sandbox, self.source, fill)

    def teardown(self) -> None:
        """Also after a failure."""
        shutil.rmtree(self.folder, ignore_errors=True)

    # Reading both sides

    def side(self, of: WorkspaceFile) -> Side:
        """As it is now."""
        found: list[Side] = []
        change(self.sandbox, of, lambda held: found.append(workspace(held, self.cache)))
        return found[0]

    def wanted(self) -> Side:
        """What the archive holds now."""
        if not (self.archive / "archive.db").exists():
            return Side({}, {})
        with Archive.open(self.archive, write=False) as archive:
            return archived(archive)

    def units(self, selection: Selection) -> set[str] | None:
        """Roots; None: all."""
        if selection.everything:
            return None
        with Archive.open(self.archive, write=False) as archive:
            chosen = some_units(archive, selection)
            return None if chosen is None else set(chosen)

    # Calls

    def call(
        self,
        how: Callable[[Archive, AzureWorkspace, AzureWorkspace], Awaitable[Result]],
        target: int = 0,
        cut: DiesAt | None = None,
        *,
        create: bool = False,
    ) -> Result:
        """With a source, a target and the archive."""

        async def go() -> Result:
            async with AsyncExitStack() as stack:
                reading = await stack.enter_async_context(opened(self.source, cut))
                there = await stack.enter_async_context(opened(self.targets[target], cut))
                made = Archive.create(self.archive, reading.ref) if create else Archive.open(self.archive)
                return await how(stack.enter_context(made), reading, there)

        return asyncio.run(go())

    def writes(self, target: int | None, go: Callable[[], Result]) -> Result | None:
        """A call of ours that may change the archive, or a target: what it changed has to be looked at again.

        None where it was cut, or had nothing to do.
        """
        before = self.wanted()
        sides = [self.side(one) for one in self.targets] if target is not None else []
        try:
            return go()
        except (PowerCut, UserError):
            return None
        finally:
            if target is not None:
                self._changed(target, sides[target], self.side(self.targets[target]), before)
                assert sides[1 - target] == self.side(self.targets[1 - target]), "another target was written to"

    def goes(self, target: int, before: Side) -> set[str]:
        """What a call deleted, which is to be carried as if it had never been there. Nothing of others may be gone."""
        known, there = self.known[target], self.side(self.targets[target])
        gone = before.runs.keys() - there.runs.keys()
        for run in gone:
            assert run in known.created, f"{run} was never ours, and is gone"
            left = {path for path in before.runs[run].files if path not in known.made.get(run, {})}
            wanted = self.wanted().runs[run]
            assert left <= wanted.files.keys(), f"{run} is gone with files of others"
            written = known.written.get(run, {})
            for name, text in texts(before.runs[run]).items():
                mine = (written.get(name, NOTHING), texts(wanted).get(name, NOTHING))
                assert name == "hidden" or text in mine, f"{run} is gone with {name} of others"
            for kept in (known.carried, known.accepted, known.made, known.made_of):
                kept.pop(run, None)
            known.forget("run", run)
        above = {one.fields["parent"] for one in there.runs.values()}
        assert not gone & above, "gone from above others"
        return gone

    def _changed(self, target: int, before: Side, after: Side, old: Side) -> None:
        known, wanted = self.known[target], self.wanted()
        for run, seen in after.runs.items():
            was = before.runs.get(run)
            if run not in wanted.runs or was == seen or seen.job:
                continue
            old = texts(was) if was else {}
            now = {name: texts(seen).get(name, NOTHING) for name in old | texts(seen)}
            changed = {name: value for name, value in now.items() if was is None or old.get(name, NOTHING) != value}
            known.written.setdefault(run, {}).update(changed)
            known.forget("run", run)
            known.created.add(run)
            made = known.made.setdefault(run, {})
            for path in seen.files.keys() | made.keys() | (was.files.keys() if was else set()):
                now = seen.files.get(path)
                if not path.startswith(MADE) or (was is not None and was.files.get(path) == now):
                    continue
                known.made_of[run] = wanted.runs[run]
                if now is None:
                    made.pop(path, None)
                else:
                    made[path] = now.md5
        for unit, job in known.jobs.items():
            if tree_of(before, job.name) != tree_of(after, job.name):
                known.forget("job", unit)
        for name, one in after.experiments.items():
            if before.experiments.get(name) != one:
                known.forget("experiment", name)

    # What a look sees

    def sees(
        self, target: int, units: set[str] | None, wanted: Side, there: Side, source: Side
    ) -> dict[Key, tuple[object, Differences]]:
        """Everything that a look at these units looks at, and how it is."""
        known, seen = self.known[target], dict[Key, tuple[object, Differences]]()
        chosen = {run: one for run, one in wanted.runs.items() if units is None or one.unit in units}
        for unit in {one.unit for one in chosen.values()} & known.jobs.keys():
            seen |= self.sees_job(target, unit, wanted, there)
        alone = known.jobs.keys() - {wanted.runs[run].unit for run in known.created if run in wanted.runs}
        runs = {run: one for run, one in chosen.items() if one.unit not in alone}
        for run, one in runs.items():
            carried = known.carried.get(run, Carried())
            at = there.runs.get(run)
            found = compare(
                one,
                None if at is None or at.job else at,
                carried,
                known.made.get(run, {}),
                source.runs.get(run),
                known.made_of.get(run) != one,
            )
            if at is not None and not at.job:
                excuse(found[FIELDS], one, at, known.accepted.get(run, {}))
            seen |= {("run", run, aspect): (one, differing) for aspect, differing in found.items()}
        names = {one.experiment for one in runs.values()}
        strange = strangers(wanted, there)
        for name in names | (wanted.experiments.keys() if units is None else set()):
            differing = Differences()
            if there.experiments.get(name) != wanted.experiments.get(name):
                differing.add(name, sure=name in names)
            extra = strange.pop(name, set())
            against = wanted.experiments.get(name)
            seen["experiment", name, FIELDS] = against, differing
            seen["experiment", name, CHILDREN] = frozenset(wanted.runs), Differences(set(extra), set(extra))
        if units is None and names:
            extra = set().union(*strange.values())
            seen["others", "", CHILDREN] = frozenset(wanted.runs), Differences(set(extra), set(extra))
        return seen

    def sees_job(self, target: int, unit: str, wanted: Side, there: Side) -> dict[Key, tuple[object, Differences]]:
        """Of a job."""
        originals = {run: one for run, one in wanted.runs.items() if one.unit == unit}
        found = self.known[target].jobs[unit].compare(there, originals)
        return {("job", unit, aspect): (originals, differing) for aspect, differing in found.items()}

    def forgets(self, target: int, units: set[str] | None) -> None:
        """What was accepted of these is not any more."""
        wanted, known = self.wanted(), self.known[target]
        chosen = [run for run in known.accepted if units is None or wanted.runs[run].unit in units]
        for run in chosen:
            del known.accepted[run]

    def judges_anew(self, target: int, units: set[str] | None) -> None:
        """A look at these: what was accepted of another value than is there, or wanted, is accepted no more."""
        wanted, there, known = self.wanted(), self.side(self.targets[target]), self.known[target]
        for run, accepted in known.accepted.items():
            one, at = wanted.runs.get(run), there.runs.get(run)
            if one is None or (units is not None and one.unit not in units):
                continue
            for name in [*accepted]:
                if at is None or at.job or accepted[name] != pair(one, at, name):
                    del accepted[name]

    def accepts(self, target: int, verdict: Verdict, units: set[str] | None) -> None:
        """What a call accepted: only what somebody changed since we wrote it, of runs that were chosen."""
        wanted, there, known = self.wanted(), self.side(self.targets[target]), self.known[target]
        for one in verdict.accepted_now:
            run, at = wanted.runs[one.run], there.runs[one.run]
            both = pair(run, at, one.what)
            assert units is None or run.unit in units, "accepted beyond what was chosen"
            assert both[0] != both[1], "accepted, and equal"
            assert known.written.get(one.run, {}).get(one.what, NOTHING) != both[1], "accepted what we wrote"
            known.accepted.setdefault(one.run, {})[one.what] = both

    def looked(self, target: int, units: set[str] | None, files: FileChoice, deep: bool, *, whole: bool) -> None:
        """Note what a verification saw, or may have seen."""
        wanted, there, source = self.wanted(), self.side(self.targets[target]), self.side(self.source)
        known = self.known[target]
        aspects = {FIELDS, POINTS, CHILDREN}
        parts = files != FileChoice()
        if not parts:
            aspects |= {FILES, *([BYTES] if deep else [])}
        seen = self.sees(target, units, wanted, there, source)
        if not whole:
            known.blur([key for key in seen if key[2] in aspects], {key: found for key, (_, found) in seen.items()})
            for key, (_, found) in seen.items():
                if key[2] not in aspects:
                    known.rec(*key).differences.maybe |= found.maybe
            return
        for key, (against, found) in seen.items():
            if key[2] in aspects:
                known.look(key, against, found)
            elif parts and files.artifacts and (key[2] == FILES or deep) and key[0] == "job":
                known.rec(*key).differences.maybe |= found.maybe
                known.rec(*key).differences.sure.clear()
            elif parts and files.artifacts and (key[2] == FILES or deep):
                known.look_at_part(key, found, partial(_in_part, files, wanted.runs[key[1]]))

    def claims(self, target: int, verdict: Verdict, units: set[str] | None, deep: bool, what: str) -> None:
        """The verdict may say no more than the oracle does, and find nothing that the oracle does not."""
        known, wanted = self.known[target], self.wanted()
        chosen = {run: one for run, one in wanted.runs.items() if units is None or one.unit in units}
        as_runs = {one.unit for run, one in chosen.items() if run in known.carried}
        standing = {unit for unit, job in known.jobs.items() if not job.undone}
        jobs = {one.unit for one in chosen.values()} & known.jobs.keys()
        jobs = {unit for unit in jobs if unit in standing or unit not in as_runs}
        direct = {run: one for run, one in chosen.items() if one.unit in as_runs or one.unit not in jobs}
        names = {one.experiment for one in direct.values()}
        against: dict[Key, object] = {
            ("run", run, aspect): one for run, one in direct.items() for aspect in (FIELDS, POINTS, FILES)
        }
        for unit in jobs:
            originals = {run: one for run, one in wanted.runs.items() if one.unit == unit}
            against |= {("job", unit, aspect): originals for aspect in (FIELDS, POINTS, FILES, CHILDREN)}
            against |= {("job", unit, BYTES): originals} if deep else {}
        if deep:
            against |= {("run", run, BYTES): one for run, one in direct.items()}
        for name in names:
            against["experiment", name, FIELDS] = wanted.experiments.get(name)
            against["experiment", name, CHILDREN] = frozenset(wanted.runs)
        if units is None and names:
            against["others", "", CHILDREN] = frozenset(wanted.runs)
        if verdict.exit == Exit.OK or verdict.proves:
            for key, expected in against.items():
                rec = known.rec(*key)
                assert rec.whole, f"{what}: equal, but {key} was not looked at since it was sent"
                assert rec.against == expected, f"{what}: equal, but {key} was compared with something else"
                assert not rec.differences.sure, f"{what}: equal, but {key} differed: {rec.differences.sure}"
            for group in filter(None, known.open):  # an empty one: of jobs alone, whose experiments are no matter here
                assert not group <= against.keys(), f"{what}: equal, but a look at it was interrupted"
            assert units is not None or not wanted.lacking, f"{what}: equal, but not all is extracted"
        mine = [len(known.accepted.get(run, ())) for run in chosen]
        assert verdict.accepted <= sum(mine), f"{what}: more is accepted than anybody did"
        if verdict.findings:
            about = {key for key in known.recs if key[:2] in {one[:2] for one in against} or units is None}
            possible = [key for key in about if known.recs[key].differences.maybe]
            assert possible, f"{what}: a false alarm: {verdict.first}"
        if verdict.proves:
            assert verdict.exit == Exit.OK, what
            assert verdict.runs == len(chosen), what
