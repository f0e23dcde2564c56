"""Draws docs/assets/report.png: the report of a demo in whose target a curve and a tag were spoilt.

azureml-sandbox demo DIR; python packaging/draw_report.py DIR
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from picture import ASSETS, drawn
from playwright.sync_api import Page

from azureml_sandbox.server import state
from azureml_sandbox.server.opened import opened
from azureml_sandbox.world import Document

PICTURE = ASSETS / "report.png"
EXPERIMENT, NAME, METRIC = "wine-cultivars", "alpha=0.01", "loss"
SIZE, COLOURS = (1280, 1000), 48
"""Beyond 48 colours nobody sees a difference; the file has half the size of one with all."""


def main(folder: Path) -> None:
    """Plants, looks, draws."""
    for name in state.BYPASSES:
        os.environ.pop(name, None)
    os.environ.update(state.environment(folder))
    run = plant(folder)
    archive, page = folder / "archive", folder.resolve() / "drawn.html"
    replay = Path(sys.executable).with_name("azureml-replay")
    subprocess.run([replay, "verify", archive, "--target", folder / "target.json", "--deep"], check=False)  # noqa: S603
    subprocess.run([replay, "report", archive, "--output", page], check=True)  # noqa: S603
    drawn(f"{page.as_uri()}#run={run}", PICTURE, SIZE, COLOURS, unfold)


def plant(folder: Path) -> str:
    """Behind the service's back: one run has another tag, and the second half of a curve is 2 % too high."""
    with opened(folder, "target") as (world, there):
        held = world.experiments.named(there.guid, EXPERIMENT)
        runs = world.runs.of_experiment(there.guid, held["experimentId"]) if held else ()
        run = next(run for run in runs if run.get("displayName") == NAME)
        world.runs.put(there.guid, run | {"tags": run["tags"] | {"reviewed": "by nobody"}})
        kept = world.metrics.of_container(there.guid, f"dcid.{run['runId']}")
        logged = [(series, [row for _, row in world.metrics.rows(there.guid, series)]) for series in kept]
        world.metrics.delete(there.guid, f"dcid.{run['runId']}")
        for series, rows in logged:
            lifted = (
                [spoilt(row, at >= len(rows) // 2) for at, row in enumerate(rows)] if series.name == METRIC else rows
            )
            world.metrics.append(there.guid, replace(series, rows=0), lifted)
        return str(run["runId"])


def spoilt(row: Document, lifted: bool) -> Document:
    """2 % higher, where asked."""
    return row | {"data": {METRIC: row["data"][METRIC] * 1.02}} if lifted else row


def unfold(page: Page) -> None:
    """All runs, and the curve that was spoilt."""
    page.wait_for_selector("html[data-ready]")
    page.wait_for_selector(".chart canvas")
    page.get_by_text("unfold", exact=True).click()
    page.evaluate("document.querySelector('.chart').scrollIntoView({block: 'end'})")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
