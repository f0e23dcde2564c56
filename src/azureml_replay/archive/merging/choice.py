"""From which of two archives a run comes, as a whole (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from azureml_replay.archive.canonical import DIGEST_BYTES
from azureml_replay.archive.run_digest import PARTS

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
    extracted: int | None = None
    """When, in ticks; None where nothing was, or an older version did, which counts as before all others."""
    less: frozenset[str] = frozenset()
    """Parts of the digest of which its extraction left out something by choice."""
    lacking: int = 0
    """How much that was: files, histories of metrics, metrics."""
    rows: int = 0
    files: int = 0

    @property
    def rank(self) -> tuple[bool, int, str, int, int, int, bytes, str]:
        """The higher one stays.

        An extraction takes no rows out of an archive by leaving them out, nor does a merge. Then what was read later:
        a file is replaced without a word of it in the run. The rest only makes the order of a merge no matter.
        """
        more = (self.generation > 0, -self.lacking, self.modified, self.rows, self.files)
        return *more, self.extracted or 0, self.digest or b"", self.listed

    def part(self, name: str) -> bytes:
        """A part of the digest."""
        at = PARTS.index(name) * DIGEST_BYTES
        return (self.digest or b"")[at : at + DIGEST_BYTES]


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
    state = LISTED if loser.modified > winner.modified or _may_be_old(winner, loser) else winner.state
    if winner is ours:
        return Chosen(False, ours.generation, state)
    above = max(ours.generation, theirs.generation) + 1 if ours.generation else theirs.generation
    return Chosen(True, above, state)


def takes_out(ours: RunFacts, theirs: RunFacts) -> bool:
    """True where whichever of the two came, something would go that it left out by choice and the other one has."""
    winner, loser = (theirs, ours) if theirs.rank > ours.rank else (ours, theirs)
    if not loser.generation or same(ours, theirs):
        return False
    files = "files" in winner.less and winner.files == 0 and loser.files > 0
    return files or ("series" in winner.less and loser.rows > winner.rows)


def same(ours: RunFacts, theirs: RunFacts) -> bool:
    """True where both were listed and extracted as the same."""
    return (ours.digest, ours.listed) == (theirs.digest, theirs.listed)


def _may_be_old(winner: RunFacts, loser: RunFacts) -> bool:
    """True where the one that has less was read later, and has something else of what both were to bring.

    Of two of which nobody knows which was read later, where neither has less.
    """
    if not (winner.generation and loser.generation and winner.modified == loser.modified):
        return False
    unknown = winner.extracted is None and loser.extracted is None
    later = winner.rank[:5] == loser.rank[:5] if unknown else (loser.extracted or 0) > (winner.extracted or 0)
    asked = {"series", "files"} - winner.less - loser.less
    return later and any(winner.part(name) != loser.part(name) for name in asked)
