"""Says by itself whether two workspaces and an archive agree: nothing of the product compares here.

A workspace is read behind the service's back, an archive by its reading doors; both as plain values. What was to be
compared, and what a look saw, is a model of its own, which test_machine.py holds against the product's verdicts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from hashlib import md5
from typing import Any

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.wire import decode
from azureml_replay.model import Run
from azureml_replay.planning import lineage
from azureml_replay.planning.files import FileChoice
from azureml_replay.workspace.mark import OUR_MARKS
from azureml_sandbox import instants
from azureml_sandbox.world import ARTIFACT_STORE, RUN_ORIGIN
from e2e.tampering import Held

FIELDS, POINTS, FILES, BYTES, CHILDREN = "fields", "points", "files", "bytes", "children"
MADE = "replay/"
_PLAIN = (
    "parent",
    "experiment",
    "status",
    "start",
    "end",
    "display_name",
    "description",
    "parameters",
    "hidden",
)


@dataclass(frozen=True)
class Blob:
    """One file of a run."""

    size: int
    told: bytes | None
    """The MD5 that storage tells."""
    md5: bytes | None
    """Of the bytes; None in an archive that does not know it."""
    indexed: bool = True
    stored: bool = True


@dataclass(frozen=True)
class Seen:
    """One run, of a workspace or an archive."""

    fields: Mapping[str, object]
    points: Mapping[object, int]
    files: Mapping[str, Blob]
    unit: str = ""
    waiting: bool = False
    """Only last values are known, which nobody sends."""
    job: str = ""
    """The job that it is a part of, where replay submitted one."""

    @property
    def experiment(self) -> str:
        """Its name."""
        return str(self.fields["experiment"])


@dataclass(frozen=True)
class Side:
    """A workspace, or an archive."""

    runs: Mapping[str, Seen]
    experiments: Mapping[str, tuple[object, ...]]
    listed: frozenset[str] = frozenset()
    """Ids that an archive knows, extracted or not."""
    lacking: frozenset[str] = frozenset()
    """Of those it wants and does not have yet."""


def values(run: Run) -> dict[str, object]:
    """What has to arrive; marks say where a copy came from, what was sent of it last, and that it was taken back."""
    tags = {key: value for key, value in run.tags.items() if key not in (lineage.TAG, *OUR_MARKS)}
    return {name: getattr(run, name) for name in _PLAIN} | {"tags": tags}


def workspace(held: Held, cache: dict[str, bytes]) -> Side:
    """Everything that a workspace holds. `cache`: MD5s by etag."""
    experiments, runs = {}, dict[str, Seen]()
    files = _blobs(held, cache)
    jobs = set[str]()
    for _, one in held.world.experiments.page(held.guid, "All", limit=1000):
        name = one["name"]
        experiments[name] = (
            one.get("description") or None,
            _tags(one["tags"]),
            bool(one["archivedTime"]),
        )
        for document in held.world.runs.of_experiment(held.guid, one["experimentId"]):
            run = document["runId"]
            if lineage.JOB_PROPERTY in document["properties"]:
                jobs.add(run)
            runs[run] = Seen(values(decode.run(document, name)), _rows(held, run), _files(held, run, files))
    return Side({run: replace(one, job=_job(run, runs, jobs)) for run, one in runs.items()}, experiments)


def _tags(tags: Mapping[str, Any]) -> tuple[object, ...]:
    """Of an experiment; one says that replay made it."""
    return tuple(sorted((key, value) for key, value in tags.items() if key != lineage.EXPERIMENT_TAG))


def _job(run: str | None, runs: Mapping[str, Seen], jobs: Collection[str]) -> str:
    while run is not None and run not in jobs:
        seen = runs.get(run)
        run = None if seen is None else seen.fields["parent"]  # type: ignore[assignment]
    return run or ""


def _rows(held: Held, run: str) -> Counter[object]:
    return Counter(
        (one.name, row["step"], instants.parse(row["createdUtc"]), tuple(row["data"].values()))
        for one in held.world.metrics.of_container(held.guid, f"dcid.{run}")
        for _, row in held.world.metrics.rows(held.guid, one)
    )


def _blobs(held: Held, cache: dict[str, bytes]) -> dict[str, Blob]:
    store, found = held.blobs._containers[ARTIFACT_STORE], {}
    for one in store.list_blobs(name_starts_with=f"{RUN_ORIGIN}/dcid."):
        told = one.content_settings.content_md5
        key = one.name + one.etag
        if key not in cache:
            cache[key] = md5(held.blobs.read(ARTIFACT_STORE, one.name) or b"", usedforsecurity=False).digest()
        found[one.name] = Blob(one.size, None if told is None else bytes(told), cache[key], indexed=False)
    return found


def _files(held: Held, run: str, blobs: Mapping[str, Blob]) -> dict[str, Blob]:
    folder = f"{RUN_ORIGIN}/dcid.{run}/"
    indexed = {one["path"] for one in held.world.artifacts.page(held.guid, (RUN_ORIGIN, f"dcid.{run}"))}
    found = {name.removeprefix(folder): one for name, one in blobs.items() if name.startswith(folder)}
    nothing = Blob(0, None, None, stored=False)
    return {
        path: Blob(**{**vars(found.get(path, nothing)), "indexed": path in indexed}) for path in found.keys() | indexed
    }


def archived(archive: Archive) -> Side:
    """Everything that an archive wants a target to have."""
    runs: dict[str, Seen] = {}
    for history in archive.histories():
        run = history.details.run
        rows: Counter[object] = Counter()
        for _, pieces in archive.chunks(run.id):
            for points in pieces:
                name = points.series.key.name
                rows.update((name, step, ticks, tuple(cells)) for step, ticks, cells in points.rows())
        files = {
            one.path: Blob(one.stored.size_bytes, one.stored.md5, one.stored.md5)
            for one in archive.artifacts(run.id)
            if one.stored
        }
        runs[run.id] = Seen(values(run), rows, files, history.unit, history.only_last)
    experiments = {
        one.name: (one.description or None, _tags(one.tags), bool(one.archived)) for one in archive.experiments()
    }
    lacking = frozenset(run for root in archive.units() for run in archive.lacking(root))
    return Side(runs, experiments, frozenset(one.id for one in archive.listing()), lacking)


def unlike(wanted: Blob, there: Blob) -> bool:
    """By what storage tells of them."""
    if not there.stored or wanted.size != there.size:
        return True
    return None not in (wanted.told, there.told) and wanted.told != there.told


def takes(choice: FileChoice, path: str, size: int) -> bool:
    """Whether a choice of files takes this one; `others` are left to the caller."""
    return (
        choice.artifacts
        and (not choice.globs or any(fnmatchcase(path, glob) for glob in choice.globs))
        and (choice.most_bytes is None or size <= choice.most_bytes)
    )


@dataclass
class Differences:
    """Names of what differs."""

    sure: set[str] = field(default_factory=set)
    maybe: set[str] = field(default_factory=set)
    """Of which the oracle does not know whether they do; the sure ones among them."""

    def add(self, name: str, *, sure: bool = True) -> None:
        """One that differs, or may."""
        self.maybe.add(name)
        if sure:
            self.sure.add(name)


@dataclass
class Carried:
    """What was to go of one run."""

    choices: tuple[FileChoice, ...] = ()
    """Of all replays, at least; none: nothing was sent, all should be there."""
    unsure: bool = False
    """True where more may have been to go."""
    doubt: bool = False
    """True where `choices` may be of no account any more, or where a replay of all was cut before or after this."""

    def takes(self, path: str, size: int) -> bool:
        """Whether a file was to go."""
        return not self.choices or any(takes(one, path, size) for one in self.choices)

    def add(self, files: FileChoice) -> None:
        """A replay has taken place."""
        if self.doubt:
            self.choices, self.unsure, self.doubt = (), True, False
        if files not in self.choices:
            self.choices = (*self.choices, files)


def compare(
    wanted: Seen,
    there: Seen | None,
    carried: Carried,
    made: Mapping[str, bytes | None],
    source: Seen | None,
    stale: bool,
) -> dict[str, Differences]:
    """By aspect. `made`: replay's own files as they were sent; `stale`: the archive changed since."""
    found = {aspect: Differences() for aspect in (FIELDS, POINTS, FILES, BYTES)}
    if there is None:
        found[FIELDS].add("run")
        return found
    for name, value in wanted.fields.items():
        if there.fields[name] != value:
            found[FIELDS].add(name)
    if not wanted.waiting and wanted.points != there.points:
        found[POINTS].add("points")
    if wanted.waiting and there.points:
        found[POINTS].add("points", sure=False)
    _compare_files(wanted, there, carried, made, source, stale, found)
    return found


