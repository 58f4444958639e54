"""Shapes: every kind of file is told from every other, and what stands beside the items is kept."""

from __future__ import annotations

import pytest

from ingest_project.formats import cutting
from ingest_project.formats.shapes import METADATA_LIMIT, WRAPPER_KEYS
from ingest_project_tests.formats.streams import records_of, surveyed

BLOCKS = pytest.mark.parametrize("block", [1, 5, 1 << 20])


def read(data: bytes, block: int = 1 << 20) -> tuple[str, list[bytes]]:
    found = surveyed(data, block=block)
    assert found.fault is None, found.fault
    return found.shape, [raw for _, raw in records_of(data, found, block=block)]


@BLOCKS
@pytest.mark.parametrize(
    ("data", "shape", "records"),
    [
        (b'[{"a":1},{"a":2}]', "array", [b'{"a":1}', b'{"a":2}']),
        (b"[]", "array", []),
        (b'{"Items":[]}', "wrapper:Items", []),
        (b'{"a":1,"b":[2]}', "object", [b'{"a":1,"b":[2]}']),
        (b'{"data":[1,2]}', "object", [b'{"data":[1,2]}']),
        (b'{"data":{"a":1}}', "object", [b'{"data":{"a":1}}']),
        (b'{"Item":{"a":1}}', "object", [b'{"Item":{"a":1}}']),
        (b'{"Item":{"a":{"S":"1"}}}', "export", [b'{"Item":{"a":{"S":"1"}}}']),
        (b'{"Item":{"a":{"S":"1","N":"2"}}}', "object", [b'{"Item":{"a":{"S":"1","N":"2"}}}']),
        (b'{"Item":{"a":{"N":"1"}}}\n{"b":2}', "export", [b'{"Item":{"a":{"N":"1"}}}', b'{"b":2}']),
        (b'{"a":1}\n\n \r\n{"a":2}', "lines", [b'{"a":1}', b'{"a":2}']),
        (b'\xef\xbb\xbf{"a":1}\r\n{"a":2}\r\n', "lines", [b'{"a":1}', b'{"a":2}']),
        (b'{"a":\n 1}{"a"\n:2}\t{"a":3}', "lines", [b'{"a":\n 1}', b'{"a"\n:2}', b'{"a":3}']),
        (b"5", "lines", [b"5"]),
        (b'5 "x"\nnull', "lines", [b"5", b'"x"', b"null"]),
        (b'[{"a":1}]\n[{"a":2}]\n{"a":3}', "lines", [b'{"a":1}', b'{"a":2}', b'{"a":3}']),
        (b'{"Items":[{"a":1}],"data":[{"a":2}]}', "wrapper:Items", [b'{"a":1}', b'{"a":2}']),
        (b'[5,"x",[1],{"a":1}]', "array", [b"5", b'"x"', b"[1]", b'{"a":1}']),
    ],
)
def test_a_shape_is_told_by_its_bytes(data: bytes, shape: str, records: list[bytes], block: int) -> None:
    assert (shape, records) == read(data, block)


@pytest.mark.parametrize("key", sorted(WRAPPER_KEYS))
def test_every_wrapper_key_holds_items_also_behind_other_keys(key: bytes) -> None:
    data = b'{\n  "page" : {"n": 1},\n  "%s" : [\n {"a":1},\n {"a":2}\n ],\n "z": [1]\n}\n' % key
    found = surveyed(data)
    assert (f"wrapper:{key.decode()}", 2) == (found.shape, found.records)
    assert found.metadata == {"page": '{"n": 1}', "z": "[1]"}


@BLOCKS
def test_pages_of_a_scan_behind_one_another_give_all_their_items(block: int) -> None:
    pages = [
        b'{"Items":[{"a":1},{"a":2}],"Count":2,"LastEvaluatedKey":{"a":2}}',
        b'{"Count":0,"Items":[],"LastEvaluatedKey":{"a":2}}',
        b'{\n "Items": [\n  {"a":3}\n ],\n "Count": 1\n}',
    ]
    assert read(b"\n".join(pages), block) == ("lines", [b'{"a":1}', b'{"a":2}', b'{"a":3}'])


@BLOCKS
def test_a_json_line_with_an_attribute_named_data_stays_an_item(block: int) -> None:
    lines = [b'{"id":"%d","data":[{"x":1}],"messages":[]}' % n for n in range(20)]
    assert ("lines", lines) == read(b"\n".join(lines), block)


@BLOCKS
def test_a_line_that_starts_like_a_page_and_has_another_key_is_an_item(block: int) -> None:
    lines = [b'{"Items":[{"x":1}],"Count":1,"id":"a"}', b'{"Items":[{"x":1}],"Count":1}', b'{"Count":1}']
    assert ("lines", [lines[0], b'{"x":1}', lines[2]]) == read(b"\n".join(lines), block)


def test_a_page_too_large_to_look_through_is_believed_by_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "PAGE_LIMIT", 200)
    page = b'{"Items":[' + b",".join(b'{"a":%d}' % n for n in range(100)) + b'],"Count":100}'
    assert len(read(page + b"\n" + page, 64)[1]) == 200
    broken = page[:-1] + b',"other":1}\n' + page
    fault = surveyed(broken + b'\n{"id":1}', block=64).fault
    assert fault is not None
    assert (broken.index(b'"other"'), "a key of a response beside its items") == (
        fault.offset,
        fault.expected,
    )


def test_what_stands_beside_the_items_is_bounded() -> None:
    large = b'"' + b"x" * METADATA_LIMIT + b'"'
    data = b'{"large":%s,"Count":3,"Items":[{"a":1}],"more":%s,"z":1}' % (large, large)
    assert surveyed(data).metadata == {"Count": "3", "z": "1"}


def test_ten_thousand_empty_documents_need_no_stack() -> None:
    found = surveyed(b"[] " * 10_000 + b'{"Items":[]}' * 10_000)
    assert (found.fault, found.records) == (None, 0)
