"""Records to part lines, the exact way: values survive to the digit, refusals name attribute and cause."""

from __future__ import annotations

import json
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.model import KeySchema
from ingest_project.formats.dynamodb_json import (
    ITEM_BYTES,
    RECORD_BYTES,
    SURELY_SMALL,
    encode_record,
    plain_item_size,
    unwrap,
)
from ingest_project.formats.json_tree import Refused, parse
from ingest_project.formats.typed_values import item_size
from ingest_project_tests.formats.records import RECORDS, exact, json_text, read_line

ID = KeySchema(parts=(("id", "S"),))


def line(raw: bytes, keys: KeySchema = ID, *, drop: bool = False) -> bytes:
    return encode_record(raw, keys, drop_empty_strings=drop).text


def refusal(raw: bytes, keys: KeySchema = ID) -> str:
    with pytest.raises(Refused) as caught:
        encode_record(raw, keys)
    return str(caught.value)


@given(record=RECORDS, ascii_only=st.booleans(), spaced=st.booleans())
def test_a_plain_record_keeps_every_value(record: dict[str, Any], ascii_only: bool, spaced: bool) -> None:
    text = line(json_text(record, ascii_only=ascii_only, spaced=spaced).encode())
    assert exact(record) == read_line(text)
    assert b"\n" not in text


@given(record=RECORDS, ascii_only=st.booleans())
def test_a_part_line_and_its_item_pass_unchanged(record: dict[str, Any], ascii_only: bool) -> None:
    text = line(json_text(record, ascii_only=ascii_only, spaced=False).encode())
    spaced = json.dumps(json.loads(text), ensure_ascii=ascii_only, indent=1).encode()
    item = text.removeprefix(b'{"Item":').removesuffix(b"}")
    assert [text, text] == [line(text), line(item)]
    assert read_line(text) == read_line(line(spaced))


