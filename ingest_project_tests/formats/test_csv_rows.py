"""Row borders: the same rows as Python's csv module, from blocks and ranges of any size, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.model import Fault
from ingest_project.formats.csv_fields import OpenQuote, splitter
from ingest_project.formats.csv_rows import RowCutter
from ingest_project.formats.window import Damaged, Window
from ingest_project_tests.formats.csv_files import DELIMITERS, SIZES, hostile, judged, rows_in


def fields(raws: list[bytes], delimiter: str = ",") -> list[list[str]]:
    """Up to the first row that is not closed."""
    found = []
    for raw in raws:
        try:
            found.append(splitter(delimiter)(raw.decode()))
        except OpenQuote:
            break
    return found


@given(st.data())
def test_rows_are_those_of_the_csv_module_however_the_bytes_come(data: st.DataObject) -> None:
    delimiter = data.draw(DELIMITERS)
    text = data.draw(hostile(delimiter))
    found = rows_in(text, delimiter, block=data.draw(SIZES), group=data.draw(SIZES))
    expected = judged(text, delimiter)
    if found.fault:
        assert expected[:-1] == fields(found.raws, delimiter)[: len(expected) - 1]
    else:
        assert expected == fields(found.raws, delimiter)


@given(st.data())
def test_each_row_stands_where_its_offset_says(data: st.DataObject) -> None:
    text = data.draw(hostile(","))
    found = rows_in(text, block=data.draw(SIZES))
    assert found.raws == [text[at : at + len(raw)] for raw, at in zip(found.raws, found.places, strict=True)]
    assert found.places == sorted(set(found.places))


@given(st.data())
def test_ranges_between_any_two_rows_give_the_rows_between_them(data: st.DataObject) -> None:
    text = data.draw(hostile(","))
    limit = data.draw(st.sampled_from([5, 12, 1 << 20]))
    whole = rows_in(text, limit=limit)
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(whole.places))] * 2)))
    span = whole.borders[first], whole.borders[last]
    part = rows_in(text, block=data.draw(SIZES), group=data.draw(SIZES), limit=limit, span=span)
    assert (part.raws, part.places) == (whole.raws[first:last], whole.places[first:last])
    assert part.fault is None


@given(st.data())
def test_what_is_too_long_or_not_closed_does_not_depend_on_the_blocks(data: st.DataObject) -> None:
    text, limit = data.draw(hostile(",")), data.draw(st.sampled_from([5, 12]))
    expected = rows_in(text, block=len(text) + 1, group=1 << 16, limit=limit)
    assert expected == rows_in(text, block=data.draw(SIZES), group=data.draw(SIZES), limit=limit)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_every_line_end_is_known_and_the_last_may_be_missing(end: str, last: bool) -> None:
    text = end.join(["a,1", 'b,"2', '2"', "c,3"]) + (end if last else "")
    found = rows_in(text.encode(), block=3)
    assert [b"a,1", b'b,"2' + end.encode() + b'2"', b"c,3"] == found.raws
    assert len(text.encode()) == found.end


def test_blank_lines_are_no_rows() -> None:
    found = rows_in(b"\n\r\na\n\n\nb\n\n")
    assert ([b"a", b"b"], [3, 7]) == (found.raws, found.places)


def test_a_line_of_blanks_or_of_two_quotes_is_a_row() -> None:
    assert [b" ", b'""'] == rows_in(b' \n""\n').raws


def test_one_field_of_two_megabytes_is_one_row() -> None:
    field = b'"' + b'x,""\r\n' * 340_000 + b'"'
    found = rows_in(b"a,1\n" + field + b",2\nb,3\n", block=1 << 16, group=1 << 15, limit=4 << 20)
    assert [b"a,1", field + b",2", b"b,3"] == found.raws


def test_a_file_cut_off_inside_a_quoted_field_is_a_fault_at_the_quote() -> None:
    text = b'a,1\nb,"02 Jan'
    found = rows_in(text)
    assert [b"a,1"] == found.raws
    assert Fault(offset=text.index(b'"'), expected="a closing quote") == found.fault
    assert found.end == 4


def test_a_quote_that_is_never_closed_spoils_its_own_row_alone() -> None:
    text = b'a,1\n"b,2\nc,3\nd,4\n'
    found = rows_in(text)
    assert [b"a,1", b'"b,2', b"c,3", b"d,4"] == found.raws
    expected = "the closing quote of the field that begins at byte 4"
    assert Fault(offset=len(text), expected=expected) == found.fault


def test_a_quote_that_is_closed_far_behind_spoils_one_row_and_ends_no_file() -> None:
    text = b'"b,2\n' + b"c,3\n" * 20 + b'd",4\ne,5\n'
    found = rows_in(text, limit=40)
    assert [b'"b,2', *[b"c,3"] * 20, b'd",4', b"e,5"] == found.raws
    assert found.fault is None


def test_a_row_beyond_the_limit_without_a_quote_is_a_fault_at_its_start() -> None:
    found = rows_in(b"a,1\n" + b"b" * 50 + b"\nc,3\n", limit=40)
    assert [b"a,1"] == found.raws
    assert Fault(offset=4, expected="a row of at most 40 bytes") == found.fault


def test_a_damaged_stream_gives_its_whole_rows_and_says_where_it_ends() -> None:
    def blocks() -> Iterator[bytes]:
        yield b"a,1\nb,2\nc,"
        raise Damaged("an intact gzip stream")

    cutter = RowCutter(Window(blocks()), ",")
    assert [b"a,1", b"b,2"] == [raw for cut in cutter.cuts() for raw in cut.raws]
    assert Fault(offset=10, expected="an intact gzip stream") == cutter.fault


def test_rows_are_handed_out_in_groups() -> None:
    cutter = RowCutter(Window([b"a,1\n" * 10_000]), ",", group=4096)
    sizes = [len(cut.raws) for cut in cutter.cuts()]
    assert sum(sizes) == 10_000
    assert len(sizes) < 20


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ('a,"b""c",', ["a", 'b"c', ""]),
        ('"a"b,c"d', ["ab", 'c"d']),
        (' "a",b', [' "a"', "b"]),
        ('""', [""]),
        ("", [""]),
        ("a\0b,c", ["a\0b", "c"]),
    ],
)
def test_fields_are_split_as_the_csv_module_does(row: str, expected: list[str]) -> None:
    assert expected == splitter(",")(row)
    assert not row or [expected] == judged(row.encode())


def test_an_open_quote_names_its_field() -> None:
    with pytest.raises(OpenQuote) as caught:
        splitter(";")('a;b;"c;d')
    assert caught.value.field == 2
