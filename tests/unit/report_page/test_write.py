"""What is drawn is what was logged, to 12 bits; what is said of it is exact."""

from __future__ import annotations

import base64
import gzip
import math
import random
import struct
from pathlib import Path

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.database import now
from azureml_replay.azure.place import azure_place
from azureml_replay.comparison.three_way import Fate
from azureml_replay.errors import UserError
from azureml_replay.instants import Instant
from azureml_replay.model import Finding, Location, Row, RunId, Series, SeriesKey, StoredFile
from azureml_replay.report_page import NotBuilt, report
from azureml_replay.report_page import write as writing
from azureml_replay.report_page.blocks import Numbers, block
from azureml_replay.report_page.curves import MetricFindings, metrics_of
from azureml_replay.report_page.facts import Curve, Line
from azureml_replay.report_page.head import Sums, verdict
from azureml_replay.terminal.text import moment
from looks import looked_at
from report.archives import BEGIN, PLANTED, SECOND, SOURCE, TARGET, a_run, curve, differ, migrated, put, scalar


def values(line: Line, numbers: Numbers) -> list[float]:
    """As the page decodes them; NaN where there is no finite number."""
    planes = numbers.planes()
    half = len(planes) // 2
    codes = [planes[at] << 8 | planes[half + at] for at in range(line.at, line.at + line.n)]
    return [math.nan if code > 4092 else line.low * (1 - code / 4092) + line.high * (code / 4092) for code in codes]


def places(line: Line) -> list[int]:
    """As the page decodes them."""
    even = len(line.x) == 2 and line.n > 2
    found = [line.x[0]]
    for at in range(1, line.n):
        found.append(found[-1] + (line.x[1] if even else line.x[at]))
    return found


@given(st.lists(st.floats(), min_size=1, max_size=50))
@example([0.0, 5e-324])
@example([-1.7e308, 1.7e308, 0.0])
def test_a_line_is_within_a_4092th_of_its_height(logged: list[float]) -> None:
    """Every finite value; infinities and NaN are gaps."""
    numbers = Numbers()

    line = numbers.line(range(0, 3 * len(logged), 3), logged, 50)

    assert places(line) == list(range(0, 3 * len(logged), 3))
    for drawn, true in zip(values(line, numbers), logged, strict=True):
        assert math.isnan(drawn) != math.isfinite(true)
        if math.isfinite(true):
            assert abs(drawn / 2 - true / 2) <= (line.high / 2 - line.low / 2) / 4000 + 5e-324


def test_a_block_is_json_and_numbers() -> None:
    """Length, JSON, upper bytes, lower bytes; gzip and base64 around them."""
    numbers = Numbers()
    numbers.line([1, 2, 3], [0.0, 0.5, 1.0], 10)

    raw = gzip.decompress(base64.b64decode(block([], numbers)))

    (length,) = struct.unpack("<I", raw[:4])
    assert orjson.loads(raw[4 : 4 + length]) == []
    assert raw[4 + length :] == bytes([0, 2046 >> 8, 4092 >> 8]) + bytes([0, 2046 & 255, 4092 & 255])


def of(archive: Archive, run: str, numbers: Numbers) -> list[Curve]:
    """A run's curves, verified."""
    state = MetricFindings(True, tuple(archive.ledger(TARGET).target_points(RunId(run))))
    return metrics_of(archive, RunId(run), state, numbers).curves


def test_the_curve_that_differs_says_where_and_by_how_much(tmp_path: Path) -> None:
    """The first differing step with exact values; the strip is the difference, and 0 where there is none."""
    numbers = Numbers()
    with Archive.open(migrated(tmp_path / "archive")) as archive:
        loss, acc = of(archive, PLANTED, numbers)

    assert (loss.name, loss.state, loss.differing, loss.target_rows) == ("loss", "differs", 2_500, 5_000)
    true = math.exp(-1.5)
    assert loss.first == ("step 2500", repr(true), repr(true * 1.02))
    assert loss.difference is not None
    strip = dict(zip(places(loss.difference), values(loss.difference, numbers), strict=True))
    assert strip[0] == strip[min(places(loss.difference))] == 0
    assert max(strip.values()) == pytest.approx(true * 0.02, rel=1e-2)
    assert (acc.state, acc.target, acc.source.n) == ("equal", None, 30)


