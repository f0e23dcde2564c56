"""How a report behaves in a browser: opening, the first curve, scrolling, filtering. Chromium, headless, no GPU.

`python benchmarks/report_page.py REPORT.html...`: one line each, the middle of three openings.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
SCROLLED = """async () => {
  const tree = document.querySelector('.tree'), frames = [];
  for (let at = 0; at < 90; at++) {
    tree.scrollTop = (tree.scrollHeight - tree.clientHeight) * at / 90;
    const began = performance.now();
    await new Promise(requestAnimationFrame);
    frames.push(performance.now() - began);
  }
  tree.scrollTop = 0;
  frames.sort((a, b) => a - b);
  return [frames[45], frames[85]];
}"""
FILTERED = """async () => {
  const search = document.querySelector('input[type=search]');
  search.value = '7';
  const began = performance.now();
  search.dispatchEvent(new Event('input'));
  while (!document.querySelector('output').value.includes('of')) await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""


def opened(browser: Browser, path: Path) -> tuple[float, float, float, float, float]:
    """Milliseconds to the tree and to the first curve; of a frame while scrolling, middle and 95 %; of a search."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    began = time.perf_counter()
    page.goto(path.absolute().as_uri())
    page.wait_for_selector("html[data-ready]", timeout=120_000)
    tree = time.perf_counter()
    page.wait_for_selector(".chart canvas", timeout=120_000)
    curve = time.perf_counter()
    middle, slow = page.evaluate(SCROLLED)
    search = page.evaluate(FILTERED)
    page.context.close()
    return (tree - began) * 1_000, (curve - began) * 1_000, middle, slow, search


def main() -> None:
    """Prints."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        for path in map(Path, sys.argv[1:]):
            measured = zip(*(opened(browser, path) for _ in range(3)), strict=True)
            tree, curve, middle, slow, search = map(statistics.median, measured)
            print(
                f"{path}: tree after {tree:.0f} ms, first curve after {curve:.0f} ms, a frame while scrolling "
                f"{middle:.0f} ms, one in twenty {slow:.0f} ms, a search {search:.0f} ms"
            )
        browser.close()


if __name__ == "__main__":
    main()
