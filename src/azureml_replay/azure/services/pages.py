"""Lists that a service answers page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from azureml_replay.azure.wire.decode import Page
from azureml_replay.errors import Unavailable


async def pages(ask: Callable[[Page | None], Awaitable[Page]]) -> AsyncIterator[Page]:
    """All pages. `ask` gets the page before, None for the first. Raises Unavailable where a page leads to itself."""
    before: Page | None = None
    while before is None or not before.last:
        page = await ask(before)
        yield page
        if before is not None and not page.last and (page.token, page.link) == (before.token, before.link):
            raise Unavailable("the list does not end: a page leads to itself")
        before = page
