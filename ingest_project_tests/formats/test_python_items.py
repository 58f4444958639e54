"""Python dicts as items: what boto3's serializer says, exactly, and a place for each refusal."""

from __future__ import annotations

import json
from collections import OrderedDict
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from boto3.dynamodb.types import Binary, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.model import KeySchema
from ingest_project.formats.dynamodb_json import encode_record
from ingest_project.formats.json_tree import Refused
from ingest_project.formats.keys import key_hash
from ingest_project.formats.python_items import DictEncoder, typed_dict

KEYS = KeySchema(parts=(("id", "S"),))
PAIR = KeySchema(parts=(("id", "N"), ("at", "B")))


def is_utf8(text: str) -> bool:
    return not any("\ud800" <= one <= "\udfff" for one in text)


NUMBERS = st.one_of(
    st.integers(-(10**37), 10**37),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=7),
    st.sampled_from([Decimal("1E+125"), Decimal("-1E-130"), Decimal("0E-20"), Decimal("-0"), 0, 10**20]),
)
TEXTS = st.one_of(st.text(max_size=8).filter(is_utf8), st.sampled_from(['"\\\n%s', "é😀"]))
SETS = st.one_of(
    st.sets(TEXTS, min_size=1, max_size=3),
    st.frozensets(NUMBERS, min_size=1, max_size=3),
    st.sets(st.binary(max_size=4), min_size=1, max_size=3),
)
LEAVES = st.one_of(
    TEXTS,
    NUMBERS,
    SETS,
    st.booleans(),
    st.none(),
    st.binary(max_size=6),
    st.binary(max_size=6).map(bytearray),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=2).map(tuple),
        st.dictionaries(TEXTS.filter(bool), inner, max_size=3),
    ),
    max_leaves=6,
)
RECORDS = st.dictionaries(TEXTS.filter(bool), VALUES, max_size=4)


class Text(str):
    """Says something else of itself than it is."""

    def __str__(self) -> str:
        return "another"


class Size(IntEnum):
    LARGE = 3


class Colour(StrEnum):
    RED = "red"


def by_boto3(value: Any) -> Any:
    """What boto3 sends, bytes as JSON has them."""
    typed = TypeSerializer().serialize(value)
    return json.loads(json.dumps(typed, default=lambda one: encoded(one)))


def encoded(value: Any) -> str:
    from base64 import b64encode

    return b64encode(bytes(value)).decode()


