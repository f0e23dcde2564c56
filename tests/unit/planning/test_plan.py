"""What a plan promises of a run, and what it says cannot be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace

import pytest

from azureml_replay.azure.place import azure_place
from azureml_replay.azure.wire.decode_ties import tied
from azureml_replay.instants import Instant
from azureml_replay.model import (
    Acting,
    Artifact,
    AssetReference,
    CodeReference,
    FileTotals,
    Job,
    Listed,
    Location,
    Reference,
    Run,
    RunDetails,
    RunForm,
    RunId,
    Series,
    SeriesKey,
    StoredFile,
)
from azureml_replay.planning import lineage
from azureml_replay.planning.code import code_of
from azureml_replay.planning.files import ALL_FILES, LOST, FileChoice, planned, target_path
from azureml_replay.planning.fit import (
    CREATED_AT_START,
    CREATED_NOW,
    CREATED_WITHOUT_START,
    IN_LINEAGE,
    JOB_FILE,
    OVERFLOW_FILE,
)
from azureml_replay.planning.history import History
from azureml_replay.planning.plan import (
    CIRCLE,
    SENT_BEFORE,
    Step,
    plan,
    plan_unit,
    shows,
    without_lender,
)
from azureml_replay.planning.summary import PlanSummary, summarize
from azureml_replay.selection import Selection
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.profile import AZURE_ML, CREATED, TargetProfile

SOURCE = azure_place("sub", "group", "old")
BEGAN = Instant.parse("2024-01-02T03:04:05.0000006+00:00")


@dataclass
class Memory:
    """An archive's reading half, in memory: planning is pure, so this is all it needs."""

    held: list[RunDetails]
    source: Place = SOURCE
    jobs: dict[RunId, Job] = field(default_factory=dict)
    logged: dict[RunId, list[tuple[Series, int]]] = field(default_factory=dict)
    files: dict[RunId, tuple[int, int]] = field(default_factory=dict)
    lost: dict[RunId, list[Artifact]] = field(default_factory=dict)
    stored: dict[RunId, list[Artifact]] = field(default_factory=dict)
    ids: dict[RunId, RunId] = field(default_factory=dict)
    alone: frozenset[str] = frozenset()
    lacking: frozenset[RunId] = frozenset()
    """Runs that are to be extracted, the root `top` among them."""
    sent: frozenset[str] = frozenset()

    def unit_of(self, run: RunId) -> RunId | None:
        return run if self.details(run) else None

    def waited_for(self, root: RunId) -> frozenset[RunId]:
        return self.lacking if root == "top" else frozenset()

    def listing(self) -> Iterable[Listed]:
        raise NotImplementedError("only needed where a selection narrows")

    def units(self) -> Iterator[RunId]:
        ids = {one.run.id for one in self.held}
        return (one.run.id for one in self.held if one.run.parent not in ids)

    def unit(self, root: RunId) -> Iterator[Run]:
        level = [one.run for one in self.held if one.run.id == root or root in self.lacking & {one.run.parent}]
        while level:
            yield from level
            above = {run.id for run in level}
            level = [one.run for one in self.held if one.run.parent in above]

    def histories(self, roots: Iterable[RunId] | None = None, target: Place | None = None) -> Iterator[History]:
        units = self.units() if roots is None else roots
        return (self._history(root, run.id) for root in units for run in self.unit(root))

    def history(self, run: RunId, target: Place | None = None) -> History | None:
        return self._history(run, run) if self.details(run) else None

    def _history(self, unit: RunId, run: RunId) -> History:
        details = next(one for one in self.held if one.run.id == run)
        job, lender = self.jobs.get(run), details.run.lender and self.details(details.run.lender)
        return History(
            unit=unit,
            details=details,
            job=job,
            series=self.logged.get(run, []),
            files=self._totals(run),
            code=False if code_of(details.run, job) else None,
            lender_experiment=lender.run.experiment if lender else None,
            ids=self.ids,
            stands_alone=run in self.alone,
            carried={"files": ALL_FILES.to_json()} if run in self.sent else None,
        )

    def details(self, run: RunId) -> RunDetails | None:
        return next((one for one in self.held if one.run.id == run), None)

    def job(self, run: RunId) -> Job | None:
        return self.jobs.get(run)

    def _totals(self, run: RunId) -> FileTotals:
        held = [file.path for file in self.stored.get(run, []) if file.stored]
        twice = len(held) - len(set(held))
        longest = max((len(path.encode()) for path in held), default=0)
        return FileTotals(*self.files.get(run, (0, 0)), lost=len(self.lost.get(run, [])), twice=twice, longest=longest)

    def lost_files(self, run: RunId) -> Iterator[Artifact]:
        return iter(self.lost.get(run, []))

    def artifacts(self, run: RunId) -> Iterator[Artifact]:
        return iter(self.stored.get(run, []))

    def stored_twice(self, run: RunId) -> Iterator[str]:
        paths = [artifact.path for artifact in self.artifacts(run)]
        return iter(sorted({path for path in paths if paths.count(path) > 1}))


