"""The list of runs and what leads from it to a run and back: sorting, links, taps, keys, copying, paper."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.database import now
from azureml_replay.archive.evidence import Topic, Way
from azureml_replay.archive.sessions import Session, SessionPart
from azureml_replay.azure.place import azure_place
from azureml_replay.comparison.runs import Finding
from azureml_replay.comparison.three_way import ACCEPTED
from azureml_replay.model import Location, Omission, Row, RunId, Series, SeriesKey, StoredFile
from azureml_replay.report_page import report
from azureml_replay.report_page.write import BUNDLE
from azureml_replay.workspace.place import Place
from looks import all_looked_at
from report.archives import BEGIN, PLANTED, SECOND, SOURCE, TARGET, a_run, migrated, put, scalar
from report.conftest import Opened

Open = Callable[..., Opened]
WEB = BUNDLE.parent / "web"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
PHONE = {"width": 390, "height": 844}
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc000000301010018dd8db00000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of `archives.migrated`."""
    folder = tmp_path_factory.mktemp("list")
    with Archive.open(migrated(folder / "archive"), write=False) as held:
        return report(held, folder / "report.html").path


def names(page: Page) -> list[str]:
    """Of the rows that are drawn, in their order."""
    return page.locator(".rows [role=row] bdi").all_inner_texts()


def test_a_search_without_hits_empties_the_list(path: Path, opened: Open) -> None:
    """It says so, and one click leads back to all runs."""
    page = opened(path).page

    page.fill("input[type=search]", "nobody is called so")
    expect(page.locator(".none")).to_be_visible()
    assert names(page) == []

    page.click(".none button")
    expect(page.locator("output")).to_have_text("50 runs")
    assert page.locator(".none").is_hidden()
    assert len(names(page)) > 10
    assert page.input_value("input[type=search]") == ""


def test_a_heading_sorts_the_list(path: Path, opened: Open) -> None:
    """One way, the other way, then the worst first again; children stay below their parents."""
    page = opened(path).page
    first = names(page)
    heading = page.locator("[role=columnheader]", has_text="Run")

    page.click("[data-column=Run]")
    assert heading.get_attribute("aria-sort") == "ascending"
    page.click("[data-column=Run]")
    assert heading.get_attribute("aria-sort") == "descending"
    assert names(page)[:4] == ["⟨U+D800⟩ half a pair", "the pipeline", "train", "score"]
    page.click("[data-column=Run]")

    assert heading.get_attribute("aria-sort") == "none"
    assert names(page) == first


def test_a_parent_says_that_a_child_differs(path: Path, opened: Open) -> None:
    """In the list, and on its page, which leads to the child."""
    page = opened(path).page
    row = page.locator(".rows [role=row]:has(bdi:text-is('the pipeline'))")

    assert row.locator(".below").inner_text().strip() == "▾✕1"
    row.click()
    page.click("text=1 run below differs")

    expect(page.locator("#detail h2")).to_have_text("train")


@pytest.mark.parametrize("width", [390, 768, 1280, 1400, 1920])
def test_the_list_never_scrolls_sideways(path: Path, opened: Open, width: int) -> None:
    """Columns go where there is no room; the run keeps the most, and no verdict is cut."""
    page = opened(path, viewport={"width": width, "height": 900}).page
    measure = "(list) => [list.scrollWidth, list.clientWidth, document.documentElement.scrollWidth]"

    wide, room, whole = page.eval_on_selector(".tree", measure)
    widths = page.eval_on_selector_all(".heading > span", "(cells) => cells.map((cell) => cell.offsetWidth)")
    cut = page.eval_on_selector_all(".c1", "(cells) => cells.filter((one) => one.scrollWidth > one.clientWidth).length")

    assert (wide, whole) == (room, width)
    assert max(widths) == widths[0] >= 150
    assert cut == 0


