"""What the lanes cost and how long they take, against numbers computed by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from math import isclose
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.errors import ConfigurationError
from ingest_project.resources.lanes import Assumptions, Lane, Volume, compare, ramp_seconds
from ingest_project.resources.prices import GB, PRICES, QUOTAS, Price, read_prices

# A hundred million items of a little over 1 KB: 2 write units each, 120 GB of lines, 24 GB of objects.
VOLUME = Volume(items=100_000_000, write_units=200_000_000, text_bytes=120 * GB, stored_bytes=24 * GB)
FAST = Assumptions(items_per_second=1e9, prepare_per_second=50_000)


def lanes(volume: Volume = VOLUME, assumed: Assumptions = FAST, region: str = "") -> dict[str, Lane]:
    return {lane.name: lane for lane in compare(volume, PRICES, QUOTAS, assumed, region)}


def test_an_on_demand_table_costs_its_write_units_and_takes_its_ramp() -> None:
    lane = lanes()["BatchWriteItem, on demand"]
    assert lane.dollars == 200 * 0.625 == 125.0
    # Half an hour each at 4,000/s (7.2 M), 8,000 (14.4 M), 16,000 (28.8 M), 32,000 (57.6 M); 92 M are left.
    assert lane.seconds == 4 * 1800 + 92_000_000 / 40_000 == 9_500


def test_a_warm_on_demand_table_takes_the_quota_at_once() -> None:
    lane = lanes(assumed=replace(FAST, start_units=40_000))["BatchWriteItem, on demand"]
    assert lane.seconds == 200_000_000 / 40_000 == 5_000


def test_a_provisioned_table_is_paid_by_the_hour() -> None:
    lane = lanes()["BatchWriteItem, provisioned"]
    assert lane.seconds == 5_000
    assert lane.dollars is not None
    assert isclose(lane.dollars, 40_000 * 2 * 0.00065)  # 1.4 hours are two: 52 dollars
    lower = lanes(assumed=replace(FAST, provisioned_units=10_000))["BatchWriteItem, provisioned"]
    assert lower.seconds == 20_000
    assert lower.dollars is not None
    assert isclose(lower.dollars, 10_000 * 6 * 0.00065)


def test_a_slow_client_is_what_takes_time() -> None:
    slow = lanes(assumed=replace(FAST, items_per_second=1_000))
    assert 100_000 == slow["BatchWriteItem, on demand"].seconds == slow["BatchWriteItem, provisioned"].seconds


def test_an_import_costs_its_uncompressed_lines_and_the_objects() -> None:
    lane = lanes()["ImportTable"]
    objects = 65  # 24 GiB / 400 MB = 64.4
    pieces = 24 * 1024 // 8
    puts = pieces + 3 * objects + 3
    by_hand = 120 * 0.15 + puts * 0.005 / 1000 + objects * 0.0004 / 1000 + 24 * 0.023 / 30
    assert lane.dollars is not None
    assert isclose(lane.dollars, by_hand)
    assert 18.0 < by_hand < 18.1
    assert (None, 2_000.0) == (lane.seconds, lane.least_seconds)
    assert any("no rate" in note for note in lane.notes)
    assert lane.notes[0] == "65 objects of 396 MB"


def test_an_unknown_price_is_unknown_and_what_is_known_is_told() -> None:
    lane = lanes()["StartBulkPutItems, STANDARD"]
    assert lane.dollars is None
    assert lane.costs[0] == ("bulk put, STANDARD", None)
    assert all(dollars is not None for _, dollars in lane.costs[1:])


def test_a_bulk_put_with_a_limit_takes_at_least_so_long() -> None:
    limited = lanes(assumed=replace(FAST, put_units=20_000))["StartBulkPutItems, STANDARD"]
    assert (None, 2_000 + 10_000) == (limited.seconds, limited.least_seconds)
    floor = lanes(assumed=replace(FAST, put_units=1))["StartBulkPutItems, STANDARD"]
    assert floor.least_seconds == 2_000 + 200_000_000 / 1_024


def test_what_is_beyond_a_quota_is_said_to_be() -> None:
    many = replace(VOLUME, stored_bytes=50_001 * 400 * 10**6)
    assert "50,001 objects, 50,000 at most" == lanes(many)["ImportTable"].hindered
    large = replace(VOLUME, stored_bytes=2**40 + 1)
    assert "" == lanes(large)["ImportTable"].hindered
    assert (
        "1,099,511,627,776 at most in eu-north-1" in lanes(large, region="eu-north-1")["ImportTable"].hindered
    )
    huge = lanes(large, assumed=replace(FAST, object_bytes=6 * GB))
    assert "objects too large" == huge["StartBulkPutItems, STANDARD"].hindered


def test_nothing_costs_next_to_nothing() -> None:
    nothing = lanes(Volume(items=0, write_units=0, text_bytes=0, stored_bytes=0))
    assert (0.0, 0.0) == (
        nothing["BatchWriteItem, on demand"].dollars,
        nothing["BatchWriteItem, on demand"].seconds,
    )


@given(st.integers(0, 10**12), st.integers(1, 100_000), st.integers(1, 100_000), st.integers(1, 10_000))
def test_a_ramp_writes_exactly_what_was_asked(units: int, start: int, most: int, double: int) -> None:
    seconds = ramp_seconds(units, start, most, double)
    rate, left, written = min(start, most), seconds, 0.0
    while left > double and rate < most:
        written, left, rate = written + rate * double, left - double, min(2 * rate, most)
    assert isclose(units, written + rate * left, rel_tol=1e-9, abs_tol=1e-6)


def test_every_price_has_its_date_or_is_unknown() -> None:
    prices = [
        value for value in (getattr(PRICES, name) for name in PRICES.__slots__) if isinstance(value, Price)
    ]
    assert 11 == len(prices)
    assert all((price.dollars is None) == (price.as_of == "") for price in prices)
    assert {"put_standard_gb", "put_accelerated_gb"} == {
        name for name in PRICES.__slots__ if getattr(getattr(PRICES, name), "dollars", 0) is None
    }


def test_prices_of_ones_own_come_before_those_known_here(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(
        json.dumps({"region": "eu-west-1", "as_of": "2026-12", "put_standard_gb": 0.3, "import_gb": None})
    )
    own = read_prices(file)
    assert ("eu-west-1", 0.3, "2026-12") == (
        own.region,
        own.put_standard_gb.dollars,
        own.put_standard_gb.as_of,
    )
    assert own.import_gb.dollars is None
    assert own.wcu_hour == PRICES.wcu_hour
    found = {lane.name: lane for lane in compare(VOLUME, own, QUOTAS, FAST)}
    put = found["StartBulkPutItems, STANDARD"]
    assert put.costs[0] == ("bulk put, STANDARD", 120 * 0.3)
    assert put.dollars is not None
    assert found["ImportTable"].dollars is None


@pytest.mark.parametrize(
    "text",
    ['{"imports": 1}', '{"import_gb": -1}', '{"import_gb": "much"}', "[1]", "{", '{"import_gb": true}'],
)
def test_a_file_that_holds_no_prices_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "prices.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"prices\.json"):
        read_prices(file)
    with pytest.raises(ConfigurationError):
        read_prices(tmp_path / "none.json")