def a_run(name: str = "r1", **fields: object) -> Run:
    """A finished run as it is decoded; `fields` override."""
    plain = Run(id=RunId(name), experiment="exp", status="Completed")
    return replace(tied(replace(plain, **fields)), **fields)  # type: ignore[arg-type]


def step_of(run: Run, profile: TargetProfile = AZURE_ML, choice: FileChoice = ALL_FILES, **memory: object) -> Step:
    """The only step of an archive with one run."""
    (step,) = plan(Memory([RunDetails(run=run)], **memory), Selection(), choice, profile)  # type: ignore[arg-type]
    return step


def scalar(name: str) -> Series:
    """A series of one number a row."""
    return Series(key=SeriesKey(name), columns=((name, "Double"),), ux_type="azureml.v1.scalar")


def test_a_run_that_fits_goes_with_every_field() -> None:
    """But its document, its container and a parent that the source has not; with where it comes from."""
    moments = {name: Instant(at) for at, name in enumerate(("start", "end", "created", "modified"), start=1)}
    texts = {name: name for name in ("display_name", "description", "creator", "kind")}
    pairs = {name: {"key": "value"} for name in ("tags", "properties", "parameters", "error", "error_origin")}
    lists = {name: [{"of": name}] for name in ("input_datasets", "output_datasets", "warnings", "document")}
    assets = {name: {"data": AssetReference(name, None)} for name in ("inputs", "outputs")}
    flags = {"parent": RunId("gone"), "hidden": True, "form": RunForm.KEPT, "traits": ("a",), "unknown": ("b",)}
    flags["lender"] = RunId("owner")
    ties = {"acting": Acting(("c",)), "code": CodeReference("d"), "references": (Reference("tag", "e"),)}
    run = a_run(**moments, **texts, **pairs, **lists, **assets, **flags, **ties)
    empty = [one.name for one in fields(Run) if getattr(run, one.name) == getattr(Run(id=RunId("")), one.name)]
    said = json.dumps(lineage.lineage_of(run, SOURCE), separators=(",", ":"))

    planned = step_of(run, TargetProfile(keep_run_type=True)).run

    assert empty == []
    assert planned == replace(
        run,
        parent=None,
        document=None,
        acting=Acting(),
        code=None,
        lender=None,
        tags={lineage.TAG: "r1", "key": "value"},
        properties={lineage.PROPERTY: said, "key": "value"},
    )


@pytest.mark.parametrize(
    "text",
    ["".join(map(chr, range(0x180))), "\u2028\U0001f600/", "half \ud800", str(2**70)],
    ids=["ascii", "more", "half", "large"],
)
def test_lineage_is_spelt_as_json_of_the_standard_library_does(text: str) -> None:
    """Whichever encoder makes it: the property is compared, and cannot be written twice."""
    facts = {"run": text, "before": {"run": None, "number": int(text) if text.isdecimal() else 1}}

    assert lineage.encode(facts) == json.dumps(facts, separators=(",", ":"), ensure_ascii=False)


def test_parents_come_before_children_and_keep_their_ids() -> None:
    """A child never goes out before its parent."""
    held = [RunDetails(run=a_run("c", parent=RunId("p"))), RunDetails(run=a_run("p"))]

    steps = list(plan(Memory(held), Selection()))

    assert [(step.source, step.run.id, step.run.parent, step.depth) for step in steps] == [
        ("p", "p", None, 0),
        ("c", "c", "p", 1),
    ]


def test_a_run_whose_parent_is_gone_stands_alone_and_says_so() -> None:
    """Its parent's id is not sent: the target has no such run."""
    step = step_of(a_run(parent=RunId("gone")))

    assert step.run.parent is None
    assert [omission.what for omission in step.omissions] == ["parent gone"]


