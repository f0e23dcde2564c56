"""What `undo` finds to take back, and what it did (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from azureml_replay.model import RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoable:
    """What the ledger says is there to take back."""

    runs: int
    """To be hidden."""
    files: int
    """Of those runs, at most."""
    jobs: int
    """To be archived."""
    hidden_runs: int
    """Hidden already: with `delete` they go, too, but for `staying_runs`, which are not among them."""
    hidden_jobs: int
    """Root runs whose jobs are archived already."""
    assets: int = 0
    """To be archived, or deleted where the target archives none."""
    assets_deleted: bool = False
    """True where the target archives no asset: what is taken back is gone for good."""
    staying_runs: int = 0
    """Hidden runs that stay with `delete`, too: the service keeps them, or one below them."""

    @property
    def hides(self) -> int:
        """What there is to take back."""
        return self.runs + self.jobs + self.assets

    @property
    def deletes(self) -> int:
        """What there is to delete."""
        return self.hides + self.hidden_runs + self.hidden_jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What one call of `undo` did."""

    runs: int
    """Hidden now."""
    files: int
    """Removed now."""
    jobs: int
    """Of synthetic replay, archived now; what their steps logged and wrote stays with them."""
    experiments: tuple[str, ...]
    """Archived now: replay made them, and no run in them is left to be seen."""
    left: tuple[tuple[RunId, str], ...]
    """Runs of the source and why what stands for them, or a file of it, was left alone; of an experiment no run."""
    failed: tuple[tuple[RunId, str], ...]
    assets: int = 0
    """Archived now, or deleted where the target archives none: only such as this archive made."""
    assets_deleted: bool = False
    """True where they are gone for good."""
    gone: tuple[tuple[RunId, str], ...] = ()
    """Runs of the source, and what stood for them and is not there: it was removed, by another archive or by hand."""
    last_copies: int = 0
    """Files among `left` that are nowhere else: they stay with their hidden runs."""
    deleted: int = 0
    """Runs that are gone for good now, of those that were hidden, now or before."""
    deleted_jobs: int = 0
    kept: tuple[tuple[RunId, str], ...] = ()
    """Runs of the source that were to be deleted, and why what stands for them stays hidden."""
