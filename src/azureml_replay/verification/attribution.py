"""Who changed what differs: findings told apart by what was sent last (comparison/three_way.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from azureml_replay import redact
from azureml_replay.archive.edits import Edit
from azureml_replay.archive.evidence import Aspect, Looked, Topic, Way
from azureml_replay.archive.items import FileItem
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.experiments import fates_of_experiment, kept_under, values_of
from azureml_replay.comparison.files import alike
from azureml_replay.comparison.shown import shown
from azureml_replay.comparison.three_way import (
    ACCEPTED,
    GONE_REASON,
    HIDDEN,
    NAMED_ONCE,
    PARENT,
    PLACED_ONCE,
    PROPERTY,
    RUN_TYPE,
    Fate,
    editable,
    fates,
)
from azureml_replay.counting import counted
from azureml_replay.model import Editable, Experiment, Finding, Omission, Run, RunId, StoredFile
from azureml_replay.planning import lineage
from azureml_replay.planning.made_files import MADE
from azureml_replay.planning.plan import Step
from azureml_replay.verification.edits import Sides, proven
from azureml_replay.workspace.mark import TAKEN_BACK, SentMark, is_taken_back
from azureml_replay.workspace.profile import CREATED

_EDITS = frozenset({Fate.EDITED, Fate.CONFLICT})
_NAMED = frozenset({*_EDITS, Fate.OLDER, Fate.NEWER, Fate.ANOTHER})


@dataclass(frozen=True, slots=True)
class Attribution:
    """What is known of the changes to one run since it was sent."""

    sent: Editable | None
    """The values sent last; None where nobody knows them: then every finding stays as it is."""
    told: Mapping[str, Fate]
    planned: frozenset[str] = frozenset()
    """`metric NAME` of all series that are planned now: under these nothing has disappeared."""
    taken_back: bool = False
    """True where `undo` hid the run, of whichever archive: that it is hidden and lacks files is no edit."""
    edits: Mapping[str, Edit] = field(default_factory=dict)
    """Changes that are proven to be somebody's, as the target was seen to have what was sent; by `what`."""

    once: Mapping[str, str] = field(default_factory=dict)
    """What is there as it was sent, planned otherwise now, and written once -> why; by its finding."""

    @property
    def older(self) -> frozenset[str]:
        """What another archive's replay sent from an older state, by its findings: the next replay sends these."""
        return frozenset(what for what, fate in self.told.items() if fate is Fate.OLDER)

    def of(self, outcome: Looked) -> tuple[Looked, list[Omission], list[Edit]]:
        """The outcome with its findings named by who made the change; what is no finding but an omission; edits."""
        found: list[Finding] = []
        gone: list[Omission] = []
        edits: list[Edit] = []
        for finding in outcome.findings:
            if self.taken_back and _is_of_undo(finding):
                found.append(replace(finding, kind=TAKEN_BACK))
                continue
            if finding.what in self.once:
                gone.append(Omission(finding.run, finding.what, self.once[finding.what]))
                continue
            fate = self._of_another(finding) if self.sent is None else self._fate(finding, self.sent)
            edit = self.edits.get(redact.text(finding.what)) if fate in _EDITS else None
            if edit is not None:
                edits.append(replace(edit, expected=finding.expected, actual=finding.actual))
            if fate is Fate.GONE:
                gone.append(Omission(finding.run, finding.what, GONE_REASON))
            elif edit is not None and edit.accepted:
                found.append(replace(finding, kind=ACCEPTED))
            else:
                found.append(replace(finding, kind=fate.value) if fate in _NAMED else finding)
        return replace(outcome, findings=found), gone, edits

    def _of_another(self, finding: Finding) -> Fate | None:
        """Where this archive sent nothing: only what another one is known to have sent."""
        fate = self.told.get(finding.what)
        return fate if fate in (Fate.OLDER, Fate.NEWER, Fate.GONE) else None

    def _fate(self, finding: Finding, sent: Editable) -> Fate | None:
        """A metric that the source lost since is told by its rows: more or fewer than were sent are somebody else's."""
        if finding.kind == "extra" and finding.what.startswith("metric ") and finding.what in sent:
            rows = sent[finding.what]
            as_sent = isinstance(rows, bool) or finding.actual == counted(int(rows or 0), "row")
            return Fate.GONE if as_sent and finding.what not in self.planned else None
        return self.told.get(finding.what)