@given(record=RECORDS)
def test_a_part_line_is_what_boto3_understands(record: dict[str, Any]) -> None:
    item = json.loads(line(json_text(record, ascii_only=True, spaced=False).encode()))["Item"]
    deserialize = TypeDeserializer().deserialize
    assert list(record) == [name for name, value in item.items() if deserialize(value) is not NotImplemented]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"id":"1","n":1.0}', b'{"Item":{"id":{"S":"1"},"n":{"N":"1.0"}}}'),
        (b'{"id":"1","n":1e5}', b'{"Item":{"id":{"S":"1"},"n":{"N":"1e5"}}}'),
        (b'{ "id" : "\\u00e4\\n" }', b'{"Item":{"id":{"S":"\\u00e4\\n"}}}'),
        (b'{"\\u0069d":"1"}', b'{"Item":{"id":{"S":"1"}}}'),
        (b'{"id":"1","e":""}', b'{"Item":{"id":{"S":"1"},"e":{"S":""}}}'),
        (b'{"id":"1","z":null,"t":true}', b'{"Item":{"id":{"S":"1"},"z":{"NULL":true},"t":{"BOOL":true}}}'),
        (
            b'{"id":"1","l":[[],{}]}',
            b'{"Item":{"id":{"S":"1"},"l":{"L":[{"L":[]},{"M":{}}]}}}',
        ),
        (
            b'{"id": {"S":"1"}, "s": {"NS": ["1", "2.0"]}, "n": {"N": "+007"}}',
            b'{"Item":{"id":{"S":"1"},"s":{"NS":["1","2.0"]},"n":{"N":"+007"}}}',
        ),
        (
            b'{"Item":{"id":{"S":"1"},"b":{"B":"YQ=="},"m":{"M":{"S":{"L":[{"BOOL":false}]}}}}}',
            b'{"Item":{"id":{"S":"1"},"b":{"B":"YQ=="},"m":{"M":{"S":{"L":[{"BOOL":false}]}}}}}',
        ),
        (b'{"Item":{"id":"1"}}', b'{"Item":{"id":{"S":"1"}}}'),
        (
            b'{"id":"1","m":{"S":"x"}}',
            b'{"Item":{"id":{"S":"1"},"m":{"M":{"S":{"S":"x"}}}}}',
        ),
    ],
)
def test_part_lines(raw: bytes, expected: bytes) -> None:
    assert expected == line(raw)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"5", "the record is no object but 5"),
        (b"[{}]", "the record is an array"),
        (b"{}", "id: the key attribute is missing"),
        (b'{"Item":{}}', "id: the key attribute is missing"),
        (b'{"id":""}', "id: the key attribute is empty"),
        (b'{"id":1}', "id: the key attribute is a number, the table wants a string"),
        (b'{"id":null}', "id: the key attribute is null, the table wants a string"),
        (b'{"id":["1"]}', "id: the key attribute is a list, the table wants a string"),
        (b'{"id":{"N":"1"}}', "id: the key attribute is a number, the table wants a string"),
        (b'{"id":{"S":1}}', "id: type S does not hold a string"),
        (b'{"id":"1","":1}', "'': an attribute name is empty"),
        (b'{"id":"1","m":{"":1}}', "m.'': an attribute name is empty"),
        (
            b'{"id":"1","n":[0,1e126]}',
            "n[1]: number 1e126 is too large, its magnitude may be at most 9.99E+125",
        ),
        (b'{"id":{"S":"1"},"n":{"N":"1x"}}', "n: 1x is not a number"),
        (b'{"id":{"S":"1"},"n":{"N":1}}', "n: type N holds 1, not a string"),
        (b'{"id":{"S":"1"},"n":{"S":[1]}}', "n: type S holds an array or an object"),
        (b'{"id":{"S":"1"},"n":{"B":"a"}}', 'n: not base64: "a"'),
        (b'{"id":{"S":"1"},"n":{"B":"\xc3\xa4"}}', 'n: not base64: "ä"'),
        (b'{"id":{"S":"1"},"n":{"BOOL":1}}', "n: type BOOL holds 1, not true or false"),
        (b'{"id":{"S":"1"},"n":{"NULL":false}}', "n: type NULL holds false, not true"),
        (b'{"id":{"S":"1"},"n":{"M":[]}}', "n: type M does not hold an object"),
        (b'{"id":{"S":"1"},"n":{"L":{}}}', "n: type L does not hold an array"),
        (b'{"id":{"S":"1"},"n":{"SS":"a"}}', "n: type SS does not hold an array"),
        (b'{"id":{"S":"1"},"n":{"SS":[]}}', "n: a string set is empty"),
        (b'{"id":{"S":"1"},"n":{"SS":["a",1]}}', "n[1]: type S holds 1, not a string"),
        (b'{"id":{"S":"1"},"n":{"SS":["a","\\u0061"]}}', 'n[1]: a string set holds "\\u0061" twice'),
        (b'{"id":{"S":"1"},"n":{"NS":["1","1.0"]}}', 'n[1]: a number set holds "1.0" twice'),
        (b'{"id":{"S":"1"},"n":{"BS":["YQ==","YQ=="]}}', 'n[1]: a binary set holds "YQ==" twice'),
        (
            b'{"id":{"S":"1"},"n":{"M":{"a":{"X":"1"}}}}',
            "n.a: not a DynamoDB-typed value: 'X' is no type name",
        ),
        (
            b'{"id":{"S":"1"},"n":{"L":[{"S":"a","N":"1"}]}}',
            "n[0]: not a DynamoDB-typed value: expected an object with one type name",
        ),
        (
            b'{"id":{"S":"1"},"x":{"X":"1"}}',
            "id: the key attribute is a map, the table wants a string (attribute 'x' is not typed)",
        ),
    ],
)
def test_a_refusal_names_the_attribute_and_the_cause(raw: bytes, reason: str) -> None:
    assert reason == refusal(raw)


def nested(levels: int) -> bytes:
    """A value of so many levels, the innermost a number."""
    return b'{"a":' * (levels - 1) + b"1" + b"}" * (levels - 1)


def test_values_nest_32_levels_deep_and_no_deeper() -> None:
    deepest = line(b'{"id":"1","v":' + nested(32) + b"}")
    assert deepest == line(deepest)
    assert "nested deeper than 32 levels" in refusal(b'{"id":"1","v":' + nested(33) + b"}")
    typed = b'{"id":{"S":"1"},"v":' + b'{"L":[' * 32 + b'{"N":"1"}' + b"]}" * 32 + b"}"
    assert "nested deeper than 32 levels" in refusal(typed)


def test_string_keys_have_at_most_2048_and_1024_bytes_of_utf_8() -> None:
    keys = KeySchema(parts=(("p", "S"), ("s", "S")))
    fits = b'{"p":"%b","s":"%b"}' % ("é".encode() * 1024, b"\\u00e9" * 512)
    assert [len(part.value) for part in encode_record(fits, keys).key] == [2048, 1024]
    long = b'{"p":"%b","s":"%b"}' % (b"x" * 2049, b"x")
    assert refusal(long, keys) == "p: the key attribute has 2049 bytes, at most 2048 are allowed"
    long = b'{"p":"%b","s":"%b"}' % (b"x", b"x" * 1025)
    assert refusal(long, keys) == "s: the key attribute has 1025 bytes, at most 1024 are allowed"


