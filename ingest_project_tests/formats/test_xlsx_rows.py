"""Sheets as CSV text: exact numbers, dates, row numbers as on the screen; what is wrong names the sheet."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime

import pytest

from ingest_project.core.layouts import Sheet
from ingest_project.formats import xlsx_rows
from ingest_project.formats.window import Damaged
from ingest_project.formats.xlsx_rows import sheet_text
from ingest_project_tests.formats.workbooks import workbook


def rows(packed: bytes, header: int = 1) -> list[list[str]]:
    text = b"".join(sheet_text(io.BytesIO(packed), Sheet(name="Income", header=header))).decode()
    return list(csv.reader(io.StringIO(text, newline="")))


def cells(*values: object) -> list[str]:
    (_, found) = rows(workbook({"Income": [[f"c{n}" for n in range(len(values))], values]}))
    return found[1:]


def rewritten(packed: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """The workbook with other text in one of its parts."""
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as source, zipfile.ZipFile(held, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == part:
                assert old in data
                data = data.replace(old, new)
            target.writestr(name, data)
    return held.getvalue()


def test_rows_begin_at_the_header_and_have_the_numbers_of_the_sheet() -> None:
    sheet = [["Income report"], [], ["id", "price"], ["a", 1], [], [None, None], ["b", 2]]
    found = rows(workbook({"Summary": [["id"]], "Income": sheet}), header=3)
    assert [["sheet_row", "id", "price"], ["4", "a", "1"], ["7", "b", "2"]] == found


def test_values_are_exact_text() -> None:
    moment = datetime.fromisoformat("2025-01-02 10:00:00")
    found = cells(1.1, 15.75, 1e-7, 10**15, 3.0, True, None, 'a "b"\nc', moment, "007")
    assert found[:5] == ["1.1", "15.75", "1e-07", "1000000000000000", "3"]
    assert found[5:] == ["true", "", 'a "b"\nc', "2025-01-02 10:00:00", "007"]
    assert cells(date(2025, 1, 2)) == ["2025-01-02 00:00:00"]


def test_a_number_as_excel_spells_its_double_is_the_number_that_was_typed() -> None:
    packed = workbook({"Income": [["id"], [1.5]]})
    packed = rewritten(packed, "xl/worksheets/sheet1.xml", b"<v>1.5</v>", b"<v>1.1000000000000001</v>")
    assert [["sheet_row", "id"], ["2", "1.1"]] == rows(packed)


def test_a_long_whole_number_keeps_its_digits() -> None:
    packed = workbook({"Income": [["id"], [1.5]]})
    packed = rewritten(packed, "xl/worksheets/sheet1.xml", b"<v>1.5</v>", b"<v>12345678901234567890</v>")
    assert rows(packed)[1] == ["2", "12345678901234567890"]


def test_an_error_in_a_cell_is_its_text() -> None:
    assert cells("#N/A", 1) == ["#N/A", "1"]


def test_short_rows_are_filled_up_and_cells_beside_the_header_are_kept() -> None:
    sheet: list[Sequence[object]] = [["id", "price"], ["a"], ["b", 1, "stray"]]
    assert [["2", "a", ""], ["3", "b", "1", "stray"]] == rows(workbook({"Income": sheet}))[1:]


def test_a_sheet_that_tells_a_wrong_size_is_read_whole() -> None:
    packed = workbook({"Income": [["id", "price"], ["a", 1]]})
    packed = rewritten(packed, "xl/worksheets/sheet1.xml", b'ref="A1:B2"', b'ref="A1"')
    assert [["sheet_row", "id", "price"], ["2", "a", "1"]] == rows(packed)


def test_a_workbook_without_the_sheet_names_those_that_it_has() -> None:
    with pytest.raises(Damaged, match="sheet 'Income', not only 'Summary', 'Fees'"):
        rows(workbook({"Summary": [], "Fees": []}))


@pytest.mark.parametrize("packed", [b"", b"id,price\n", b"PK\x03\x04 cut off"])
def test_what_is_no_workbook_is_told(packed: bytes) -> None:
    with pytest.raises(Damaged, match="an XLSX workbook"):
        rows(packed)


def test_a_broken_sheet_gives_the_rows_before_the_break() -> None:
    packed = workbook({"Income": [["id"], ["a"], ["b"]]})
    packed = rewritten(packed, "xl/worksheets/sheet1.xml", b'<row r="3"', b"<<<")
    found: list[bytes] = []
    with pytest.raises(Damaged, match="intact rows of sheet 'Income'"):
        found.extend(sheet_text(io.BytesIO(packed), Sheet(name="Income")))
    assert [b"sheet_row,id\n2,a\n"] == found


def test_texts_beyond_what_is_held_in_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_rows, "WHOLE_LIMIT", 100)
    with pytest.raises(Damaged, match="at most 100 bytes of texts and styles"):
        rows(workbook({"Income": [["id"]]}))
