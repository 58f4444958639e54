"""RowAdmission: good rows become exact items, bad ones rejections with row, column and reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.model import Admitted, KeySchema, Position, RecordBatch
from ingest_project.formats.attribute_values import Value
from ingest_project.formats.csv_admission import BadValue, RowAdmission, Rule
from ingest_project.formats.keys import string_key_hash
from ingest_project_tests.formats.csv_files import chunk_of, hostile, judged, rows_in, surveyed


def prices(row: Mapping[str, str]) -> Mapping[str, Value]:
    try:
        price = Decimal(row["price"])
    except InvalidOperation:
        raise BadValue("price", f"{row['price']!r} is not a number") from None
    return {**row, "price": price}


def as_it_is(row: Mapping[str, str]) -> Mapping[str, Value]:
    return row


def admitted(text: bytes, rule: Rule = prices, *, before: int = 0, keys: KeySchema | None = None) -> Admitted:
    """A file's rows, all in one batch."""
    survey = surveyed(text)
    chunk = chunk_of(survey, before=before, **({"keys": keys} if keys else {}))
    start = survey.marks[0].offset
    found = rows_in(text, chunk_delimiter(survey.shape), span=(start, survey.end))
    after = Position(len(found.raws))
    return RowAdmission(chunk, rule)(RecordBatch(first=0, raws=found.raws, offsets=found.places, after=after))


def chunk_delimiter(shape: str) -> str:
    words: dict[str, str] = json.loads(shape.removeprefix("csv:"))
    return words["delimiter"]


def items(found: Admitted) -> list[dict[str, Value]]:
    return [json.loads(line)["Item"] for line in found.lines]


def reasons(found: Admitted) -> list[str]:
    return [letter.reason for letter in found.rejections]


def test_a_good_row_becomes_an_item_with_exact_numbers() -> None:
    found = admitted(b'price;id;other\r\n015.750;"a ""1""\n";x\r\n')
    assert [{"price": {"N": "15.750"}, "id": {"S": 'a "1"\n'}}] == items(found)
    assert [string_key_hash(b'a "1"\n')] == list(found.hashes)
    assert [16] == list(found.offsets)
    assert b"\n" not in found.lines[0]


def test_a_bad_row_says_row_column_and_reason_and_harms_no_other() -> None:
    found = admitted(b"id,price\na,1\nb,zz\n\nc,3\n", before=10)
    assert ["a", "c"] == [item["id"]["S"] for item in items(found)]
    assert ["row 13, column price: 'zz' is not a number"] == reasons(found)
    (letter,) = found.rejections
    assert (letter.ordinal, letter.offset, letter.raw) == (1, 13, b"b,zz")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"a", "column price: the row has 1 fields, the header 3"),
        (b"a,1,,4,5", "column 4: the row has 5 fields, the header 3"),
        (b'a,"1', "column price: a quote is never closed"),
        (b"a,1,x\xe9", "column note: byte 0xE9 is not UTF-8"),
        (b'"a\xff,', "column id: byte 0xFF is not UTF-8"),
        (b",1,x", "id: the key attribute is empty"),
        (b"x" * 2049 + b",1,x", "id: the key attribute has 2049 bytes, at most 2048 are allowed"),
        (b"a,NaN,", "price: NaN is not a number"),
        (b"a,1E+200,", "price: number 1E+200 is too large, its magnitude may be at most 9.99E+125"),
        (b"a,1," + b"x" * 409_600, "the item has 409614 bytes, at most 409600 are allowed"),
    ],
)
def test_what_is_wrong_with_a_row_is_told(row: bytes, reason: str) -> None:
    text = "id,price,note\né,1,ü\né2,1,ü\n".encode() + row + b"\nb,2,y\nc,3,z\n"
    found = admitted(text)
    assert [f"row 4, {reason}"] == reasons(found)
    assert ["é", "é2", "b", "c"] == [item["id"]["S"] for item in items(found)]
    assert found.rejections[0].raw == row