def test_rows_that_are_absent_or_extra_are_found_first(tmp_path: Path) -> None:
    """A target without one row and with another one more: both are counted, the earlier one is named."""
    with Archive.create(tmp_path / "archive", SOURCE) as archive:
        put(archive, [a_run("r")], {"r": [(scalar("loss"), curve(20))]})
        extra: Row = (99, BEGIN, (1.0,))
        differ(archive, RunId("r"), scalar("loss"), [*curve(20)[:7], *curve(20)[8:], extra])
        (found,) = of(archive, "r", Numbers())

    assert (found.differing, found.target_rows) == (2, 20)
    assert found.first == ("step 7", repr(math.exp(-7 / 20 * 3)), "")


def test_rows_without_a_step_are_drawn_over_time(tmp_path: Path) -> None:
    """In milliseconds since the first; the first difference is named by its moment."""
    rows: list[Row] = [(None, BEGIN + at * SECOND, (float(at),)) for at in range(5)]
    with Archive.create(tmp_path / "archive", SOURCE) as archive:
        put(archive, [a_run("r")], {"r": [(scalar("t"), rows)]})
        differ(archive, RunId("r"), scalar("t"), [*rows[:3], (None, rows[3][1], (9.0,)), rows[4]])
        (found,) = of(archive, "r", Numbers())

    assert (found.axis, places(found.source)) == ("time", [0, 1_000, 2_000, 3_000, 4_000])
    assert found.first == (str(Instant(BEGIN + 3 * SECOND)), "3.0", "9.0")


def test_whole_numbers_are_a_curve(tmp_path: Path) -> None:
    """The service's word for their column is `Int` (run-history.json)."""
    whole = Series(key=SeriesKey("epoch"), columns=(("epoch", "Int"),))
    with Archive.create(tmp_path / "archive", SOURCE) as archive:
        put(archive, [a_run("r")], {"r": [(whole, [(at, BEGIN, (at * 10,)) for at in range(3)])]})
        (found,) = of(archive, "r", Numbers())

    assert (found.name, found.axis, found.last, places(found.source)) == ("epoch", "step", "20.0", [0, 1, 2])


def test_what_is_no_curve_is_a_table_or_a_single_value(tmp_path: Path) -> None:
    """Every bit of a single value; texts and several columns in their order."""
    table = Series(key=SeriesKey("best"), columns=(("k", "Int"), ("name", "String")), ux_type="azureml.v1.table")
    with Archive.create(tmp_path / "archive", SOURCE) as archive:
        rows: list[Row] = [(0, BEGIN, (2**63, "a")), (1, BEGIN, (None, "<b>"))]
        put(archive, [a_run("r")], {"r": [(scalar("one"), [(3, BEGIN, (1e-320,))]), (table, rows)]})
        found = metrics_of(archive, RunId("r"), MetricFindings(verified=False), Numbers())

    assert [(one.name, one.where, one.value, one.state) for one in found.singles] == [
        ("one", "step 3", "1e-320", "unverified")
    ]
    assert [(one.columns, one.rows) for one in found.tables] == [
        (("k", "name"), (("9223372036854775808", "a"), ("none", "<b>")))
    ]


def test_a_picture_is_shown_where_the_archive_holds_it(tmp_path: Path) -> None:
    """By its own first bytes, whatever its name; one that is a script in a picture's name is not."""
    image = Series(key=SeriesKey("plot"), columns=(("plot", "Artifact"),), ux_type="azureml.v1.image")
    run = a_run("r")
    with Archive.create(tmp_path / "archive", SOURCE) as archive:
        names = [f"aml://artifactId/ExperimentRun/dcid.r/{path}" for path in ("a.png", "b.png")]
        put(archive, [run], {"r": [(image, [(0, BEGIN, (name,)) for name in names])]}, files=("a.png", "b.png"))
        picture, script = (data.ljust(1_234) for data in (b"\x89PNG\r\n\x1a\nrest", b"<svg onload='x'>"))  # as listed
        for path, data in (("a.png", picture), ("b.png", script)):
            place = Location("workspaceartifactstore", f"ExperimentRun/dcid.r/{path}")
            with archive.incoming(StoredFile(location=place, size_bytes=len(data))) as incoming:
                incoming.add(data)
                archive.keep(incoming)
        (found,) = metrics_of(archive, run.id, MetricFindings(verified=False), Numbers()).tables

    assert found.images == ("data:image/png;base64," + base64.b64encode(picture).decode(),)