def test_binary_keys_are_measured_in_their_own_bytes() -> None:
    keys = KeySchema(parts=(("p", "B"),))
    assert len(encode_record(b'{"p":{"B":"%b"}}' % (b"YWFh" * 682), keys).key[0].value) == 2046
    assert "has 2049 bytes" in refusal(b'{"p":{"B":"%b"}}' % (b"YWFh" * 683), keys)
    assert "is a string, the table wants a binary" in refusal(b'{"p":"YWFh"}', keys)


def test_a_number_key_obeys_the_limits_of_numbers() -> None:
    keys = KeySchema(parts=(("n", "N"),))
    assert "n: number" in refusal(b'{"n":' + b"1" * 39 + b"}", keys)
    assert encode_record(b'{"n":1.50e1}', keys).key == encode_record(b'{"n":{"N":"15"}}', keys).key


def test_an_item_has_at_most_400_kib_counted_as_dynamodb_does() -> None:
    room = ITEM_BYTES - len("id" + "1" + "v")
    assert line(b'{"id":"1","v":"' + "é".encode() * (room // 2) + b'"}')
    assert line(b'{"id":"1","v":"' + b"\\u00e9" * (room // 2) + b'"}')
    reason = refusal(b'{"id":"1","v":"' + b"x" * (room + 1) + b'"}')
    assert reason == "the item has 409601 bytes, at most 409600 are allowed"


@pytest.mark.parametrize("element", [b"1", b'""', b"[]", b"{}", b"null", b'{"a":1}'])
def test_a_short_record_is_never_an_item_that_is_too_large(element: bytes) -> None:
    count = SURELY_SMALL // (len(element) + 1) - 20
    raw = b'{"id":"1","v":[' + b",".join([element] * count) + b"]}"
    assert len(raw) <= SURELY_SMALL
    assert item_size(unwrap(parse(line(raw)), ID)) <= ITEM_BYTES


@given(record=RECORDS)
def test_an_item_has_one_size_plain_or_typed(record: dict[str, Any]) -> None:
    raw = json_text(record, ascii_only=True, spaced=True).encode()
    assert plain_item_size(unwrap(parse(raw), ID)) == item_size(unwrap(parse(line(raw)), ID))


def test_sizes_follow_the_rules_of_the_developer_guide() -> None:
    attributes = b'{"ab":"\xc3\xa9","n":-123.50,"t":true,"z":null,"l":[1,""],"m":{"x":[]}}'
    expected = (2 + 2) + (1 + 3) + (1 + 1) + (1 + 1) + (1 + 3 + 2 + 2) + (1 + 3 + 1 + 1 + 3)
    assert expected == plain_item_size(unwrap(parse(attributes), ID))
    typed = b'{"b":{"B":"YQ=="},"ss":{"SS":["a","bc"]},"ns":{"NS":["1","22","333"]},"bs":{"BS":["YWE="]}}'
    assert item_size(unwrap(parse(typed), ID)) == (1 + 1) + (2 + 3) + (2 + 2 + 2 + 3) + (2 + 2)


@pytest.mark.parametrize("element", [b"1", b"[[[[]]]]", b'{"a":1}'])
def test_a_record_with_more_values_than_an_item_can_hold_is_refused_unread(element: bytes) -> None:
    raw = b'{"id":"1","v":[' + b",".join([element] * 1_000_000) + b"]}"
    assert refusal(raw) == "the item has more than 409600 bytes"


def test_an_item_full_of_tiny_values_is_let_through() -> None:
    room = ITEM_BYTES - len("id" + "1" + "v") - 3
    assert line(b'{"id":{"S":"1"},"v":{"L":[' + b",".join([b'{"S":""}'] * room) + b"]}}")
    assert line(b'{"id":"1","v":"' + b"[" * room + b'"}')


def test_a_huge_record_is_refused_unread() -> None:
    assert "at most 16777216 are read" in refusal(b" " * RECORD_BYTES + b"{}")


def test_empty_strings_are_dropped_on_request_only() -> None:
    raw = b'{"id":"1","e":"","m":{"e":"","l":[""]}}'
    assert read_line(line(raw, drop=True)) == {"id": "1", "m": {"l": [""]}}
    assert line(line(raw), drop=True) == line(raw, drop=True)
    assert read_line(line(raw)) == {"id": "1", "e": "", "m": {"e": "", "l": [""]}}
