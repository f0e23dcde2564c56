"""What is known of assets in a target: a fold over what was planned and chosen, by the evidence of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import AssetState, topic_of
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.instants import Instant
from azureml_replay.model import Omission, RunId
from azureml_replay.planning.asset_names import digest_of_name
from azureml_replay.planning.assets import IN_THE_WAY
from azureml_replay.planning.references import AssetFate
from azureml_replay.selection import Selection
from azureml_replay.target.asset_plans import FOR_NOW, ExpectedAsset, expected_assets, expected_names
from azureml_replay.verification.judging import NEVER, NEVER_SENT, Judge
from azureml_replay.verification.standing import Item, Standing, earliest

NOBODY = RunId("")
COUNTED = ("unverifiable", "read_before")
"""Of how much was compared of assets, what a verdict adds to that of runs."""


@dataclass(frozen=True)
class AssetsStanding:
    """Some assets, each with what is known of it: the verdict and the report read it."""

    items: Sequence[Item] = ()
    """Those that are to be compared; of those that could not be read the next extraction tells."""
    names: Sequence[Item] = ()
    """What the versions of a name share."""
    omissions: Sequence[Omission] = ()
    """Of those that are not there, or not whole, as planned."""

    @classmethod
    def of(
        cls, archive: Archive, ledger: TargetLedger, selection: Selection = Selection(), *, deep: bool = False
    ) -> AssetsStanding:
        """Of those that the selection leads to, and all that the source could not give."""
        judge, items, told = Judge(ledger, deep=deep), list[Item](), dict[str, str]()
        expected = expected_assets(archive, ledger, selection)
        for one in expected:
            if is_left(one):
                told[str(one.key)] = one.planned.reason or IN_THE_WAY
                continue
            items.append(_item(judge, one))
            if one.receipt is not None and one.receipt.detail:
                told[str(one.key)] = one.receipt.detail
        told |= {str(key): why for key, why in archive.missed_assets().items()}
        shared = [(key, archive.asset_container(key.kind, key.name)) for key in expected_names(expected)]
        losses = {key: receipt.detail for key, receipt in ledger.name_receipts().items() if receipt.detail}
        told |= {str(key): losses[key] for key, _ in shared if key in losses}
        names = [judge.asset(topic_of(key), digest_of_name(one), files=False) for key, one in shared]
        return cls(items, names, [Omission(NOBODY, key, why) for key, why in told.items()])

    @property
    def _every(self) -> Sequence[Item]:
        return (*self.items, *self.names)

    @property
    def compared(self) -> int:
        """How many are to be compared."""
        return len(self.items)

    @cached_property
    def equal(self) -> int:
        """Those that were looked at, and that nothing was found of."""
        return sum(one.standing is Standing.EQUAL for one in self.items)

    @cached_property
    def not_compared(self) -> int:
        """Those that nobody looked at since they were sent, or changed in the source; they may have findings too."""
        return sum(bool(one.reason) for one in self._every)

    @property
    def open(self) -> Counter[str]:
        """Reason -> number of those that are not compared."""
        return Counter(one.reason for one in self._every if one.reason)

    @property
    def counts(self) -> Counter[str]:
        """How much of `COUNTED`."""
        return Counter({name: sum(one.counts.get(name, 0) for one in self.items) for name in COUNTED})

    @property
    def read_at(self) -> Instant | None:
        """When the bytes of those `read_before` were read."""
        return earliest(one.read_at for one in self.items)

    @property
    def reasons(self) -> Counter[str]:
        """Reason -> number of omissions."""
        return Counter(one.reason for one in self.omissions)

    @property
    def findings(self) -> int:
        """How much verify found of them."""
        return sum(one.findings for one in self._every)

    def differing(self) -> Iterator[Item]:
        """Those with findings."""
        return (one for one in self._every if one.findings)


def is_left(one: ExpectedAsset) -> bool:
    """True for what is not to be there, for good: each is an omission."""
    omitted = one.planned.fate is AssetFate.OMITTED and one.planned.reason not in FOR_NOW
    return omitted or one.planned.fate is AssetFate.CONFLICT


def _item(judge: Judge, one: ExpectedAsset) -> Item:
    topic = topic_of(one.key)
    if one.planned.fate is AssetFate.OMITTED:
        return Item(subject=topic, standing=Standing.NOT_COMPARED, reason=one.planned.reason)
    item = judge.asset(topic, one.content)
    taken_back = one.receipt is None or one.receipt.state is AssetState.UNDONE
    return replace(item, reason=NEVER_SENT) if taken_back and item.reason == NEVER else item