def test_an_address_leads_to_a_run(path: Path, opened: Open) -> None:
    """The chosen run stands in the address; whoever opens it sees that run."""
    page = opened(path).page
    page.fill("input[type=search]", "plain-07")
    page.click(".rows [role=row]:has(bdi:text-is('plain-07'))")
    assert page.evaluate("location.hash") == "#run=plain-07"

    page.reload()
    page.wait_for_selector("html[data-ready]")

    expect(page.locator("#detail h2")).to_have_text("plain-07")


def test_an_address_of_no_run_here_says_so(path: Path, opened: Open) -> None:
    """It shows no other run in its place; the list is there, and whoever goes back sees a run again."""
    page = opened(path).page
    page.evaluate("location.hash = '#run=nobody'")

    expect(page.locator("#detail h2")).to_have_text("No such run here")
    assert page.locator("#detail code").inner_text() == "nobody"
    assert page.locator(".rows [aria-selected=true]").count() == 0
    page.reload()
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("#detail h2")).to_have_text("No such run here")

    page.go_back()
    expect(page.locator("#detail h2")).to_have_text("train")
    small = opened(path, viewport=PHONE).page
    small.evaluate("location.hash = '#run=nobody'")
    expect(small.locator("#detail h2")).to_be_visible()
    small.click(".back")
    expect(small.locator(".tree")).to_be_visible()


def test_accepted_changes_are_marked_in_the_list(tmp_path: Path, opened: Open) -> None:
    """Of a run, and below a folded parent; where nobody accepted anything there is no such column."""
    edits = [Finding(RunId("child"), f"tag {name}", ACCEPTED, "a", "b") for name in ("owner", "team")]
    with Archive.create(tmp_path / "a", SOURCE) as archive:
        put(archive, [a_run("parent"), a_run("child", "parent"), a_run("other")], {})
        all_looked_at(archive, archive.ledger(TARGET), {RunId("child"): edits})
        page = opened(report(archive, tmp_path / "report.html").path).page

    cells = {
        row.locator("bdi").inner_text(): row.locator(".c10").inner_text()
        for row in page.locator(".rows [role=row]").all()
    }
    assert cells == {"parent": "▾2", "other": ""}
    page.click(".rows [role=row]:has(bdi:text-is('parent')) .fold")
    page.click(".rows [role=row]:has(bdi:text-is('child'))")
    assert page.locator(".rows [aria-selected=true] .c10").inner_text() == "2"
    expect(page.locator("#detail .run-title")).to_contain_text("2 accepted changes")


def test_on_a_phone_a_tap_leads_to_the_run_and_back(path: Path, opened: Open) -> None:
    """By the page's own button and by the browser's; the list is what one sees first."""
    page = opened(path, viewport=PHONE).page
    detail, tree = page.locator("#detail"), page.locator(".tree")
    assert (detail.is_visible(), tree.is_visible()) == (False, True)

    for back in (lambda: page.click(".back"), page.go_back):
        page.click(".rows [role=row]:has(bdi:text-is('score'))")
        expect(detail.locator("h2")).to_have_text("score")
        assert (detail.is_visible(), tree.is_visible()) == (True, False)
        back()
        expect(tree).to_be_visible()
        assert detail.is_hidden()


def test_an_id_can_be_copied(path: Path, opened: Open) -> None:
    """Whole, by one click; the root too."""
    page = opened(path, permissions=["clipboard-read", "clipboard-write"]).page
    page.wait_for_selector("#detail .links")

    page.click("[aria-label='Copy the id']")
    expect(page.locator("[data-done]")).to_have_count(1)
    assert page.evaluate("navigator.clipboard.readText()") == PLANTED
    page.click("[aria-label='Copy the proof root']")
    expect(page.locator("[data-done]")).to_have_count(2)
    assert page.evaluate("navigator.clipboard.readText()") == page.inner_text(".roots code >> nth=1")


