"""README and docs as a reader follows them: which lines are typed, and what they find on the desk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DESK = re.compile(r"<!-- on the desk: (.+) -->")
_ENDS = re.compile(r"#.*\bexit (\d+)\b")


@dataclass(frozen=True)
class Line:
    """One command line of a page, continued lines joined."""

    page: Path
    text: str

    @property
    def ends_with(self) -> int:
        """0, or what the comment behind it says: `# exit 5: verify has findings`."""
        found = _ENDS.search(self.text)
        return int(found[1]) if found else 0


def blocks(page: Path, language: str) -> Iterator[str]:
    """The fenced blocks of a language, in order."""
    return (body for found, body in _FENCE.findall(page.read_text()) if found == language)


def typed(page: Path) -> tuple[Line, ...]:
    """What stands behind `$ ` in `console` blocks."""
    joined = "\n".join(blocks(page, "console")).replace("\\\n", " ")
    return tuple(Line(page, line.removeprefix("$ ")) for line in joined.splitlines() if line.startswith("$ "))


def desk(page: Path) -> frozenset[str]:
    """What a reader has when the page begins: `archive` (history/, extracted), `migrated` (also replayed)."""
    found = _DESK.search(page.read_text())
    return frozenset(word.strip() for word in found[1].split(",")) - {"nothing yet"} if found else frozenset()


def name(page: Path) -> str:
    """A test's id."""
    return str(page.relative_to(ROOT))
