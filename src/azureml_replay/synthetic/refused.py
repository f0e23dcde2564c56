"""What a target refused of the values of a job's runs: each is an omission with its words, everything else is there.

The step that ran in a job tells it in a report among its files. That is read once, where a run lacks something, and the
ledger keeps it from then on: a report that somebody changes later excuses nothing more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from azureml_replay import json_text, redact
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Way
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.counting import counted
from azureml_replay.errors import NotFound
from azureml_replay.model import Json, Location, Omission, Row, Run, RunId
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.refused import refused_by
from azureml_replay.synthetic.expected import DISPLAY_NAME, ExpectedRun, expected_of, texts_of, texts_wanted
from azureml_replay.synthetic.found import Found
from azureml_replay.synthetic.options import JOB, REFUSED, jobs_put
from azureml_replay.synthetic.staging.batches import TICKS_PER_MS
from azureml_replay.synthetic.staging.manifest import DESCRIPTION_TAG, PARENT_REPORT, REFUSED_REPORT, parameters
from azureml_replay.synthetic.staging.not_staged import note_told
from azureml_replay.synthetic.staging.stage import layout_of
from azureml_replay.synthetic.step.points import PROGRESS, StepProgress
from azureml_replay.synthetic.tree.nodes import SELF, Node, Tree, originals
from azureml_replay.workspace.target import Target

MOST_BYTES = 4_000_000
"""Of a report: a step names a thousand points, and a run has 250 other values at most."""
NOT_NAMED = "its words are not kept"
_LONGEST_WORDS = 500
_KINDS = frozenset({"parameter", "tag", "property", "text", "metric", "points", "file"})
_TAG, _DESCRIPTION = "tag ", "description"

_Point = tuple[int, int, str]
"""Step, milliseconds, and the bits of the value."""


@dataclass(frozen=True, slots=True)
class RefusedValue:
    """One value that a run was refused."""

    kind: str
    """`parameter`, `tag`, `property`, `text` (`description`, `display name`), `metric` (a point), `points` (some), or
    `file`, the name being its place in the job."""
    name: str
    words: str
    point: _Point | None = None
    count: int = 1

    def document(self) -> dict[str, Json]:
        """As the ledger keeps it."""
        point: Json = list(self.point) if self.point else None
        return {"kind": self.kind, "name": self.name, "reason": self.words, "point": point, "count": self.count}


@dataclass(frozen=True, slots=True)
class RefusedValues:
    """What one run was refused."""

    values: Sequence[RefusedValue] = ()

    def named(self, kind: str) -> dict[str, str]:
        """Name -> words of the values of a kind."""
        return {one.name: one.words for one in self.values if one.kind == kind}

    def without(self, wanted: ExpectedRun, run: Run) -> tuple[ExpectedRun, list[Omission]]:
        """The run as it should be, without what was refused and is not there; and that. Points aside."""
        if not self.values:
            return wanted, []
        ours, theirs, texts = texts_wanted(wanted), texts_of(run), self.texts
        lost = {name: words for name, words in texts.items() if name in ours and _is_lost(name, ours, theirs)}
        left = {name: words for name, words in self.named("parameter").items() if name not in run.parameters}
        step = wanted.step
        if step is not None and left:
            kept = {name: value for name, value in step.run.parameters.items() if name not in left}
            left = {name: words for name, words in left.items() if name in parameters(step)}
            step = replace(step, run=replace(step.run, parameters=kept))
        properties = {name: words for name, words in self.named("property").items() if name not in run.properties}
        whole = {**lost, **{f"parameter {name}": words for name, words in left.items()}}
        whole |= {f"property {name}": words for name, words in properties.items() if name in wanted.properties}
        trimmed = replace(
            wanted,
            tags={key: value for key, value in wanted.tags.items() if _TAG + key not in lost},
            description=None if _DESCRIPTION in lost else wanted.description,
            display_name=run.display_name or "" if DISPLAY_NAME in lost else wanted.display_name,
            step=step,
            properties={key: value for key, value in wanted.properties.items() if key not in properties},
        )
        return trimmed, [omission_of(wanted, name, words) for name, words in whole.items()]

    @property
    def texts(self) -> dict[str, str]:
        """Name, as `texts_wanted` gives it, -> words of the texts that were refused."""
        tags = self.named("tag")
        described = {_DESCRIPTION: tags.pop(DESCRIPTION_TAG)} if DESCRIPTION_TAG in tags else {}
        return {**{_TAG + name: words for name, words in tags.items()}, **described, **self.named("text")}

    @property
    def has_points(self) -> bool:
        """True where points are among it."""
        return any(one.kind in ("metric", "points") for one in self.values)


@dataclass(slots=True)
class RefusedRows:
    """Takes refused points out of what a run should have, metric by metric."""

    refused: RefusedValues
    omissions: list[tuple[str, str]] = field(default_factory=list)
    """What, and with which words."""
    _more: int = field(init=False)
    """Points that no report names."""

    def __post_init__(self) -> None:
        self._more = sum(one.count for one in self.refused.values if one.kind == "points")

    def left(self, name: str, wanted: list[Row], there: Sequence[Row]) -> list[Row]:
        """The rows of a metric without those that were refused and are not there."""
        if not self.refused.has_points:
            return wanted
        named = Counter(one.point for one in self.refused.values if one.kind == "metric" and one.name == name)
        lacking = Counter(map(_point, wanted)) - Counter(map(_point, there))
        kept, lost = list[Row](), 0
        for row in wanted:
            point = _point(row)
            if lacking[point] > 0 and (named[point] > 0 or self._more > 0):
                self._more -= named[point] <= 0
                named[point] -= 1
                lacking[point] -= 1
                lost += 1
            else:
                kept.append(row)
        if lost:
            self.omissions.append((f"metric {name}: {counted(lost, 'row')}", self._words(name)))
        return kept

    def _words(self, name: str) -> str:
        of_name = [one.words for one in self.refused.values if one.kind == "metric" and one.name == name]
        return (of_name or [one.words for one in self.refused.values if one.kind == "points"])[0]


def omission_of(wanted: ExpectedRun, what: str, words: str) -> Omission:
    """Of a value that one of the runs of an original was refused."""
    return Omission(wanted.source, wanted.what + redact.text(what), refused_by(words))


@dataclass(slots=True)
class JobRefusals:
    """Knows what the runs of jobs were refused."""

    archive: Archive
    ledger: TargetLedger
    target: Target
    told: list[tuple[RunId, str]] = field(default_factory=list)
    """Original and value, of what became known now."""

    async def learn(self, tree: Tree, held: Found, job: str, choice: FileChoice) -> dict[str, RefusedValues]:
        """Key of each run that was found -> what it was refused. Asks the target once. Raises Unavailable, Rejected.

        Which files storage took not is known of this archive's jobs; steps of another one's tell it.
        """
        known: Mapping[RunId, Any] = self.ledger.carried(originals(tree), Way.JOB)
        theirs, found = RunId(job) not in jobs_put(self.ledger, tree.root), dict[str, RefusedValues]()
        for wanted in expected_of(tree):
            run = held.runs.get(wanted.key)
            kept = _kept(known.get(wanted.source), job, wanted.slot)
            if run is not None and kept is None and (theirs or _lacks(wanted, run)):
                told = [*await self._report(wanted, run, held)]
                if theirs and wanted.leaf is not None:
                    self._keep_files(wanted.leaf, choice, told)
                kept = _counted([one for one in told if one.kind != "file"], run)
                self.keep(wanted, job, kept)
            found[wanted.key] = RefusedValues(kept or ())
        return found

    def _keep_files(self, leaf: Node, choice: FileChoice, told: Sequence[RefusedValue]) -> None:
        """Of the files that a job says it did not get those that are planned."""
        words = {one.name: one.words for one in told if one.kind == "file"}
        if words:
            laid = layout_of(self.archive, self.ledger, leaf, choice)
            self.told += [(leaf.source, f"file {to}") for to in note_told(self.ledger, leaf.source, laid, words)]

    def keep(self, wanted: ExpectedRun, job: str, values: Sequence[RefusedValue]) -> None:
        """Note what more a run was refused; nothing counts as compared any more. Repeatable."""
        carried: Mapping[RunId, Any] = self.ledger.carried([wanted.source], Way.JOB)
        one = carried.get(wanted.source)
        if not isinstance(one, Mapping) or one.get(JOB) != job:
            return  # nothing is known of that job: it is compared as if nobody had told
        documents = [value.document() for value in values]
        before = one.get(REFUSED, {})
        slot = [*before.get(wanted.slot, ()), *(new for new in documents if new not in before.get(wanted.slot, ()))]
        self.ledger.carry({wanted.source: {**one, REFUSED: {**before, wanted.slot: slot}}}, Way.JOB)
        self.told += [(wanted.source, wanted.what + _named(value)) for value in values]

    async def _report(self, wanted: ExpectedRun, run: Run, held: Found) -> Iterator[RefusedValue]:
        """Of the run itself, or of the leaf that logged a parent's values to it."""
        if wanted.leaf is not None:
            return _values(await self._read(run, REFUSED_REPORT))
        own = held.runs.get(f"{wanted.key}/{SELF}".lstrip("/"))
        told = await self._read(own, PARENT_REPORT) if own is not None else None
        said = told.get("missing") if isinstance(told, Mapping) and told.get("parent") == run.id else None
        return _values(said)

    async def _read(self, run: Run, path: str) -> Any:  # noqa: ANN401  # JSON of whatever form
        place = await self._place(run, path)
        if place is None:
            return None
        try:
            return json_text.loads(b"".join([piece async for piece in self.target.read(place)]))
        except (NotFound, ValueError):
            return None

    async def _place(self, run: Run, path: str) -> Location | None:
        async for page in self.target.stored(run.lender or run.id):
            for one in page:
                if one.path == path and one.stored and one.stored.size_bytes <= MOST_BYTES:
                    return one.stored.location
        return None