def test_a_reason_without_a_column_is_one_of_the_row() -> None:
    def refuse(row: Mapping[str, str]) -> Mapping[str, Value]:
        raise BadValue("", "filtered: channel offline")

    assert ["row 2, filtered: channel offline"] == reasons(admitted(b"id,price\na,1\n", refuse))


def test_a_field_longer_than_the_csv_module_takes_is_read() -> None:
    (item,) = items(admitted(b'id,price,note\na,1,"' + b'x""' * 70_000 + b'"\n'))
    assert 'x"' * 70_000 == item["note"]["S"]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252"])
def test_text_is_decoded_as_the_file_is_encoded(encoding: str) -> None:
    note = "café \u20ac" if encoding == "cp1252" else "café ñ"
    text = f"id,price,note\na,1,{note}\nb,2,plain\n".encode(encoding)
    assert [note, "plain"] == [item["note"]["S"] for item in items(admitted(text))]


def test_every_kind_of_value_is_stored_as_its_own_type() -> None:
    def rich(row: Mapping[str, str]) -> Mapping[str, Value]:
        nested: Value = {"l": [1, Decimal("-0.10"), None, True, {"t": "x"}]}
        return {"id": row["id"], "m": nested, "n": 10**37, "d": Decimal("1E+3")}

    (item,) = items(admitted(b"id,price\na,1\n", rich))
    inner = [{"N": "1"}, {"N": "-0.10"}, {"NULL": True}, {"BOOL": True}, {"M": {"t": {"S": "x"}}}]
    assert {
        "id": {"S": "a"},
        "m": {"M": {"l": {"L": inner}}},
        "n": {"N": "1" + "0" * 37},
        "d": {"N": "1E+3"},
    } == item


def test_a_rule_that_gives_a_float_is_an_error_of_the_rule() -> None:
    def careless(row: Mapping[str, str]) -> Mapping[str, Value]:
        return {"id": row["id"], "price": float(row["price"])}

    with pytest.raises(TypeError, match="float is no exact value"):
        admitted(b"id,price\na,1\n", careless)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({}, "id: the key attribute is missing"),
        ({"id": Decimal(1)}, "id: the key attribute is not a string"),
        ({"id": "a", "": "x"}, "an attribute name is empty"),
        ({"id": "a", "m": {"": "x"}}, "m: an attribute name is empty"),
    ],
)
def test_an_item_that_cannot_be_stored_is_refused(attributes: Mapping[str, Value], reason: str) -> None:
    assert [f"row 2, {reason}"] == reasons(admitted(b"id,price\na,1\n", lambda row: attributes))


def test_keys_of_two_parts_and_of_numbers_are_hashed_by_value() -> None:
    keys = KeySchema(parts=(("id", "S"), ("price", "N")))
    first, second, third = admitted(b"id,price\na,1\na,1.00\na,2\n", keys=keys).hashes
    assert first == second != third


def test_columns_that_the_file_lacks_are_not_in_the_row() -> None:
    seen: list[set[str]] = []

    def look(row: Mapping[str, str]) -> Mapping[str, Value]:
        seen.append(set(row))
        return row

    admitted(b"id,unknown,price,\na,b,1,\n", look)
    assert [{"id", "price"}] == seen


@given(st.data())
def test_good_rows_hold_what_the_csv_module_reads_and_no_row_is_lost(data: st.DataObject) -> None:
    text = b"id,price\n1,2\n" + data.draw(hostile(","))
    survey = surveyed(text)
    found = admitted(text, as_it_is)
    assert survey.records == len(found.lines) + len(found.rejections)
    if survey.fault is None:
        expected = [row for row in judged(text)[1:] if len(row) == 2 and row[0]]
        assert expected == [[item["id"]["S"], item["price"]["S"]] for item in items(found)]