def _compare_files(
    wanted: Seen,
    there: Seen,
    carried: Carried,
    made: Mapping[str, bytes | None],
    source: Seen | None,
    stale: bool,
    found: dict[str, Differences],
) -> None:
    for path, file in wanted.files.items():
        at = there.files.get(path)
        if not carried.takes(path, file.size):
            if carried.unsure:
                found[FILES].add(path, sure=False)
                found[BYTES].add(path, sure=False)
            if at is not None and (not at.indexed or unlike(file, at)):  # left of what an earlier choice brought
                found[FILES].add(path, sure=False)
            continue
        if at is None or not at.indexed or unlike(file, at):
            found[FILES].add(path)
        if at is not None and at.stored:
            right = file.md5 or (source.files[path].md5 if source and path in source.files else None)
            if at.md5 != right:
                found[BYTES].add(path)
                found[FILES].add(path, sure=False)  # without an MD5 its ETag may have told, and then its bytes do
    for path in made:
        at = there.files.get(path)
        if at is None or not at.stored or not at.indexed:
            found[FILES].add(path)
        elif at.md5 != made[path]:
            found[BYTES].add(path)
            found[FILES].add(path, sure=at.told == at.md5)
        elif stale:
            found[FILES].add(path, sure=False)
            found[BYTES].add(path, sure=False)
    for path in there.files.keys() - wanted.files.keys() - made.keys():
        found[FILES].add(path)


