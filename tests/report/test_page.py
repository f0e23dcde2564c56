"""The page in a browser: what an auditor sees, clicks and types."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from azureml_replay.archive.archive import Archive
from azureml_replay.report_page import Reported, report
from report.archives import HOSTILE, PLANTED, SOURCE, a_run, migrated, put
from report.conftest import Opened

Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See `archives.migrated`."""
    return migrated(tmp_path_factory.mktemp("report") / "archive")


@pytest.fixture(scope="module")
def written(archive: Path) -> Reported:
    """Its report in one file."""
    with Archive.open(archive, write=False) as held:
        return report(held, archive.parent / "report.html")


def row(page: Page, name: str) -> str:
    """Of the tree, by the name in its first cell."""
    return f"[role=row]:has(bdi:text-is('{name}'))"


def colours(page: Page) -> dict[str, int]:
    """Pixels of the first chart's source, target and of the strip's line, in the light theme."""
    return page.evaluate(
        """() => {
          const near = (d, at, c) => c.every((v, i) => Math.abs(d[at + i] - v) < 40);
          const pixels = (canvas, colour) => {
            const d = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            let found = 0;
            for (let at = 0; at < d.length; at += 4) if (d[at + 3] > 128 && near(d, at, colour)) found++;
            return found;
          };
          const [curves, strip] = document.querySelectorAll('.chart.differs canvas');
          return {source: pixels(curves, [37, 99, 235]), target: pixels(curves, [194, 65, 12]),
                  strip: pixels(strip, [185, 28, 28])};
        }"""
    )


def test_it_opens_with_the_verdict_and_the_run_that_differs(written: Reported, opened: Open) -> None:
    """The sentence, the figures and the planted difference are seen without a click; nothing is asked of anybody."""
    found = opened(written.path)
    page = found.page

    assert (
        page.inner_text(".verdict strong")
        == written.verdict
        == "Not equal: 7 findings in 2 runs of 50: 7 transfer faults."
    )
    assert "50\nruns" in page.inner_text(".figures")
    assert page.locator(row(page, "train")).get_attribute("aria-selected") == "true"
    page.wait_for_selector(".chart.differs canvas")
    assert page.inner_text("#detail h2") == "train"
    assert "2,500 rows of 5,000 differ, the first at step 2500" in page.inner_text(".chart.differs .first")
    assert found.said == []
    assert [url for url in found.asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert found.asked == [written.path.as_uri()]


def test_the_roots_stand_on_top(archive: Path, written: Reported, opened: Open) -> None:
    """Those that `check` prints for the archive that the page was made of."""
    with Archive.open(archive, write=False) as held:
        (target,) = held.targets()
        roots = (held.content_root(), held.ledger(target).root())

    shown = opened(written.path).page.inner_text(".roots")

    assert shown.splitlines() == [f"content root {roots[0]}", f"proof root {roots[1]}"]


def test_a_difference_of_two_percent_is_visible(written: Reported, opened: Open) -> None:
    """Both curves are drawn, and the strip below them shows what an overlay hides."""
    page = opened(written.path).page
    page.wait_for_selector(".chart.differs canvas >> nth=1", state="attached")
    page.locator(".chart.differs").scroll_into_view_if_needed()

    drawn = colours(page)

    assert min(drawn.values()) > 100, drawn
    assert page.locator(".chart.equal .state").inner_text() == "✓ identical in the target"
    assert "of 5,000 rows drawn, all extremes kept" in page.inner_text(".chart.differs .foot")


def test_the_points_can_be_read_as_a_table(written: Reported, opened: Open) -> None:
    """For whoever cannot see a canvas; the figure itself says what it shows."""
    page = opened(written.path).page

    page.click(".chart.equal button")

    expect(page.locator(".chart.equal .points tbody tr")).to_have_count(30)
    expect(page.locator(".chart.equal [role=img]")).to_have_attribute(
        "aria-label", re.compile("identical in the target")
    )


def test_search_and_filters_find_runs(written: Reported, opened: Open) -> None:
    """By name and id, by verdict, status, type and experiment; what is found brings its parents along."""
    page = opened(written.path).page

    page.fill("input[type=search]", "PLAIN-07")
    expect(page.locator("output")).to_have_text("1 of 50 runs")
    assert page.locator(".rows [role=row]").count() == 1

    page.fill("input[type=search]", "score")
    expect(page.locator(".rows [role=row]")).to_have_count(2)
    assert page.locator(".rows [role=row].dim").inner_text().startswith("▾the pipeline")

    page.fill("input[type=search]", "")
    page.select_option("select[aria-label='any experiment']", label="forest")
    expect(page.locator("output")).to_have_text("40 of 50 runs")
    page.select_option("select[aria-label='any experiment']", label="any experiment")
    page.click(".chip.bad")
    expect(page.locator("output")).to_have_text("2 of 50 runs")
    page.click(".chip.bad")
    page.select_option("select[aria-label='any status']", label="Failed")
    expect(page.locator("output")).to_have_text("1 of 50 runs")


def test_the_keyboard_is_enough(written: Reported, opened: Open) -> None:
    """Arrows walk, fold and unfold; the reader is told which row is active; `/` searches, `n` finds what differs."""
    page = opened(written.path).page
    tree = page.locator("[role=treegrid]")
    tree.focus()

    page.keyboard.press("ArrowLeft")
    assert page.locator(row(page, "the pipeline")).get_attribute("aria-selected") == "true"
    page.keyboard.press("ArrowLeft")
    assert page.locator(row(page, "the pipeline")).get_attribute("aria-expanded") == "false"
    assert page.locator(row(page, "train")).count() == 0
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.locator(row(page, "train")).get_attribute("aria-level") == "2"
    active = tree.get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").get_attribute("aria-selected") == "true"
    page.keyboard.press("n")
    expect(page.locator("#detail h2")).to_contain_text("</script>")
    for key in ("Enter", "ArrowDown"):
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.type") == "search"
        page.keyboard.press("Control+A")
        page.keyboard.insert_text("score")
        expect(page.locator(".chips output")).to_contain_text("1 of ")
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.role") == "treegrid", key
        page.keyboard.press("End")
        expect(page.locator("#detail h2")).to_have_text("score")
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.role") == "treegrid"


def test_hostile_texts_are_only_texts(written: Reported, opened: Open) -> None:
    """As name, experiment, tag, property, parameter, description, error, finding: shown, never obeyed."""
    found = opened(written.path)
    page = found.page

    for at in range(len(HOSTILE)):
        page.fill("input[type=search]", f"hostile-{at}")
        page.click(f".rows [role=row]:has([title*='hostile-{at}'])")
        expect(page.locator("#detail")).to_contain_text(f"hostile-{at}")
        shown = page.inner_text("#detail")
        assert page.locator("#detail script, #detail svg, #detail img, #detail a[href^='javascript']").count() == 0
        assert not [mark for mark in "\u2028\u2029\u202e\x1b\x07\ud800" if mark in shown]
        assert at != 2 or "line⟨U+2028⟩separator⟨U+2029⟩and ⟨U+202E⟩reversed" in shown

    assert page.title() == "Migration report"
    assert found.said == []
    assert found.asked == [written.path.as_uri()]


def test_nothing_of_the_source_is_in_the_markup(written: Reported) -> None:
    """The file has our own script and inert base64, whatever the runs are called."""
    text = written.path.read_text("utf-8")

    assert "owned" not in text
    assert text.count("</script>") == text.count("<script")
    assert "default-src 'none'" in text
    assert "uPlot" in text
    assert "Permission is hereby granted" in text


def test_what_is_known_of_the_other_side_is_linked(written: Reported, opened: Open) -> None:
    """The source said where its Studio is; the target did not, and gets no guessed link."""
    page = opened(written.path).page
    page.wait_for_selector("#detail .links a")

    links = [link.get_attribute("href") for link in page.locator("#detail .links a").all()]

    assert links == [
        f"https://studio.example/runs/{PLANTED}?wsid=/subscriptions/sub-1/resourcegroups/group/workspaces/old"
    ]


def test_dark_and_paper(written: Reported, opened: Open) -> None:
    """Dark where the system is; paper is light, lists what differs and shows the chosen run."""
    page = opened(written.path, color_scheme="dark").page
    page.wait_for_selector(".chart.differs canvas")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 21, 28)"

    page.emulate_media(media="print", color_scheme="light")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")

    assert page.is_hidden(".tree")
    assert page.is_visible(".more h2")
    assert page.locator(".paper tbody tr").count() == 3
    assert page.is_visible("#detail .chart.differs")


