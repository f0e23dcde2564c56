"""How far the chunks of a run have come in a target, by what they hold and not by their numbers (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from azureml_replay.archive.ledger import Receipt, State, points_item


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a run's rows is sent, and what is not."""

    moved: Sequence[int]
    """Sent under another number: another extraction has shifted them."""
    due: Sequence[int]
    begun: Sequence[int]
    """Of those due: rows of them may have arrived."""
    strange: bool
    """Rows went out, or may have, that are now in other chunks or in none: the run has changed."""

    @classmethod
    def of(cls, receipts: Mapping[str, Receipt], digests: Mapping[int, bytes]) -> Standing:
        """From the receipts of a run, by item, and the digests of its chunks."""
        points = [one for item, one in receipts.items() if item.startswith(points_item(""))]
        sent = Counter(one.digest for one in points if one.state is State.SENT)
        unsettled = {one.digest for one in points if one.state is State.SENDING}
        moved, due = list[int](), list[int]()
        for seq, digest in digests.items():
            if not sent[digest]:
                due.append(seq)
                continue
            sent[digest] -= 1
            own = receipts.get(points_item(seq))
            if own is None or own.state is not State.SENT or own.digest != digest:
                moved.append(seq)
        strange = any(sent.values()) or bool(unsettled - {digests[seq] for seq in due})
        return cls(moved, due, [seq for seq in due if digests[seq] in unsettled], strange)
