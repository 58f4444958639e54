"""Rows of one sheet of an XLSX workbook, streamed, as CSV text: numbers exact, dates in ISO form. No I/O of
its own.

Read by openpyxl in its read-only mode; docs/decisions/0011 says why.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Generator, Iterator
from datetime import date, datetime
from typing import IO, TYPE_CHECKING
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile, ZipFile

from ingest_project.core.layouts import Sheet
from ingest_project.formats.csv_layout import ROW_COLUMN
from ingest_project.formats.window import Damaged

if TYPE_CHECKING:
    from openpyxl import Workbook

PIECE = 64 << 10
WHOLE_LIMIT = 64 << 20
"""Bytes of texts and styles, unpacked: all that is held in memory at once."""

_SHEETS = "xl/worksheets/"
_BROKEN = (BadZipFile, ParseError, KeyError, ValueError, TypeError, EOFError, OSError)


def sheet_text(file: IO[bytes], sheet: Sheet) -> Generator[bytes, None, None]:
    """The sheet from its header on as CSV in UTF-8: comma, line feed, blank rows left out.

    The first column is the row's number in the sheet, under the heading ``sheet_row``. An empty cell is an
    empty field, and so is a formula whose result was not saved; an error such as ``#N/A`` is its text.

    Args:
        file: Seekable.

    Raises:
        Damaged: This is no workbook, it lacks the sheet, or it breaks off; after the rows before that.
    """
    place = "an XLSX workbook"
    try:
        _check_size(file)
        workbook = _opened(file)
        try:
            place = f"sheet {sheet.name!r}, not only {', '.join(map(repr, workbook.sheetnames))}"
            if sheet.name not in workbook.sheetnames:
                raise Damaged(place)
            place = f"intact rows of sheet {sheet.name!r}"
            yield from _pieces(_rows(workbook, sheet))
        finally:
            workbook.close()
    except _BROKEN as error:
        raise Damaged(f"{place} ({error})") from error


def _check_size(file: IO[bytes]) -> None:
    with ZipFile(file) as packed:
        held = sum(info.file_size for info in packed.infolist() if _is_held(info.filename))
    if held > WHOLE_LIMIT:
        raise Damaged(f"at most {WHOLE_LIMIT} bytes of texts and styles in the workbook")


def _is_held(name: str) -> bool:
    return name.endswith(".xml") and not name.startswith(_SHEETS)


def _opened(file: IO[bytes]) -> Workbook:
    """What openpyxl warns of is lost when a workbook is written, and this one is only read."""
    from openpyxl import load_workbook

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_workbook(file, read_only=True, data_only=True)


def _rows(workbook: Workbook, sheet: Sheet) -> Iterator[list[str]]:
    """Number and cells as text of each row that is not blank, as wide as the header or wider."""
    found = workbook[sheet.name]
    found.reset_dimensions()
    width = 0
    for number, cells in enumerate(found.iter_rows(values_only=True), start=1):
        if number < sheet.header:
            continue
        texts = [_text(cell) for cell in cells]
        while texts and not texts[-1]:
            texts.pop()
        if texts:
            name = str(number) if width else ROW_COLUMN
            width = width or len(texts)
            yield [name, *texts, *[""] * (width - len(texts))]


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float):
        return _number(cell)
    return str(cell)


def _number(value: float) -> str:
    """The shortest decimal that is this double: what was typed, where the file has 1.1000000000000001."""
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def _pieces(rows: Iterator[list[str]]) -> Iterator[bytes]:
    """Rows as CSV, some of them at a time; also those before an error."""
    held = io.StringIO(newline="")
    writer = csv.writer(held, lineterminator="\n")
    broken: Exception | None = None
    try:
        for row in rows:
            writer.writerow(row)
            if held.tell() >= PIECE:
                yield held.getvalue().encode()
                held.seek(0)
                held.truncate()
    except _BROKEN as error:
        broken = error
    yield held.getvalue().encode()
    if broken is not None:
        raise broken