def trimmed(tree: Tree, held: Found, refused: Mapping[str, RefusedValues]) -> Iterator[ExpectedRun]:
    """Every run that a tree becomes, as it should be without what was refused."""
    for wanted in expected_of(tree):
        run = held.runs.get(wanted.key)
        yield wanted if run is None else refused.get(wanted.key, RefusedValues()).without(wanted, run)[0]


def known_refusals(ledger: TargetLedger, tree: Tree, job: str) -> dict[str, RefusedValues]:
    """Key of each run of a job -> what of it is known to be refused. Asks nobody."""
    known: Mapping[RunId, Any] = ledger.carried(originals(tree), Way.JOB)
    wanted = list(expected_of(tree))
    return {one.key: RefusedValues(_kept(known.get(one.source), job, one.slot) or ()) for one in wanted}


def _is_lost(name: str, ours: Mapping[str, str], theirs: Mapping[str, str]) -> bool:
    """A name that was refused leaves the one that the service gave."""
    return theirs.get(name) != ours[name] if name == DISPLAY_NAME else name not in theirs


def _lacks(wanted: ExpectedRun, run: Run) -> bool:
    """True where a run lacks a text or a parameter, or says that points were refused."""
    expected = parameters(wanted.step) if wanted.step is not None else {}
    return (
        not texts_wanted(wanted).keys() <= texts_of(run).keys()
        or not expected.keys() <= run.parameters.keys()
        or progress_of(run.tags.get(PROGRESS) or "").refused > 0
    )


