"""The specs of the warehouse: names, targets, index, rules and limits."""

from __future__ import annotations

import pickle

import pytest

from ingest_project.core.indexing import Date, Kept, Keyword, Text, Value
from ingest_project.entities.wms.admission import admission
from ingest_project.entities.wms.freshness import LIMITS, Freshness
from ingest_project.entities.wms.judging import Findings, judge_orders, judge_quantities, orders_of
from ingest_project.entities.wms.known import ENTITIES
from ingest_project.entities.wms.spec import KEYS, SPECS, spec_of
from ingest_project_tests.entities.wms.rows import batch, chunk, text

HOUR = 3600.0


def test_there_are_three_entities_with_tables_of_their_own() -> None:
    assert [
        ("wms.allocation", "allocation", "wms-allocation"),
        ("wms.order_hdr", "order_hdr", "wms-order_hdr"),
        ("wms.order_dtl", "order_dtl", "wms-order_dtl"),
    ] == [(spec.name, spec.source, spec.target_of("pages:x")) for spec in SPECS]


def test_a_spec_goes_to_worker_processes() -> None:
    for spec in SPECS:
        copy = pickle.loads(pickle.dumps(spec))
        assert (spec.name, spec.target_of("")) == (copy.name, copy.target_of(""))
        assert spec.index(KEYS) == copy.index(KEYS)


def test_fields_are_searched_as_their_kind_asks_for() -> None:
    fields = spec_of("order_hdr").index(KEYS).fields
    assert {
        "id": Value(kind="long"),
        "order_nbr": Keyword(),
        "status_id": Keyword(),
        "ship_via_key": Keyword(),
        "total_orig_ord_qty": Value(kind="double"),
        "stop_ship_flg": Value(kind="boolean"),
        "ord_date": Date(),
        "mod_ts": Date(),
        "order_dtl_set": Kept(),
        "order_lock_set_count": Value(kind="long"),
        "cust_long_text_1": Text(keyword=256),
        "shipto_addr": Text(keyword=256),
        "version": Value(kind="long"),
        "deleted": Value(kind="boolean"),
    }.items() <= dict(fields).items()


@pytest.mark.parametrize(
    ("entity", "hours", "verdict"),
    [
        ("allocation", 2.0, ""),
        ("allocation", 2.1, "warn"),
        ("allocation", 4.1, "fail"),
        ("order_dtl", 12.1, "warn"),
        ("order_dtl", 24.1, "fail"),
        ("order_hdr", 24.1, "warn"),
        ("order_hdr", 48.1, "fail"),
    ],
)
def test_the_mirror_is_old_when_the_domain_says_so(entity: str, hours: float, verdict: str) -> None:
    assert verdict == LIMITS[entity].verdict(hours * HOUR)


def test_every_entity_has_limits_and_what_was_never_there_fails() -> None:
    assert set(ENTITIES) == set(LIMITS)
    assert "fail" == Freshness(warn=1, fail=2).verdict(None)


def lines(*raws: bytes) -> list[bytes]:
    return list(admission(chunk("wms.allocation"))(batch(raws)).lines)


def quantities(allocated: object, packed: object, row: int = 7) -> bytes:
    moment = "2025-07-03T10:15:00-03:00"
    return text({"id": row, "mod_ts": moment, "alloc_qty": allocated, "packed_qty": packed})


@pytest.mark.parametrize(
    ("allocated", "packed", "wrong"),
    [
        ("12.0000", "0.0000", []),
        ("12.0000", "12.0000", []),
        ("12.0000", None, []),
        ("12.0000", "12.0001", ["allocation 7: packed_qty is 12.0001 of 12.0000"]),
        ("12.0000", "-0.0001", ["allocation 7: packed_qty is -0.0001 of 12.0000"]),
        ("0.0000", "0.0000", ["allocation 7: alloc_qty is 0.0000"]),
        ("-1", "0", ["allocation 7: alloc_qty is -1"]),
        (None, "0", ["allocation 7: alloc_qty is None"]),
    ],
)
def test_quantities_are_held_to_the_domains_rule(allocated: object, packed: object, wrong: list[str]) -> None:
    found = Findings()
    judge_quantities(lines(quantities(allocated, packed)), found)
    assert (1, len(wrong), wrong) == (found.looked_at, found.wrong, found.named)


def test_deleted_rows_are_not_judged_and_only_the_first_wrong_ones_are_named() -> None:
    found = Findings()
    gone = b'{"id":1,"__tombstone__":{"deleted_ts":"2026-01-02T03:04:05Z"}}'
    judge_quantities(lines(gone, *(quantities("0", "0", row) for row in range(30))), found)
    assert (30, 30, 20) == (found.looked_at, found.wrong, len(found.named))


def test_lines_point_to_orders_that_stand() -> None:
    found, orders = Findings(), dict[int, int]()
    moment = "2025-07-03T10:15:00-03:00"
    rows = [
        text(
            {
                "id": row,
                "mod_ts": moment,
                "order_id": order and {"id": order, "key": f"ORD{order}", "url": None},
            }
        )
        for row, order in ((1, 10), (2, 10), (3, 11), (4, None))
    ]
    orders_of(lines(*rows), orders, found)
    assert {10: 1, 11: 3} == orders
    judge_orders(orders, {10}, found)
    assert (4, ["order_dtl 4: no order_id", "order_dtl 3: order_hdr 11 is not there"]) == (
        found.looked_at,
        found.named,
    )
