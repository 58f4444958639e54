"""The record reader: accepts what JSON is, keeps the text, and says where and what when it is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.formats.json_tree import MAX_NESTING, Node, Refused, parse
from ingest_project_tests.formats.records import VALUES, json_text


def read(node: Node) -> Any:
    if isinstance(node, bytes):
        return json.loads(node, parse_float=str, parse_int=str)
    if isinstance(node, list):
        return [read(child) for child in node]
    return {name: read(child) for name, child in node.items()}


def holds_a_name_twice(text: bytes) -> bool:
    found = []
    json.loads(text, object_pairs_hook=lambda pairs: found.append(len(dict(pairs)) < len(pairs)))
    return any(found)


@given(value=VALUES, ascii_only=st.booleans(), spaced=st.booleans())
def test_a_tree_holds_what_the_standard_library_reads(value: Any, ascii_only: bool, spaced: bool) -> None:
    text = json_text(value, ascii_only=ascii_only, spaced=spaced)
    assert json.loads(text, parse_float=str, parse_int=str) == read(parse(f" {text}\n".encode()))


@given(text=st.binary(max_size=12) | st.text('{}[]",:0123.e-\\u"d8 ab', max_size=12).map(str.encode))
def test_a_tree_is_had_of_json_only(text: bytes) -> None:
    try:
        expected = json.loads(text.decode(), parse_float=str, parse_int=str, parse_constant=lambda _: 1 / 0)
        json.dumps(expected, ensure_ascii=False).encode()
    except (ValueError, ZeroDivisionError):
        with pytest.raises(Refused):
            parse(text)
        return
    if not holds_a_name_twice(text):
        assert expected == read(parse(text))


def test_scalars_keep_their_text() -> None:
    assert parse(b'{"a": 1.50e+01 , "b":"\\u0041\\/"}') == {"a": b"1.50e+01", "b": b'"\\u0041\\/"'}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not JSON: expected a value and found the end of the record"),
        (b'{"a":1', "not JSON: expected , or } and found the end of the record"),
        (b'{"a":01}', "not JSON: expected , or } and found '1}' at byte 6"),
        (b'{"a":[1,2}', "a: not JSON: expected , or ] and found '}' at byte 9"),
        (b'{"a":1}{', "not JSON: '{' at byte 7 of the record behind the value"),
        (b'{"a":{"b":[1,tru]}}', "a.b[1]: not JSON: expected a value and found 'tru]}}' at byte 13"),
        (b'{"a":"x\ny"}', "a: not JSON: expected a value"),
        (b'{"a":"\\x"}', "a: not JSON: expected a value"),
        (b'{"a":1,}', "not JSON: expected a value and found '}' at byte 7"),
        (b"{'a':1}", "not JSON: expected a value"),
        (b'{"a":NaN}', "a: NaN is not a number that can be stored"),
        (b'{"a":{"b":[0,-Infinity]}}', "a.b[1]: -Infinity is not a number that can be stored"),
        (b'{"a":{"b":"\xff"}}', "a.b: not UTF-8 (byte 0 of the string)"),
        (b'{"\xc3":1}', "an attribute name is not UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', "a: not UTF-8"),
        (b'{"a":["x\\ud800"]}', "a[0]: not Unicode: an unpaired surrogate escape"),
        (b'{"a":"\\udc00\\ud800"}', "a: not Unicode: an unpaired surrogate escape"),
        (b'{"\\ud83d":1}', "an attribute name is not Unicode"),
        (b'{"a":{"b":1,"c":2,"b":3}}', "a.b: the name stands twice in one object"),
        (b'{"a":1,"\\u0061":2}', "a: the name stands twice in one object"),
        (b"[" * 1_000_000, f"nest deeper than {MAX_NESTING} levels"),
    ],
)
def test_a_refusal_names_the_place_and_the_cause(raw: bytes, words: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(raw)
    assert words in str(caught.value)


def test_long_paths_and_names_are_shortened() -> None:
    with pytest.raises(Refused) as caught:
        parse(b'{"' + b"n" * 5000 + b'":' + b'{"a":' * 60 + b"x")
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    "raw", [b'{"a":"\\ud83d\\ude00"}', b'{"a":"\\\\ud800"}', b'{"a":"\xf0\x9f\x98\x80"}']
)
def test_pairs_of_surrogates_and_escaped_backslashes_pass(raw: bytes) -> None:
    assert isinstance(parse(raw), dict)
