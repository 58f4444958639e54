"""Survey of CSV: header by name, delimiter, encoding, counts and marks; what cannot be read says why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.layouts import Layout
from ingest_project.core.model import Fault
from ingest_project.formats.csv_layout import described, layout_of, row_shape
from ingest_project.formats.csv_survey import survey_rows
from ingest_project.formats.survey import Survey
from ingest_project.formats.window import Damaged
from ingest_project_tests.formats.csv_files import LAYOUT, chunk_of, hostile, judged, rows_in, surveyed

WIDE = Layout(name="wide", required=("id", "price", "shop"))


def expected(survey: Survey) -> str:
    assert survey.fault is not None
    assert (survey.records, survey.marks, survey.end) == (0, (), 0)
    return survey.fault.expected


@pytest.mark.parametrize(
    ("header", "delimiter", "columns"),
    [
        ("id,price", ",", ("id", "price")),
        ("Price; ID ;NOTE", ";", ("price", "id", "note")),
        ('"price"\t"note"\t"id"', "\t", ("price", "note", "id")),
        ("id,price;in euro,price", ",", ("id", "", "price")),
        ('"i""d";id;price', ";", ("", "id", "price")),
    ],
)
def test_columns_are_found_by_name_at_the_delimiter_that_knows_most(
    header: str, delimiter: str, columns: tuple[str, ...]
) -> None:
    shape = row_shape(chunk_of(surveyed(f"{header}\r\n".encode())))
    assert (shape.delimiter, shape.columns, shape.layout) == (delimiter, columns, "prices")


def test_a_shape_is_told_in_words() -> None:
    words = "csv: layout prices, 2 columns, semicolons, utf-8"
    assert words == described(surveyed(b"price;shop;id\n").shape)
    assert "csv of no known layout" == described(surveyed(b"shop\n").shape)
    assert "wrapper:Items" == described("wrapper:Items")


def test_the_layout_with_the_most_columns_in_the_header_is_taken() -> None:
    survey = surveyed(b"shop,note,price,id\n1,2,3,4\n", LAYOUT, WIDE)
    assert layout_of(chunk_of(survey)) == "prices"
    assert survey.metadata == {"ignored_columns": '["shop"]'}
    assert layout_of(chunk_of(surveyed(b"shop,price,id\n", LAYOUT, WIDE))) == "wide"


def test_a_header_that_lacks_columns_names_them() -> None:
    assert expected(surveyed(b"id,note\n1,2\n")) == "a header of layout prices; missing columns: price"
    words = "a header of one of the layouts prices, wide (nearest: wide); missing columns: price"
    assert words == expected(surveyed(b"id,shop\n1,2\n", LAYOUT, WIDE))


def test_a_header_with_a_column_twice_is_refused() -> None:
    words = "a header of layout prices with each column once; twice: price"
    assert words == expected(surveyed(b"id,price,PRICE\n"))


@pytest.mark.parametrize("text", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_a_file_without_a_header_is_a_fault(text: bytes) -> None:
    assert expected(surveyed(text)) == "a header; the file is empty"


def test_utf_16_is_named() -> None:
    assert expected(surveyed("id,price\n".encode("utf-16"))) == "UTF-8 or Latin-1 text, not UTF-16"


def test_a_header_alone_is_a_good_file_without_rows() -> None:
    survey = surveyed(b"id,price\n")
    assert (survey.records, survey.fault, survey.end, survey.length) == (0, None, 9, 9)


def test_a_byte_order_mark_is_no_part_of_the_first_heading() -> None:
    survey = surveyed(b"\xef\xbb\xbfid,price\nA,1\n")
    assert (survey.records, survey.marks[0].offset) == (1, 12)


@given(st.data())
def test_rows_are_counted_as_the_csv_module_counts_them(data: st.DataObject) -> None:
    body = data.draw(hostile(","))
    text = b"id,price\n" + body
    survey = surveyed(text, block=data.draw(st.integers(1, 30)))
    if survey.fault is None:
        assert len(judged(text)) - 1 == survey.records
    assert len(rows_in(body).raws) == survey.records


@pytest.mark.parametrize("block", [1, 2, 3, 5, 1 << 16])
@pytest.mark.parametrize(
    ("rows", "encoding"),
    [
        ([b"a,1", b"b,2"], "utf-8"),
        (["é,1".encode(), "😀,2".encode()], "utf-8"),
        (["é,1".encode("latin-1"), b"b,2"], "latin-1"),
        (["é,1".encode("latin-1"), "\u201cb\u201d,\u20ac2".encode("cp1252")], "cp1252"),
        (["é,1".encode(), "ü,2".encode(), "ö,3".encode("latin-1")], "utf-8"),
        (["é,1".encode(), "ü,2".encode("latin-1"), "ö,3".encode("latin-1")], "latin-1"),
    ],
)
def test_the_encoding_is_that_of_most_rows(rows: list[bytes], encoding: str, block: int) -> None:
    survey = surveyed(b"id,price\n" + b"\n".join(rows), block=block)
    assert row_shape(chunk_of(survey)).encoding == encoding


def test_behind_a_byte_order_mark_everything_is_utf_8() -> None:
    survey = surveyed(b"\xef\xbb\xbfid,price\n\xe9,1\n")
    assert row_shape(chunk_of(survey)).encoding == "utf-8"


def test_a_header_in_latin_1_is_read() -> None:
    layout = Layout(name="x", required=("grösse",))
    assert surveyed("Größe\n1\n".encode("latin-1"), layout).fault is None


def test_marks_lie_on_rows_and_count_them() -> None:
    rows = [b'%d,"a\nb"' % number for number in range(9000)]
    text = b"id,price\n" + b"\n".join(rows)
    survey = survey_rows([text], [LAYOUT], gap=1000, most_marks=16, group=500)
    assert 8 <= len(survey.marks) <= 16
    for mark in survey.marks:
        assert text.startswith(rows[mark.records] + b"\n", mark.offset)


def test_a_damaged_file_gives_the_rows_before_the_damage() -> None:
    def blocks() -> Iterator[bytes]:
        yield b"id,price\na,1\nb,"
        raise Damaged("an intact gzip stream")

    survey = survey_rows(blocks(), [LAYOUT])
    assert (survey.records, survey.end) == (1, 13)
    assert Fault(offset=15, expected="an intact gzip stream") == survey.fault


def test_a_file_damaged_in_its_header_says_so() -> None:
    def blocks() -> Iterator[bytes]:
        yield b"id,pr"
        raise Damaged("an intact gzip stream")

    assert expected(survey_rows(blocks(), [LAYOUT])) == "an intact gzip stream"