def test_the_keys_are_told_and_the_list_can_be_made_wider(path: Path, opened: Open) -> None:
    """`?` opens them, Escape closes them; the splitter takes the arrow keys."""
    page = opened(path).page
    page.locator(".tree").focus()
    page.keyboard.press("?")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()

    before = page.locator(".left").bounding_box()
    page.locator("[role=separator]").focus()
    page.keyboard.press("ArrowRight")

    after = page.locator(".left").bounding_box()
    assert before is not None
    assert after is not None
    assert after["width"] > before["width"]


def test_the_id_is_shown_where_it_is_what_matched(path: Path, opened: Open) -> None:
    """The run is called `train`; its id is `planted`."""
    page = opened(path).page

    page.fill("input[type=search]", "plant")

    expect(page.locator(".rows .id")).to_have_text(" planted")


def test_paper_is_a_proof_to_sign(path: Path, opened: Open) -> None:
    """Both workspaces whole, the time of the proof, roots, every finding with the whole id, a line for a name."""
    page = opened(path).page
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")

    assert "sub-1/group/old" in page.inner_text(".ends")
    assert "sub-2/group/new" in page.inner_text(".ends")
    assert "last verification" in page.inner_text(".made")
    assert page.locator(".proof tbody tr").count() == 7
    assert "hostile-0" in page.inner_text(".proof tbody")
    assert "Signature" in page.inner_text(".paper .sign")
    assert page.is_hidden(".copy >> nth=0")


def a_session(command: str, target: Place | None, **counts: int) -> Session:
    """That moved so much."""
    began = now()
    there = SessionPart(verb=command, seconds=2.0, counts=counts, target=target.key if target else "")
    return Session(command=command, began=began, ended=began, outcome="done", parts=(there,), traffic={})


def test_sessions_are_those_of_this_target(tmp_path: Path, opened: Open) -> None:
    """What went into another workspace is no part of this proof."""
    with Archive.create(tmp_path / "a", SOURCE) as archive:
        put(archive, [a_run("r")], {})
        all_looked_at(archive, archive.ledger(TARGET), {})
        for session in (
            a_session("extract", None, runs=1),
            a_session("replay", TARGET, runs=2, failed=3),
            a_session("undo", azure_place("sub-2", "group", "another"), runs=4),
            a_session("verify", TARGET, runs=5, findings=1),
        ):
            archive.put_session(session)
        page = opened(report(archive, tmp_path / "report.html", target=TARGET).path).page

    page.click("summary")
    rows = [row.locator("td").all_inner_texts() for row in page.locator(".commands tbody tr").all()]
    assert [(row[0], row[3]) for row in rows] == [
        ("extract", "1 run (0.5/s)"),
        ("replay", "2 runs (1/s), 3 failed"),
        ("verify", "5 runs (2.5/s), 1 finding"),
    ]


def test_on_a_phone_both_sides_of_a_finding_are_seen(path: Path, opened: Open) -> None:
    """Without moving its table sideways."""
    page = opened(path, viewport=PHONE).page
    page.click(".rows [role=row]:has(bdi:text-is('train'))")
    table = page.locator("#detail .scroll:has(.found)").first
    table.wait_for()
    assert table.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