def test_on_a_page_that_is_kept_there_is_no_today() -> None:
    """Changes of the very day, too, are told with their date."""
    sums = Sums(runs=1, findings=1)
    sums.found.add(Finding(PLANTED, "tag owner", Fate.EDITED.value, "a", "b", since := now()))

    assert verdict(sums, TARGET)[1].endswith(f"1 change in the target since {moment(since)}.")


def test_which_target_must_be_clear(tmp_path: Path) -> None:
    """Two targets: one has to be named; a third one, to which nothing was written, is refused by name."""
    other, third = azure_place("s", "g", "other"), azure_place("s", "g", "third")
    with Archive.open(migrated(tmp_path / "archive")) as archive:
        looked_at(archive.ledger(other), PLANTED)

        with pytest.raises(UserError, match=r"name one with --target: its targets are new, other"):
            report(archive, tmp_path / "r.html")
        with pytest.raises(UserError, match="nothing of this archive was written to s/g/third"):
            report(archive, tmp_path / "r.html", target=third)

    assert not (tmp_path / "r.html").exists()


def test_runs_that_are_too_large_keep_no_others_out(tmp_path: Path) -> None:
    """The first fifty do not fit, the last one does."""
    noise = [random.Random(at).randbytes(2_000).hex() for at in range(50)]
    with Archive.create(tmp_path / "archive", SOURCE) as archive:
        put(archive, [*(a_run(f"large-{at:02d}", description=text) for at, text in enumerate(noise)), a_run("small")])
        done = report(archive, tmp_path / "r.html", max_bytes=50_000)

    assert (done.runs, done.left_out) == (51, 50)


class PowerCut(Exception):
    """In the middle of writing."""


class Dying:
    """Progress that ends the process, so to speak, once a block of runs is written."""

    def __getattr__(self, name: str) -> object:
        return self.die if name == "done" else lambda *_: None

    def die(self, what: str, _count: int = 1) -> None:
        if what == "runs written":
            raise PowerCut


def test_a_folder_stays_as_it_was_until_the_new_one_is_whole(tmp_path: Path) -> None:
    """Page and details belong together."""
    output = tmp_path / "report"
    with Archive.open(migrated(tmp_path / "archive")) as archive:
        report(archive, output, shards=True)
        (output / "shards" / "notes.txt").write_text("somebody else's")
        report(archive, output, shards=True)
        before = {path.relative_to(output): path.read_bytes() for path in output.rglob("*") if path.is_file()}
        with pytest.raises(PowerCut):
            report(archive, output, shards=True, progress=Dying())  # type: ignore[arg-type]  # it answers to all names
        with pytest.raises(UserError, match="is a file: name a folder"):
            report(archive, output / "index.html", shards=True)

    assert {path.relative_to(output): path.read_bytes() for path in output.rglob("*") if path.is_file()} == before
    assert {str(path) for path in before} == {"index.html", "shards/c0.js", "shards/notes.txt"}


def test_a_page_that_was_never_built_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do, before anything is written."""
    monkeypatch.setattr(writing, "BUNDLE", tmp_path / "nowhere")

    with Archive.open(migrated(tmp_path / "archive")) as archive, pytest.raises(NotBuilt, match="make setup"):
        report(archive, tmp_path / "r.html")


def test_points_of_a_series_are_read_once(tmp_path: Path) -> None:
    """A name whose columns changed on the way is two series, and loses no row."""
    first, later = scalar("loss"), Series(key=SeriesKey("loss"), columns=(("loss", "String"),))
    with Archive.create(tmp_path / "archive", SOURCE) as archive:
        put(archive, [a_run("r")], {"r": [(first, curve(3)), (later, [(9, BEGIN, ("x",))]), (first, curve(4))]})
        found = metrics_of(archive, RunId("r"), MetricFindings(verified=False), Numbers())

    assert [(one.name, one.source.of) for one in found.curves] == [("loss", 7)]
    assert [(one.name, one.of) for one in found.tables] == [("loss", 1)]
