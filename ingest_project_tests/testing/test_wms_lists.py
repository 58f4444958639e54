"""Lists of the simulated API: filters, orderings and pages against what a plain look at all rows says."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_project.testing.wms_api import WmsApi
from ingest_project.testing.wms_query import MOST, Habits
from ingest_project.testing.wms_world import World
from ingest_project_tests.testing.warehouses import (
    STEADY,
    api_of,
    asked,
    comparable,
    everything,
    ids,
    results,
    walked,
)

FIELDS = ("id", "mod_ts", "status_id", "priority", "order_type_id", "total_orig_ord_qty", "order_nbr")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "": lambda one, other: bool(one == other),
    "__exact": lambda one, other: bool(one == other),
    "__gt": lambda one, other: bool(one > other),
    "__gte": lambda one, other: bool(one >= other),
    "__lt": lambda one, other: bool(one < other),
    "__lte": lambda one, other: bool(one <= other),
}


def changed(world: World) -> None:
    """Some of everything."""
    rows = [row.id for row in world.truth("order_hdr")]
    world.insert("order_hdr", 15)
    world.advance(10)
    world.update("order_hdr", rows[10:40])
    world.update("order_hdr", rows[35:45])
    world.delete("order_hdr", [*rows[70:80], rows[12]])


def told(name: str, value: Any) -> str:
    return str(value["id"] if isinstance(value, dict) else value)


@cache
def a_changed_one() -> tuple[WmsApi, list[dict[str, Any]]]:
    """An API whose warehouse was changed and stays as it is now, and all its rows."""
    api = api_of(rows=90)
    changed(api.world)
    return api, everything(api)


@settings(max_examples=30)
@given(st.data())
def test_any_filters_and_ordering_give_what_all_rows_say(data: st.DataObject) -> None:
    api, every = a_changed_one()
    rows = list(every)
    asked_for: dict[str, object] = {}
    for name in data.draw(st.lists(st.sampled_from(FIELDS), max_size=3, unique=True)):
        lookup = data.draw(st.sampled_from(list(COMPARE)))
        value = data.draw(st.sampled_from([row[name] for row in every if row[name] is not None]))
        asked_for[name + lookup] = told(name, value)
        holds, other = COMPARE[lookup], comparable(name, value)
        rows = [row for row in rows if row[name] is not None and holds(comparable(name, row[name]), other)]
    keys = data.draw(
        st.lists(st.sampled_from(["id", "-id", "mod_ts", "-mod_ts", "status_id", "-priority"]), max_size=2)
    )
    rows.sort(key=lambda row: row["id"])
    for key in reversed(keys):
        name = key.removeprefix("-")
        rows.sort(key=lambda row: (row[name] is None, row[name] or 0), reverse=key.startswith("-"))
    if keys:
        asked_for["ordering"] = ",".join(keys)
    assert ids(rows) == ids(results(api, page_size=MOST, **asked_for))
    if rows:
        asked_for["page_size"] = data.draw(st.integers(20, 50))
        assert ids(rows) == ids(walked(api, **asked_for))
        status, body = asked(api, "entity/order_hdr/", **asked_for)
        assert (200, len(rows)) == (status, body["result_count"])


@settings(max_examples=20)
@given(
    st.sampled_from(["", "id", "-id", "mod_ts", "-mod_ts", "mod_ts,id", "-mod_ts,id", "order_nbr"]),
    st.integers(4, 70),
)
def test_a_sequenced_walk_over_a_still_warehouse_gives_each_row_once(ordering: str, size: int) -> None:
    api, _ = a_changed_one()
    words: dict[str, object] = {"ordering": ordering} if ordering else {}
    walk = ids(walked(api, page_mode="sequenced", page_size=size, **words))
    assert walk == ids(walked(api, page_size=MOST, **words))
    assert sorted(walk) == [row.id for row in api.world.truth("order_hdr")]


@pytest.mark.parametrize(
    ("name", "text", "matches"),
    [
        ("id__in", "10000001,10000004,5", lambda row: row["id"] in (10000001, 10000004)),
        ("id__range", "10000010,10000050", lambda row: 10000010 <= row["id"] <= 10000050),
        ("status_id__in", "0,99", lambda row: row["status_id"] in (0, 99)),
        ("priority__isnull", "true", lambda row: row["priority"] is None),
        ("priority__isnull", "False", lambda row: row["priority"] is not None),
        ("order_nbr__contains", "RD1000001", lambda row: "RD1000001" in row["order_nbr"]),
        ("order_nbr__istartswith", "ord10000", lambda row: row["order_nbr"].startswith("ORD10000")),
        ("order_nbr__endswith", "7", lambda row: row["order_nbr"].endswith("7")),
        ("order_nbr__iexact", "ord10000001", lambda row: row["order_nbr"] == "ORD10000001"),
        ("order_type_id__key", "TYPE2", lambda row: row["order_type_id"]["key"] == "TYPE2"),
        ("facility_id__code", "MAIN", lambda row: True),
        ("facility_id__code", "OTHER", lambda row: False),
        (
            "total_orig_ord_qty__range",
            "100,2000.5",
            lambda row: 100 <= float(row["total_orig_ord_qty"]) <= 2000.5,
        ),
        ("stop_ship_flg", "true", lambda row: row["stop_ship_flg"] is True),
        ("req_ship_date__gte", "2025-01-01", lambda row: (row["req_ship_date"] or "") >= "2025-01-01"),
        (
            "mod_ts__range",
            "2025-03-01,2025-06-01T12:00:00+00:00",
            lambda row: "2025-03-01T00" <= row["mod_ts"] <= "2025-06-01T09:00:00.000000-03:00",
        ),
    ],
)
def test_each_lookup_finds_what_it_says(
    name: str, text: str, matches: Callable[[dict[str, Any]], bool]
) -> None:
    api = api_of()
    wanted = [row["id"] for row in everything(api) if matches(row)]
    assert wanted == ids(results(api, page_size=MOST, **{name: text}))


def test_a_page_has_the_users_rows_without_a_size_and_never_more_than_1250() -> None:
    api = api_of(rows=2000, habits=Habits(rows_per_page=30))
    assert [30, 30, 30, 7, MOST, MOST] == [
        len(results(api, **words))
        for words in (
            {},
            {"page_size": "x"},
            {"page_size": 0},
            {"page_size": 7},
            {"page_size": MOST},
            {"page_size": 5000},
        )
    ]
    strict = api_of(habits=Habits(refuse_large=True))
    assert 400 == asked(strict, "entity/order_hdr/", page_size=MOST + 1)[0]


def test_paged_pages_say_counts_and_links_and_sequenced_ones_only_links() -> None:
    api = api_of()
    root = f"http://wms.invalid{api.root}entity/order_hdr/"
    status, second = asked(api, "entity/order_hdr/", page_size=50, page=2, ordering="-id", id__gt=5)
    assert (200, 120, 3, 2) == (status, second["result_count"], second["page_count"], second["page_nbr"])
    assert f"{root}?page_size=50&ordering=-id&id__gt=5&page=3" == second["next_page"]
    assert f"{root}?page_size=50&ordering=-id&id__gt=5&page=1" == second["previous_page"]
    status, first = asked(api, "entity/order_hdr/", page_size=50, page_mode="sequenced")
    assert ["next_page", "previous_page", "results"] == list(first)
    assert "cursor=" in first["next_page"]
    assert first["previous_page"] is None
    status, second = asked(api, first["next_page"])
    status, again = asked(api, second["previous_page"])
    assert ids(first["results"]) == ids(again["results"])
    status, last = asked(api, asked(api, second["next_page"])[1]["previous_page"])
    assert ids(second["results"]) == ids(last["results"])


def test_the_cursor_is_the_last_value_in_base64() -> None:
    api = api_of(rows=3)
    first, second, _ = (row.id for row in api.world.truth("order_hdr"))
    _, page = asked(api, "entity/order_hdr/", page_mode="sequenced", page_size=1)
    cursor = dict(parse_qsl(urlsplit(page["next_page"]).query))["cursor"]
    assert f"p={first}" == base64.b64decode(cursor).decode()
    words = {"page_mode": "sequenced", "page_size": 1}
    assert [second] == ids(asked(api, "entity/order_hdr/", cursor=cursor, **words)[1]["results"])
    assert [first] == ids(asked(api, "entity/order_hdr/", cursor="cD0xNDAw", **words)[1]["results"])
    assert 400 == asked(api, "entity/order_hdr/", cursor="cD0x!", **words)[0]


def test_only_the_fields_that_are_asked_for_come() -> None:
    api = api_of()
    assert [{"id": row.id} for row in api.world.truth("order_hdr")][:3] == results(
        api, fields="id", page_size=3
    )
    row = everything(api)[0]
    wanted = {name: row[name] for name in ("status_id", "mod_ts", "facility_id")}
    assert [wanted] == results(api, fields="status_id,mod_ts,facility_id", page_size=1)
    assert (200, wanted) == asked(api, f"entity/order_hdr/{row['id']}", fields="status_id,mod_ts,facility_id")


def test_offset_pages_repeat_rows_after_an_insert_and_lose_rows_after_a_deletion() -> None:
    api = api_of()
    rows = [row.id for row in api.world.truth("order_hdr")][::-1]
    first = ids(results(api, ordering="-id", page_size=40, page=1))
    api.world.insert("order_hdr", 5)
    second = ids(results(api, ordering="-id", page_size=40, page=2))
    assert first[-5:] == second[:5]
    api.world.delete("order_hdr", rows[:10])
    third = ids(results(api, ordering="-id", page_size=40, page=3))
    assert rows[75:85] == [row for row in rows[:90] if row not in {*first, *second, *third}]


def test_rows_of_one_mod_ts_come_in_another_order_each_time_unless_the_id_is_asked_for() -> None:
    api = api_of(habits=Habits())
    words = {"ordering": "mod_ts", "page_size": 30}
    one, other = ids(results(api, **words)), ids(results(api, **words))
    assert one != other
    assert sorted(one) == sorted(other)
    steady = {"ordering": "mod_ts,id", "page_size": 30}
    assert ids(results(api, **steady)) == ids(results(api, **steady)) == sorted(one)
    lost = walked(api, ordering="mod_ts", page_size=8)
    assert len({row["id"] for row in lost}) < 120 == len(lost)


def test_an_ordering_can_be_ignored_in_sequenced_mode_and_is_honoured_in_paged_mode() -> None:
    api = api_of(habits=Habits(sequenced_ordering=False))
    every = [row.id for row in api.world.truth("order_hdr")]
    assert every == ids(walked(api, ordering="-id", page_mode="sequenced", page_size=50))
    assert every[::-1] == ids(walked(api, ordering="-id", page_size=50))


def test_company_and_facility_divide_the_rows_and_are_known_to_entities_without_them() -> None:
    api = api_of(companies=("C1", "C2"), facilities=("F1", "F2", "F3"), rows=300)
    for entity in ("order_hdr", "allocation"):
        parts = [
            ids(results(api, entity, page_size=MOST, company_id__code=company, facility_id__code=facility))
            for company in ("C1", "C2")
            for facility in ("F1", "F2", "F3")
        ]
        assert all(parts)
        assert [row.id for row in api.world.truth(entity)] == sorted(row for part in parts for row in part)
    row = results(api, company_id__code="C2", facility_id__code="F3", page_size=1)[0]
    assert ("C2", "F3") == (row["company_id"]["key"], row["facility_id"]["key"])


def test_a_line_belongs_to_an_order_that_exists_and_an_allocation_to_a_line() -> None:
    world = World(rows={"order_hdr": 40, "order_dtl": 100, "allocation": 230}, seed=2)
    api = api_of(habits=STEADY)
    api.world = world
    orders, lines = ({row["id"] for row in everything(api, name)} for name in ("order_hdr", "order_dtl"))
    world.insert("order_dtl", 5)
    assert {row["order_id"]["id"] for row in everything(api, "order_dtl")} <= orders
    assert {row["order_dtl_id"]["id"] for row in everything(api, "allocation")} <= lines
