"""Draws docs/assets/browse.png: the archive of a demo in MLflow's window.

azureml-sandbox demo DIR; python packaging/draw_browse.py DIR PYTHON, which has MLflow and azureml-replay.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from picture import ASSETS, drawn
from playwright.sync_api import Page

PICTURE = ASSETS / "browse.png"
SIZE, COLOURS = (1280, 720), 128
UNFOLDED = 2
"""Parents whose children are shown."""


def main(folder: Path, python: str) -> None:
    """Serves, looks, draws, ends."""
    command = [python, "-m", "azureml_replay", "browse", str(folder / "archive"), "--json", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:  # noqa: S603
        try:
            address = json.loads(serving.stdout.readline())["url"] if serving.stdout else ""
            drawn(address, PICTURE, SIZE, COLOURS, unfold)
        finally:
            serving.send_signal(signal.SIGINT)


def unfold(page: Page) -> None:
    """The list of runs, some unfolded, with what was measured beside them."""
    page.wait_for_selector(".ag-row a")
    for aside in ("Close", "Collapse sidebar"):
        if page.get_by_role("button", name=aside).count():
            page.get_by_role("button", name=aside).first.click()
    for at in range(min(UNFOLDED, page.locator(".ag-row button").count())):
        page.locator(".ag-row button").nth(at).click()
    page.wait_for_timeout(2_000)  # its drawers slide


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