def test_a_file_that_is_too_small_says_what_it_lacks(archive: Path, opened: Open) -> None:
    """What differs comes first; the others keep their row, and the page and the answer count them."""
    with Archive.open(archive, write=False) as held:
        small = report(held, archive.parent / "small.html", max_bytes=0)
    page = opened(small.path).page

    assert small.left_out == small.runs == 50
    assert "The details of 50 runs did not fit" in page.inner_text(".left-out")
    page.wait_for_selector("#detail .note")
    assert "not in this file" in page.inner_text("#detail")
    assert page.locator(".rows [role=row]").count() > 10


def test_a_file_that_the_index_does_not_list_is_said_beside_its_checksum(tmp_path: Path, opened: Open) -> None:
    """Both are known of it."""
    with Archive.create(tmp_path / "archive", SOURCE) as held:
        put(held, [a_run("r")], unlisted=("outputs/stray.bin",))
        page = opened(report(held, tmp_path / "r.html").path).page

    page.wait_for_selector("#detail table.files")
    listed, stray = page.locator("#detail table.files tbody tr").all_inner_texts()
    assert "000102030405060708090a0b0c0d0e0f" in listed
    assert "000102030405060708090a0b0c0d0e0f in the storage only, the index does not list it" in stray
    assert "index" not in listed


def test_a_folder_holds_everything(archive: Path, opened: Open) -> None:
    """Details lie beside the page, which opens from disk all the same."""
    with Archive.open(archive, write=False) as held:
        whole = report(held, archive.parent / "folder", shards=True)
    found = opened(whole.path)

    found.page.wait_for_selector(".chart.differs canvas")

    assert whole.left_out == 0
    assert {url.rsplit("/", 1)[1] for url in found.asked} == {"index.html", "c0.js"}
    assert found.said == []


def test_a_page_on_standard_output_stands_there_alone(archive: Path, tmp_path: Path) -> None:
    """So that it can be piped on; what the command has to say of it is among the messages."""
    command = [sys.executable, "-m", "azureml_replay", "report", str(archive), "--output", "/dev/stdout"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout.startswith("<!doctype html>")
    assert done.stdout.rstrip().endswith("</html>")
    assert "report: /dev/stdout" in done.stderr
    assert done.stderr.endswith("Next: nothing is left to do\n")
