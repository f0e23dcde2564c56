"""Times as the service keeps them: ticks of 100 ns since the Unix epoch, written in .NET's round-trip form.

The text has 7 decimals with trailing zeros cut (7 in about 90 % of the recorded times, none to 6 in the rest).
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

SECOND = 10_000_000
MILLISECOND = 10_000

UNSET = "0001-01-01T00:00:00+00:00"
""".NET's default time: what the service writes for "not set"."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?$")


def now() -> int:
    """The present, in ticks."""
    return time.time_ns() // 100


def parse(text: str) -> int:
    """Ticks of an ISO 8601 time; no zone means UTC, decimals after the seventh are cut.

    Raises ValueError for another form.
    """
    form = _FORM.match(text)
    if form is None:
        raise ValueError(f"{text!r} is not a time")
    whole, fraction, zone = form.groups()
    moment = datetime.fromisoformat(whole + (zone or "+00:00"))
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + int(((fraction or "") + "0000000")[:7])


def text(ticks: int, zone: str = "+00:00") -> str:
    """Ticks as `2023-04-14T01:37:46.1717002+00:00`; answers about workspaces and computes use the zone `Z`."""
    seconds, rest = divmod(ticks, SECOND)
    whole = (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]
    fraction = f".{rest:07}".rstrip("0") if rest else ""
    return whole + fraction + zone


def span(ticks: int) -> str:
    """Ticks as a .NET duration: `00:02:04.7583386`, with days in front where there are any (`1.00:00:00`)."""
    sign, ticks = ("-", -ticks) if ticks < 0 else ("", ticks)
    seconds, rest = divmod(ticks, SECOND)
    days, seconds = divmod(seconds, 86_400)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return sign + (f"{days}." if days else "") + clock + (f".{rest:07}" if rest else "")
