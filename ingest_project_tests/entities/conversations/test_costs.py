"""The model of costs follows the traffic and the dated prices, and says what it does not know."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ingest_project.entities.conversations.costs import Traffic, new_bill, old_bill, reads, report, writes
from ingest_project.resources.prices import PRICES

TRAFFIC = Traffic()


def test_units_are_counted_as_the_service_counts_them() -> None:
    assert [0.5, 0.5, 1.0] == [reads(size) for size in (1, 4096, 4097)]
    assert [1, 1, 2] == [writes(size) for size in (1, 1024, 1025)]


def test_a_context_costs_less_than_before_and_the_cache_takes_its_share() -> None:
    old, new = old_bill(TRAFFIC), new_bill(TRAFFIC)
    assert new.read_units - new.by["similar"] < 0.3 * old.read_units
    first, further = (new_bill(replace(TRAFFIC, further=share)).by["similar"] for share in (0.0, 1.0))
    assert further < 0.4 * first
    assert new.by["similar"] == pytest.approx((first + 3 * further) / 4)
    assert pytest.approx(new.read_units / 2) == new_bill(replace(TRAFFIC, cached=0.5)).read_units
    assert {
        "last of the session",
        "recent",
        "statistics",
        "similar",
        "history",
        "embeddings",
    } == new.by.keys()


def test_dollars_are_units_times_the_price() -> None:
    bill = old_bill(replace(TRAFFIC, messages=1_000_000, contexts=0))
    assert (1e6, 0.625, 0.0) == (bill.write_units, bill.writes, bill.reads)
    assert bill.total == pytest.approx(0.625 + 750e6 / 2**30 * 0.25)


def test_longer_messages_and_wider_codecs_cost_more() -> None:
    wide = replace(TRAFFIC, codec="zlib-float32", dimensions=1024)
    assert new_bill(wide).write_units > new_bill(TRAFFIC).write_units
    assert new_bill(replace(TRAFFIC, content=4_000)).stored_bytes > new_bill(TRAFFIC).stored_bytes


def test_a_price_that_is_not_known_makes_no_sum() -> None:
    unknown = replace(PRICES, read_million=replace(PRICES.read_million, dollars=None))
    assert new_bill(TRAFFIC, unknown).total is None
    lines = report(TRAFFIC, unknown)
    assert any(line.startswith("new: ") and line.endswith("(not known) a month") for line in lines)
    assert any("GB stored in a table for a month: $0.250, AWS price list" in line for line in lines)