def test_a_run_waits_for_what_stands_above_it() -> None:
    """And what is below it, too; one that was sent before stands alone for good, and what is below that does not."""
    names = {"c": "top", "d": "c", "e": "top", "f": "e"}
    held = [RunDetails(run=a_run(run, parent=RunId(parent))) for run, parent in names.items()]
    memory = Memory(held, lacking=frozenset({RunId("top")}), sent=frozenset({"e"}))

    steps = {step.source: step for step in plan_unit(memory, RunId("top"))}

    assert {run: step.waits_for for run, step in steps.items()} == {"c": "top", "d": "top", "e": None, "f": None}
    assert {run: step.run.parent for run, step in steps.items()} == {"c": None, "d": "c", "e": None, "f": "e"}
    told = {one.what: one.reason for step in steps.values() for one in step.omissions}
    assert told == {"parent top": SENT_BEFORE}
    assert summarize(steps.values()).waiting == 2


def test_runs_that_lead_back_to_each_other_say_so() -> None:
    """The first of them has a parent in the source."""
    held = [RunDetails(run=a_run("a", parent=RunId("b"))), RunDetails(run=a_run("b", parent=RunId("a")))]

    first = next(plan_unit(_Circle(held), RunId("a")))

    assert [(one.what, one.reason) for one in first.omissions] == [("parent b", CIRCLE)]


class _Circle(Memory):
    def unit(self, root: RunId) -> Iterator[Run]:
        return (one.run for one in self.held)


def test_lineage_stands_on_every_run() -> None:
    """Tag and property name the source, and what the server owns."""
    created = Instant.parse("2024-01-02T03:04:05.1234567+00:00")
    step = step_of(a_run(kind="azureml.StepRun", created=created, creator="Ann"))

    assert step.run.tags[lineage.TAG] == "r1"
    assert json.loads(step.run.properties[lineage.PROPERTY] or "") == {
        "workspace": SOURCE.key,
        "run": "r1",
        "type": "azureml.StepRun",
        "created": "2024-01-02T03:04:05.1234567+00:00",
        "creator": "Ann",
        "version": lineage.__version__,
    }


def test_a_replay_of_a_replay_keeps_the_chain() -> None:
    """The new lineage points at this source; what the source said of its own origin goes along."""
    first = step_of(a_run()).run

    second = step_of(first).run

    facts = json.loads(second.properties[lineage.PROPERTY] or "")
    assert facts["run"] == "r1"
    assert facts["before"] == json.loads(first.properties[lineage.PROPERTY] or "")


def test_a_lineage_that_is_none_overflows() -> None:
    """Somebody's own value of that name, which no copy of ours has."""
    step = step_of(a_run(properties={lineage.PROPERTY: "somebody's own"}))

    assert "before" not in json.loads(step.run.properties[lineage.PROPERTY] or "")
    assert step.overflow["property"] == {lineage.PROPERTY: "somebody's own"}
    assert [one.what for one in step.omissions] == [f"property {lineage.PROPERTY}"]


def test_lineage_has_priority_and_users_tags_come_before_the_platforms() -> None:
    """Of 60 tags, the first 48 of the user's own stay, as undo's mark needs room; all others overflow, each named."""
    tags = {"_aml_system_a": "1"} | {f"t{at}": str(at) for at in range(59)}

    step = step_of(a_run(tags=tags))

    assert list(step.run.tags) == [lineage.TAG, *(f"t{at}" for at in range(48))]
    assert step.overflow["tag"] == {"_aml_system_a": "1"} | {f"t{at}": str(at) for at in range(48, 59)}
    assert len(step.omissions) == 12
    assert step.own_files == (OVERFLOW_FILE,)


def test_what_is_too_long_goes_whole_into_the_overflow() -> None:
    """Nothing is cut silently: values, keys, names, descriptions."""
    step = step_of(
        a_run(tags={"k" * 101: "v", "long": "x" * 1001, "null": None}, display_name="d" * 257, description="e" * 5001)
    )

    assert step.run.tags == {lineage.TAG: "r1", "null": None}
    assert step.run.display_name is None
    assert step.overflow["text"] == {"display name": "d" * 257, "description": "e" * 5001}
    assert len(step.omissions) == 4


