"""Part lines to plain documents and bulk bodies: exact numbers, untouched strings, the key as id."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.model import KeySchema
from ingest_project.formats.bulk import bulk_encoder, key_reader
from ingest_project.formats.dynamodb_json import encode_record
from ingest_project.formats.keys import document_id
from ingest_project.formats.plain_json import line_key, plain_document
from ingest_project_tests.formats.records import RECORDS, exact, json_text, read_json

ID = KeySchema(parts=(("id", "S"),))


@given(record=RECORDS, ascii_only=st.booleans())
def test_a_record_comes_back_as_it_was(record: dict[str, Any], ascii_only: bool) -> None:
    raw = json_text(record, ascii_only=ascii_only, spaced=True).encode()
    document = plain_document(encode_record(raw, ID).text)
    assert exact(record) == read_json(document)


def test_typed_values_become_plain_json() -> None:
    line = (
        b'{"Item":{"n":{"N":"007"},"p":{"N":"+1.50"},"e":{"N":"1E5"},"b":{"B":"YQ=="},"z":{"NULL":true},'
        b'"ss":{"SS":["x","\\u00e4"]},"ns":{"NS":["1","-.5"]},"bs":{"BS":["YQ=="]},"t":{"BOOL":true},'
        b'"l":{"L":[{"M":{"N":{"N":"1"}}},{"L":[]}]}}}'
    )
    expected = (
        b'{"n":7,"p":1.5,"e":1E5,"b":"YQ==","z":null,"ss":["x","\\u00e4"],"ns":[1,-0.5],"bs":["YQ=="],'
        b'"t":true,"l":[{"N":1},[]]}'
    )
    assert expected == plain_document(line)


@given(records=st.lists(RECORDS, max_size=5))
def test_a_bulk_body_is_an_action_line_and_a_document_line(records: list[dict[str, Any]]) -> None:
    lines = [
        encode_record(json_text(record, ascii_only=False, spaced=False).encode(), ID).text
        for record in records
    ]
    bodies, refused = bulk_encoder(ID)(lines)
    assert refused == {}
    for line, record, body in zip(lines, records, bodies, strict=True):
        action, document, rest = body.split(b"\n")
        assert rest == b""
        assert document == plain_document(line)
        assert json.loads(action)["index"]["_id"] == document_id(line_key(line, ID))
        if len(record["id"].encode()) <= 512:
            assert record["id"] == document_id(line_key(line, ID))


def test_the_key_of_a_line_in_the_forms_that_are_wanted() -> None:
    keys = KeySchema(parts=(("p", "S"), ("n", "N")))
    line = b'{"Item":{"n":{"N":"1.0"},"p":{"S":"a|\\u00e4"}}}'
    assert key_reader(keys)(line) == "a\\|ä|1"
    assert document_id(line_key(line, keys)) == "a\\|ä|1"
    binary = b'{"Item":{"b":{"B":"YQ=="}}}'
    assert key_reader(KeySchema(parts=(("b", "B"),)))(binary) == "YQ=="
