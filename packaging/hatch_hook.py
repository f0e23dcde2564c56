"""Wheels carry the report's page; so does an editable install where Node.js is at hand, else `make setup` adds it."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface):  # type: ignore[type-arg,misc]  # hatchling is there while it builds only
    """Runs `bundle_page.py`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's signature
        """A wheel without its page would be half a product: refused."""
        script = runpy.run_path(str(Path(self.root) / "packaging" / "bundle_page.py"))
        if not script["build"]() and version != "editable":
            raise RuntimeError(script["NO_NODE"])