@pytest.fixture
def chosen(tmp_path: Path) -> Path:
    """A run with a picture, odd numbers and nothing lacking but what was not asked for; one that lacks something."""
    numbers: list[Row] = [
        (at, BEGIN + at * SECOND, (value,)) for at, value in enumerate((1.0, math.nan, math.inf, 0.1))
    ]
    nothing: list[Row] = [(at, BEGIN, (math.nan,)) for at in range(3)]
    timed: list[Row] = [(None, BEGIN + at * SECOND, (at + 1.0,)) for at in range(5)]
    matrix = Series(key=SeriesKey("errors"), columns=(("errors", "Artifact"),), ux_type="azureml.v1.confusion_matrix")
    link: list[Row] = [(0, BEGIN, ("aml://artifactId/ExperimentRun/dcid.r/errors.json",))]
    many = [(scalar(f"extra/{at}"), [(0, BEGIN, (float(at),))]) for at in range(9)]
    logged = [(scalar("odd"), numbers), (scalar("none"), nothing), (scalar("timed"), timed), (matrix, link), *many]
    with Archive.create(tmp_path / "archive", SOURCE) as held:
        table = b'{"schema_type": "confusion_matrix", "data": {"class_labels": ["a", "b"], "matrix": [[7, 1], [0, 5]]}}'
        logged_table = b'{"columns": ["text", "score"], "data": [["<b>", 1.5], ["y", null]]}'
        scores = 'name;"x",password\n' + "".join(f"row {at},{'p' * 9}{at}\n" for at in range(60))
        kept = {"plots/loss.png": PICTURE, "errors.json": table, "table.json": logged_table, "broken.csv": b"a\n\xff,1"}
        kept["scores.csv"] = scores.encode()
        put(
            held,
            [a_run("r"), a_run("s")],
            {"r": logged},
            files=("plots/loss.png", "errors.json", "left.bin", "scores.csv", "table.json", "broken.csv"),
            sizes={path: len(data) for path, data in kept.items()},
        )
        for name, data in kept.items():
            place = Location("workspaceartifactstore", f"ExperimentRun/dcid.r/{name}")
            with held.incoming(StoredFile(location=place, size_bytes=len(data))) as incoming:
                incoming.add(data)
                held.keep(incoming)
        ledger = held.ledger(TARGET)
        all_looked_at(held, ledger, {})
        asked = [Omission(a_run("r").id, "file left.bin", "left out by --files")]
        ledger.put_planned_omissions(Topic(Way.RUN, "r"), asked)
        ledger.put_planned_omissions(Topic(Way.RUN, "s"), [replace(asked[0], run=a_run("s").id, reason="too long")])
        return report(held, tmp_path / "r.html").path


def test_what_the_user_left_out_changes_no_verdict(chosen: Path, opened: Open) -> None:
    """It is counted in grey; what the service forces is marked."""
    page = opened(chosen).page
    rows = {name: page.locator(f".rows [role=row]:has(bdi:text-is('{name}'))") for name in "rs"}

    assert (rows["r"].locator(".c1").inner_text(), rows["s"].locator(".c1").inner_text()) == ("✓ equal", "◐ omissions")
    assert rows["r"].locator(".c3 .muted").first.inner_text() == "1"
    assert rows["s"].locator(".c3 .part").first.inner_text() == "1"
    assert "2\nomitted\nas planned, 1 of them as flags asked" in page.inner_text(".figures")
    assert "Findings" not in page.inner_text(".heading")


def test_each_file_has_a_verdict_and_pictures_are_seen(chosen: Path, opened: Open) -> None:
    """A confusion matrix is one, too."""
    page = opened(chosen).page
    page.click(".rows [role=row]:has(bdi:text-is('r'))")

    page.wait_for_selector("#detail .picture img")
    assert (
        page.eval_on_selector("#detail .picture img", "(image) => image.decode().then(() => image.naturalWidth)") == 1
    )
    lines = page.locator("#detail .files tbody tr").all_inner_texts()
    assert {line.split("\t")[0]: line.split("\t")[2] for line in lines} == dict.fromkeys(
        ("broken.csv", "errors.json", "plots/loss.png", "scores.csv", "table.json"), "✓ equal"
    ) | {"left.bin": "◐ left out"}
    shown = page.locator("#detail .matrix tr").all_inner_texts()
    assert shown == ["true \\ predicted\ta\tb", "a\t7\t1", "b\t0\t5"]


def test_tables_among_the_files_are_seen_without_their_secrets(chosen: Path, opened: Open) -> None:
    """CSV, and what MLflow's `log_table` writes; what is no table is a row of the list only."""
    page = opened(chosen).page
    page.click(".rows [role=row]:has(bdi:text-is('r'))")

    page.wait_for_selector("#detail .sheet")
    assert page.locator("#detail .sheet figcaption").all_inner_texts() == ["scores.csv", "table.json"]
    first = page.locator("#detail .sheet").nth(0)
    assert first.locator("tr").nth(1).inner_text() == "row 0\t***"
    assert first.locator("tbody tr").count() == 50
    assert "the first 50 of 60 rows" in first.inner_text()
    assert page.locator("#detail .sheet").nth(1).locator("tr").all_inner_texts() == [
        "text\tscore",
        "<b>\t1.5",
        "y\tnull",
    ]