NOTHING = "nothing"
"""Where a text is not there: no text of an edit says so."""


def texts(seen: Seen) -> dict[str, object]:
    """What people write onto a run, as findings call it."""
    plain = {"display name": "display_name", "description": "description", "hidden": "hidden"}
    told = {name: seen.fields[key] for name, key in plain.items() if seen.fields[key] is not None}
    tags: Any = seen.fields["tags"]
    return told | {f"tag {key}": value for key, value in tags.items()}


def pair(wanted: Seen, there: Seen, name: str) -> tuple[object, object]:
    """Both sides of a text."""
    return texts(wanted).get(name, NOTHING), texts(there).get(name, NOTHING)


def excuse(found: Differences, wanted: Seen, there: Seen, accepted: Mapping[str, tuple[object, object]]) -> None:
    """Take from what differs for sure the fields of which every differing text is accepted, as it is now."""
    differing = {name for name in texts(wanted) | texts(there) if len({*map(repr, pair(wanted, there, name))}) > 1}
    left = {name for name in differing if accepted.get(name) != pair(wanted, there, name)}
    fields = {"tags": "tag ", "display_name": "display name", "description": "description", "hidden": "hidden"}
    found.sure -= {one for one, name in fields.items() if not any(text.startswith(name) for text in left)}


def strangers(archive: Side, there: Side) -> dict[str, set[str]]:
    """Experiment -> runs below one of ours that the archive does not know."""
    found: dict[str, set[str]] = {}
    for run, seen in there.runs.items():
        if seen.fields["parent"] in archive.listed and run not in archive.listed and not seen.job:
            found.setdefault(seen.experiment, set()).add(run)
    return found