def _counted(told: list[RefusedValue], run: Run) -> list[RefusedValue]:
    """With points that no report names, by the number that goes with each request."""
    more = progress_of(run.tags.get(PROGRESS) or "").refused - sum(
        one.count for one in told if one.kind in ("metric", "points")
    )
    return [*told, RefusedValue("points", "", NOT_NAMED, count=more)] if more > 0 else told


def _kept(carried: Any, job: str, slot: str) -> list[RefusedValue] | None:  # noqa: ANN401  # as the ledger holds it
    if not isinstance(carried, Mapping) or carried.get(JOB) != job:
        return None
    told = carried.get(REFUSED, {}).get(slot)
    return None if told is None else list(_values(told))


def _values(told: Any) -> Iterator[RefusedValue]:  # noqa: ANN401  # JSON of whatever form
    """What a report, or the ledger, says; what has an unforeseen form says nothing."""
    for one in told if isinstance(told, list) else ():
        value = _value(one) if isinstance(one, Mapping) and str(one.get("kind")) in _KINDS else None
        if value is not None:
            yield value


def _value(one: Mapping[str, Any]) -> RefusedValue | None:
    name, words, point = one.get("name", ""), one.get("reason"), one.get("point")
    try:
        if one["kind"] == "metric":
            step, ms, bits = point or (one.get("step") or 0, one["timestamp"], float(one["value"]).hex())
            point = int(step), int(ms), str(bits)
        count = int(one.get("count", 1))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if not isinstance(name, str) or not isinstance(words, str):
        return None
    return RefusedValue(str(one["kind"]), name, redact.text(words)[:_LONGEST_WORDS], point, count)


def _named(value: RefusedValue) -> str:
    if value.kind == "points":
        return counted(value.count, "point")
    if value.kind == "metric" and value.point:
        return redact.text(f"metric {value.name} step {value.point[0]}")
    return redact.text(f"{value.kind} {value.name}")


def _point(row: Row) -> _Point:
    step, ticks, (value, *_) = row
    return step or 0, (ticks or 0) // TICKS_PER_MS, float(value or 0).hex()


def refused_point(sent: Mapping[str, Any], words: str) -> RefusedValue:
    """A point as it was sent to MLflow."""
    point = sent.get("step") or 0, int(sent["timestamp"]), float(sent["value"]).hex()
    return RefusedValue("metric", str(sent["key"]), redact.text(words), point)


def progress_of(tag: str) -> StepProgress:
    """How far a step says that it came; nothing where somebody made something else of the tag."""
    try:
        return StepProgress.of(tag)
    except ValueError:
        return StepProgress(0)
