"""Draws docs/assets/browse.png: the archive of a demo in MLflow's window.

azureml-sandbox demo DIR; python packaging/draw_browse.py DIR PYTHON, which has MLflow and azureml-replay.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).parents[1] / "docs" / "assets" / "browse.png"
WIDE, HIGH, COLOURS = 1280, 720, 128
UNFOLDED = 2
"""Parents whose children are shown."""


def main(folder: Path, python: str) -> None:
    """Serves, looks, draws, ends."""
    command = [python, "-m", "azureml_replay", "browse", str(folder / "archive"), "--json", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:  # noqa: S603
        try:
            draw(json.loads(serving.stdout.readline())["url"] if serving.stdout else "")
        finally:
            serving.send_signal(signal.SIGINT)


def draw(address: str) -> None:
    """The list of runs, some unfolded, with what was measured beside them."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": WIDE, "height": HIGH}, color_scheme="light")
        page.goto(address)
        page.wait_for_selector(".ag-row a")
        for aside in ("Close", "Collapse sidebar"):
            if page.get_by_role("button", name=aside).count():
                page.get_by_role("button", name=aside).first.click()
        for _ in range(min(UNFOLDED, page.locator(".ag-row button").count())):
            page.locator(".ag-row button").nth(_).click()
        page.wait_for_timeout(2_000)  # its drawers slide
        page.screenshot(path=PICTURE)
        browser.close()
    with Image.open(PICTURE) as drawn:
        drawn.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
