"""What was recorded of each kind of run, as the documentation says, and that what is recorded of it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from wire.kinds import FOLDER, KINDS, found, page

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "kinds.md"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recordings in {FOLDER}")


def test_the_table_is_current() -> None:
    """`python tests/wire/kinds.py > docs/concepts/kinds.md` was run after the last change."""
    assert PAGE.read_text("utf-8") == page() + "\n"


def test_every_kind_has_a_row_and_names_what_it_rests_on() -> None:
    """A kind without a recording says that it is carried by its documents; none claims more than was seen."""
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")][1:]

    assert [row.split(" | ")[0].removeprefix("| ") for row in rows[1:]] == [kind.name for kind in KINDS]
    for row, (jobs, runs) in zip(rows[1:], found().values(), strict=True):
        assert row.endswith("nothing recorded: carried by its documents |") == (not jobs and not runs)
