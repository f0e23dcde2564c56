"""What commands say of assets, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from azureml_replay.counting import counted
from azureml_replay.terminal.layout import Branch
from azureml_replay.terminal.text import amount

if TYPE_CHECKING:
    from azureml_replay.direct.options import AssetsSent
    from azureml_replay.planning.assets import AssetPlan

PACE = "Azure Resource Manager takes 200 writes at once, and 10 a second then"
SHOWN = 20
"""Lines shown of one list; the rest is counted, and `--json` has all."""


def planned_assets(plan: AssetPlan | None) -> tuple[Branch, ...]:
    """What becomes of what runs refer to, kind by kind; nothing where there is none of it."""
    if plan is None or not (plan.kinds or plan.omitted):
        return ()
    kinds = [Branch(f"{kind}: {_fates(fates)}") for kind, fates in plan.kinds.items()]
    own = [Branch(f"{counted(plan.files, 'file')} of theirs, {amount('bytes', plan.bytes)}")] if plan.files else []
    wait = -(-plan.least_s // 60)
    slow = [Branch(f"at least {counted(wait, 'minute')}: {PACE}")] if plan.least_s >= 60 else []
    outside = [Branch(f"named, and elsewhere: {_fates(plan.outside)}")] if plan.outside else []
    omitted = [Branch(f"not made: {asset}: {why}") for asset, why in plan.omitted[:SHOWN]]
    omitted += [Branch(f"not whole: {asset}: {what}") for asset, what in plan.lost[:SHOWN]]
    rest = max(len(plan.omitted) - SHOWN, 0) + max(len(plan.lost) - SHOWN, 0)
    more = [Branch(f"and {rest:,} more (--json lists all)")] if rest > 0 else []
    count = sum(sum(fates.values()) for fates in plan.kinds.values())
    return (Branch(counted(count, "asset"), (*kinds, *own, *slow, *outside, *omitted, *more)),)


def sent_assets(sent: AssetsSent) -> Iterator[Branch]:
    """The lines of `replay` about assets; none where nothing became of any."""
    counts = ((sent.made, "made"), (sent.updated, "brought up to date"), (sent.adopted, "there already, and equal"))
    told = [f"{count:,} {what}" for count, what in counts if count]
    told += [f"{counted(sent.names, 'name')} described or archived"] if sent.names else []
    told += [f"{counted(sent.files, 'file')}, {amount('bytes', sent.bytes)}"] if sent.files else []
    if told:
        yield Branch(f"assets: {', '.join(told)}")
    for asset in sent.left[:SHOWN]:
        yield Branch(f"{asset}: the target has another one under that name and version, which was left alone")
    yield from (Branch(f"{asset} is not made: {why}") for asset, why in sent.refused[:SHOWN])
    yield from (Branch(f"failed: {asset}: {why}") for asset, why in sent.failed[:SHOWN])
    if sent.failed:
        yield Branch(f"{counted(len(sent.failed), 'asset')} failed: run the same command again to continue")


def _fates(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {fate}" for fate, count in counts.items())
