"""From which of two archives a run comes, as a whole (pure)."""

from __future__ import annotations

from dataclasses import dataclass

LISTED, EXTRACTED = "listed", "extracted"


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What one archive says of a run."""

    generation: int
    state: str
    digest: bytes | None
    """Of what was extracted, moments aside; None where nothing was."""
    modified: str
    """As last listed; texts of moments sort as the moments do. Empty where nobody said."""
    listed: str
    """All that the listing said, in one text."""
    lacking: int = 0
    """How much its extraction left out by choice: files, histories of metrics, metrics."""
    rows: int = 0
    files: int = 0

    @property
    def rank(self) -> tuple[bool, int, str, int, int]:
        """The higher one stays.

        An extraction takes no rows out of an archive by leaving them out, nor does a merge. Of two of the same moment
        the one with more was made later: rows and files only come.
        """
        return self.generation > 0, -self.lacking, self.modified, self.rows, self.files


@dataclass(frozen=True, slots=True)
class Chosen:
    """What becomes of a run of the other archive."""

    theirs: bool
    """It comes from there."""
    generation: int
    state: str


def chosen(ours: RunFacts | None, theirs: RunFacts) -> Chosen:
    """Ours where equal, else of whoever extracted it, more of it, or of a later state.

    A generation that came from elsewhere is above both: what was sent is known by it.
    """
    if ours is None:
        return Chosen(True, theirs.generation, theirs.state)
    if same(ours, theirs):
        waits = LISTED in (ours.state, theirs.state)
        return Chosen(False, ours.generation, LISTED if waits else EXTRACTED)
    winner, loser = (theirs, ours) if theirs.rank > ours.rank else (ours, theirs)
    state = LISTED if loser.modified > winner.modified else winner.state
    if winner is ours:
        return Chosen(False, ours.generation, state)
    above = max(ours.generation, theirs.generation) + 1 if ours.generation else theirs.generation
    return Chosen(True, above, state)


def same(ours: RunFacts, theirs: RunFacts) -> bool:
    """True where both were listed and extracted as the same."""
    return (ours.digest, ours.listed) == (theirs.digest, theirs.listed)
