"""Cutter on random files: the same records, bytes and offsets as a plain reader, whatever the block size.

Few files, which Hypothesis makes small where one fails; test_long_fuzz.py reads 20,000.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest_project.formats.cutting import Entry
from ingest_project_tests.formats.strategies import FILES
from ingest_project_tests.formats.streams import Oracle, records_of, surveyed

BLOCKS = st.one_of(st.integers(1, 40), st.just(1 << 20))
GROUPS = st.one_of(st.integers(1, 200), st.just(1 << 15))


def exact(raw: bytes | str) -> Any:
    return json.loads(raw, parse_float=Decimal)


@given(file=FILES, block=BLOCKS, group=GROUPS)
@settings(max_examples=150)
def test_every_record_of_every_shape_is_delivered_exactly(
    file: tuple[str, list[str]], block: int, group: int
) -> None:
    text, expected = file
    data = text.encode()
    found = surveyed(data, block=block, group=group)
    assert None is found.fault
    assert len(expected) == found.records
    read = records_of(data, found, block=block, group=group)
    assert [exact(record) for record in expected] == [exact(raw) for _, raw in read]
    assert [raw for _, raw in read] == [data[at : at + len(raw)] for at, raw in read]
    assert (read, False) == Oracle.read(data)


@given(file=FILES, block=BLOCKS, group=GROUPS, data=st.data())
@settings(max_examples=100)
def test_ranges_between_any_two_marks_tile_the_file(
    file: tuple[str, list[str]], block: int, group: int, data: st.DataObject
) -> None:
    stored = file[0].encode()
    found = surveyed(stored, block=block, group=group)
    whole = records_of(stored, found)
    borders = [(mark.offset, mark.records) for mark in found.marks] + [(found.end, found.records)]
    low, high = sorted(data.draw(st.tuples(*[st.integers(0, len(borders) - 1)] * 2)))
    (start, first), (end, last) = borders[low], borders[high]
    block, group = data.draw(BLOCKS), data.draw(GROUPS)
    assert whole[first:last] == records_of(
        stored, found, start=start, end=end, entry=Entry.RECORD, block=block, group=group
    )


@given(file=FILES, block=BLOCKS, group=GROUPS)
@settings(max_examples=60)
def test_reading_goes_on_behind_any_record(file: tuple[str, list[str]], block: int, group: int) -> None:
    data = file[0].encode()
    found = surveyed(data, block=block, group=group)
    whole = records_of(data, found)
    for count, (at, raw) in enumerate(whole, 1):
        rest = records_of(data, found, start=at + len(raw), entry=Entry.AFTER, block=block, group=group)
        assert whole[count:] == rest


@given(
    files=st.lists(FILES, min_size=2, max_size=4),
    glue=st.sampled_from(["", "\n", " \r\n"]),
    block=BLOCKS,
    group=GROUPS,
)
@settings(max_examples=100)
def test_files_behind_one_another_read_as_the_plain_reader_reads_them(
    files: list[tuple[str, list[str]]], glue: str, block: int, group: int
) -> None:
    data = glue.join(text for text, _ in files).encode()
    expected, broken = Oracle.read(data)
    found = surveyed(data, block=block, group=group)
    assert (len(expected), broken) == (found.records, found.fault is not None)
    assert expected == records_of(data, found, block=block, group=group)
    for mark in found.marks:
        assert expected[mark.records :] == records_of(data, found, start=mark.offset, entry=Entry.RECORD)


MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(["drop", "insert", "replace", "truncate", "double"]),
        st.integers(0, 10_000),
        st.sampled_from([bytes([byte]) for byte in b'{}[],:"\\ \n01.eE-+ntx\x00\x80\xff\xef']),
    ),
    min_size=1,
    max_size=3,
)


def mutated(data: bytes, mutations: list[tuple[str, int, bytes]]) -> bytes:
    for kind, place, byte in mutations:
        at = place % (len(data) + 1)
        if kind == "drop":
            data = data[:at] + data[at + 1 :]
        elif kind == "insert":
            data = data[:at] + byte + data[at:]
        elif kind == "replace":
            data = data[:at] + byte + data[at + 1 :]
        elif kind == "truncate":
            data = data[:at]
        else:
            data = data[:at] + data[max(0, at - 9) : at] + data[at:]
    return data


@given(file=FILES, mutations=MUTATIONS, block=BLOCKS, group=GROUPS)
@settings(max_examples=300)
@example(file=('[{"a":1},2]', []), mutations=[("truncate", 10, b"")], block=1, group=1)
def test_a_damaged_file_gives_every_record_before_its_fault_and_never_a_wrong_one(
    file: tuple[str, list[str]], mutations: list[tuple[str, int, bytes]], block: int, group: int
) -> None:
    data = mutated(file[0].encode(), mutations)
    expected, broken = Oracle.read(data)
    found = surveyed(data, block=block, group=group)
    assert (broken, len(expected)) == (found.fault is not None, found.records)
    assert expected == records_of(data, found, block=block, group=group)
    if found.fault:
        assert found.end <= found.fault.offset <= len(data)


@given(file=FILES, mutations=MUTATIONS, block=BLOCKS)
@settings(max_examples=150)
def test_a_fault_names_the_first_byte_that_no_valid_file_could_have_there(
    file: tuple[str, list[str]], mutations: list[tuple[str, int, bytes]], block: int
) -> None:
    data = mutated(file[0].encode(), mutations)
    fault = surveyed(data, block=block).fault
    if fault is None:
        return
    before = surveyed(data[: fault.offset]).fault
    assert before is None or before.offset == fault.offset
    if fault.offset < len(data):
        for tail in (b"", b" ", b'"}]}', b"]", data[fault.offset + 1 :] + b"[{"):
            again = surveyed(data[: fault.offset + 1] + tail).fault
            assert again is not None
            assert fault.offset == again.offset


@pytest.mark.parametrize(
    ("data", "offset", "expected"),
    [
        (b"", 0, "a JSON value"),
        (b" \n ", 3, "a JSON value"),
        (b'[{"a":1},]', 9, "a JSON value"),
        (b'[{"a":1} {"a":2}]', 9, "',' or ']'"),
        (b'[{"a":1},{"a":2}', 16, "',' or ']'"),
        (b'[{"a":1},{"a":tru}]', 17, "true"),
        (b'[{"a":1},{"a":01}]', 15, "the end of a number"),
        (b'[{"a":1},{"a":1.}]', 16, "a digit"),
        (b'[{"a":"x\ny"}]', 8, "a string without control characters"),
        (b'[{"a":"\\x"}]', 8, "an escape of JSON"),
        (b'[{"a":"\\u12g4"}]', 11, "a hexadecimal digit"),
        (b'[{"a" 1}]', 6, "':'"),
        (b"[{a:1}]", 2, "a key"),
        (b'[{"a":1,}]', 8, "a key"),
        (b'[{"a":1}]x', 9, "the end of the file"),
        (b'{"Items":[{"a":1}]', 18, "',' or '}'"),
        (b'{"Items":[{"a":1}]}]', 19, "the end of the file"),
        (b'{"Items":[{"a":1}],"Count":}', 27, "a JSON value"),
        (b'{"a":1}\n{"a":2]\n', 14, "',' or '}'"),
        (b'{"a":1}\n}\n', 8, "a JSON value"),
        (b'{"a":"x', 7, "the rest of a string"),
        (b"\xff\xfe[\x00]\x00", 0, "a JSON value"),
        (b'[{"a":\xa01}]', 6, "a JSON value"),
    ],
)
@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_a_fault_says_which_byte_and_what_was_expected(
    data: bytes, offset: int, expected: str, block: int
) -> None:
    fault = surveyed(data, block=block).fault
    assert fault is not None
    assert (offset, expected) == (fault.offset, fault.expected)


@pytest.mark.parametrize(
    "record",
    [
        b'{"n":NaN}',
        b'{"n":-Infinity}',
        b'{"n":Infinity}',
        b'{"s":"\\ud800"}',
        b'{"s":"\xff\xfe"}',
        b"5",
        b"null",
        b'"x"',
        b"[1]",
    ],
)
@pytest.mark.parametrize("form", [b"[%s]", b'{"Items":[{"id":1},%s]}', b'[{"id":1},{"id":2},%s,{"id":3}]'])
def test_a_record_that_only_admission_can_judge_is_delivered_as_it_stands(record: bytes, form: bytes) -> None:
    data = form % record
    found = surveyed(data, block=3)
    assert None is found.fault
    assert record in [raw for _, raw in records_of(data, found, block=3)]


@pytest.mark.parametrize("depth", [10, 1_000, 100_000])
def test_deep_nesting_is_one_record(depth: int) -> None:
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    data = b'[{"id":1},' + deep + b',{"id":2}]'
    found = surveyed(data, block=4096)
    assert (found.fault, found.records) == (None, 3)
    assert deep == records_of(data, found)[1][1]


def test_separators_inside_strings_and_nested_lists_do_not_cut() -> None:
    tricky = b'{"id":"a","text":"},{\\"id\\":","kids":[{"id":"x"},{"id":"y"}]}'
    data = b"[" + b",".join([tricky] * 5000) + b"]"
    found = surveyed(data)
    assert found.records == 5000
    assert [tricky] * 5000 == [raw for _, raw in records_of(data, found)]


def test_a_large_record_between_small_ones_costs_its_own_size_only() -> None:
    large = b'{"id":"big","text":"' + b"x" * (8 << 20) + b'"}'
    data = b'[{"id":1},' + large + b',{"id":2}]'
    found = surveyed(data, block=1 << 16)
    assert (found.fault, found.records) == (None, 3)
    assert large == records_of(data, found, block=1 << 16)[1][1]
