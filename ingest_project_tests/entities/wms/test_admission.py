"""Rows become part lines exactly: equal to a slow oracle, the same bytes whichever way they went."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_project.core.fields import FieldBook
from ingest_project.core.model import Admitted, KeySchema
from ingest_project.entities.wms.admission import admission
from ingest_project.formats.keys import KeyPart, key_hash, number_part
from ingest_project_tests.entities.wms.oracle import digits, expected, read, version
from ingest_project_tests.entities.wms.rows import ROW, TYPES, batch, book, chunk, text

NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20), max_value=10**20)
KEYS = st.one_of(
    st.none(), st.text(max_size=6), st.sampled_from(['"', "\\", "null", '{"S":}', "línea\n📦", ""])
)
RELATED = st.builds(
    lambda row, key, url, reverse: dict([("id", row), ("key", key), ("url", url)][:: -1 if reverse else 1]),
    st.integers(0, 2**63),
    KEYS,
    st.one_of(st.none(), st.just("https://wms.example.com/1")),
    st.sampled_from([False] * 9 + [True]),
)
EPOCH, THERE = datetime(1970, 1, 1, tzinfo=UTC), timezone(timedelta(hours=-3))
MOMENTS = st.integers(1, 10**16)
VALUES = {
    "id": st.integers(0, 10**18 - 1),
    "url": KEYS,
    "mod_ts": MOMENTS.map(
        lambda seconds: (EPOCH + timedelta(microseconds=seconds)).astimezone(THERE).isoformat()
    ),
    "order_nbr": KEYS,
    "wave_id": st.one_of(st.none(), RELATED, st.integers(0, 99)),
    "facility_id": st.one_of(st.none(), RELATED),
    "status_id": st.one_of(st.none(), st.integers(-(2**63), 2**63)),
    "total_orig_ord_qty": st.one_of(st.none(), NUMBERS.map(lambda number: format(number, "f"))),
    "is_picking_flg": st.one_of(st.none(), st.booleans()),
    "ord_date": st.one_of(st.none(), st.dates().map(lambda day: day.isoformat())),
    "order_shipped_ts": st.one_of(
        st.none(),
        st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat()),
    ),
    "order_dtl_set": st.one_of(
        st.none(),
        st.lists(st.one_of(RELATED, st.integers(), KEYS), max_size=3),
        st.fixed_dictionaries({"result_count": st.integers(0, 9), "url": KEYS}),
    ),
    "note": st.one_of(st.none(), st.dictionaries(KEYS.map(str), st.one_of(KEYS, st.lists(KEYS)), max_size=2)),
}


@st.composite
def rows(draw: st.DrawFn) -> list[bytes]:
    """Rows of one API: mostly in one order and style, some without a field or with their fields elsewhere."""
    spaced, ascii_only = draw(st.booleans()), draw(st.booleans())
    made = []
    for _ in range(draw(st.integers(1, 4))):
        row = draw(st.fixed_dictionaries(VALUES))
        if draw(st.integers(0, 5)) == 0:
            row.pop(draw(st.sampled_from([name for name in TYPES if name not in ("id", "mod_ts")])))
        names = draw(st.permutations(list(row))) if draw(st.integers(0, 5)) == 0 else list(row)
        separators = (", ", ": ") if spaced else (",", ":")
        made.append(
            json.dumps(
                {name: row[name] for name in names}, ensure_ascii=ascii_only, separators=separators
            ).encode()
        )
    return made


@settings(max_examples=40)
@given(rows(), st.booleans())
def test_flattened_and_typed_rows_equal_the_slow_oracle(raws: list[bytes], decoded: bool) -> None:
    admit = admission(chunk(), book())
    for _ in range(2):
        # The second time all layouts are known.
        admitted = admit(batch(raws, decoded=decoded))
        assert [] == list(admitted.rejections)
        for raw, line in zip(raws, admitted.lines, strict=True):
            assert digits(expected(raw, TYPES)) == digits(read(line, TYPES))


@settings(max_examples=25)
@given(rows())
def test_the_fast_way_and_the_exact_way_make_the_same_bytes(raws: list[bytes]) -> None:
    # A contract that has seen no row takes its first one value by value.
    exact = [admission(chunk(), book())(batch([raw])) for raw in raws]
    admit = admission(chunk(), book())
    admit(batch(raws))
    fast = admit(batch(raws))
    assert [one.lines[0] for one in exact] == list(fast.lines)
    assert [one.hashes[0] for one in exact] == list(fast.hashes)


def one(raw: bytes, known: FieldBook | None = None) -> Admitted:
    return admission(chunk(), known or book())(batch([raw], first=5))


def attributes(raw: bytes, known: FieldBook | None = None) -> dict[str, Any]:
    admitted = one(raw, known)
    assert () == tuple(admitted.rejections)
    found: dict[str, Any] = json.loads(admitted.lines[0])["Item"]
    return found


def refusal(raw: bytes, known: FieldBook | None = None) -> str:
    admitted = one(raw, known)
    assert ([], 1) == (list(admitted.lines), len(admitted.rejections))
    letter = admitted.rejections[0]
    assert (5, 500, raw) == (letter.ordinal, letter.offset, letter.raw)
    return letter.reason


def test_a_row_becomes_what_the_domain_page_says() -> None:
    assert {
        "id": {"N": "987654"},
        "url": {"S": "https://wms.example.com/entity/order_hdr/987654"},
        "mod_ts": {"S": "2025-07-03T10:15:00.000000-03:00"},
        "version": {"N": "3503097000000000"},
        "order_nbr": {"S": "ORD1"},
        "wave_id": {"N": "7"},
        "wave_key": {"S": "W7"},
        "facility_id": {"NULL": True},
        "facility_key": {"NULL": True},
        "status_id": {"N": "10"},
        "total_orig_ord_qty": {"N": "12.0000"},
        "is_picking_flg": {"BOOL": True},
        "ord_date": {"S": "2025-07-03"},
        "order_shipped_ts": {"NULL": True},
        "order_dtl_set": {
            "S": '{"result_count":3,"url":"https://wms.example.com/entity/order_dtl/?order_id=987654"}'
        },
        "order_dtl_set_count": {"N": "3"},
        "note": {"NULL": True},
    } == attributes(text())


def test_the_key_hash_is_that_of_the_id() -> None:
    assert [key_hash((number_part(b"987654"),))] == list(one(text()).hashes)
    keys = KeySchema(parts=(("id", "N"), ("mod_ts", "S")))
    admit = admission(chunk(keys=keys), book())
    whole = key_hash((number_part(b"987654"), KeyPart("S", str(ROW["mod_ts"]).encode())))
    for _ in range(2):
        assert [whole] == list(admit(batch([text()])).hashes)


def test_one_moment_has_one_version_in_every_offset_and_later_is_greater() -> None:
    here, there = "2025-07-03T10:15:00.000001-03:00", "2025-07-03T13:15:00.000001Z"
    later = "2025-07-03T10:15:00.000002-03:00"
    found = [int(attributes(text(mod_ts=moment))["version"]["N"]) for moment in (here, there, later)]
    assert [version(here), version(here), version(here) + 2] == found


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": None}, "id: not the id of a row: null"),
        ({"id": "7"}, "id: changed type, text where integer is known"),
        ({"id": -1}, "id: not the id of a row: -1"),
        ({"id": 10**18}, "id: not the id of a row: 1000000000000000000"),
        ({"mod_ts": None}, "mod_ts: without it a row has no version"),
        ({"mod_ts": "2025-07-03T10:15:00"}, "mod_ts: changed type, text where timestamp is known"),
        ({"mod_ts": "1969-12-31T00:00:00Z"}, "is before 1970"),
        ({"ord_date": "2025-02-30"}, "ord_date: changed type, text where date is known"),
        ({"ord_date": "2025-02-29"}, "ord_date: changed type"),
        ({"order_shipped_ts": "2025-07-03T24:00:00Z"}, "order_shipped_ts: changed type"),
        ({"total_orig_ord_qty": "1" * 39}, "total_orig_ord_qty: number 1111.* has 39 significant digits"),
        (
            {"total_orig_ord_qty": "twelve"},
            'total_orig_ord_qty: changed type, text where decimal is known: "twelve"',
        ),
        ({"is_picking_flg": 1}, "is_picking_flg: changed type, integer where boolean is known: 1"),
        ({"wave_id": {"key": "W7"}}, "wave_id: changed type, object where relation is known"),
        ({"wave_id": "W7"}, "wave_id: changed type, text where relation is known"),
        ({"order_nbr": 5}, "order_nbr: changed type, integer where text is known: 5"),
        ({"order_dtl_set": 5}, "order_dtl_set: changed type, integer where set is known: 5"),
        ({"": 1}, "an attribute name is empty"),
        ({"order_nbr": "x" * 500_000}, "the item has 500[0-9]{3} bytes, at most 409600 are allowed"),
    ],
)
def test_what_is_wrong_is_named_with_its_field(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(refusal(text(**changes)))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"[1]", "the record is no object"),
        (b'{"id":1,"id":1,"mod_ts":"2025-07-03T10:15:00Z"}', "id: the name stands twice in one object"),
        (b'{"id":1,"\\u0069d":1,"mod_ts":"2025-07-03T10:15:00Z"}', "id: the name stands twice in one object"),
        (b'{"id":1,"x":"\xff"}', "x: not UTF-8"),
        (b'{"id":1,', "not JSON"),
        (b'{"id":1}', "mod_ts: is missing"),
        (b'{"mod_ts":"2025-07-03T10:15:00Z"}', "id: not the id of a row: null"),
    ],
)
def test_what_is_no_row_is_refused_with_a_reason(raw: bytes, reason: str) -> None:
    admitted = admission(chunk(), book())(batch([raw], decoded=False))
    assert 1 == len(admitted.rejections)
    assert reason in admitted.rejections[0].reason


def test_names_may_be_spelled_with_escapes() -> None:
    assert {"S": "A1"} == attributes(text().replace(b'"order_nbr":"ORD1"', b'"order\\u005fnbr":"A1"'))[
        "order_nbr"
    ]


def test_a_bad_row_harms_no_other_and_is_found_by_its_place() -> None:
    raws = [text(id=1), text(id=2, status_id="x"), text(id=3)]
    admit = admission(chunk(), book())
    for _ in range(2):
        admitted = admit(batch(raws))
        assert [1, 3] == [int(read(line, TYPES)["id"]) for line in admitted.lines]
        assert ([0, 200], 2) == (list(admitted.offsets), len(admitted.hashes))
        assert [(1, 100, "2")] == [(bad.ordinal, bad.offset, bad.key) for bad in admitted.rejections]


def test_the_day_before_march_is_looked_up_in_the_calendar() -> None:
    assert {"S": "2024-02-29"} == attributes(text(ord_date="2024-02-29"))["ord_date"]


def test_decimals_keep_their_digits_quoted_or_not() -> None:
    long = "12345678901234567890.123456789012345678"
    for value in ("0.1000", long, "-0.0000", "1E+3"):
        for quoted in (value, Decimal(value)):
            raw = text(total_orig_ord_qty="@").replace(
                b'"@"', json.dumps(value).encode() if quoted is value else value.encode()
            )
            assert {"N": value} == attributes(raw)["total_orig_ord_qty"]


def test_fields_with_the_names_of_our_own_attributes_stand_beside_them() -> None:
    found = attributes(text(version=4, deleted=False))
    assert ({"N": "4"}, {"BOOL": False}) == (found["wms_version"], found["wms_deleted"])
    assert {"N": "3503097000000000"} == found["version"]


def test_what_the_api_says_itself_is_not_derived() -> None:
    found = attributes(text(order_dtl_set_count=9, wave_key="mine"))
    assert ({"N": "9"}, {"S": "mine"}) == (found["order_dtl_set_count"], found["wave_key"])


def test_layouts_that_change_from_row_to_row_cost_speed_and_nothing_else() -> None:
    turned = dict(reversed(list(ROW.items())))
    raws = [text(ROW if at % 3 else turned, id=at, note={"n": at} if at % 2 else None) for at in range(40)]
    admit = admission(chunk(), book())
    for start in range(0, 40, 8):
        some = raws[start : start + 8]
        admitted = admit(batch(some, first=start))
        assert [expected(raw, TYPES) for raw in some] == [read(line, TYPES) for line in admitted.lines]