def test_properties_that_act_on_the_source_are_never_sent() -> None:
    """CancelUri would cancel the source's run."""
    step = step_of(a_run(properties={"CancelUri": "x", "azureml.isreused": "true"}))

    assert step.run.properties.keys() == {lineage.PROPERTY, "azureml.isreused"}
    assert [(o.what, o.reason) for o in step.omissions] == [
        ("property CancelUri", "it acts on the source workspace (cancel and completion addresses): never sent")
    ]


def test_keys_that_act_on_the_source_are_one_omission_of_their_run() -> None:
    """Those with a value, by name; what was answered empty is no loss."""
    document = {"cancelUri": "https://source/Cancel", "services": {"ssh": {}}, "actionUris": {}, "diagnosticsUri": ""}
    step = step_of(a_run(document=document, properties={"CancelUri": "x"}))

    assert [(o.what, o.reason) for o in step.omissions] == [
        (
            "cancelUri, services, property CancelUri",
            "it acts on the source workspace (cancel and completion addresses): never sent",
        )
    ]


def test_metrics_beyond_the_fifty_names_overflow() -> None:
    """The first fifty in the service's order are metrics; the rest go into the file."""
    logged = [(scalar(f"m{at:02}"), 3) for at in range(52)]

    step = step_of(a_run(), logged={RunId("r1"): logged})

    assert [series.key.name for series, _ in step.series] == [f"m{at:02}" for at in range(50)]
    assert {key.name for key in step.overflow_series} == {"m50", "m51"}
    assert step.points == 150
    assert OVERFLOW_FILE in step.own_files


def test_values_beyond_a_million_of_a_run_overflow() -> None:
    """All metrics together: one that would lead beyond goes into the file whole, a later one that fits stays."""
    logged = [(scalar("a"), 600_000), (scalar("b"), 400_001), (scalar("c"), 400_000)]

    step = step_of(a_run(), logged={RunId("r1"): logged})

    assert [series.key.name for series, _ in step.series] == ["a", "c"]
    assert [(one.what, one.reason) for one in step.omissions] == [
        ("metric b", f"more than 1,000,000 values of a run; kept in {OVERFLOW_FILE}")
    ]


def test_names_and_texts_that_the_service_refuses_overflow_beforehand() -> None:
    """255 characters fit, 256 do not; the run does not fail at the service's refusal."""
    words = Series(key=SeriesKey("words"), columns=(("w", "String"),))
    logged = [
        (scalar("n" * 255), 1),
        (scalar("n" * 256), 1),
        (replace(words, longest_text=255), 1),
        (replace(words, key=SeriesKey("long"), longest_text=256), 1),
    ]

    step = step_of(a_run(), logged={RunId("r1"): logged})

    assert [series.key.name for series, _ in step.series] == ["n" * 255, "words"]
    assert {key.name for key in step.overflow_series} == {"n" * 256, "long"}
    assert [omission.reason.partition(";")[0] for omission in step.omissions] == [
        "a name longer than 255 characters",
        "a text longer than 255 characters",
    ]


def test_a_reused_step_shows_the_container_of_the_step_that_ran() -> None:
    """Under that one's id in the target; there is nothing to send, and our own file goes into a folder by its id."""
    again = RunDetails(run=a_run("again", lender=RunId("owner")), definition={"script": "train.py"})
    ids = {RunId("owner"): RunId("new-owner"), RunId("again"): RunId("new-again")}
    memory = Memory([RunDetails(run=a_run("owner")), again], ids=ids)

    step = next(step for step in plan(memory, Selection()) if step.source == "again")

    assert (step.run.lender, step.omissions, step.points, step.files) == ("new-owner", (), 0, 0)
    assert [(one.path, one.made) for one in step.made_files()] == [("replay/reused/new-again/job.json", JOB_FILE)]
    created_alone, without = replace(memory, alone=frozenset({"again"})), TargetProfile(reuse=False)
    for less, profile in ((created_alone, AZURE_ML), (memory, without)):
        left = next(step for step in plan(less, Selection(), profile=profile) if step.source == "again")
        assert (left.run.lender, left.lender, len(left.omissions)) == (None, None, 1)
        if profile is AZURE_ML:
            assert without_lender(step) == left
            assert without_lender(left) == left


def test_a_reused_step_leaves_files_and_points_to_their_owner() -> None:
    """They are carried once."""
    step = step_of(a_run(lender=RunId("other")))

    assert [omission.what for omission in step.omissions] == ["files and metrics of other"]


