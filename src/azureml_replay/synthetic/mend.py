"""Mends tags, descriptions and names of a job's runs where they stand; an edit that was made there stays.

Three ways, by value: what is planned now, what the target has, and what it was sent, which the ledger knows. A value
goes only where the target still has what was sent. Nothing is removed: what the source lost stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Way
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.files import alike
from azureml_replay.errors import ServiceError
from azureml_replay.files.as_sent import AsSent
from azureml_replay.model import Json, Run, RunId
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.refused import ValueName
from azureml_replay.synthetic.expected import (
    DISPLAY_NAME,
    ExpectedRun,
    Texts,
    expected_of,
    is_alike,
    texts_of,
    texts_wanted,
)
from azureml_replay.synthetic.found import Found
from azureml_replay.synthetic.options import JOB, SENT
from azureml_replay.synthetic.plan_digest import as_laid
from azureml_replay.synthetic.refused import JobRefusals, RefusedValue, RefusedValues, known_refusals, trimmed
from azureml_replay.synthetic.staging.manifest import DESCRIPTION_TAG, MENDABLE, LaidFile
from azureml_replay.synthetic.staging.stage import layout_of
from azureml_replay.synthetic.tree.fit import fits_a_tag
from azureml_replay.synthetic.tree.nodes import Node, Tree
from azureml_replay.target.parts import refused_of_run
from azureml_replay.workspace.limits import RUNS_PER_REQUEST
from azureml_replay.workspace.put_files import NewFile
from azureml_replay.workspace.target import Outcome, Refused, Target

DESCRIPTION, TAG = "description", "tag "
_NOTHING = object()


@dataclass(slots=True)
class Lacking:
    """What of a job's runs changed since it was sent."""

    updates: list[Run] = field(default_factory=list)
    sent: dict[RunId, dict[str, Json]] = field(default_factory=dict)
    """Original -> slot of each of its runs -> what it was sent, once the updates have gone."""
    wanted: dict[RunId, ExpectedRun] = field(default_factory=dict)
    """Run of the target -> which one it is, of those that are updated."""


@dataclass(frozen=True, slots=True)
class Mender:
    """Mends the runs of trees. Everything may be repeated, and raises Unavailable, Rejected."""

    archive: Archive
    ledger: TargetLedger
    target: Target
    refusals: JobRefusals

    async def texts(self, tree: Tree, held: Found, job: str, refused: Mapping[str, RefusedValues]) -> int:
        """Write what changed since it was sent; the number of runs. What is refused of it is noted."""
        found = lacking(self.ledger, tree, held, job, refused)
        if found.updates:
            self.ledger.carry(self._carried(found), Way.JOB)  # from here on it is open whether they are equal
        for experiment in {run.experiment for run in found.updates}:
            updates = [run for run in found.updates if run.experiment == experiment]
            for run, values in (await self._update(experiment, updates)).items():
                self._refuse(found, found.wanted[run], job, values)
        known = self._carried(found)
        now = {run: {**one, JOB: job, SENT: {**one.get(SENT, {}), **found.sent[run]}} for run, one in known.items()}
        self.ledger.carry({run: one for run, one in now.items() if one != known[run]}, Way.JOB)
        return len(found.updates)

    def _carried(self, found: Lacking) -> dict[RunId, Any]:
        known = self.ledger.carried(list(found.sent), Way.JOB)
        return {run: known[run] for run in found.sent if isinstance(known.get(run), Mapping)}

    async def _update(self, experiment: str, runs: Sequence[Run]) -> dict[RunId, dict[ValueName, str]]:
        """Run of the target -> its values that were refused, with their words; everything else was written."""
        refused: dict[RunId, dict[ValueName, str]] = {}
        for some in _batches(runs):
            outcomes = await self.target.update_runs(experiment, some)
            for run in some:
                outcome = outcomes[run.id]
                if isinstance(outcome, Refused) and outcome.of_item:
                    found = await refused_of_run(self.target, run, there=True)
                    if not found.values:
                        raise outcome.error()
                    refused[run.id] = found.values
                else:
                    _raise_first([outcome])
        return refused

    def _refuse(self, found: Lacking, wanted: ExpectedRun, job: str, values: Mapping[ValueName, str]) -> None:
        self.refusals.keep(wanted, job, [RefusedValue(kind, name, words) for (kind, name), words in values.items()])
        sent = found.sent.get(wanted.source, {}).get(wanted.slot)
        if isinstance(sent, dict):
            for kind, name in values:
                sent.pop(DESCRIPTION if name == DESCRIPTION_TAG else TAG + name if kind == "tag" else name, None)

    async def files(self, tree: Tree, held: Found, choice: FileChoice) -> int:
        """Write the `MENDABLE` files anew that say something else now, where the target has what was sent; how many."""
        mended = 0
        for leaf in tree.leaves():
            run = held.runs.get(leaf.key)
            if run is not None:
                mended += await self._write_anew(leaf.source, run, _changed(self.archive, self.ledger, leaf, choice))
        return mended

    async def _write_anew(self, source: RunId, run: Run, changed: Sequence[LaidFile]) -> int:
        if not changed:
            return 0
        pages = [page async for page in self.target.stored(run.lender or run.id)]
        there = {one.path: one.stored for page in pages for one in page if one.stored}
        writes = []
        for file in changed:
            sent, found = self.ledger.sent_file(source, file.to), there.get(file.to)
            if found is None or sent is None or not isinstance(file.made, NewFile):
                continue
            if await AsSent(self.ledger, self.target).is_so(source, file.to, found, sent):
                writes.append(replace(file.made, path=file.to))
                there[file.to] = as_laid(file)
        if writes:
            _raise_first((await self.target.put_files(run.experiment, run.id, writes)).values())
        now = {file.to: as_laid(file) for file in changed}  # what a call that was killed wrote is there too
        kept = {path: one for path, one in now.items() if path in there and alike(one, there[path])}
        self.ledger.put_sent_files(source, kept)
        return len(writes)


