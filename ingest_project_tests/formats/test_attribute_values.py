"""Items made of Python values: every way to a part line gives the same item, exactly."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.model import KeySchema
from ingest_project.formats.attribute_values import ItemLines, Value, key_parts, typed_attributes, typed_value
from ingest_project.formats.dynamodb_json import encode_record
from ingest_project.formats.json_tree import Refused
from ingest_project.formats.keys import KeyPart

TEXTS = st.one_of(st.text(max_size=8), st.sampled_from(['"', "\\", "\n", "%s", "\u2028", "é😀", "\x7f", "%"]))
NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30, places=4),
    st.sampled_from([Decimal("1E+3"), Decimal("-0.10"), Decimal("NaN"), Decimal("1E+200"), 10**38]),
)
VALUES = st.one_of(TEXTS, NUMBERS, st.booleans(), st.none(), st.lists(TEXTS, max_size=2))
ITEMS = st.dictionaries(st.one_of(st.sampled_from(["id", "a", "b"]), TEXTS.filter(bool)), VALUES, max_size=5)


@given(st.lists(ITEMS, max_size=6))
def test_lines_by_template_say_what_the_values_say_one_by_one(items: list[dict[str, Value]]) -> None:
    lines = ItemLines()
    for item in [*items, *items]:
        expected = outcome(lambda item=item: {"Item": typed_attributes(item)})
        assert expected == outcome(lambda item=item: json.loads(lines.line(item)))


def outcome(make: Callable[[], object]) -> object:
    """What comes out, or why nothing does."""
    try:
        return make()
    except Refused as refused:
        return str(refused)


@given(TEXTS, NUMBERS.filter(lambda number: not isinstance(number, Decimal) or number.is_finite()))
def test_a_line_is_one_that_admission_of_dumps_would_let_pass(text: str, number: Value) -> None:
    try:
        line = ItemLines().line({"id": "k" + text, "n": number})
    except Refused:
        return
    keys = KeySchema(parts=(("id", "S"),))
    assert line == encode_record(line, keys).text
    assert key_parts({"id": "k" + text}, keys) == encode_record(line, keys).key


def test_more_kinds_of_items_than_templates_are_encoded_all_the_same() -> None:
    lines = ItemLines()
    for number in range(200):
        line = lines.line({"id": "a", f"name_{number}": number})
        assert b'{"Item":{"id":{"S":"a"},"name_%d":{"N":"%d"}}}' % (number, number) == line


def test_a_name_that_cannot_be_is_refused() -> None:
    with pytest.raises(Refused, match="an attribute name is empty"):
        ItemLines().line({"": "a"})


def test_what_nests_deeper_than_dynamodb_takes_is_refused() -> None:
    value: Value = "x"
    for _ in range(31):
        value = [value]
    typed_value(value)
    with pytest.raises(Refused, match="deeper than 32 levels"):
        typed_value([value])


def test_number_keys_are_canonical() -> None:
    keys = KeySchema(parts=(("id", "S"), ("n", "N")))
    assert (KeyPart("S", b"a"), KeyPart("N", b"1")) == key_parts({"id": "a", "n": Decimal("1.00")}, keys)
    with pytest.raises(Refused, match="n: the key attribute is not a number"):
        key_parts({"id": "a", "n": True}, keys)
