"""The report in a browser: one for all tests of a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from azureml_replay.report_page.write import BUNDLE
from browser import launched


@dataclass
class Opened:
    """A page, and all that it said and asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Started once a module."""
    if not (BUNDLE / "report.js").exists():
        pytest.skip("the report's page is not built: `make setup`")
    with launched() as chromium:
        yield chromium


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., Opened]]:
    """Opens a file as a double click does, and waits until the tree is there."""
    contexts = []

    def open_it(path: Path, **settings: object) -> Opened:
        context = browser.new_context(**({"viewport": {"width": 1440, "height": 900}} | settings))
        contexts.append(context)
        context.set_default_timeout(10_000)
        found = Opened(context.new_page())
        found.page.on("console", lambda message: found.said.append(message.text))
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        found.page.on("request", lambda request: found.asked.append(request.url))
        found.page.goto(path.as_uri())
        found.page.wait_for_selector("html[data-ready]", timeout=20_000)
        return found

    yield open_it
    for context in contexts:
        context.close()
