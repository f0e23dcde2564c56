"""A machine that edits what people write onto runs, accepts, forgets, brings more, and takes back, in any order."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from azureml_replay.comparison.three_way import Prefer
from azureml_replay.planning.files import FileChoice
from azureml_replay.selection import Selection
from azureml_sandbox.server.sandbox import Sandbox
from e2e.edits import AT_SOURCE, AT_TARGET
from e2e.tampering import change
from e2e.test_machine import Tries, tries

TEXTS = [
    *(name for name in AT_TARGET if name.startswith(("tag of", "mark of", "hidden", "description of"))),
    *("tag of root", "tag of alone", "tag of root"),
]
"""Edits that may be accepted; mostly those that never go back."""


class TriesTexts(Tries):
    """What people write onto runs, and what of it somebody accepts; rules that say nothing to it are left out."""

    extract_cut = edit_file_and_look = replay_cut = verify_part = verify_files = undo_cut = damage = report = None  # type: ignore[assignment]

    def edit_target(self, to: int, name: str) -> None:
        """No rule by itself."""
        change(self.sandbox, self.targets[to], AT_TARGET[name])

    def edit_source(self, name: str) -> None:
        """No rule by itself."""
        change(self.sandbox, self.source, AT_SOURCE[name])

    @initialize()
    def begin_with_a_migration(self) -> None:
        """Else nothing is there to be edited."""
        self.migrate(0, Selection(), FileChoice(), deep=False)

    @rule(prefer=st.sampled_from(Prefer), name=st.sampled_from(["tag of root", "hidden alone", "tag of alone"]))
    def bring(self, prefer: Prefer, name: str) -> None:
        """The source's texts, over the target's or not."""
        self.edit_source_and_extract(name)
        self._replay(0, Selection(), FileChoice(), prefer=prefer)

    @rule(name=st.sampled_from(TEXTS), more=st.sampled_from([0, 1, 2]))
    def edit_and_accept(self, name: str, more: int) -> None:
        """An edit of what was seen as it was sent; and then another one of the same text, or two."""
        self._verify(0, Selection(), FileChoice(), deep=False)
        self.edit_target(0, name)
        self._verify(0, Selection(), FileChoice(), deep=False, accept=True)
        for _ in range(more):
            self.edit_target(0, name)
            self._verify(0, Selection(), FileChoice(), deep=False)

    @rule(name=st.sampled_from(TEXTS))
    def edit_accept_and_bring_more(self, name: str) -> None:
        """Both sides change what was accepted, in whatever order comes next."""
        self.edit_and_accept(name, 0)
        self.edit_source_and_extract(name if name in AT_SOURCE else "tag of root")


def test_a_machine_that_tries_texts(calm: Sandbox, azure_env: dict[str, str]) -> None:
    """A few examples."""
    tries(TriesTexts, calm, 3, examples=1, steps=8)


@pytest.mark.sweep
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("number", range(4))
def test_a_machine_that_tries_texts_long(number: int, calm: Sandbox, azure_env: dict[str, str]) -> None:
    """As below."""
    tries(TriesTexts, calm, 300 + number, examples=30, steps=16)