def attribution(
    ledger: TargetLedger,
    step: Step,
    actual: Run,
    *,
    wanted: Mapping[str, StoredFile],
    there: Mapping[str, StoredFile],
    most: int,
) -> Attribution:
    """By the ledger. `wanted` and `there` are the run's files by path; `most` properties are all that it can have."""
    sent = ledger.sent(step.source)
    mark = lineage.sent_mark(actual, step.source, most)
    told = _unmistakable([(shown(name), fate) for name, fate in fates(step.run, actual, sent, mark).items()])
    later = mark is not None and mark.bound and _is_later(mark, step.run)
    of_files = dict(_files(ledger, step.source, wanted, there))
    of_made = Fate.NEWER if later else Fate.OLDER if Fate.OLDER in told.values() else None
    fates_of_files = [(path, (path in MADE and of_made) or fate) for path, fate in of_files.items()]
    told |= _unmistakable([(shown(f"file {path}"), fate) for path, fate in fates_of_files])
    planned = frozenset(f"metric {series.key.name}" for series, _ in step.series)
    edits = {}
    if sent is not None:
        sides = Sides(sent, editable(step.run), editable(actual))
        before = {path: ledger.sent_file(step.source, path) for path in of_files}
        of_file = Sides(*(_as_values({path: one.get(path) for path in of_files}) for one in (before, wanted, there)))
        edits = proven(ledger, step.source, {Aspect.FIELDS: sides, Aspect.FILES: of_file}, Topic(Way.RUN, step.source))
    once = dict(_written_once(ledger, sent or {}, step.run, actual))
    return Attribution(sent, told, planned, is_taken_back(actual), edits, once)


def _written_once(ledger: TargetLedger, sent: Editable, wanted: Run, there: Run) -> Iterator[tuple[str, str]]:
    """Names of findings about what no replay can change, and which is as one sent it; each with the reason.

    As this archive knows it, or, of a property, with the id that the source itself gives to the run that it names.
    """
    if sent.get(PARENT) == (there.parent or ""):
        yield PARENT, PLACED_ONCE
    for one in wanted.references:
        name, value, found = PROPERTY + one.key, wanted.properties.get(one.key), there.properties.get(one.key)
        if one.kind != "property" or value is None or found is None or not value.startswith(one.before):
            continue
        if found in (sent.get(name), one.before + ledger.source_id(RunId(value.removeprefix(one.before)))):
            yield shown(name), NAMED_ONCE


def attribution_of_experiment(
    ledger: TargetLedger, wanted: Experiment, there: Experiment, mark: SentMark | None, *, taken_back: bool
) -> Attribution:
    """The same of an experiment that replay made; both without our lineage, whose `mark` says what was sent last.

    A value that this archive did not send and the mark bears is another one's, unless the source has one more.
    """
    whose = kept_under(wanted.name)
    sent = ledger.sent(whose)
    by_name = fates_of_experiment(wanted, there, sent, taken_back=taken_back)
    theirs = values_of(there)
    for name, fate in by_name.items():
        if fate is Fate.EDITED and mark is not None and name in theirs and mark.bears(name, theirs[name]):
            by_name[name] = Fate.ANOTHER
    told = _unmistakable([(shown(name), fate) for name, fate in by_name.items()])
    edits = {}
    if sent is not None:
        sides = Sides(sent, values_of(wanted), values_of(there))
        edits = proven(ledger, whose, {Aspect.FIELDS: sides}, Topic(Way.EXPERIMENT, wanted.name))
    return Attribution(sent, told, edits=edits)


def _unmistakable(told: Sequence[tuple[str, Fate]]) -> dict[str, Fate]:
    """Without texts that stand for several names, cut or starred where they are shown: one could cover the other."""
    times = Counter(text for text, _ in told)
    return {text: fate for text, fate in told if times[text] == 1}


def _as_values(files: Mapping[str, StoredFile | None]) -> Editable:
    return {
        f"file {path}": f"{one.size_bytes} {one.md5.hex() if one.md5 else ''}" for path, one in files.items() if one
    }


def _is_later(mark: SentMark, run: Run) -> bool:
    """True where another archive's replay sent the run from a newer state of the source."""
    return mark.as_of is not None and run.modified is not None and mark.as_of > run.modified


def type_finding(ledger: TargetLedger, step: Step, actual: Run) -> Iterator[Finding]:
    """The finding about a run's type, which nobody can edit: only a run that was sent with its type has one."""
    sent = ledger.sent(step.source)
    if sent is not None and sent.get(RUN_TYPE, actual.kind) != actual.kind:
        yield Finding(step.source, RUN_TYPE, "differs", str(sent[RUN_TYPE]), shown(actual.kind))


def creation_finding(ledger: TargetLedger, step: Step, actual: Run) -> Iterator[Finding]:
    """The finding about a run's creation time, on a target that takes the start with which a run is made for it.

    That start is known from what was sent: a run that had none then, and has one now, was created when it was made.
    """
    started = (ledger.sent(step.source) or {}).get(CREATED)
    if started is not None and started != str(actual.created):
        yield Finding(step.source, CREATED, "differs", str(started), shown(actual.created))


def _is_of_undo(finding: Finding) -> bool:
    return finding.what == HIDDEN or (finding.kind == "absent" and finding.what.startswith("file "))


def _files(
    ledger: TargetLedger,
    run: RunId,
    wanted: Mapping[str, StoredFile],
    there: Mapping[str, StoredFile],
) -> Iterator[tuple[str, Fate]]:
    """Files that the target has. One that lacks there is a finding whoever removed it."""
    receipts = ledger.receipts(run)
    for path, found in there.items():
        sent = ledger.sent_file(run, path) if FileItem(path) in receipts else None
        if sent is None:
            continue
        theirs, ours = alike(sent, found), path in wanted and alike(sent, wanted[path])
        if path not in wanted or not theirs:
            yield path, Fate.CONFLICT if path in wanted and not ours else Fate.EDITED
