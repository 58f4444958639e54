"""How many hosts for a deadline, and what they cost: the arithmetic around the simulation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ingest_project.core.experience import told_rate
from ingest_project.resources.fleet_plan import Cargo, FleetPlan, Means, fleet_plan
from ingest_project.resources.prices import PRICES, QUOTAS

CARGO = Cargo(rows=10**7, bytes=1e10, write_units=10**7)
MEANS = Means(run_bytes=5e8, units=100_000.0, at_once=2)
RATE = told_rate(2_000.0)


def planned(means: Means = MEANS, deadline: float | None = None) -> FleetPlan:
    return fleet_plan(CARGO, means, PRICES, QUOTAS, deadline=deadline, learned=RATE, source="told")


def test_the_smallest_fleet_keeps_the_deadline_nine_times_in_ten_and_one_host_less_does_not() -> None:
    found = planned(deadline=1800.0)
    (needed,) = [offer for offer in found.offers if offer.forecast.fleet.hosts == found.needed]
    assert needed.forecast.seconds.high <= 1800.0
    assert found.needed is not None
    (less,) = planned(replace(MEANS, hosts=(found.needed - 1,))).offers
    assert less.forecast.seconds.high > 1800.0
    assert f"within 0:30:00: {found.needed} worker hosts needed" == found.verdict


def test_a_table_that_is_too_slow_is_helped_by_no_host() -> None:
    found = planned(replace(MEANS, units=1_000.0), deadline=3600.0)
    assert (None, "within 1:00:00: no number of hosts does it, the table takes 2:46:40") == (
        found.needed,
        found.verdict,
    )


def test_too_few_runs_for_a_deadline_are_no_answer() -> None:
    near = planned(replace(MEANS, units=1e6), deadline=50.0)
    assert near.needed is None
    assert near.verdict.startswith("within 0:00:50: not surely with any number of hosts")


def test_hosts_writes_and_parts_are_paid() -> None:
    (offer,) = planned(replace(MEANS, hosts=(4,))).offers
    hours = offer.forecast.seconds.likely / 3600
    words, dollars = zip(*offer.costs, strict=True)
    assert ("hosts", "control host", "writes", "597 parts in S3") == words
    assert [4 * hours * 0.145, hours * 0.145, 6.25, 0.597 * 0.0054] == pytest.approx(list(dollars))
    assert sum(dollars) == offer.dollars
    provisioned = replace(MEANS, hosts=(4,), provisioned=True)
    (other,) = planned(provisioned).offers
    assert 100_000 * 0.00065 == pytest.approx(dict(other.costs)["writes"])


def test_an_unknown_price_leaves_the_sum_unknown() -> None:
    prices = replace(PRICES, host_hour=replace(PRICES.host_hour, dollars=None))
    (offer,) = fleet_plan(CARGO, replace(MEANS, hosts=(1,)), prices, QUOTAS, learned=RATE).offers
    assert (None, None) == (offer.dollars, offer.costs[0][1])


def test_a_new_table_begins_slowly_and_doubles() -> None:
    means = replace(MEANS, units=None, hosts=(64,), start_units=1_000)
    (offer,) = planned(means).offers
    # 1,000 a second for half an hour, 2,000 for the next, 4,000 for what is left.
    assert 3600 + (10**7 - 5_400_000) / 4_000 == pytest.approx(offer.forecast.seconds.likely, rel=0.02)
    assert "the table's quota" == offer.forecast.limit


def test_all_that_is_taken_has_a_source() -> None:
    learned = dict(planned(replace(MEANS, hosts=(1,))).assumed)
    assert "told" == learned["run_rate"].source
    assert 2_000.0 == pytest.approx(learned["run_rate"].value)
    assert "read_row" not in learned
    means = replace(MEANS, hosts=(1,), request_seconds=0.5, in_flight=1)
    assumed = dict(fleet_plan(CARGO, means, PRICES, QUOTAS).assumed)
    assert ("as told", 0.5) == (assumed["request_seconds"].source, assumed["request_seconds"].value)
    assert assumed["run_rate"].value == pytest.approx(1 / (0.5 / 25 + 13e-6), rel=0.001)
    assert all(figure.source and figure.unit for figure in assumed.values())
