"""Small archives, written as extract, replay and verify leave them, with a planted difference and hostile names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Topic, Way
from azureml_replay.azure.place import azure_place
from azureml_replay.comparison.excerpt import thinned
from azureml_replay.comparison.rows import differing_rows, row_findings
from azureml_replay.instants import Instant
from azureml_replay.model import (
    Artifact,
    Finding,
    Location,
    Omission,
    Points,
    Row,
    Run,
    RunDetails,
    RunId,
    Series,
    SeriesKey,
    StoredFile,
)
from looks import all_looked_at, looked_at

SOURCE = azure_place("sub-1", "group", "old")
TARGET = azure_place("sub-2", "group", "new")
BEGIN = Instant.parse("2024-05-06T07:08:09.1234567Z").ticks
SECOND = 10_000_000
PLANTED = RunId("planted")
HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "line\u2028separator\u2029and \u202ereversed\u202c",
    "\x1b]0;owned\x07\x1b[31mred",
    "--><svg onload=document.title='owned'>",
    "\ud800 half a pair",
    "javascript:document.title='owned'",
)


def scalar(name: str) -> Series:
    """One number a row."""
    return Series(key=SeriesKey(name), columns=((name, "Double"),), ux_type="azureml.v1.scalar")


def curve(count: int, *, lift_from: int | None = None) -> list[Row]:
    """Falling; from a row on 2 % higher, where asked."""
    values = [math.exp(-at / count * 3) for at in range(count)]
    lifted = [value * (1.02 if lift_from is not None and at >= lift_from else 1) for at, value in enumerate(values)]
    return [(at, BEGIN + at * SECOND, (value,)) for at, value in enumerate(lifted)]


def a_run(name: str, parent: str | None = None, **more: object) -> Run:
    """Finished after a minute."""
    fields: dict[str, object] = {
        "id": RunId(name),
        "parent": RunId(parent) if parent else None,
        "experiment": "trees",
        "status": "Completed",
        "start": Instant(BEGIN),
        "end": Instant(BEGIN + 60 * SECOND),
        "created": Instant(BEGIN),
        "kind": "azureml.scriptrun",
    }
    return Run(**(fields | more))  # type: ignore[arg-type]


def put(
    archive: Archive,
    runs: Sequence[Run],
    logged: dict[str, list[tuple[Series, list[Row]]]] | None = None,
    files: Sequence[str] = ("outputs/model.bin",),
    unlisted: Sequence[str] = (),
    sizes: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Extracted. `unlisted` files lie in the storage, and the index knows nothing of them; `sizes` are in bytes."""
    archive.put_listed(runs)
    archive.arrange()
    archive.select([run.id for run in runs])
    for run in runs:
        archive.begin(run.id)
        archive.put_details(RunDetails(run=run))
        for series, rows in (logged or {}).get(run.id, []):
            archive.put_chunk(run.id, [Points.of(series, rows)])
        listed = [_file(run.id, path, sizes.get(path, 1_234)) for path in files]
        archive.put_artifacts(run.id, [*listed, *(replace(_file(run.id, path), indexed=False) for path in unlisted)])
        archive.complete(run.id)


def _file(run: RunId, path: str, size: int = 1_234) -> Artifact:
    place = Location("workspaceartifactstore", f"ExperimentRun/dcid.{run}/{path}")
    stored = StoredFile(location=place, size_bytes=size, md5=bytes(range(16)))
    return Artifact(path=path, location=place, indexed=True, stored=stored)


def differ(archive: Archive, run: RunId, series: Series, actual: list[Row]) -> None:
    """As verify does where the target holds `actual`."""
    expected = [row for piece in archive.points(run, series.key) for row in piece.rows()]
    pairs = differing_rows(expected, actual, series)
    archive.ledger(TARGET).put_target_points(run, [thinned(series, actual, pairs)])
    looked_at(archive.ledger(TARGET), run, list(row_findings(pairs, series, run=run)))


def migrated(folder: Path) -> Path:
    """A pipeline of which one step differs by 2 % in the second half of a curve, hostile runs, and 40 equal ones."""
    runs = [
        a_run("pipeline", kind="azureml.PipelineRun", display_name="the pipeline", created=Instant(BEGIN + SECOND)),
        a_run(PLANTED, "pipeline", kind="azureml.StepRun", display_name="train", tags={"team": "blue"}),
        a_run("sibling", "pipeline", kind="azureml.StepRun", status="Failed", display_name="score"),
        *(_hostile(at, text) for at, text in enumerate(HOSTILE)),
        *(a_run(f"plain-{at:02d}", experiment="forest") for at in range(40)),
    ]
    with Archive.create(folder, SOURCE) as archive:
        put(archive, runs, {PLANTED: [(scalar("loss"), curve(5_000)), (scalar("acc"), curve(30))]})
        archive.put_studio(SOURCE, "https://studio.example")
        hostile = [Finding(RunId("hostile-0"), f"tag {HOSTILE[0]}", "differs", *HOSTILE[1:3])]
        all_looked_at(archive, archive.ledger(TARGET), {RunId("hostile-0"): hostile})
        differ(archive, PLANTED, scalar("loss"), curve(5_000, lift_from=2_500))
        left = [
            Omission(
                RunId("sibling"),
                "property CancelUri",
                "it acts on the source workspace (cancel and completion addresses): never sent",
            )
        ]
        archive.ledger(TARGET).put_planned_omissions(Topic(Way.RUN, "sibling"), left)
    return folder


def _hostile(at: int, text: str) -> Run:
    """The text wherever a text may stand."""
    pairs = {text: text}
    indexed = text.replace("\ud800", "")  # columns that SQLite keeps as text: JSON from a service cannot hold it either
    return a_run(
        f"hostile-{at}",
        display_name=text,
        experiment=indexed,
        description=text,
        tags=pairs,
        properties=pairs,
        parameters=pairs,
        creator=indexed,
        error={"code": text, "message": text},
    )