@dataclass
class Job:
    """A unit that stands as a job, or stood as one."""

    name: str
    runs: Mapping[str, Seen]
    """The job and all below it, as it ended."""
    originals: Mapping[str, Seen]
    """What the archive held when it was submitted."""
    undone: bool = False

    def compare(self, there: Side, unit: Mapping[str, Seen]) -> dict[str, Differences]:
        """By aspect: how the job is now, beside how it ended."""
        found = {aspect: Differences() for aspect in (FIELDS, POINTS, FILES, BYTES, CHILDREN)}
        now = tree_of(there, self.name)
        for run in now.keys() - self.runs.keys():
            found[CHILDREN].add(run)
        for run, was in self.runs.items():
            if run not in now:
                found[FIELDS].add(run)
            else:
                self._compare(run, was, now[run], found)
        for run in unit.keys() - self.originals.keys():
            found[FIELDS].add(run)
        if unit != self.originals:
            for differing in found.values():
                differing.add("another plan", sure=False)
        return found

    def _compare(self, run: str, was: Seen, now: Seen, found: dict[str, Differences]) -> None:
        if was.fields != now.fields:
            found[FIELDS].add(run)
        if was.points != now.points:
            found[POINTS].add(run)
        for path in was.files.keys() | now.files.keys():
            one, other = was.files.get(path), now.files.get(path)
            if one is None or other is None or not other.stored or unlike(one, other):
                found[FILES].add(f"{run}: {path}")
            elif one.md5 != other.md5:
                found[BYTES].add(f"{run}: {path}")


def tree_of(there: Side, job: str) -> dict[str, Seen]:
    """The job and all below it, with the files that are the originals'."""
    return {
        run: replace(one, files={path: file for path, file in one.files.items() if path.startswith("outputs/")})
        for run, one in there.runs.items()
        if one.job == job
    }


@dataclass
class Rec:
    """What is known of one aspect of one thing in one target."""

    against: object = None
    whole: bool = False
    differences: Differences = field(default_factory=Differences)


@dataclass
class Known:
    """What was looked at of one target."""

    recs: dict[tuple[str, str, str], Rec] = field(default_factory=dict)
    """By `run`, `experiment` or `others`; name; aspect."""
    carried: dict[str, Carried] = field(default_factory=dict)
    made: dict[str, dict[str, bytes | None]] = field(default_factory=dict)
    made_of: dict[str, Seen] = field(default_factory=dict)
    """What the archive held when a run's own files were written."""
    jobs: dict[str, Job] = field(default_factory=dict)
    """By unit."""
    created: set[str] = field(default_factory=set)
    """Runs that were ever created as they were."""
    written: dict[str, dict[str, object]] = field(default_factory=dict)
    """By run: what our own writes left of each text of people."""
    accepted: dict[str, dict[str, tuple[object, object]]] = field(default_factory=dict)
    """By run: text -> what the archive had and what the target had when somebody accepted that."""
    open: list[set[tuple[str, str, str]]] = field(default_factory=list)
    """Of each interrupted look what it comes to last: one of these at least was not looked at since."""

    def rec(self, *key: str) -> Rec:
        """Made where there is none."""
        return self.recs.setdefault(key, Rec())  # type: ignore[arg-type]

    def forget(self, kind: str, name: str) -> None:
        """Something of ours changed it: findings about bytes may stand."""
        for key, rec in self.recs.items():
            if key[:2] == (kind, name):
                rec.whole = False
                kept = rec.differences.maybe if key[2] == BYTES else set()
                rec.differences = Differences(set(), set(kept))

    def look(self, key: tuple[str, str, str], against: object, found: Differences) -> None:
        """A whole look."""
        self.recs[key] = Rec(against, True, found)
        self.open = [group for group in self.open if key not in group]

    def look_at_part(self, key: tuple[str, str, str], found: Differences, part: Any) -> None:
        """At those of which `part` is true."""
        rec = self.rec(*key)
        rec.differences = Differences(
            {one for one in rec.differences.sure if not part(one)} | {one for one in found.sure if part(one)},
            {one for one in rec.differences.maybe if not part(one)} | found.maybe,
        )

    def blur(self, keys: Iterable[tuple[str, str, str]], found: Mapping[tuple[str, str, str], Differences]) -> None:
        """An interrupted look: any of these may have been looked at, not all of them."""
        keys = set(keys)
        for key in keys:
            rec = self.rec(*key)
            rec.differences = Differences(
                rec.differences.sure & found[key].sure, rec.differences.maybe | found[key].maybe
            )
        last = {key for key in keys if key[0] == "others"} or {key for key in keys if key[0] == "experiment"}
        self.open.append(last)
