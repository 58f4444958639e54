"""Quotas give what they promise and no more; each second's account is kept."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.testing.doubles import FakeClock
from ingest_project.testing.fault_items import item_size
from ingest_project.testing.fault_quotas import Meter, RequestQuota, WriteQuota

DEMANDS = st.lists(
    st.tuples(st.floats(0.0, 5.0), st.lists(st.integers(1, 40), max_size=30)), min_size=1, max_size=60
)


def taken(quota: WriteQuota, units: Sequence[int]) -> int:
    refused = set(quota.take(units))
    return sum(cost for place, cost in enumerate(units) if place not in refused)


@given(demands=DEMANDS, rate=st.floats(0.5, 100.0), burst=st.floats(1.0, 300.0))
def test_a_quota_never_gives_more_than_its_rate_and_its_burst(
    demands: list[tuple[float, list[int]]], rate: float, burst: float
) -> None:
    clock = FakeClock()
    quota, began = WriteQuota(rate, burst=burst, clock=clock), clock()
    total = 0
    for wait, units in demands:
        clock.advance(wait)
        total += taken(quota, units)
        assert total <= rate * (clock() - began) + burst + 1e-3


@given(waits=st.lists(st.floats(0.01, 0.5), min_size=10, max_size=200), rate=st.integers(1, 500))
def test_a_quota_gives_all_of_its_rate_and_its_burst_when_more_is_asked_for(
    waits: list[float], rate: int
) -> None:
    clock = FakeClock()
    quota, began = WriteQuota(rate, burst_seconds=10, clock=clock), clock()
    total = taken(quota, [1] * (rate * 12))
    for wait in waits:
        clock.advance(wait)
        total += taken(quota, [1] * (rate + 1))
    allowed = rate * (clock() - began) + rate * 10
    assert allowed - 1.001 <= total <= allowed + 0.001


def test_what_was_not_used_is_lent_up_to_the_burst_only() -> None:
    clock = FakeClock()
    quota = WriteQuota(10, burst_seconds=3, start=0, clock=clock)
    assert 0 == taken(quota, [1] * 5)
    clock.advance(1000)
    assert 30 == taken(quota, [1] * 50)


def test_an_item_that_does_not_fit_does_not_keep_out_a_smaller_one_behind_it() -> None:
    quota = WriteQuota(1, burst=5, clock=FakeClock())
    assert [1, 3] == quota.take([3, 3, 2, 1])


@pytest.mark.parametrize(
    ("unit", "size", "units"),
    [(1024, 0, 1), (1024, 1024, 1), (1024, 1025, 2), (1, 700, 700), (0, 5000, 1)],
)
def test_units_are_whole_and_at_least_one(unit: int, size: int, units: int) -> None:
    assert units == WriteQuota(1, unit=unit).units(size)


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"id": {"S": "abc"}}, 5),
        ({"id": {"S": "ä"}}, 4),
        ({"n": {"N": "12345"}}, 1 + 3 + 1),
        ({"n": {"N": "-1.50"}}, 1 + 1 + 1 + 1),
        ({"b": {"B": "AAECAw=="}}, 1 + 4),
        ({"t": {"BOOL": True}, "u": {"NULL": True}}, 4),
        ({"l": {"L": [{"S": "ab"}, {"S": "c"}]}}, 1 + 3 + 2 + 3),
        ({"m": {"M": {"k": {"S": "v"}}}}, 1 + 3 + 1 + 2),
        ({"s": {"SS": ["ab", "c"]}}, 1 + 3),
    ],
)
def test_an_item_is_as_large_as_its_names_and_values(item: dict[str, dict[str, object]], size: int) -> None:
    assert size == item_size(item)


def test_a_request_quota_says_when_to_come_again() -> None:
    clock = FakeClock()
    quota = RequestQuota(2, burst=3, clock=clock)
    assert [0.0, 0.0, 0.0] == [quota.take() for _ in range(3)]
    assert 0.5 == quota.take()
    clock.advance(0.25)
    assert 0.25 == quota.take()
    clock.advance(0.25)
    assert 0.0 == quota.take()


def test_the_meter_keeps_each_second_apart_and_knows_the_most_in_flight() -> None:
    clock = FakeClock()
    meter = Meter(clock)
    with meter.request(), meter.request():
        meter.units(3, 1)
        clock.advance(1.5)
        meter.units(2, 0)
    clock.advance(2)
    with meter.request():
        meter.refusal()
    assert [
        {"second": 0, "accepted": 3, "refused": 1, "requests": 2, "refusals": 0, "in_flight": 2},
        {"second": 1, "accepted": 2, "refused": 0, "requests": 0, "refusals": 0, "in_flight": 2},
        {"second": 3, "accepted": 0, "refused": 0, "requests": 1, "refusals": 1, "in_flight": 1},
    ] == meter.record()