def test_the_job_document_becomes_a_file() -> None:
    """A root job's ARM document cannot be written to run history."""
    job = Job(RunId("r1"), {"properties": {"jobType": "Command"}})

    assert step_of(a_run(), jobs={RunId("r1"): job}).own_files == (JOB_FILE,)


@pytest.mark.parametrize(
    ("runs", "files", "said"),
    [(7_999_999, 7_999_999, ()), (8_000_000, 0, ("8,000,000 runs",)), (0, 12_000_000, ("12,000,000 files",))],
)
def test_a_plan_warns_where_a_workspace_may_be_too_small(runs: int, files: int, said: tuple[str, ...]) -> None:
    """From four fifths of what it holds: what the target has already is not known here."""
    summary = PlanSummary(runs=runs, files=files)
    summary.close()

    assert [one.partition(":")[0] for one in summary.near_limits] == list(said)


def test_fields_that_the_target_was_seen_to_lose_are_planned_omissions() -> None:
    """Only where the run has a value there."""
    start = Instant.parse("2024-01-02T03:04:05+00:00")

    step = step_of(a_run(start=start), TargetProfile(lost=frozenset({"start", "end"})))

    assert step.run.start is None
    assert [omission.what for omission in step.omissions] == ["start"]


@pytest.mark.parametrize(
    ("at_start", "start", "reason"),
    [
        (None, BEGAN, None),
        (True, BEGAN, None),
        (True, BEGAN.after(1), CREATED_AT_START + IN_LINEAGE),
        (None, None, CREATED_WITHOUT_START + IN_LINEAGE),
        (False, BEGAN, CREATED_NOW + IN_LINEAGE),
    ],
)
def test_a_creation_time_that_the_target_will_not_show_is_said(
    at_start: bool | None, start: Instant | None, reason: str | None
) -> None:
    """The target is expected to take the start that it is sent; the lineage keeps the source's own time."""
    step = step_of(a_run(created=BEGAN, start=start), TargetProfile(created_at_start=at_start))

    assert [(one.what, one.reason) for one in step.omissions] == ([(CREATED, reason)] if reason else [])
    assert json.loads(step.run.properties[lineage.PROPERTY] or "")["created"] == str(BEGAN)


def test_files_left_out_are_counted() -> None:
    """--no-artifacts says how many stayed behind."""
    step = step_of(a_run(), choice=FileChoice(artifacts=False), files={RunId("r1"): (7, 100)})

    assert (step.files, [omission.what for omission in step.omissions]) == (0, ["7 files"])


def test_a_file_without_bytes_is_an_omission() -> None:
    """The index lists it, the storage lacks it."""
    lost = Artifact(path="logs/x.txt", location=Location("store", "p"), indexed=True, stored=None)

    step = step_of(a_run(), files={RunId("r1"): (2, 10)}, lost={RunId("r1"): [lost]})

    assert (step.files, [omission.what for omission in step.omissions]) == (2, ["file logs/x.txt"])


