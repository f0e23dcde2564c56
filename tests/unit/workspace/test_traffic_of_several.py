"""Requests and loads of several processes, as one; and when a service is the limit."""

from __future__ import annotations

from azureml_replay.workspace.traffic import Load, ServiceTraffic, joined_loads, joined_traffic, settled_below


def test_they_add_up() -> None:
    """The width in the end is the busiest one's; a pace is one where all have one."""
    one, other = ServiceTraffic(100, 3, [(0, 8), (50, 4)]), ServiceTraffic(10, 0, [(0, 8)])
    busy = Load(in_flight=3, width=4, ceiling=8, per_s=2.0, wait_s=0.0, retries=1)
    free = Load(in_flight=1, width=8, ceiling=8, per_s=None, wait_s=2.5, retries=0)

    assert joined_traffic([{"history": one}, {"history": other, "metric": other}]) == {
        "history": ServiceTraffic(110, 3, [(0, 8), (50, 4)]),
        "metric": other,
    }
    assert joined_loads([{"history": busy}, {"history": free}])["history"] == Load(
        in_flight=4, width=12, ceiling=16, per_s=None, wait_s=2.5, retries=1
    )
    assert joined_loads([{"history": busy}, {"history": busy}])["history"].per_s == 4.0


def test_a_service_that_refused_and_settled_is_the_limit() -> None:
    """One that was never asked for more, or that recovered, is none."""
    traffic = {
        "history": ServiceTraffic(100, 3, [(0, 8), (50, 4)]),
        "metric": ServiceTraffic(100, 3, [(0, 4), (50, 8)]),
        "storage": ServiceTraffic(100, 0, [(0, 4)]),
    }

    assert list(settled_below(traffic, 8)) == [
        "history took 4 of 8 requests at a time in the end: the service is the limit, more workers will not help"
    ]