def sorted_sets(value: Any) -> Any:
    """Sets have no order."""
    if isinstance(value, list):
        return [sorted_sets(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: sorted(one) if name in ("SS", "NS", "BS") and isinstance(one, list) else sorted_sets(one)
        for name, one in value.items()
    }


def item_of(record: Any, keys: KeySchema = KEYS) -> Any:
    return json.loads(DictEncoder(keys).encode(record).line)["Item"]


@given(RECORDS)
def test_an_item_is_what_boto3_makes_of_the_dict(record: dict[str, Any]) -> None:
    record["id"] = "k"
    expected = {"M": by_boto3(record)["M"]}
    assert sorted_sets(expected) == sorted_sets({"M": item_of(record)})


@given(RECORDS, TEXTS)
def test_both_ways_to_an_item_and_admission_of_dumps_agree(record: dict[str, Any], text: str) -> None:
    record["id"] = "k" + text
    line, key = DictEncoder(KEYS).encode(record)
    assert json.loads(line)["Item"] == typed_dict(record, 1)
    admitted = encode_record(line, KEYS)
    assert (line.replace(b" ", b""), key) == (admitted.text.replace(b" ", b""), key_hash(admitted.key))


@pytest.mark.parametrize("number", [2**100, -(10**37), 10**125, Decimal("1.10"), Decimal("9" * 38 + "E-10")])
def test_numbers_stay_digit_for_digit(number: int | Decimal) -> None:
    assert {"N": str(number)} == item_of({"id": "a", "n": number})["n"]


REFUSED: list[tuple[Any, str]] = [
    ([], "the record is a list, not a dict"),
    ({"n": 1}, "id: the key attribute is missing"),
    ({"id": 1}, "id: the key attribute is a number, the table wants a string"),
    ({"id": ""}, "id: the key attribute is empty"),
    ({"id": "é" * 1025}, "id: the key attribute has 2050 bytes"),
    ({"id": "a", 5: 1}, "an attribute name is a int, not a str"),
    ({"id": "a", "": 1}, "an attribute name is empty"),
    ({"id": "a", "m": {"x": [1, 2.5]}}, "m.x[1]: a float is not exact"),
    ({"id": "a", "n": Decimal("NaN")}, "n: NaN is not a number"),
    ({"id": "a", "n": Decimal("sNaN12")}, "n: sNaN12 is not a number"),
    ({"id": "a", "n": Decimal("-Infinity")}, "n: -Infinity is not a number"),
    ({"id": "a", "n": float("nan")}, "n: a float is not exact"),
    ({"id": "a", "n": 10**38 + 1}, "n: number 100000000000000000000000000000000000001 has 39"),
    ({"id": "a", "n": 10**6000}, "n: an integer is too large"),
    ({"id": "a", "n": Decimal("1E+126")}, "n: number 1E+126 is too large"),
    ({"id": "a", "n": Decimal("1E-131")}, "n: number 1E-131 is too close to zero"),
    ({"id": "a", "s": set()}, "s: a set is empty"),
    ({"id": "a", "s": {1, "x"}}, "s: a set holds values of several kinds: N, S"),
    ({"id": "a", "s": {True}}, "s: a set holds a boolean"),
    ({"id": "a", "s": {1.5}}, "s: a float is not exact"),
    ({"id": "a", "o": object()}, "o: object is no type"),
    ({"id": "a", "o": {"x": "\ud800"}}, "o.x: the text has an unpaired surrogate"),
    ({"id": "a", "\udc00": 1}, "an attribute name: the text has|the text has an unpaired surrogate"),
    ({"id": "a", "t": "é" * 205_000}, "the item has 4100"),
]


@pytest.mark.parametrize(("record", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_what_has_no_exact_value_is_refused_with_its_place(record: Any, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        DictEncoder(KEYS).encode(record)
    assert any(str(caught.value).startswith(one) for one in reason.split("|"))


def nested(levels: int, leaf: object, inner: type = dict) -> Any:
    value: Any = leaf
    for _ in range(levels):
        value = {"x": value} if inner is dict else [value]
    return value


@pytest.mark.parametrize("inner", [dict, list])
def test_values_nest_to_the_last_level_and_no_deeper(inner: type) -> None:
    assert item_of({"id": "a", "m": nested(31, 1, inner)})
    with pytest.raises(Refused, match="nested deeper than 32 levels"):
        item_of({"id": "a", "m": nested(32, 1, inner)})


def test_a_bad_value_at_the_bottom_is_found_in_two_sweeps() -> None:
    with pytest.raises(Refused, match=r"m\.x\.x.*: a float"):
        item_of({"id": "a", "m": nested(31, 0.5)})


def test_an_item_of_400_kb_by_dynamodbs_count_passes_however_long_its_text() -> None:
    exact = "\x01" * (400 * 1024 - len("idat") - 1)
    assert item_of({"id": "a", "t": exact[1:]})
    with pytest.raises(Refused, match="the item has"):
        item_of({"id": "a", "t": exact + "xx"})


def test_subclasses_are_what_they_derive_from() -> None:
    record = OrderedDict({"id": Text("a"), Text("n"): Size.LARGE, "c": Colour.RED, "b": Binary(b"xy")})
    expected = {"id": {"S": "a"}, "n": {"N": "3"}, "c": {"S": "red"}, "b": {"B": "eHk="}}
    assert expected == item_of(record)


def test_spellings_of_one_key_are_one_key() -> None:
    encode = DictEncoder(PAIR).encode
    keys = [
        encode({"id": number, "at": at}).hash
        for number, at in [(10, b"x"), (Decimal("10.0"), bytearray(b"x")), (Decimal("1E+1"), Binary(b"x"))]
    ]
    assert 1 == len({*keys, encode({"at": b"x", "id": 10, "more": None}).hash})
    assert encode({"id": 11, "at": b"x"}).hash not in keys


def test_a_key_that_is_called_item_is_no_wrapper() -> None:
    keys = KeySchema(parts=(("Item", "S"),))
    assert {"Item": {"S": "a"}} == item_of({"Item": "a"}, keys)


def test_the_readable_key_of_a_bad_record_is_told_where_it_has_one() -> None:
    encoder = DictEncoder(KEYS)
    assert ["a", "", "", ""] == [
        encoder.readable_key(record) for record in ({"id": "a", "n": 0.5}, {"n": 0.5}, {"id": 0.5}, [1])
    ]