def test_a_name_that_no_storage_holds_is_an_omission() -> None:
    """What moves below `replay/source/` grows; an emoji takes two of the 1,024 characters that a name has."""
    room = 1_024 - len("ExperimentRun/dcid.r1/")
    fits = ["replay/".ljust(room - len("source/"), "x"), "o".ljust(room - 1, "x"), "e" + "🚀" * ((room - 1) // 2)]
    paths = [*fits, fits[0] + "x", "o".ljust(room + 1, "x"), fits[2] + "🚀"]
    places = [Location("store", path) for path in paths]
    files = [
        Artifact(path=at.path, location=at, indexed=True, stored=StoredFile(location=at, size_bytes=5)) for at in places
    ]

    step = step_of(a_run(), files={RunId("r1"): (6, 30)}, stored={RunId("r1"): files})

    assert (step.files, step.bytes) == (3, 15)
    assert [omission.what for omission in step.omissions] == [f"file {path}" for path in paths[3:]]
    carried = [
        one.artifact.path for one in planned(files, FileChoice(), step.room) if one.artifact and not one.omission
    ]
    assert carried == fits


def test_our_own_folder_makes_room() -> None:
    """A source's `replay/` moves; everything else keeps its path."""
    assert target_path("replay/job.json") == "replay/source/job.json"
    assert target_path("outputs/replay/job.json") == "outputs/replay/job.json"


def test_a_summary_counts_what_the_steps_say() -> None:
    """Units, runs, points, files and omissions by reason."""
    held = [RunDetails(run=a_run("p")), RunDetails(run=a_run("c", parent=RunId("p"), properties={"CancelUri": "x"}))]
    memory = Memory(held, logged={RunId("c"): [(scalar("loss"), 20)]}, files={RunId("p"): (2, 300)})

    summary = summarize(plan(memory, Selection()))

    assert (summary.units, summary.runs, summary.points, summary.files, summary.bytes) == (1, 2, 20, 2, 300)
    assert summary.reasons == {"it acts on the source workspace (cancel and completion addresses): never sent": 1}


def test_what_names_the_source_as_the_place_of_files_stays_behind() -> None:
    """The target's service makes its own: neither property nor tag goes, and it is no omission."""
    place = {"mlflow.artifactUri": "azureml://host/mlflow/v2.0/subscriptions/s/…/runs/r1/artifacts"}

    step = step_of(a_run(properties={**place, "a": "b"}, tags={**place, "c": "d"}))

    assert (step.run.properties.keys(), step.run.tags.keys()) == ({lineage.PROPERTY, "a"}, {lineage.TAG, "c"})
    assert step.omissions == ()


def test_where_each_run_has_its_own_container_a_reused_step_has_its_owners_content() -> None:
    """Points and files of the owner, no omission; an owner that the archive lacks stays one."""
    held = [RunDetails(run=a_run("owner")), RunDetails(run=a_run("again", lender=RunId("owner")))]
    memory = Memory(held, logged={RunId("owner"): [(scalar("loss"), 20)]}, files={RunId("owner"): (2, 300)})
    apart = replace(AZURE_ML, reuse=False, own_contents=True)

    steps = {step.source: step for step in plan(memory, Selection(), ALL_FILES, apart)}

    reused, owner = steps[RunId("again")], steps[RunId("owner")]
    assert (reused.contents, reused.points, reused.files, reused.omissions) == ("owner", 20, 2, ())
    assert (reused.lender, reused.run.lender, shows(reused)) == (None, None, {"shows": "owner"})
    assert (owner.contents, owner.points, shows(owner)) == ("owner", 20, {})
    without = Memory([RunDetails(run=a_run(lender=RunId("gone")))])
    (alone,) = plan(without, Selection(), ALL_FILES, apart)
    assert (alone.owner, alone.points) == (None, 0)
    assert [one.what for one in alone.omissions] == ["files and metrics of gone"]


def test_a_steps_files_are_one_list() -> None:
    """Sent and expected as it says: what is carried and where to, what is not and why, and those that we make."""
    sizes = {"a": 5, "b": 2_000, "c": None, "replay/d": 1}
    files = [_file(path, size) for path, size in sizes.items()] + [_file("a", 7, indexed=False)]
    files.sort(key=lambda file: file.path)
    job = {RunId("r1"): Job(RunId("r1"), {"properties": {}})}
    held = {"stored": {RunId("r1"): files}, "files": {RunId("r1"): (4, 2_013)}, "jobs": job}
    memory = Memory([RunDetails(run=a_run())], **held)  # type: ignore[arg-type]

    (step,) = plan(memory, Selection(), FileChoice(most_bytes=1_000))

    found = {one.path: one for one in step.planned_files(memory)}
    carried = {path: one.artifact.stored for path, one in found.items() if one.artifact and not one.omission}
    assert {path: stored and stored.size_bytes for path, stored in carried.items()} == {
        "a": 5,
        "replay/unindexed/a": 7,
        "replay/source/d": 1,
    }
    assert (step.files, step.bytes) == (3, 13)
    assert (found["b"].omission, found["c"].omission) == ("left out by --max-file-size", LOST)
    assert [(one.path, one.made) for one in found.values() if one.made] == [(JOB_FILE, JOB_FILE)]
    said = [omission.what for omission in step.omissions]
    assert said == ["path of a second file a", "file b", "file c"]


def _file(path: str, size: int | None, *, indexed: bool = True) -> Artifact:
    place = Location("store", f"{indexed}/{path}")
    stored = StoredFile(location=place, size_bytes=size) if size is not None else None
    return Artifact(path=path, location=place, indexed=indexed, stored=stored)
