"""Draws a page as a picture of the documentation."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ASSETS = Path(__file__).parents[1] / "docs" / "assets"


def drawn(address: str, picture: Path, size: tuple[int, int], colours: int, ready: Callable[[Page], object]) -> None:
    """In the light, with few colours: the file has half the size. `ready` waits for the page and clicks."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme="light")
        page.goto(address)
        ready(page)
        page.screenshot(path=picture)
        browser.close()
    with Image.open(picture) as drawing:
        drawing.convert("RGB").quantize(colours, dither=Image.Dither.NONE).save(picture, optimize=True)
