"""A workspace with every oddity of the sample: each omission was to be expected, none is more, and nothing fails."""

from __future__ import annotations

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.model import Omission, Run
from azureml_replay.planning.made_files import NO_CODE
from azureml_replay.planning.plan import plan
from azureml_replay.selection import Selection
from azureml_replay.verbs import MigrateOptions
from azureml_replay.workspace.profile import CREATED
from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox
from e2e.library import migrated
from interfaces.deviations import ODD
from interfaces.held import held

OVERFLOW = "; kept in replay/overflow.json"
EXPECTED = {
    ("orphan", "parent", "the source has no such run"): 1,
    ("disagreeing", "file", "listed, not stored"): 1,
    ("many-parameters", "parameter", "more than 200 parameters" + OVERFLOW): 55,
    ("many-metrics", "metric", "more than 50 metric names" + OVERFLOW): 10,
    ("long-texts", "text", "longer than 256 characters" + OVERFLOW): 1,
    ("long-texts", "text", "longer than 5000 characters" + OVERFLOW): 1,
    ("many-properties", "property", "value longer than 1000 characters" + OVERFLOW): 1,
    ("many-properties", "property", "more than 49 properties" + OVERFLOW): 26,
    ("many-tags", "tag", "more than 48 tags" + OVERFLOW): 27,
    ("system-tags", "tag", "value longer than 1000 characters" + OVERFLOW): 1,
    ("acting", "actionUris,", "it acts on the source workspace (cancel and completion addresses): never sent"): 1,
    ("rich-metrics", "metric", "no target takes it; kept in the archive"): 1,
}
"""By run, what and why: FIDELITY's rules, counted by hand."""
WHOLE = ("null-tags", "running", "archived", "not-finite", "odd-names", "elsewhere", "step-that-ran", "step-reused")
"""Odd, and carried without an omission."""

MEANT = {
    "property": "properties",
    "tag": "tags",
    "parameter": "parameters",
    "metric": "metrics",
    "text display name": "displayName",
    "text description": "description",
    "text error message": "error",
    "input datasets": "inputDatasets",
    "output datasets": "outputDatasets",
    "output model, workspaceblobstore: azureml/": "outputs",
    "output debug_info, workspaceblobstore: azureml/": "outputs",
    "output flow_outputs, workspaceblobstore: azureml/": "outputs",
    "value at job": "job",
    "parent": "parentRunId",
}
"""How an omission begins -> what the sample says must be one."""
LENT = {"dataContainerId"}
"""An omission only where a target does not take the container that a reused step is to show: this one does."""


def meant(one: Omission) -> set[str]:
    """In the sample's words; what nobody expects stays as it is. One omission names all keys that act on the source."""
    acts = one.reason == "it acts on the source workspace (cancel and completion addresses): never sent"
    return {_meant(what) for what in (one.what.split(", ") if acts else [one.what])}


def _meant(what: str) -> str:
    file = re.fullmatch(r"(?:path of a second )?(file .*)", what)
    return file[1] if file else next((key for start, key in MEANT.items() if what.startswith(start)), what)


def queued(archive: Archive) -> Iterator[Run]:
    """The runs that were created at another moment than they started."""
    runs = (run for root in archive.units() for run in archive.unit(root))
    return (run for run in runs if run.created is not None and run.created != run.start)


def has_code(archive: Archive, run: Run) -> bool:
    """A snapshot, or a job that names a registered folder."""
    job = archive.job(run.id)
    return "ContentSnapshotId" in run.properties or (job is not None and "/codes/" in str(job.document))


def test_every_omission_of_a_hostile_workspace_is_expected(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Extracted, replayed, and every value and byte compared; what the plan said is what verify counted."""
    source, target = calm.add_workspace(), calm.add_workspace()
    shape = Wanted(runs=4, children=3, experiments=1, seed=0, series=1, points=3, artifacts=1)
    odd = sample(calm.folder, source.workspace_name, shape, hostile=True).hostile
    chosen, options = Selection(include_active=True), MigrateOptions(deep=True)

    with held(calm, ODD):
        done = asyncio.run(migrated(source, target, tmp_path / "archive", selection=chosen, options=options))

    assert (done.extracted.failed, done.replayed.failed, done.replayed.conflicts) == ((), (), ())
    told: Counter[tuple[str, str, str]] = Counter()
    omitted: defaultdict[str, set[str]] = defaultdict(set)
    with Archive.open(tmp_path / "archive", write=False) as archive:
        assert [finding for there in archive.targets() for finding in archive.ledger(there).findings()] == []
        planned = [one for step in plan(archive, Selection()) for one in step.omissions]
        waited = [one for one in planned if one.what == CREATED]
        assert {one.run for one in waited} == {one.id for one in queued(archive)}
        planned = [one for one in planned if one.what != CREATED]
        code = {one.run for one in planned if one.reason == NO_CODE}
        assert code == {run.id for root in archive.units() for run in archive.unit(root) if has_code(archive, run)}
        assert code, "some of its jobs have code"
        for one in [*(one for one in planned if one.reason != NO_CODE), *archive.omissions()]:
            reason = one.reason.rpartition("; ")[2] if "404" in one.reason else one.reason
            omitted[one.run] |= meant(one)
            told[one.run.removeprefix("hostile-0-"), one.what.split()[0], reason] += 1
        lacking = archive.missed_assets()
    assert set(lacking.values()) == {"the workspace has none of that name and version"}
    assert len(lacking) == 4, "what its jobs name, and it does not have"
    assert done.verdict.omissions == told.total() + len(code) + len(waited) + len(lacking)
    named = {run for run, _, _ in EXPECTED} | set(WHOLE)
    assert {key: count for key, count in told.items() if key[0] in named} == EXPECTED
    assert not any(run.startswith("sample") for run, _, _ in told), "the ordinary runs have none"
    expected = {each["run"]: set(each["omissions"]) - LENT - {"run"} for each in odd}
    assert dict(omitted) == {run: what for run, what in expected.items() if what}