def lacking(ledger: TargetLedger, tree: Tree, held: Found, job: str, refused: Mapping[str, RefusedValues]) -> Lacking:
    """What `Mender.texts` would write and note. Asks nobody."""
    mending, known = Lacking(), sent_texts(ledger, tree, job)
    for wanted in trimmed(tree, held, refused):
        run = held.runs.get(wanted.key)
        if run is None:
            continue
        sent = known.get(wanted.source, {}).get(wanted.slot)
        theirs, ours = texts_of(run), texts_wanted(wanted)
        send = _to_send(ours, theirs, sent)
        if send:
            mending.updates.append(_update_of(run, send))
            mending.wanted[run.id] = wanted
        there = {name: theirs[name] for name in ours if name in theirs and _is_there(name, ours, theirs)}
        after = {**(sent or {}), **there, **send}
        if after != sent and (sent is not None or len(there) == len(ours)):
            mending.sent.setdefault(wanted.source, {})[wanted.slot] = {**after}
    return mending


def lacks(archive: Archive, ledger: TargetLedger, tree: Tree, choice: FileChoice, job: str) -> bool:
    """True where something is to be mended of a job, unless it was edited there since. Asks nobody."""
    known, refused = sent_texts(ledger, tree, job), known_refusals(ledger, tree, job)
    for wanted in expected_of(tree):
        sent = known.get(wanted.source, {}).get(wanted.slot)
        if sent is not None and _to_send(texts_wanted(wanted), sent, sent).keys() - refused[wanted.key].texts.keys():
            return True
    return any(_changed(archive, ledger, leaf, choice) for leaf in tree.leaves())


def _changed(archive: Archive, ledger: TargetLedger, leaf: Node, choice: FileChoice) -> list[LaidFile]:
    """The `MENDABLE` files of a leaf that were sent with other content."""
    files = [file for file in layout_of(archive, ledger, leaf, choice).files if file.to in MENDABLE]
    sent = {file.to: ledger.sent_file(leaf.source, file.to) for file in files}
    return [file for file in files if (known := sent[file.to]) is not None and known.md5 != file.md5]


def sent_texts(ledger: TargetLedger, tree: Tree, job: str) -> Mapping[RunId, Mapping[str, Texts]]:
    """Original -> slot of each of its runs -> what that was sent; without those of which it is not known."""
    runs = list({tree.root, *(node.source for node in tree.walk())})
    told: Mapping[RunId, Any] = ledger.carried(runs, Way.JOB)
    return {run: one[SENT] for run, one in told.items() if one.get(JOB) == job and SENT in one}


def gone(wanted: ExpectedRun, run: Run, sent: Texts) -> list[str]:
    """Names of values that the source lost, and that the target has as they were sent."""
    ours, theirs = texts_wanted(wanted), texts_of(run)
    return [name for name, value in sent.items() if name not in ours and theirs.get(name) == value]


def _to_send(ours: Texts, theirs: Texts, sent: Texts | None) -> Texts:
    if sent is None:
        return {}
    return {
        name: value
        for name, value in ours.items()
        if not _is_there(name, ours, theirs) and theirs.get(name, _NOTHING) == sent.get(name, _NOTHING)
    }


def _is_there(name: str, ours: Texts, theirs: Texts) -> bool:
    return is_alike(name, ours[name], theirs.get(name))


def _update_of(run: Run, send: Texts) -> Run:
    """Of a step the description is a tag, as MLflow writes it, until somebody gives it another one."""
    tags = {name.removeprefix(TAG): value for name, value in send.items() if name.startswith(TAG)}
    if DESCRIPTION in send and run.description is None and fits_a_tag(send[DESCRIPTION]):
        tags[DESCRIPTION_TAG] = send[DESCRIPTION]
    update = Run(id=run.id, experiment=run.experiment, tags=tags, display_name=send.get(DISPLAY_NAME))
    return update if run.description is None else replace(update, description=send.get(DESCRIPTION))


def _raise_first(outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        if outcome is not None:
            raise outcome if isinstance(outcome, ServiceError) else outcome.error()


def _batches(runs: Sequence[Run]) -> Iterator[list[Run]]:
    waiting = iter(runs)
    while batch := list(islice(waiting, RUNS_PER_REQUEST)):
        yield batch