def test_numbers_that_are_none_are_marked_in_a_curve(chosen: Path, opened: Open) -> None:
    """They are counted below it; a curve of nothing else keeps its axes."""
    found = opened(chosen)
    page = found.page
    page.click(".rows [role=row]:has(bdi:text-is('r'))")
    figure = page.locator(".chart:has(b:text-is('odd'))")

    figure.locator("canvas").wait_for()
    assert figure.locator(".foot span").inner_text() == "4 rows; 1 NaN (×), 1 Infinity (▲)"
    figure.locator("button").click()
    assert figure.locator(".points tbody tr").all_inner_texts()[1:3] == ["1\tNaN", "2\tInfinity"]
    page.locator(".chart:has(b:text-is('none')) canvas").wait_for()
    assert "3 NaN (×)" in page.locator(".chart:has(b:text-is('none')) .foot").inner_text()
    assert found.said == []


def test_metrics_are_found_by_name_and_drawn_on_a_log_scale(chosen: Path, opened: Open) -> None:
    """The search hides the others; the scale holds for all curves that can have one."""
    found = opened(chosen)
    page = found.page
    page.click(".rows [role=row]:has(bdi:text-is('r'))")

    page.check("text=log scale")
    page.locator(".chart:has(b:text-is('timed')) canvas").wait_for()
    assert page.is_checked("text=log scale")
    assert "linear: not all values" in page.locator(".chart:has(b:text-is('none')) .foot").inner_text()
    page.fill("[aria-label='Search metrics by name']", "extra/3")

    assert page.locator(".chart:visible").count() == 0
    assert page.locator(".singles tbody tr:visible").all_inner_texts()[0].startswith("extra/3")
    assert found.said == []


def test_two_runs_stand_side_by_side(path: Path, opened: Open) -> None:
    """The first one stays while another is chosen, its curves too; `close` takes it away."""
    found = opened(path)
    page = found.page
    beside = page.locator("#beside")
    page.wait_for_selector("#detail .chart.differs canvas")
    assert beside.is_hidden()

    page.click("text=side by side")
    page.click(".rows [role=row]:has(bdi:text-is('score'))")
    expect(page.locator("#detail h2")).to_have_text("score")

    assert beside.locator("h2").inner_text() == "train"
    beside.locator(".chart.differs canvas").first.wait_for()
    beside.locator("text=close").click()
    assert beside.is_hidden()
    assert found.said == []


@pytest.mark.skipif(not AXE.exists(), reason="axe is not here: `make types` brings it")
@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (390, "dark"),
        (1280, "light"),
        pytest.param(390, "light", marks=pytest.mark.slow),
        pytest.param(1280, "dark", marks=pytest.mark.slow),
    ],
)
def test_axe_finds_nothing(chosen: Path, path: Path, opened: Open, width: int, scheme: str) -> None:
    """Neither in the list nor in a run, nor in two of them."""
    for page in [
        opened(one, viewport={"width": width, "height": 900}, color_scheme=scheme).page for one in (chosen, path)
    ]:
        page.evaluate(AXE.read_text("utf-8"))
        found = page.evaluate("axe.run()")["violations"]
        page.click(".rows [role=row] >> nth=1")
        if width > 900:
            page.click("text=side by side")
            page.click(".rows [role=row] >> nth=0")
        page.wait_for_timeout(300)  # the detail waits for a pause in the walk
        found += page.evaluate("axe.run()")["violations"]
        assert [(one["id"], one["nodes"][0]["target"]) for one in found] == []
